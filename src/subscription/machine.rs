//! The subscription itself and its reaction to every input.
//!
//! One file per input. What several states have in common is asked of the [state](State): is the subscription wanted, is a
//! request in flight, has it a dialog? What allocates comes first: an input that finds no memory changes nothing.

mod accepted;
mod asked;
mod challenged;
mod command;
mod creation;
mod deadline;
mod early;
mod ending;
mod event;
mod extras;
mod facts;
mod fetch;
mod first_end;
mod fork;
mod held;
mod kept;
mod left;
mod local;
mod notify;
#[cfg(test)]
mod picture;
mod refused;
mod reply;
mod request;
mod restore;
mod way;

use std::time::Duration;

use allocator_api2::boxed::Box;

use super::brief::Brief;
use super::dialog::Dialog;
use super::digest::KnownCredentials;
use super::input::Input;
use super::options::Terms;
use super::output::{News, Output, Status, Turn, Untold};
use super::package::{PackageNumber, Packages};
use super::policy::Policy;
use super::proxies::Proxies;
use super::reason::{LastReason, Reason};
use super::schedule;
use super::state::{self, Attempt, Awaits, Standing, State};
use crate::memory::{Defect, OutOfMemory, SharedAlloc, SharedTexts, found};
use crate::time::{Millis, PackedMillis};
use ending::Failure;
use extras::Extras;

#[cfg(test)]
pub(super) use picture::Picture;

/// The contents of a new subscription. URIs are valid SIP URIs: the caller has checked them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subject<'a> {
    /// URI of the record subscribed to: Request-URI and To.
    pub record: &'a [u8],
    /// URI of the subscriber: From.
    pub subscriber: &'a [u8],
    /// Event package.
    pub package: PackageNumber,
    /// Event `id` parameter; empty for none.
    pub event_id: &'a [u8],
}

/// The values that come from outside with every input (law L9).
#[derive(Clone, Copy, Debug)]
pub struct Env<'a> {
    /// The time.
    pub now: Millis,
    /// The parameters.
    pub policy: &'a Policy,
    /// The event packages.
    pub packages: &'a Packages,
    /// A random number, fresh for every input.
    pub random: u64,
    /// User names and secrets for realms.
    pub credentials: &'a dyn KnownCredentials,
}

/// Record, subscriber, and what else their owners keep with them.
pub type SharedUris<A> = SharedTexts<4, A>;

const RECORD: usize = 0;
const SUBSCRIBER: usize = 1;

const USERNAME: usize = 0;
const SECRET: usize = 1;

/// The largest CSeq (RFC 3261 §8.1.1.5).
const LAST_CSEQ: u32 = (1 << 31) - 1;

/// One subscription: record, subscriber, state and SIP dialog.
#[cfg_attr(test, derive(Clone))]
pub struct Subscription<A: SharedAlloc> {
    /// Record and subscriber, shared with the hub.
    names: SharedUris<A>,
    pub(super) dialog: Option<Dialog<A>>,
    extras: Option<Box<Extras<A>, A>>,
    state: state::PackedState,
    deadline: PackedMillis,
    last_sent: PackedMillis,
    /// CSeq of the newest request. It goes on through all dialogs, so that a late reply to a request of an earlier
    /// dialog is never taken for one of this dialog's.
    pub(super) local_cseq: u32,
    /// Expires of the newest request.
    requested_expires: u32,
    /// Failures since the last success.
    pub(super) retries: u16,
    pub(super) notifies: u32,
    pub(super) last_reply: u16,
    last_reason: LastReason,
    package: PackageNumber,
    status: Option<Status>,
    /// This attempt has been repeated after a 423.
    widened: bool,
    /// The promise to the next request.
    turn: Promise,
    /// The internal subscriber has been told that the destination is held.
    told_held: bool,
    /// The outbound proxy of this attempt, or of the dialog that it has made.
    proxies: Proxies,
    /// How often this attempt has been repeated after a challenge.
    auth_attempts: AuthAttempts,
    /// When the request that opened the dialog was sent, in whole seconds of the clock: 4 bytes instead of 8, 4 MB less
    /// for a million subscriptions.
    opened: u32,
    /// 0 for the subscription itself, otherwise which fork of it this is.
    pub(super) fork: u8,
    alloc: A,
}

