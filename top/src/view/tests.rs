//! Pictures of terminals of several sizes, compared with those in `snapshots`. `B2B_TOP_WRITE=1` writes them.

use std::fs;
use std::path::Path;
use std::time::Duration;

use proptest::prelude::*;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::style::{Color, Modifier};
use serde_json::{Value, json};

use super::*;
use crate::failure::Failure;
use crate::model::tests::any_json;
use crate::model::{Call, Key, Settings};

const SECOND: Duration = Duration::from_secs(1);
/// A time of day that is easy to read: 12:00:00 UTC.
const NOON: Moment = Duration::from_secs(20_000 * 86_400 + 43_200);

fn row(id: u64, user: &str, package: &str, state: &str, rest: Value) -> Value {
    let mut row = json!({"id": id, "record": format!("sip:{user}@example.com"), "subscriber": "sip:lamp@example.org",
        "package": package, "state": state, "status": "active", "next_action_in": 1800, "expires_in": 3500, "retries": 0,
        "last_reply": 200, "last_reason": "OK", "call_id": "g001f6osmg0374ktn0lo", "remote_target": "sip:192.0.2.7:5060", "destination": "udp:192.0.2.7:5060",
        "notifies": 12, "refused": 0, "stale": 0, "repeated": 1, "merged": 0, "dropped": 0});
    for (name, value) in rest.as_object().expect("fields") {
        row[name] = value.clone();
    }
    row
}

fn rows() -> Value {
    let failed = |code: u64, reason: &str, retries: u64, next: u64| {
        json!({"status": "terminated", "last_reply": code, "last_reason": reason, "retries": retries, "next_action_in": next,
            "expires_in": null, "call_id": ""})
    };
    json!([
        row(1027, "alice", "dialog", "waiting", failed(503, "Service Unavailable", 3, 42)),
        row(2051, "bob", "presence", "waiting", failed(0, "no NOTIFY", 1, 7)),
        row(1031, "carol", "message-summary", "confirmed", json!({})),
        row(1032, "dave", "presence", "confirmed", json!({"status": "pending"})),
        row(1033, "evil\u{1b}[2J\u{202e}", "presence", "resubscription", json!({"next_action_in": 30})),
        row(1040, &"long".repeat(30), "presence", "unconfirmed", json!({"status": "none", "next_action_in": 28})),
    ])
}

fn answer(call: &Call, round: u64) -> Value {
    match call.method {
        "presence_b2b.version" => json!({"version": "0.1.0", "built_for": "kamailio 5.6.3 (x86_64/linux)"}),
        "core.version" => json!("kamailio 5.6.3 (x86_64/linux)"),
        "core.uptime" => json!({"uptime": 273_600}),
        "stats.fetch" => {
            json!({"presence_b2b.subscribes_new": round * 3, "presence_b2b.subscribes_refresh": round * 22,
            "presence_b2b.notifies_accepted": (round * 63).to_string(), "presence_b2b.received": round * 64,
            "presence_b2b.queued": 0, "presence_b2b.breakers_open": 1, "presence_b2b.deadline_lag_ms": 3,
            "presence_b2b.store_lag_ms": "40", "presence_b2b.memory": 849_496})
        }
        "presence_b2b.count" => json!({"total": 1204, "failing": 2, "states": {"confirmed": 1196, "waiting": 2,
            "resubscription": 5, "unconfirmed": 1, "predestroyed": 0}, "packages": {"presence": 801, "dialog": 402,
            "message-summary": 1}}),
        "presence_b2b.find" => json!({"rows": rows(), "looked_at": 1204, "next": 0}),
        "presence_b2b.show" => rows()[0].clone(),
        "presence_b2b.history" => json!({"id": 1027, "total": 6, "events": [
            {"at": "2026-11-27T21:45:14.122Z", "direction": "none", "event": "new", "state": "waiting"},
            {"at": "2026-11-27T21:45:14.123Z", "direction": "out", "event": "SUBSCRIBE", "kind": "new", "expires": 600, "state": "unconfirmed"},
            {"at": "2026-11-27T21:45:14.201Z", "direction": "in", "event": "reply", "code": 202, "expires": 600, "reason": "Accepted", "state": "confirmed"},
            {"at": "2026-11-27T21:45:14.260Z", "direction": "in", "event": "NOTIFY", "kind": "active", "code": 200, "expires": 600, "state": "confirmed"},
            {"at": "2026-11-27T21:54:44.001Z", "direction": "out", "event": "SUBSCRIBE", "kind": "refresh", "expires": 600, "state": "resubscription"},
            {"at": "2026-11-27T21:54:44.105Z", "direction": "in", "event": "reply", "code": 503, "reason": "Service Unavailable", "state": "waiting"}]}),
        "presence_b2b.queues" => {
            json!([{"queue": 1, "consumer": "event_route", "messages": 3, "limit": 1000, "bytes": 1200,
            "limit_bytes": 8_388_608, "oldest": 1, "received": 640, "delivered": 637, "merged": 0, "dropped": 0}])
        }
        "presence_b2b.destinations" => json!([
            {"address": "udp:192.0.2.7:5060", "state": "closed", "failures": 0, "held_for": 0, "sent": 4021, "held": 0},
            {"address": "tls:pbx.example.net", "state": "open", "failures": 5, "held_for": 12, "sent": 88, "held": 31}]),
        _ => json!([]),
    }
}

