//! One SIP message between the two servers, made readable.

use std::net::Ipv4Addr;

use super::hep;
use super::support::phone::lamp_in;
use super::support::pidf::{basic_of, note_of};
use super::support::sip::{Message, Start, uri_in};

/// A message between the server with the module and the presence server.
pub struct Exchange {
    /// Sent by the server with the module; else received by it.
    pub sent: bool,
    /// The record it is about: the user part of its URI.
    pub record: String,
    /// The method; of a response, the method it answers.
    pub method: String,
    /// The last NOTIFY of a subscription, with the reason it gives.
    pub terminated: Option<String>,
    /// 0 for a request.
    pub status: u16,
    /// All that is worth showing.
    pub text: String,
    /// The same for narrow places.
    pub short: String,
}

impl Exchange {
    /// Reads a copy that the server at `peer` made; `None` for what is not between it and the server with the module at `b2b`.
    pub fn read(datagram: &[u8], peer: Ipv4Addr, b2b: Ipv4Addr) -> Option<Exchange> {
        let packet = hep::open(datagram)?;
        let message = Message::parse(packet.payload).ok()?;
        let method = message.cseq().1.to_owned();
        let ends = [packet.from.ip(), packet.to.ip()];
        let sent = ends == [b2b, peer];
        if !sent && ends != [peer, b2b] {
            return None;
        }
        // A NOTIFY comes from the record, everything else goes to it.
        let uri = message.uri_in(if method == "NOTIFY" { "From" } else { "To" })?;
        let (text, short) = match &message.start {
            Start::Response { status, reason } => (format!("{status} {reason}"), format!("{status} {reason}")),
            Start::Request { method, .. } if method == "NOTIFY" => notify(&message),
            Start::Request { method, .. } => request(method, &message),
        };
        let terminated = (message.method() == "NOTIFY").then(|| terminated(&message)).flatten();
        Some(Exchange {
            sent,
            terminated,
            record: user_of(uri).to_owned(),
            method,
            status: message.status(),
            text,
            short,
        })
    }
}

/// `sip:alice@host` is about alice.
pub fn user_of(uri: &str) -> &str {
    let uri = uri_in(uri).unwrap_or(uri);
    let rest = uri.split_once(':').map_or(uri, |(_, rest)| rest);
    rest.split_once('@').map_or(rest, |(user, _)| user)
}

fn request(method: &str, message: &Message) -> (String, String) {
    let expires = message.header("Expires").map(|seconds| format!(" Expires {seconds}")).unwrap_or_default();
    let within = if message.param("To", "tag").is_some() { " in dialog" } else { "" };
    (format!("{method}{expires}{within}"), format!("{method}{expires}"))
}

fn terminated(message: &Message) -> Option<String> {
    let rest = message.header("Subscription-State")?.trim().strip_prefix("terminated")?;
    Some(rest.split(';').find_map(|part| part.trim().strip_prefix("reason=")).unwrap_or_default().to_owned())
}

fn notify(message: &Message) -> (String, String) {
    let state = message.header("Subscription-State").unwrap_or_default();
    let name = state.split(';').next().unwrap_or_default().trim().to_owned();
    let reason = state.split(';').find_map(|part| part.trim().strip_prefix("reason="));
    let body = message.text();
    let mut news: Vec<String> = reason.map(str::to_owned).into_iter().collect();
    news.extend(basic_of(&body).map(str::to_owned));
    news.extend(body.contains("<dialog-info").then(|| lamp_in(&body.to_lowercase()).to_owned()));
    news.extend(note_of(&body).map(|note| format!("\"{note}\"")));
    let what = news.join(" ");
    match (name.as_str(), news.is_empty()) {
        ("active", false) => (format!("NOTIFY active {what}"), format!("NOTIFY {what}")),
        ("terminated", _) => {
            (format!("NOTIFY terminated {what}"), format!("NOTIFY terminated {}", reason.unwrap_or("")))
        }
        _ => (format!("NOTIFY {name} {what}").trim_end().to_owned(), format!("NOTIFY {name} {what}").trim_end().into()),
    }
}
