//! The subscription itself and its reaction to every input.
//!
//! One file per input. What several states have in common is asked of the [state](State): is the subscription wanted, is a
//! request in flight, has it a dialog? What allocates comes first: an input that finds no memory changes nothing.

mod accepted;
mod challenged;
mod command;
mod deadline;
mod early;
mod ending;
mod extras;
mod fetch;
mod first_end;
mod fork;
mod held;
mod left;
mod notify;
#[cfg(test)]
mod picture;
mod refused;
mod reply;

use super::brief::Brief;
use super::dialog::Dialog;
use super::digest::{CNONCE_LEN, Credential};
use super::fingerprint::Fingerprint;
use super::input::{Flow, Input};
use super::options::Terms;
use super::output::{News, Output, Request, Status, Turn, Undo, Untold};
use super::package::{self, Package};
use super::policy::Policy;
use super::proxies::Proxies;
use super::reason::{LastReason, Reason};
use super::redirect::Targets;
use super::schedule;
use super::state::{self, Attempt, Awaits, State};
use crate::memory::{OutOfMemory, SharedAlloc, SharedTexts};
use crate::time::{Millis, PackedMillis};
use allocator_api2::boxed::Box;
use ending::Failure;
use extras::{Extras, OwnTerms};
#[cfg(test)]
pub(super) use picture::Picture;
use std::time::Duration;

/// What a new subscription is about. URIs are valid SIP URIs: the caller has checked them.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// URI of the record subscribed to: Request-URI and To.
    pub record: &'a [u8],
    /// URI of the subscriber: From.
    pub subscriber: &'a [u8],
    /// Event package.
    pub package: &'static Package,
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
    /// A random number, fresh for every input.
    pub random: u64,
    /// User names and secrets for realms, [sorted](Credential::sort).
    pub credentials: &'a [Credential],
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
    package: package::Number,
    status: Option<Status>,
    /// This attempt has been repeated after a 423.
    widened: bool,
    /// What the next request has been promised.
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

