//! A SUBSCRIBE has been answered, or tm has given up waiting.

use super::Engine;
use super::contact::{self, ReceivedContact};
use super::counters::ReplyClass;
use super::start::Concluded;
use crate::gate::SendOutcome;
use crate::grammar::{Routes, Target};
use crate::host::message::SipMessage;
use crate::host::reply_headers::{PlainTerms, ReplyHeaders};
use crate::host::transaction::Final;
use crate::registry::Handle;
use crate::subscription::{Challenge, Challenger, Flow, Input, Reason, Reply};

/// The callback of tm: runs in the process that read the reply, or in a timer process.
pub fn on_reply(parameter: u64, cseq: u32, outcome: Final<'_>) {
    let (Some(engine), Some(handle)) = (super::engine(), Handle::from_u64(parameter)) else { return };
    match outcome {
        Final::Local(code) => engine.take_local(handle, cseq, code),
        Final::Unread(code) => engine.take_unread(handle, cseq, code, None),
        Final::Reply(message) => engine.take_reply(handle, cseq, message),
    }
}

impl Engine {
    /// Nobody has answered: tm has made it up.
    fn take_local(&self, handle: Handle, cseq: u32, code: u16) {
        let reason = if code == 408 { Reason::RequestTimeout } else { Reason::NoUsableReply };
        let reply = Reply { cseq, code, is_local: true, reason: reason.text().as_bytes(), ..Reply::default() };
        self.conclude(handle, reply, SendOutcome::of_local(code));
    }

    /// A reply of which no more can be read than its code, and perhaps when to come back.
    fn take_unread(&self, handle: Handle, cseq: u32, code: u16, retry_after: Option<u32>) {
        let reason = Reason::NoUsableReply.text().as_bytes();
        self.take_answer(handle, Reply { cseq, code, reason, retry_after, ..Reply::default() }, None);
    }

    fn take_reply(&self, handle: Handle, cseq: u32, message: SipMessage<'_>) {
        let code = message.status();
        // A plain 2xx is read without the host's parser, which takes memory for each header.
        let headers = ReplyHeaders::of(message);
        let plain = if code < 300 { headers.plain_terms() } else { None };
        if plain.is_some() || message.parse().is_ok() {
            return self.take_parsed(handle, cseq, message, plain, None);
        }
        // A header that cannot be parsed spoils no other.
        match message.reduced() {
            Some(copy) if copy.message().parse().is_ok() => {
                let retry_after = headers.seconds("Retry-After");
                self.take_parsed(handle, cseq, copy.message(), None, retry_after);
            }
            Some(_) | None => self.take_unread(handle, cseq, code, headers.seconds("Retry-After")),
        }
    }

    fn take_parsed(
        &self,
        handle: Handle,
        cseq: u32,
        message: SipMessage<'_>,
        plain: Option<PlainTerms<'_>>,
        retry_after: Option<u32>,
    ) {
        let (code, headers) = (message.status(), ReplyHeaders::of(message));
        let mut reply = Reply {
            cseq,
            code,
            reason: message.reason(),
            remote_tag: headers.to_tag(),
            expires: plain.map_or_else(|| headers.expires(), |plain| plain.expires),
            ..Reply::default()
        };
        // A Contact or Record-Route that cannot be used is as good as none: the NOTIFY says the same again (RFC 6665 §4.4.1).
        let contact = match plain {
            Some(plain) => plain.contact.map(|uri| ReceivedContact::of_uri(uri, message)),
            None if code < 300 => headers.contacts().next().map(|header| ReceivedContact::of(header, message)),
            None => None,
        };
        reply.contact = contact.as_ref().and_then(ReceivedContact::uri);
        reply.has_bad_contact = contact.is_some() && reply.contact.is_none();
        let (targets, redirect, routes, challenges);
        match code {
            200..=299 => {
                reply.flow = message.connection().filter(|_| self.config.refresh_on_flow_loss).map(Flow);
                if plain.is_none() {
                    routes = Routes::judge_reversed(headers.record_routes());
                    reply.route_set = routes.as_ref().map(Routes::set).unwrap_or_default();
                    reply.authentication_info = headers.authentication_info();
                }
            }
            300..=399 => {
                targets = contact::targets(headers, message);
                redirect = targets.iter().map(Target::uri).collect::<Vec<_>>();
                reply.redirect = &redirect;
            }
            401 | 407 => {
                let end =
                    headers.www_challenges().into_iter().map(|value| Challenge { challenger: Challenger::End, value });
                let proxies = headers.proxy_challenges().into_iter();
                challenges = end
                    .chain(proxies.map(|value| Challenge { challenger: Challenger::Proxy, value }))
                    .collect::<Vec<_>>();
                reply.challenges = &challenges;
            }
            _ => {}
        }
        if code >= 300 {
            reply.min_expires = headers.seconds("Min-Expires");
            reply.retry_after = retry_after.or_else(|| headers.seconds("Retry-After"));
        }
        self.take_answer(handle, reply, contact.as_ref());
    }

    /// Somebody has answered.
    fn take_answer(&self, handle: Handle, mut reply: Reply<'_>, contact: Option<&ReceivedContact<'_>>) {
        let outcome = SendOutcome::of_answer(reply.code, reply.retry_after);
        // It holds the proxy; the record may be asked for through the next one.
        let is_one_of_many =
            || self.registry.view(handle, |subscription, _| !subscription.has_own_way()).unwrap_or(false);
        if reply.code == 503 && self.config.presence_outbound_proxies.len() > 1 && is_one_of_many() {
            reply.retry_after = None;
        }
        let Some(stepped) = self.conclude(handle, reply, outcome) else { return };
        if let Some(contact) = contact {
            self.count_bad_contact(handle, stepped.subscription, stepped.bad_contacts, contact.header());
        }
    }

    /// Tells the subscription and the gate. Both count a Retry-After from the same moment.
    fn conclude(&self, handle: Handle, reply: Reply<'_>, outcome: SendOutcome) -> Option<Concluded> {
        let class = if reply.is_local { ReplyClass::None } else { ReplyClass::of(reply.code) };
        self.counters.count_reply(class);
        let now = Self::now();
        let stepped = self.step(handle, Input::Reply(reply), now)?;
        if let Some(wait) = stepped.waited {
            self.counters.waits.note(class, wait);
        }
        if let Some(destination) = stepped.concluded {
            self.gate.report(destination, handle.to_u64(), outcome, now);
        }
        Some(stepped)
    }
}