/// A model after two rounds.
fn model(settings: Settings) -> Model {
    let mut model = Model::new(settings, NOON);
    for round in 1..=2 {
        serve(&mut model, round);
    }
    model
}

fn serve(model: &mut Model, round: u64) {
    let now = NOON + Duration::from_secs(2 * round);
    while let Some(call) = model.next(now) {
        let answer = answer(&call, round);
        model.apply(&call, Ok(answer), Duration::from_millis(1), now);
    }
}

fn usual() -> Settings {
    Settings { interval: 2 * SECOND, filters: Vec::new(), rows: 60, write: false }
}

fn drawn(model: &Model, columns: u16, lines: u16, theme: Theme, now: Moment) -> Terminal<TestBackend> {
    let mut terminal = Terminal::new(TestBackend::new(columns, lines)).expect("a terminal");
    terminal.draw(|frame| draw(frame, model, theme, now)).expect("a picture");
    terminal
}

const PLAIN: Theme = Theme { colours: false, dimmed: false };

fn picture(model: &Model, columns: u16, lines: u16) -> String {
    let terminal = drawn(model, columns, lines, PLAIN, NOON + 4 * SECOND);
    let buffer = terminal.backend().buffer();
    let line = |y: u16| (0..columns).map(|x| buffer[(x, y)].symbol()).collect::<String>().trim_end().to_owned();
    (0..lines).map(line).collect::<Vec<_>>().join("\n").trim_end().to_owned() + "\n"
}

fn compare(name: &str, picture: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("snapshots").join(format!("{name}.txt"));
    if std::env::var_os("B2B_TOP_WRITE").is_some() {
        fs::write(&file, picture).expect("it can be written");
    }
    let wanted = fs::read_to_string(&file).unwrap_or_default();
    assert_eq!(wanted, picture, "{name}: the picture differs:\n{picture}");
}

fn press(model: &mut Model, keys: &[Key]) {
    for key in keys {
        model.key(*key, NOON + 4 * SECOND);
        serve(model, 2);
    }
}

#[test]
fn the_table() {
    for (name, columns, lines) in [
        ("table_80x24", 80, 24),
        ("table_140x20", 140, 20),
        ("table_40x16", 40, 16),
        ("table_50x16", 50, 16),
        ("table_20x12", 20, 12),
    ] {
        compare(name, &picture(&model(usual()), columns, lines));
    }
}

#[test]
fn the_ladder() {
    let mut model = model(usual());
    press(&mut model, &[Key::Enter]);
    for (name, columns, lines) in
        [("ladder_80x24", 80, 24), ("ladder_40x16", 40, 16), ("ladder_20x12", 20, 12), ("ladder_20x8", 20, 8)]
    {
        compare(name, &picture(&model, columns, lines));
    }
}

#[test]
fn the_other_views() {
    let mut model = model(Settings { write: true, ..usual() });
    press(&mut model, &[Key::Char('2')]);
    compare("destinations_80x24", &picture(&model, 80, 24));
    press(&mut model, &[Key::Char('3')]);
    compare("queues_80x24", &picture(&model, 80, 24));
    press(&mut model, &[Key::Char('?')]);
    compare("help_80x24", &picture(&model, 80, 24));
    press(&mut model, &[Key::Char('x'), Key::Char('1'), Key::Char('e')]);
    compare("question_80x24", &picture(&model, 80, 24));
    press(&mut model, &[Key::Char('n'), Key::Char('/'), Key::Char('a'), Key::Char('\u{1b}')]);
    assert!(picture(&model, 80, 24).contains("/a\\x1b_"));
}

