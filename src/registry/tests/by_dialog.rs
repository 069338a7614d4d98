//! Finding a subscription by the dialog of a NOTIFY.

use std::cell::Cell;

use proptest::prelude::*;

use super::life::{Told, arrived, dialog, notify, notify_from};
use super::{ENV, Handle, NOW, Table, due, insert, insert_due, step, table};
use crate::registry::call_id::number_in;
use crate::registry::layout::Layout;
use crate::registry::{Arrived, Life, RANDOM_LEN};
use crate::subscription::{Input, Notify};
use crate::testing::etag;

proptest! {
    #[test]
    fn a_call_id_leads_to_its_shard(random in any::<[u8; RANDOM_LEN]>(), bits in 0u32..=8, number in any::<usize>(), slot: u32, seed: u64) {
        let shards = 1 << bits;
        let layout = Layout::new(shards, seed.into()).unwrap();
        let slot = slot % u32::try_from(layout.most_slots()).unwrap();
        let ids = layout.fresh(number, slot, random);
        prop_assert_eq!(layout.of_call_id(&ids.call_id).shard, number % shards);
        prop_assert_eq!(layout.slot_of_call_id(&ids.call_id), Some((number % shards, slot)));
        prop_assert!(ids.call_id.iter().chain(&ids.local_tag).all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'v')));
        // The rest is the random bytes.
        let (number, rest) = random.split_at(5);
        let number = number.iter().fold(0u32, |sum, byte| sum << 5 | u32::from(byte % 32));
        prop_assert_eq!(number_in(&ids.call_id).unwrap() >> 22, number >> 22);
        let (digits, bytes) = rest.split_at(23);
        let digits: Vec<u8> = digits.iter().map(|byte| b"0123456789abcdefghijklmnopqrstuv"[usize::from(byte % 32)]).collect();
        prop_assert_eq!([&ids.call_id[5..], &ids.local_tag].concat(), digits);
        let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        prop_assert_eq!(&ids.cnonce[..], text.as_bytes());
    }

    #[test]
    fn any_call_id_leads_somewhere(call_id: Vec<u8>, bits in 0u32..=8) {
        let layout = Layout::new(1 << bits, 3.into()).unwrap();
        prop_assert!(layout.of_call_id(&call_id).shard < 1 << bits);
    }
}

#[test]
fn only_lower_case_digits_are_a_number() {
    assert_eq!(number_in(b"00av1-rest"), Some((10 << 5 | 31) << 5 | 1));
    for text in [&b"0AFFF"[..], b"abcd", b"", b"12w45", b"+1234"] {
        assert_eq!(number_in(text), None);
    }
}

fn notified(table: &Table, call_id: &[u8], local_tag: &[u8]) -> Option<Handle> {
    table
        .step_notify(arrived(call_id, local_tag, notify(1)), |notify| notify, &ENV, |_, _, _| ())
        .unwrap()
        .map(|stepped| stepped.handle)
}

#[test]
fn the_index_follows_the_dialog() {
    let (table, alloc) = table(16, 0);
    for n in 0..100 {
        insert_due(&table, &alloc, &format!("sip:{n}@example.com"), NOW);
    }
    let random = [9; RANDOM_LEN];
    while let Some(handle) = due(&table, NOW) {
        let (call_id, tag) =
            table.view(handle, |life, _| (life.call_id().to_vec(), life.local_tag().to_vec())).unwrap();
        assert_eq!(notified(&table, &call_id, &tag), Some(handle));
        assert_eq!(notified(&table, &call_id, b"other"), None);

        // Another Call-ID replaces it.
        let ids = table.fresh_ids(table.shard_of_call_id(&call_id), random);
        step(&table, handle, dialog(&ids.call_id, b"t")).unwrap().unwrap();
        assert_eq!(notified(&table, &call_id, &tag), None);
        assert_eq!(notified(&table, &ids.call_id, b"t"), Some(handle));

        // Only the tag changes.
        step(&table, handle, dialog(&ids.call_id, b"u")).unwrap().unwrap();
        assert_eq!(notified(&table, &ids.call_id, b"t"), None);
        assert_eq!(notified(&table, &ids.call_id, b"u"), Some(handle));

        // No dialog.
        step(&table, handle, dialog(b"", b"")).unwrap().unwrap();
        assert_eq!(notified(&table, &ids.call_id, b"u"), None);
        assert_eq!(notified(&table, b"", b""), None);
    }
    assert_eq!(table.len(), 100);
    assert!(table.shards.iter().all(|shard| shard.lock().indexed().1 == 0 && !shard.has_foreign()));
}

#[test]
fn forgetting_frees_the_dialog() {
    let (table, alloc) = table(2, 0);
    let handle = insert(&table, &alloc, "sip:a@example.com", true).handle();
    step(&table, handle, dialog(b"not-ours", b"t")).unwrap().unwrap();
    assert_eq!(notified(&table, b"not-ours", b"t"), Some(handle));
    let last = step(&table, handle, Input::Unsubscribe).unwrap().unwrap();
    assert!(last.output.forget);
    assert_eq!(notified(&table, b"not-ours", b"t"), None);
    assert!(table.shards.iter().all(|shard| shard.lock().indexed() == (0, 0) && !shard.has_foreign()));
}

