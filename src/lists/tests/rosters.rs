//! Messages of lists, resource by resource.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use parking_lot::{Mutex, RawMutex};
use proptest::prelude::*;

use crate::lists::{Expansion, Rosters};
use crate::qsa::{Delivered, Hub, Notifier, NotifierId, QueueId, Refused, SubscriptionId, Wake, Wanted};
use crate::subscription::Status;
use crate::testing::{Accounted, cpu_time};

const KIND: &[u8] = b"multipart/related;boundary=b";

/// A hub with one subscription, and the rosters.
struct World {
    account: Accounted,
    hub: Hub<Accounted, RawMutex>,
    lists: Rosters<Accounted, RawMutex>,
    queue: QueueId,
    id: SubscriptionId,
}

fn accept(_: usize, _: NotifierId, _: SubscriptionId, _: &Wanted<'_>) -> Result<u64, Refused> {
    Ok(1)
}

impl World {
    fn with(options: &[u8]) -> Self {
        let account = Accounted::new();
        let hub = Hub::try_new(account.clone()).unwrap();
        let domain = Hub::<Accounted, RawMutex>::DEFAULT_DOMAIN;
        hub.register_notifier(domain, b"test", Notifier { subscribe: accept, unsubscribe: |_, _, _| (), user: 0 })
            .unwrap();
        let queue = hub.queue_create(100, Wake::nobody()).unwrap();
        let wanted = Wanted {
            package: b"test",
            record: b"sip:l@x",
            subscriber: b"sip:w@x",
            first_param: options,
            options: None,
            queue,
            subscriber_data: 7,
            stored: None,
        };
        let id = hub.subscribe(domain, &wanted).unwrap().id;
        let lists = Rosters::try_new(1.into(), account.clone()).unwrap();
        Self { account, hub, lists, queue, id }
    }

    fn new() -> Self {
        Self::with(b"list")
    }

    fn push(&self, status: Status, body: &str) {
        self.hub.notify(self.id, status, b"", KIND, body.as_bytes()).unwrap();
    }

    fn pop(&self) -> Result<Expansion<Accounted>, Box<Delivered<Accounted>>> {
        Expansion::open(self.hub.pop(self.queue).unwrap(), &self.lists, &self.hub)
    }

    /// Everything that an update tells: record, status, reason, body, list.
    fn told(&self, body: &str) -> Vec<String> {
        self.push(Status::Active, body);
        let mut list = self.pop().ok().expect("a list");
        std::iter::from_fn(|| list.next(&self.lists, &self.hub)).map(|told| shown(&told)).collect()
    }
}

/// As [`shown`]: the list is active, and nothing is said of a resource.
const ITSELF: &str = "  active  ";

fn shown(told: &Delivered<Accounted>) -> String {
    let listed = told.listed.clone().unwrap_or_default();
    let [kind, body] = told.content().map(|text| String::from_utf8_lossy(text).into_owned());
    let (status, reason) = (told.message.status().name(), told.message.reason());
    let kind = if kind.is_empty() { kind } else { format!("{kind}:") };
    format!("{} {} {status} {reason} {kind}{body}", listed.list, listed.record)
}

/// A document with resources, and a part for each that is active.
fn list(uri: &str, version: u32, is_full: bool, resources: &[(&str, &str)]) -> String {
    let mut document = format!("<list uri=\"{uri}\" version=\"{version}\" fullState=\"{is_full}\">");
    let mut parts = String::new();
    for (number, (uri, state)) in resources.iter().enumerate() {
        let _ = match *state {
            "none" => write!(document, "<resource uri=\"{uri}\"/>"),
            "terminated" | "pending" => {
                write!(
                    document,
                    "<resource uri=\"{uri}\"><instance id=\"i\" state=\"{state}\" reason=\"r\"/></resource>"
                )
            }
            _ => write!(
                document,
                "<resource uri=\"{uri}\"><name>N</name><instance id=\"i\" state=\"active\" cid=\"c{number}\"/></resource>"
            ),
        };
        let kind = if state.starts_with("--") { "multipart/related;boundary=c" } else { "text/plain" };
        let _ = write!(parts, "--b\r\nContent-Type: {kind}\r\nContent-ID: <c{number}>\r\n\r\n{state}\r\n");
    }
    format!("--b\r\nContent-Type: application/rlmi+xml\r\n\r\n{document}</list>\r\n{parts}--b--")
}

