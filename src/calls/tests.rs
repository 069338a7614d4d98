//! Calls and users, without a server.

mod memory;
mod model;

use super::*;
use crate::testing::Accounted;

const ALICE: &[u8] = b"alice@example.com";
const BOB: &[u8] = b"bob@example.com";

type Table = Calls<Accounted, parking_lot::RawMutex>;

fn table() -> (Table, Accounted) {
    let alloc = Accounted::new();
    let calls = Table::try_new(HashKey::new([7; 16]), 2, alloc.clone()).expect("memory");
    (calls, alloc)
}

fn parties<'a>(caller: &'a [u8], callee: &'a [u8]) -> [Party<'a>; 2] {
    [
        Party { aor: caller, identity: b"sip:caller@example.com", display: b"Caller" },
        Party { aor: callee, identity: b"sip:callee@example.com", display: b"" },
    ]
}

const TEXTS: CallTexts<'static> =
    CallTexts { call_id: b"c1", tags: [b"from", b""], targets: [b"sip:caller@192.0.2.1", b""] };

/// All that is marked, of all workers.
fn told(calls: &Table) -> Vec<UserCalls> {
    [0, 1].into_iter().flat_map(|worker| std::iter::from_fn(move || calls.next_marked(worker))).collect()
}

/// The states that the only one who is told hears of, with the version.
fn states(calls: &Table) -> (u32, Vec<CallState>) {
    let told = told(calls);
    let [UserCalls { calls, followers, .. }] = &told[..] else { panic!("not one user is told: {told:?}") };
    let [follower] = &followers[..] else { panic!("not one follower: {followers:?}") };
    (follower.version, calls.iter().map(|call| call.state).collect())
}

#[test]
fn each_state_is_told_once_and_the_end_leaves_nothing() {
    use CallState::{Confirmed, Early, Terminated, Trying};
    let (calls, _) = table();
    let worker = calls.follow(ALICE, 1).expect("memory");
    assert!(worker.is_some());
    assert_eq!(states(&calls), (0, vec![]));
    let (number, ringing) = calls.begin(&parties(ALICE, b""), &TEXTS, Trying).expect("memory");
    assert_eq!(ringing, [worker, None]);
    assert_eq!(states(&calls), (1, vec![Trying]));
    for (version, state) in [(2, Early), (3, Confirmed)] {
        assert_eq!(calls.change(number, None, || state), [worker, None]);
        assert_eq!(states(&calls), (version, vec![state]));
        assert_eq!(calls.change(number, None, || state), [None; 2], "nothing new");
        assert!(told(&calls).is_empty());
    }
    calls.change(number, None, || Terminated);
    assert_eq!(states(&calls), (4, vec![Terminated]));
    assert_eq!(calls.usage().calls, 1, "the dialog module has it still");
    assert_eq!(calls.end(number), [None; 2]);
    assert_eq!(calls.usage(), CallUsage::default());
    calls.unfollow(ALICE, 1);
    assert!(calls.is_empty());
}

#[test]
fn both_parties_see_their_own_side() {
    let (calls, _) = table();
    calls.follow(ALICE, 1).expect("memory");
    calls.follow(BOB, 2).expect("memory");
    told(&calls);
    let texts = CallTexts { tags: [b"from", b"to"], targets: [b"sip:a@1", b"sip:b@2"], ..TEXTS };
    calls.begin(&parties(ALICE, BOB), &texts, CallState::Trying).expect("memory");
    let mut told = told(&calls);
    told.sort_by(|one, other| one.aor.cmp(&other.aor));
    let seen: Vec<_> = told.iter().map(|user| (user.aor.as_slice(), &user.calls[0])).collect();
    let [(ALICE, from), (BOB, to)] = seen[..] else { panic!("{seen:?}") };
    assert_eq!((from.side, to.side), (Side::Caller, Side::Callee));
    assert_eq!(from.ends[0], to.ends[1]);
    assert_eq!(from.ends[1], to.ends[0]);
    assert_eq!((&from.ends[0].tag[..], &from.ends[1].target[..]), (&b"from"[..], &b"sip:b@2"[..]));
    assert_eq!((&from.ends[0].display[..], &from.call_id[..]), (&b"Caller"[..], &b"c1"[..]));
}

