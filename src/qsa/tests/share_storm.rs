//! Members of shares as the SIP user agent has them: several threads subscribe and unsubscribe, roots are refused or end at any moment,
//! and now and then there is no memory.

use std::collections::HashSet;
use std::sync::OnceLock;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64};
use std::thread;
use std::time::Duration;

use parking_lot::{Mutex, RawMutex};

use super::support::{new, queue};
use crate::qsa::{DomainId, Hub, NotShared, Notifier, QsaError, QueueId, Refused, ShareHash, Shares, SubscriptionId};
use crate::subscription::Status;
use crate::testing::Accounted;

type Counted = Hub<Accounted, RawMutex>;

const RECORDS: [&[u8]; 2] = [b"a", b"b"];
const THREADS: usize = 4;
const ROUNDS: usize = 1000;

/// Where members and roots are. Callbacks find it here, as they take numbers only.
static WORLD: OnceLock<World> = OnceLock::new();

struct World {
    memory: Accounted,
    hub: Counted,
    shares: Shares<Accounted, RawMutex>,
    domain: DomainId,
    roots: QueueId,
    members: QueueId,
    random: AtomicU64,
    /// Roots that their notifier has taken up and not let go.
    live: AtomicI64,
    /// Roots that may be ended by their notifier.
    to_end: Mutex<Vec<SubscriptionId>>,
    /// How often a member found no memory.
    lacks: AtomicU64,
    untold: AtomicU64,
    /// Members that have got their last message.
    ended: Mutex<HashSet<SubscriptionId>>,
}

impl World {
    fn new() -> Self {
        let memory = Accounted::new();
        let hub = Counted::try_new(memory.clone()).unwrap();
        let domain = hub.private_domain(b"roots").unwrap();
        let of_roots = Notifier {
            subscribe: |_, _, root, _| Self::get().take_up(root),
            unsubscribe: |_, _, _| {
                Self::get().live.fetch_sub(1, SeqCst);
            },
            user: 0,
        };
        let of_members = Notifier {
            subscribe: |_, _, id, wanted| Self::get().join(id, wanted.record),
            unsubscribe: |_, id, hash| Self::get().leave(id, hash as ShareHash),
            user: 0,
        };
        hub.register_notifier(domain, b"test", of_roots).unwrap();
        hub.register_notifier(Counted::DEFAULT_DOMAIN, b"test", of_members).unwrap();
        Self {
            domain,
            roots: queue(&hub, 1_000_000),
            members: queue(&hub, 1_000_000),
            shares: Shares::try_new(7.into(), memory.clone()).unwrap(),
            hub,
            memory,
            random: AtomicU64::new(1),
            live: AtomicI64::new(0),
            to_end: Mutex::default(),
            lacks: AtomicU64::new(0),
            untold: AtomicU64::new(0),
            ended: Mutex::default(),
        }
    }

