//! Registrations of local users: the subscriptions to them, and the events of the location service.

use super::{Engine, Lack};
use crate::grammar::Aor;
use crate::host::usrloc::{self, ContactChange, LocatedContact, UsrlocError};
use crate::memory::OutOfMemory;
use crate::registrations::{AorShardNumber, ContactEvent, ContactFacts, RegistrationBinding};
use crate::registry::Handle;

/// From this number of subscriptions of one address on, ended ones are removed when another one is bound.
const MANY: usize = 8;

/// Why a subscription cannot be bound to a registration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RegistrationError {
    /// There is no location service.
    #[error("the flag r needs the registrations of local users: {0}")]
    Usrloc(#[from] UsrlocError),
    /// The address has no contact.
    #[error("no contact of this address of record is registered")]
    NotRegistered,
    /// The subscription is just being ended.
    #[error("the subscription ends, because the last contact is gone")]
    Ending,
    /// There is no memory.
    #[error(transparent)]
    OutOfMemory(#[from] OutOfMemory),
}

/// Something has happened to a contact. What callbacks of the location service come to: it holds a lock.
pub fn on_contact(aor: &[u8], change: ContactChange, contact: &LocatedContact<'_>) {
    let Some(engine) = super::engine() else { return };
    let event = match change {
        ContactChange::Inserted => ContactEvent::Registered,
        ContactChange::Updated => ContactEvent::Refreshed,
        ContactChange::Deleted => ContactEvent::Unregistered,
        ContactChange::Expired => ContactEvent::Expired,
    };
    let facts = ContactFacts { id: contact.id(), uri: contact.uri(), call_id: contact.call_id(), cseq: contact.cseq() };
    if let Some(shard) = engine.registrations.note(aor, event, &facts) {
        engine.ring_for_registrations(shard);
    }
}

impl Engine {
    /// Wakes the worker that looks after this part of the registrations.
    pub fn ring_for_registrations(&self, shard: AorShardNumber) {
        self.ring(shard.worker(self.workers()));
    }

    /// The location service may have read its database, which it does not report: all registrations are read again.
    pub fn read_registrations_again(&self) {
        self.registrations.mark_all().into_iter().for_each(|shard| self.ring_for_registrations(shard));
    }

    /// The address of record that a URI names, as the location service writes it; `None` if it names no user.
    #[must_use]
    pub fn aor_of(uri: &[u8]) -> Option<Vec<u8>> {
        let aor = Aor::read(uri).filter(|aor| !aor.user.is_empty())?;
        Some(usrloc::aor_of(&aor.user, &aor.host))
    }

    /// Whether this address of record has a contact.
    ///
    /// # Errors
    /// [`RegistrationError`].
    pub fn check_registration(&self, aor: &[u8]) -> Result<(), RegistrationError> {
        match usrloc::with_contacts(aor, |contacts| contacts.is_empty()) {
            Some(false) => Ok(()),
            Some(true) => Err(RegistrationError::NotRegistered),
            None => Err(usrloc::check().err().unwrap_or(UsrlocError::Failed).into()),
        }
    }

    /// Has a subscription end when the last contact of this address of record, as the location service writes it, is gone.
    ///
    /// # Errors
    /// [`RegistrationError`].
    pub fn bind_to_registration(&self, handle: Handle, aor: &[u8]) -> Result<(), RegistrationError> {
        // Under the lock of the location service: a contact that is there now is not gone before the subscription is bound.
        let bound = usrloc::with_contacts(aor, |contacts| {
            (!contacts.is_empty()).then(|| self.registrations.bind(aor, handle.to_u64()))
        });
        match bound {
            None => Err(usrloc::check().err().unwrap_or(UsrlocError::Failed).into()),
            Some(None) => Err(RegistrationError::NotRegistered),
            Some(Some(Err(error))) => Err(error.into()),
            Some(Some(Ok(RegistrationBinding::Ending))) => Err(RegistrationError::Ending),
            Some(Some(Ok(RegistrationBinding::Bound { others }))) => {
                if others >= MANY && others.is_power_of_two() {
                    self.forget_bound(aor);
                }
                Ok(())
            }
        }
    }

    /// Forgets the subscriptions that have ended otherwise.
    fn forget_bound(&self, aor: &[u8]) {
        let is_gone = |handle: &u64| {
            let live = Handle::from_u64(*handle).and_then(|handle| self.registry.view(handle, |_, _| ()));
            live.is_none()
        };
        let gone: Vec<u64> = self.registrations.bound_to(aor).into_iter().filter(is_gone).collect();
        self.registrations.unbind(aor, &gone);
    }

    /// The last contact of an address is gone: so are these subscriptions.
    pub fn end_with_registration(&self, aor: &[u8], handles: &[u64]) {
        for handle in handles.iter().filter_map(|handle| Handle::from_u64(*handle)) {
            if let Some(owner) = self.registry.view(handle, |_, owner| *owner)
                && self.is_event_queue(owner.queue)
            {
                // Ended already, perhaps by the script: nothing is left to do.
                let _ = self.hub.unsubscribe(owner.subscription);
            }
        }
        // Only at this point: until then, a request for one of them learns that it ends.
        self.registrations.unbind(aor, handles);
    }

    /// Contacts that are gone were not named, for want of room.
    pub fn omitted_contacts(&self, times: usize) {
        if times > 0 {
            self.lacks_for(Lack::Contact, times);
        }
    }
}
