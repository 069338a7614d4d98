//! One look at the server, printed as a table or as JSON.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};

use crate::model::{Link, Mark, Model, Moment, text as field};
use crate::options::Options;
use crate::rpc::Client;
use crate::text::{ascii_json, fit, span};
use crate::view::{columns, sums};

/// Columns of the printed table.
const WIDTH: usize = 140;

/// How long one look may take: a million subscriptions may have to be looked through.
const PATIENCE: Duration = Duration::from_secs(60);

/// The time of the program: of the clock when it started, and then of one that nobody sets.
pub fn clock() -> impl Fn() -> Moment {
    let (begin, clock) = (SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default(), Instant::now());
    move || begin + clock.elapsed()
}

/// Asks everything once and prints it. An error is a sentence for the operator.
pub fn run(mut client: Client, options: &Options) -> Result<(), String> {
    let clock = clock();
    let mut model = Model::new(options.settings.clone(), clock());
    let deadline = clock() + PATIENCE;
    while !model.is_complete() {
        let begin = clock();
        let Some(call) = model.next(begin) else { break };
        let answer = client.call(call.method, &call.params);
        let now = clock();
        model.apply(&call, answer, now.saturating_sub(begin), now);
        if let Link::Away(_, failure) = &model.link {
            return Err(failure.to_string());
        }
        if let Some((said, _)) = &model.notice {
            return Err(said.clone());
        }
        if now > deadline {
            return Err(format!("the server needs more than {} s for all answers", PATIENCE.as_secs()));
        }
    }
    let now = clock();
    let printed = if options.json { ascii_json(&format!("{:#}\n", document(&model, now))) } else { table(&model, now) };
    print(&printed).map_err(|error| format!("the output cannot be written: {error}"))
}

/// Prints a text. A reader that has read enough, such as `head`, is no error.
pub fn print(text: &str) -> io::Result<()> {
    match io::stdout().write_all(text.as_bytes()).and_then(|()| io::stdout().flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

fn document(model: &Model, now: Moment) -> Value {
    let counters: Map<String, Value> =
        model.counters.all().map(|(name, value)| (name.to_owned(), json!(value))).collect();
    let subscriptions: Vec<Value> = model
        .table
        .shown
        .iter()
        .map(|row| {
            let mut fields = row.fields.clone();
            fields.insert("failing".into(), json!(row.mark() == Mark::Red));
            fields.insert("why".into(), json!(row.why(now)));
            Value::Object(fields)
        })
        .collect();
    let count = model.count.as_ref().map(|count| {
        let pairs = |pairs: &[(String, u64)]| -> Map<String, Value> {
            pairs.iter().map(|(name, number)| (name.clone(), json!(number))).collect()
        };
        json!({"total": count.total, "failing": count.failing, "states": pairs(&count.states), "packages": pairs(&count.packages)})
    });
    json!({
        "server": model.server.name,
        "module": model.server.module,
        "uptime": model.server.started.map(|started| now.saturating_sub(started).as_secs()),
        "count": count,
        "counters": counters,
        "subscriptions": subscriptions,
        "more": model.table.page().1,
        "destinations": model.destinations,
        "queues": model.queues,
        "missing": model.missing,
    })
}

fn table(model: &Model, now: Moment) -> String {
    let mut text = String::new();
    let server = &model.server;
    let up = server.started.map(|started| format!(", up {}", span(now.saturating_sub(started).as_secs())));
    let _ = writeln!(text, "presence_b2b {} on {}{}", server.module, server.name, up.unwrap_or_default());
    let _ = writeln!(text, "{}", sums(model));
    let columns = columns(WIDTH);
    let mut line = |mark: &str, cells: Vec<String>| {
        let cells: Vec<String> = cells.iter().zip(&columns).map(|(cell, column)| fit(cell, column.1)).collect();
        let _ = writeln!(text, "{}", format!("{mark} {}", cells.join(" ")).trim_end());
    };
    if !model.table.shown.is_empty() {
        line(" ", columns.iter().map(|column| column.0.to_owned()).collect());
    }
    for row in &model.table.shown {
        let mark = match row.mark() {
            Mark::Red => "!",
            Mark::Yellow => "~",
            Mark::Green => " ",
        };
        line(mark, columns.iter().map(|column| column.2(row, now)).collect());
    }
    if model.table.page().1 {
        let _ = writeln!(text, "There are more: --rows and --filter choose which are shown.");
    }
    for row in model.destinations.iter().filter(|row| field(row, "state") != "closed") {
        let [address, state, held] = ["address", "state", "held_for"].map(|name| field(row, name));
        let _ = writeln!(text, "destination {address}: breaker {state}, held for {held} s");
    }
    text
}
