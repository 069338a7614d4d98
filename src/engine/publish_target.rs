//! Whose state a subscription publishes.

use super::Engine;
use super::start::NO_MEMORY;
use crate::bridge::{Claim, NotClaimed};
use crate::document::PublishedPackage;
use crate::grammar::Aor;
use crate::host::presence;
use crate::qsa::{Refused, SubscriptionId, Wanted};
use crate::registry::Handle;
use crate::subscription::PublishAs;

/// Another subscription has the user.
pub const TAKEN: Refused = Refused {
    reason: "another subscription publishes this user: end it, or set publish_as; presence_b2b.list shows it",
    code: -2,
};

/// The state would come back to its record.
pub const CIRCLE: Refused =
    Refused { reason: "its state would go round in a circle: set another publish_as", code: -3 };

/// A user of the presence server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PublishTarget {
    /// The same for all URIs of the user.
    key: Vec<u8>,
    /// `sip:user@host`.
    pub(super) uri: Vec<u8>,
}

impl PublishTarget {
    /// Of a URI; `None` if it has no user.
    pub(super) fn read(uri: &[u8]) -> Option<Self> {
        let Aor { user, host } = Aor::read(uri).filter(|aor| !aor.user.is_empty())?;
        let uri = [b"sip:", Aor::user_as_written(uri), b"@", &host].concat();
        Some(Self { key: [&user[..], b"@", &host].concat(), uri })
    }

    /// User and host of a URI that is written as `sip:user@host`.
    pub(super) fn user_and_host(uri: &[u8]) -> [&[u8]; 2] {
        let place = uri.strip_prefix(b"sip:").unwrap_or(uri);
        let at = place.iter().rposition(|byte| *byte == b'@').unwrap_or(place.len());
        let (user, host) = place.split_at_checked(at).unwrap_or((place, b""));
        [user, host.get(1..).unwrap_or_default()]
    }
}

impl Engine {
    /// Claims the user whose state a new subscription publishes, if it does.
    ///
    /// # Errors
    /// Why it cannot, for the operator.
    pub fn claim_user(&self, id: SubscriptionId, wanted: &Wanted<'_>) -> Result<(), Refused> {
        let Some(publish) = wanted.options.and_then(|options| options.publish.as_ref()) else { return Ok(()) };
        let name = std::str::from_utf8(wanted.package).unwrap_or_default();
        let package = PublishedPackage::find(name)
            .ok_or_else(|| Refused::new("only presence, dialog and message-summary can be published"))?;
        presence::takes(name).map_err(|missing| Refused::new(missing.sentence()))?;
        let record = PublishTarget::read(wanted.record);
        let target = match publish {
            PublishAs::Record => record.clone(),
            PublishAs::Uri(uri) => PublishTarget::read(uri.as_bytes()),
        };
        let target = target.ok_or_else(|| Refused::new("the record has no user: name one with option publish_as"))?;
        let record = record.map_or_else(|| wanted.record.to_vec(), |record| record.key);
        let claim = Claim { package, target: &target.key, uri: &target.uri, record: &record };
        let now = Self::now();
        self.bridge.publications.claim(id.to_u64(), &claim, now).map_err(|why| match why {
            NotClaimed::Taken => TAKEN,
            NotClaimed::Circle => CIRCLE,
            NotClaimed::OutOfMemory => NO_MEMORY,
        })?;
        if self.next_publication().is_some_and(|due| due <= now) {
            self.ring(self.board.nearer(now, now));
        }
        Ok(())
    }

    /// A subscription that has claimed a user could not be made.
    pub fn give_up_user(&self, id: SubscriptionId) {
        self.end_publication(id);
    }

    /// As whom the subscription of a dialog publishes, as an option in one form only.
    #[must_use]
    pub fn publisher_of(&self, handle: Handle) -> Option<PublishAs> {
        let looked = self.registry.view(handle, |of, owner| (owner.subscription, of.record().to_vec()));
        looked.and_then(|(id, record)| self.publishes(id, &record))
    }

    /// As whom a subscription to this record publishes, as an option in one form only.
    #[must_use]
    pub fn publishes(&self, id: SubscriptionId, record: &[u8]) -> Option<PublishAs> {
        let uri = self.bridge.publications.uri_of(id.to_u64())?;
        Some(Self::one_form(record, &uri))
    }

    /// An option in the same form.
    #[must_use]
    pub fn as_published(&self, publish: &PublishAs, record: &[u8]) -> PublishAs {
        match publish {
            PublishAs::Record => PublishAs::Record,
            PublishAs::Uri(uri) => Self::one_form(record, uri.as_bytes()),
        }
    }

    fn one_form(record: &[u8], uri: &[u8]) -> PublishAs {
        match PublishTarget::read(uri) {
            target if target == PublishTarget::read(record) => PublishAs::Record,
            Some(target) => PublishAs::Uri(String::from_utf8_lossy(&target.uri).into_owned()),
            None => PublishAs::Uri(String::from_utf8_lossy(uri).into_owned()),
        }
    }
}
