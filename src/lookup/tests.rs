//! The line, with a clock of its own.

use std::collections::BTreeSet;

use super::*;
use crate::testing::Accounted;

type Line = Lookups<Accounted, parking_lot::RawMutex>;

const NOW: Millis = Millis(1_000_000);

const LONGEST: Duration = Duration::from_secs(60);
const SWIFT: Duration = Duration::from_millis(20);
const LATE: Duration = Duration::from_secs(1);
const LONG: Duration = Duration::from_secs(2);

fn line() -> Line {
    Lookups::try_new_in(LONGEST, 7.into(), Accounted::new()).expect("memory")
}

fn ask(line: &Line, name: &str, who: u64) -> LookupAnswer {
    ask_of(line, name, name, who)
}

fn ask_of(line: &Line, name: &str, notifier: &str, who: u64) -> LookupAnswer {
    line.ask(&LookupRequest { name: name.as_bytes(), notifier: notifier.as_bytes(), who }, NOW)
}

/// One that has been looked up, so quickly or not.
fn known(line: &Line, name: &str, outcome: LookupOutcome, took: Duration) {
    ask(line, name, u64::MAX);
    let task = line.take(1, NOW).expect("nothing else waits");
    line.done(1, task, outcome, took, NOW);
}

fn who(task: Option<Task>) -> Option<u64> {
    task.map(|task| task.who)
}

#[test]
fn a_request_waits_once_and_is_taken_once() {
    let line = line();
    assert_eq!(ask(&line, "a.test", 1), LookupAnswer::Waits { is_slow: false, wakes: true });
    assert_eq!(ask(&line, "a.test", 1), LookupAnswer::Waits { is_slow: false, wakes: false });
    assert_eq!(line.waiting(), 1);
    let task = line.take(0, NOW).expect("it waits");
    assert_eq!((task.who, line.waiting()), (1, 0));
    assert!(line.take(1, NOW).is_none());
    line.done(0, task, LookupOutcome::Left, SWIFT, NOW);
    assert!(line.take(0, NOW).is_none());
}

#[test]
fn a_name_holds_one_resolver_and_then_goes_to_the_end() {
    let line = line();
    for who in 1..=3 {
        ask(&line, "a.one", who);
    }
    ask(&line, "b.two", 4);
    let first = line.take(0, NOW).expect("it waits");
    assert_eq!(first.who, 1);
    assert_eq!(who(line.take(1, NOW)), Some(4), "a.one has its resolver");
    assert!(line.take(2, NOW).is_none());
    ask(&line, "c.three", 5);
    line.done(0, first, LookupOutcome::Nothing, SWIFT, NOW);
    assert_eq!(who(line.take(0, NOW)), Some(5), "it has had its turn");
    assert_eq!(who(line.take(2, NOW)), Some(2));
}

#[test]
fn the_quick_go_before_the_new_and_those_before_the_slow() {
    let line = line();
    known(&line, "slow.one", LookupOutcome::Left, LATE);
    known(&line, "quick.two", LookupOutcome::Left, SWIFT);
    assert_eq!(ask(&line, "slow.one", 1), LookupAnswer::Waits { is_slow: true, wakes: true });
    ask(&line, "new.three", 2);
    ask(&line, "quick.two", 3);
    let order: Vec<_> = (1..4).map(|resolver| who(line.take(resolver, NOW))).collect();
    assert_eq!(order, [Some(3), Some(2), Some(1)]);
}

#[test]
fn the_first_resolver_is_kept_from_the_slow() {
    let line = line();
    for name in 0..200 {
        known(&line, &format!("bad.zone{name}"), LookupOutcome::Left, LATE);
    }
    for name in 0..200 {
        ask(&line, &format!("bad.zone{name}"), name);
    }
    assert!(line.take(0, NOW).is_none());
    assert!(line.take(1, NOW).is_some());
    ask(&line, "good.test", 1000);
    assert_eq!(who(line.take(0, NOW)), Some(1000));
}

#[test]
fn a_zone_and_a_notifier_hold_one_resolver_unless_they_are_quick() {
    let line = line();
    ask_of(&line, "a.dead.test", "one", 1);
    ask_of(&line, "b.dead.test", "two", 2);
    ask_of(&line, "c.other.example", "one", 3);
    ask_of(&line, "d.free.example.org", "four", 4);
    assert_eq!(who(line.take(1, NOW)), Some(1));
    assert_eq!(who(line.take(2, NOW)), Some(4), "neither the zone nor the notifier of the first");
    assert!(line.take(3, NOW).is_none());
    let quick = self::line();
    known(&quick, "a.test", LookupOutcome::Left, SWIFT);
    known(&quick, "x.a.test", LookupOutcome::Left, SWIFT);
    ask_of(&quick, "a.test", "one", 1);
    ask_of(&quick, "x.a.test", "one", 2);
    assert!(quick.take(1, NOW).is_some() && quick.take(2, NOW).is_some());
}