#[test]
fn one_message_for_each_resource() {
    let world = World::new();
    let body = list("sip:l@x", 0, true, &[("sip:a@x", "open"), ("sip:b@x", "pending"), ("sip:c@x", "none")]);
    assert_eq!(
        world.told(&body),
        ["sip:l@x sip:a@x active  text/plain:open", "sip:l@x sip:b@x pending r ", "sip:l@x sip:c@x pending  ",]
    );
    world.push(Status::Active, &body);
    let told = world.pop().ok().unwrap().next(&world.lists, &world.hub).unwrap();
    let listed = told.listed.as_deref().unwrap();
    assert_eq!((listed.name.as_deref(), listed.instance.as_deref()), (Some("N"), Some("i")));
    assert_eq!((told.subscriber_data, told.message.is_last()), (7, false));
}

#[test]
fn what_is_no_list_is_told_as_it_is() {
    let body = list("sip:l@x", 0, true, &[("sip:a@x", "open")]);
    for (options, kind, body) in
        [(&b""[..], KIND, &body[..]), (b"list", b"text/plain", &body), (b"list", KIND, "broken"), (b"list", KIND, "")]
    {
        let world = World::with(options);
        world.hub.notify(world.id, Status::Active, b"", kind, body.as_bytes()).unwrap();
        let message = world.pop().err().expect("no list");
        assert_eq!(message.content()[1], body.as_bytes());
        assert_eq!((message.listed, world.lists.resources()), (None, 0));
    }
}

#[test]
fn what_has_vanished_is_told() {
    let world = World::new();
    let all = [("sip:a@x", "open"), ("sip:b@x", "open"), ("sip:c@x", "terminated")];
    world.told(&list("sip:l@x", 0, true, &all));
    assert_eq!(world.lists.resources(), 2);
    // Changes say nothing of others.
    assert_eq!(world.told(&list("sip:l@x", 1, false, &[("sip:d@x", "open")])).len(), 1);
    // What has been told to have ended is not told to have vanished.
    let told = world.told(&list("sip:l@x", 2, true, &[("sip:b@x", "closed")]));
    let (first, others) = told.split_first().unwrap();
    assert_eq!(first, "sip:l@x sip:b@x active  text/plain:closed");
    let others: BTreeSet<_> = others.iter().map(String::as_str).collect();
    let gone = ["sip:l@x sip:a@x terminated noresource ", "sip:l@x sip:d@x terminated noresource "];
    assert_eq!(others, BTreeSet::from(gone));
    // What names no resource says that the list itself is active.
    let told = world.told(&list("sip:l@x", 3, true, &[]));
    assert_eq!(told, ["sip:l@x sip:b@x terminated noresource ", ITSELF]);
    assert_eq!(world.lists.resources(), 0);
}

/// The rest of the list is not looked at.
#[test]
fn an_update_takes_no_longer_in_a_long_list() {
    let [short, long] = [10, 20_000].map(|length| {
        let world = World::new();
        let uris: Vec<String> = (0..length).map(|number| format!("sip:r{number}@x")).collect();
        let all: Vec<_> = uris.iter().map(|uri| (uri.as_str(), "pending")).collect();
        assert_eq!(world.told(&list("sip:l@x", 0, true, &all)).len(), length);
        let begin = cpu_time();
        for version in 1..200 {
            let one = [(uris[version % 10].as_str(), "pending")];
            assert_eq!(world.told(&list("sip:l@x", version as u32, false, &one)).len(), 1);
        }
        cpu_time() - begin
    });
    assert!(long < short * 4, "{short:?} in a short list, {long:?} in a long one");
}

#[test]
fn lists_in_the_list_vanish_with_what_is_in_them() {
    let world = World::new();
    let inner = |version, resources: &[_]| list("sip:in@x", version, true, resources).replace("--b", "--c");
    let two = inner(0, &[("sip:a@x", "open"), ("sip:b@x", "open")]);
    let told = world.told(&list("sip:l@x", 0, true, &[("sip:in@x", &two), ("sip:c@x", "open")]));
    assert_eq!(told[0], "sip:in@x sip:a@x active  text/plain:open");
    assert_eq!((told.len(), world.lists.resources()), (3, 4));
    let one = inner(1, &[("sip:a@x", "open")]);
    let told = world.told(&list("sip:l@x", 1, false, &[("sip:in@x", &one)]));
    assert_eq!(told[1..], ["sip:in@x sip:b@x terminated noresource "]);
    let told = world.told(&list("sip:l@x", 2, true, &[("sip:c@x", "open")]));
    assert_eq!(told[1..], ["sip:in@x sip:a@x terminated noresource "]);
    // The same when the list in the list has ended.
    world.told(&list("sip:l@x", 3, true, &[("sip:in@x", &one)]));
    let told = world.told(&list("sip:l@x", 4, false, &[("sip:in@x", "terminated")]));
    assert_eq!(told, ["sip:l@x sip:in@x terminated r ", "sip:in@x sip:a@x terminated noresource "]);
}

