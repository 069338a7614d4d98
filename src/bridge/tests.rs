//! Claims, what is due, takeovers, circles, races, want of memory.

use std::collections::HashMap;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use parking_lot::RawMutex;

use super::{Claim, NotClaimed, Outcome, Publications, PublishTask, PublishedDocument};
use crate::document::PublishedPackage;
use crate::memory::SharedTexts;
use crate::testing::Accounted;
use crate::time::Millis;

type Table = Publications<Accounted, RawMutex>;

const RENEWAL: Duration = Duration::from_secs(100);

fn table(account: &Accounted) -> Table {
    Publications::new(7.into(), account.clone())
}

fn claim<'a>(record: &'a str, target: &'a str) -> Claim<'a> {
    let (package, uri) = (PublishedPackage::Dialog, target.as_bytes());
    Claim { package, target: target.as_bytes(), uri, record: record.as_bytes() }
}

fn document(account: &Accounted, body: &str) -> PublishedDocument<Accounted> {
    SharedTexts::try_new([b"text/plain", body.as_bytes()], account).unwrap()
}

fn body(task: &PublishTask<Accounted>) -> String {
    task.document.as_ref().map_or("?".into(), |texts| String::from_utf8(texts.get(1).to_vec()).unwrap())
}

/// Publishes all that is due, as a worker does; the documents that the presence server gets.
fn tell(table: &Table, now: Millis) -> Vec<String> {
    let mut told = Vec::new();
    while let Some(task) = table.take_due(now) {
        let outcome = match (task.is_end, &task.document) {
            (true, _) => Outcome::Removed,
            (false, None) if !task.is_there => Outcome::Nothing,
            (false, _) => Outcome::Told(table.fingerprint(body(&task).as_bytes()), RENEWAL),
        };
        told.push(if task.is_end { "end".into() } else { body(&task) });
        table.done(&task, outcome, now);
    }
    told
}

#[test]
fn one_user_is_the_state_of_one_subscription() {
    let account = Accounted::new();
    let table = table(&account);
    let now = Millis(5);
    table.claim(1, &claim("a", "x"), now).unwrap();
    assert_eq!(table.claim(2, &claim("b", "x"), now), Err(NotClaimed::Taken));
    let other = Claim { package: PublishedPackage::Presence, ..claim("b", "x") };
    table.claim(3, &other, now).unwrap();
    assert_eq!((table.len(), table.uri_of(1), table.uri_of(2)), (2, Some(b"x".to_vec()), None));
    // Nothing has been published: nothing is to be taken back.
    assert!(!table.end(1, now) && !table.end(1, now) && !table.end(2, now));
    table.claim(2, &claim("b", "x"), now).unwrap();
    assert!(!table.end(2, now) && !table.end(3, now));
    assert_eq!((table.len(), account.out()), (0, 0));
}

#[test]
fn what_is_published_is_renewed_and_taken_back() {
    let account = Accounted::new();
    let table = table(&account);
    table.claim(1, &claim("a", "x"), Millis(0)).unwrap();
    assert_eq!((tell(&table, Millis(0)), table.next_due()), (vec![], None));
    table.note(1, Some(document(&account, "early")));
    let task = table.take(1).unwrap();
    assert!(table.take(1).is_none(), "one worker at a time");
    assert!(!table.done(&task, Outcome::Told(1, RENEWAL), Millis(0)));
    drop(task);
    assert_eq!(table.next_due(), Some(Millis(100_000)));
    assert!(table.take_due(Millis(99_999)).is_none());
    assert_eq!(tell(&table, Millis(100_000)), ["early"]);
    // What comes while a worker is busy is published right after.
    table.note(1, Some(document(&account, "confirmed")));
    let task = table.take(1).unwrap();
    table.note(1, None);
    assert!(table.take(1).is_none());
    assert!(table.done(&task, Outcome::Told(2, RENEWAL), Millis(100_001)));
    drop(task);
    assert_eq!(tell(&table, Millis(100_001)), ["?"]);
    // It is refused, and tried again later.
    table.note(1, Some(document(&account, "late")));
    let task = table.take(1).unwrap();
    assert!(!table.done(&task, Outcome::Failed(Duration::from_secs(10)), Millis(200_000)));
    drop(task);
    let task = table.take_due(Millis(210_000)).unwrap();
    assert_eq!((body(&task).as_str(), task.told, task.is_there), ("late", None, true));
    // It ends while a worker is busy with it.
    assert!(table.end(1, Millis(210_000)));
    assert!(table.done(&task, Outcome::Told(3, RENEWAL), Millis(210_000)));
    assert_eq!(tell(&table, Millis(210_000)), ["end"]);
    drop(task);
    assert_eq!((table.len(), account.out(), table.next_due()), (0, 0, None));
}