    fn get() -> &'static Self {
        WORLD.get_or_init(Self::new)
    }

    fn random(&self, below: u64) -> u64 {
        let seed = self.random.fetch_add(0x9e37_79b9_7f4a_7c15, SeqCst);
        let mixed = (seed ^ seed >> 31).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (mixed ^ mixed >> 29) % below
    }

    /// The notifier of roots refuses some, at once or after all, and tells or ends others at once.
    fn take_up(&self, root: SubscriptionId) -> Result<u64, Refused> {
        // Others come in the meantime.
        thread::sleep(Duration::from_micros(50));
        let refused = Err(Refused::new("not today"));
        let fate = self.random(10);
        if fate < 2 {
            return refused;
        }
        if fate < 7 {
            let status = if fate == 6 { Status::Rejected } else { Status::Active };
            let _ = self.hub.notify(root, status, b"", b"text/plain", b"open");
            thread::yield_now();
        }
        if fate == 2 {
            return refused;
        }
        self.live.fetch_add(1, SeqCst);
        self.to_end.lock().push(root);
        Ok(1)
    }

    fn join(&self, id: SubscriptionId, record: &[u8]) -> Result<u64, Refused> {
        let joined = self.shares.join(&self.hub, (self.domain, key(record)), id, |_| new(b"root", self.roots));
        joined.map(u64::from).map_err(|NotShared { error, untold }| {
            self.lacks.fetch_add(matches!(error, QsaError::OutOfMemory(_)).into(), SeqCst);
            self.untold.fetch_add(untold as u64, SeqCst);
            Refused::new("no root")
        })
    }

    fn leave(&self, id: SubscriptionId, hash: ShareHash) {
        if let Some(root) = self.shares.leave(hash, id) {
            let _ = self.hub.unsubscribe(root);
        }
    }

    /// The actions of a worker and of the members' consumer.
    fn work(&self) {
        while let Some(delivered) = self.hub.pop(self.roots) {
            // Whichever share it is of, another one knows nothing of it.
            for record in RECORDS {
                let done = self.shares.hand_on(&self.hub, self.shares.hash_of(key(record)), &delivered.message);
                self.untold.fetch_add(done.untold as u64, SeqCst);
                if done.ended {
                    let _ = self.hub.unsubscribe(delivered.message.subscription());
                }
            }
        }
        while let Some(delivered) = self.hub.pop(self.members) {
            if delivered.message.is_last() {
                self.ended.lock().insert(delivered.message.subscription());
            }
        }
    }

    /// Ends a root, and takes the memory away for a moment.
    fn disturb(&self, lacks_memory: bool) {
        let root = self.to_end.lock().pop();
        if let Some(root) = root {
            let _ = self.hub.notify(root, Status::Terminated, b"noresource", b"", b"");
        }
        if lacks_memory {
            self.memory.allow(self.random(20) as i64);
            thread::sleep(Duration::from_micros(50));
            self.memory.allow_all();
        }
        thread::yield_now();
    }

    /// A subscriber: gives back the subscriptions that it has kept, of which there are many.
    fn subscribe(&self) -> Vec<SubscriptionId> {
        let (mut kept, mut brief) = (Vec::new(), Vec::new());
        for round in 0..ROUNDS {
            let record = RECORDS[usize::from(self.random(3) == 0)];
            let Ok(made) = self.hub.subscribe(Counted::DEFAULT_DOMAIN, &new(record, self.members)) else { continue };
            if round % 4 == 0 {
                kept.push(made.id);
                continue;
            }
            brief.push(made.id);
            let most = self.random(3) as usize;
            while brief.len() > most {
                self.hub.unsubscribe(brief.swap_remove(self.random(brief.len() as u64) as usize)).unwrap();
            }
        }
        kept.append(&mut brief);
        kept
    }

    fn has_root(&self, member: SubscriptionId) -> bool {
        let root_of = |record| self.shares.root_of(self.shares.hash_of(key(record)), member);
        RECORDS.into_iter().any(|record| root_of(record).is_some())
    }
}

fn key(record: &[u8]) -> [&[u8]; 4] {
    [record, b"sip:w@x", b"test", b""]
}

fn storm(lacks_memory: bool) {
    let world = World::get();
    let is_over = AtomicBool::new(false);
    let until_over = |work: &dyn Fn()| {
        while !is_over.load(SeqCst) {
            work();
            thread::yield_now();
        }
    };
    let kept: Vec<_> = thread::scope(|scope| {
        scope.spawn(|| until_over(&|| world.work()));
        scope.spawn(|| until_over(&|| world.disturb(lacks_memory)));
        let all: Vec<_> = (0..THREADS).map(|_| scope.spawn(|| world.subscribe())).collect();
        let kept = all.into_iter().map(thread::ScopedJoinHandle::join).collect::<Vec<_>>();
        is_over.store(true, SeqCst);
        kept.into_iter().flat_map(Result::unwrap).collect()
    });
    world.memory.allow_all();
    world.work();
    for member in kept {
        let is_told = world.ended.lock().contains(&member);
        assert!(world.has_root(member) || is_told || lacks_memory, "{member:?} waits for ever");
        world.hub.unsubscribe(member).unwrap();
    }
    world.work();
    assert_eq!((world.live.load(SeqCst), world.hub.subscriptions()), (0, 0));
}

#[test]
fn nothing_is_left_and_nobody_waits_for_a_root_that_is_gone() {
    // The tables are as large then as they will be.
    storm(false);
    let world = World::get();
    assert_eq!((world.lacks.load(SeqCst), world.untold.load(SeqCst)), (0, 0));
    let before = world.memory.out();
    // Messages that a queue could not give back without memory come in the last one.
    for lacks_memory in [true, true, false] {
        storm(lacks_memory);
    }
    assert!(world.memory.out() <= before, "{} bytes are left of {before}", world.memory.out());
}
