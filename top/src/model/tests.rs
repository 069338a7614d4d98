//! The model, fed with answers of servers as they are, older ones, and such as no server gives.

mod actions;
mod missing;

use proptest::prelude::*;
use serde_json::json;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn settings() -> Settings {
    Settings { interval: 2 * SECOND, filters: Vec::new(), rows: 40, write: false }
}

pub fn row(id: u64, user: &str, retries: u64) -> Value {
    let (state, status) = if retries > 0 { ("waiting", "terminated") } else { ("confirmed", "active") };
    let (reply, reason) = if retries > 0 { (503, "Service Unavailable") } else { (200, "OK") };
    json!({"id": id, "record": format!("sip:{user}@example.com"), "subscriber": "sip:watcher@example.org",
        "package": "presence", "state": state, "status": status, "next_action_in": 42, "expires_in": 3000,
        "retries": retries, "last_reply": reply, "last_reason": reason})
}

/// A server in a few lines. `lacks` are commands that it does not have.
struct Fake {
    rows: Vec<Value>,
    lacks: Vec<&'static str>,
    calls: Vec<Call>,
    uptime: u64,
    /// Whether it says which commands it has.
    lists: bool,
}

impl Fake {
    fn new(rows: Vec<Value>) -> Self {
        Self { rows, lacks: Vec::new(), calls: Vec::new(), uptime: 100, lists: true }
    }

    fn answer(&mut self, call: &Call) -> Result<Value, Failure> {
        self.calls.push(call.clone());
        if self.lacks.contains(&call.method) {
            return Err(Failure::Missing(call.method.into()));
        }
        let id = call.params.get(0).and_then(Value::as_u64);
        let by_id = || self.rows.iter().find(|row| row["id"].as_u64() == id).cloned();
        let gone = Failure::Fault(404, "there is no subscription".into());
        Ok(match call.method {
            "system.listMethods" if self.lists => {
                let has = |command: &&str| !self.lacks.contains(command);
                call::COMMANDS.into_iter().filter(has).chain(["core.echo"]).collect()
            }
            "presence_b2b.version" => json!({"version": "0.1.0", "built_for": "kamailio 5.6.3"}),
            "core.version" => json!("kamailio 5.6.3 (x86_64/linux)"),
            "core.uptime" => json!({"uptime": self.uptime}),
            "stats.fetch" => json!({"presence_b2b.received": self.calls.len().to_string()}),
            "presence_b2b.count" => self.count(),
            "presence_b2b.trace" => json!({"subscriptions": self.rows.len(), "received": 7}),
            "presence_b2b.find" => self.find(call),
            "presence_b2b.list" => self.list(call),
            "presence_b2b.show" => by_id().ok_or(gone)?,
            "presence_b2b.history" => json!({"events": [
                {"at": "2026-11-27T21:45:14.123Z", "direction": "out", "event": "SUBSCRIBE", "code": 0, "expires": 600},
                {"at": "2026-11-27T21:45:14.223Z", "direction": "in", "event": "reply", "code": 503, "reason": "Busy"}]}),
            _ => json!([]),
        })
    }

    fn failing(&self) -> usize {
        self.rows.iter().filter(|row| row["retries"] != 0).count()
    }

    fn count(&self) -> Value {
        json!({"total": self.rows.len(), "failing": self.failing(), "states": {"confirmed": 1}, "packages": {}})
    }

    /// Two rows are looked at in each call.
    fn find(&self, call: &Call) -> Value {
        let params = call.params.as_array().expect("an array").iter().map(|text| text.as_str().expect("a text"));
        let filters: Vec<(&str, &str)> = params.map(|text| text.split_once('=').expect("a filter")).collect();
        let from =
            filters.iter().find(|(name, _)| *name == "from").expect("from").1.parse::<usize>().expect("a number");
        let fits = |row: &&Value| {
            filters.iter().all(|(name, value)| match *name {
                "failing" => row["retries"] != 0,
                "record" | "subscriber" => row[*name].as_str().expect("a text").contains(value.trim_matches('*')),
                _ => true,
            })
        };
        let rows: Vec<_> = self.rows.iter().skip(from).take(2).filter(fits).collect();
        let next = if from + 2 < self.rows.len() { from + 2 } else { 0 };
        json!({"rows": rows, "looked_at": 2, "next": next})
    }

    fn list(&self, call: &Call) -> Value {
        let offset = call.params[0].as_u64().expect("a number") as usize;
        let is_waiting = call.params[2] == "state=waiting";
        let fits = |row: &&Value| !is_waiting || row["state"] == "waiting";
        self.rows.iter().filter(fits).skip(offset).take(3).cloned().collect()
    }

