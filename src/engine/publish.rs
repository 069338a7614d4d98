//! States that subscriptions publish: given to the presence server of this Kamailio, by the b2b workers.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::publish_target::PublishTarget;
use super::{Engine, ShmPublications};
use crate::bridge::{Outcome, PublishTask, PublishedDocument};
use crate::config::{OutOfReach, Unsolicited};
use crate::document::{PublishedPackage, RehomeError, RehomedDocument};
use crate::host::log;
use crate::host::presence::{self, PublishedState};
use crate::host::shm::Shm;
use crate::memory::Seldom;
use crate::qsa::{Delivered, SubscriptionId, UnsolicitedState};
use crate::subscription::Status;
use crate::time::Millis;

/// What names a published state among those of its user. It is always the same, so that a new state replaces the one before, also one that
/// an earlier run of the server has left.
const ETAG: &str = "presence_b2b.1";

/// An attempt that is no later than this, in seconds, comes at once.
const AT_ONCE: u32 = 1;

/// The same for a state that nobody subscribed to, beside which one of a subscription may be.
const UNSOLICITED_ETAG: &str = "presence_b2b.2";

/// How long a state waits that the presence server has refused.
const RETRY: Duration = Duration::from_secs(10);

/// How long the end of a worker may take; after two seconds it is ended.
const LONGEST_FAREWELL: Duration = Duration::from_millis(900);

/// How many due states are published in one round.
const BATCH: usize = 16;

/// Seconds between two lines of one kind.
const PAUSE: u64 = 10;

/// What is published, and how it went.
pub(super) struct Bridge {
    pub(super) publications: ShmPublications,
    published: AtomicU64,
    refused: AtomicU64,
    unfit: AtomicU64,
    refusals: Seldom,
    unfits: Seldom,
}

/// How often each has happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BridgeCounts {
    /// Users whose state is that of a subscription.
    pub publications: u64,
    /// Updates that the presence server has taken.
    pub published: u64,
    /// Updates that it has refused.
    pub refused: u64,
    /// Documents that cannot be published.
    pub unfit: u64,
}

impl Bridge {
    pub(super) fn new(publications: ShmPublications) -> Self {
        let [published, refused, unfit] = [const { AtomicU64::new(0) }; 3];
        Self { publications, published, refused, unfit, refusals: Seldom::default(), unfits: Seldom::default() }
    }
}

/// A task until its outcome is known: it fails if a panic ends the work.
struct Work<'e> {
    engine: &'e Engine,
    task: PublishTask<Shm>,
    is_done: bool,
}

impl Work<'_> {
    /// Whether there is more to tell right away.
    fn finish(mut self, outcome: Outcome) -> bool {
        self.is_done = true;
        self.engine.bridge.publications.done(&self.task, outcome, Engine::now())
    }
}

impl Drop for Work<'_> {
    fn drop(&mut self) {
        if !self.is_done {
            self.engine.bridge.publications.done(&self.task, Outcome::Failed(RETRY), Engine::now());
        }
    }
}

/// What a message says of the state.
enum Newest {
    /// This is the state.
    State(PublishedDocument<Shm>),
    /// It has become unknown.
    Unknown,
    /// Nothing that is to be told.
    Unchanged,
}

impl Engine {
    /// What is published now, and how it went.
    #[must_use]
    pub fn bridge_counts(&self) -> BridgeCounts {
        let Bridge { publications, published, refused, unfit, .. } = &self.bridge;
        let [published, refused, unfit] = [published, refused, unfit].map(|count| count.load(Ordering::Relaxed));
        BridgeCounts { publications: publications.len(), published, refused, unfit }
    }

    /// A worker has taken a message: if its subscription publishes, the newest state is published first.
    pub(super) fn publish_news(&self, delivered: &Delivered<Shm>) {
        if !self.bridge.publications.is_empty() {
            self.publish_message(delivered);
        }
    }