/// How many resources found no room, as it was said.
static LOST: AtomicU64 = AtomicU64::new(0);

#[test]
fn what_is_not_remembered_is_counted_and_said() {
    let mut world = World::new();
    world.lists = world.lists.with_on_unremembered(|_, count| {
        LOST.fetch_add(count, Ordering::SeqCst);
    });
    let lost = |world: &World| (LOST.swap(0, Ordering::SeqCst), world.lists.unremembered());
    let (most, more) = (65_536, 10);
    let named = |from: usize, to: usize| {
        let all: String = (from..to).map(|each| format!("<resource uri=\"{each}\"/>")).collect();
        format!(
            "--b\r\nContent-Type: application/rlmi+xml\r\n\r\n<list uri=\"l\" fullState=\"true\">{all}</list>\r\n--b--"
        )
    };
    assert_eq!(world.told(&named(0, most)).len(), most);
    assert_eq!(lost(&world), (0, 0));
    // Those that have vanished make room, but not for what was told before.
    assert_eq!(world.told(&named(0, most + more).replace("true", "false")).len(), most + more);
    assert_eq!((world.lists.resources(), lost(&world)), (most as u64, (10, 10)));
    let told = world.told(&named(most, most + more));
    assert_eq!((told.len(), lost(&world)), (more + most, (10, 20)));
    assert_eq!(told[more], "l 0 terminated noresource ");
    assert_eq!(told.last().map(String::as_str), Some("l 65535 terminated noresource "));
    assert_eq!((world.told(&named(most, most + more)).len(), lost(&world)), (more, (0, 20)));
    assert_eq!(world.lists.resources(), 10);
    // The same for want of memory.
    world.push(Status::Active, &named(0, 3));
    let mut list = world.pop().ok().expect("a list");
    world.account.allow(0);
    let told = std::iter::from_fn(|| list.next(&world.lists, &world.hub)).count();
    world.account.allow_all();
    assert_eq!(told, 3 + more);
    assert_eq!(lost(&world), (3, 23));
}

/// The resources whose states are kept, by number.
static KEPT: Mutex<BTreeMap<u64, String>> = Mutex::new(BTreeMap::new());

fn kept() -> Vec<String> {
    let mut all: Vec<_> = KEPT.lock().values().cloned().collect();
    all.sort();
    all
}

#[test]
fn the_state_of_a_resource_goes_with_it() {
    let mut world = World::new();
    world.lists = world.lists.with_on_state(
        |_, number, told| {
            let record = told.listed.as_deref().map(|listed| listed.record.clone()).unwrap_or_default();
            KEPT.lock().insert(number, record);
            true
        },
        |number| {
            KEPT.lock().remove(&number);
        },
    );
    let inner = |resources: &[_]| list("sip:in@x", 0, true, resources).replace("--b", "--c");
    let two = inner(&[("sip:a@x", "open"), ("sip:b@x", "open")]);
    world.told(&list("sip:l@x", 0, true, &[("sip:in@x", &two), ("sip:c@x", "open"), ("sip:d@x", "terminated")]));
    assert_eq!(kept(), ["sip:a@x", "sip:b@x", "sip:c@x"]);
    world.told(&list("sip:l@x", 1, false, &[("sip:c@x", "terminated"), ("sip:e@x", "pending")]));
    assert_eq!(kept(), ["sip:a@x", "sip:b@x", "sip:e@x"]);
    world.told(&list("sip:l@x", 2, true, &[("sip:e@x", "open"), ("sip:f@x", "none")]));
    assert_eq!(kept(), ["sip:e@x", "sip:f@x"]);
    // Ended while a resource is told: another process would find it in the roster no longer.
    world.push(Status::Active, &list("sip:l@x", 3, true, &[("sip:e@x", "open"), ("sip:g@x", "open")]));
    let mut list = world.pop().ok().unwrap();
    list.next(&world.lists, &world.hub).unwrap();
    world.hub.unsubscribe(world.id).unwrap();
    world.lists.remove(world.id);
    assert!(kept().is_empty());
    assert!(list.next(&world.lists, &world.hub).is_none());
    assert!(kept().is_empty());
}

static GAPS: AtomicUsize = AtomicUsize::new(0);

