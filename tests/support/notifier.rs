//! A scripted notifier: takes SUBSCRIBEs, answers them as told and sends NOTIFYs, right ones and wrong ones.
//!
//! ```ignore
//! let notifier = Notifier::udp();
//! // … make the server subscribe to notifier.uri("alice") …
//! let subscribe = notifier.expect_subscribe(SOON);
//! let mut dialog = notifier.accept(&subscribe, 600);
//! let answer = dialog.notify(Notify::active(600).pidf(&pidf("sip:alice@x", "open", None)));
//! assert_eq!(answer.status(), 200);
//! let refresh = dialog.expect_subscribe(SOON);
//! dialog.accept(&refresh, 600);
//! ```

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::endpoint::{Endpoint, Received, Transport, fresh};
use super::pidf::PIDF;
use super::sip::{Message, target_of};
use super::wait::SOON;

/// Takes SUBSCRIBEs that are in no dialog yet.
pub struct Notifier {
    /// The socket it speaks through.
    pub endpoint: Arc<Endpoint>,
}

impl Notifier {
    /// A notifier over UDP on an address of its own.
    pub fn udp() -> Notifier {
        Notifier::on(Endpoint::udp())
    }

    /// A notifier over TCP on an address of its own.
    pub fn tcp() -> Notifier {
        Notifier::on(Endpoint::tcp())
    }

    /// A notifier over `transport` on an address of its own.
    pub fn new(transport: Transport) -> Notifier {
        Notifier::on(Endpoint::new(transport))
    }

    /// A notifier that speaks through `endpoint`.
    pub fn on(endpoint: Endpoint) -> Notifier {
        Notifier { endpoint: Arc::new(endpoint) }
    }

    /// A record that lives here.
    pub fn uri(&self, user: &str) -> String {
        self.endpoint.uri(user)
    }

    /// The next SUBSCRIBE without a To tag; its retransmissions are not seen again.
    pub fn expect_subscribe(&self, within: Duration) -> Received {
        self.try_subscribe(within)
            .unwrap_or_else(|| panic!("{}: no initial SUBSCRIBE within {within:?}", self.endpoint.addr()))
    }

    /// The next SUBSCRIBE without a To tag, if one comes.
    pub fn try_subscribe(&self, within: Duration) -> Option<Received> {
        let initial = |message: &Message| message.method() == "SUBSCRIBE" && message.param("To", "tag").is_none();
        self.endpoint.wait_for(within, initial)
    }

    /// The dialog that a SUBSCRIBE makes, before it is answered: for a NOTIFY before the 2xx, or for one fork of many.
    pub fn dialog(&self, subscribe: &Message) -> Dialog {
        Dialog::new(Arc::clone(&self.endpoint), subscribe)
    }

    /// Takes a SUBSCRIBE: `expires` seconds are granted, and the first NOTIFY says that it is active.
    pub fn activate(&self, subscribe: &Received, expires: u32) -> Dialog {
        let mut dialog = self.accept(subscribe, expires);
        assert_eq!(dialog.notify(Notify::active(expires)).status(), 200);
        dialog
    }

    /// Answers 200 with that Expires; the dialog is ready to notify.
    pub fn accept(&self, subscribe: &Received, expires: u32) -> Dialog {
        let dialog = self.dialog(subscribe);
        dialog.accept(subscribe, expires);
        dialog
    }

    /// Answers with a failure and perhaps some headers.
    pub fn reject(&self, subscribe: &Received, status: u16, headers: &[(&str, &str)]) {
        let response = self.endpoint.response_to(subscribe, status, "Scripted");
        self.endpoint.answer(subscribe, &with_all(response, headers));
    }

    /// Answers 302 with these URIs, the first with the highest q.
    pub fn redirect(&self, subscribe: &Received, contacts: &[&str]) {
        let mut response = self.endpoint.response_to(subscribe, 302, "Moved Temporarily");
        for (n, contact) in contacts.iter().enumerate() {
            response = response.with("Contact", format!("<{contact}>;q=0.{}", 9_usize.saturating_sub(n)));
        }
        self.endpoint.answer(subscribe, &response);
    }
}

