//! The first member of a share makes its root without a lock: what others do in the meantime.

use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize};
use std::sync::{Barrier, OnceLock};
use std::thread;

use allocator_api2::alloc::Global;
use parking_lot::RawMutex;

use super::support::{Plain, ask, hub, new, queue};
use crate::qsa::{DomainId, NotShared, Notifier, QueueId, Refused, ShareHash, Shares, SubscriptionId};
use crate::subscription::Status;

const KEY: [&[u8]; 4] = [b"sip:a@x", b"sip:w@x", b"presence", b""];

/// A hub whose roots are in a domain and a queue of their own.
struct Stage {
    hub: Plain,
    shares: Shares<Global, RawMutex>,
    domain: DomainId,
    roots: QueueId,
    members: QueueId,
}

impl Stage {
    fn new(notifier: Notifier) -> Self {
        let hub = hub();
        let domain = hub.private_domain(b"roots").unwrap();
        hub.register_notifier(domain, b"test", notifier).unwrap();
        let (roots, members) = (queue(&hub, 100_000), queue(&hub, 100_000));
        Self { hub, shares: Shares::try_new(7.into(), Global).unwrap(), domain, roots, members }
    }

    fn member(&self) -> SubscriptionId {
        ask(&self.hub, &new(b"m", self.members)).unwrap()
    }

    fn join(&self, member: SubscriptionId) -> Result<ShareHash, NotShared> {
        self.shares.join(&self.hub, (self.domain, KEY), member, |_| new(b"root", self.roots))
    }

    /// As the SIP user agent does when a member's subscription ends.
    fn leave(&self, hash: ShareHash, member: SubscriptionId) {
        if let Some(root) = self.shares.leave(hash, member) {
            self.hub.unsubscribe(root).unwrap();
        }
    }

    /// Hands on what waits for the roots, as a worker does.
    fn hand_on(&self, hash: ShareHash) {
        while let Some(delivered) = self.hub.pop(self.roots) {
            if self.shares.hand_on(&self.hub, hash, &delivered.message).ended {
                let _ = self.hub.unsubscribe(delivered.message.subscription());
            }
        }
    }

    /// The messages to the members: member, status, code, whether it is the last.
    fn told(&self) -> Vec<(SubscriptionId, Status, u16, bool)> {
        let told = std::iter::from_fn(|| self.hub.pop(self.members)).map(|delivered| delivered.message);
        told.map(|told| (told.subscription(), told.status(), told.code(), told.is_last())).collect()
    }
}

#[test]
fn who_comes_while_the_root_is_made_is_a_member_and_is_told_what_the_notifier_tells_at_once() {
    static STAGE: OnceLock<Stage> = OnceLock::new();
    static SECOND: OnceLock<(SubscriptionId, ShareHash)> = OnceLock::new();
    let stage = STAGE.get_or_init(|| {
        Stage::new(Notifier {
            subscribe: |_, _, root, _| {
                // No lock is held, or this would wait for ever.
                let stage = STAGE.get().unwrap();
                let second = stage.member();
                let hash = stage.join(second).unwrap();
                SECOND.set((second, hash)).unwrap();
                stage.hub.notify(root, Status::Active, b"", b"text/plain", b"open").unwrap();
                stage.hand_on(hash);
                Ok(1)
            },
            unsubscribe: |_, _, _| {},
            user: 0,
        })
    });
    let first = stage.member();
    let hash = stage.join(first).unwrap();
    let (second, same) = *SECOND.get().unwrap();
    assert_eq!(hash, same);
    assert_eq!(stage.shares.root_of(hash, first), stage.shares.root_of(hash, second));
    assert_eq!(stage.told(), [(first, Status::Active, 0, false), (second, Status::Active, 0, false)]);
    stage.leave(hash, second);
    stage.leave(hash, first);
    assert_eq!(stage.hub.subscriptions(), 2, "the members only");
}

#[test]
fn when_the_root_cannot_be_made_the_first_is_refused_and_the_others_are_told_the_end() {
    static STAGE: OnceLock<Stage> = OnceLock::new();
    static OTHERS: OnceLock<([SubscriptionId; 2], ShareHash)> = OnceLock::new();
    static REFUSES: AtomicBool = AtomicBool::new(true);
    let stage = STAGE.get_or_init(|| {
        Stage::new(Notifier {
            subscribe: |_, _, _, _| {
                if !REFUSES.load(SeqCst) {
                    return Ok(1);
                }
                let stage = STAGE.get().unwrap();
                let others = [stage.member(), stage.member()];
                let [stays, leaves] = others.map(|member| stage.join(member).unwrap());
                assert_eq!(stays, leaves);
                // One does not wait for the outcome.
                stage.leave(leaves, others[1]);
                OTHERS.set((others, stays)).unwrap();
                Err(Refused::new("not today"))
            },
            unsubscribe: |_, _, _| {},
            user: 0,
        })
    });
    let first = stage.member();
    let refused = NotShared { error: Refused::new("not today").into(), untold: 0 };
    assert_eq!(stage.join(first), Err(refused));
    let ([stays, _], hash) = *OTHERS.get().unwrap();
    assert_eq!(stage.told(), [(stays, Status::Terminated, 503, true)]);
    assert_eq!(stage.shares.root_of(hash, stays), None);
    assert_eq!(stage.hub.subscriptions(), 3, "no root");
    stage.leave(hash, stays);

    REFUSES.store(false, SeqCst);
    let hash = stage.join(first).unwrap();
    assert!(stage.shares.root_of(hash, first).is_some());
}