/// The promise to a request that was held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(test, derive(Hash))]
pub(super) enum Promise {
    /// Nothing.
    #[default]
    None,
    /// The moment of its deadline.
    Reserved,
    /// [`Input::Turn`], and no other wait then.
    Queued,
    /// [`Input::Saved`]: it opens a dialog that no database knows of yet.
    Unsaved,
}

/// Repetitions of one request after challenges.
#[derive(Clone, Copy, Debug, Default)]
struct AuthAttempts {
    /// How many, and in the upper half how many of old nonces: one byte, 1 MB less for a million subscriptions than
    /// two.
    used: u8,
    /// The next request goes on with the attempt: the repetitions so far count.
    goes_on: bool,
}

impl AuthAttempts {
    fn count(self) -> u8 {
        self.used & 0xf
    }

    fn stales(self) -> u8 {
        self.used >> 4
    }

    fn add(&mut self, is_stale: bool) {
        let stales = self.stales().saturating_add(u8::from(is_stale)).min(0xf);
        self.used = stales << 4 | self.count().saturating_add(1).min(0xf);
    }
}

impl<A: SharedAlloc> Subscription<A> {
    /// Takes one input and says what is to be done. Read [`deadline`](Self::deadline) again afterwards.
    ///
    /// An [`Input::Deadline`] that comes before the deadline is ignored: between taking it from an index and handing
    /// it in, the deadline may have moved.
    ///
    /// # Errors
    /// [`OutOfMemory`]: nothing has changed; the input may be tried again.
    pub fn handle(&mut self, input: Input<'_>, env: &Env<'_>) -> Result<Output, OutOfMemory> {
        let env = &Env { policy: env.policy.of(self.package()), ..*env };
        let was_well = self.is_well();
        // The answer to a fetch is its end, and no failure.
        let is_answer = matches!(input, Input::Notify(..)) && self.fetch_until().is_some();
        let bad_contacts = self.bad_contacts();
        // What ends it takes its options away, and may tell of a list all the same.
        let list = self.asks_for_lists();
        let output = self.take(input, env);
        self.tidy();
        let bad_contacts = Some(self.bad_contacts()).filter(|count| *count > bad_contacts);
        let turn = match (was_well, self.is_well()) {
            (true, false) if !is_answer && !self.is_fork() => Some(Turn::Failed),
            (false, true) => Some(Turn::Recovered),
            (true | false, true | false) => None,
        };
        let terms = self.own_terms().map(|own| own.terms);
        output.map(|mut output| {
            if let Some(news) = &mut output.news {
                news.list = list;
                news.merged = terms.is_some_and(|terms| terms.merged);
                news.keep = env.policy.keep_state || terms.is_some_and(|terms| terms.keep || terms.merged);
            }
            Output { turn, bad_contacts, ..output }
        })
    }

    /// What it is counted as.
    #[must_use]
    pub fn standing(&self) -> Standing {
        Standing::new(self.state, self.retries > 0)
    }

    /// Nothing has failed since the last success.
    fn is_well(&self) -> bool {
        self.retries == 0 && !matches!(self.status, Some(Status::Terminated | Status::Rejected))
    }

