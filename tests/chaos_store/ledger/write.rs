//! The messages of the ledger's notifier.

use std::net::SocketAddr;
use std::time::Instant;

use super::super::support::pidf::{PIDF, pidf};
use super::super::support::sip::Message;
use super::Dialog;

/// Writes what a notifier at one address sends.
pub struct Writer {
    me: SocketAddr,
}

impl Writer {
    pub fn new(me: SocketAddr) -> Writer {
        Writer { me }
    }

    /// The entity tag of a state.
    pub fn etag(&self, state: u64) -> String {
        format!("state-{state}")
    }

    /// A 200 or 204 to a SUBSCRIBE.
    pub fn accept(&self, subscribe: &Message, dialog: &Dialog, status: u16, granted: u32) -> Message {
        let to = format!("{};tag={}", dialog.local, dialog.local_tag);
        let response = copied(subscribe, status).with("To", to).with("Expires", granted);
        response.with("Contact", format!("<sip:notifier@{}>", self.me))
    }

    /// A NOTIFY with this state.
    pub fn notify(&self, dialog: &Dialog, branch: &str, state: u64, etags: bool, now: Instant) -> Message {
        let left = dialog.expires_at.saturating_duration_since(now).as_secs().max(1);
        let status = match dialog.end {
            None => format!("active;expires={left}"),
            Some(_) => "terminated;reason=timeout".to_owned(),
        };
        let notify = Message::request("NOTIFY", &dialog.target)
            .with("Via", format!("SIP/2.0/UDP {};branch={branch}", self.me))
            .with("Max-Forwards", 70)
            .with("From", format!("{};tag={}", dialog.local, dialog.local_tag))
            .with("To", &dialog.remote)
            .with("Call-ID", &dialog.call_id)
            .with("CSeq", format!("{} NOTIFY", dialog.notify_cseq))
            .with("Contact", format!("<sip:notifier@{}>", self.me))
            .with("Event", &dialog.event)
            .with("Subscription-State", status);
        let notify = if etags { notify.with("SIP-ETag", self.etag(state)) } else { notify };
        notify.with_body(PIDF, pidf(&dialog.key.record, "open", Some(&note(state))))
    }
}

/// The note of a state's document.
pub fn note(state: u64) -> String {
    format!("state {state}")
}

/// A refusal.
pub fn refusal(request: &Message, status: u16) -> Message {
    copied(request, status).with("To", request.need("To"))
}

fn copied(request: &Message, status: u16) -> Message {
    let reason = if status < 300 { "OK" } else { "Refused" };
    let response = request
        .headers("Via")
        .into_iter()
        .fold(Message::response(status, reason), |response, via| response.with("Via", via));
    response
        .with("From", request.need("From"))
        .with("Call-ID", request.need("Call-ID"))
        .with("CSeq", request.need("CSeq"))
}
