//! A hub to try, and notifiers that remember.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use allocator_api2::alloc::Global;
use parking_lot::RawMutex;

use crate::memory::SharedAlloc;
use crate::qsa::queue::QueueOutcome;
use crate::qsa::{CachedSubscriberData, Hub, LastQueued, Message, Notifier, NotifierId, QsaError, QueueId, Refused};
use crate::qsa::{SubscriptionId, Wake, Wanted};
use crate::subscription::{Brief, News, Status};

pub type Plain = Hub<Global, RawMutex>;

pub fn hub() -> Plain {
    Hub::try_new(Global).unwrap()
}

/// Makes a subscription in the default domain.
pub fn ask<A: SharedAlloc>(hub: &Hub<A, RawMutex>, wanted: &Wanted<'_>) -> Result<SubscriptionId, QsaError> {
    hub.subscribe(Plain::DEFAULT_DOMAIN, wanted).map(|made| made.id)
}

/// A subscription to `record` in the package `test`.
pub fn new(record: &[u8], queue: QueueId) -> Wanted<'_> {
    Wanted {
        package: b"test",
        record,
        subscriber: b"sip:watcher@example.org",
        first_param: b"",
        options: None,
        queue,
        subscriber_data: 7,
        stored: None,
    }
}

/// What happened to a notifier; `user` is its address, leaked for the test.
#[derive(Default)]
pub struct Seen {
    pub taken: AtomicUsize,
    pub left: AtomicUsize,
    pub last_value: AtomicUsize,
    pub records: parking_lot::Mutex<Vec<Vec<u8>>>,
    pub refuse: AtomicBool,
}

/// Notifiers by number, as callbacks take numbers only.
static SEEN: parking_lot::Mutex<Vec<&'static Seen>> = parking_lot::Mutex::new(Vec::new());

pub fn seen(user: usize) -> &'static Seen {
    SEEN.lock()[user]
}

/// A notifier that takes everything up with the value `100 + count` unless it is to refuse.
pub fn notifier() -> (Notifier, &'static Seen) {
    let mut all = SEEN.lock();
    let it: &'static Seen = Box::leak(Box::default());
    all.push(it);
    (Notifier { subscribe, unsubscribe, user: all.len() - 1 }, it)
}

fn subscribe(user: usize, _: NotifierId, _: SubscriptionId, wanted: &Wanted<'_>) -> Result<u64, Refused> {
    let seen = seen(user);
    if seen.refuse.load(Ordering::SeqCst) {
        return Err(Refused::new("not today"));
    }
    seen.records.lock().push(wanted.record.to_vec());
    Ok(100 + seen.taken.fetch_add(1, Ordering::SeqCst) as u64)
}

fn unsubscribe(user: usize, _: SubscriptionId, value: u64) {
    let seen = seen(user);
    seen.left.fetch_add(1, Ordering::SeqCst);
    seen.last_value.store(value as usize, Ordering::SeqCst);
}

pub fn queue<A: SharedAlloc>(hub: &Hub<A, RawMutex>, limit: u32) -> QueueId {
    hub.queue_create(limit, Wake::nobody()).unwrap()
}

pub fn say<A: SharedAlloc>(hub: &Hub<A, RawMutex>, id: SubscriptionId, body: &[u8]) {
    hub.notify(id, Status::Active, b"", b"text/plain", body).unwrap();
}

/// Queues a message as a notifier does that knows the subscriber's value: body, fork, whether it is the last.
pub fn push_known(
    hub: &Plain,
    queue: QueueId,
    last: &mut LastQueued,
    id: SubscriptionId,
    value: usize,
    (body, fork, is_last): (&[u8], u8, bool),
) -> QueueOutcome {
    let news = News { with_body: !body.is_empty(), last: is_last, fork, ..News::new(Status::Active, Brief::default()) };
    let content_type: &[u8] = if body.is_empty() { b"" } else { b"text/plain" };
    let prepared = Message::prepare(content_type, body, hub.allocator()).unwrap();
    let pushed = hub.push(queue, last, prepared.complete(id, CachedSubscriberData::of(value), &news));
    let outcome = pushed.outcome;
    pushed.finish();
    outcome
}