    #[cold]
    fn publish_message(&self, delivered: &Delivered<Shm>) {
        let message = &delivered.message;
        let subscription = message.subscription();
        let publications = &self.bridge.publications;
        // A user has one state of a subscription: that of its first dialog.
        if message.fork() != 0 || !publications.has(subscription.to_u64()) {
            return;
        }
        match self.newest_state(delivered) {
            Newest::State(document) => publications.note(subscription.to_u64(), Some(document)),
            Newest::Unknown => publications.note(subscription.to_u64(), None),
            Newest::Unchanged => return,
        }
        while let Some(task) = publications.take(subscription.to_u64()) {
            if !self.tell_presence(task) {
                break;
            }
        }
    }

    /// The newest state of a subscription, which may be newer than its message.
    fn newest_state(&self, delivered: &Delivered<Shm>) -> Newest {
        let message = &delivered.message;
        let goes_on = |status| matches!(status, Status::Active | Status::Pending);
        let (status, document) = match self.dialog_of(message.subscription(), 0) {
            Some(handle) => match self.state_of_dialog(handle) {
                Some(view) => {
                    let is_known = view.settled.is_some() || !view.is_behind;
                    (if is_known { view.status } else { Status::Terminated }, view.settled.map(|state| state.texts))
                }
                None => (message.status(), None),
            },
            // A notifier without dialogs tells all in each message.
            None => (message.status(), message.document()),
        };
        match document {
            Some(document) if goes_on(status) => Newest::State(document),
            _ if goes_on(status) => Newest::Unchanged,
            // The state ends with the subscription.
            _ if message.is_last() => Newest::Unchanged,
            // The notifier does not count as out of reach: the next attempt is at once.
            _ if message.next_attempt().is_some_and(|seconds| seconds <= AT_ONCE) => Newest::Unchanged,
            _ if self.config.publish_out_of_reach == Some(OutOfReach::Keep) => Newest::Unchanged,
            _ => Newest::Unknown,
        }
    }

    /// Publishes what is due: renewals, what could not be told before, the ends of states. Whether there was anything.
    pub(super) fn publish_due(&self) -> bool {
        let mut done = 0;
        while done < BATCH
            && let Some(task) = self.bridge.publications.take_due(Self::now())
        {
            self.tell_presence(task);
            done += 1;
        }
        done > 0
    }

    /// Tells the presence server of one state. Whether there is more to tell of it right away.
    fn tell_presence(&self, task: PublishTask<Shm>) -> bool {
        let work = Work { engine: self, task, is_done: false };
        let outcome = if work.task.is_end { self.take_back(&work.task) } else { self.publish(&work.task) };
        work.finish(outcome)
    }

    fn publish(&self, task: &PublishTask<Shm>) -> Outcome {
        let (package, uri) = (task.package, String::from_utf8_lossy(&task.uri));
        let state = task.document.as_ref().and_then(|texts| {
            let [content_type, body] = texts.all();
            let state = package.rehome(content_type, body, &uri, self.live.max_body());
            state.inspect_err(|error| self.note_unfit(Some(task), &uri, error)).ok()
        });
        // Where nothing has been published there is nothing to correct.
        let unknown = || task.is_there.then(|| RehomedDocument::of(package.unknown(&uri)));
        let Some(RehomedDocument { document, meaning }) = state.or_else(unknown) else { return Outcome::Nothing };
        let (lives, renewal) = (self.live.publish_expires(), self.live.publish_expires() * 3 / 4);
        let fingerprint = self.bridge.publications.fingerprint(&meaning);
        let is_fresh = Self::now().since(task.told_at) < renewal;
        if task.told == Some(fingerprint) && is_fresh {
            return Outcome::Unchanged(renewal);
        }
        if self.update_presence(package, &task.uri, &document, lives) {
            Outcome::Told(fingerprint, renewal)
        } else {
            Outcome::Failed(RETRY)
        }
    }

    /// Removes a state. An empty one is published before, because the presence server would otherwise send the last one again.
    fn take_back(&self, task: &PublishTask<Shm>) -> Outcome {
        if !task.is_there {
            return Outcome::Removed;
        }
        let (package, lives) = (task.package, self.live.publish_expires());
        let last = package.ended(&String::from_utf8_lossy(&task.uri));
        let is_told =
            package == PublishedPackage::MessageSummary || self.update_presence(package, &task.uri, &last, lives);
        if is_told && self.update_presence(package, &task.uri, &last, Duration::ZERO) {
            return Outcome::Removed;
        }
        // The state has expired already.
        let is_over = Self::now().since(task.told_at) > lives;
        if is_over { Outcome::Removed } else { Outcome::Failed(RETRY) }
    }

