//! The way of the next request, where the subscription has one of its own.

use std::net::SocketAddr;

use super::super::dialog::Dialog;
use super::super::output::{Answer, Output};
use super::super::redirect::Targets;
use super::{Env, RECORD, Subscription};
use crate::grammar::{Transport, is_sips};
use crate::memory::{OutOfMemory, Packed, SharedAlloc};

/// What begins the transport in the URI of a source; UDP is not written.
const TRANSPORT: &str = ";transport=";

impl<A: SharedAlloc> Subscription<A> {
    /// URI that the next request is sent to, whatever its routes and target say; empty for none: the proxy of a 305, where the
    /// NOTIFYs come from, or the proxy of option `outbound`.
    pub(super) fn way(&self) -> &[u8] {
        let named = self.targets().map(Targets::via).filter(|via| !via.is_empty());
        named.unwrap_or(self.own_way())
    }

    /// The same without what peers name for one attempt.
    fn own_way(&self) -> &[u8] {
        self.source_in_use().unwrap_or(self.outbound())
    }

    /// Where the NOTIFYs of the dialog come from, if the next request goes there. A route set has proxies that know the way.
    fn source_in_use(&self) -> Option<&[u8]> {
        let dialog = self.dialog.as_ref()?;
        self.source().filter(|_| !dialog.remote_tag().is_empty() && dialog.route_set().is_empty())
    }

    /// URI of where the newest NOTIFY of the dialog came from, if it is kept.
    pub(in super::super) fn source(&self) -> Option<&[u8]> {
        Some(self.extras.as_deref()?.source.as_ref()?.get(0))
    }

    /// Whether the source of the NOTIFY that has given this output is to be told, by [`Input::Source`](super::super::Input::Source): it
    /// was accepted, and is the newest.
    pub(super) fn wants_source(&self, cseq: u32, output: &Output) -> bool {
        let is_accepted = output.answer == Some(Answer::Ok) && output.untold.is_none();
        self.terms().follows_source && is_accepted && self.is_newest(cseq)
    }

    fn is_newest(&self, cseq: u32) -> bool {
        self.dialog.as_ref().and_then(Dialog::remote_cseq) == Some(cseq)
    }

    /// The newest NOTIFY came from there. What is asked for by a SIPS URI goes nowhere without TLS (RFC 3261 §26.2.2).
    pub(super) fn on_source(
        &mut self,
        cseq: u32,
        (address, transport): (SocketAddr, Transport),
    ) -> Result<Output, OutOfMemory> {
        let is_secure = transport.is_tls() || !is_sips(self.names.get(RECORD));
        if self.terms().follows_source && self.is_newest(cseq) {
            let uri = match transport {
                Transport::Udp => format!("sip:{address}"),
                over => format!("sip:{address}{TRANSPORT}{}", over.name()),
            };
            let source = is_secure.then_some(uri.as_bytes());
            if source != self.source() {
                let source = source.map(|uri| Packed::try_new([uri], self.alloc.clone())).transpose()?;
                self.extras_mut()?.source = source;
            }
        }
        Ok(Output::default())
    }

    /// The dialog is another one.
    pub(super) fn forget_source(&mut self) {
        if let Some(extras) = self.extras.as_deref_mut() {
            extras.source = None;
        }
    }

    /// The request of this output has not got there.
    pub(super) fn unreached(&mut self, output: Output) -> Output {
        if output.concluded {
            self.source_unreached();
        }
        output
    }

    /// Nothing gets there. A connection that is lost leads nowhere any more: its other end does not listen.
    pub(super) fn source_unreached(&mut self) {
        let transport = TRANSPORT.as_bytes();
        if self.source().is_some_and(|source| source.windows(transport.len()).any(|part| part == transport)) {
            self.forget_source();
        }
    }

    /// Whether its requests leave the parameter `presence_outbound_proxy` alone.
    #[must_use]
    pub fn has_own_way(&self) -> bool {
        !self.own_way().is_empty()
    }

    /// How many outbound proxies the next request may go through.
    pub(super) fn proxies_there_are(&self, env: &Env<'_>) -> u8 {
        match (self.source_in_use(), self.outbound()) {
            (Some(_), _) => 0,
            (None, []) => env.policy.proxies,
            (None, _) => 1,
        }
    }
}
