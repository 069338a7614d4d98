//! Random lives. The driver checks after every input what must hold at any time.

use proptest::prelude::*;

use super::memory::copy_of;
use super::*;
use crate::grammar::EntityTag;
use crate::grammar::RouteSet;
use crate::grammar::Tag;
use crate::testing::offered;
use crate::testing::uri;
use crate::testing::uris;

const CODES: &[u16] = &[
    100, 180, 200, 200, 200, 200, 202, 299, 300, 302, 302, 305, 380, 400, 401, 401, 401, 403, 404, 405, 406, 407, 407,
    408, 410, 416, 423, 480, 481, 482, 485, 486, 489, 500, 501, 503, 504, 600, 603, 604, 699, 204,
];
/// Where 200, 302 and 305 stand in the list.
pub(super) const ACCEPTED: usize = 2;
pub(super) const MOVED: usize = 9;
pub(super) const USE_PROXY: usize = 11;

const STATES: &[&str] = &[
    "active",
    "active",
    "active;expires=100",
    "pending;expires=5",
    "active;expires=0",
    "active;expires=4000000000",
    "x-other",
    "",
    "terminated",
    "terminated;reason=deactivated",
    "terminated;reason=timeout;retry-after=9",
    "terminated;reason=giveup",
    "terminated;reason=probation;retry-after=4000000000",
    "terminated;reason=rejected",
    "terminated;reason=noresource",
];
const HELD_BY: &[HeldBy] = &[HeldBy::Rate, HeldBy::RetryAfter, HeldBy::Breaker, HeldBy::Lookup, HeldBy::Unreached];
const TAGS: &[&[u8]] = &[b"notifier", b"notifier", b"notifier", b"other", b""];
const CONTACTS: &[Option<&[u8]>] = &[None, Some(b"sip:a@x"), Some(b"sip:bb@x"), Some(b"sip:ccc@x;transport=tcp")];
const REDIRECTS: &[&[&[u8]]] = &[&[], &[b"sip:a@x"], &[b"sip:a@x", b"sip:b@x"], &[RECORD, b"sip:c@x", b"sip:c@x"]];
const CONTENTS: &[Content] = &[
    Content::Acceptable,
    Content::Acceptable,
    Content::Versioned { version: 1, is_full: true },
    Content::Versioned { version: 2, is_full: false },
    Content::Versioned { version: 2, is_full: true },
    Content::Versioned { version: 3, is_full: false },
    Content::Versioned { version: u32::MAX, is_full: false },
    Content::Versioned { version: 0, is_full: false },
    Content::Empty,
    Content::Unsupported,
    Content::Malformed,
    Content::TooLarge,
];
const ENTITY_TAGS: &[Option<&[u8]>] =
    &[None, Some(b"t1"), Some(b"t2"), Some(&[b'x'; 256]), Some(b""), Some(b"a\r\n b")];