    fn update_presence(&self, package: PublishedPackage, uri: &[u8], document: &[u8], lives: Duration) -> bool {
        self.give_to_presence(package, uri, (ETAG, document), lives)
    }

    fn give_to_presence(
        &self,
        package: PublishedPackage,
        uri: &[u8],
        (etag, body): (&str, &[u8]),
        lives: Duration,
    ) -> bool {
        let presentity = PublishTarget::user_and_host(uri);
        let is_taken = presence::update(PublishedState { package: package.name(), presentity, etag, body }, lives);
        if is_taken {
            self.bridge.published.fetch_add(1, Ordering::Relaxed);
            return true;
        }
        self.bridge.refused.fetch_add(1, Ordering::Relaxed);
        if let Some(times) = self.bridge.refusals.note(1, PAUSE, Self::now().0 / 1000) {
            log::error(&format!(
                "the module presence has refused the state of {} in package {}, and {times} updates in all since the last such \
                 line: its message above says why; the module tries again every 10 s, but for unsolicited states",
                String::from_utf8_lossy(uri),
                package.name()
            ));
        }
        false
    }

    /// A worker has taken a state that nobody subscribed to: if the operator wants it, it is the state of its user for the given time, or
    /// until a new one comes. The module does not renew it, because it may have changed.
    pub(super) fn publish_unsolicited(&self, state: &UnsolicitedState<Shm>) {
        let [record, package, content_type, body] = state.all();
        let of_package = |one: &&Unsolicited| self.config.packages.get(one.package).name.as_bytes() == package;
        let wanted = self.config.unsolicited.iter().find(of_package).and_then(|one| one.publish);
        let Some((package, lives)) = wanted.filter(|_| !body.is_empty()) else { return };
        let Some(target) = PublishTarget::read(record) else { return };
        let uri = String::from_utf8_lossy(&target.uri);
        match package.rehome(content_type, body, &uri, self.live.max_body()) {
            Ok(RehomedDocument { document, .. }) => {
                self.give_to_presence(package, &target.uri, (UNSOLICITED_ETAG, &document), lives);
            }
            Err(error) => self.note_unfit(None, &uri, &error),
        }
    }

    fn note_unfit(&self, task: Option<&PublishTask<Shm>>, uri: &str, error: &RehomeError) {
        self.bridge.unfit.fetch_add(1, Ordering::Relaxed);
        if let (Some(task), RehomeError::Twice(_)) = (task, error) {
            // The state would go on and off for ever.
            self.bridge.publications.stop(task);
            return log::error(&format!(
                "nothing of the subscription that publishes the state of {uri} is published any more, and watchers see it as unknown: \
                 {error}; end the subscription, and have only one of the servers publish the state of the other"
            ));
        }
        if let Some(times) = self.bridge.unfits.note(1, PAUSE, Self::now().0 / 1000) {
            let seen = task.map_or("whose earlier state stays", |_| "which watchers see as unknown until the next one");
            log::warn(&format!(
                "a document is not published as the state of {uri}, {seen}: {error}; \
                 {times} documents since the last such line"
            ));
        }
    }

    /// A subscription has ended: a worker takes its state back.
    pub(super) fn end_publication(&self, subscription: SubscriptionId) {
        let now = Self::now();
        if self.bridge.publications.end(subscription.to_u64(), now) {
            self.ring(self.board.nearer(now, now));
        }
    }

    /// When a worker is to publish next.
    pub(super) fn next_publication(&self) -> Option<Millis> {
        self.bridge.publications.next_due()
    }
}

impl Engine {
    /// Whether states are taken back when the server stops. Those of subscriptions that go on at the next start stay.
    pub(super) fn takes_back_at_stop(&self) -> bool {
        !self.bridge.publications.is_empty() && !self.keeps_at_stop()
    }

    /// The server ends: so do the states, as far as there is time. Others end when the time is over that they live.
    pub(super) fn take_all_back(&self) {
        let end = Self::now().after(LONGEST_FAREWELL);
        while Self::now() < end
            && let Some(task) = self.bridge.publications.take_any()
        {
            self.tell_presence(task);
        }
    }
}
