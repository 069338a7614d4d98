//! Writes NOTIFYs from parts that are rendered beforehand: only what differs from one to the next is written for each.

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::SocketAddrV4;

use super::dialogs::Dialogs;
use super::message::BRANCH;
use super::net::Batch;

/// The kind of a NOTIFY's body.
#[derive(Clone)]
pub struct Document {
    /// The Event.
    pub event: &'static str,
    /// The Content-Type; empty where there is no body.
    pub content_type: &'static str,
    /// The body.
    pub text: String,
}

impl Document {
    /// The same event with nothing to say.
    pub fn without_body(self) -> Document {
        Document { content_type: "", text: String::new(), ..self }
    }
}

/// Writes NOTIFYs.
pub struct Writer {
    via: SocketAddrV4,
    /// Whom the last one went to, and how it began: all up to the number in the branch.
    peer: Option<SocketAddrV4>,
    head: Vec<u8>,
    contact: Vec<u8>,
    tail: Vec<u8>,
}

impl Writer {
    /// NOTIFYs that come from `via` and name `contact`.
    pub fn new(via: SocketAddrV4, contact: SocketAddrV4, document: &Document) -> Writer {
        let mut tail =
            format!("Max-Forwards: 70\r\nEvent: {}\r\nSubscription-State: active;expires=3600\r\n", document.event);
        if !document.content_type.is_empty() {
            let _ = write!(tail, "Content-Type: {}\r\n", document.content_type);
        }
        let _ = write!(tail, "Content-Length: {}\r\n\r\n{}", document.text.len(), document.text);
        let contact = format!("@{contact}>\r\n").into_bytes();
        Writer { via, peer: None, head: Vec::new(), contact, tail: tail.into_bytes() }
    }

    /// Adds the record's next NOTIFY to `peer` to the batch. False: its dialog is not known.
    pub fn push(
        &mut self,
        batch: &mut Batch,
        dialogs: &mut Dialogs,
        peer: SocketAddrV4,
        number: usize,
        id: u64,
    ) -> bool {
        let Some(named) = dialogs.next(number) else { return false };
        if self.peer != Some(peer) {
            let begin = format!("NOTIFY sip:{peer} SIP/2.0\r\nVia: SIP/2.0/UDP {};{BRANCH}", self.via);
            (self.peer, self.head) = (Some(peer), begin.into_bytes());
        }
        let mut rooms = [[0; 20]; 3];
        let [id_room, number_room, cseq_room] = &mut rooms;
        let id = text(id_room, format_args!("{id:016x}"));
        let number = text(number_room, format_args!("{number}"));
        let cseq = text(cseq_room, format_args!("{}", named.cseq));
        let from_and_to = [b"\r\nFrom: <sip:r", number, b"@notifier.invalid>;tag=n", number, b"\r\nTo: <sip:w", number];
        let [a, b, c, d, e, f] = from_and_to;
        batch.push(
            peer,
            &[
                &self.head,
                id,
                a,
                b,
                c,
                d,
                e,
                f,
                b"@watcher.invalid>;tag=",
                named.tag,
                b"\r\nCall-ID: ",
                named.call_id,
                b"\r\nCSeq: ",
                cseq,
                b" NOTIFY\r\nContact: <sip:r",
                number,
                &self.contact,
                &self.tail,
            ],
        );
        true
    }

    /// Writes `stamp` over the same number of bytes of the body, after `mark`.
    pub fn stamp(&mut self, mark: &str, stamp: &str) {
        let place = self.tail.windows(mark.len()).position(|part| part == mark.as_bytes());
        if let Some(at) = place.map(|at| at + mark.len()) {
            self.tail[at..at + stamp.len()].copy_from_slice(stamp.as_bytes());
        }
    }
}

/// A number as text, in a room that is large enough for any.
fn text<'a>(room: &'a mut [u8; 20], number: std::fmt::Arguments) -> &'a [u8] {
    let mut rest = room.as_mut_slice();
    let _ = rest.write_fmt(number);
    let length = 20 - rest.len();
    &room[..length]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notify_is_whole() {
        let [via, contact, peer] = [1, 2, 3].map(|last| SocketAddrV4::new([127, 0, 0, last].into(), 5060));
        let document = Document { event: "presence", content_type: "text/plain", text: "at 00 now".into() };
        let mut writer = Writer::new(via, contact, &document);
        let (mut dialogs, mut batch) = (Dialogs::new(8, 8), Batch::default());
        assert!(!writer.push(&mut batch, &mut dialogs, peer, 7, 10), "the dialog is not known");
        dialogs.learn(7, b"call", b"tag");
        writer.stamp("at ", "42");
        assert!(writer.push(&mut batch, &mut dialogs, peer, 7, 10));
        let written: Vec<String> = batch.iter().map(|(text, _)| String::from_utf8_lossy(text).into_owned()).collect();
        let expected = "NOTIFY sip:127.0.0.3:5060 SIP/2.0\r\n\
            Via: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bKb000000000000000a\r\n\
            From: <sip:r7@notifier.invalid>;tag=n7\r\nTo: <sip:w7@watcher.invalid>;tag=tag\r\n\
            Call-ID: call\r\nCSeq: 1 NOTIFY\r\nContact: <sip:r7@127.0.0.2:5060>\r\n\
            Max-Forwards: 70\r\nEvent: presence\r\nSubscription-State: active;expires=3600\r\n\
            Content-Type: text/plain\r\nContent-Length: 9\r\n\r\nat 42 now";
        assert_eq!(written, [expected]);
    }
}
