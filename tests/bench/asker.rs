//! Writes requests about records, such as a call has: the script looks up what is known of the Request-URI.

use std::net::SocketAddrV4;

use super::message::BRANCH;
use super::net::Batch;

/// Writes OPTIONS.
pub struct Asker {
    via: SocketAddrV4,
    /// The host of the records.
    host: String,
    /// Digits of their numbers.
    width: usize,
}

impl Asker {
    /// Requests that come from `via`, about `sip:r<number>@host` with so many digits.
    pub fn new(via: SocketAddrV4, host: String, width: usize) -> Asker {
        Asker { via, host, width }
    }

    /// Adds a request to `peer` about a record to the batch.
    pub fn push(&self, batch: &mut Batch, peer: SocketAddrV4, number: usize, id: u64) {
        let Asker { via, host, width } = self;
        let record = format!("sip:r{number:0width$}@{host}");
        let request = format!(
            "OPTIONS {record} SIP/2.0\r\nVia: SIP/2.0/UDP {via};{BRANCH}{id:016x}\r\nMax-Forwards: 70\r\n\
             From: <sip:caller@caller.invalid>;tag=c{id}\r\nTo: <{record}>\r\nCall-ID: a{id}@{via}\r\nCSeq: 1 OPTIONS\r\n\
             Contact: <sip:caller@{via}>\r\nContent-Length: 0\r\n\r\n"
        );
        batch.push(peer, &[request.as_bytes()]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_names_its_record() {
        let [via, peer] = [1, 2].map(|last| SocketAddrV4::new([127, 0, 0, last].into(), 5060));
        let mut batch = Batch::default();
        Asker::new(via, "127.0.0.9".into(), 5).push(&mut batch, peer, 42, 7);
        let written: Vec<String> = batch.iter().map(|(text, _)| String::from_utf8_lossy(text).into_owned()).collect();
        assert!(written[0].starts_with("OPTIONS sip:r00042@127.0.0.9 SIP/2.0\r\n"), "{written:?}");
        assert!(
            written[0].contains("branch=z9hG4bKb0000000000000007\r\n") && written[0].ends_with("\r\n\r\n"),
            "{written:?}"
        );
    }
}
