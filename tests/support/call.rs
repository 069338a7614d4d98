//! Phones that call each other through a server which knows where they are.

use std::net::SocketAddr;

use super::endpoint::{Endpoint, Received};
use super::sip::Message;
use super::wait::SOON;

/// A phone: its user is known at the server, its calls go there.
pub struct CallPhone {
    /// Where it is.
    pub endpoint: Endpoint,
    /// Its address of record.
    pub uri: String,
    server: SocketAddr,
}

/// A call of a phone to another one.
pub struct PhoneCall<'p> {
    caller: &'p CallPhone,
    callee: &'p CallPhone,
    invite: Message,
    arrived: Received,
    /// Tags and routes of the dialog, once it is there.
    answer: Option<Received>,
}

impl CallPhone {
    /// The phone at `endpoint`, whose user has this address.
    pub fn new(endpoint: Endpoint, uri: String, server: SocketAddr) -> CallPhone {
        CallPhone { endpoint, uri, server }
    }

    /// Calls another phone, which does not ring yet.
    pub fn call<'p>(&'p self, callee: &'p CallPhone) -> PhoneCall<'p> {
        let invite = self.endpoint.fresh_request("INVITE", &callee.uri, &self.uri, &callee.uri);
        self.endpoint.send(&invite, self.server);
        let arrived = callee.endpoint.expect_request("INVITE", SOON);
        PhoneCall { caller: self, callee, invite, arrived, answer: None }
    }
}

impl PhoneCall<'_> {
    /// The callee's phone rings.
    pub fn ring(&self) {
        self.respond(180, "Ringing");
    }

    /// The callee answers; the ACK has arrived.
    pub fn answer(&mut self) {
        self.respond(200, "OK");
        let answer = self.finally();
        assert_eq!(answer.status(), 200, "{}", answer.message);
        self.caller
            .endpoint
            .send(&within(&self.caller.endpoint, [&self.invite, &answer], "ACK", 1), self.caller.server);
        self.callee.endpoint.expect_request("ACK", SOON);
        self.answer = Some(answer);
    }

    /// The callee does not take it.
    pub fn refuse(self) {
        self.respond(486, "Busy Here");
        let answer = self.finally();
        assert_eq!(answer.status(), 486, "{}", answer.message);
        // RFC 3261, 17.1.1.3: the ACK of a refusal is of the same transaction.
        let ack = within(&self.caller.endpoint, [&self.invite, &answer], "ACK", 1)
            .set("Via", self.invite.need("Via"))
            .without("Route");
        self.caller.endpoint.send(&ack, self.caller.server);
        self.callee.endpoint.expect_request("ACK", SOON);
    }

    /// The caller ends an answered call.
    pub fn hang_up(self) {
        let answer = self.answer.as_ref().expect("an answered call");
        let bye = within(&self.caller.endpoint, [&self.invite, answer], "BYE", 2);
        self.caller.endpoint.send(&bye, self.caller.server);
        let arrived = self.callee.endpoint.expect_request("BYE", SOON);
        self.callee.endpoint.reply(&arrived, 200, "OK");
        let ended = self.caller.endpoint.final_response(&bye, SOON).map(|answer| answer.status());
        assert_eq!(ended, Some(200), "the answer to BYE");
    }

    fn respond(&self, status: u16, reason: &str) {
        let endpoint = &self.callee.endpoint;
        let contact = format!("<{}>", endpoint.uri("phone"));
        endpoint.answer(&self.arrived, &endpoint.response_to(&self.arrived, status, reason).with("Contact", contact));
    }

    fn finally(&self) -> Received {
        self.caller.endpoint.final_response(&self.invite, SOON).expect("a final answer to INVITE")
    }
}

/// A request of the caller within the dialog that `answer` to its INVITE has made.
pub fn within(caller: &Endpoint, [invite, answer]: [&Message; 2], method: &str, cseq: u32) -> Message {
    let target = answer.uri_in("Contact").unwrap_or(invite.uri());
    let mut request = caller.request(method, target);
    for route in answer.list("Record-Route").into_iter().rev() {
        request = request.with("Route", route);
    }
    for (name, from) in [("From", invite), ("To", answer), ("Call-ID", invite)] {
        request = request.with(name, from.need(name));
    }
    request.with("CSeq", format!("{cseq} {method}"))
}
