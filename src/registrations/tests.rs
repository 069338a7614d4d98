//! The table against a location service that does at random what the real one does.

use std::collections::BTreeMap;

use parking_lot::RawMutex;
use proptest::prelude::*;

use crate::memory::HashKey;
use crate::registrations::{Collected, ContactEvent, ContactFacts, Follower, RegistrationBinding, Registrations};
use crate::testing::Accounted;

type Table = Registrations<Accounted, RawMutex>;

const WORKERS: usize = 2;

fn table(account: &Accounted) -> Table {
    Table::try_new(HashKey::from(7), account.clone()).unwrap()
}

fn follower(subscription: u64) -> Follower {
    Follower { subscription, version: 0, is_new: true }
}

fn facts(id: &str) -> ContactFacts<'_> {
    ContactFacts { id: id.as_bytes(), uri: b"sip:a@192.0.2.1", call_id: b"c", cseq: 1 }
}

fn note(table: &Table, event: ContactEvent, id: &str) -> bool {
    table.note(b"alice", event, &facts(id)).is_some()
}

fn collect(table: &Table, contacts: &[&str]) -> Option<Collected> {
    let contacts: Vec<&[u8]> = contacts.iter().map(|id| id.as_bytes()).collect();
    table.collect(b"alice", &contacts)
}

/// All that is marked, by both workers.
fn marked(table: &Table) -> Vec<Vec<u8>> {
    let next = || (0..WORKERS).find_map(|worker| table.next_marked(worker, WORKERS));
    std::iter::from_fn(next).collect()
}

#[test]
fn nobody_hears_of_what_nobody_follows() {
    let account = Accounted::new();
    let table = table(&account);
    assert!(!note(&table, ContactEvent::Registered, "1"));
    table.follow(b"bob", 1).unwrap();
    assert!(!note(&table, ContactEvent::Registered, "1"));
    assert_eq!((marked(&table), table.count()), (vec![b"bob".to_vec()], 1));
    table.unfollow_anything(2);
    assert_eq!(table.count(), 1);
    table.unfollow_anything(1);
    assert_eq!((marked(&table), table.count()), (vec![], 0));
}

#[test]
fn events_of_a_contact_are_told_once_and_in_one() {
    let table = table(&Accounted::new());
    table.follow(b"alice", 1).unwrap();
    let first = collect(&table, &["1"]).unwrap();
    assert_eq!((first.followers, first.ended), (vec![follower(1)], vec![]));
    assert_eq!(collect(&table, &["1"]), None, "nothing has happened");

    note(&table, ContactEvent::Registered, "2");
    note(&table, ContactEvent::Refreshed, "2");
    note(&table, ContactEvent::Refreshed, "1");
    let both = collect(&table, &["1", "2"]).unwrap();
    assert_eq!(both.followers, [Follower { version: 1, is_new: false, ..follower(1) }]);
    let events = BTreeMap::from([(table.number_of(b"1"), "refreshed"), (table.number_of(b"2"), "registered")]);
    assert_eq!(both.events.iter().map(|(id, event)| (*id, event.name())).collect::<BTreeMap<_, _>>(), events);

    // Taken away, and then said to have expired, twice: as with write-back to a database.
    note(&table, ContactEvent::Unregistered, "1");
    note(&table, ContactEvent::Expired, "1");
    let gone = collect(&table, &["2"]).unwrap();
    let ended: Vec<_> = gone.ended.iter().map(|ended| (&ended.id[..], ended.event.name())).collect();
    assert_eq!(ended, [(&b"1"[..], "unregistered")]);
    note(&table, ContactEvent::Expired, "1");
    assert_eq!(collect(&table, &["2"]), None, "it is gone already");

    // The location service finds it again, before it has taken it out.
    note(&table, ContactEvent::Refreshed, "1");
    let back = collect(&table, &["1", "2"]).unwrap();
    assert_eq!(back.events, [(table.number_of(b"1"), ContactEvent::Registered)]);
}

#[test]
fn a_later_subscriber_is_told_alone() {
    let table = table(&Accounted::new());
    table.follow(b"alice", 1).unwrap();
    collect(&table, &["1"]).unwrap();
    table.follow(b"alice", 2).unwrap();
    assert_eq!(collect(&table, &["1"]).unwrap().followers, [follower(2)]);
    table.tell_again(b"alice", &follower(2));
    assert_eq!(collect(&table, &["1"]).unwrap().followers, [follower(2)], "there was no memory the first time");
    assert!(!table.mark_all().is_empty());
    assert_eq!(collect(&table, &["1"]).unwrap().followers.len(), 2, "the contacts may be others now");
}

