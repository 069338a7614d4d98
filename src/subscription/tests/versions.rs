//! Versions of documents, whole ones and changes.

use super::*;
use crate::subscription::version::{Completeness, Order, Versions};
use crate::testing::etag;

fn full(life: &mut Life, version: u32) -> Output {
    life.notify_with("active", |notify| notify.content = Content::Versioned { version, is_full: true })
}

fn partial(life: &mut Life, version: u32) -> Output {
    life.notify_with("active", |notify| notify.content = Content::Versioned { version, is_full: false })
}

/// Whether the document was handed on; it was answered 200 in any case.
fn is_told(output: &Output) -> bool {
    assert_eq!(output.answer, Some(Answer::Ok));
    assert!(output.news.is_none_or(|news| news.with_body));
    output.news.is_some()
}

/// Half an hour of a subscription for an hour; the newest version is 5.
fn standing() -> Life {
    let mut life = Life::active(3600);
    assert!(is_told(&full(&mut life, 5)));
    life.pass(secs(1800));
    life
}

#[test]
fn how_versions_follow_each_other() {
    let mut versions = Versions { newest: 0, known: Completeness::Nothing };
    let changes = |version| Content::Versioned { version, is_full: false };
    let whole = |version| Content::Versioned { version, is_full: true };
    assert_eq!(versions.order(changes(0)), Order::Gap, "changes to nothing");
    assert_eq!([versions.order(whole(0)), versions.order(whole(u32::MAX))], [Order::Next; 2]);
    for (newest, version, of_partial) in [
        (5, 6, Order::Next),
        (5, 7, Order::Gap),
        (5, u32::MAX, Order::Gap),
        (5, 5, Order::Gap),
        (5, 4, Order::Gap),
        (5, 0, Order::Gap),
        (0, 0, Order::Gap),
        (0, 1, Order::Next),
        (u32::MAX - 1, u32::MAX, Order::Next),
        (u32::MAX, u32::MAX, Order::Gap),
        (u32::MAX, 0, Order::Next),
        (u32::MAX, 1, Order::Gap),
    ] {
        versions.take(whole(newest));
        assert_eq!(versions, Versions { newest, known: Completeness::Whole });
        assert_eq!(versions.order(Content::Acceptable), Order::Next);
        assert_eq!(versions.order(changes(version)), of_partial, "changes {version} after {newest}");
        assert_eq!(versions.order(whole(version)), Order::Next, "whole {version} after {newest}");
        versions.take(changes(version));
        let known = if of_partial == Order::Next { Completeness::Whole } else { Completeness::Missing };
        assert_eq!(versions, Versions { newest: version, known });
    }
}

#[test]
fn what_follows_is_told_and_nothing_else_happens() {
    let mut life = standing();
    let planned = life.subscription.deadline();
    assert!(is_told(&partial(&mut life, 6)));
    assert!(is_told(&partial(&mut life, 7)));
    assert!(is_told(&full(&mut life, 20)), "a whole document after a gap");
    assert!(is_told(&partial(&mut life, 21)));
    assert_eq!(life.subscription.deadline(), planned);
}

/// A notifier that starts again in the same dialog begins at 0. Its CSeq says that it is newer.
#[test]
fn a_whole_document_is_told_whatever_its_version() {
    for refreshed in [false, true] {
        let mut life = standing();
        if refreshed {
            life.give(Input::Refresh);
            life.due();
            life.reply(200);
        }
        let planned = life.subscription.deadline();
        for version in [0, 1, 1, 0, 7] {
            assert!(is_told(&full(&mut life, version)), "{version}");
        }
        assert!(is_told(&partial(&mut life, 8)), "changes follow the newest");
        assert_eq!(life.subscription.deadline(), planned, "nothing is missing");
    }
}

/// Documents of a notifier that never sends the whole state, and always the same version, are still delivered.
#[test]
fn changes_are_told_whatever_their_version_and_bring_one_refresh() {
    let mut life = standing();
    for version in [0, 0, 0] {
        assert!(is_told(&partial(&mut life, version)));
    }
    life.due();
    assert_eq!(life.state(), "resubscription");
    life.reply(200);
    assert!(is_told(&partial(&mut life, 0)), "all that it has to say");
    assert_eq!(life.due_in(), 3570.0, "asked in vain once, it is not asked again");
    assert!(is_told(&full(&mut life, 3)));
    assert!(is_told(&partial(&mut life, 9)), "now something is missing again");
    assert_eq!(life.due_in(), 30.0);
}

#[test]
fn the_last_document_is_told_whatever_its_version() {
    let mut life = standing();
    let old = |notify: &mut Notify<'_>| notify.content = Content::Versioned { version: 1, is_full: true };
    let output = life.notify_with("pending;expires=600", old);
    assert_eq!(output.news.map(|news| (news.status, news.with_body)), Some((Status::Pending, true)));
    let output = life.notify_with("terminated;reason=noresource", old);
    assert_eq!(output.news.map(|news| (news.status, news.with_body)), Some((Status::Terminated, true)));
}

#[test]
fn a_last_document_behind_a_gap_is_told() {
    let mut life = standing();
    let output = life.notify_with("terminated;reason=noresource", |notify| {
        notify.content = Content::Versioned { version: 9, is_full: false };
    });
    assert_eq!(output.news.map(|news| (news.status, news.with_body)), Some((Status::Terminated, true)));
}

