//! The latest news: order, gaps, names, races, want of memory.

mod behind;
mod storm;

use std::thread;

use parking_lot::RawMutex;

use super::{KeptValue, Latest, LatestDocument, LatestUsage, Settled, Unsettled, field, pack_fields};
use crate::memory::{OutOfMemory, SharedTexts};
use crate::subscription::{News, Status};
use crate::testing::Accounted;
use crate::time::Millis;

type Table = Latest<Accounted, RawMutex>;

const SUBJECT: [&[u8]; 4] = [b"sip:a@x", b"sip:w@x", b"presence", b""];

fn table(account: &Accounted) -> Table {
    Latest::try_new(7.into(), account.clone()).unwrap()
}

fn document(account: &Accounted, body: &str, is_partial: bool) -> (LatestDocument<Accounted>, bool) {
    (SharedTexts::try_new([b"text/plain", body.as_bytes()], account).unwrap(), is_partial)
}

fn push(table: &Table, account: &Accounted, handle: u64, body: &str, is_partial: bool) {
    let news = News::new(Status::Active, crate::subscription::Brief::default());
    table.push(handle, &news, Some(document(account, body, is_partial)), Millis(1)).unwrap();
}

/// A full document replaces, a partial one is appended.
fn append(account: &Accounted, unsettled: &Unsettled<Accounted>) -> Result<Settled<Accounted>, OutOfMemory> {
    let mut all = unsettled.settled.as_ref().map(|settled| settled.texts.get(1).to_vec()).unwrap_or_default();
    let mut is_whole = unsettled.settled.as_ref().is_some_and(|settled| settled.is_whole) && !unsettled.has_gap;
    if unsettled.has_gap {
        all.push(b'?');
    }
    for (texts, is_partial) in &unsettled.documents {
        if !is_partial {
            all.clear();
            is_whole = true;
        }
        all.extend_from_slice(texts.get(1));
    }
    let fields = pack_fields([("all", KeptValue::Text(&all))]);
    let texts = SharedTexts::try_new([b"text/plain", &all], account)?;
    let fields = SharedTexts::try_new([&fields[..]], account)?;
    Ok(Settled { texts, fields, version: None, is_whole, is_merged: true })
}

fn settle(table: &Table, account: &Accounted, handle: u64) -> bool {
    table.settle(handle, |unsettled| append(account, unsettled)).unwrap()
}

fn body(table: &Table, handle: u64) -> String {
    let view = table.read(handle).unwrap();
    view.settled.map(|settled| String::from_utf8(settled.texts.get(1).to_vec()).unwrap()).unwrap_or_default()
}

#[test]
fn documents_are_settled_in_their_order() {
    let account = Accounted::new();
    let table = table(&account);
    push(&table, &account, 5, "a", false);
    assert!(!table.read(5).unwrap().is_known());
    push(&table, &account, 5, "b", true);
    settle(&table, &account, 5);
    push(&table, &account, 5, "c", true);
    settle(&table, &account, 5);
    settle(&table, &account, 5);
    assert_eq!(body(&table, 5), "abc");
    assert!(table.read(5).unwrap().is_known());
    push(&table, &account, 5, "d", false);
    settle(&table, &account, 5);
    assert_eq!(body(&table, 5), "d");
    assert!(table.read(6).is_none());
}

#[test]
fn what_waits_too_long_leaves_a_gap_once() {
    let account = Accounted::new();
    let table = table(&account);
    let news = News::new(Status::Active, crate::subscription::Brief::default());
    for number in 0..10 {
        let offered = document(&account, &number.to_string(), number != 0);
        let gone = table.push(5, &news, Some(offered), Millis(1)).unwrap();
        assert_eq!(gone.is_some(), number >= 8, "{number}");
    }
    settle(&table, &account, 5);
    assert_eq!(body(&table, 5), "?23456789");
    push(&table, &account, 5, "x", true);
    settle(&table, &account, 5);
    assert_eq!(body(&table, 5), "?23456789x");
}

#[test]
fn one_that_is_slower_begins_again_and_loses_nothing() {
    let account = Accounted::new();
    let table = table(&account);
    push(&table, &account, 5, "a", false);
    let mut is_first = true;
    table
        .settle(5, |unsettled| {
            if std::mem::take(&mut is_first) {
                push(&table, &account, 5, "b", true);
                settle(&table, &account, 5);
                push(&table, &account, 5, "c", true);
            }
            append(&account, unsettled)
        })
        .unwrap();
    assert_eq!(body(&table, 5), "abc");
}

#[test]
fn news_without_a_document_change_the_status_only() {
    let account = Accounted::new();
    let table = table(&account);
    push(&table, &account, 5, "a", false);
    settle(&table, &account, 5);
    let ended = News { code: 408, ..News::new(Status::Terminated, crate::subscription::Brief::new(b"no reply")) };
    table.push(5, &ended, None, Millis(9)).unwrap();
    let view = table.read(5).unwrap();
    assert_eq!(
        (view.status, view.code, view.reason.as_str(), view.updated),
        (Status::Terminated, 408, "no reply", Millis(9))
    );
    assert!(!view.is_known() && view.settled.is_none());
}

