//! Subscriptions whose state the server itself tells. The notifiers of local calls and of local registrations drive them.

use super::Engine;
use crate::grammar::Aor;
use crate::memory::OutOfMemory;
use crate::qsa::{Refused, SubscriptionId, Wanted};
use crate::registry::Handle;
use crate::subscription::package::{DIALOG, REG};
use crate::subscription::{Content, Input, Options, Subscription};

impl Engine {
    /// The address of a record in one of the `local_domains`; `None` of others.
    #[must_use]
    pub fn local_user(&self, record: &[u8]) -> Option<Aor> {
        Aor::read(record).filter(|aor| self.config.local_domains.hold(&aor.host))
    }

    /// Whether the server itself knows the state of a record in this package.
    #[must_use]
    pub fn is_local_user(&self, record: &[u8], package: &[u8]) -> bool {
        [DIALOG.name, REG.name].iter().any(|name| name.as_bytes() == package) && self.local_user(record).is_some()
    }

    /// Starts a subscription that needs no SIP: [`tell_local`](Self::tell_local) brings its news.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn start_local(&self, id: SubscriptionId, wanted: &Wanted<'_>, options: &Options) -> Result<Handle, Refused> {
        self.enter(id, wanted, options, Subscription::local)
    }

    /// Tells the state of a local subscription by a document that has all of it, with this version. The messages of one subscription come
    /// in the order of these calls if one process makes them. `false` if it wants no other: it has ended, or was a fetch.
    ///
    /// # Errors
    /// [`OutOfMemory`]: no message is queued, and the caller may try again.
    pub fn tell_local(
        &self,
        handle: Handle,
        version: u32,
        content_type: &[u8],
        body: &[u8],
    ) -> Result<bool, OutOfMemory> {
        let message = Self::prepare(content_type, body)?;
        let content = Content::Versioned { version, is_full: true };
        let mut gone = None;
        let deliver = self.deliver_notify(message, content, &mut gone);
        let Some(stepped) = self.registry.step(handle, Input::Told, &self.at(Self::now()).env(), deliver)? else {
            return Ok(false);
        };
        drop(gone);
        Self::trace(&stepped);
        self.keep_up(&stepped);
        let goes_on = !stepped.output.forget;
        self.settle(stepped.wake, stepped.delivered);
        Ok(goes_on)
    }
}