    fn take(&mut self, input: Input<'_>, env: &Env<'_>) -> Result<Output, OutOfMemory> {
        match input {
            Input::Start => Ok(self.on_start(env)),
            Input::Deadline(fresh) => self.on_deadline(fresh, env),
            Input::Through { cseq, proxy } => Ok(self.on_through(cseq, proxy, env)),
            Input::Sent { cseq, socket } => Ok(self.on_sent(cseq, socket)),
            Input::Over { cseq, flow } => Ok(self.on_over(cseq, flow)),
            Input::SendFailed { cseq } => {
                let output = self.on_unsent(cseq, Failure::UNSENT, env)?;
                Ok(self.unreached(output))
            }
            Input::NoWay { cseq } => self.on_unsent(cseq, Failure::NO_WAY, env),
            Input::Dropped { cseq } => self.on_unsent(cseq, Failure::inner(Reason::DroppedByScript), env),
            Input::Held { cseq, until, by, undo } => Ok(self.on_held(cseq, until, by, undo, env)),
            Input::Turn => Ok(self.on_turn(env.now)),
            Input::Saved => Ok(self.on_saved(env.now)),
            Input::Reply(reply) => self.on_reply(&reply, env),
            Input::Notify(notify, fingerprint) => {
                let as_asked;
                // A copy only for the few.
                let notify = match self.extras {
                    None => &notify,
                    Some(_) => {
                        as_asked = self.as_asked(notify, env.packages);
                        &as_asked
                    }
                };
                // A NOTIFY may end the dialog that it is answered in.
                let socket = self.dialog.as_ref().and_then(Dialog::socket);
                let is_new = env.policy.stores && !self.has_made_dialog();
                let mut output = self.on_notify(notify, fingerprint, env)?;
                output.socket = socket;
                // The notifier does not say its tag once more if the server is killed before that is written.
                output.unsaved = is_new && self.has_made_dialog();
                output.wants_source = self.extras.is_some() && self.wants_source(notify.cseq, &output);
                Ok(output)
            }
            Input::Source { cseq, address, transport } => self.on_source(cseq, (address, transport)),
            Input::Untold(why) => Ok(self.on_untold(why, env)),
            Input::PutOff(pause) => Ok(self.on_put_off(pause, env)),
            Input::NotForked => Ok(self.not_told(Untold::Refused)),
            Input::Refresh => Ok(self.on_refresh(env)),
            Input::Credentials { username, secret } => self.on_credentials(username, secret.0, env),
            Input::Told => Ok(self.on_told()),
            Input::FlowLost(flow) => self.on_flow_lost(flow, env),
            Input::Unsubscribe => Ok(self.on_unsubscribe(env.now)),
        }
    }

    /// Goes to confirmed and arms the nearest of: next SUBSCRIBE, expiry, Timer N.
    fn confirm(&mut self, next: Millis, awaits: Awaits) {
        let expiry = self.dialog.as_ref().and_then(Dialog::expiry);
        let mut nearest = expiry.map_or(next, |expiry| expiry.min(next));
        if let Awaits::FirstNotify { by } | Awaits::LastNotify { by } = awaits {
            nearest = nearest.min(by);
        }
        self.state = State::Confirmed { next, awaits }.into();
        self.arm(nearest);
    }

    /// Goes to waiting. Only an attempt that goes on keeps what it has of a dialog.
    fn wait(&mut self, attempt: Attempt, until: Millis) {
        match attempt {
            Attempt::Unstarted | Attempt::Fresh => {
                self.dialog = None;
                self.forget_ended_forks();
            }
            Attempt::Continued => {}
        }
        self.turn = Promise::None;
        self.state = State::Waiting(attempt).into();
        self.arm(until);
    }

    /// Sets the deadline; that of a fetch is never later than its end, nor any than the end of a status that is believed.
    fn arm(&mut self, at: Millis) {
        self.arm_beside_left(self.fetch_until().map_or(at, |until| until.min(at)));
    }

    /// News without a body, a code or another attempt, and not the last.
    fn news(&self, status: Status, reason: Brief) -> News {
        News { fork: self.fork, ..News::new(status, reason) }
    }

    fn tell(&mut self, news: News) -> Option<News> {
        self.status = Some(news.status);
        match news.status {
            Status::Terminated | Status::Rejected => self.forget_left(),
            Status::Active | Status::Pending => {}
        }
        Some(news)
    }

    /// The earliest instant `min_resubscribe_time` allows.
    fn earliest(&self, env: &Env<'_>) -> Millis {
        schedule::earliest(self.last_sent.get(), env.now, env.policy)
    }

    /// The end of the granted time; that of the requested time while none is granted.
    fn granted_until(&self) -> Option<Millis> {
        let asked = Duration::from_secs(u64::from(self.requested_expires));
        let told = self.dialog.as_ref().and_then(Dialog::expiry);
        told.or(self.last_sent.get().map(|sent| sent.after(asked)))
    }

    /// When the newest request was sent, in a state that comes after one.
    fn last_sent(&self) -> Millis {
        self.last_sent.get().unwrap_or_else(|| found(Defect::State))
    }

    fn has_made_dialog(&self) -> bool {
        self.dialog.as_ref().is_some_and(Dialog::is_made)
    }
}