#[test]
fn a_gap_is_told_once_until_the_whole_state_has_come() {
    let mut world = World::new();
    world.lists = world.lists.with_on_gap(|_| {
        GAPS.fetch_add(1, Ordering::SeqCst);
    });
    let gaps = |version, is_full| {
        world.told(&list("sip:l@x", version, is_full, &[("sip:a@x", "open")]));
        GAPS.swap(0, Ordering::SeqCst)
    };
    let course =
        [(0, true), (1, false), (2, false), (4, false), (7, false), (8, true), (9, false), (3, false), (4, true)];
    let told: Vec<_> = course.into_iter().map(|(version, is_full)| gaps(version, is_full)).collect();
    assert_eq!(told, [0, 0, 0, 1, 0, 0, 0, 1, 0]);
}

#[test]
fn nothing_is_told_or_remembered_behind_the_end() {
    let mut world = World::new();
    world.told(&list("sip:l@x", 0, true, &[("sip:a@x", "open"), ("sip:b@x", "open")]));
    // The last message of the subscription comes behind those of the resources, without a body, and no resource vanishes.
    world.push(Status::Terminated, &list("sip:l@x", 1, true, &[("sip:a@x", "closed")]));
    let mut last = world.pop().ok().unwrap();
    assert_eq!(shown(&last.next(&world.lists, &world.hub).unwrap()), "sip:l@x sip:a@x active  text/plain:closed");
    let message = last.next(&world.lists, &world.hub).unwrap();
    assert_eq!((message.listed.is_none(), message.message.is_last(), message.content()[1]), (true, true, &b""[..]));
    assert!(last.next(&world.lists, &world.hub).is_none());
    // Ended in the middle of a list.
    world.push(Status::Active, &list("sip:l@x", 2, true, &[("sip:a@x", "open"), ("sip:b@x", "open")]));
    let mut list = world.pop().ok().unwrap();
    list.next(&world.lists, &world.hub).unwrap();
    world.hub.unsubscribe(world.id).unwrap();
    assert!(list.next(&world.lists, &world.hub).is_none());
    assert_eq!(world.lists.resources(), 0);
    world.lists = Rosters::try_new(1.into(), world.account.clone()).unwrap();
}

#[test]
fn want_of_memory_takes_no_resource_away() {
    let world = World::new();
    let body = list("sip:l@x", 0, true, &[("sip:a@x", "open"), ("sip:b@x", "open")]);
    world.push(Status::Active, &body);
    let message = world.pop().ok().expect("a list");
    let mut list = message;
    world.account.allow(0);
    let told: Vec<_> = std::iter::from_fn(|| list.next(&world.lists, &world.hub)).map(|told| shown(&told)).collect();
    world.account.allow_all();
    assert_eq!(told.len(), 2);
    assert_eq!(world.told(&body).len(), 2);
}

proptest! {
    /// Whatever a notifier tells, what is known of the resources is what a simple model knows.
    #[test]
    fn each_resource_is_told_to_vanish_once(
        updates in proptest::collection::vec((any::<bool>(), proptest::collection::btree_map(0u8..6, 0u8..3, 0..5)), 1..8),
    ) {
        let world = World::new();
        let mut alive = BTreeSet::new();
        for (version, (is_full, named)) in (0u32..).zip(&updates) {
            let uris: BTreeMap<String, &str> = named
                .iter()
                .map(|(uri, state)| (format!("sip:{uri}@x"), ["open", "terminated", "none"][usize::from(*state)]))
                .collect();
            let rows: Vec<_> = uris.iter().map(|(uri, state)| (uri.as_str(), *state)).collect();
            let mut told = world.told(&list("sip:l@x", version, *is_full, &rows));
            if rows.is_empty() {
                let last = told.pop();
                prop_assert_eq!(last.as_deref(), Some(ITSELF));
            }
            let vanished: BTreeSet<_> =
                told.iter().skip(rows.len()).map(|line| line.split(' ').nth(1).unwrap().to_owned()).collect();
            let expected: BTreeSet<_> =
                alive.iter().filter(|uri| *is_full && !uris.contains_key(*uri)).cloned().collect();
            prop_assert_eq!(told.len(), rows.len() + expected.len());
            prop_assert_eq!(&vanished, &expected);
            alive.retain(|uri| !expected.contains(uri));
            for (uri, state) in &uris {
                if *state == "terminated" { alive.remove(uri); } else { alive.insert(uri.clone()); }
            }
            prop_assert_eq!(world.lists.resources(), alive.len() as u64);
        }
    }
}
