//! Many processes push, settle, read and end a few entries at once, at times without memory.

use std::sync::Mutex;
use std::thread;

use super::{SUBJECT, Table, append, settle, table};
use crate::latest::LatestUsage;
use crate::memory::SharedTexts;
use crate::subscription::{Brief, News, Status};
use crate::testing::Accounted;
use crate::time::Millis;

const PROCESSES: u64 = 8;
const ENTRIES: usize = 3;
const STEPS: u32 = 1_500;

/// One subscription, as the lock of its registry shard guards it.
struct Subscription {
    /// Slot and generation.
    handle: u64,
    /// The number of its newest document.
    newest: u32,
    /// All documents that count.
    counts: String,
    /// One of them found no room.
    has_lost: bool,
}

fn news(status: Status) -> News {
    News::new(status, Brief::default())
}

impl Subscription {
    fn of(slot: usize) -> Self {
        Self { handle: 1 << 32 | slot as u64, newest: 0, counts: String::new(), has_lost: false }
    }

    /// A NOTIFY: with a document, which may be the end of the state before.
    fn is_told(&mut self, table: &Table, account: &Accounted, is_partial: bool, has_memory: bool) {
        self.newest += 1;
        let text = format!("{}{},", if is_partial { 'p' } else { 'f' }, self.newest);
        // Another process may be out of memory just then.
        let texts = loop {
            account.allow_all();
            if let Ok(texts) = SharedTexts::try_new([b"text/plain", text.as_bytes()], account) {
                break (texts, is_partial);
            }
        };
        if !has_memory {
            account.allow(0);
        }
        if !is_partial {
            (self.counts, self.has_lost) = (String::new(), false);
        }
        let pushed = table.push(self.handle, &news(Status::Active), Some(texts), Millis(u64::from(self.newest)));
        self.has_lost |= pushed.is_err();
        self.counts.push_str(&text);
    }

    fn ends(&mut self, table: &Table) {
        (self.counts, self.has_lost) = (String::new(), false);
        drop(table.push(self.handle, &news(Status::Terminated), None, Millis(0)));
    }
}

/// The numbers of the documents in a state follow each other, but where there is a gap; the last one.
fn newest_of(body: &str) -> u32 {
    let mut newest = None;
    for part in body.trim_end_matches(',').split(',') {
        let (has_gap, part) = part.strip_prefix('?').map_or((false, part), |part| (true, part));
        let number: u32 = part[1..].parse().unwrap_or_else(|_| panic!("{body}"));
        assert!(newest.is_none_or(|before| before + 1 == number || has_gap && number > before), "{body}");
        newest = Some(number);
    }
    newest.expect(body)
}

fn body_of(table: &Table, handle: u64) -> Option<String> {
    let settled = table.read(handle)?.settled?;
    Some(String::from_utf8(settled.texts.get(1).to_vec()).expect("text"))
}

/// One process; `dice` is its own fixed sequence.
fn process(table: &Table, account: &Accounted, all: &[Mutex<Subscription>], mut dice: u64) {
    let mut seen = [(0, 0); ENTRIES];
    for _ in 0..STEPS {
        dice ^= dice << 13;
        dice ^= dice >> 7;
        dice ^= dice << 17;
        let slot = dice as usize % ENTRIES;
        let has_memory = !(dice >> 8).is_multiple_of(16);
        let mut subscription = all[slot].lock().expect("a lock");
        let handle = subscription.handle;
        match (dice >> 16) % 32 {
            0 => {
                // It goes, and another one has its slot.
                *subscription = Subscription { handle: handle + (1 << 32), ..Subscription::of(slot) };
                drop(subscription);
                table.remove(handle);
                continue;
            }
            1 => subscription.ends(table),
            2..12 => drop(subscription),
            kind => subscription.is_told(table, account, kind < 26, has_memory),
        }
        let _ = table.name(handle, SUBJECT);
        let _ = table.settle(handle, |unsettled| append(account, unsettled));
        if let Some(body) = body_of(table, handle) {
            let newest = newest_of(&body);
            assert!((handle, newest) >= seen[slot] || handle < seen[slot].0, "{newest} after {:?}", seen[slot]);
            seen[slot] = seen[slot].max((handle, newest));
        }
        let _ = table.find(SUBJECT[0], None, SUBJECT[2], Some);
    }
}

#[test]
fn no_document_is_lost_or_comes_back() {
    let account = Accounted::new();
    let table = table(&account);
    let before = account.out();
    let all: Vec<_> = (0..ENTRIES).map(|slot| Mutex::new(Subscription::of(slot))).collect();
    thread::scope(|scope| {
        for number in 1..=PROCESSES {
            let (table, account, all) = (&table, &account, &all);
            scope.spawn(move || process(table, account, all, 0x9E37_79B9_7F4A_7C15_u64.wrapping_mul(number)));
        }
    });
    account.allow_all();
    for subscription in &all {
        let Subscription { handle, counts, has_lost, .. } = &*subscription.lock().expect("a lock");
        settle(&table, &account, *handle);
        let body = body_of(&table, *handle).unwrap_or_default();
        assert!(
            body == *counts || *has_lost || body.contains('?') && counts.ends_with(body.rsplit('?').next().unwrap()),
            "{body} is not {counts}"
        );
        table.remove(*handle);
    }
    assert_eq!((table.usage(), account.out()), (LatestUsage::default(), before));
}