/// Where the help is longer than the screen, arrows show the rest.
#[test]
fn the_whole_help_can_be_read() {
    for (columns, lines) in [(20, 8), (20, 10), (40, 10), (60, 12)] {
        let mut model = model(usual());
        press(&mut model, &[Key::Char('?')]);
        let mut seen = picture(&model, columns, lines);
        assert!(seen.contains("arrows"), "{seen}");
        for _ in 0..60 {
            press(&mut model, &[Key::Down]);
            seen += &picture(&model, columns, lines);
        }
        let words: String = seen.split_whitespace().collect::<Vec<_>>().join(" ");
        for part in ["suspends", "begun", "per second"] {
            assert!(words.contains(part), "{columns}x{lines}, {part}: {words}");
        }
        assert!(picture(&model, columns, lines).contains("known"), "the end stays");
        press(&mut model, &[Key::PageUp, Key::PageUp, Key::Escape]);
        assert_eq!(model.mode, crate::model::Mode::Table);
    }
}

#[test]
fn too_small_a_terminal_is_told_so() {
    let model = model(usual());
    assert_eq!(picture(&model, 19, 5), "Too small: 20\ncolumns and 8 lines\nare needed.\n");
    for (columns, lines) in [(1, 1), (3, 40), (200, 2), (20, 8)] {
        picture(&model, columns, lines);
    }
}

#[test]
fn the_last_picture_stays_dimmed() {
    let mut model = model(usual());
    let now = NOON + 6 * SECOND;
    let call = model.next(now).expect("a call");
    let gone = Failure::NobodyListens("/run/kamailio/kamailio_rpc.sock".into());
    model.apply(&call, Err(gone), SECOND, now);
    compare("away_80x24", &picture(&model, 80, 24));
    let theme = Theme { colours: true, dimmed: false };
    let terminal = drawn(&model, 80, 24, theme, now);
    let buffer = terminal.backend().buffer();
    let cell = |x: u16, y: u16| &buffer[(x, y)];
    assert!(cell(0, 0).modifier.contains(Modifier::DIM) && cell(3, 7).fg == Color::Reset, "all is of then");
    let is_red = |y: &u16| cell(0, *y).fg == Color::Red;
    assert_eq!((0..24).filter(is_red).count(), 3, "but for what is of now, and why");
}

#[test]
fn colours_are_off_unless_wanted() {
    let model = model(usual());
    let colours = |theme| {
        let terminal = drawn(&model, 80, 24, theme, NOON);
        terminal
            .backend()
            .buffer()
            .content()
            .iter()
            .filter(|cell| cell.fg != Color::Reset || cell.bg != Color::Reset)
            .count()
    };
    assert_eq!(colours(PLAIN), 0);
    assert!(colours(Theme { colours: true, ..PLAIN }) > 20);
}

/// The README shows what the program does.
#[test]
fn the_readme_has_the_picture() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for (page, name) in [("README.md", "table_80x24"), ("docs/b2b-top.md", "ladder_80x24")] {
        let [page, picture] = [page.to_owned(), format!("top/snapshots/{name}.txt")]
            .map(|file| fs::read_to_string(root.join(file)).expect("a file"));
        assert!(page.contains(&format!("```text\n{picture}```\n")), "{name} is not in the page");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn every_answer_can_be_drawn(answers in proptest::collection::vec(any_json(), 1..30), keys in "[/ajk123?\n]{0,8}",
        columns in 1_u16..120, lines in 1_u16..40) {
        let mut model = Model::new(usual(), NOON);
        let mut now = NOON;
        let mut keys = keys.chars();
        for answer in answers {
            now += SECOND;
            if let Some(call) = model.next(now) {
                model.apply(&call, Ok(answer), SECOND, now);
            }
            if let Some(key) = keys.next() {
                model.key(if key == '\n' { Key::Enter } else { Key::Char(key) }, now);
            }
            let terminal = drawn(&model, columns, lines, PLAIN, now);
            let symbols = terminal.backend().buffer().content().iter().map(|cell| cell.symbol());
            prop_assert!(symbols.flat_map(str::chars).all(|letter| !letter.is_control()));
        }
    }
}
