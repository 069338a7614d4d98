//! NOTIFYs that nobody subscribed to (RFC 3265 called their subscriptions implicit): voice mail servers report waiting messages in this way.
//!
//! Only one without a To tag is such: one with a tag belongs to a dialog, and if there is none, its notifier has to learn that.

use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU64, Ordering};

use allocator_api2::vec::Vec as SharedVec;
use foldhash::fast::FixedState;

use super::{AnswerMode, Handled, Judged, RETRY};
use crate::config::{Config, Live};
use crate::engine::{Engine, Lack, ShmUnsolicitedQueue, answer};
use crate::grammar::PeerUri;
use crate::host::log;
use crate::host::message::{Malformed, SipMessage};
use crate::host::notify_headers::{DialogIds, NotifyHeaders, OptionTags};
use crate::host::shm::Shm;
use crate::host::transaction::{self, Transaction};
use crate::memory::{OutOfMemory, Seldom};
use crate::qsa::NotQueued;
use crate::subscription::{Answer, Content, ListContent, Package};

/// Seconds between two lines about strangers.
const PAUSE: u64 = 60;

/// What is known of them, in shared memory.
pub struct UnsolicitedNotifies {
    /// One for each worker; none if they are not taken.
    pub(in crate::engine) queues: SharedVec<ShmUnsolicitedQueue, Shm>,
    accepted: AtomicU64,
    refused: AtomicU64,
    strangers: Seldom,
}

/// How many there were.
#[derive(Clone, Copy, Debug)]
pub struct UnsolicitedCounts {
    /// Accepted.
    pub accepted: u64,
    /// Refused, and left to the script.
    pub refused: u64,
    /// Accepted, and not told yet.
    pub queued: u64,
}

/// Why one is refused.
enum Unusable {
    Malformed(Malformed),
    BadExtension(OptionTags),
    Body(Answer),
    NotQueued(NotQueued),
}

impl From<Malformed> for Unusable {
    fn from(malformed: Malformed) -> Self {
        Self::Malformed(malformed)
    }
}

impl UnsolicitedNotifies {
    /// For these parameters.
    ///
    /// # Errors
    /// [`OutOfMemory`].
    pub(in crate::engine) fn try_new(config: &Config, live: &Live) -> Result<Self, OutOfMemory> {
        let mut queues = SharedVec::new_in(Shm);
        if !config.unsolicited.is_empty() {
            let workers = usize::from(config.workers);
            let (most, most_bytes) = (live.queue_limit() as usize, live.queue_bytes());
            queues.try_reserve_exact(workers).map_err(|_| OutOfMemory)?;
            queues.extend((0..workers).map(|_| ShmUnsolicitedQueue::new(most, most_bytes, Shm)));
        }
        let [accepted, refused] = [0, 0].map(AtomicU64::new);
        Ok(Self { queues, accepted, refused, strangers: Seldom::default() })
    }
}

impl Engine {
    /// How many NOTIFYs there were that nobody subscribed to.
    #[must_use]
    pub fn unsolicited(&self) -> UnsolicitedCounts {
        let [accepted, refused] =
            [&self.unsolicited.accepted, &self.unsolicited.refused].map(|count| count.load(Ordering::Relaxed));
        UnsolicitedCounts {
            accepted,
            refused,
            queued: self.unsolicited.queues.iter().map(ShmUnsolicitedQueue::len).sum(),
        }
    }

