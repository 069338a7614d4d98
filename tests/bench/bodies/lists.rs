//! Lists of resources (RFC 4662): their bodies, and what an update costs whose list is long.

use std::hint::black_box;

use parking_lot::RawMutex;

use crate::document::{ContentType, ListUpdate};
use crate::heap::Heap;
use crate::memory::HashKey;
use crate::qsa::{Hub, Notifier, NotifierId, QueueId, Refused, SubscriptionId, Wake, Wanted};
use crate::rosters::{Expansion, Rosters};
use crate::samples::list;
use crate::subscription::Status;
use crate::{MOST, TIMES, count, others};

const KIND: &str = "multipart/related;type=\"application/rlmi+xml\";start=\"<l@example.com>\";boundary=b";

/// Resources of the bodies that are read.
const FEW: usize = 20;
/// Resources of the lists whose updates are told.
const LENGTHS: [usize; 2] = [100, 10_000];

/// Reads bodies, and tells updates.
pub fn run() {
    let [document, body] = list(1, true, 0..FEW);
    let read = |kind: &str, body: &str| {
        let kind = ContentType::parse(kind.as_bytes()).expect("a Content-Type");
        ListUpdate::read(&kind, black_box(body.as_bytes()), MOST).expect("a list")
    };
    count("RLMI", "parse", document.len(), TIMES, || read("application/rlmi+xml", &document));
    count("RLMI", "quick-xml", document.len(), TIMES, || others::quick_xml(&document));
    count("RLMI", "roxmltree", document.len(), TIMES, || others::roxmltree(&document));
    count("multipart with RLMI", "parse", body.len(), TIMES, || read(KIND, &body));
    LENGTHS.into_iter().for_each(told);
}

/// A list of so many resources that is told as a whole, and then updates of one of them. Each is read before its NOTIFY is answered, queued,
/// taken, and told resource by resource.
fn told(length: usize) {
    let mut consumer = Consumer::new();
    let [_, whole] = list(1, true, 0..length);
    let what = format!("list of {length}");
    let mut all = 0;
    count(&what, "whole", length, 1, || all = consumer.tell(&whole));
    assert_eq!(all, length);
    let mut version = 1;
    let updates: Vec<_> = (0..=TIMES)
        .map(|_| {
            version += 1;
            list(version, false, [version * 37 % length].into_iter())
        })
        .collect();
    let mut updates = updates.iter();
    count(&what, "update", 1, TIMES, || {
        let [_, body] = updates.next().expect("one for each");
        assert_eq!(consumer.tell(body), 1);
    });
}

/// A subscription to a list, and the consumer of its news.
struct Consumer {
    hub: Hub<Heap, RawMutex>,
    rosters: Rosters<Heap, RawMutex>,
    queue: QueueId,
    id: SubscriptionId,
}

fn accept(_: usize, _: NotifierId, _: SubscriptionId, _: &Wanted<'_>) -> Result<u64, Refused> {
    Ok(1)
}

impl Consumer {
    fn new() -> Consumer {
        let hub = Hub::try_new(Heap).expect("a hub");
        let domain = Hub::<Heap, RawMutex>::DEFAULT_DOMAIN;
        let notifier = Notifier { subscribe: accept, unsubscribe: |_, _, _| (), user: 0 };
        hub.register_notifier(domain, b"presence", notifier).expect("a notifier");
        let queue = hub.queue_create(100, Wake::nobody()).expect("a queue");
        let wanted = Wanted {
            package: b"presence",
            record: b"sip:list@example.com",
            subscriber: b"sip:watcher@example.com",
            first_param: b"list",
            options: None,
            queue,
            subscriber_data: 7,
            stored: None,
        };
        let id = hub.subscribe(domain, &wanted).expect("a subscription").id;
        Consumer { hub, rosters: Rosters::try_new(HashKey::new([1; 16]), Heap).expect("rosters"), queue, id }
    }

    /// Tells a body; how many messages it gave.
    fn tell(&mut self, body: &str) -> usize {
        let kind = ContentType::parse(KIND.as_bytes()).expect("a Content-Type");
        black_box(ListUpdate::read(&kind, body.as_bytes(), MOST).expect("a list").version());
        self.hub.notify(self.id, Status::Active, b"", KIND.as_bytes(), body.as_bytes()).expect("room in the queue");
        let message = self.hub.pop(self.queue).expect("a message");
        let Ok(mut list) = Expansion::open(message, &self.rosters, &self.hub) else {
            panic!("the message is that of a list")
        };
        std::iter::from_fn(|| list.next(&self.rosters, &self.hub)).map(black_box).count()
    }
}
