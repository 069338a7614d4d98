//! Internal subscriptions that share a dialog: the module itself holds the one that leads to SIP, the root.

use crate::engine::{Engine, Lack, NO_MEMORY, share_of_member, value_of_member};
use crate::memory::OutOfMemory;
use crate::qsa::{NotShared, QsaError, Refused, SubscriptionId, Wanted};
use crate::subscription::Options;

/// Lets an internal subscription share the dialog of equal ones, or be the first. Returns the notifier's value for it, for
/// [`leave`].
///
/// # Errors
/// Why not, for the operator; nothing is left behind.
pub(super) fn join(
    engine: &Engine,
    id: SubscriptionId,
    wanted: &Wanted<'_>,
    options: &Options,
) -> Result<u64, Refused> {
    let options = Options { share: false, ..options.clone() };
    let text = options.to_string();
    let root = Wanted { first_param: text.as_bytes(), options: Some(&options), ..*wanted };
    let key = [root.record, root.subscriber, root.package, root.first_param];
    let root = |hash| Wanted { queue: engine.share_queue(hash), subscriber_data: hash as usize, ..root };
    let joined = engine.shares().join(&engine.hub, (engine.share_domain(), key), id, root);
    let hash = joined.map_err(|NotShared { error, untold }| {
        if untold > 0 {
            engine.lacks_for(Lack::Share, untold);
        }
        refusal(error)
    })?;
    Ok(value_of_member(hash))
}

/// An internal subscription with this notifier's value has ended; false when it is none that shares.
pub(super) fn leave(engine: &Engine, subscription: SubscriptionId, value: u64) -> bool {
    let Some(hash) = share_of_member(value) else { return false };
    if let Some(root) = engine.shares().leave(hash, subscription) {
        let _ = engine.hub.unsubscribe(root);
    }
    true
}

/// The refusal for a subscriber that cannot share.
fn refusal(error: QsaError) -> Refused {
    match error {
        QsaError::Refused(refused) => refused,
        QsaError::OutOfMemory(OutOfMemory) => NO_MEMORY,
        _ => Refused::new("the hub has no room for the subscription that is to be shared"),
    }
}