#[test]
fn an_ended_one_is_taken_over_with_what_is_there() {
    let account = Accounted::new();
    let table = table(&account);
    table.claim(1, &claim("a", "x"), Millis(0)).unwrap();
    table.note(1, Some(document(&account, "early")));
    let task = table.take(1).unwrap();
    table.done(&task, Outcome::Told(1, RENEWAL), Millis(0));
    assert!(table.end(1, Millis(0)));
    table.claim(2, &claim("b", "x"), Millis(0)).unwrap();
    assert_eq!(tell(&table, Millis(0)), ["?"], "nothing is known of the new one");
    // The same while a worker takes the old state back.
    assert!(table.end(2, Millis(0)));
    let task = table.take_due(Millis(0)).unwrap();
    assert!(task.is_end);
    table.claim(3, &claim("b", "x"), Millis(0)).unwrap();
    table.note(3, Some(document(&account, "new")));
    assert!(table.done(&task, Outcome::Removed, Millis(0)));
    assert_eq!(tell(&table, Millis(0)), ["new"]);
}

/// The server ends while a worker publishes: the others leave that state to it.
#[test]
fn at_the_end_each_worker_takes_back_what_it_is_busy_with() {
    let account = Accounted::new();
    let table = table(&account);
    for (id, name) in [(1, "x"), (2, "y"), (3, "z")] {
        table.claim(id, &claim("a", name), Millis(0)).unwrap();
    }
    table.note(1, Some(document(&account, "busy")));
    let busy = table.take(1).unwrap();
    table.note(2, Some(document(&account, "told")));
    let told = table.take(2).unwrap();
    table.done(&told, Outcome::Told(1, RENEWAL), Millis(0));
    // Another worker: of one nothing has been told.
    let other = table.take_any().unwrap();
    assert!(other.is_end && other.uri == b"y");
    table.done(&other, Outcome::Removed, Millis(0));
    assert!(table.take_any().is_none());
    assert_eq!(table.len(), 1);
    // The busy one.
    table.done(&busy, Outcome::Told(2, RENEWAL), Millis(0));
    let last = table.take_any().unwrap();
    assert!(last.is_end && last.uri == b"x");
    table.done(&last, Outcome::Removed, Millis(0));
    drop((busy, told, other, last));
    assert_eq!((table.len(), account.out()), (0, 0));
}

