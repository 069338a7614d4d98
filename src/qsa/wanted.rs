//! The wish of a subscriber, and its result.

use super::error::QsaError;
use super::ids::{MAX_NOTIFIERS, NotifierId, QueueId, SubscriptionId};
use super::notifier::Refused;
use crate::subscription::{Options, StoredLife};

/// A subscription that is wanted. The same value goes all the way: the subscriber fills it in, the hub keeps what it says and offers it
/// to the notifiers, and later shows it.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// The kind of state.
    pub package: &'a [u8],
    /// Whose state is wanted.
    pub record: &'a [u8],
    /// The subscriber.
    pub subscriber: &'a [u8],
    /// Subscription parameter of the package; empty when there is none.
    pub first_param: &'a [u8],
    /// The parameter as a value, if the subscriber has read it already. A notifier that registers later gets the text only.
    pub options: Option<&'a Options>,
    /// Where the messages go.
    pub queue: QueueId,
    /// The subscriber's own value, given back with each message.
    pub subscriber_data: usize,
    /// What an earlier run of the server has left of it; a notifier that registers later does not get that.
    pub stored: Option<StoredPart<'a>>,
}

/// The notifier's side of a subscription that an earlier run of the server has made.
#[derive(Clone, Copy, Debug)]
pub struct StoredPart<'a> {
    /// What it was called there, as a number: it is called so again if that is possible.
    pub handle: u64,
    /// What it goes on with.
    pub life: &'a StoredLife<'a>,
    /// Its state is to be fetched as soon as possible, because nobody has it.
    pub fetch: bool,
}

impl Wanted<'_> {
    /// The most bytes of the record, and of the subscriber.
    pub const MOST_URI: usize = 1024;

    /// The most bytes of a package's name.
    pub const MOST_PACKAGE: usize = 512;

    /// The most bytes of the parameter.
    pub const MOST_PARAM: usize = 2048;

    /// Whether no text is beyond its bound: the hub keeps them, and they go onto the wire.
    ///
    /// # Errors
    /// [`QsaError::TooLong`], of the first that is.
    pub fn check_lengths(&self) -> Result<(), QsaError> {
        let bounds = [
            ("record", self.record, Self::MOST_URI),
            ("subscriber", self.subscriber, Self::MOST_URI),
            ("package", self.package, Self::MOST_PACKAGE),
            ("text of the options", self.first_param, Self::MOST_PARAM),
        ];
        match bounds.into_iter().find(|(_, text, most)| text.len() > *most) {
            Some((what, text, most)) => Err(QsaError::TooLong { what, length: text.len(), most }),
            None => Ok(()),
        }
    }
}

/// A subscription that has been made, and what each notifier has answered to it.
#[derive(Clone, Copy, Debug)]
pub struct Made {
    /// Names the subscription.
    pub id: SubscriptionId,
    pub(super) answers: [Option<(NotifierId, Result<u64, Refused>)>; MAX_NOTIFIERS],
}

impl Made {
    /// The answer of the first notifier that `is_it`: its own value for the subscription, or why it refuses; `None` when none of them
    /// was asked.
    pub fn answer_of(&self, is_it: impl Fn(NotifierId) -> bool) -> Option<Result<u64, Refused>> {
        self.answers.iter().flatten().find(|(notifier, _)| is_it(*notifier)).map(|(_, answer)| *answer)
    }
}