#[test]
fn what_takes_too_long_pauses_longer_each_time() {
    for outcome in [LookupOutcome::Failed, LookupOutcome::Left] {
        let line = line();
        let mut now = NOW;
        for (pause, bound) in [(2, 2), (4, 4), (8, 8), (16, 8), (32, 8), (60, 8), (60, 8)] {
            line.ask(&LookupRequest { name: b"dead.test", notifier: b"n", who: 1 }, now);
            let task = line.take(1, now).expect("its pause is over");
            assert_eq!(task.bound, Duration::from_secs(bound));
            line.done(1, task, outcome, LONG, now);
            line.ask(&LookupRequest { name: b"dead.test", notifier: b"n", who: 2 }, now);
            now = now.after(Duration::from_secs(pause));
            assert!(line.take(1, Millis(now.0 - 1)).is_none(), "it pauses");
            let other = line.take(1, now).expect("its pause is over");
            line.done(1, other, LookupOutcome::Nothing, SWIFT, now);
        }
        line.ask(&LookupRequest { name: b"dead.test", notifier: b"n", who: 1 }, now);
        let task = line.take(1, now).expect("again");
        line.done(1, task, LookupOutcome::Left, SWIFT, now);
        let mut shown = Vec::new();
        line.page(0, 10, now, |name| shown.push(name));
        let [only] = &shown[..] else { panic!("{shown:?}") };
        assert_eq!((only.class, only.held_for, only.failed, only.lookups), (Class::Quick, 0, 7, 8));
    }
}

/// A lookup that fails at once does not delay others.
#[test]
fn a_quick_failure_needs_no_pause() {
    let line = line();
    known(&line, "gone.test", LookupOutcome::Failed, SWIFT);
    assert_eq!(ask(&line, "gone.test", 1), LookupAnswer::Waits { is_slow: false, wakes: true });
    assert!(line.take(0, NOW).is_some());
}

#[test]
fn a_task_that_was_lost_holds_its_name_no_longer() {
    let line = line();
    ask(&line, "a.test", 1);
    ask(&line, "a.test", 2);
    assert_eq!(who(line.take(1, NOW)), Some(1));
    assert_eq!(who(line.take(1, Millis(NOW.0 + 1))), Some(2), "the resolver has panicked and begins again");
}

#[test]
fn the_line_is_bounded() {
    let line = line();
    for who in 0..MOST_WAITING as u64 {
        ask(&line, "a.test", who);
    }
    assert_eq!(ask(&line, "b.test", u64::MAX), LookupAnswer::Full { say: Some(1) });
    assert_eq!(ask(&line, "b.test", u64::MAX), LookupAnswer::Full { say: None }, "said once a minute");
    let later = line.ask(&LookupRequest { name: b"b.test", notifier: b"", who: u64::MAX }, NOW.after(SAID_EVERY));
    assert_eq!(later, LookupAnswer::Full { say: Some(3) });
    assert_eq!(line.waiting(), MOST_WAITING);
    let mut seen = BTreeSet::new();
    while let Some(task) = line.take(1, NOW) {
        assert!(seen.insert(task.who));
        line.done(1, task, LookupOutcome::Left, SWIFT, NOW);
    }
    assert_eq!((seen.len(), line.waiting()), (MOST_WAITING, 0));
    assert_eq!(ask(&line, "b.test", 1), LookupAnswer::Waits { is_slow: false, wakes: true });
}

/// Idle names make room; where none is, the others share an entry.
#[test]
fn more_names_than_there_is_room_for() {
    let line = line();
    for name in 0..MOST_NAMES as u64 + 10 {
        assert!(matches!(ask(&line, &format!("n{name}.zone{name}"), name), LookupAnswer::Waits { .. }));
    }
    let mut shown = Vec::new();
    line.page(0, usize::MAX, NOW, |name| shown.push(name));
    assert_eq!(shown.len(), MOST_NAMES);
    assert_eq!((shown[0].name.as_str(), shown[0].waiting, shown[0].class), ("*", 11, Class::Slow));
    let mut taken = 0;
    while let Some(task) = line.take(1, NOW) {
        line.done(1, task, LookupOutcome::Left, SWIFT, NOW);
        taken += 1;
    }
    assert_eq!(taken, MOST_NAMES + 10);
    assert_eq!(
        ask(&line, "fresh.test", 1),
        LookupAnswer::Waits { is_slow: false, wakes: true },
        "an idle one makes room"
    );
}

#[test]
fn without_memory_the_line_is_full_and_nothing_is_lost() {
    for allowed in 0..12 {
        let memory = Accounted::new();
        memory.allow(allowed);
        let Ok(line) = Line::try_new_in(LONGEST, 7.into(), memory) else { continue };
        let waits = (0..20).filter(|who| matches!(ask(&line, "a.test", *who), LookupAnswer::Waits { .. })).count();
        assert_eq!(line.waiting(), waits);
        let mut taken = 0;
        while let Some(task) = line.take(1, NOW) {
            line.done(1, task, LookupOutcome::Left, SWIFT, NOW);
            taken += 1;
        }
        assert_eq!(taken, waits);
    }
}

#[test]
fn zones() {
    for (name, zone) in [
        ("a.b.example.com", "example.com"),
        ("example.com", "example.com"),
        ("host", "host"),
        ("192.0.2.1", "192.0.2.1"),
        ("[2001:db8::1]", "[2001:db8::1]"),
        ("", ""),
        ("a.b.", "b."),
    ] {
        assert_eq!(zone_of(name.as_bytes()), zone.as_bytes(), "{name}");
    }
}