/// One subscription dialog, seen from the notifier.
#[derive(Clone)]
pub struct Dialog {
    endpoint: Arc<Endpoint>,
    /// Call-ID of both sides.
    pub call_id: String,
    /// The notifier's From in NOTIFYs, without its tag.
    pub local: String,
    /// The notifier's tag.
    pub local_tag: String,
    /// The subscriber's From, with its tag: the NOTIFYs' To.
    pub remote: String,
    /// The subscriber's Contact: the NOTIFYs' Request-URI.
    pub remote_target: String,
    /// The notifier's Contact.
    pub contact: String,
    /// The Event of the SUBSCRIBE.
    pub event: String,
    /// CSeq of the last NOTIFY.
    pub cseq: u32,
    /// Where NOTIFYs are sent.
    pub next_hop: SocketAddr,
}

impl Dialog {
    fn new(endpoint: Arc<Endpoint>, subscribe: &Message) -> Dialog {
        let remote_target = subscribe.uri_in("Contact").expect("a Contact in SUBSCRIBE").to_owned();
        Dialog {
            call_id: subscribe.need("Call-ID").to_owned(),
            local: subscribe.need("To").to_owned(),
            local_tag: fresh("n"),
            remote: subscribe.need("From").to_owned(),
            contact: endpoint.uri("notifier"),
            event: subscribe.need("Event").to_owned(),
            cseq: 0,
            next_hop: target_of(&remote_target),
            remote_target,
            endpoint,
        }
    }

    /// Answers a SUBSCRIBE 200 with that Expires.
    pub fn accept(&self, subscribe: &Received, expires: u32) {
        self.answer(subscribe, 200, &[("Expires", &expires.to_string())]);
    }

    /// Answers a SUBSCRIBE with any status, the dialog's tag, its Contact and some headers (which may replace those).
    pub fn answer(&self, subscribe: &Received, status: u16, headers: &[(&str, &str)]) {
        self.endpoint.answer(subscribe, &with_all(self.response(subscribe, status), headers));
    }

    /// The response that [`Dialog::answer`] would send, to be altered.
    pub fn response(&self, subscribe: &Message, status: u16) -> Message {
        let reason = if status == 200 { "OK" } else { "Scripted" };
        let mut response = self.endpoint.response_to(subscribe, status, reason);
        if subscribe.param("To", "tag").is_none() {
            response = response.set("To", format!("{};tag={}", subscribe.need("To"), self.local_tag));
        }
        response.with("Contact", format!("<{}>", self.contact))
    }

    /// The next SUBSCRIBE in this dialog: a refresh, or the end.
    pub fn expect_subscribe(&self, within: Duration) -> Received {
        self.try_subscribe(within)
            .unwrap_or_else(|| panic!("no SUBSCRIBE in dialog {} within {within:?}", self.call_id))
    }

    /// The next SUBSCRIBE in this dialog, if one comes.
    pub fn try_subscribe(&self, within: Duration) -> Option<Received> {
        self.endpoint.wait_for(within, |message| {
            message.method() == "SUBSCRIBE"
                && message.header("Call-ID") == Some(&self.call_id)
                && message.param("To", "tag") == Some(&self.local_tag)
        })
    }

    /// Sends a NOTIFY and returns its final response; panics when none comes.
    pub fn notify(&mut self, notify: Notify) -> Received {
        let within = SOON;
        let request = self.send_notify(notify);
        let answer = self.endpoint.final_response(&request, within);
        answer.unwrap_or_else(|| panic!("no answer within {within:?} to\n{request}"))
    }

    /// Sends a NOTIFY and does not wait; [`Endpoint::final_response`] finds the answer.
    pub fn send_notify(&mut self, notify: Notify) -> Message {
        let request = self.build(notify);
        self.endpoint.send(&request, self.next_hop);
        request
    }

    /// Sends a NOTIFY from another peer's socket and returns the answer that comes there.
    pub fn notify_from(&mut self, stranger: &Endpoint, notify: Notify) -> Received {
        let via = stranger.request("NOTIFY", &self.remote_target).need("Via").to_owned();
        let request = self.build(notify).set("Via", via);
        stranger.exchange(&request, self.next_hop, SOON)
    }

