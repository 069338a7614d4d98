//! Domains, notifiers and subscriptions.

use std::sync::atomic::Ordering::SeqCst;

use super::support::{Plain, ask, hub, new, notifier, queue, say};
use crate::qsa::{DomainId, Notifier, NotifierId, QsaError, QueueId, Refused, SubscriptionId, Wanted};
use crate::subscription::Status;

const DEFAULT: DomainId = Plain::DEFAULT_DOMAIN;

#[test]
fn a_notifier_gets_what_comes_and_what_was_there() {
    let hub = hub();
    let q = queue(&hub, 4);
    assert!(!hub.has_notifier(DEFAULT, b"test"));
    let early: Vec<_> = (0..200).map(|n| ask(&hub, &new(format!("r{n}").as_bytes(), q)).unwrap()).collect();
    let other = ask(&hub, &Wanted { package: b"other", ..new(b"x", q) }).unwrap();
    hub.unsubscribe(early[0]).unwrap();

    let (it, seen) = notifier();
    let id = hub.register_notifier(DEFAULT, b"test", it).unwrap();
    assert!(hub.has_notifier(DEFAULT, b"test"));
    let mut records = seen.records.lock().clone();
    records.sort();
    let mut expected: Vec<_> = (1..200).map(|n| format!("r{n}").into_bytes()).collect();
    expected.sort();
    assert_eq!(records, expected);

    let late = ask(&hub, &new(b"late", q)).unwrap();
    assert_eq!(seen.taken.load(SeqCst), 200);
    hub.unsubscribe(late).unwrap();
    assert_eq!(seen.last_value.load(SeqCst), 299);
    hub.unsubscribe(other).unwrap();
    assert_eq!(seen.left.load(SeqCst), 1);

    // Unregistering ends nothing, and the next notifier in the same place gets everything from scratch.
    hub.unregister_notifier(id).unwrap();
    assert_eq!(hub.unregister_notifier(id).unwrap_err(), QsaError::UnknownNotifier);
    hub.unsubscribe(early[1]).unwrap();
    assert_eq!(seen.left.load(SeqCst), 1);
    let (it, seen) = notifier();
    hub.register_notifier(DEFAULT, b"test", it).unwrap();
    assert_eq!(seen.taken.load(SeqCst), 198);
    for id in early.iter().skip(2) {
        hub.unsubscribe(*id).unwrap();
    }
    assert_eq!(seen.left.load(SeqCst), 198);
    assert_eq!(hub.subscriptions(), 0);
}

#[test]
fn a_refusal_takes_everything_back() {
    let hub = hub();
    let q = queue(&hub, 4);
    let (it, first) = notifier();
    first.refuse.store(true, SeqCst);
    hub.register_notifier(DEFAULT, b"test", it).unwrap();
    let refused = ask(&hub, &new(b"r", q)).unwrap_err();
    assert_eq!(refused, QsaError::Refused(Refused::new("not today")));
    assert_eq!(refused.to_string(), "not today");
    assert_eq!((hub.subscriptions(), first.left.load(SeqCst)), (0, 0));

    // One that takes it is enough, and only that one is told of the end. The subscriber learns what each has answered.
    let (it, second) = notifier();
    let registered = hub.register_notifier(DEFAULT, b"test", it).unwrap();
    let made = hub.subscribe(DEFAULT, &new(b"r", q)).unwrap();
    let id = made.id;
    assert_eq!(made.answer_of(|notifier| notifier == registered), Some(Ok(100)));
    assert_eq!(made.answer_of(|notifier| notifier != registered), Some(Err(Refused::new("not today"))));
    assert_eq!(made.answer_of(|_| false), None);
    hub.unsubscribe(id).unwrap();
    assert_eq!((first.left.load(SeqCst), second.left.load(SeqCst)), (0, 1));

    // A late one that refuses harms nothing.
    let id = ask(&hub, &Wanted { package: b"late", ..new(b"r", q) }).unwrap();
    let (it, third) = notifier();
    third.refuse.store(true, SeqCst);
    hub.register_notifier(DEFAULT, b"late", it).unwrap();
    say(&hub, id, b"still here");
    assert!(hub.pop(q).is_some());
}

#[test]
fn a_package_has_four_notifiers_at_most() {
    let hub = hub();
    for _ in 0..4 {
        hub.register_notifier(DEFAULT, b"test", notifier().0).unwrap();
    }
    let (it, _) = notifier();
    assert_eq!(hub.register_notifier(DEFAULT, b"test", it).unwrap_err(), QsaError::TooManyNotifiers);
}

