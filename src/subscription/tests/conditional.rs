//! Conditional requests (RFC 5839): the notifier need not send a known state again.

use super::*;
use crate::testing::etag;
use crate::testing::tag;

/// A refresh after a NOTIFY with this SIP-ETag.
fn refresh_after(entity_tag: Option<&'static [u8]>) -> Life {
    let mut life = Life::active(600);
    life.notify_with("active", |notify| notify.entity_tag = entity_tag.map(etag));
    life.due();
    assert_eq!(life.state(), "resubscription");
    life
}

#[test]
fn refreshes_name_the_state_that_is_known() {
    for tag in [&b"a7b.%~"[..], b"*", b"x", &[b'x'; 255]] {
        assert_eq!(refresh_after(Some(tag)).request().known_state, tag, "byte by byte");
    }
    assert_eq!(refresh_after(None).request().known_state, b"");
}

#[test]
fn the_newest_accepted_notify_counts() {
    let mut life = Life::active(3600);
    life.notify_with("active", |notify| notify.entity_tag = Some(etag(b"old")));
    life.notify_with("active", |notify| notify.entity_tag = Some(etag(b"new")));
    life.notify_with("active", |notify| (notify.entity_tag, notify.cseq) = (Some(etag(b"stale")), 1));
    life.notify_with("active", |notify| {
        (notify.entity_tag, notify.content) = (Some(etag(b"refused")), Content::Malformed)
    });
    life.notify_with("active", |notify| {
        (notify.entity_tag, notify.remote_tag) = (Some(etag(b"foreign")), tag(b"other"))
    });
    life.due();
    assert_eq!(life.request().known_state, b"new");
    // The entity tag survives a failure. After a NOTIFY without SIP-ETag there is none.
    life.reply(500);
    life.due();
    assert_eq!(life.request().known_state, b"new");
    life.notify("active");
    life.reply(200);
    life.due();
    assert_eq!(life.request().known_state, b"");
}

#[test]
fn only_refreshes_are_conditional() {
    let mut life = Life::asking();
    life.notify_with("active", |notify| notify.entity_tag = Some(etag(b"early")));
    assert_eq!(life.request().known_state, b"", "the first SUBSCRIBE");
    life.reply(200);
    life.due();
    assert_eq!(life.request().known_state, b"early");
    life.reply(481);
    life.due();
    assert!(life.request().is_initial());
    assert_eq!(life.request().known_state, b"", "it dies with its dialog");
    life.notify_with("active", |notify| notify.entity_tag = Some(etag(b"anew")));
    life.reply(200);
    life.give(Input::Unsubscribe);
    life.due();
    assert_eq!((life.request().expires, &life.request().known_state[..]), (0, &b""[..]), "the last NOTIFY is awaited");
}

#[test]
fn no_notification_is_an_acceptance() {
    let mut life = refresh_after(Some(b"known"));
    let output = life.reply_with(204, |reply| reply.expires = Some(900));
    assert!(output.news.is_none(), "nothing is told");
    assert_eq!((life.state(), life.due_in(), life.snapshot().expires_in), ("confirmed", 870.0, Some(900)));
    life.due();
    assert_eq!(life.request().known_state, b"known", "it is known ever after");
}

#[test]
fn a_farewell_that_no_notification_follows_is_the_end() {
    let mut life = Life::active(600);
    life.give(Input::Unsubscribe);
    life.due();
    assert!(life.reply(204).forget);
}

#[test]
fn only_who_is_given_one_pays_for_it() {
    let mut life = Life::active(600);
    let out = life.account.out();
    life.notify("active");
    assert_eq!(life.account.out(), out);
    life.notify_with("active", |notify| notify.entity_tag = Some(etag(b"tag")));
    let with_tag = life.account.out();
    assert!(with_tag > out);
    life.notify_with("active", |notify| notify.entity_tag = Some(etag(b"gat")));
    assert_eq!(life.account.out(), with_tag);
    life.notify("active");
    assert_eq!(life.account.out(), out);
}
