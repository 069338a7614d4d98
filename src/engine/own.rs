//! Subscriptions made by the script and by operators: the module is their subscriber itself.

use super::Engine;
use super::start::EXISTS;
use crate::host::dialog::{Call, CallError};
use crate::qsa::{NewSubscription, NotifierId, QsaError, QueueId, Refused, SubscriptionId};
use crate::registry::Handle;
use crate::subscription::{
    Concealed, Credential, CredentialError, Input, OptionError, Options, Package, Secret, Subject, package,
};
use std::sync::OnceLock;

/// The SIP user agent as a notifier of each package. Set before the fork.
static USER_AGENT: OnceLock<Vec<NotifierId>> = OnceLock::new();

/// Says which notifiers the SIP user agent is; call once, in `mod_init`.
pub fn introduce_user_agent(notifiers: Vec<NotifierId>) {
    let _ = USER_AGENT.set(notifiers);
}

pub(super) fn is_user_agent(notifier: NotifierId) -> bool {
    USER_AGENT.get().is_some_and(|known| known.contains(&notifier))
}

/// How often somebody else may begin and end the same subscription while it is being made.
const MOST_ROUNDS: usize = 100;

/// The most bytes of a user name, and of a password.
const MOST_CREDENTIAL: usize = 256;

/// How `b2b_subscribe` is to behave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// `d`: the subscription ends with the call it was made in.
    pub with_call: bool,
}

impl Flags {
    /// Reads the flags of the script; `None` when one is unknown.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        let mut flags = Self::default();
        for letter in text {
            match letter {
                b'd' => flags.with_call = true,
                _ => return None,
            }
        }
        Some(flags)
    }
}

/// What script or RPC ask for.
#[derive(Clone, Copy, Debug)]
pub struct Wish<'a> {
    /// URI of the record.
    pub record: &'a [u8],
    /// URI of the subscriber.
    pub subscriber: &'a [u8],
    /// Event package, perhaps with an id as in an Event header; empty for presence.
    pub package: &'a [u8],
    /// Further [`Options`]; empty for none.
    pub options: &'a [u8],
}