    /// Answers all calls until there is none; how many there were.
    fn serve(&mut self, model: &mut Model, now: Moment) -> usize {
        let mut count = 0;
        while let Some(call) = model.next(now) {
            let answer = self.answer(&call);
            model.apply(&call, answer, Duration::from_millis(1), now);
            count += 1;
            assert!(count < 500, "it never ends: {call:?}");
        }
        count
    }
}

fn ids(model: &Model) -> Vec<u64> {
    model.table.shown.iter().map(|row| row.id).collect()
}

fn press(model: &mut Model, keys: &str, now: Moment) {
    for key in keys.chars() {
        let key = if key == '\n' { Key::Enter } else { Key::Char(key) };
        assert_eq!(model.key(key, now), Step::Go);
    }
}

fn five() -> Vec<Value> {
    vec![row(1, "alice", 0), row(2, "bob", 0), row(3, "carol", 2), row(4, "dave", 0), row(5, "erin", 1)]
}

#[test]
fn the_failing_come_first_and_each_once() {
    let (mut model, mut fake) = (Model::new(settings(), SECOND), Fake::new(five()));
    fake.serve(&mut model, 2 * SECOND);
    assert_eq!(ids(&model), [3, 5, 1, 2, 4]);
    assert!(model.is_complete());
    assert_eq!((model.server.module.as_str(), model.server.name.as_str()), ("0.1.0", "kamailio 5.6.3"));
    assert_eq!(model.count.as_ref().map(|count| (count.total, count.failing)), Some((5, Some(2))));
    let why = model.table.selected().expect("a row").why(5 * SECOND);
    assert_eq!(why, "503 Service Unavailable (2 failures in a row); next attempt in 39s");
}

#[test]
fn a_round_has_few_calls_and_nothing_comes_between() {
    let (mut model, mut fake) = (Model::new(settings(), SECOND), Fake::new(five()));
    fake.serve(&mut model, 2 * SECOND);
    assert_eq!(fake.serve(&mut model, 3 * SECOND), 0);
    assert_eq!(model.next_at(), 4 * SECOND);
    for round in 2..20 {
        let calls = fake.serve(&mut model, 2 * round * SECOND);
        assert!((3..=9).contains(&calls), "{calls} in round {round}");
    }
    // A hundred rows that fail not: 40 of them are shown, and no call looks for failing ones.
    let mut fake = Fake::new((1..=100).map(|id| row(id, "x", 0)).collect());
    fake.serve(&mut model, 100 * SECOND);
    let begin = fake.calls.len();
    fake.serve(&mut model, 200 * SECOND);
    let lists = fake.calls.iter().skip(begin).filter(|call| call.method == "presence_b2b.find").count();
    assert!(lists <= 10, "{lists} parts of a list in a round, each of a millisecond: 0.5 % of 2 s");
}

#[test]
fn rates_are_differences() {
    let mut model = Model::new(settings(), SECOND);
    model.counters.take(&json!({"presence_b2b.received": "100", "subscribes_new": 1}), 10 * SECOND);
    assert_eq!(model.counters.rate(counters::MESSAGES), None);
    model
        .counters
        .take(&json!({"presence_b2b.received": "150", "subscribes_new": 5, "subscribes_end": 1}), 12 * SECOND);
    assert_eq!(model.counters.rate(counters::MESSAGES), Some(25.0));
    assert_eq!(model.counters.rate(counters::SUBSCRIBES), Some(2.5));
    assert_eq!(model.counters.rate(&["other"]), None);
    model.counters.take(&json!({"presence_b2b.received": "3"}), 14 * SECOND);
    assert_eq!(model.counters.rate(counters::MESSAGES), None, "the server has started again");
}

#[test]
fn a_search_finds_parts_whole_uris_and_ids() {
    let (mut model, mut fake) = (Model::new(settings(), SECOND), Fake::new(five()));
    fake.serve(&mut model, 2 * SECOND);
    press(&mut model, "/aro", 2 * SECOND);
    assert_eq!(fake.serve(&mut model, 2 * SECOND), 0, "more letters may come");
    fake.serve(&mut model, 2 * SECOND + TYPED);
    assert_eq!(ids(&model), [3]);
    press(&mut model, "\n", 3 * SECOND);
    fake.serve(&mut model, 3 * SECOND);
    let detail = model.detail.as_ref().expect("two keys and the letters");
    let History::Events(events) = &detail.history else { panic!("{detail:?}") };
    assert_eq!((events[0].what.as_str(), events[1].what.as_str()), ("SUBSCRIBE", "503 Busy"));
    assert_eq!((events[0].at.as_str(), events[1].direction), ("21:45:14.123", Direction::In));

    model.key(Key::Escape, 4 * SECOND);
    model.key(Key::Escape, 4 * SECOND);
    fake.serve(&mut model, 5 * SECOND);
    assert_eq!(ids(&model).len(), 5, "the search is over");
    press(&mut model, "/4", 6 * SECOND);
    fake.serve(&mut model, 7 * SECOND);
    assert_eq!(ids(&model), [4]);
    press(&mut model, "x", 8 * SECOND);
    fake.serve(&mut model, 9 * SECOND);
    assert_eq!(ids(&model), [0_u64; 0]);
    model.key(Key::Enter, 9 * SECOND);
    assert!(model.detail.is_none());
}