#[test]
fn the_end_of_the_root_may_come_while_it_is_made() {
    static STAGE: OnceLock<Stage> = OnceLock::new();
    static HASH: OnceLock<ShareHash> = OnceLock::new();
    static ENDS: AtomicBool = AtomicBool::new(false);
    static LEFT: AtomicU64 = AtomicU64::new(0);
    let stage = STAGE.get_or_init(|| {
        Stage::new(Notifier {
            subscribe: |_, _, root, _| {
                let stage = STAGE.get().unwrap();
                if ENDS.load(SeqCst) {
                    stage.hub.notify(root, Status::Rejected, b"", b"", b"").unwrap();
                    stage.hand_on(*HASH.get().unwrap());
                }
                Ok(42)
            },
            unsubscribe: |_, _, value| {
                LEFT.fetch_add(value, SeqCst);
            },
            user: 0,
        })
    });
    let first = stage.member();
    let hash = *HASH.get_or_init(|| stage.join(first).unwrap());
    stage.leave(hash, first);
    assert_eq!(LEFT.load(SeqCst), 42);

    ENDS.store(true, SeqCst);
    assert_eq!(stage.join(first), Ok(hash));
    assert_eq!(stage.told(), [(first, Status::Rejected, 0, true)]);
    assert_eq!(LEFT.load(SeqCst), 84, "the notifier is told as well");
    assert_eq!(stage.shares.root_of(hash, first), None);
    stage.leave(hash, first);

    // A member that asks again begins from scratch.
    ENDS.store(false, SeqCst);
    assert_eq!(stage.join(first), Ok(hash));
    assert!(stage.shares.root_of(hash, first).is_some());
    stage.leave(hash, first);
    assert_eq!((LEFT.load(SeqCst), stage.hub.subscriptions()), (126, 1));
}

#[test]
fn a_notifier_that_panics_leaves_no_share() {
    static PANICS: AtomicBool = AtomicBool::new(true);
    let stage = Stage::new(Notifier {
        subscribe: |_, _, _, _| {
            assert!(!PANICS.load(SeqCst), "as asked");
            Ok(1)
        },
        unsubscribe: |_, _, _| {},
        user: 0,
    });
    let first = stage.member();
    let joined = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| stage.join(first)));
    assert!(joined.is_err());
    assert_eq!(stage.hub.subscriptions(), 1, "no root");
    PANICS.store(false, SeqCst);
    stage.join(first).unwrap();
    assert_eq!(stage.hub.subscriptions(), 2);
}

#[test]
fn of_those_who_come_at_once_one_makes_the_root() {
    static ASKED: AtomicUsize = AtomicUsize::new(0);
    let stage = Stage::new(Notifier {
        subscribe: |_, _, _, _| {
            thread::yield_now();
            Ok(ASKED.fetch_add(1, SeqCst) as u64)
        },
        unsubscribe: |_, _, _| {},
        user: 0,
    });
    for round in 1..=200 {
        let members = [(); 4].map(|()| stage.member());
        let together = Barrier::new(members.len());
        let hash = thread::scope(|scope| {
            let all = members.map(|member| {
                let (stage, together) = (&stage, &together);
                scope.spawn(move || {
                    together.wait();
                    stage.join(member).unwrap()
                })
            });
            all.map(|one| one.join().unwrap())[0]
        });
        assert_eq!(ASKED.load(SeqCst), round);
        assert_eq!(stage.hub.subscriptions(), members.len() + 1, "one root");
        for member in members {
            stage.leave(hash, member);
            stage.hub.unsubscribe(member).unwrap();
        }
        assert_eq!(stage.hub.subscriptions(), 0);
    }
}

/// Many join and leave the same share at once, and now and then its root cannot be made.
#[test]
fn whoever_joins_and_leaves_no_root_is_left() {
    static ASKED: AtomicUsize = AtomicUsize::new(0);
    static ROOTS: AtomicUsize = AtomicUsize::new(0);
    let stage = Stage::new(Notifier {
        subscribe: |_, _, _, _| {
            let asked = ASKED.fetch_add(1, SeqCst);
            thread::yield_now();
            if asked % 3 == 2 {
                return Err(Refused::new("not today"));
            }
            ROOTS.fetch_add(1, SeqCst);
            Ok(1)
        },
        unsubscribe: |_, _, _| {
            ROOTS.fetch_sub(1, SeqCst);
        },
        user: 0,
    });
    let refused = AtomicUsize::new(0);
    let (threads, rounds) = (4, 500);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                for _ in 0..rounds {
                    let member = stage.member();
                    match stage.join(member) {
                        Ok(hash) => stage.leave(hash, member),
                        Err(error) => {
                            assert_eq!(error, NotShared { error: Refused::new("not today").into(), untold: 0 });
                            refused.fetch_add(1, SeqCst);
                        }
                    }
                    stage.hub.unsubscribe(member).unwrap();
                }
            });
        }
    });
    assert_eq!((ROOTS.load(SeqCst), stage.hub.subscriptions()), (0, 0));
    assert_eq!(refused.load(SeqCst), ASKED.load(SeqCst) / 3);
}