#[test]
fn an_end_overtakes_what_has_not_been_settled() {
    let account = Accounted::new();
    let table = table(&account);
    let push = |body, is_partial| push(&table, &account, 5, body, is_partial);
    let end = || {
        let ended = News::new(Status::Terminated, crate::subscription::Brief::default());
        table.push(5, &ended, None, Millis(9)).unwrap();
    };
    push("a", false);
    settle(&table, &account, 5);
    let kept = table.usage().bytes;
    push("b", true);
    end();
    push("c", true);
    push("d", true);
    assert!(!table.read(5).unwrap().is_known());
    assert!(settle(&table, &account, 5), "the whole state is asked for");
    assert_eq!(body(&table, 5), "cd");
    push("e", true);
    assert!(!settle(&table, &account, 5), "once");
    push("f", false);
    assert!(!settle(&table, &account, 5));
    assert_eq!(body(&table, 5), "f");
    assert_eq!(table.usage().bytes, kept);
    // An end while a state is made.
    push("g", true);
    let mut ends = true;
    table
        .settle(5, |unsettled| {
            if std::mem::take(&mut ends) {
                end();
            }
            append(&account, unsettled)
        })
        .unwrap();
    assert!(!table.read(5).unwrap().is_known());
    assert!(!settle(&table, &account, 5));
    table.remove(5);
    assert_eq!(table.usage(), LatestUsage::default());
}

#[test]
fn an_entry_is_found_by_its_name() {
    let account = Accounted::new();
    let table = table(&account);
    let find = |subscriber| table.find(b"sip:a@x", subscriber, b"presence", Some).map(|(_, view)| view.updated);
    push(&table, &account, 5, "a", false);
    assert_eq!(find(None), None);
    table.name(5, SUBJECT).unwrap();
    table.name(5, SUBJECT).unwrap();
    assert_eq!(find(None), Some(Millis(1)));
    assert_eq!(find(Some(b"sip:w@x")), Some(Millis(1)));
    assert_eq!(find(Some(b"sip:other@x")), None);
    assert!(table.find(b"sip:a@x", None, b"dialog", Some).is_none());
    // Another subscriber, told later, but of a state that is not known.
    let news = News::new(Status::Terminated, crate::subscription::Brief::default());
    table.push(6, &news, None, Millis(9)).unwrap();
    table.name(6, [SUBJECT[0], b"sip:v@x", SUBJECT[2], b""]).unwrap();
    settle(&table, &account, 5);
    assert_eq!(find(None), Some(Millis(1)));
    assert_eq!(find(Some(b"sip:v@x")), Some(Millis(9)));
    table.remove(5);
    assert_eq!(find(None), Some(Millis(9)));
    table.remove(6);
    table.remove(6);
    assert_eq!(find(None), None);
    assert_eq!(table.usage(), LatestUsage::default());
}

#[test]
fn nothing_is_left_and_each_refused_allocation_harms_nothing() {
    let account = Accounted::new();
    let table = table(&account);
    let before = account.out();
    for allowed in 0..20 {
        let texts = document(&account, "a", false);
        account.allow(allowed);
        let news = News::new(Status::Active, crate::subscription::Brief::default());
        let pushed = table.push(5, &news, Some(texts), Millis(1)).is_ok();
        let named = table.name(5, SUBJECT);
        let settled = table.settle(5, |unsettled| append(&account, unsettled));
        account.allow_all();
        assert_eq!(named.is_ok() && pushed, table.find(b"sip:a@x", None, b"presence", Some).is_some(), "{allowed}");
        assert_eq!(settled.is_ok() && pushed, table.read(5).is_some_and(|view| view.is_known()), "{allowed}");
        table.remove(5);
        assert_eq!(table.usage(), LatestUsage::default(), "{allowed}");
    }
    assert_eq!(account.out(), before, "no shard keeps its room");
    drop(table);
    assert_eq!(account.out(), 0);
}

#[test]
fn many_processes_settle_one_entry() {
    let account = Accounted::new();
    let table = table(&account);
    push(&table, &account, 5, "0", false);
    table.name(5, SUBJECT).unwrap();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..2000 {
                    push(&table, &account, 5, "x", true);
                    settle(&table, &account, 5);
                    assert!(table.find(b"sip:a@x", Some(b"sip:w@x"), b"presence", Some).is_some());
                }
            });
        }
    });
    settle(&table, &account, 5);
    let body = body(&table, 5);
    let (gaps, told) = (body.matches('?').count(), body.matches('x').count());
    assert!(told <= 8000 && (told == 8000 || gaps > 0), "{told} {gaps}");
    table.remove(5);
    assert_eq!(table.usage(), LatestUsage::default());
}

#[test]
fn fields_are_found_in_what_was_packed() {
    let packed = pack_fields([
        ("basic", KeptValue::Text(b"open")),
        ("note", KeptValue::Text(b"")),
        (&"x".repeat(300), KeptValue::Text(b"lost")),
        ("dialogs", KeptValue::Number(-7)),
        ("last", KeptValue::Text(&[7; 300])),
    ]);
    assert_eq!(field(&packed, "basic"), Some(KeptValue::Text(b"open")));
    assert_eq!(field(&packed, "note"), Some(KeptValue::Text(b"")));
    assert_eq!(field(&packed, "dialogs"), Some(KeptValue::Number(-7)));
    assert_eq!(field(&packed, "last"), Some(KeptValue::Text(&[7; 300])));
    assert_eq!(field(&packed, "x"), None);
    for cut in 0..packed.len() {
        let _ = field(&packed[..cut], "last");
    }
}