#[test]
fn many_contacts_that_end_at_once_are_counted_where_there_is_no_room() {
    let table = table(&Accounted::new());
    table.follow(b"alice", 1).unwrap();
    let ids: Vec<String> = (0..100).map(|id| id.to_string()).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    collect(&table, &ids).unwrap();
    ids.iter().for_each(|id| {
        note(&table, ContactEvent::Unregistered, id);
    });
    let collected = collect(&table, &[]).unwrap();
    assert_eq!((collected.followers.len(), collected.ended.len(), collected.omitted), (1, 64, 36));
}

#[test]
fn what_is_bound_ends_with_the_last_contact() {
    let account = Accounted::new();
    let table = table(&account);
    let before = account.out();
    assert_eq!(table.bind(b"alice", 5), Ok(RegistrationBinding::Bound { others: 0 }));
    assert_eq!(table.bind(b"alice", 5), Ok(RegistrationBinding::Bound { others: 0 }));
    assert_eq!(table.bind(b"alice", 6), Ok(RegistrationBinding::Bound { others: 1 }));
    assert!(!note(&table, ContactEvent::Registered, "2") && !note(&table, ContactEvent::Refreshed, "1"));
    assert!(note(&table, ContactEvent::Unregistered, "1"));
    assert_eq!(marked(&table), [b"alice"]);
    assert!(collect(&table, &["2"]).unwrap().unbound.is_empty(), "there is another one");
    assert!(note(&table, ContactEvent::Expired, "2"));
    assert_eq!(collect(&table, &[]).unwrap().unbound, [5, 6]);
    assert_eq!(table.bind(b"alice", 5), Ok(RegistrationBinding::Ending), "who asks again gets a new one");
    table.unbind(b"alice", &[5, 6]);
    assert_eq!((table.bound_to(b"alice"), table.count(), account.out()), (vec![], 0, before));
}

#[test]
fn without_memory_nothing_is_left_behind() {
    let account = Accounted::new();
    let table = table(&account);
    let before = account.out();
    for allowed in 0..20 {
        account.allow(allowed);
        let followed = table.follow(b"alice", 1);
        let bound = table.bind(b"bob", 2);
        account.allow_all();
        match followed {
            Ok(_) => table.unfollow(b"alice", 1),
            Err(_) => assert_eq!(table.collect(b"alice", &[]), None),
        }
        if bound.is_ok() {
            table.unbind(b"bob", &[2]);
        }
        assert_eq!((table.count(), account.out()), (0, before), "{allowed} allocations");
    }
    // The state is sent even if an event finds no room.
    table.follow(b"alice", 1).unwrap();
    collect(&table, &["1"]).unwrap();
    account.allow(0);
    assert!(note(&table, ContactEvent::Unregistered, "1"));
    account.allow_all();
    let collected = collect(&table, &[]).unwrap();
    assert_eq!((collected.followers.len(), collected.omitted), (1, 1));
}

/// What the location service or a subscriber does next; numbers name one of few.
#[derive(Clone, Copy, Debug)]
enum Action {
    Register(u8, u8),
    Delete(u8, u8),
    Expire(u8, u8),
    Follow(u8),
    Unfollow(u8),
    Bind(u8),
    Work,
}

fn actions() -> impl Strategy<Value = Vec<Action>> {
    let (aor, contact) = (0..4u8, 0..3u8);
    let action = prop_oneof![
        4 => (aor.clone(), contact.clone()).prop_map(|(aor, contact)| Action::Register(aor, contact)),
        2 => (aor.clone(), contact.clone()).prop_map(|(aor, contact)| Action::Delete(aor, contact)),
        2 => (aor.clone(), contact).prop_map(|(aor, contact)| Action::Expire(aor, contact)),
        2 => aor.clone().prop_map(Action::Follow),
        1 => aor.clone().prop_map(Action::Unfollow),
        1 => aor.prop_map(Action::Bind),
        3 => Just(Action::Work),
    ];
    prop::collection::vec(action, 0..60)
}