#[test]
fn the_second_unsubscribe_is_an_error_and_old_ids_are_harmless() {
    let hub = hub();
    let q = queue(&hub, 4);
    let (it, seen) = notifier();
    hub.register_notifier(DEFAULT, b"test", it).unwrap();
    let id = ask(&hub, &new(b"r", q)).unwrap();
    assert_ne!(id.to_u64(), 0);
    assert_eq!(SubscriptionId::from_u64(id.to_u64()), id);
    hub.unsubscribe(id).unwrap();
    for _ in 0..200 {
        assert_ne!(ask(&hub, &new(b"again", q)).unwrap(), id);
    }
    for stale in [id, SubscriptionId::from_u64(0), SubscriptionId::from_u64(u64::MAX)] {
        assert_eq!(hub.unsubscribe(stale), Err(QsaError::UnknownSubscription));
        assert_eq!(hub.accept(stale), Err(QsaError::UnknownSubscription));
        assert_eq!(hub.release(stale), Err(QsaError::UnknownSubscription));
        assert_eq!(hub.notify(stale, Status::Active, b"", b"", b""), Err(QsaError::UnknownSubscription));
        assert_eq!(hub.subscriber_data(stale), None);
        assert_eq!(hub.set_subscriber_data(stale, 1), Err(QsaError::UnknownSubscription));
        assert!(hub.with_subscription(stale, |_| ()).is_none());
    }
    assert_eq!(seen.left.load(SeqCst), 1);
    assert_eq!(hub.unregister_notifier(NotifierId::from_u64(0)).unwrap_err(), QsaError::UnknownNotifier);
    let nowhere = QueueId::from_u64(0);
    assert_eq!(ask(&hub, &new(b"r", nowhere)), Err(QsaError::UnknownQueue));
    assert_eq!(ask(&hub, &new(b"", q)), Err(QsaError::NoRecord));
    let long = [b'a'; 65_000];
    let too_long = |new: Wanted<'_>| match ask(&hub, &new) {
        Err(QsaError::TooLong { what, length: 65_000, most }) => (what, most),
        other => panic!("{other:?}"),
    };
    assert_eq!(too_long(new(&long, q)), ("record", 1024));
    assert_eq!(too_long(Wanted { subscriber: &long, ..new(b"sip:a", q) }), ("subscriber", 1024));
    assert_eq!(too_long(Wanted { package: &long, ..new(b"sip:a", q) }), ("package", 512));
    assert_eq!(too_long(Wanted { first_param: &long, ..new(b"sip:a", q) }), ("text of the options", 2048));
}

#[test]
fn an_accepted_subscription_can_be_looked_at_until_released() {
    let hub = hub();
    let q = queue(&hub, 4);
    let id = ask(&hub, &new(b"sip:r@example.org", q)).unwrap();
    hub.set_subscriber_data(id, 8).unwrap();
    assert_eq!(hub.release(id), Err(QsaError::UnknownSubscription), "not held");
    hub.accept(id).unwrap();
    hub.accept(id).unwrap();
    hub.unsubscribe(id).unwrap();
    assert_eq!(hub.unsubscribe(id), Err(QsaError::UnknownSubscription));
    assert_eq!(hub.notify(id, Status::Active, b"", b"", b""), Err(QsaError::UnknownSubscription));
    hub.release(id).unwrap();
    assert_eq!(hub.with_entry(id, |entry| entry.subscribed), Some(false));
    hub.with_subscription(id, |it| {
        assert_eq!((it.record, it.subscriber_data), (&b"sip:r@example.org"[..], 8));
        assert_eq!((it.package, it.subscriber), (&b"test"[..], &b"sip:watcher@example.org"[..]));
    })
    .unwrap();
    hub.release(id).unwrap();
    assert_eq!(hub.subscriber_data(id), None);
    assert_eq!(hub.subscriptions(), 0);
}

#[test]
fn domains_are_counted() {
    let hub = hub();
    let q = queue(&hub, 4);
    assert_eq!(hub.domain(b"").unwrap(), DEFAULT);
    assert_eq!(hub.domain(b"default").unwrap(), DEFAULT);
    hub.release_domain(DEFAULT).unwrap();
    hub.release_domain(DEFAULT).unwrap();
    assert_eq!(hub.release_domain(DEFAULT), Err(QsaError::UnknownDomain), "nobody but the hub itself has it");
    let other = hub.domain(b"other").unwrap();
    assert_eq!(hub.domain(b"other").unwrap(), other);
    hub.release_domain(other).unwrap();
    let id = hub.subscribe(other, &new(b"r", q)).unwrap().id;
    let (it, seen) = notifier();
    hub.register_notifier(DEFAULT, b"test", it).unwrap();
    assert_eq!(seen.taken.load(SeqCst), 0, "a package of that name in another domain");
    hub.release_domain(other).unwrap();
    assert_eq!(hub.register_notifier(other, b"test", it).unwrap_err(), QsaError::UnknownDomain);
    hub.unsubscribe(id).unwrap();
    assert_ne!(hub.domain(b"other").unwrap(), other, "gone with its last subscription");
    assert_eq!(hub.register_notifier(DEFAULT, b"", it).unwrap_err(), QsaError::NoPackage);
}

#[test]
fn a_subscription_may_end_while_its_notifier_takes_it_up() {
    static HUB: std::sync::OnceLock<Plain> = std::sync::OnceLock::new();
    static TOLD: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
    let hub = HUB.get_or_init(hub);
    let q = queue(hub, 4);
    let it = Notifier {
        subscribe: |_, _, id, _| {
            let hub = HUB.get().unwrap();
            hub.notify(id, Status::Pending, b"", b"", b"").unwrap();
            hub.unsubscribe(id).unwrap();
            Ok(42)
        },
        unsubscribe: |_, _, value| {
            TOLD.fetch_add(value, SeqCst);
        },
        user: 0,
    };
    hub.register_notifier(DEFAULT, b"test", it).unwrap();
    let id = ask(hub, &new(b"r", q)).unwrap();
    assert_eq!(TOLD.load(SeqCst), 42);
    assert_eq!(hub.unsubscribe(id), Err(QsaError::UnknownSubscription));
    assert!(hub.pop(q).is_none());
    assert_eq!(hub.subscriptions(), 0);
}