#[test]
fn dialogs_with_call_ids_of_other_origin_are_found() {
    let (table, alloc) = table(16, 0);
    let handles: Vec<_> = (0..200)
        .map(|n| {
            let mut told = Told::new(&format!("sip:{n}@example.com"), &alloc);
            told.set_dialog(format!("{n}@elsewhere").as_bytes(), b"t").unwrap();
            table.insert(told, 0, true, &ENV).unwrap().handle()
        })
        .collect();
    for (n, handle) in handles.iter().enumerate() {
        assert_eq!(notified(&table, format!("{n}@elsewhere").as_bytes(), b"t"), Some(*handle));
    }
    assert!(table.shards.iter().any(|shard| shard.has_foreign()));
    for handle in handles {
        step(&table, handle, Input::Unsubscribe).unwrap().unwrap();
    }
    assert!(table.shards.iter().all(|shard| shard.lock().indexed() == (0, 0) && !shard.has_foreign()));
}

#[test]
fn a_fingerprint_is_of_all_that_a_notify_says_of_its_dialog() {
    let layout = Layout::new(4, 3.into()).unwrap();
    let of =
        |call_id: &[u8], local_tag: &[u8], remote_tag: &[u8], contact: Option<&[u8]>, entity_tag: Option<&[u8]>| {
            let notify = notify_from(remote_tag, 1);
            let notify = Notify { entity_tag: entity_tag.map(etag), ..notify };
            layout.fingerprint(&Arrived { contact, ..arrived(call_id, local_tag, notify) })
        };
    let one = of(b"call", b"tag", b"other", Some(b"sip:a@x"), Some(b"state"));
    assert!(one.is_of_the_same(of(b"call", b"tag", b"other", Some(b"sip:a@x"), Some(b"state"))));
    for another in [
        of(b"calls", b"tag", b"other", Some(b"sip:a@x"), Some(b"state")),
        of(b"call", b"tags", b"other", Some(b"sip:a@x"), Some(b"state")),
        of(b"callt", b"ag", b"other", Some(b"sip:a@x"), Some(b"state")),
        of(b"call", b"tag", b"others", Some(b"sip:a@x"), Some(b"state")),
        of(b"call", b"tag", b"other", Some(b"sip:b@x"), Some(b"state")),
        of(b"call", b"tag", b"other", Some(b"sip:c@x"), Some(b"state")),
        of(b"call", b"tag", b"other", None, Some(b"state")),
        of(b"call", b"tag", b"other", Some(b"sip:a@x"), Some(b"states")),
        of(b"call", b"tag", b"other", Some(b"sip:a@x"), None),
    ] {
        assert!(!one.is_of_the_same(another));
    }
    let elsewhere = Layout::new(4, 4.into()).unwrap();
    let notify = notify_from(b"other", 1);
    let of = |layout: Layout| layout.fingerprint(&arrived(b"call", b"tag", notify));
    assert!(!of(layout).is_of_the_same(of(elsewhere)), "the seed is the key");
}

#[test]
fn the_texts_of_a_known_dialog_are_not_looked_at() {
    let (table, alloc) = table(4, 0);
    insert_due(&table, &alloc, "sip:a@example.com", NOW);
    let handle = due(&table, NOW).unwrap();
    let looks = || table.view(handle, |life, _| life.looks.get()).unwrap();
    let (call_id, tag) = table.view(handle, |life, _| (life.call_id().to_vec(), life.local_tag().to_vec())).unwrap();
    assert_eq!(notified(&table, &call_id, &tag), Some(handle));
    let first = looks();
    assert!(first > 0);
    assert_eq!(notified(&table, &call_id, &tag), Some(handle));
    assert_eq!(looks(), first);
    assert_eq!(notified(&table, &call_id, b"other"), None);
    assert!(looks() > first);
}

#[test]
fn a_contact_is_judged_unless_the_newest_notify_had_it() {
    let (table, alloc) = table(4, 0);
    insert_due(&table, &alloc, "sip:a@example.com", NOW);
    let handle = due(&table, NOW).unwrap();
    let (call_id, tag) = table.view(handle, |life, _| (life.call_id().to_vec(), life.local_tag().to_vec())).unwrap();
    let judged = |contact| {
        let judged = Cell::new(false);
        let arrived = Arrived { contact, ..arrived(&call_id, &tag, notify(1)) };
        let judge = |notify| {
            // Nothing waits for it: it locks no shard.
            assert!(table.view(handle, |_, _| ()).is_some());
            judged.set(true);
            notify
        };
        table.step_notify(arrived, judge, &ENV, |_, _, _| ()).unwrap().unwrap();
        judged.get()
    };
    assert!(judged(Some(b"<sip:a@x>")));
    assert!(!judged(Some(b"<sip:a@x>")), "what is the same needs no second look");
    assert!(judged(Some(b"<sip:b@x>")));
    assert!(judged(None));
    assert!(judged(Some(b"<sip:b@x>")));
}
