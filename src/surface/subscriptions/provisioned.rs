//! Subscriptions of a table's rows.

use std::str;

use super::{MOST_ROUNDS, SubscribeOutcome, SubscriptionError, find_named, make, refused, same, with_wanted};
use crate::engine::{CIRCLE, EXISTS, Engine, TAKEN};
use crate::memory::OutOfMemory;
use crate::provision::Round;
use crate::qsa::{QsaError, SubscriptionId, Wanted};
use crate::registry::Handle;
use crate::subscription::{OptionError, Options, Package};

/// What a row has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowOutcome {
    /// Its subscription was made.
    Added,
    /// Its subscription was there with other options: that one ends, and another one was made.
    Changed,
    /// Its subscription is there.
    Kept,
}

/// Why a row has no subscription.
#[derive(Debug, thiserror::Error)]
pub enum RowError {
    /// The same as an earlier one.
    #[error("an earlier row has the same record, subscriber, package and id: remove one of them")]
    Repeated,
    /// Not the table's.
    #[error("script or RPC have this subscription already: end it there, or remove the row")]
    Taken,
    /// As for script and RPC.
    #[error(transparent)]
    Subscription(#[from] SubscriptionError),
    /// As above, when the one with other options had been ended.
    #[error("{0}. The subscription of this row with other options has ended")]
    Ended(Box<Self>),
}

impl RowError {
    /// Whether another subscription has the user whose state this one would publish, or leads back to it.
    #[must_use]
    pub fn is_about_publishing(&self) -> bool {
        if let Self::Ended(error) = self {
            return error.is_about_publishing();
        }
        let Self::Subscription(SubscriptionError::Refused { cause: QsaError::Refused(cause), .. }) = self else {
            return false;
        };
        [TAKEN, CIRCLE].contains(cause)
    }
}

impl From<OutOfMemory> for RowError {
    fn from(error: OutOfMemory) -> Self {
        let cause = QsaError::OutOfMemory(error);
        Self::Subscription(SubscriptionError::Refused { record: "the record of the row".to_owned(), cause })
    }
}

/// Brings the subscription of a row in line with it, in a reading of the table: makes it, keeps it, or puts another one in its place.
///
/// # Errors
/// See [`RowError`]; nothing is left behind, and what was there stays, unless the error says that it has ended.
pub fn provision(engine: &Engine, row: [&[u8]; 4], round: Round) -> Result<RowOutcome, RowError> {
    with_wanted(engine, row, |wanted, package, options| {
        if let Some(seconds) = options.terms.fetch {
            let wanted = "omitted in a row of a table, whose subscription lasts".into();
            let error = OptionError::Value { name: "fetch", value: seconds.to_string(), wanted };
            return Err(SubscriptionError::from(error).into());
        }
        let mut outcome = RowOutcome::Added;
        let result = bring_in_line(engine, wanted, package, options, round, &mut outcome);
        // There is no room for both at a time: the earlier one is gone when the new one is refused.
        result.map_err(|error| if outcome == RowOutcome::Changed { RowError::Ended(Box::new(error)) } else { error })
    })
}

/// The same; `outcome` is at any time what the row has come to so far.
fn bring_in_line(
    engine: &Engine,
    wanted: &Wanted<'_>,
    package: &'static Package,
    options: &Options,
    round: Round,
    outcome: &mut RowOutcome,
) -> Result<RowOutcome, RowError> {
    for _ in 0..MOST_ROUNDS {
        if let Some(handle) = find_named(engine, wanted.record, wanted.subscriber, package, &options.id)
            && let Some(subscription) = subscription_of(engine, handle)
        {
            match engine.provisioned.round_of(subscription) {
                None => return Err(RowError::Taken),
                Some(other) if other == round => return Err(RowError::Repeated),
                Some(_) => match same(engine, handle, options) {
                    Ok(Some(_)) => {
                        mark(engine, subscription, round)?;
                        return Ok(RowOutcome::Kept);
                    }
                    Err(SubscriptionError::Differs { .. }) => {
                        let _ = engine.hub.unsubscribe(subscription);
                        *outcome = RowOutcome::Changed;
                    }
                    // It has ended by now.
                    Ok(None) | Err(_) => {}
                },
            }
        }
        match make(engine, wanted)? {
            SubscribeOutcome::Made(subscription, _) => {
                if let Err(error) = mark(engine, subscription, round) {
                    let _ = engine.hub.unsubscribe(subscription);
                    return Err(error.into());
                }
                return Ok(*outcome);
            }
            // Another process was faster.
            SubscribeOutcome::Refused(EXISTS) => {}
            SubscribeOutcome::Refused(cause) => return Err(refused(wanted, cause.into()).into()),
            SubscribeOutcome::Failed(cause) => return Err(refused(wanted, cause).into()),
        }
    }
    Err(SubscriptionError::Ended.into())
}

/// A subscription of an earlier run is one of the table's: the next reading keeps it, or ends it.
///
/// # Errors
/// There is no room to remember that.
pub fn mark_restored(engine: &Engine, subscription: SubscriptionId) -> Result<(), OutOfMemory> {
    mark(engine, subscription, Round::BEFORE)
}

/// Whether a row of a table has made the subscription of this handle.
#[must_use]
pub fn is_provisioned(engine: &Engine, handle: Handle) -> bool {
    let of_row = |subscription| engine.provisioned.round_of(subscription).is_some();
    engine.provisioned.len() > 0 && subscription_of(engine, handle).is_some_and(of_row)
}

/// Whether this is a value of the column `enabled`: a number, 0 for a row that counts as absent. `None` means 1.
#[must_use]
pub fn is_enabled(value: Option<&[u8]>) -> Option<bool> {
    let Some(value) = value else { return Some(true) };
    str::from_utf8(value).ok()?.trim().parse::<i64>().ok().map(|number| number != 0)
}

fn subscription_of(engine: &Engine, handle: Handle) -> Option<SubscriptionId> {
    engine.registry.view(handle, |_, owner| owner.subscription)
}

fn mark(engine: &Engine, subscription: SubscriptionId, round: Round) -> Result<(), OutOfMemory> {
    engine.provisioned.mark(subscription, round)?;
    // The subscription may have ended before the mark was set: then only this removes it.
    if !engine.hub.is_subscribed(subscription) {
        engine.provisioned.remove(subscription);
    }
    Ok(())
}
