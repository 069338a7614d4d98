//! NOTIFYs that say the same of the dialog as the one before: recognized by a fingerprint.

use super::*;
use crate::testing::{NO_CREDENTIALS, offered};
use crate::testing::{etag, tag, uri};

/// The fingerprint that the subscription keeps, and whether it is that of this NOTIFY.
fn is_kept(life: &Life, notify: &Notify<'_>) -> bool {
    life.subscription.fingerprint().is_of_the_same(fingerprint_of(notify))
}

#[test]
fn that_of_nothing_is_like_no_other() {
    assert!(!Fingerprint::NONE.is_of_the_same(Fingerprint::NONE));
    assert!(!Fingerprint::of_hash(0).is_of_the_same(Fingerprint::of_hash(0)));
    assert!(Fingerprint::of_hash(7).is_of_the_same(Fingerprint::of_hash(7)));
    assert!(!Fingerprint::of_hash(7).is_of_the_same(Fingerprint::of_hash(1 << 47 | 7)));
}

#[test]
fn that_of_the_newest_accepted_notify_is_kept() {
    let mut life = Life::asking();
    assert_eq!(life.subscription.fingerprint(), Fingerprint::NONE);
    life.reply(200);
    assert_eq!(life.subscription.fingerprint(), Fingerprint::NONE, "a 2xx makes no dialog");
    life.notify("active");
    assert!(is_kept(&life, &usual_notify()));
    let moved = Notify { contact: Some(offered(b"sip:moved@example.com")), ..usual_notify() };
    life.notify_with("active", |notify| notify.contact = moved.contact);
    assert!(is_kept(&life, &moved));
    let tagged = Notify { entity_tag: Some(etag(b"tag")), ..moved };
    life.notify_with("active", |notify| (notify.contact, notify.entity_tag) = (tagged.contact, tagged.entity_tag));
    assert!(is_kept(&life, &tagged));
    // Refused and late NOTIFYs and those of other notifiers leave no fingerprint.
    life.notify_with("active", |notify| notify.content = Content::Malformed);
    life.notify_with("active", |notify| notify.cseq = 1);
    life.notify_with("active", |notify| notify.remote_tag = tag(b"other"));
    assert!(is_kept(&life, &tagged));
}

#[test]
fn a_known_one_is_taken_without_a_look_at_the_texts() {
    let mut life = Life::active(3600);
    let known = life.subscription.fingerprint();
    life.now = life.now.after(secs(1));
    let env =
        Env { now: life.now, policy: &life.policy, packages: Packages::KNOWN, random: 0, credentials: &NO_CREDENTIALS };
    let same = Notify {
        cseq: life.remote_cseq + 1,
        remote_tag: tag(b"unread"),
        contact: Some(offered(b"sip:unread@x")),
        state: SubscriptionState::parse(b"active"),
        ..usual_notify()
    };
    let output = life.subscription.handle(Input::Notify(same, known), &env).unwrap();
    assert_eq!(output.answer, Some(Answer::Ok));
    life.due();
    assert_eq!((&life.request().target[..], &life.request().remote_tag[..]), (NOTIFIER, &b"notifier"[..]));
}

#[test]
fn a_target_from_elsewhere_ends_it() {
    let mut life = Life::active(3600);
    life.due();
    life.reply(200);
    assert!(is_kept(&life, &usual_notify()), "the same target");
    life.due();
    life.reply_with(200, |reply| reply.contact = Some(uri(b"sip:moved@example.com")));
    assert_eq!(life.subscription.fingerprint(), Fingerprint::NONE);
    life.notify("active");
    life.due();
    assert_eq!(life.request().target, NOTIFIER);
}

#[test]
fn another_dialog_has_its_own() {
    let mut life = Life::active(600);
    life.due();
    life.reply(481);
    life.due();
    assert_eq!(life.subscription.fingerprint(), Fingerprint::NONE);
}

#[test]
fn a_gap_is_not_overlooked() {
    let numbered = |version, is_full| Content::Versioned { version, is_full };
    let mut life = Life::asking();
    life.reply(200);
    let tell = |life: &mut Life, content| {
        life.notify_with("active", |notify| (notify.content, notify.entity_tag) = (content, Some(etag(b"tag"))))
    };
    tell(&mut life, numbered(0, true));
    assert_ne!(life.subscription.fingerprint(), Fingerprint::NONE);
    tell(&mut life, numbered(2, false));
    assert_eq!(life.subscription.fingerprint(), Fingerprint::NONE, "what is missing has no name");
    life.due();
    assert_eq!(life.request().known_state, b"");
    tell(&mut life, numbered(3, true));
    life.reply(200);
    life.due();
    assert_eq!(life.request().known_state, b"tag");
}

/// A Contact that cannot be a target is checked and counted each time: it leaves no fingerprint.
#[test]
fn a_bad_contact_is_never_known_at_a_glance() {
    let mut life = Life::active(3600);
    for (count, bad) in [(1, &b"sip:a\r\n@x"[..]), (2, b"sip:a\r\n@x"), (3, b"tel:1"), (4, b"sip:224.0.0.1")] {
        let output = life.notify_with("active", |notify| notify.contact = Some(offered(bad)));
        assert_eq!((output.answer, output.bad_contacts), (Some(Answer::Ok), Some(count)));
        assert_eq!(life.subscription.fingerprint(), Fingerprint::NONE);
    }
    let output =
        life.notify_with("active", |notify| notify.contact = Some(offered(b"sip:good@x;method=INVITE?Subject=x")));
    assert_eq!(output.bad_contacts, None);
    life.due();
    assert_eq!(life.request().target, b"sip:good@x");
}
