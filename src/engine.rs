//! Drives the core: an event of the host becomes an input, the output becomes work for the host.
//!
//! One [`Engine`] lives in shared memory and is used by every process. The way of each event is straight: read what matters
//! from the message, step the subscription under its shard's lock (queueing its news there, so that news keep their order),
//! release the lock, then answer, wake and send.
#![forbid(unsafe_code)]

mod answer;
mod calls;
mod contact;
mod counters;
mod farewell;
mod flows;
mod lack;
mod latest;
mod lists;
mod live;
mod local;
mod notify;
mod owner;
mod publish;
mod publish_target;
mod registrations;
mod reply;
mod request;
mod resolver;
mod resources;
mod send;
mod shared;
mod shares;
mod start;
mod store;
mod tables;
mod tellings;
mod trace;
mod turns;
mod untold;
mod waits;
mod worker;

use std::hash::BuildHasher;
use std::sync::atomic::{AtomicBool, Ordering};

use foldhash::fast::FixedState;

use self::shared::{ParameterLock, ShmCredentials, ShmOrphans};
use crate::config::{Config, Live};
use crate::host::blocks::Root;
use crate::host::process::{self, Bell, ProcessError};
use crate::host::shm::{self, Shm};
use crate::host::{clock, log};
use crate::memory::{Defect, Defects, HashKey, OutOfMemory, Seldom, found, on_defect};
use crate::qsa::{DomainId, NotifierId, Pushed, QsaError, QueueId, Wake};
use crate::registry::{CreateError, Handle, Limits, WorkerBoard};
use crate::subscription::Packages;
use crate::time::Millis;

pub use crate::gate::Destination;
pub use counters::{RefusedFor, ReplyClass};
pub use flows::on_flow_lost;
pub use lack::Lack;
pub use notify::Handled;
pub use owner::Owner;
pub use publish_target::{CIRCLE, TAKEN};
pub use registrations::{RegistrationError, on_contact};
pub use reply::on_reply;
pub use shared::{
    ShmCalls, ShmGate, ShmHub, ShmLatest, ShmLookups, ShmProvisioned, ShmPublications, ShmReading, ShmRegistrations,
    ShmRegistry, ShmRosters, ShmShares, ShmUnsolicitedQueue,
};
pub use shares::{share_of_member, value_of_member};
pub use start::{EXISTS, NO_MEMORY};
pub use store::{CALL_TIE, Ownerless, Store, StoreCount, StoreWriter, settle_row};
pub use tables::NoReading;
pub use waits::{BOUNDS, Waited};

/// A registry step and the message it queued.
type ShmStepped = crate::registry::Stepped<Owner, Option<Pushed<Shm>>>;

/// A record takes so many bytes at most, or this does not compile: a subscription takes memory for its record above all.
const MOST_RECORD: usize = 176;
const _: usize = MOST_RECORD - ShmRegistry::RECORD;

/// All that the processes share: placed in shared memory before the fork. What is on the ordinary heap (the parameters, the
/// lists of queues and bells) is never written again, so that each process's copy stays the same.
pub struct Engine {
    /// The subscriptions.
    pub registry: ShmRegistry,
    /// The hub.
    pub hub: ShmHub,
    /// What is remembered of lists of resources.
    pub rosters: ShmRosters,
    /// Whose registrations somebody follows.
    pub registrations: ShmRegistrations,
    /// The calls of local users.
    pub calls: ShmCalls,
    /// Keeps the rates of destinations, and holds those that fail.
    pub gate: ShmGate,
    /// The requests that wait for names and connections.
    pub lookups: ShmLookups,
    /// The states that are at hand.
    kept: latest::KeptStates,
    /// The subscriptions of a table's rows.
    pub provisioned: ShmProvisioned,
    /// The reading of tables.
    pub reading: ShmReading,
    /// User names and secrets for realms.
    credentials: ShmCredentials,
    /// The states that are published.
    bridge: publish::Bridge,
    /// NOTIFYs that nobody subscribed to.
    unsolicited: notify::UnsolicitedNotifies,
    /// The parameters as they are at the start; those that can change are in `live`.
    pub config: Config,
    /// The integers as they are now.
    pub live: Live,
    /// Held while they are taken over.
    changing: ParameterLock,
    /// Queues of the subscriptions made by script and RPC, one for each worker: a subscription's news stay in order.
    event_queues: Vec<QueueId>,
    /// Internal subscriptions that share a dialog.
    shares: ShmShares,
    /// Where the subscriptions that are shared are kept apart.
    share_domain: DomainId,
    /// Their queues, one for each worker.
    share_queues: Vec<QueueId>,
    /// The SIP user agent as the hub knows it: a notifier of each package, in both domains.
    user_agent: Vec<NotifierId>,
    /// Connections that are lost.
    lost_flows: flows::LostFlows,
    /// Counts the lines in the log about subscriptions that fail.
    lines: turns::Lines,
    /// Contacts that could not be a target.
    bad_contacts: contact::BadContacts,
    /// SUBSCRIBEs, replies and NOTIFYs.
    counters: counters::Counters,
    /// The things that there was no memory for.
    lacks: lack::Lacks,
    /// Lists that could not be read and were handed on.
    list_faults: Seldom,
    /// Defects that were found.
    defects: Defects,
    /// Which workers sleep.
    board: WorkerBoard,
    /// Wakes one worker each.
    bells: Vec<Bell>,
    /// Whether the log has been told that the event callback may be missing.
    said: AtomicBool,
    /// Wakes one resolver each.
    resolver_bells: Vec<Bell>,
    /// Wakes the process that reads tables.
    table_bell: Option<Bell>,
    /// How subscriptions outlive the server, if they do.
    store: Option<Store>,
}