/// Why script or RPC did not get their way.
#[derive(Debug, thiserror::Error)]
pub enum OwnError {
    /// The package is none of ours.
    #[error("unknown event package \"{0}\": known are {known}", known = package::ALL.map(|package| package.name).join(", "))]
    Package(String),
    /// A text beyond its bound.
    #[error(transparent)]
    TooLong(QsaError),
    /// Options that cannot be.
    #[error(transparent)]
    Options(#[from] OptionError),
    /// More than an id behind a package.
    #[error("\"{0}\" names a subscription, which only the option id does: give other options when it is made")]
    Name(String),
    /// Shares a dialog already.
    #[error(
        "option share is for subscriptions of other modules: script and RPC have one subscription for all who ask for the same anyway"
    )]
    Share,
    /// Asked for again, but not the same.
    #[error("there is this subscription with other options: end it first, or give the new one an id of its own")]
    Differs,
    /// The hub or the SIP user agent refused.
    #[error("no subscription to {record}: {cause}")]
    Refused {
        /// The record asked for.
        record: String,
        /// The reason.
        cause: QsaError,
    },
    /// There is no such subscription.
    #[error("no such subscription")]
    Unknown,
    /// Ended at once, by somebody else.
    #[error("the subscription was ended while it was being made")]
    Ended,
    /// Nobody handles subscriptions.
    #[error("modparam handle_presence_subscriptions is 0: set it to 1 to have subscriptions handled")]
    Off,
    /// Another module's.
    #[error("this subscription belongs to another module, which must end it itself")]
    Foreign,
    /// Credentials that no header can hold.
    #[error(transparent)]
    Credentials(#[from] CredentialError),
    /// No call to bind to.
    #[error(transparent)]
    Call(#[from] CallError),
}

impl OwnError {
    /// Whether there is no shared memory.
    #[must_use]
    pub fn is_memory(&self) -> bool {
        use super::start::NO_MEMORY;
        matches!(self, Self::Refused { cause: QsaError::OutOfMemory(_) | QsaError::Refused(NO_MEMORY), .. })
    }
}

impl Engine {
    /// Whether messages of this queue are for the event route.
    pub(super) fn is_own(&self, queue: QueueId) -> bool {
        self.event_queues.contains(&queue)
    }

    /// Subscribes for script or RPC. An existing subscription to the same is kept and named again, if it has the same
    /// options.
    ///
    /// # Errors
    /// See [`OwnError`]; nothing is left behind.
    pub fn subscribe(&self, wish: &Wish<'_>, call: Option<&Call>) -> Result<Handle, OwnError> {
        let Wish { record, subscriber, .. } = *wish;
        let domain = super::Hub::DEFAULT_DOMAIN;
        let asked = NewSubscription {
            domain,
            package: wish.package,
            record,
            subscriber,
            first_param: wish.options,
            queue: QueueId::default(),
            subscriber_data: 0,
        };
        asked.check_lengths().map_err(OwnError::TooLong)?;
        let (package, id) = named(wish.package)?;
        let options = match (&id[..], wish.options) {
            ("", given) => self.options(given)?,
            (_, b"") => Options { id, ..Options::default() },
            // So that an id given twice is refused.
            (id, given) => self.options(&[b"id=", id.as_bytes(), b";", given].concat())?,
        };
        if options.share {
            return Err(OwnError::Share);
        }
        if !self.config.handle_presence_subscriptions {
            return Err(OwnError::Off);
        }
        let first_param = options.to_string();
        let queue = self.queue_for(record, subscriber);
        let new =
            NewSubscription { package: package.name.as_bytes(), first_param: first_param.as_bytes(), queue, ..asked };
        for _ in 0..MOST_ROUNDS {
            if let Some(handle) = self.find(record, subscriber, package, &options.id)
                && let Some(same) = self.same(handle, &options)?
            {
                watch(same, call)?;
                return Ok(same);
            }
            let refused = |cause| OwnError::Refused { record: String::from_utf8_lossy(record).into_owned(), cause };
            match self.ask(&new)? {
                Asked::Made(subscription, handle) => {
                    let watched = watch(handle, call);
                    if watched.is_err() {
                        let _ = self.hub.unsubscribe(subscription);
                    }
                    watched?;
                    return Ok(handle);
                }
                // Another process was faster: its subscription is the one, unless that has ended by now.
                Asked::Refused(EXISTS) => {}
                Asked::Refused(cause) => return Err(refused(cause.into())),
                Asked::Failed(cause) => return Err(refused(cause)),
            }
        }
        Err(OwnError::Ended)
    }

    /// Makes an internal subscription, which is kept if the SIP user agent takes it up: other notifiers may do so as well,
    /// but it is the user agent that script and RPC ask.
    fn ask(&self, new: &NewSubscription<'_>) -> Result<Asked, OwnError> {
        // What has been taken up may have its answer, and be gone, already: a fetch has an id all the same.
        let mut heard = None;
        let made = self.hub.subscribe_and_hear(new, |notifier, answer| {
            if is_user_agent(notifier) {
                heard = Some(answer);
            }
        });
        let handle = heard.map(|answer| answer.map(Handle::from_u64));
        match (made, handle) {
            (Ok(subscription), Some(Ok(Some(handle)))) => Ok(Asked::Made(subscription, handle)),
            (Ok(subscription), answer) => {
                let _ = self.hub.unsubscribe(subscription);
                // Not even asked: ended before, by another notifier.
                answer.and_then(Result::err).map(Asked::Refused).ok_or(OwnError::Ended)
            }
            (Err(_), Some(Err(refused))) => Ok(Asked::Refused(refused)),
            (Err(cause), _) => Ok(Asked::Failed(cause)),
        }
    }

    /// Reads options.
    ///
    /// # Errors
    /// When they are malformed, or name a filter that is not there.
    pub fn options(&self, text: &[u8]) -> Result<Options, OptionError> {
        let mut options = Options::parse(text)?;
        options.find_filter(self.config.filters.iter().map(|filter| filter.name.as_str()))?;
        Ok(options)
    }

    /// The subscription of script or RPC to this. An id may follow the package, as in an Event header.
    ///
    /// # Errors
    /// When the package is unknown or there is no such subscription.
    pub fn find_own(&self, record: &[u8], subscriber: &[u8], package: &[u8]) -> Result<Handle, OwnError> {
        if package.len() > NewSubscription::MOST_PACKAGE {
            return Err(OwnError::Unknown);
        }
        let (package, id) = named(package)?;
        self.find(record, subscriber, package, &id).ok_or(OwnError::Unknown)
    }

    fn find(&self, record: &[u8], subscriber: &[u8], package: &'static Package, id: &str) -> Option<Handle> {
        self.registry.find(&Subject { record, subscriber, package, event_id: id.as_bytes() })
    }

    /// The subscription that is there already, if its options are those asked for; `None` when it has ended by now.
    fn same(&self, handle: Handle, options: &Options) -> Result<Option<Handle>, OwnError> {
        match self.registry.view(handle, |subscription, _| subscription.terms()) {
            Some(terms) if terms != options.terms => Err(OwnError::Differs),
            terms => Ok(terms.map(|_| handle)),
        }
    }

    /// Ends a subscription of script or RPC.
    ///
    /// # Errors
    /// When there is none, or it is another module's.
    pub fn unsubscribe(&self, handle: Handle) -> Result<(), OwnError> {
        let owner = self.registry.view(handle, |_, owner| *owner).ok_or(OwnError::Unknown)?;
        if !self.is_own(owner.queue) {
            return Err(OwnError::Foreign);
        }
        self.hub.unsubscribe(owner.subscription).map_err(|_| OwnError::Unknown)
    }

    /// Gives a subscription of script or RPC credentials of its own.
    ///
    /// # Errors
    /// When it cannot have them.
    pub fn give_credentials(&self, handle: Handle, username: &[u8], secret: &[u8]) -> Result<(), OwnError> {
        check_credentials(username, secret)?;
        let give = |handle| self.nudge(handle, Input::Credentials { username, secret: Concealed(secret) });
        if !give(handle) {
            return Err(OwnError::Unknown);
        }
        for fork in self.registry.forks_of(handle) {
            give(fork);
        }
        Ok(())
    }

    /// One subscription's messages always go to one worker, so that they are told in order.
    fn queue_for(&self, record: &[u8], subscriber: &[u8]) -> QueueId {
        let sum =
            record.iter().chain(subscriber).fold(0usize, |sum, &byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
        let index = sum.checked_rem(self.event_queues.len()).unwrap_or(0);
        self.event_queues.get(index).copied().unwrap_or_default()
    }
}

/// What came of asking for a subscription.
enum Asked {
    /// It is there.
    Made(SubscriptionId, Handle),
    /// The SIP user agent does not take it up.
    Refused(Refused),
    /// The hub does not make it.
    Failed(QsaError),
}

fn watch(handle: Handle, call: Option<&Call>) -> Result<(), CallError> {
    call.map_or(Ok(()), |call| call.watch(handle.to_u64()))
}

/// Judges a URI of record or subscriber by its length.
///
/// # Errors
/// [`OwnError::TooLong`].
pub fn check_uri(text: &[u8]) -> Result<(), OwnError> {
    let (what, length, most) = ("URI", text.len(), NewSubscription::MOST_URI);
    if length > most { Err(OwnError::TooLong(QsaError::TooLong { what, length, most })) } else { Ok(()) }
}

/// Judges a package that script or RPC name.
///
/// # Errors
/// When it is unknown, or more than an id follows.
pub fn check_package(text: &[u8]) -> Result<(), OwnError> {
    named(text).map(drop)
}

/// Judges options but for the name of a filter.
///
/// # Errors
/// When they are malformed or not for script and RPC.
pub fn check_options(text: &[u8]) -> Result<(), OwnError> {
    if Options::parse(text)?.share { Err(OwnError::Share) } else { Ok(()) }
}

/// Judges credentials.
///
/// # Errors
/// When no header can hold them.
pub fn check_credentials(username: &[u8], secret: &[u8]) -> Result<(), OwnError> {
    for (what, text) in [("user name", username), ("password", secret)] {
        let (length, most) = (text.len(), MOST_CREDENTIAL);
        if length > most {
            return Err(OwnError::TooLong(QsaError::TooLong { what, length, most }));
        }
    }
    Credential::check_username(username)?;
    Secret::parse(secret)?;
    Ok(())
}

/// A package and perhaps an id, as in an Event header: `presence;id=desk`.
fn named(text: &[u8]) -> Result<(&'static Package, String), OwnError> {
    let semicolon = text.iter().position(|byte| *byte == b';');
    let (package, rest) = text.split_at_checked(semicolon.unwrap_or(text.len())).unwrap_or((text, &[]));
    let package = known(package.trim_ascii_end())?;
    let options = Options::parse(rest.strip_prefix(b";").unwrap_or_default())?;
    let id = options.id.clone();
    if options != (Options { id, ..Options::default() }) {
        return Err(OwnError::Name(String::from_utf8_lossy(text).into_owned()));
    }
    Ok((package, options.id))
}

fn known(name: &[u8]) -> Result<&'static Package, OwnError> {
    let name = if name.is_empty() { package::PRESENCE.name.as_bytes() } else { name };
    package::find(name).ok_or_else(|| OwnError::Package(String::from_utf8_lossy(name).into_owned()))
}

/// A call has ended: so does the subscription bound to it. What dialog callbacks come to.
pub fn on_call_end(parameter: u64) {
    if let (Some(engine), Some(handle)) = (super::engine(), Handle::from_u64(parameter)) {
        // Ended already, perhaps by the script: nothing is left to do.
        let _ = engine.unsubscribe(handle);
    }
}