const TYPED: Duration = Duration::from_millis(200);

#[test]
fn pages_follow_each_other() {
    let mut model = Model::new(Settings { rows: 4, ..settings() }, SECOND);
    let mut fake = Fake::new((1..=10).map(|id| row(id, "x", 0)).collect());
    fake.serve(&mut model, 2 * SECOND);
    let first = ids(&model);
    assert_eq!(first, [1, 2, 3, 4]);
    press(&mut model, "Gj", 3 * SECOND);
    fake.serve(&mut model, 3 * SECOND);
    assert_eq!((ids(&model), model.table.page()), (vec![5, 6, 7, 8], (2, true)));
    press(&mut model, "k", 4 * SECOND);
    fake.serve(&mut model, 4 * SECOND);
    assert_eq!(ids(&model), first);
}

#[test]
fn a_server_goes_away_and_returns() {
    let (mut model, mut fake) = (Model::new(settings(), SECOND), Fake::new(five()));
    fake.serve(&mut model, 2 * SECOND);
    let call = model.next(4 * SECOND).expect("a call");
    model.apply(&call, Err(Failure::NobodyListens("x".into())), SECOND, 5 * SECOND);
    assert_eq!(model.link, Link::Away(2 * SECOND, Failure::NobodyListens("x".into())));
    assert_eq!(model.next(5 * SECOND), None);
    let call = model.next(6 * SECOND).expect("it is tried again");
    model.apply(&call, Err(Failure::NoSocket("x".into())), SECOND, 7 * SECOND);
    assert_eq!(model.link, Link::Away(2 * SECOND, Failure::NoSocket("x".into())), "since then, and why now");
    assert_eq!(ids(&model).len(), 5, "the last picture stays");
    fake.rows.truncate(1);
    fake.serve(&mut model, 9 * SECOND);
    assert_eq!((model.link.clone(), ids(&model)), (Link::Good, vec![1]));
}

#[test]
fn a_telephone_number_is_no_id() {
    let (mut model, mut fake) = (Model::new(settings(), SECOND), Fake::new(five()));
    fake.serve(&mut model, 2 * SECOND);
    for number in ["/4930123456789", "/+4"] {
        press(&mut model, number, 3 * SECOND);
        fake.serve(&mut model, 4 * SECOND);
        model.key(Key::Escape, 4 * SECOND);
    }
    assert!(fake.calls.iter().all(|call| call.method != "presence_b2b.show"), "{:?}", fake.calls);
}

/// Any JSON, with the names that the model looks for in it more often than chance would have them.
pub fn any_json() -> impl Strategy<Value = Value> {
    let name = prop_oneof![
        Just("rows"),
        Just("next"),
        Just("id"),
        Just("state"),
        Just("record"),
        Just("retries"),
        Just("events"),
        Just("next_action_in"),
        Just("total"),
        Just("states"),
        Just("uptime"),
        Just("version"),
        Just("direction"),
        Just("at"),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        "[\\x00-\\xff]{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 6, move |inner| {
        let names = prop_oneof![name.clone().prop_map(str::to_owned), any::<String>()];
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            proptest::collection::hash_map(names, inner, 0..6)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn no_answer_breaks_the_model(answers in proptest::collection::vec(any_json(), 1..40), keys in "[/ajkGrey0-9?\n]{0,12}") {
        let mut model = Model::new(settings(), SECOND);
        let mut now = SECOND;
        let mut keys = keys.chars();
        for answer in answers {
            now += Duration::from_millis(700);
            if let Some(call) = model.next(now) {
                model.apply(&call, Ok(answer), Duration::from_millis(1), now);
            }
            if let Some(key) = keys.next() {
                model.key(if key == '\n' { Key::Enter } else { Key::Char(key) }, now);
            }
            for row in &model.table.shown {
                prop_assert!(!row.why(now).chars().any(char::is_control));
            }
        }
    }
}