const CHALLENGES: &[&[Challenge<'static>]] = &[
    &[],
    &[Challenge { challenger: Challenger::End, value: b"Digest realm=\"known\", nonce=\"n1\", qop=\"auth\"" }],
    &[Challenge { challenger: Challenger::End, value: b"Digest realm=\"known\", nonce=\"n2\", stale=true" }],
    &[
        Challenge {
            challenger: Challenger::Proxy,
            value: b"Digest realm=\"p1\", nonce=\"n3\", opaque=\"x\", stale=TRUE",
        },
        Challenge { challenger: Challenger::End, value: b"Digest realm=\"known\", nonce=\"n4\", algorithm=SHA-256" },
    ],
    &[Challenge { challenger: Challenger::Proxy, value: b"Digest realm=\"p2\", nonce=\"n5\", qop=\"auth-int\"" }],
    &[Challenge {
        challenger: Challenger::Proxy,
        value: b"Digest realm=\"p3\", nonce=\"n6\", algorithm=MD5-sess, qop=\"auth\"",
    }],
    &[Challenge { challenger: Challenger::Proxy, value: b"Digest realm=\"p4\", nonce=\"n7\"" }],
    &[Challenge { challenger: Challenger::End, value: b"Digest realm=\"p5\", nonce=\"n8\", algorithm=X" }],
    &[Challenge { challenger: Challenger::End, value: b"Digest realm=" }],
];
const NUMBERS: &[Option<u32>] =
    &[None, None, Some(0), Some(1), Some(20), Some(61), Some(600), Some(7200), Some(u32::MAX)];

/// One step, as numbers that become an input once there is a subscription.
#[derive(Clone, Debug)]
pub(super) enum Step {
    Start,
    Due,
    Early,
    Turn,
    Saved,
    Pass(u64),
    Sent(u32),
    Through(u32, usize),
    Unsent(u32, bool),
    NoWay(u32),
    Held(u32, u8, u64),
    Reply { old: bool, code: usize, tag: usize, contact: usize, numbers: [usize; 3], redirect: usize, challenge: usize },
    Notify { cseq: u32, late: u32, tag: usize, contact: usize, state: usize, content: usize, event: bool },
    Credentials(bool),
    Refresh,
    Refused,
    PutOff,
    FlowLost(u32),
    Over(u32, u32),
    Unsubscribe,
}

pub(super) fn step() -> impl Strategy<Value = Step> {
    let pick = || any::<usize>();
    prop_oneof![
        1 => Just(Step::Start),
        12 => Just(Step::Due),
        1 => Just(Step::Early),
        2 => Just(Step::Turn),
        2 => Just(Step::Saved),
        3 => (0u64..100_000).prop_map(Step::Pass),
        2 => (0u32..2).prop_map(Step::Sent),
        1 => (0u32..2, 0usize..8).prop_map(|(old, place)| Step::Through(old, place)),
        1 => (0u32..2, any::<bool>()).prop_map(|(old, dropped)| Step::Unsent(old, dropped)),
        1 => (0u32..2).prop_map(Step::NoWay),
        2 => (0u32..2, 0u8..5, 0u64..100_000).prop_map(|(old, by, millis)| Step::Held(old, by, millis)),
        10 => (0..10, pick(), pick(), pick(), [pick(), pick(), pick()], pick(), pick()).prop_map(
            |(old, code, tag, contact, numbers, redirect, challenge)|
                Step::Reply { old: old == 0, code, tag, contact, numbers, redirect, challenge }
        ),
        1 => any::<bool>().prop_map(Step::Credentials),
        8 => (0u32..4, 0u32..20, pick(), pick(), pick(), pick(), 0..20).prop_map(
            |(cseq, late, tag, contact, state, content, event)|
                Step::Notify { cseq, late: late.saturating_sub(15), tag, contact, state, content, event: event > 0 }
        ),
        1 => Just(Step::Refresh),
        1 => Just(Step::Refused),
        1 => Just(Step::PutOff),
        1 => (1u32..3).prop_map(Step::FlowLost),
        2 => (0u32..2, 1u32..3).prop_map(|(old, number)| Step::Over(old, number)),
        1 => Just(Step::Unsubscribe),
    ]
}

fn pick<T: Copy>(from: &[T], number: usize) -> T {
    from[number % from.len()]
}

/// Turns the step into an input, and hands life and input to `give`; a step that only takes time has none.
pub(super) fn with_input(life: &mut Life, step: &Step, give: impl FnOnce(&mut Life, Input<'_>)) {
    let cseq = life.sent.last().map_or(0, |(_, request)| request.cseq);
    life.dialogs += 1;
    let names = (format!("call{}", life.dialogs), format!("tag{}", life.dialogs));
    let fresh = Fresh { call_id: names.0.as_bytes(), local_tag: names.1.as_bytes(), cnonce: CNONCE };
    let input = match *step {
        Step::Start => Input::Start,
        Step::Due => {
            life.now = life.subscription.deadline().unwrap_or(life.now).max(life.now);
            Input::Deadline(fresh)
        }
        Step::Early => Input::Deadline(fresh),
        Step::Turn => Input::Turn,
        Step::Saved => Input::Saved,
        Step::Pass(millis) => return life.pass(Duration::from_millis(millis)),
        Step::Sent(old) => Input::Sent { cseq: cseq.saturating_sub(old), socket: Socket(9) },
        Step::Through(old, place) => {
            // A request that was sent stays sent.
            let places = |sent: &Request| sent.proxies.places(life.policy.proxies).collect::<Vec<_>>();
            let places = life.sent.last().map(|(_, sent)| places(sent)).unwrap_or_default();
            if !life.in_hand || places.is_empty() {
                return;
            }
            Input::Through { cseq: cseq.saturating_sub(old), proxy: pick(&places, place) }
        }
        Step::Unsent(old, false) => Input::SendFailed { cseq: cseq.saturating_sub(old) },
        Step::Unsent(old, true) => Input::Dropped { cseq: cseq.saturating_sub(old) },
        Step::NoWay(old) => Input::NoWay { cseq: cseq.saturating_sub(old) },
        Step::Held(old, by, millis) => {
            // A held request was not sent: nothing else is said of it. If it is the first one, nobody can have answered it.
            let undo = life.sent.last().map_or_else(Undo::default, |(_, sent)| sent.undo);
            let is_answered = undo.last_sent.is_none() && life.subscription.has_other_notifier_than(b"nobody");
            if !life.in_hand || is_answered {
                return;
            }
            let by = pick(HELD_BY, usize::from(by));
            let until = life.now.after(Duration::from_millis(millis));
            Input::Held { cseq: cseq.saturating_sub(old), until, by, undo }
        }
        Step::Reply { old, code, tag, contact, numbers, redirect, challenge } => Input::Reply(Reply {
            cseq: cseq.saturating_sub(u32::from(old)),
            code: pick(CODES, code),
            is_local: tag % 2 == 1,
            reason: b"phrase",
            remote_tag: Tag::judge(pick(TAGS, tag)).unwrap(),
            contact: pick(CONTACTS, contact).map(uri),
            has_bad_contact: false,
            route_set: if contact % 2 == 0 { RouteSet::of(b"<sip:q;lr>") } else { RouteSet::NONE },
            expires: pick(NUMBERS, numbers[0]),
            min_expires: pick(NUMBERS, numbers[1]),
            retry_after: pick(NUMBERS, numbers[2]),
            redirect: uris(pick(REDIRECTS, redirect)),
            challenges: pick(CHALLENGES, challenge),
            flow: (redirect % 3 > 0).then(|| flow(u32::try_from(redirect % 3).unwrap())),
            authentication_info: (challenge % 3 == 0).then_some(b"nextnonce=\"next\""),
        }),
        Step::Notify { cseq, late, tag, contact, state, content, event } => {
            life.remote_cseq += cseq;
            let notify = Notify {
                cseq: life.remote_cseq - 1 - late,
                remote_tag: Tag::judge(pick(TAGS, tag)).unwrap(),
                contact: pick(CONTACTS, contact).map(offered),
                has_bad_contact: false,
                route_set: if contact % 3 == 0 { RouteSet::NONE } else { RouteSet::of(b"<sip:p;lr>") },
                event: if event { b"presence" } else { b"dialog" },
                event_id: None,
                state: SubscriptionState::parse(pick(STATES, state).as_bytes()),
                entity_tag: pick(ENTITY_TAGS, state.wrapping_add(contact / 7)).and_then(EntityTag::judge),
                content: pick(CONTENTS, content),
                echo: Echo::default(),
            };
            Input::Notify(notify, Fingerprint::NONE)
        }
        Step::Credentials(hashed) => Input::Credentials {
            username: b"own",
            secret: Concealed(if hashed { b"HA1:0123456789abcdef0123456789abcdef" } else { b"word" }),
        },
        Step::Refresh => Input::Refresh,
        Step::Refused => Input::Untold(Untold::Refused),
        Step::PutOff => Input::PutOff(secs(40)),
        Step::Over(old, number) => Input::Over { cseq: cseq.saturating_sub(old), flow: flow(number) },
        Step::FlowLost(number) => Input::FlowLost(flow(number)),
        Step::Unsubscribe => Input::Unsubscribe,
    };
    give(life, input);
}

fn take(life: &mut Life, step: &Step, allowed: i64) {
    with_input(life, step, |life, input| give(life, input, allowed));
}

/// Lets only this number of allocations succeed at first: without memory nothing changes.
fn give(life: &mut Life, input: Input<'_>, allowed: i64) {
    let picture =
        |life: &Life| (life.snapshot(), life.subscription.state(), life.subscription.deadline(), life.account.out());
    let before = picture(life);
    life.account.allow(allowed);
    let result = life.try_give(copy_of(&input));
    life.account.allow_all();
    if result.is_err() {
        assert_eq!(picture(life), before, "out of memory changes nothing");
        life.give(input);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn any_life_keeps_the_rules_and_ends(
        steps in proptest::collection::vec((step(), 0i64..4, any::<u64>()), 0..60),
        min in 0u64..60,
        delta in 0u64..60,
        is_contrary in any::<bool>(),
        fetch in proptest::option::weighted(0.3, 1u32..3600),
        proxies in 0u8..4,
    ) {
        let mut life = Life::under(Terms { fetch, ..Terms::default() }, Policy {
            overrides: if is_contrary { contrary() } else { Vec::new() },
            timer_n_on_refresh: is_contrary,
            min_resubscribe_time: secs(min),
            resubscribe_delta: secs(delta),
            max_subscribe_delay: secs(5),
            refresh_jitter: 50,
            proxies,
            ..policy()
        });
        life.credentials.insert(0, credential("user:*:secret"));
        life.give(Input::Start);
        for (step, allowed, random) in &steps {
            life.random = *random;
            take(&mut life, step, *allowed);
        }
        if !life.forgotten {
            life.give(Input::Unsubscribe);
        }
        // The unsubscribe may have to be tried at each proxy.
        for _ in 0..5 + 2 * proxies {
            if !life.forgotten {
                life.due();
            }
        }
        prop_assert!(life.forgotten, "{:?} after unsubscribing", life.subscription.state());
        prop_assert_eq!(life.account.out(), SUBJECT);
    }

    /// A request is not repeated more often than the bound allows, whatever the challenges. The time is too short for
    /// anything but repetitions.
    #[test]
    fn challenges_are_no_storm(replies in proptest::collection::vec((any::<usize>(), any::<bool>()), 30)) {
        for mut life in [Life::asking(), Life::active(3600)] {
            life.credentials = vec![credential("user:*:secret")];
            if life.state() == "confirmed" {
                life.pass(secs(100));
                life.give(Input::Refresh);
                life.due();
            }
            let first = life.sent.len();
            for (challenge, proxy) in &replies {
                if !life.subscription.state().in_flight() {
                    break;
                }
                let code = if *proxy { 407 } else { 401 };
                life.reply_with(code, |reply| reply.challenges = pick(CHALLENGES, *challenge));
                if life.due_in() == 0.0 {
                    life.due();
                }
            }
            let repeated = life.sent.len() - first;
            prop_assert!(repeated <= usize::from(digest::MOST_ANSWERS), "{repeated} repetitions");
        }
    }

    /// Without redirections, challenges, 423 and grants shorter than `min_resubscribe_time`, two SUBSCRIBEs are never closer.
    #[test]
    fn requests_keep_their_distance(
        steps in proptest::collection::vec((step(), any::<u64>()), 0..80),
        is_contrary in any::<bool>(),
    ) {
        let mut life = Life::started();
        if is_contrary {
            life.policy.overrides = contrary();
        }
        for (step, random) in &steps {
            life.random = *random;
            let step = match step.clone() {
                // Another test covers the bound of challenges.
                Step::Reply { old, code, tag, contact, numbers, .. } => {
                    let code = if CODES[code % CODES.len()] == 423 { 0 } else { code };
                    Step::Reply { old, code, tag, contact, numbers: [0, numbers[1], numbers[2]], redirect: 0, challenge: 0 }
                }
                Step::Notify { cseq, late, tag, contact, state, content, event } => {
                    let state = if pick(STATES, state).contains("expires=5") { 0 } else { state };
                    Step::Notify { cseq, late, tag, contact, state, content, event }
                }
                other => other,
            };
            take(&mut life, &step, i64::MAX);
        }
        for pair in life.sent.windows(2) {
            let gap = pair[1].0.since(pair[0].0);
            prop_assert!(gap >= secs(30) || pair[1].1.expires == 0, "{gap:?}");
        }
    }
}