#[test]
fn a_gap_is_followed_by_a_refresh() {
    let mut life = standing();
    assert!(is_told(&partial(&mut life, 7)), "changes are told all the same");
    assert_eq!(life.due_in(), 0.0);
    life.due();
    assert_eq!((life.state(), life.request().expires), ("resubscription", 3600));
    assert!(is_told(&full(&mut life, 8)));
    life.reply(200);
    assert_eq!(life.due_in(), 3570.0, "and no second one");
    // The next refresh keeps the least interval.
    assert!(is_told(&partial(&mut life, 10)));
    assert_eq!(life.due_in(), 30.0);
    assert!(is_told(&partial(&mut life, 12)));
    assert_eq!(life.due_in(), 30.0);
    life.due();
    assert!(is_told(&partial(&mut life, 13)), "another one may have followed");
}

#[test]
fn changes_to_nothing_are_a_gap() {
    let mut life = Life::asking();
    life.reply(200);
    assert!(is_told(&partial(&mut life, 0)));
    assert_eq!(life.due_in(), 30.0);
}

/// A missing document is still requested after a NOTIFY without a version extends the subscription.
#[test]
fn a_later_expiry_does_not_put_the_refresh_off() {
    let sooner_and_later = |life: &mut Life| {
        assert!(is_told(&life.notify("active;expires=600")));
        assert!(is_told(&partial(life, 7)));
        let due_in = life.due_in();
        assert!(is_told(&life.notify("active;expires=1800")));
        due_in
    };
    let mut life = Life::active(3600);
    full(&mut life, 5);
    assert_eq!((sooner_and_later(&mut life), life.due_in()), (30.0, 30.0));

    // Nor has a request that was held back.
    let mut life = Life::active(3600);
    full(&mut life, 5);
    partial(&mut life, 7);
    life.due();
    life.hold(HeldBy::Breaker, secs(60));
    assert!(is_told(&life.notify("active;expires=600")));
    assert!(is_told(&life.notify("active;expires=1800")));
    assert_eq!(life.due_in(), 0.0);
    life.due();
    life.reply(200);
    assert!(is_told(&partial(&mut life, 9)));
    assert!(life.due_in() > 1000.0, "asked in vain once, it is not asked again");
}

/// The gap may be from before or after the notifier answered the request: so the module asks once more.
#[test]
fn a_gap_while_the_whole_state_is_asked_for_is_followed_by_another_refresh() {
    for whole in [false, true] {
        let mut life = standing();
        life.give(Input::Refresh);
        life.due();
        assert!(is_told(&partial(&mut life, 7)));
        if whole {
            assert!(is_told(&full(&mut life, 8)));
        }
        life.reply(200);
        assert_eq!(life.due_in(), if whole { 3570.0 } else { 30.0 });
    }
}

#[test]
fn changes_to_nothing_before_the_2xx_are_a_gap() {
    let mut life = Life::asking();
    assert!(is_told(&partial(&mut life, 3)));
    life.reply(200);
    assert_eq!(life.due_in(), 30.0);
}

#[test]
fn a_retry_keeps_its_time() {
    for wait in [1000, 5000] {
        let mut life = standing();
        life.give(Input::Refresh);
        life.due();
        life.reply_with(503, |reply| reply.retry_after = Some(wait));
        let planned = life.subscription.deadline();
        assert!(is_told(&partial(&mut life, 7)));
        assert_eq!(life.subscription.deadline(), planned, "{wait}");
    }
}

#[test]
fn a_new_dialog_begins_anew() {
    let mut life = standing();
    life.notify("terminated;reason=deactivated");
    life.due();
    assert!(is_told(&full(&mut life, 0)));
    assert!(is_told(&partial(&mut life, 1)));
}

#[test]
fn a_document_without_a_version_is_told_and_changes_nothing() {
    let mut life = standing();
    let planned = life.subscription.deadline();
    assert!(is_told(&life.notify("active")));
    assert!(is_told(&partial(&mut life, 6)));
    assert_eq!(life.subscription.deadline(), planned);
}

/// A conditional request (RFC 5839) would keep the notifier from sending the whole state.
#[test]
fn behind_a_gap_no_state_is_known() {
    // The documents, and whether the refresh has the entity tag of the state.
    let (whole, changes) = (true, false);
    for (told, is_known) in [
        (&[(5, whole)][..], true),
        (&[(5, whole), (6, changes)], true),
        (&[(5, changes)], false),
        (&[(5, whole), (7, changes)], false),
        (&[(5, whole), (7, changes), (8, changes)], false),
        (&[(5, whole), (7, changes), (8, whole)], true),
        (&[(5, whole), (7, changes), (8, whole), (9, changes)], true),
        (&[(5, whole), (5, whole)], true),
        (&[(5, whole), (5, changes)], false),
        (&[(5, whole), (4, whole)], true),
    ] {
        for is_underway in [false, true] {
            let mut life = Life::active(3600);
            let tell = |life: &mut Life, &(version, is_full): &(u32, bool)| {
                life.notify_with("active", |notify| {
                    notify.content = Content::Versioned { version, is_full };
                    notify.entity_tag = Some(etag(b"tag"));
                });
            };
            let (last, before) = told.split_last().unwrap();
            before.iter().for_each(|one| tell(&mut life, one));
            if is_underway {
                life.due();
            }
            tell(&mut life, last);
            if is_underway {
                life.reply(200);
            }
            life.due();
            let known: &[u8] = if is_known { b"tag" } else { b"" };
            assert_eq!(life.request().known_state, known, "{told:?}");
        }
    }
}

#[test]
fn dialogs_have_not_grown() {
    assert!(std::mem::size_of::<super::super::dialog::Dialog<allocator_api2::alloc::Global>>() <= 56);
}
