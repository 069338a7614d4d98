//! The id of a message whose subscription is still being made; texts of peers.

use parking_lot::RawMutex;

use super::current::{Current, Shown, id_of};
use crate::host::pv::PvIndex;
use crate::registry::{Handle, Inserted, Limits, Registry};
use crate::subscription::{Env, Options, Packages, Policy, SharedUris, Subscription, package};
use crate::testing::{Accounted, NO_CREDENTIALS};
use crate::time::Millis;

type Table = Registry<Subscription<Accounted>, u64, Accounted, RawMutex>;

const RECORD: &[u8] = b"sip:alice@192.0.2.1";
const SUBSCRIBER: &[u8] = b"sip:watcher@192.0.2.1";

/// A subscription of script or RPC to Alice's presence with these options.
fn insert(table: &Table, options: &str) -> Handle {
    let alloc = Accounted::new();
    let options = Options::parse(options.as_bytes()).expect("options");
    let names = SharedUris::try_new([RECORD, SUBSCRIBER, b"", b""], &alloc).expect("memory");
    let made = Subscription::try_named(names, package::PRESENCE.number, options.id.as_bytes(), alloc).expect("memory");
    let policy = Policy::FOR_TESTS;
    let env =
        Env { now: Millis(1), policy: &policy, packages: Packages::KNOWN, random: 0, credentials: &NO_CREDENTIALS };
    match table.insert(made, 0, true, &env).expect("room") {
        Inserted::New { handle, .. } => handle,
        Inserted::Existing(_) => panic!("it is there already"),
    }
}

/// Two subscriptions to the same, one with an event id, and messages that come before either has its value.
#[test]
fn each_is_found_by_its_own_name() {
    let limits = Limits { shards: 4, max_subscriptions: 100 };
    let table = Table::try_new_in(limits, 42.into(), Accounted::new()).expect("memory");
    let written = ["", "expires=60", "id=desk;expires=60", "id=hall"];
    let id = |value, options: &str| {
        id_of(Packages::KNOWN, value, [RECORD, SUBSCRIBER, b"presence", options.as_bytes()], |subject| {
            table.find(subject)
        })
    };
    for options in written {
        assert_eq!(id(0, options), 0, "{options}: there is none");
    }
    let with_desk = insert(&table, "id=desk;expires=60").id();
    assert_eq!(written.map(|options| id(0, options)), [0, 0, with_desk, 0]);
    let without = insert(&table, "").id();
    assert_eq!(written.map(|options| id(0, options)), [without, without, with_desk, 0]);
    assert_eq!(
        id_of(Packages::KNOWN, 0, [RECORD, SUBSCRIBER, b"dialog", b""], |subject| table.find(subject)),
        0,
        "another package"
    );
    assert_eq!(id_of(Packages::KNOWN, 0, [RECORD, SUBSCRIBER, b"nobody knows", b""], |_| panic!("no name")), 0);
}

#[test]
fn a_value_that_is_set_is_the_id() {
    assert_eq!(
        id_of(Packages::KNOWN, 77, [RECORD, SUBSCRIBER, b"presence", b"id=desk"], |_| panic!("it is known")),
        77
    );
}

/// A part of a list may have any Content-Type, and so has a body that is not checked.
#[test]
fn a_content_type_is_one_line() {
    let shown = |content_type: &[u8]| {
        let current = Current::unsolicited([RECORD, b"presence", content_type, b"x"]);
        match current.shown("content_type", PvIndex::Unnamed) {
            Shown::Text(text) => text.into_owned(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(shown(b"text/plain;\r\n a=\"b\""), b"text/plain;   a=\"b\"");
    assert_eq!(shown(b"a/b\rX-Evil: 1\0"), b"a/b X-Evil: 1 ");
}