/// Somebody may call himself.
#[test]
fn one_user_may_be_both_parties() {
    let (calls, _) = table();
    calls.follow(ALICE, 1).expect("memory");
    let (number, _) = calls.begin(&parties(ALICE, ALICE), &TEXTS, CallState::Trying).expect("memory");
    assert_eq!(states(&calls), (0, vec![CallState::Trying; 2]));
    calls.end(number);
    assert_eq!(states(&calls), (1, vec![CallState::Terminated; 2]));
    calls.unfollow(ALICE, 1);
    assert!(calls.is_empty());
}

#[test]
fn one_who_comes_late_is_told_alone() {
    let (calls, _) = table();
    let (number, ringing) = calls.begin(&parties(ALICE, BOB), &TEXTS, CallState::Trying).expect("memory");
    assert_eq!(ringing, [None; 2], "nobody is interested");
    calls.change(number, None, || CallState::Confirmed);
    calls.follow(BOB, 1).expect("memory");
    assert_eq!(states(&calls), (0, vec![CallState::Confirmed]));
    calls.follow(BOB, 2).expect("memory");
    assert_eq!(states(&calls), (0, vec![CallState::Confirmed]));
    calls.tell_again(BOB, 1);
    assert_eq!(states(&calls), (0, vec![CallState::Confirmed]), "as it was not told, its version is not used");
}

/// What nobody follows ends without a trace, and what is late finds nothing.
#[test]
fn what_ends_unseen_is_forgotten() {
    let (calls, _) = table();
    let (number, _) = calls.begin(&parties(ALICE, BOB), &TEXTS, CallState::Trying).expect("memory");
    calls.change(number, None, || CallState::Terminated);
    calls.end(number);
    assert!(calls.is_empty());
    assert_eq!(calls.change(number, Some(&TEXTS), || CallState::Confirmed), [None; 2]);
    assert_eq!(calls.end(number), [None; 2]);
    let (other, _) = calls.begin(&parties(ALICE, BOB), &TEXTS, CallState::Trying).expect("memory");
    assert_ne!(number, other);
}

/// A 2xx that comes after the transaction was given up: the dialog module takes the call back.
#[test]
fn a_call_that_was_given_up_may_be_answered() {
    let (calls, _) = table();
    calls.follow(ALICE, 1).expect("memory");
    let (number, _) = calls.begin(&parties(ALICE, b""), &TEXTS, CallState::Trying).expect("memory");
    calls.change(number, None, || CallState::Terminated);
    assert_eq!(states(&calls), (0, vec![CallState::Terminated]));
    calls.change(number, None, || CallState::Confirmed);
    assert_eq!(states(&calls), (1, vec![CallState::Confirmed]));
    calls.end(number);
    assert_eq!(states(&calls), (2, vec![CallState::Terminated]));
}

#[test]
fn a_user_has_so_many_calls_and_no_more() {
    let (calls, _) = table();
    let begin = |caller, callee| calls.begin(&parties(caller, callee), &TEXTS, CallState::Trying);
    let numbers: Vec<u64> = (0..MOST_CALLS).map(|_| begin(ALICE, b"").expect("room").0).collect();
    assert!(begin(ALICE, b"").is_err());
    assert_eq!(calls.usage().untracked, 1);
    let (with_bob, _) = begin(ALICE, BOB).expect("room at the other party");
    assert_eq!(calls.usage().untracked, 2);
    calls.end(with_bob);
    for number in numbers {
        calls.end(number);
    }
    assert!(calls.is_empty());
}
