//! A scripted phone that registers, calls and is called.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use crate::support::address::own_ip;
use crate::support::call::within;
use crate::support::endpoint::{Endpoint, Received, Transport};
use crate::support::sip::Message;
use crate::support::wait::SOON;

/// A phone with its user.
pub struct Line {
    endpoint: Endpoint,
    /// Address of record.
    pub uri: String,
    /// Where it sends its requests.
    server: SocketAddr,
}

/// A call as its caller sees it.
pub struct Outgoing<'l> {
    caller: &'l Line,
    invite: Message,
    /// The 2xx, once it is there.
    answer: Option<Received>,
}

impl Line {
    /// A phone of that user, whose requests go to that server.
    pub fn of(uri: &str, server: SocketAddr) -> Line {
        Line::at(own_ip(), uri, server)
    }

    /// The same on an address that others know already.
    pub fn at(ip: Ipv4Addr, uri: &str, server: SocketAddr) -> Line {
        Line { endpoint: Endpoint::at(Transport::Udp, ip), uri: uri.to_owned(), server }
    }

    /// The URI of the phone itself.
    pub fn contact(&self) -> String {
        self.endpoint.uri("phone")
    }

    /// Registers for so many seconds; 0 ends the registration.
    pub fn register(&self, expires: u32) {
        let (_, domain) = self.uri.split_once('@').expect("a user");
        let register = self.endpoint.fresh_request("REGISTER", &format!("sip:{domain}"), &self.uri, &self.uri);
        let register = register.set("Contact", format!("<{}>", self.contact())).with("Expires", expires);
        let answer = self.endpoint.exchange(&register, self.server, SOON);
        assert_eq!(answer.status(), 200, "{}", answer.message);
    }

    /// Calls.
    pub fn call(&self, to: &str) -> Outgoing<'_> {
        let invite = self.endpoint.fresh_request("INVITE", to, &self.uri, to);
        let invite = invite.set("Contact", format!("<{}>", self.contact()));
        self.endpoint.send(&invite, self.server);
        Outgoing { caller: self, invite, answer: None }
    }

    /// The next call that comes here, which rings from now on.
    pub fn rings(&self) -> Received {
        let invite = self.endpoint.expect_request("INVITE", SOON);
        self.endpoint.answer(&invite, &self.response(&invite, 180, "Ringing"));
        invite
    }

    /// Refuses the call.
    pub fn refuse(&self, invite: &Received) {
        self.endpoint.answer(invite, &self.response(invite, 603, "Decline"));
        self.endpoint.expect_request("ACK", SOON);
    }

    /// Whether no call waits here.
    pub fn is_silent(&self) -> bool {
        self.endpoint.try_request("INVITE", Duration::ZERO).is_none()
    }

    fn response(&self, invite: &Received, status: u16, reason: &str) -> Message {
        self.endpoint.response_to(invite, status, reason).with("Contact", format!("<{}>", self.contact()))
    }
}

impl Outgoing<'_> {
    /// The final answer, with which the caller's ACK is sent.
    pub fn ends_with(&self) -> u16 {
        self.outcome().status()
    }

    /// The call is taken by `callee`.
    pub fn taken_by(mut self, callee: &Line, invite: &Received) -> Self {
        let endpoint = &callee.endpoint;
        endpoint.answer(invite, &callee.response(invite, 200, "OK"));
        let answer = self.outcome();
        assert_eq!(answer.status(), 200, "{}", answer.message);
        endpoint.expect_request("ACK", SOON);
        self.answer = Some(answer);
        self
    }

    /// The caller ends the call.
    pub fn hang_up(self, callee: &Line) {
        let answer = self.answer.as_ref().expect("a call that was taken");
        let bye = within(&self.caller.endpoint, [&self.invite, answer], "BYE", 2);
        self.caller.endpoint.send(&bye, self.caller.server);
        let arrived = callee.endpoint.expect_request("BYE", SOON);
        callee.endpoint.reply(&arrived, 200, "OK");
        let ended = self.caller.endpoint.final_response(&bye, SOON);
        assert_eq!(ended.map(|answer| answer.status()), Some(200));
    }

    fn outcome(&self) -> Received {
        let endpoint = &self.caller.endpoint;
        let answer = endpoint.final_response(&self.invite, SOON).expect("a final answer");
        let ack = match answer.status() {
            200 => within(&self.caller.endpoint, [&self.invite, &answer], "ACK", 1),
            // RFC 3261 §17.1.1.3: the ACK of a refusal is of the same transaction.
            _ => within(&self.caller.endpoint, [&self.invite, &answer], "ACK", 1)
                .set("Via", self.invite.need("Via"))
                .without("Route"),
        };
        endpoint.send(&ack, self.caller.server);
        answer
    }
}
