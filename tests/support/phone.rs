//! A phone that watches a user at a presence server: a lamp, a light for messages, an entry of a list of friends.

use std::net::SocketAddr;
use std::time::Duration;

use super::endpoint::{Endpoint, Received, fresh};
use super::sip::Message;
use super::wait::{SOON, until};

/// One subscription of a phone, which answers its NOTIFYs.
pub struct Phone {
    endpoint: Endpoint,
    server: SocketAddr,
    subscribe: Message,
    to: String,
    /// CSeq of the newest NOTIFY, and its body; none before the first.
    newest: Option<(u32, String)>,
    /// How many NOTIFYs came.
    pub notified: usize,
}

impl Phone {
    /// Subscribes to a package of `record` at the server with that address, and takes the first NOTIFY: a state that changes
    /// before that may reach the phone in the wrong order.
    pub fn watch(server: SocketAddr, record: &str, package: &str) -> Phone {
        let endpoint = Endpoint::udp();
        let from = endpoint.uri("phone");
        let subscribe =
            endpoint.fresh_request("SUBSCRIBE", record, &from, record).with("Event", package).with("Expires", 3600);
        let answer = endpoint.exchange(&subscribe, server, SOON);
        assert!(answer.status() / 100 == 2, "{}", answer.message);
        let to = answer.need("To").to_owned();
        let mut phone = Phone { endpoint, server, subscribe, to, newest: None, notified: 0 };
        let first = phone.endpoint.try_request("NOTIFY", SOON).expect("the first NOTIFY");
        phone.answer(&first);
        phone
    }

    /// Takes all NOTIFYs that have come, or waits for one.
    fn take(&mut self, within: Duration) {
        let mut within = within;
        while let Some(notify) = self.endpoint.try_request("NOTIFY", within) {
            self.answer(&notify);
            within = Duration::ZERO;
        }
    }

    fn answer(&mut self, notify: &Received) {
        self.endpoint.reply(notify, 200, "OK");
        self.notified += 1;
        let cseq = notify.cseq().0;
        if self.newest.as_ref().is_none_or(|(newest, _)| cseq > *newest) {
            self.newest = Some((cseq, notify.text()));
        }
    }

    /// The newest body.
    pub fn body(&mut self) -> String {
        self.take(Duration::ZERO);
        self.newest.as_ref().map(|(_, body)| body.clone()).unwrap_or_default()
    }

    /// Waits until the newest body is as `wanted`.
    pub fn await_body(&mut self, what: &str, wanted: impl Fn(&str) -> bool) -> String {
        let found = until(SOON, || {
            self.take(Duration::from_millis(20));
            self.newest.as_ref().map(|(_, body)| body.clone()).filter(|body| wanted(body))
        });
        found.unwrap_or_else(|| panic!("no NOTIFY says {what}, the newest is {:?}", self.newest))
    }

    /// What a lamp shows: the state of the dialog that is nearest to a conversation; `off` without one.
    pub fn lamp(&mut self) -> &'static str {
        lamp_in(&self.body())
    }

    /// Waits until the lamp shows that.
    pub fn await_lamp(&mut self, state: &str) -> String {
        self.await_body(&format!("lamp {state}"), |body| body.contains("<dialog-info") && lamp_in(body) == state)
    }

    /// Whether no NOTIFY comes for so long.
    pub fn is_quiet(&mut self, during: Duration) -> bool {
        let before = self.notified;
        self.take(during);
        self.notified == before
    }

    /// Ends the subscription.
    pub fn hang_up(mut self) {
        let end = self
            .endpoint
            .request("SUBSCRIBE", self.subscribe.uri())
            .with("From", self.subscribe.need("From"))
            .with("To", &self.to)
            .with("Call-ID", self.subscribe.need("Call-ID"))
            .with("CSeq", "2 SUBSCRIBE")
            .with("Contact", format!("<{}>", self.endpoint.uri(&fresh("c"))))
            .with("Event", self.subscribe.need("Event"))
            .with("Expires", 0);
        let answer = self.endpoint.exchange(&end, self.server, SOON);
        assert!(answer.status() / 100 == 2, "{}", answer.message);
        let ended = until(SOON, || {
            let notify = self.endpoint.try_request("NOTIFY", Duration::from_millis(20))?;
            self.answer(&notify);
            notify.need("Subscription-State").starts_with("terminated").then_some(())
        });
        assert!(ended.is_some(), "no last NOTIFY");
    }
}

/// The state that a lamp shows of a dialog-info document.
pub fn lamp_in(document: &str) -> &'static str {
    let shown = ["confirmed", "early", "proceeding", "trying"];
    let is_in = |state: &&&str| document.contains(&format!(">{state}</state>"));
    shown.iter().find(is_in).copied().unwrap_or("off")
}