#[test]
fn no_state_comes_back_to_where_it_is_from() {
    let account = Accounted::new();
    let table = table(&account);
    let now = Millis(0);
    table.claim(1, &claim("a", "a"), now).unwrap();
    table.claim(2, &claim("a", "b"), now).unwrap();
    table.claim(3, &claim("b", "c"), now).unwrap();
    table.claim(4, &claim("c", "d"), now).unwrap();
    for (record, target) in [("d", "a"), ("b", "a"), ("c", "b")] {
        assert!(table.claim(9, &claim(record, target), now).is_err(), "{record} as {target}");
    }
    table.end(1, now);
    for record in ["b", "c", "d"] {
        assert_eq!(table.claim(9, &claim(record, "a"), now), Err(NotClaimed::Circle), "{record}");
    }
    // Nothing more is published of an ended subscription.
    table.end(3, now);
    table.claim(9, &claim("d", "a"), now).unwrap();
    assert_eq!(table.claim(3, &claim("b", "c"), now), Err(NotClaimed::Circle));
    table.claim(3, &claim("e", "c"), now).unwrap();
    // Too long to be followed.
    let names: Vec<_> = (0..40).map(|number| format!("n{number}")).collect();
    let made = names.windows(2).zip(100..).map(|(pair, id)| table.claim(id, &claim(&pair[0], &pair[1]), now));
    let made: Vec<_> = made.collect();
    assert_eq!(made.iter().position(Result::is_err), Some(32), "{made:?}");
}

#[test]
fn want_of_memory_changes_nothing() {
    for allowed in 0..40 {
        let account = Accounted::new();
        let table = table(&account);
        account.allow(allowed);
        let made = table.claim(1, &claim("a", "x"), Millis(0));
        account.allow(i64::MAX);
        match made {
            Err(error) => {
                assert_eq!((error, table.len(), account.out()), (NotClaimed::OutOfMemory, 0, 0), "{allowed}");
                table.claim(1, &claim("a", "x"), Millis(0)).unwrap();
            }
            Ok(()) => assert!(allowed > 5),
        }
        table.end(1, Millis(0));
        assert_eq!(account.out(), 0, "{allowed}");
    }
}

/// Workers tell, news come, subscriptions end: the presence server has what is true in the end.
#[test]
fn races_leave_the_newest_state() {
    const USERS: u64 = 8;
    const ROUNDS: u64 = 2000;
    let account = Accounted::new();
    let table = table(&account);
    let server: Mutex<HashMap<Vec<u8>, String>> = Mutex::default();
    let publish = |task: PublishTask<Accounted>| {
        let outcome = match (&task.document, task.is_end) {
            (_, true) => {
                server.lock().unwrap().remove(&task.uri);
                Outcome::Removed
            }
            (None, _) if !task.is_there => Outcome::Nothing,
            _ => {
                server.lock().unwrap().insert(task.uri.clone(), body(&task));
                Outcome::Told(1, RENEWAL)
            }
        };
        table.done(&task, outcome, Millis(1));
    };
    let ended = std::sync::atomic::AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !ended.load(std::sync::atomic::Ordering::SeqCst) {
                    if let Some(task) = table.take_due(Millis(1)) {
                        publish(task);
                    }
                }
            });
        }
        let writers: Vec<_> = (0..USERS)
            .map(|user| {
                let (table, account, publish) = (&table, &account, &publish);
                scope.spawn(move || {
                    let name = format!("u{user}");
                    for round in 0..ROUNDS {
                        let id = 1 + user + round / 10 * USERS;
                        if round % 10 == 0 {
                            table.claim(id, &claim("r", &name), Millis(1)).unwrap();
                        }
                        table.note(id, Some(document(account, &round.to_string())));
                        if let Some(task) = table.take(id) {
                            publish(task);
                        }
                        if round % 10 == 9 && round + 1 < ROUNDS {
                            table.end(id, Millis(1));
                        }
                    }
                })
            })
            .collect();
        writers.into_iter().for_each(|writer| writer.join().unwrap());
        ended.store(true, std::sync::atomic::Ordering::SeqCst);
    });
    while let Some(task) = table.take_due(Millis(1)) {
        publish(task);
    }
    let server = server.into_inner().unwrap();
    assert_eq!(server.len() as u64, USERS);
    assert!(server.values().all(|state| *state == (ROUNDS - 1).to_string()), "{server:?}");
    while let Some(task) = table.take_any() {
        table.done(&task, Outcome::Removed, Millis(1));
    }
    assert_eq!((table.len(), account.out()), (0, 0));
}
