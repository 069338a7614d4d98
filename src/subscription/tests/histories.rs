//! Events of a history: what inputs become, and what twelve bytes keep of them.

use super::super::reason::Reason;
use super::super::state::PackedState;
use super::*;

/// Every state, in the order of [`State::names`], with every way to be in it.
const STATES: [&[State]; 10] = [
    &[State::Waiting(Attempt::Unstarted), State::Waiting(Attempt::Fresh), State::Waiting(Attempt::Continued)],
    &[State::Unconfirmed],
    &[State::UnconfirmedDestroy],
    &[
        State::Confirmed { next: Millis(7), awaits: Awaits::Nothing },
        State::Confirmed { next: Millis(7), awaits: Awaits::FirstNotify { by: Millis(8) } },
        State::Confirmed { next: Millis(7), awaits: Awaits::LastNotify { by: Millis(8) } },
        State::Confirmed { next: Millis(7), awaits: Awaits::Retry },
        State::Confirmed { next: Millis(7), awaits: Awaits::Expiry },
    ],
    &[State::Resubscription { notify_by: None }, State::Resubscription { notify_by: Some(Millis(9)) }],
    &[State::ResubscriptionDestroy],
    &[State::Predestroyed(Farewell::Due), State::Predestroyed(Farewell::Sent)],
    &[State::WaitingForTermination],
    &[State::Destroyed],
    &[State::Local],
];

#[test]
fn numbers_of_states_are_the_places_of_their_names() {
    for (number, states) in (0..).zip(STATES) {
        for state in states {
            assert_eq!(PackedState::from(*state).number(), number, "{state:?}");
            assert_eq!(State::of_number(number), state.name());
        }
    }
    assert_eq!(State::of_number(10), "");
}

#[test]
fn an_event_keeps_what_it_was_told() {
    for (number, what) in (0..).zip(Happened::ALL) {
        assert_eq!(what as u8, number);
        for (at, code, expires, reason, state) in [
            (0, 0, None, 0, 0),
            (1, 200, Some(0), 1, 9),
            ((1 << 40) - 1, 699, Some(HistoryEvent::MOST_EXPIRES), u8::MAX, 8),
            (1 << 39 | 1 << 31, 423, Some(3600), 40, 15),
        ] {
            let event = HistoryEvent::new(what).with_code(code).with_expires(expires).with_reason_number(reason);
            let event = HistoryEvent::from_words(event.at_moment(Millis(at), state).to_words());
            assert_eq!((event.at(), event.what(), event.code()), (Millis(at), what, code));
            assert_eq!((event.expires(), event.state()), (expires, state));
        }
    }
    assert_eq!(size_of::<HistoryEvent>(), 12);
    assert!(Reason::ALL.len() < usize::from(u8::MAX));
    let longest = HistoryEvent::new(Happened::Reply).with_expires(Some(u32::MAX));
    assert_eq!(longest.expires(), Some(HistoryEvent::MOST_EXPIRES));
}

#[test]
fn reasons_are_those_of_the_table() {
    let reason = |words: &'static [u8]| {
        let state = SubscriptionState { reason: Some(words), ..SubscriptionState::ACTIVE };
        let notify = Notify { state: Some(state), ..usual_notify() };
        HistoryEvent::of(&Input::Notify(notify, Fingerprint::NONE)).unwrap().reason()
    };
    for known in Reason::ALL {
        assert_eq!(reason(known.text().as_bytes()), known.text());
    }
    assert_eq!(reason(b"we-are-closed"), "other");
}

/// What happened to a subscription, with the state since.
fn events(
    steps: &[(Input<'_>, Millis)],
    driven: &mut Subscription<Accounted>,
) -> Vec<(Happened, u16, Option<u32>, u8)> {
    let (policy, mut seen) = (policy(), Vec::new());
    for (input, now) in steps {
        let env = Env {
            now: *now,
            policy: &policy,
            packages: Packages::KNOWN,
            random: 0,
            credentials: &crate::testing::NO_CREDENTIALS,
        };
        let event = driven.event_of(input);
        let output = driven.handle(copy(input), &env).unwrap();
        let event = event.and_then(|event| driven.event(event, &output, *now));
        seen.extend(event.map(|event| (event.what(), event.code(), event.expires(), event.state())));
    }
    seen
}

/// Inputs are no copies, as one of them may hold a secret.
fn copy<'a>(input: &Input<'a>) -> Input<'a> {
    match input {
        Input::Start => Input::Start,
        Input::Deadline(fresh) => Input::Deadline(*fresh),
        Input::Sent { cseq, socket } => Input::Sent { cseq: *cseq, socket: *socket },
        Input::Reply(reply) => Input::Reply(*reply),
        Input::Notify(notify, fingerprint) => Input::Notify(*notify, *fingerprint),
        Input::Unsubscribe => Input::Unsubscribe,
        other => panic!("no copy of {other:?}"),
    }
}

#[test]
fn a_life_is_what_the_notifier_sees_of_it() {
    let subject = Subject {
        record: RECORD,
        subscriber: SUBSCRIBER,
        package: Packages::KNOWN.find(b"presence").unwrap().number,
        event_id: b"",
    };
    let mut life = Subscription::try_new(subject, Accounted::new()).unwrap();
    let fresh = Fresh { call_id: b"call", local_tag: b"tag", cnonce: CNONCE };
    let reply = |cseq, code| Reply {
        cseq,
        code,
        remote_tag: tag(b"notifier"),
        expires: Some(600),
        min_expires: Some(7200),
        ..Reply::default()
    };
    let sent = |cseq| Input::Sent { cseq, socket: Socket(1) };
    let at = Millis(1_000_000);
    let notify = Notify { cseq: 1, state: Some(SubscriptionState::ACTIVE), ..usual_notify() };
    let seen = events(
        &[
            (Input::Start, at),
            (Input::Deadline(fresh), at),
            (sent(1), at),
            (sent(1), at),
            (Input::Reply(reply(1, 423)), at),
            (Input::Deadline(fresh), at),
            (sent(2), at),
            (Input::Reply(reply(2, 200)), at),
            (Input::Notify(notify, Fingerprint::NONE), at),
            // It repeats the one before.
            (Input::Notify(notify, Fingerprint::NONE), at),
            // It comes too early, and nothing happens.
            (Input::Deadline(fresh), at),
            (Input::Unsubscribe, at),
            (Input::Deadline(fresh), at.after(secs(100))),
            (sent(3), at.after(secs(100))),
        ],
        &mut life,
    );
    let number = |name| (0..).zip(State::names()).find(|(_, other)| *other == name).unwrap().0;
    let (unconfirmed, confirmed, waiting) = (number("unconfirmed"), number("confirmed"), number("waiting"));
    let ending = number("predestroyed");
    let expected = [
        (Happened::SubscribeNew, 0, Some(3600), unconfirmed),
        // The ring leaves the second one out.
        (Happened::SubscribeNew, 0, Some(3600), unconfirmed),
        (Happened::Reply, 423, None, waiting),
        (Happened::SubscribeRetry, 0, Some(7200), unconfirmed),
        (Happened::Reply, 200, Some(600), confirmed),
        (Happened::NotifyActive, 200, None, confirmed),
        (Happened::NotifyActive, 200, None, confirmed),
        (Happened::Unsubscribed, 0, None, ending),
        (Happened::SubscribeEnd, 0, Some(0), ending),
    ];
    assert_eq!(seen, expected);
}
