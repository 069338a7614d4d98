//! Marks and readings.

use parking_lot::RawMutex;

use super::{Count, CredentialStore, Provisioned, ReadingState, Round, TableReading, TablesRead};
use crate::memory::{HashKey, OutOfMemory};
use crate::qsa::SubscriptionId;
use crate::subscription::{Credential, Domains, KnownCredentials};
use crate::testing::Accounted;

fn id(number: u64) -> SubscriptionId {
    SubscriptionId::from_u64(number)
}

fn world() -> (Accounted, Provisioned<Accounted, RawMutex>) {
    let account = Accounted::new();
    (account.clone(), Provisioned::new(HashKey::from(1), account))
}

#[test]
fn what_a_reading_has_not_found_is_what_has_gone() {
    let (account, provisioned) = world();
    let [first, second] = [1, 2].map(Round);
    assert_eq!((provisioned.round_of(id(1)), provisioned.len()), (None, 0));
    (1..=100).for_each(|number| provisioned.mark(id(number), first).unwrap());
    assert!(provisioned.not_in(first).is_empty());
    (1..=97).for_each(|number| provisioned.mark(id(number), second).unwrap());
    provisioned.mark(id(101), second).unwrap();
    let mut gone = provisioned.not_in(second);
    gone.sort_unstable();
    assert_eq!((gone.as_slice(), provisioned.len()), (&[98, 99, 100].map(id)[..], 101));
    assert_eq!((provisioned.round_of(id(98)), provisioned.round_of(id(1))), (Some(first), Some(second)));
    gone.into_iter().for_each(|gone| provisioned.remove(gone));
    provisioned.remove(id(98));
    assert_eq!((provisioned.not_in(second).len(), provisioned.len()), (0, 98));
    (1..=101).for_each(|number| provisioned.remove(id(number)));
    assert_eq!((provisioned.len(), provisioned.bytes(), account.out()), (0, 0, 0), "all memory is given back");
}

#[test]
fn a_hundred_thousand_marks_take_twenty_bytes_each() {
    let (account, provisioned) = world();
    (1..=100_000).for_each(|number| provisioned.mark(id(number), Round(1)).unwrap());
    assert_eq!(provisioned.bytes(), account.out() as u64);
    assert!(account.out() / 100_000 <= 20, "{} bytes", account.out());
}

#[test]
fn without_memory_nothing_changes() {
    let (account, provisioned) = world();
    account.allow(0);
    assert_eq!((provisioned.mark(id(1), Round(1)), provisioned.len()), (Err(OutOfMemory), 0));
    account.allow_all();
    assert_eq!((provisioned.mark(id(1), Round(1)), provisioned.len()), (Ok(()), 1));
    account.allow(0);
    assert_eq!((provisioned.mark(id(1), Round(2)), provisioned.round_of(id(1))), (Ok(()), Some(Round(2))));
}

#[test]
fn one_reading_at_a_time() {
    let reading = TableReading::<RawMutex>::default();
    assert_eq!((reading.state(), reading.begin()), (ReadingState::Never, None));
    assert!(reading.ask(TablesRead::All, 1000) && !reading.ask(TablesRead::All, 1001));
    assert_eq!((reading.state(), reading.took(1010)), (ReadingState::Reading, 10));
    assert_eq!((reading.begin(), reading.begin()), (Some(Round(1)), None));
    assert!(!reading.ask(TablesRead::All, 1002));
    reading.count(Count::Added, 3);
    reading.end(Some("the database is away"), 1020);
    assert_eq!((reading.state(), reading.took(5000)), (ReadingState::Failed, 20));
    assert_eq!((reading.reason().as_str(), reading.counted(Count::Added)), ("the database is away", 3));
    assert!(reading.ask(TablesRead::All, 2000));
    assert_eq!((reading.counted(Count::Added), reading.begin()), (0, Some(Round(2))));
    reading.end(None, 2001);
    assert_eq!((reading.state(), reading.reason().as_str()), (ReadingState::Done, ""));
}

/// Many ask at once: one of them is to be told that it has asked first.
#[test]
fn of_many_that_ask_one_is_first() {
    let reading = TableReading::<RawMutex>::default();
    let first: usize = std::thread::scope(|scope| {
        let all: Vec<_> = (0..8).map(|_| scope.spawn(|| usize::from(reading.ask(TablesRead::All, 1)))).collect();
        all.into_iter().map(|one| one.join().unwrap()).sum()
    });
    assert_eq!(first, 1);
}

fn credentials(texts: &[&str]) -> Vec<Credential> {
    texts.iter().map(|text| Credential::parse(text.as_bytes()).unwrap()).collect()
}

#[test]
fn a_realm_has_its_own_credential_before_that_of_every_realm() {
    let account = Accounted::new();
    let domains = Domains::listed(vec![b"example.org".to_vec()], [].into_iter());
    let store = CredentialStore::<_, RawMutex>::new(vec![(Some(b"s".to_vec()), domains.clone())], account.clone());
    assert!(store.of_realm(b"r").is_none());
    let all = ["any:*:x", "zed:s:x", "own:r:swordfish", "second::x", "late:r:x", "less:R:x", "more:rr:x"];
    store.replace(credentials(&all).iter()).unwrap();
    for (realm, username) in
        [("r", "own"), ("s", "zed"), ("R", "less"), ("rr", "more"), ("other", "any"), ("", "any"), ("zzz", "any")]
    {
        assert_eq!(store.of_realm(realm.as_bytes()).unwrap().username, username.as_bytes(), "{realm}");
    }
    assert_eq!(store.of_realm(b"r"), Some(credentials(&["own:r:swordfish"])[0].clone()));
    assert_eq!(store.of_realm(b"s").unwrap().domains, domains);
    let hash = "u:h:HA1:0123456789abcdef0123456789abcdef";
    store.replace(credentials(&["own:r:x", hash]).iter()).unwrap();
    assert_eq!(store.of_realm(b"h"), Some(credentials(&[hash])[0].clone()));
    for other in ["", "q", "s", "rr"] {
        assert!(store.of_realm(other.as_bytes()).is_none(), "{other}");
    }
    store.replace([].into_iter()).unwrap();
    assert!(store.of_realm(b"r").is_none() && account.out() == 0);
}

/// What is replaced is overwritten, and without memory nothing changes.
#[test]
fn replaced_credentials_leave_no_secret() {
    let account = Accounted::new();
    account.look_for(b"swordfish");
    let store = CredentialStore::<_, RawMutex>::new(Vec::new(), account.clone());
    store.replace(credentials(&["u:r:swordfish"]).iter()).unwrap();
    for allowed in 0..4 {
        account.allow(allowed);
        assert_eq!(store.replace(credentials(&["u:r:swordfish2", "v:s:swordfish3"]).iter()), Err(OutOfMemory));
        assert_eq!(store.of_realm(b"r"), Some(credentials(&["u:r:swordfish"])[0].clone()));
        account.allow_all();
        if allowed == 2 {
            break;
        }
    }
    store.replace(credentials(&["u:r:x"]).iter()).unwrap();
    assert_eq!(format!("{store:?}"), "***");
    drop(store);
    assert!(!account.has_leaked() && account.out() == 0);
}