/// What a request that has been held is promised.
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
    /// A subscription that has not started: hand it [`Input::Start`] next.
    ///
    /// # Errors
    /// [`OutOfMemory`] when its text finds no room.
    #[cfg(test)]
    pub fn try_new(subject: Subject<'_>, alloc: A) -> Result<Self, OutOfMemory> {
        let names = SharedUris::try_new([subject.record, subject.subscriber, b"", b""], &alloc)?;
        Self::try_named(names, subject.package, subject.event_id, alloc)
    }

    /// The same with names that are there already.
    ///
    /// # Errors
    /// [`OutOfMemory`] when its event id finds no room.
    pub fn try_named(
        names: SharedUris<A>,
        package: &'static Package,
        event_id: &[u8],
        alloc: A,
    ) -> Result<Self, OutOfMemory> {
        let mut made = Self::blank(names, package::Number::of(package), alloc);
        made.set_event_id(event_id)?;
        Ok(made)
    }

    /// One with nothing but names and a package.
    fn blank(names: SharedUris<A>, package: package::Number, alloc: A) -> Self {
        Self {
            names,
            dialog: None,
            extras: None,
            state: State::Waiting(Attempt::Unstarted).into(),
            deadline: PackedMillis::NONE,
            last_sent: PackedMillis::NONE,
            local_cseq: 0,
            requested_expires: 0,
            retries: 0,
            notifies: 0,
            last_reply: 0,
            last_reason: LastReason::NOTHING,
            package,
            status: None,
            widened: false,
            turn: Promise::None,
            told_held: false,
            proxies: Proxies::default(),
            auth_attempts: AuthAttempts::default(),
            opened: 0,
            fork: 0,
            alloc,
        }
    }

    /// The same under terms of its own.
    ///
    /// # Errors
    /// [`OutOfMemory`] when they find no room.
    pub fn try_under(mut self, terms: Terms) -> Result<Self, OutOfMemory> {
        if terms != Terms::default() {
            self.extras_mut()?.own_terms = Some(OwnTerms { terms, until: PackedMillis::NONE });
        }
        Ok(self)
    }

    /// The terms it was made under.
    #[must_use]
    pub fn terms(&self) -> Terms {
        self.own_terms().map(|kept| kept.terms).unwrap_or_default()
    }

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
        let output = self.take(input, env);
        self.tidy();
        let bad_contacts = Some(self.bad_contacts()).filter(|count| *count > bad_contacts);
        let turn = match (was_well, self.is_well()) {
            (true, false) if !is_answer && !self.is_fork() => Some(Turn::Failed),
            (false, true) => Some(Turn::Recovered),
            (true | false, true | false) => None,
        };
        output.map(|output| Output { turn, bad_contacts, ..output })
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
            Input::SendFailed { cseq } => self.on_unsent(cseq, Failure::UNSENT, env),
            Input::NoWay { cseq } => self.on_unsent(cseq, Failure::NO_WAY, env),
            Input::Dropped { cseq } => self.on_unsent(cseq, Failure::inner(Reason::DroppedByScript), env),
            Input::Held { cseq, until, by, undo } => Ok(self.on_held(cseq, until, by, undo, env)),
            Input::Turn => Ok(self.on_turn(env.now)),
            Input::Reply(reply) => self.on_reply(&reply, env),
            Input::Notify(notify, fingerprint) => {
                // A NOTIFY may end the dialog that it is answered in.
                let socket = self.dialog.as_ref().and_then(Dialog::socket);
                let mut output = self.on_notify(&notify, fingerprint, env)?;
                output.socket = socket;
                Ok(output)
            }
            Input::Untold(why) => Ok(self.on_untold(why, env)),
            Input::PutOff(pause) => Ok(self.on_put_off(pause, env)),
            Input::NotForked => Ok(self.not_told(Untold::Refused)),
            Input::Refresh => Ok(self.on_refresh(env)),
            Input::Credentials { username, secret } => self.on_credentials(username, secret.0, env),
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
                self.forget_gone();
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

    /// While a request is in flight: the watchdog, or the end of what a NOTIFY has told or a 2xx has granted before, as then the
    /// state is not known any more.
    fn arm_in_flight(&mut self, env: &Env<'_>) {
        let sent = self.last_sent.get().unwrap_or_default();
        let watchdog = sent.after(env.policy.watchdog);
        let expiry = self.dialog.as_ref().and_then(Dialog::expiry);
        self.arm(expiry.map_or(watchdog, |expiry| expiry.min(watchdog)));
    }

    /// The next request of the dialog, asking for so many seconds; the deadline becomes the watchdog.
    fn send(&mut self, state: State, expires: u32, cnonce: [u8; CNONCE_LEN], env: &Env<'_>) -> Output {
        let undo = Undo {
            requested_expires: self.requested_expires,
            last_sent: self.last_sent.get(),
            goes_on: self.auth_attempts.goes_on,
            retries: matches!(self.state(), State::Confirmed { awaits: Awaits::Retry, .. }),
            awaits_notify: matches!(self.state(), State::Confirmed { awaits: Awaits::FirstNotify { .. }, .. }),
            outcome: self.dialog.as_ref().map(Dialog::outcome).unwrap_or_default(),
        };
        if !self.may_be_forked(env) {
            self.forget_gone();
        }
        let authorizations = self.authorize(cnonce, env);
        let Some(dialog) = &self.dialog else { return Output::default() };
        let cseq = if self.local_cseq < LAST_CSEQ { self.local_cseq.saturating_add(1) } else { 1 };
        // Not in what ends the subscription: its last NOTIFY is awaited.
        let is_refresh = matches!(state, State::Resubscription { .. });
        let known_state = if is_refresh { dialog.entity_tag() } else { &[] };
        let request = Request {
            target: dialog.target().to_vec(),
            record: self.record().to_vec(),
            subscriber: self.subscriber().to_vec(),
            call_id: dialog.call_id().to_vec(),
            local_tag: dialog.local_tag().to_vec(),
            remote_tag: dialog.remote_tag().to_vec(),
            cseq,
            route_set: dialog.route_set().to_vec(),
            proxies: self.proxies,
            via: self.targets().map(Targets::via).unwrap_or_default().to_vec(),
            expires,
            known_state: known_state.to_vec(),
            package: self.package().name,
            event_id: self.event_id().to_vec(),
            rates: self.terms().rates,
            filter: self.terms().filter.filter(|_| dialog.remote_tag().is_empty()),
            socket: dialog.socket(),
            authorizations,
            reserved: self.turn != Promise::None,
            queued: self.turn == Promise::Queued,
            undo,
        };
        match self.dialog.as_mut() {
            Some(dialog) if !dialog.remote_tag().is_empty() => dialog.count_request(),
            Some(_) | None => self.opened = u32::try_from(env.now.0 / 1000).unwrap_or(u32::MAX),
        }
        self.turn = Promise::None;
        if let Some(extras) = self.extras.as_deref_mut() {
            extras.early.sent();
        }
        self.local_cseq = cseq;
        self.requested_expires = expires;
        self.last_sent = env.now.into();
        self.state = state.into();
        match is_refresh {
            true => self.arm_in_flight(env),
            false => self.arm(env.now.after(env.policy.watchdog)),
        }
        Output { send: Some(request.into()), ..Output::default() }
    }

    /// Expires of the next request: its own or `default_expiration`, or what a 423 demanded; 0 for a fetch.
    fn wanted_expires(&self, policy: &Policy) -> u32 {
        if self.terms().fetch.is_some() {
            return 0;
        }
        let usual = || u32::try_from(policy.default_expiration.as_secs()).unwrap_or(u32::MAX);
        self.terms().expires.unwrap_or_else(usual).max(self.min_expires()).max(1)
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

    /// When what was granted is over, or was asked for as long as nobody has said.
    fn granted_until(&self) -> Option<Millis> {
        let asked = Duration::from_secs(u64::from(self.requested_expires));
        let told = self.dialog.as_ref().and_then(Dialog::expiry);
        told.or(self.last_sent.get().map(|sent| sent.after(asked)))
    }

    fn has_made_dialog(&self) -> bool {
        self.dialog.as_ref().is_some_and(Dialog::is_made)
    }

    /// When [`Input::Deadline`] is due; `None` before the start and at the end. While a request is in flight it is the
    /// watchdog's.
    #[must_use]
    pub fn deadline(&self) -> Option<Millis> {
        self.deadline.get()
    }

    /// The state of the subscription.
    #[must_use]
    pub fn state(&self) -> State {
        self.state.into()
    }

    /// URI of the record.
    #[must_use]
    pub fn record(&self) -> &[u8] {
        self.names.get(RECORD)
    }

    /// URI of the subscriber.
    #[must_use]
    pub fn subscriber(&self) -> &[u8] {
        self.names.get(SUBSCRIBER)
    }

    /// Event package.
    #[must_use]
    pub fn package(&self) -> &'static Package {
        self.package.package()
    }

    /// Event `id` parameter; empty when there is none.
    #[must_use]
    pub fn event_id(&self) -> &[u8] {
        self.extras.as_deref().map_or(&[], Extras::event_id)
    }

    /// Call-ID of the dialog; empty while there is none.
    #[must_use]
    pub fn call_id(&self) -> &[u8] {
        self.dialog.as_ref().map_or(&[], Dialog::call_id)
    }

    /// Whether there is a dialog, or the half of one.
    #[must_use]
    pub fn has_dialog(&self) -> bool {
        self.dialog.is_some()
    }

    /// Of the newest NOTIFY, when what it says of the dialog still holds; otherwise of nothing.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        self.dialog.as_ref().map_or(Fingerprint::NONE, Dialog::fingerprint)
    }

    /// Call-ID, local tag and remote tag of the dialog, all found in one look; empty while there is none.
    #[must_use]
    pub fn dialog_ids(&self) -> [&[u8]; 3] {
        self.dialog.as_ref().map_or([&[]; 3], Dialog::ids)
    }

    /// The connection that the dialog's SUBSCRIBEs go over, if it is known and not lost.
    #[must_use]
    pub fn flow(&self) -> Option<Flow> {
        self.dialog.as_ref().and_then(Dialog::flow)
    }

    /// Remote tag of the dialog; empty while there is none.
    #[must_use]
    pub fn remote_tag(&self) -> &[u8] {
        self.dialog.as_ref().map_or(&[], Dialog::remote_tag)
    }

    /// Whether a NOTIFY has made the dialog, and this tag is of another notifier than that one's.
    #[must_use]
    pub fn has_other_notifier_than(&self, remote_tag: &[u8]) -> bool {
        self.has_made_dialog() && !remote_tag.is_empty() && remote_tag != self.remote_tag()
    }

    /// What it takes of memory, but for its names, which it shares.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let texts = self.dialog.as_ref().map_or(0, Dialog::text_bytes);
        size_of::<Self>().saturating_add(texts).saturating_add(self.extras.as_deref().map_or(0, Extras::bytes))
    }

    /// Which fork of a subscription this is; 0 for the subscription itself.
    #[must_use]
    pub fn fork(&self) -> u8 {
        self.fork
    }

    /// The status last told to the internal subscriber; `None` before the first word.
    #[must_use]
    pub fn status(&self) -> Option<Status> {
        self.status
    }
}
