//! The first lines: what server this is, how fast it works, how many subscriptions it has.

use super::ink::{Canvas, Ink, Line};
use crate::model::{Link, MESSAGES, Model, Moment, NOTIFIES, SUBSCRIBES, View};
use crate::text::{span, width};

/// From so many columns on, all is said in words.
const WIDE: usize = 60;

pub fn draw(canvas: &mut Canvas, model: &Model, now: Moment) {
    let room = canvas.width();
    canvas.line(server(model, room, now));
    canvas.line(rates(model, room));
    if canvas.left() > 12 {
        canvas.line(states(model, room));
        if let Some(count) = model.count.as_ref().filter(|count| !count.packages.is_empty()) {
            canvas.line([(Ink::Plain, listed(&count.packages, room))]);
        }
    }
    canvas.line(tabs(model, room));
}

fn server(model: &Model, room: usize, now: Moment) -> Line {
    let server = &model.server;
    if server.module.is_empty() {
        let what = if model.link == Link::New { "b2b-top: asking the server" } else { "b2b-top: no server" };
        return vec![(Ink::Strong, what.to_owned())];
    }
    let up = server.started.map(|started| format!("up {}", span(now.saturating_sub(started).as_secs())));
    let mut line =
        vec![(Ink::Strong, if room < 40 { "b2b".into() } else { format!("presence_b2b {}", server.module) })];
    if room >= WIDE && !server.name.is_empty() {
        line.push((Ink::Plain, format!(" on {}", server.name)));
    }
    line.extend(up.map(|up| (Ink::Plain, format!(", {up}"))));
    if model.settings.write && room >= WIDE {
        line.push((Ink::Yellow, ", may change it".into()));
    }
    line
}

fn rates(model: &Model, room: usize) -> Line {
    let counters = &model.counters;
    let rate = |names| match counters.rate(names) {
        Some(rate) if rate < 10.0 => format!("{rate:.1}"),
        Some(rate) => format!("{rate:.0}"),
        None => "-".to_owned(),
    };
    let [sent, came, told] = [SUBSCRIBES, NOTIFIES, MESSAGES].map(rate);
    if room < 40 {
        return vec![(Ink::Plain, format!("S {sent} N {came} M {told} /s"))];
    }
    if room < WIDE {
        return vec![(Ink::Plain, format!("SUB {sent}  NOT {came}  MSG {told} /s"))];
    }
    let mut line = vec![(Ink::Plain, format!("SUBSCRIBE {sent}/s  NOTIFY {came}/s  messages {told}/s"))];
    if model.missing.contains("stats.fetch") {
        line.push((Ink::Yellow, "  (no rates without kex)".into()));
    }
    if let Some(queued) = counters.get("queued") {
        line.push((if queued > 0 { Ink::Yellow } else { Ink::Plain }, format!("  queued {queued}")));
    }
    if let Some(open) = counters.get("breakers_open") {
        line.push((if open > 0 { Ink::Red } else { Ink::Plain }, format!("  breakers open {open}")));
    }
    line
}

/// How far the workers and the database are behind, and the memory.
pub fn lags(canvas: &mut Canvas, model: &Model) {
    let get = |name| model.counters.get(name);
    let mut facts = Vec::new();
    facts.extend(get("deadline_lag_ms").map(|lag| format!("workers {lag} ms late")));
    facts.extend(get("store_lag_ms").map(|lag| format!("database {lag} ms behind")));
    let most = get("max_memory").filter(|most| *most > 0).map(|most| format!(" of {}", megabytes(most)));
    facts.extend(get("memory").map(|used| format!("memory {}{}", megabytes(used), most.unwrap_or_default())));
    if !facts.is_empty() {
        canvas.line([(Ink::Plain, facts.join(", "))]);
    }
}

fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

/// The numbers of subscriptions in one text, as far as the server tells them: also for the table of `--once`.
pub fn sums(model: &Model) -> String {
    states(model, usize::MAX).into_iter().map(|(_, text)| text).collect()
}

fn states(model: &Model, room: usize) -> Line {
    let Some(count) = &model.count else { return vec![(Ink::Dim, "no numbers yet".into())] };
    let mut line = vec![(Ink::Strong, format!("{} subscriptions", count.total))];
    match count.failing {
        Some(0) => line.push((Ink::Green, ": none fails".into())),
        Some(failing) => line.push((Ink::Red, format!(": {failing} failing"))),
        None => {}
    }
    let used: usize = line.iter().map(|(_, text)| width(text) + 2).sum();
    let there: Vec<_> = count.states.iter().filter(|(_, number)| *number > 0).cloned().collect();
    let rest = listed(&there, room.saturating_sub(used));
    if !rest.is_empty() {
        line.push((Ink::Plain, format!(", {rest}")));
    }
    line
}

/// `name 5, other 3`: as many as fit, the largest first.
fn listed(numbers: &[(String, u64)], room: usize) -> String {
    let mut sorted = numbers.to_vec();
    sorted.sort_by_key(|(_, number)| std::cmp::Reverse(*number));
    let mut text = String::new();
    for (name, number) in sorted.into_iter().filter(|(_, number)| *number > 0) {
        let one = format!("{}{name} {number}", if text.is_empty() { "" } else { ", " });
        if width(&text) + width(&one) > room {
            break;
        }
        text.push_str(&one);
    }
    text
}

fn tabs(model: &Model, room: usize) -> Line {
    let names = match room {
        0..40 => ["1 subs", "2 dest", "3 queues"],
        _ => ["1 subscriptions", "2 destinations", "3 queues"],
    };
    let mut line = Line::new();
    for (name, view) in names.into_iter().zip([View::Subscriptions, View::Destinations, View::Queues]) {
        let is_here = model.view == view;
        line.push((if is_here { Ink::Selected } else { Ink::Dim }, name.to_owned()));
        line.push((Ink::Plain, " ".to_owned()));
    }
    let (page, has_more) = model.table.page();
    if model.view == View::Subscriptions && (page > 1 || has_more) && room >= WIDE {
        line.push((Ink::Dim, format!("page {page}{}", if has_more { ", more below" } else { "" })));
    }
    line
}
