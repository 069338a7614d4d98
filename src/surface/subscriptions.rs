//! Subscriptions made by the script and by operators over RPC: the module itself is their subscriber, and tells their messages in
//! `event_route[qsa:notify]`.

pub mod provisioned;

use super::ties::Ties;
use crate::engine::{EXISTS, Engine, NO_MEMORY, RegistrationError, ShmHub, TAKEN};
use crate::host::dialog::CallError;
use crate::host::log;
use crate::qsa::{QsaError, QueueId, Refused, StoredPart, SubscriptionId, Wanted};
use crate::registry::Handle;
use crate::subscription::{
    Credential, CredentialError, OptionError, Options, Package, Secret, Subject, package::PRESENCE,
};

/// How often another process may begin and end the same subscription while it is being made.
const MOST_ROUNDS: usize = 100;

/// The most bytes of a user name, and of a password.
const MOST_CREDENTIAL: usize = 256;

/// Why script or RPC did not get their way.
#[derive(Debug, thiserror::Error)]
pub enum SubscriptionError {
    /// The package is none of ours.
    #[error("unknown event package \"{name}\": known are {known}")]
    Package {
        /// Its name.
        name: String,
        /// The names of the packages that there are.
        known: String,
    },
    /// A text beyond its bound.
    #[error(transparent)]
    TooLong(QsaError),
    /// Options that cannot be.
    #[error(transparent)]
    Options(#[from] OptionError),
    /// More than an id behind a package.
    #[error("package \"{0}\": only an id may follow the package name; pass other options in the options parameter")]
    Name(String),
    /// Shares a dialog already.
    #[error("option share is for C modules only: omit it, as script and RPC always share one subscription")]
    Share,
    /// Asked for again, but not the same.
    #[error(
        "other options ({}) than subscription {id} has, which asks for the same: end it first, or give the new one another id",
        names.join(", ")
    )]
    Differs {
        /// The id of the subscription that there is.
        id: u32,
        /// The names of the options that differ.
        names: Vec<&'static str>,
    },
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
    /// Another process ended it at once.
    #[error("the subscription was ended while it was being made")]
    Ended,
    /// Nobody handles subscriptions.
    #[error("modparam handle_presence_subscriptions is 0: set it to 1 to allow subscriptions")]
    Off,
    /// Another module's.
    #[error("this subscription belongs to a C module: only that module can end it")]
    Foreign,
    /// Credentials that no header can hold.
    #[error(transparent)]
    Credentials(#[from] CredentialError),
    /// No call to bind to.
    #[error(transparent)]
    Call(#[from] CallError),
    /// No registration to bind to.
    #[error(transparent)]
    Registration(#[from] RegistrationError),
    /// The address of record cannot be read.
    #[error("the flag r needs an address of record, but {0} is no SIP URI with a user")]
    Aor(String),
}

impl SubscriptionError {
    /// Whether there is no shared memory.
    #[must_use]
    pub fn is_memory(&self) -> bool {
        matches!(
            self,
            Self::Refused { cause: QsaError::OutOfMemory(_) | QsaError::Refused(NO_MEMORY), .. }
                | Self::Registration(RegistrationError::OutOfMemory(_))
        )
    }
}

/// Subscribes for script or RPC. An id may follow the package, as in an Event header; an empty package is presence. An existing
/// subscription to the same is kept and named again, if it has the same options.
///
/// # Errors
/// See [`SubscriptionError`]; nothing is left behind.
pub fn subscribe(
    engine: &Engine,
    [record, subscriber, package, options]: [&[u8]; 4],
    ties: &Ties,
) -> Result<Handle, SubscriptionError> {
    with_wanted(engine, [record, subscriber, package, options], |wanted, package, options| {
        ties.check(engine)?;
        for _ in 0..MOST_ROUNDS {
            if let Some(handle) = find_named(engine, record, subscriber, package, &options.id)
                && let Some(same) = same(engine, handle, options)?
            {
                match ties.tie(engine, same) {
                    Ok(()) => return Ok(same),
                    // A worker ends it, and may not have come to it yet: it is ended here and now, and another one is made.
                    Err(SubscriptionError::Registration(RegistrationError::Ending)) => {
                        let _ = unsubscribe(engine, same);
                        engine.end(same);
                        continue;
                    }
                    Err(error) => return Err(error),
                }
            }
            match make(engine, wanted)? {
                SubscribeOutcome::Made(subscription, handle) => {
                    return match ties.tie(engine, handle) {
                        Ok(()) => Ok(handle),
                        Err(error) => {
                            let _ = engine.hub.unsubscribe(subscription);
                            Err(error)
                        }
                    };
                }
                // Another process was faster: its subscription is the one, unless that has ended by now.
                SubscribeOutcome::Refused(EXISTS) => {}
                // Perhaps that publishes the same.
                SubscribeOutcome::Refused(TAKEN) => {
                    let theirs = find_named(engine, record, subscriber, package, &options.id);
                    let same = theirs.map(|handle| same(engine, handle, options)).transpose()?.flatten();
                    return same.ok_or_else(|| refused(wanted, TAKEN.into()));
                }
                SubscribeOutcome::Refused(cause) => return Err(refused(wanted, cause.into())),
                SubscribeOutcome::Failed(cause) => return Err(refused(wanted, cause)),
            }
        }
        Err(SubscriptionError::Ended)
    })
}

/// Goes on with a subscription of script, RPC or a table that an earlier run of the server has left.
///
/// # Errors
/// See [`SubscriptionError`]; nothing is left behind.
pub fn restore(
    engine: &Engine,
    texts: [&[u8]; 4],
    stored: StoredPart<'_>,
) -> Result<(SubscriptionId, Handle), SubscriptionError> {
    with_wanted(engine, texts, |wanted, _, _| {
        let wanted = Wanted { stored: Some(stored), ..*wanted };
        match make(engine, &wanted)? {
            SubscribeOutcome::Made(subscription, handle) => Ok((subscription, handle)),
            SubscribeOutcome::Refused(cause) => Err(refused(&wanted, cause.into())),
            SubscribeOutcome::Failed(cause) => Err(refused(&wanted, cause)),
        }
    })
}

/// Reads a wish of script, RPC or a table.
///
/// # Errors
/// See [`SubscriptionError`]; nothing has been made.
fn with_wanted<R, E: From<SubscriptionError>>(
    engine: &Engine,
    [record, subscriber, package, options]: [&[u8]; 4],
    work: impl FnOnce(&Wanted<'_>, &'static Package, &Options) -> Result<R, E>,
) -> Result<R, E> {
    let given = Wanted {
        package,
        record,
        subscriber,
        first_param: options,
        options: None,
        queue: QueueId::default(),
        subscriber_data: 0,
        stored: None,
    };
    given.check_lengths().map_err(SubscriptionError::TooLong)?;
    let (package, id) = named(engine, package)?;
    let options = options_of(engine, id, options)?;
    if !engine.live.handle_presence_subscriptions() {
        return Err(SubscriptionError::Off.into());
    }
    let first_param = options.to_string();
    let wanted = Wanted {
        package: package.name.as_bytes(),
        first_param: first_param.as_bytes(),
        options: Some(&options),
        queue: engine.event_queue_of(record, subscriber),
        ..given
    };
    work(&wanted, package, &options)
}

fn refused(wanted: &Wanted<'_>, cause: QsaError) -> SubscriptionError {
    SubscriptionError::Refused { record: String::from_utf8_lossy(wanted.record).into_owned(), cause }
}

/// Makes an internal subscription, which is kept if the SIP user agent takes it up: other notifiers may do so as well, but it is the
/// user agent that script and RPC ask.
fn make(engine: &Engine, wanted: &Wanted<'_>) -> Result<SubscribeOutcome, SubscriptionError> {
    let mut entered = None;
    let made = engine.hub.subscribe_prepared(ShmHub::DEFAULT_DOMAIN, wanted, |id| {
        entered = Some(id);
        engine.claim_user(id, wanted)
    });
    if let (Err(_), Some(id)) = (&made, entered) {
        engine.give_up_user(id);
    }
    let made = match made {
        Ok(made) => made,
        // The user agent has the first place among the notifiers, so that the first refusal is its own.
        Err(QsaError::Refused(refused)) => return Ok(SubscribeOutcome::Refused(refused)),
        Err(cause) => return Ok(SubscribeOutcome::Failed(cause)),
    };
    // A subscription may have its answer, and be gone, already: a fetch has an id all the same.
    let answer = made.answer_of(|notifier| engine.is_user_agent(notifier));
    if let Some(Ok(value)) = answer
        && let Some(handle) = Handle::from_u64(value)
    {
        return Ok(SubscribeOutcome::Made(made.id, handle));
    }
    let _ = engine.hub.unsubscribe(made.id);
    // Not even asked: ended before, by another notifier.
    answer.and_then(Result::err).map(SubscribeOutcome::Refused).ok_or(SubscriptionError::Ended)
}

/// The options of a subscription of script or RPC, which may have been given an id behind the package.
fn options_of(engine: &Engine, id: String, given: &[u8]) -> Result<Options, SubscriptionError> {
    let options = engine.options(given)?;
    if options.share {
        return Err(SubscriptionError::Share);
    }
    if id.is_empty() {
        return Ok(options);
    }
    if !options.id.is_empty() {
        return Err(OptionError::Repeated { name: "id", value: options.id }.into());
    }
    Ok(Options { id, ..options })
}

/// The subscription of script or RPC to this. An id may follow the package, as in an Event header.
///
/// # Errors
/// When the package is unknown or there is no such subscription.
pub fn find(engine: &Engine, record: &[u8], subscriber: &[u8], package: &[u8]) -> Result<Handle, SubscriptionError> {
    if package.len() > Wanted::MOST_PACKAGE {
        return Err(SubscriptionError::Unknown);
    }
    let (package, id) = named(engine, package)?;
    find_named(engine, record, subscriber, package, &id).ok_or(SubscriptionError::Unknown)
}

fn find_named(
    engine: &Engine,
    record: &[u8],
    subscriber: &[u8],
    package: &'static Package,
    id: &str,
) -> Option<Handle> {
    engine.registry.find(&Subject { record, subscriber, package: package.number, event_id: id.as_bytes() })
}

/// The subscription that is there already, if its options are those asked for; `None` when it has ended by now.
fn same(engine: &Engine, handle: Handle, options: &Options) -> Result<Option<Handle>, SubscriptionError> {
    let looked = engine.registry.view(handle, |subscription, owner| {
        (subscription.options(), subscription.record().to_vec(), owner.subscription)
    });
    let Some((there, record, subscription)) = looked else { return Ok(None) };
    let there = Options { publish: engine.publishes(subscription, &record), ..there };
    let publish = options.publish.as_ref().map(|publish| engine.as_published(publish, &record));
    match there.differences(&Options { publish, ..options.clone() }) {
        names if names.is_empty() => Ok(Some(handle)),
        names => Err(SubscriptionError::Differs { id: handle.id(), names }),
    }
}

/// Ends a subscription of script or RPC.
///
/// # Errors
/// When there is none, or it is another module's.
pub fn unsubscribe(engine: &Engine, handle: Handle) -> Result<(), SubscriptionError> {
    let owner = engine.registry.view(handle, |_, owner| *owner).ok_or(SubscriptionError::Unknown)?;
    if !engine.is_event_queue(owner.queue) {
        return Err(SubscriptionError::Foreign);
    }
    engine.hub.unsubscribe(owner.subscription).map_err(|_| SubscriptionError::Unknown)
}

/// Gives a subscription of script or RPC credentials of its own.
///
/// # Errors
/// When it cannot have them.
pub fn give_credentials(
    engine: &Engine,
    handle: Handle,
    username: &[u8],
    secret: &[u8],
) -> Result<(), SubscriptionError> {
    check_credentials(username, secret)?;
    if engine.give_credentials(handle, username, secret) { Ok(()) } else { Err(SubscriptionError::Unknown) }
}

/// The outcome of asking for a subscription.
enum SubscribeOutcome {
    /// It is there.
    Made(SubscriptionId, Handle),
    /// The SIP user agent does not take it up.
    Refused(Refused),
    /// The hub does not make it.
    Failed(QsaError),
}

/// Judges a URI of record or subscriber by its length.
///
/// # Errors
/// [`SubscriptionError::TooLong`].
pub fn check_uri(text: &[u8]) -> Result<(), SubscriptionError> {
    let (what, length, most) = ("URI", text.len(), Wanted::MOST_URI);
    if length > most { Err(SubscriptionError::TooLong(QsaError::TooLong { what, length, most })) } else { Ok(()) }
}

/// Judges a package that script or RPC name.
///
/// # Errors
/// When it is unknown, or more than an id follows.
pub fn check_package(engine: &Engine, text: &[u8]) -> Result<(), SubscriptionError> {
    named(engine, text).map(drop)
}

/// Judges options but for the name of a filter.
///
/// # Errors
/// When they are malformed or not for script and RPC.
pub fn check_options(text: &[u8]) -> Result<(), SubscriptionError> {
    if Options::parse(text)?.share { Err(SubscriptionError::Share) } else { Ok(()) }
}

/// Judges credentials.
///
/// # Errors
/// When no header can hold them.
pub fn check_credentials(username: &[u8], secret: &[u8]) -> Result<(), SubscriptionError> {
    for (what, text) in [("user name", username), ("password", secret)] {
        let (length, most) = (text.len(), MOST_CREDENTIAL);
        if length > most {
            return Err(SubscriptionError::TooLong(QsaError::TooLong { what, length, most }));
        }
    }
    Credential::check_username(username)?;
    Secret::parse(secret)?;
    Ok(())
}

/// A package and perhaps an id, as in an Event header: `presence;id=desk`.
fn named(engine: &Engine, text: &[u8]) -> Result<(&'static Package, String), SubscriptionError> {
    let semicolon = text.iter().position(|byte| *byte == b';');
    let (package, rest) = text.split_at_checked(semicolon.unwrap_or(text.len())).unwrap_or((text, &[]));
    let package = package.trim_ascii_end();
    let package = known_package(engine, if package.is_empty() { PRESENCE.name.as_bytes() } else { package })?;
    let options = Options::parse(rest.strip_prefix(b";").unwrap_or_default())?;
    let id = options.id.clone();
    if options != (Options { id, ..Options::default() }) {
        return Err(SubscriptionError::Name(String::from_utf8_lossy(text).into_owned()));
    }
    Ok((package, options.id))
}

/// The package with this event type.
///
/// # Errors
/// When there is none.
pub fn known_package(engine: &Engine, name: &[u8]) -> Result<&'static Package, SubscriptionError> {
    let packages = &engine.config.packages;
    packages
        .find(name)
        .ok_or_else(|| SubscriptionError::Package { name: log::beginning(name), known: packages.names() })
}