/// A location service, and what followers believe of it.
#[derive(Default)]
struct World {
    /// Contacts by address; those that were taken away stay for a while.
    contacts: BTreeMap<u8, BTreeMap<u8, bool>>,
    /// Its address, version and contacts that it was told, by subscription.
    followers: BTreeMap<u64, (u8, Option<u32>, Vec<String>)>,
    /// Address by handle.
    bound: BTreeMap<u64, u8>,
    serial: u64,
}

impl World {
    fn valid(&self, aor: u8) -> Vec<String> {
        let all = self.contacts.get(&aor).into_iter().flatten();
        all.filter(|(_, valid)| **valid).map(|(id, _)| id.to_string()).collect()
    }

    fn act(&mut self, table: &Table, action: Action) {
        let name = |aor: u8| [b'a' + aor];
        let tell = |aor, event, contact: u8| table.note(&name(aor), event, &facts(&contact.to_string()));
        match action {
            Action::Register(aor, contact) => {
                let known = self.contacts.entry(aor).or_default().insert(contact, true);
                tell(aor, if known.is_some() { ContactEvent::Refreshed } else { ContactEvent::Registered }, contact);
            }
            // As with write-back: it stays until its time is said to be over.
            Action::Delete(aor, contact) => {
                if let Some(valid) = self.contacts.entry(aor).or_default().get_mut(&contact) {
                    tell(aor, ContactEvent::Unregistered, contact);
                    *valid = false;
                }
            }
            Action::Expire(aor, contact) => {
                if self.contacts.entry(aor).or_default().remove(&contact).is_some() {
                    tell(aor, ContactEvent::Expired, contact);
                    tell(aor, ContactEvent::Expired, contact);
                }
            }
            Action::Follow(aor) => {
                self.serial += 1;
                table.follow(&name(aor), self.serial).unwrap();
                self.followers.insert(self.serial, (aor, None, Vec::new()));
            }
            Action::Unfollow(aor) => {
                if let Some(id) = self.followers.iter().find(|(_, (of, ..))| *of == aor).map(|(id, _)| *id) {
                    table.unfollow(&name(aor), id);
                    self.followers.remove(&id);
                }
            }
            Action::Bind(aor) if !self.valid(aor).is_empty() => {
                self.serial += 1;
                table.bind(&name(aor), self.serial).unwrap();
                self.bound.insert(self.serial, aor);
            }
            Action::Bind(_) => {}
            Action::Work => marked(table).iter().for_each(|name| self.work(table, name[0] - b'a')),
        }
    }

    fn work(&mut self, table: &Table, aor: u8) {
        let valid = self.valid(aor);
        let ids: Vec<&[u8]> = valid.iter().map(String::as_bytes).collect();
        let Some(collected) = table.collect(&[b'a' + aor], &ids) else { return };
        for ended in &collected.ended {
            let id = String::from_utf8(ended.id.clone()).unwrap();
            assert!(!valid.contains(&id), "told as gone, and is there");
        }
        for told in collected.followers {
            let (_, version, contacts) = self.followers.get_mut(&told.subscription).unwrap();
            assert_eq!(told.version, version.map_or(0, |before| before + 1));
            (*version, *contacts) = (Some(told.version), valid.clone());
        }
        assert!(collected.unbound.is_empty() || valid.is_empty());
        table.unbind(&[b'a' + aor], &collected.unbound);
        collected.unbound.iter().for_each(|handle| {
            self.bound.remove(handle).expect("ended once");
        });
    }
}

proptest! {
    #[test]
    fn no_state_is_wrong_at_the_end(actions in actions()) {
        let account = Accounted::new();
        let table = table(&account);
        let before = account.out();
        let mut world = World::default();
        actions.into_iter().for_each(|action| world.act(&table, action));
        world.act(&table, Action::Work);
        for (aor, version, contacts) in world.followers.values() {
            prop_assert!(version.is_some());
            prop_assert_eq!(contacts, &world.valid(*aor));
        }
        for aor in world.bound.values() {
            prop_assert!(!world.valid(*aor).is_empty(), "bound to nothing");
        }
        for (id, (aor, ..)) in &world.followers {
            table.unfollow(&[b'a' + aor], *id);
        }
        for (handle, aor) in &world.bound {
            table.unbind(&[b'a' + aor], &[*handle]);
        }
        prop_assert_eq!((table.count(), account.out()), (0, before));
    }
}