    /// Takes a NOTIFY that belongs to no dialog, if the operator wants such from its source.
    #[cold]
    pub(super) fn handle_unsolicited(&self, message: SipMessage<'_>, headers: &NotifyHeaders<'_>) -> Handled {
        let Some(recipient) = headers.recipient().filter(|_| !self.config.unsolicited.is_empty()) else {
            return Handled::No;
        };
        let Some(package) = self.trusted_package(message, headers) else {
            self.unsolicited.refused.fetch_add(1, Ordering::Relaxed);
            self.say_stranger(message, headers);
            return Handled::No;
        };
        match transaction::ensure(message) {
            Transaction::Ready => {}
            // tm has repeated the answer it gave before.
            Transaction::Repeated => return Handled::Yes,
            Transaction::None => {
                self.lacks(Lack::Answer);
                return Handled::Yes;
            }
        }
        let result = self.take_unsolicited(message, headers, package, recipient);
        let count = if result.is_ok() { &self.unsolicited.accepted } else { &self.unsolicited.refused };
        count.fetch_add(1, Ordering::Relaxed);
        let soon = || answer::SOON.as_bytes().to_vec();
        let (code, phrase, headers) = match result {
            Ok(()) => (200, "OK".to_owned(), Vec::new()),
            Err(Unusable::Malformed(Malformed(header))) => (400, format!("Malformed {header}"), soon()),
            Err(Unusable::BadExtension(tags)) => (420, "Bad Extension".to_owned(), answer::of_bad_extension(&tags)),
            Err(Unusable::Body(answer)) => {
                let (code, phrase) = answer.code_and_phrase();
                let is_type = answer == Answer::UnsupportedMediaType;
                (code, phrase.to_owned(), if is_type { self.accepted_types(package) } else { soon() })
            }
            Err(Unusable::NotQueued(why)) => {
                if why == NotQueued::OutOfMemory {
                    self.lacks(Lack::Notify);
                }
                (503, "Service Unavailable".to_owned(), RETRY.to_vec())
            }
        };
        self.answer(message, AnswerMode::Stateful, code, &phrase, &headers);
        Handled::Yes
    }

    /// The package of a NOTIFY whose source is trusted for it.
    fn trusted_package(&self, message: SipMessage<'_>, headers: &NotifyHeaders<'_>) -> Option<&'static Package> {
        let package = self.config.packages.find(headers.event().ok()?.package)?;
        let (source, _) = message.source()?;
        let trusts = |one: &crate::config::Unsolicited| one.package == package.number && one.trusts(source.ip());
        self.config.unsolicited.iter().any(trusts).then_some(package)
    }

    fn say_stranger(&self, message: SipMessage<'_>, headers: &NotifyHeaders<'_>) {
        if let Some(times) = self.unsolicited.strangers.note(1, PAUSE, Self::now().0 / 1000) {
            let source =
                message.source().map_or_else(|| "an unknown address".to_owned(), |(source, _)| source.to_string());
            let package = headers.event().ok().and_then(|event| self.config.packages.find(event.package));
            let package = package.map_or("unknown", |package| package.name);
            log::warn(&format!(
                "handle_notify() is false for a NOTIFY from {source} (package {package}) that nobody subscribed to: if the sender is yours, \
                 name this package and address in modparam unsolicited; {times} since the last such line"
            ));
        }
    }

    fn take_unsolicited(
        &self,
        message: SipMessage<'_>,
        headers: &NotifyHeaders<'_>,
        package: &'static Package,
        recipient: &[u8],
    ) -> Result<(), Unusable> {
        message.cseq(b"NOTIFY")?;
        if let Some(tags) = headers.unsupported(|tag| self.supports(tag))? {
            return Err(Unusable::BadExtension(tags));
        }
        let record = PeerUri::judge(recipient).ok_or(Malformed("To"))?.text();
        let body = message.body()?;
        let nobody = DialogIds { call_id: &[], local_tag: &[], remote_tag: Err(Malformed("From")) };
        let Judged { content, texts: (content_type, body) } =
            self.judge(Some(package), &nobody, headers.content_type(), headers.is_encoded(), body);
        match content {
            Content::Empty | Content::Acceptable | Content::Versioned { .. } => {}
            Content::List(ListContent { is_invited: true, .. }) => {}
            Content::List(_) | Content::Unsupported | Content::Encoded => {
                return Err(Unusable::Body(Answer::UnsupportedMediaType));
            }
            Content::Malformed => return Err(Unusable::Malformed(Malformed("Body"))),
            Content::TooLarge => return Err(Unusable::Body(Answer::TooLarge)),
        }
        let queues = &self.unsolicited.queues;
        let hash = FixedState::default().hash_one(record);
        let worker = hash.checked_rem(queues.len() as u64).and_then(|worker| usize::try_from(worker).ok()).unwrap_or(0);
        let queue = queues.get(worker).ok_or(Unusable::NotQueued(NotQueued::Full))?;
        queue.push([record, package.name.as_bytes(), content_type, body]).map_err(Unusable::NotQueued)?;
        self.ring(worker);
        Ok(())
    }
}
