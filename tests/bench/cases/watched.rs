//! NOTIFYs that the script is told of: P3.

use serde_json::json;

use crate::compare::{Contender, Failure, Measured, compare};
use crate::drive::{Drive, Until};
use crate::options::Options;
use crate::population::presence;
use crate::report::Report;
use crate::servers::{self, Consumer, FLOOR, STATEFUL, STATELESS, WATCH, Way};
use crate::table::Goal;
use crate::writer::Document;

/// What a script reads of the messages of one package.
struct Watched {
    /// Has the script subscribe.
    watch: Way,
    document: fn() -> Document,
    /// The fields that it reads.
    reads: &'static [&'static str],
    /// Whether there is a goal.
    has_goal: bool,
}

const WATCHED: [Watched; 7] = [
    Watched { watch: WATCH, document: presence, reads: &["basic", "note"], has_goal: true },
    Watched { watch: WATCH, document: presence, reads: &["basic", "note", "activity", "contact"], has_goal: true },
    Watched {
        watch: watch("b2b_subscribe(\"$ru\", \"$fu\", \"dialog\"); exit;"),
        document: dialogs,
        reads: &["dialog_state", "direction", "remote_uri", "remote_name", "call_id"],
        has_goal: true,
    },
    Watched {
        watch: watch("b2b_subscribe(\"$ru\", \"$fu\", \"reg\"); exit;"),
        document: registrations,
        reads: &["contacts", "contact", "contact_event", "expires"],
        has_goal: true,
    },
    Watched {
        watch: watch("b2b_subscribe(\"$ru\", \"$fu\", \"presence.winfo\"); exit;"),
        document: watchers,
        reads: &["watchers", "watcher", "watcher_status"],
        has_goal: true,
    },
    Watched {
        watch: watch("b2b_subscribe(\"$ru\", \"$fu\", \"message-summary\"); exit;"),
        document: messages,
        reads: &["waiting", "account", "voice_new", "voice_old"],
        has_goal: true,
    },
    Watched { watch: WATCH, document: presence, reads: &["json"], has_goal: false },
];

const fn watch(script: &'static str) -> Way {
    Way { script, ..WATCH }
}

fn dialogs() -> Document {
    let text = include_str!("../../data/dialog-info-kamailio.xml").to_owned();
    Document { event: "dialog", content_type: "application/dialog-info+xml", text }
}

fn registrations() -> Document {
    let text = include_str!("../../data/reginfo-kamailio.xml").to_owned();
    Document { event: "reg", content_type: "application/reginfo+xml", text }
}

fn watchers() -> Document {
    let text = include_str!("../../data/watcherinfo-kamailio.xml").to_owned();
    Document { event: "presence.winfo", content_type: "application/watcherinfo+xml", text }
}

fn messages() -> Document {
    let text = include_str!("../../data/message-summary-kamailio.txt").to_owned();
    Document { event: "message-summary", content_type: "application/simple-message-summary", text }
}

pub fn run(options: &Options, report: &mut Report) -> Result<(), Failure> {
    if !options.wants("P3") {
        return Ok(());
    }
    WATCHED.iter().try_for_each(|watched| watched.run(options, report))
}

impl Watched {
    /// What it reads, as the event route does.
    fn route(&self) -> String {
        let reads = self.reads.iter().map(|field| format!("    $var({field}) = $qsa({field});\n"));
        format!("event_route[qsa:notify] {{\n{}}}", reads.collect::<String>())
    }

    fn run(&self, options: &Options, report: &mut Report) -> Result<(), Failure> {
        let document = (self.document)();
        let fields: Vec<String> = self.reads.iter().map(|field| format!("$qsa({field})")).collect();
        let (package, size, fields) = (document.event, document.text.len(), fields.join(", "));
        report.say(&format!("NOTIFYs of {package} told to the script, which reads {fields}"));
        let count = if options.quick { 2000 } else { 20_000 };
        let ways = [STATEFUL, STATELESS, FLOOR, self.watch];
        let builder = servers::b2b(&ways, 1, Consumer::Callback).route(&self.route());
        let server = builder.b2b_param("queue_limit", 200_000).shm_megabytes(1500).start();
        let mut drive = Drive::new(count, 64, document)?;
        drive.run(self.watch.addr(&server), 0, count, Until::Notified)?;
        let told = || -> Result<u64, Failure> {
            let trace = server.rpc("presence_b2b.trace", json!([])).map_err(|error| error.to_string())?;
            Ok(trace["delivered"].as_u64().unwrap_or_default())
        };
        let before = told()?;
        let desk = drive.desk().clone();
        let contenders = [FLOOR, STATEFUL, STATELESS].map(|way| Contender {
            name: way.name.to_owned(),
            server: &server,
            way,
            desk: &desk,
            records: count,
        });
        let results = compare(&contenders, options.rounds(), options.notifies())?;
        let expected = (2 * (options.rounds() + 1) * options.notifies()) as u64;
        let all = told()? - before;
        let remark = if all == expected { String::new() } else { format!("{all} of {expected} told") };
        if let [floor, stateful, stateless] = results.as_slice() {
            let row =
                |name: &str, measured: &Measured| measured.row("P3", name).remark(&remark).ratio(measured.over(floor));
            report.row(floor.row("P3", format!("{} ({package}, {size} bytes)", floor.name)));
            let told = row(&format!("handle_notify, event route reads {fields}"), stateful);
            report.row(if self.has_goal { told.goal(Goal::AtMost(2.0)) } else { told });
            report.row(row("the same without a transaction", stateless));
        }
        drop(contenders);
        server.stop();
        Ok(())
    }
}
