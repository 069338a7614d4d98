//! The C face as a C module sees it.

mod documents;
mod sizes;

use std::ffi::{CStr, c_int, c_void};
use std::mem::MaybeUninit;
use std::ptr::{null, null_mut};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use parking_lot::RawMutex;

use super::convert::bytes;
use super::table::LEAST;
use super::text::{Str, str_of};
use super::types::{CCounters, CMessage, CNotifierParams, CSubscribeParams, CSubscribed, Error};
use super::{Api, Hub, Rosters, Wiring, bind};
use crate::testing::Accounted;

type TestHub = Hub<Accounted, RawMutex>;

type TestRosters = Rosters<Accounted, RawMutex>;

static MEMORY: OnceLock<Accounted> = OnceLock::new();
static HUB: OnceLock<TestHub> = OnceLock::new();
static ROSTERS: OnceLock<TestRosters> = OnceLock::new();
static PANICS: parking_lot::Mutex<Vec<String>> = parking_lot::Mutex::new(Vec::new());
/// The tests share one hub.
static ONE_AT_A_TIME: parking_lot::Mutex<()> = parking_lot::Mutex::new(());

struct Wired;

impl Wiring for Wired {
    type Alloc = Accounted;
    type Lock = RawMutex;

    fn hub() -> Option<&'static TestHub> {
        Some(HUB.get_or_init(|| Hub::try_new(MEMORY.get_or_init(Accounted::new).clone()).unwrap()))
    }

    fn rosters() -> Option<&'static TestRosters> {
        Some(ROSTERS.get_or_init(|| Rosters::try_new(1.into(), MEMORY.get_or_init(Accounted::new).clone()).unwrap()))
    }

    fn panicked(function: &'static str, message: &str) {
        PANICS.lock().push(format!("{function}: {message}"));
    }
}

/// Before the hub is made.
struct Unwired;

impl Wiring for Unwired {
    type Alloc = Accounted;
    type Lock = RawMutex;

    fn hub() -> Option<&'static TestHub> {
        None
    }

    fn rosters() -> Option<&'static TestRosters> {
        None
    }

    fn panicked(_: &'static str, _: &str) {}
}

/// With a defect.
struct Broken;

impl Wiring for Broken {
    type Alloc = Accounted;
    type Lock = RawMutex;

    fn hub() -> Option<&'static TestHub> {
        panic!("a defect")
    }

    fn rosters() -> Option<&'static TestRosters> {
        None
    }

    fn panicked(function: &'static str, message: &str) {
        PANICS.lock().push(format!("{function}: {message}"));
    }
}

fn api<W: Wiring>() -> Api {
    let mut api = MaybeUninit::<Api>::zeroed();
    // SAFETY: the two members are plain numbers within the structure.
    unsafe {
        (&raw mut (*api.as_mut_ptr()).version).write(super::types::VERSION);
        (&raw mut (*api.as_mut_ptr()).size).write(size_of::<Api>() as u32);
    }
    // SAFETY: version and size are set, and all is filled when it succeeds.
    unsafe {
        assert_eq!(bind::<W>(api.as_mut_ptr()), 0);
        api.assume_init()
    }
}

fn text(text: Str) -> String {
    // SAFETY: only strs obtained from the API are read.
    String::from_utf8(unsafe { bytes(&text) }.unwrap().to_vec()).unwrap()
}

static TAKEN: AtomicUsize = AtomicUsize::new(0);
static ENDED: AtomicUsize = AtomicUsize::new(0);
static WOKEN: AtomicUsize = AtomicUsize::new(0);
static DESTROYED: AtomicUsize = AtomicUsize::new(0);

unsafe extern "C" fn take(subscribed: *const CSubscribed, value: *mut u64, user: *mut c_void) -> c_int {
    // SAFETY: the API's promise.
    let subscribed = unsafe { &*subscribed };
    if text(subscribed.record) == "refuse" {
        return -5;
    }
    assert_eq!((text(subscribed.subscriber).as_str(), user as usize), ("watcher", 77));
    for text in [subscribed.record, subscribed.subscriber, subscribed.package, subscribed.first_param] {
        // SAFETY: a copy, with a zero byte behind it; what Kamailio's setters do.
        unsafe {
            let behind = text.s.add(text.len as usize);
            assert_eq!(behind.read(), 0);
            behind.write(1);
        }
    }
    // SAFETY: the API's promise.
    unsafe { value.write(4711) };
    TAKEN.fetch_add(1, SeqCst);
    0
}