/// The engine of this server.
static ENGINE: Root<Engine> = Root::new();

/// The engine, once `mod_init` has made it, and until the server destroys its modules: what other modules tell then (the
/// dialog module ends its calls) would take locks that a killed process may have left locked.
#[must_use]
pub fn engine() -> Option<&'static Engine> {
    ENGINE.get().filter(|_| !process::is_ending())
}

/// Why the engine cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The registry.
    #[error("the table of subscriptions cannot be made: {0}")]
    Registry(#[from] CreateError),
    /// The hub.
    #[error("the QSA hub cannot be made: {0}")]
    Hub(#[from] QsaError),
    /// The SIP user agent is no notifier.
    #[error("the SIP user agent cannot be registered as a notifier: {0}")]
    UserAgent(QsaError),
    /// Pipes.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// The engine itself finds no room.
    #[error(transparent)]
    OutOfMemory(#[from] OutOfMemory),
}

/// Registers the SIP user agent with the hub, in the default domain and in that of the subscriptions that are shared.
pub type RegisterUserAgent = fn(&ShmHub, &Packages, shares: DomainId) -> Result<Vec<NotifierId>, QsaError>;

/// Makes the engine in shared memory; call once, in `mod_init`. The registry has the key of an earlier run, if there is one.
///
/// # Errors
/// When memory or pipes are lacking.
pub fn create(config: Config, register: RegisterUserAgent, stored: Option<HashKey>) -> Result<(), EngineError> {
    #[cfg(feature = "meter_locks")]
    if !crate::host::meter::start() {
        return Err(OutOfMemory.into());
    }
    let live = Live::new(config.integers);
    shm::prepare(live.max_memory())?;
    let key = HashKey::new(clock::random_bytes());
    let registry = registry(&config, &live, stored.unwrap_or(key))?;
    let store = config.stores.then(|| Store::new(key, Engine::now())).transpose()?;
    let hub = hub(&live)?;
    let kept = latest::KeptStates::new(ShmLatest::try_new(key, Shm)?);
    let bridge = publish::Bridge::new(ShmPublications::new(key, Shm));
    let rosters = ShmRosters::try_new(key, Shm)?.with_on_gap(lists::on_gap);
    let rosters = rosters.with_on_unremembered(lists::on_unremembered).with_on_fault(lists::on_fault);
    let rosters = rosters.with_on_state(resources::on_state, resources::on_gone);
    let registrations = ShmRegistrations::try_new(key, Shm)?;
    let calls = ShmCalls::try_new(key, usize::from(config.workers), Shm)?;
    let gate = ShmGate::try_new_in(live::gate_limits(&live, &config.policy), key, Shm)?;
    let lookups = ShmLookups::try_new_in(config.policy.failure_backoff_max, key, Shm)?;
    let workers = usize::from(config.workers);
    let event_queues = queues(&hub, &live, workers)?;
    let share_queues = queues(&hub, &live, workers)?;
    let bells = (0..workers).map(|_| Bell::hung()).collect::<Result<_, _>>()?;
    let resolver_bells = (0..config.resolvers).map(|_| Bell::hung()).collect::<Result<_, _>>()?;
    let table_bell = config.has_tables().then(Bell::hung).transpose()?;
    let unsolicited = notify::UnsolicitedNotifies::try_new(&config, &live)?;
    let provisioned = ShmProvisioned::new(key, Shm);
    let credentials = ShmCredentials::new(config.credential_domains.clone(), Shm);
    let shares = ShmShares::try_new(key, Shm).map_err(QsaError::from)?;
    let share_domain = shares::domain(&hub)?;
    let user_agent = register(&hub, &config.packages, share_domain).map_err(EngineError::UserAgent)?;
    let lost_flows = flows::LostFlows::try_new()?;
    let engine = Engine {
        registry,
        hub,
        rosters,
        registrations,
        calls,
        gate,
        lookups,
        kept,
        provisioned,
        reading: ShmReading::default(),
        credentials,
        bridge,
        unsolicited,
        config,
        live,
        changing: ParameterLock::new(()),
        event_queues,
        shares,
        share_domain,
        share_queues,
        user_agent,
        lost_flows,
        lines: turns::Lines::default(),
        bad_contacts: contact::BadContacts::default(),
        counters: counters::Counters::default(),
        lacks: lack::Lacks::default(),
        list_faults: Seldom::default(),
        defects: Defects::default(),
        board: WorkerBoard::new(workers),
        bells,
        said: AtomicBool::new(false),
        resolver_bells,
        table_bell,
        store,
    };
    ENGINE.place(engine).map_err(|_| OutOfMemory)?;
    on_defect(|defect| {
        if let Some(engine) = ENGINE.get() {
            engine.defects.note(defect);
        }
    });
    Ok(())
}

fn hub(live: &Live) -> Result<ShmHub, QsaError> {
    let hub = ShmHub::try_new(Shm)?.with_budget(live::budget(live)).with_on_loss(untold::on_loss);
    Ok(hub.with_on_end(tables::on_end).with_whole_state(latest::whole_state).with_clock(clock::ticks))
}

/// One for each worker.
fn queues(hub: &ShmHub, live: &Live, workers: usize) -> Result<Vec<QueueId>, QsaError> {
    (0..workers).map(|user| hub.queue_create(live.queue_limit(), Wake { f: ring_event_bell, user })).collect()
}

fn registry(config: &Config, live: &Live, key: HashKey) -> Result<ShmRegistry, CreateError> {
    let limits = Limits { shards: config.shards, max_subscriptions: live.max_subscriptions() };
    let registry = ShmRegistry::try_new_in(limits, key, Shm)?.with_trace(log::is_debug).with_history(config.history);
    Ok(if config.stores { registry.with_store() } else { registry })
}

fn ring_event_bell(worker: usize) {
    if let Some(engine) = engine() {
        engine.ring(worker);
    }
}

/// One of the queues, the same for the same hash.
fn queue_of(queues: &[QueueId], hash: u64) -> QueueId {
    let index = hash.checked_rem(queues.len() as u64).and_then(|index| usize::try_from(index).ok());
    index.and_then(|index| queues.get(index)).copied().unwrap_or_else(|| found(Defect::Queue))
}

impl Engine {
    /// Now, for the core.
    #[must_use]
    pub fn now() -> Millis {
        clock::now()
    }

    /// Does the work after a step, when the shard's lock is released, except answering and sending.
    fn settle(&self, wake: Option<Millis>, pushed: Option<Pushed<Shm>>) {
        if let Some(pushed) = pushed {
            for gone in pushed.gone.iter().filter(|gone| gone.is_last()) {
                self.end_untold(gone);
            }
            pushed.finish();
        }
        if let Some(at) = wake {
            self.ring(self.board.nearer(at, Self::now()));
        }
    }

    /// Says what one line in the log for all processes is enough for: that the event callback may be missing.
    pub fn say_once(&self, say: impl FnOnce()) {
        if !self.said.swap(true, Ordering::Relaxed) {
            say();
        }
    }

    /// Whether this notifier is the SIP user agent.
    #[must_use]
    pub fn is_user_agent(&self, notifier: NotifierId) -> bool {
        self.user_agent.contains(&notifier)
    }

    /// Whether messages of this queue are for the event route.
    #[must_use]
    pub fn is_event_queue(&self, queue: QueueId) -> bool {
        self.event_queues.contains(&queue)
    }

    /// Who takes the messages of a queue, for operators.
    #[must_use]
    pub fn consumer_of(&self, queue: QueueId) -> &'static str {
        if self.is_event_queue(queue) {
            "event_route"
        } else if self.share_queues.contains(&queue) {
            "shares"
        } else {
            "module"
        }
    }

    /// The queue of a subscription made by script or RPC. Its messages always go to one worker, so that they are told in order.
    #[must_use]
    pub fn event_queue_of(&self, record: &[u8], subscriber: &[u8]) -> QueueId {
        queue_of(&self.event_queues, FixedState::default().hash_one([record, subscriber]))
    }

    /// Whether any module but this one has made a queue.
    #[must_use]
    pub fn has_other_consumers(&self) -> bool {
        self.hub.queues() > self.event_queues.len() + self.share_queues.len()
    }

    /// Wakes a worker.
    fn ring(&self, worker: impl Into<Option<usize>>) {
        if let Some(bell) = worker.into().and_then(|worker| self.bells.get(worker)) {
            bell.ring();
        }
    }

    /// Bytes of the messages of a subscription that wait for its consumer.
    #[must_use]
    pub fn queued_bytes(&self, handle: Handle) -> usize {
        let looked = self.registry.view(handle, |subscription, owner| (*owner, subscription.fork()));
        looked.map_or(0, |(owner, fork)| self.hub.queued_bytes_of(owner.queue, owner.last, owner.subscription, fork))
    }

    /// The SIP part of an internal subscription, by the id shown to operators.
    #[must_use]
    pub fn by_id(&self, id: u32) -> Option<Handle> {
        self.registry.by_id(id)
    }
}