    /// The NOTIFY as it would be sent. Takes the next CSeq, unless the NOTIFY has one of its own.
    pub fn build(&mut self, notify: Notify) -> Message {
        let cseq = notify.cseq.unwrap_or_else(|| {
            self.cseq += 1;
            self.cseq
        });
        let request = self
            .endpoint
            .request("NOTIFY", &self.remote_target)
            .with("From", format!("{};tag={}", self.local, self.local_tag))
            .with("To", &self.remote)
            .with("Call-ID", &self.call_id)
            .with("CSeq", format!("{cseq} NOTIFY"))
            .with("Contact", format!("<{}>", self.contact))
            .with("Event", &self.event);
        notify.apply(request)
    }

    /// The endpoint the dialog speaks through.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Moves the notifier's Contact to another endpoint, which takes part in the dialog from now on.
    pub fn move_to(&mut self, endpoint: &Arc<Endpoint>) {
        self.contact = endpoint.uri("notifier");
        self.endpoint = Arc::clone(endpoint);
    }

    /// The host part of the subscriber's Contact is reached at `addr`.
    pub fn via_hop(&mut self, addr: SocketAddr) {
        self.next_hop = addr;
    }
}

/// The contents of a NOTIFY. It is correct at first; tests ask for every fault.
#[derive(Clone, Default)]
pub struct Notify {
    cseq: Option<u32>,
    changes: Vec<Change>,
}

#[derive(Clone)]
enum Change {
    Set(String, String),
    Add(String, String),
    Remove(String),
    Body(String, Vec<u8>),
}

impl Notify {
    /// With this whole Subscription-State.
    pub fn state(value: &str) -> Notify {
        Notify::default().set("Subscription-State", value)
    }

    /// `active;expires=…`
    pub fn active(expires: u32) -> Notify {
        Notify::state(&format!("active;expires={expires}"))
    }

    /// `pending;expires=…`
    pub fn pending(expires: u32) -> Notify {
        Notify::state(&format!("pending;expires={expires}"))
    }

    /// `terminated;reason=…`, and with `retry-after` if it is more than 0.
    pub fn terminated(reason: &str, retry_after: u32) -> Notify {
        let retry = if retry_after > 0 { format!(";retry-after={retry_after}") } else { String::new() };
        Notify::state(&format!("terminated;reason={reason}{retry}"))
    }

    /// Without Subscription-State.
    pub fn stateless() -> Notify {
        Notify::default()
    }

    /// With a PIDF body.
    pub fn pidf(self, document: &str) -> Notify {
        self.body(PIDF, document)
    }

    /// With any body.
    pub fn body(self, content_type: &str, body: impl Into<Vec<u8>>) -> Notify {
        self.change(Change::Body(content_type.to_owned(), body.into()))
    }

    /// With another Event.
    pub fn event(self, event: &str) -> Notify {
        self.set("Event", event)
    }

    /// With this CSeq; the dialog's own count does not move.
    pub fn cseq(mut self, cseq: u32) -> Notify {
        self.cseq = Some(cseq);
        self
    }

    /// With this To in place of the right one (the subscriber's tag goes with it).
    pub fn to(self, value: &str) -> Notify {
        self.set("To", value)
    }

    /// With this From in place of the right one (the notifier's tag goes with it).
    pub fn from(self, value: &str) -> Notify {
        self.set("From", value)
    }

    /// With one more header.
    pub fn with(self, name: &str, value: &str) -> Notify {
        self.change(Change::Add(name.to_owned(), value.to_owned()))
    }

    /// With this header in place of all of that name.
    pub fn set(self, name: &str, value: &str) -> Notify {
        self.change(Change::Set(name.to_owned(), value.to_owned()))
    }

    /// Without that header.
    pub fn without(self, name: &str) -> Notify {
        self.change(Change::Remove(name.to_owned()))
    }

    fn change(mut self, change: Change) -> Notify {
        self.changes.push(change);
        self
    }

    fn apply(self, request: Message) -> Message {
        self.changes.into_iter().fold(request, |request, change| match change {
            Change::Set(name, value) => request.set(&name, value),
            Change::Add(name, value) => request.with(&name, value),
            Change::Remove(name) => request.without(&name),
            Change::Body(content_type, body) => request.with_body(&content_type, body),
        })
    }
}

fn with_all(response: Message, headers: &[(&str, &str)]) -> Message {
    headers.iter().fold(response, |response, (name, value)| response.set(name, value))
}