unsafe extern "C" fn end(subscription: u64, value: u64, user: *mut c_void) {
    assert_ne!(subscription, 0);
    ENDED.fetch_add(value as usize + user as usize, SeqCst);
}

unsafe extern "C" fn wake(user: *mut c_void) {
    WOKEN.fetch_add(user as usize, SeqCst);
}

unsafe extern "C" fn destroy(data: *mut c_void) {
    DESTROYED.fetch_add(data as usize, SeqCst);
}

const DOCUMENT: &[u8] = br#"<?xml version="1.0"?>
<presence xmlns="urn:ietf:params:xml:ns:pidf" xmlns:e="urn:e" entity="pres:a@example.org">
<tuple id="t1"><status><basic>open</basic><e:in>x</e:in></status><e:out/><contact priority="0.8">sip:a@h</contact>
<note xml:lang="en">here</note><note>da</note><timestamp>2026-01-01T00:00:00Z</timestamp></tuple>
<tuple id="t2"><status><basic>closed</basic></status></tuple><note>whole</note></presence>"#;

/// # Safety
/// The message is the caller's, and carries [`DOCUMENT`].
unsafe fn reads_the_document(api: &Api, message: *mut CMessage) {
    // SAFETY: as the caller promises; what the table hands out stays valid as long as the message.
    unsafe {
        let mut presentity = null();
        assert_eq!((api.message_presentity)(message, &mut presentity), 0);
        let (first, p) = (presentity, &*presentity);
        assert_eq!((text(p.entity).as_str(), p.tuples.number, p.notes.number), ("pres:a@example.org", 2, 1));
        let tuples = std::slice::from_raw_parts(p.tuples.items, 2);
        assert_eq!((text(tuples[0].id).as_str(), tuples[0].basic, tuples[0].has_contact), ("t1", 1, 1));
        assert_eq!((text(tuples[0].contact.uri).as_str(), tuples[0].contact.priority), ("sip:a@h", 800));
        assert_eq!(text(tuples[0].timestamp), "2026-01-01T00:00:00Z");
        let notes = std::slice::from_raw_parts(tuples[0].notes.items, 2);
        assert_eq!((text(notes[0].lang).as_str(), text(notes[0].text).as_str()), ("en", "here"));
        assert_eq!((text(notes[1].lang).as_str(), text(notes[1].text).as_str()), ("", "da"));
        assert_eq!((tuples[0].status_extensions.number, tuples[0].extensions.number), (1, 1));
        let inner = &*tuples[0].status_extensions.items;
        assert_eq!((text(inner.ns).as_str(), text(inner.name).as_str()), ("urn:e", "in"));
        assert!(text(inner.xml).contains(r#" xmlns:e="urn:e">x</e:in>"#));
        assert_eq!((tuples[1].basic, tuples[1].has_contact, tuples[1].contact.priority), (2, 0, -1));
        assert!(tuples[1].notes.items.is_null());
        assert_eq!((api.message_presentity)(message, &mut presentity), 0);
        assert_eq!(presentity, first);
    }
}

/// Data of a C module's own kind, which is given back once; the kind.
///
/// # Safety
/// The table is that of the hub with this subscription and queue.
unsafe fn carries_data(api: &Api, id: u64, queue: u64) -> u64 {
    // SAFETY: as the caller promises; data is a number that is never followed as a pointer.
    unsafe {
        let (mut kind, mut message, mut presentity) = (0, null_mut(), null());
        assert_eq!((api.register_content_type)(0, &str_of(b"c/pointer"), Some(destroy), &mut kind), 0);
        for data in [1000, 200] {
            assert_eq!((api.notify_subscriber_data)(id, 4, null(), kind, data as *mut c_void), 0);
        }
        assert_eq!(WOKEN.load(SeqCst), 6);
        assert_eq!((api.queue_pop)(queue, &mut message), 0);
        assert_eq!(((*message).data as usize, (*message).status, (*message).last), (1000, 4, 1));
        assert_eq!(text((*message).content_type), "c/pointer");
        assert_eq!((api.message_presentity)(message, &mut presentity), Error::Document as c_int);
        assert_eq!((api.message_take_data)(message) as usize, 1000);
        assert!((api.message_take_data)(message).is_null());
        (api.free_message)(message);
        assert_eq!(DESTROYED.load(SeqCst), 0);
        assert_eq!((api.queue_pop)(queue, &mut message), 0);
        (api.free_message)(message);
        assert_eq!(DESTROYED.load(SeqCst), 200);
        assert_eq!((api.queue_pop)(queue, &mut message), Error::Empty as c_int);
        kind
    }
}

/// # Safety
/// The table is that of the hub with this subscription; the structures are valid.
unsafe fn refuses_what_is_wrong(api: &Api, id: u64, mut new: CSubscribeParams, mut params: CNotifierParams) {
    // SAFETY: as the caller promises; what is wrong is caught before it is followed.
    unsafe {
        let mut none = 0;
        new.record = str_of(b"refuse");
        assert_eq!((api.subscribe)(&new, &mut none), Error::Refused as c_int);
        new.record = Str { s: null_mut(), len: 3 };
        assert_eq!((api.subscribe)(&new, &mut none), Error::Argument as c_int);
        new.record = Str { s: null_mut(), len: -1 };
        assert_eq!((api.subscribe)(&new, &mut none), Error::Argument as c_int);
        assert_eq!((api.subscribe)(null(), &mut none), Error::Argument as c_int);
        assert_eq!((api.notify_subscriber)(id, 9, null(), null(), null()), Error::Argument as c_int);
        params.subscribe = None;
        assert_eq!((api.register_notifier)(&params, &mut none), Error::Argument as c_int);
        assert_eq!(none, 0);
    }
}

#[test]
fn everything_a_module_does() {
    let _alone = ONE_AT_A_TIME.lock();
    let api = api::<Wired>();
    Wired::hub().unwrap();
    Wired::rosters().unwrap();
    let memory = MEMORY.get().unwrap();
    let before = memory.out();
    // SAFETY: every call is as the header says, but for what is checked to be caught.
    unsafe {
        let (mut queue, mut domain, mut notifier, mut id) = (0, 0, 0, 0);
        assert_eq!((api.default_domain)(&mut domain), 0);
        assert_eq!((api.queue_create)(10, Some(wake), 3 as *mut c_void, &mut queue), 0);
        let package = str_of(b"test-c");
        assert_eq!((api.has_notifier)(0, &package), 0);
        let params = CNotifierParams {
            size: size_of::<CNotifierParams>() as u32,
            domain: 0,
            package,
            subscribe: Some(take),
            unsubscribe: Some(end),
            user: 77 as *mut c_void,
        };
        assert_eq!((api.register_notifier)(&params, &mut notifier), 0);
        assert_eq!((api.has_notifier)(domain, &package), 1);
        let new = CSubscribeParams {
            size: size_of::<CSubscribeParams>() as u32,
            domain,
            package,
            record: str_of(b"record"),
            subscriber: str_of(b"watcher"),
            first_param: str_of(b""),
            queue,
            subscriber_data: 5 as *mut c_void,
        };
        assert_eq!((api.subscribe)(&new, &mut id), 0);
        assert_eq!(TAKEN.load(SeqCst), 1);

        let (reason, pidf) = (str_of(b"because"), str_of(b"application/pidf+xml;charset=\"utf-8\""));
        assert_eq!((api.notify_subscriber)(id, 1, &reason, &pidf, &str_of(DOCUMENT)), 0);
        assert_eq!((api.queue_is_empty)(queue), 0);
        let mut message: *mut CMessage = null_mut();
        assert_eq!((api.queue_pop)(queue, &mut message), 0);
        {
            let message = &*message;
            assert_eq!((message.subscription, message.subscriber_data as usize), (id, 5));
            assert_eq!((message.status, message.code, message.next_attempt, message.last), (1, 0, -1, 0));
            assert_eq!((text(message.reason).as_str(), text(message.body).as_bytes()), ("because", DOCUMENT));
            assert!(message.data.is_null());
        }
        reads_the_document(&api, message);
        (api.free_message)(message);

        let kind = carries_data(&api, id, queue);

        let mut room = [0u8; 6];
        let mut buf = Str { s: room.as_mut_ptr().cast(), len: 6 };
        assert_eq!((api.get_record)(id, &mut buf), 0);
        assert_eq!(text(buf), "record");
        assert_eq!((api.get_subscriber)(id, &mut buf), Error::Room as c_int);
        assert_eq!(buf.len, 7);
        let mut data = null_mut();
        assert_eq!((api.set_subscriber_data)(id, 6 as *mut c_void), 0);
        assert_eq!((api.get_subscriber_data)(id, &mut data), 0);
        assert_eq!(data as usize, 6);

        refuses_what_is_wrong(&api, id, new, params);

        assert_eq!((api.accept_subscription)(id), 0);
        assert_eq!((api.unsubscribe)(id), 0);
        assert_eq!(ENDED.load(SeqCst), 4711 + 77);
        buf.len = 6;
        assert_eq!((api.get_record)(id, &mut buf), 0);
        assert_eq!((api.release_subscription)(id), 0);
        assert_eq!((api.unsubscribe)(id), Error::Unknown as c_int);
        assert_eq!((api.notify_subscriber_data)(id, 1, null(), kind, 30 as *mut c_void), Error::Unknown as c_int);
        assert_eq!(DESTROYED.load(SeqCst), 230);

        let mut counters = MaybeUninit::<CCounters>::zeroed();
        assert_eq!((api.queue_counters)(queue, counters.as_mut_ptr()), Error::Version as c_int);
        let size = size_of::<CCounters>() as u32;
        (&raw mut (*counters.as_mut_ptr()).size).write(size);
        assert_eq!((api.queue_counters)(queue, counters.as_mut_ptr()), 0);
        let expected = CCounters { size, received: 3, delivered: 3, merged: 0, dropped: 0, queued: 0 };
        assert_eq!(counters.assume_init(), expected);
        assert_eq!((api.queue_destroy)(queue), 0);
        assert_eq!((api.queue_pop)(queue, &mut message), Error::Unknown as c_int);
        assert_eq!((api.unregister_notifier)(notifier), 0);
        assert_eq!((api.unregister_notifier)(notifier), Error::Unknown as c_int);
        (api.free_message)(null_mut());
    }
    // The content type stays as long as its domain.
    assert!(memory.out() - before < 400);
}

#[test]
fn without_a_hub_everything_says_so() {
    let api = api::<Unwired>();
    let mut id = 0;
    // SAFETY: as the header says.
    unsafe {
        assert_eq!((api.default_domain)(&mut id), Error::NotReady as c_int);
        assert_eq!((api.unsubscribe)(1), Error::NotReady as c_int);
        let text = CStr::from_ptr((api.error_text)(Error::NotReady as c_int));
        assert_eq!(text.to_str(), Ok("the module presence_b2b is not initialised"));
        assert_eq!(CStr::from_ptr((api.error_text)(-99)), c"unknown error");
    }
}

#[test]
fn a_defect_costs_one_call() {
    let _alone = ONE_AT_A_TIME.lock();
    let api = api::<Broken>();
    // SAFETY: as the header says.
    assert_eq!(unsafe { (api.unsubscribe)(1) }, Error::Internal as c_int);
    assert_eq!(*PANICS.lock(), ["unsubscribe: a defect"]);
}

#[test]
fn other_versions_are_refused() {
    let mut api = api::<Unwired>();
    // SAFETY: version and size are set.
    unsafe {
        api.version = 1;
        assert_eq!(bind::<Unwired>(&mut api), Error::Version as c_int);
        let size = size_of::<Api>() as u32;
        assert_eq!((api.version, api.size), (super::types::VERSION, size), "what there is");
        for other in [size + 8, LEAST as u32 - 8, 8] {
            api.size = other;
            assert_eq!(bind::<Unwired>(&mut api), Error::Version as c_int);
            assert_eq!((api.version, api.size), (super::types::VERSION, size));
        }
        assert_eq!(bind::<Unwired>(&mut api), 0);
        assert_eq!(bind::<Unwired>(null_mut()), Error::Argument as c_int);
    }
}
