//! Forks: dialogs with the other notifiers that a SUBSCRIBE has reached (RFC 6665 §4.1.4).
//!
//! A fork is a subscription of its own that begins with its first NOTIFY and ends with its dialog. It makes no new attempts.

use std::time::Duration;

use super::super::fingerprint::Fingerprint;
use super::super::input::Notify;
use super::super::output::{Output, Status};
use super::super::schedule;
use super::super::state::{Awaits, State};
use super::{Env, SECRET, Subscription, USERNAME};
use crate::memory::{OutOfMemory, Packed, PackedSecrets, SharedAlloc};
use crate::time::Millis;

impl<A: SharedAlloc> Subscription<A> {
    /// The fork with this number (from 1 on) of this subscription's dialog. Hand it next the NOTIFY that
    /// [asked for it](Output::fork); `None` when there is no dialog to be forked.
    ///
    /// # Errors
    /// [`OutOfMemory`].
    pub fn try_fork(&self, number: u8, env: &Env<'_>) -> Result<Option<Self>, OutOfMemory> {
        let env = &Env { policy: env.policy.of(self.package()), ..*env };
        let Some(root) = &self.dialog else { return Ok(None) };
        let mut dialog = root.try_fork(self.record(), self.alloc.clone())?;
        let opened = self.opening();
        // The requested time, until the NOTIFY gives another.
        let requested_expires = self.wanted_expires(env.policy);
        let expiry = opened.after(Duration::from_secs(u64::from(requested_expires)));
        dialog.set_expiry(expiry);
        // CSeq of the request that opened the dialog.
        let cseq = self.local_cseq.saturating_sub(u32::from(root.requests()));
        let mut proxies = self.proxies;
        proxies.begin();
        let mut fork = Self {
            dialog: Some(dialog),
            last_sent: opened.into(),
            local_cseq: cseq,
            requested_expires,
            proxies,
            opened: self.opened,
            fork: number,
            ..Self::blank(self.names.clone(), self.package, self.alloc.clone())
        };
        // Sessions with realms are not shared: each nonce's uses are counted in one place.
        if let Some(own) = self.own_credentials() {
            let own = PackedSecrets::try_new([own.get(USERNAME), own.get(SECRET)], self.alloc.clone())?;
            fork.extras_mut()?.own_credentials = Some(own);
        }
        if let Some(host) = self.led_to() {
            let led_to = Packed::try_new([host], self.alloc.clone())?;
            fork.set_led_to(Some(led_to))?;
        }
        if self.min_expires() > 0 {
            fork.extras_mut()?.min_expires = self.min_expires();
        }
        fork.set_event_id(self.event_id())?;
        if let Some(kept) = self.own_terms() {
            fork.extras_mut()?.own_terms = Some(*kept);
        }
        fork.copy_own_texts(self)?;
        let next = env.now.after(schedule::refresh_delay(expiry.since(env.now), env.policy, env.random));
        fork.confirm(next, Awaits::FirstNotify { by: opened.after(env.policy.timer_n) });
        Ok(Some(fork))
    }

    /// Whether NOTIFYs of other forks are welcome: as long as the first NOTIFY may take (RFC 6665 §4.1.2.4), and never for a list
    /// (RFC 4662 §4.7).
    pub(super) fn welcomes_forks(&self, env: &Env<'_>) -> bool {
        !self.is_fork()
            && env.policy.forking.allows(env.packages.get(self.package))
            && self.may_be_forked(env)
            && !self.asks_for_lists()
    }

    pub(super) fn may_be_forked(&self, env: &Env<'_>) -> bool {
        self.dialog.is_some() && env.now < self.opening().after(env.policy.timer_n)
    }

    pub(super) fn is_fork(&self) -> bool {
        self.fork != 0
    }

    /// Whether this is a fork that has ended and stays for its late NOTIFYs.
    pub(super) fn has_ended(&self) -> bool {
        self.is_fork() && matches!(self.status, Some(Status::Terminated | Status::Rejected))
    }

    /// A fork remembers its last NOTIFY: see [`Subscription::leave`].
    pub(super) fn remember(
        &mut self,
        notify: &Notify<'_>,
        fingerprint: Fingerprint,
        env: &Env<'_>,
    ) -> Result<(), OutOfMemory> {
        if self.is_fork() { self.adopt_notify(notify, fingerprint, env) } else { Ok(()) }
    }

    /// A fork has ended and its end is told. As long as forks are welcome it stays: a NOTIFY of its that comes late or
    /// again would be taken for one of a new fork.
    pub(super) fn leave(&mut self, env: &Env<'_>) -> Output {
        if !self.may_be_forked(env) {
            return self.destroy();
        }
        self.forget_sessions();
        self.forget_credentials();
        self.state = State::WaitingForTermination.into();
        self.deadline = self.opening().after(env.policy.timer_n).into();
        Output::default()
    }

    /// When the request that opened the dialog was sent, to the second.
    pub(super) fn opening(&self) -> Millis {
        Millis(u64::from(self.opened).saturating_mul(1000))
    }
}
