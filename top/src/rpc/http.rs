//! JSON-RPC over HTTP, to a server whose xhttp leads to jsonrpcs.

use std::io::Read as _;
use std::io::{self, ErrorKind};

use serde_json::Value;

use super::envelope::{request, result};
use super::{MOST, PATIENCE};
use crate::failure::Failure;
use crate::text::clean;

/// The most bytes of the status line and the headers.
const MOST_OF_HEAD: usize = 16 * 1024;

/// What minreq says in place of a status line that did not come, with a status of its own.
const NO_STATUS: (i32, &str) = (503, "Server did not provide a status line");

/// A web server; each call has a connection of its own.
pub struct Http {
    url: String,
    calls: u64,
}

impl Http {
    pub fn new(url: String) -> Self {
        Self { url, calls: 0 }
    }

    pub fn call(&mut self, method: &str, params: &Value) -> Result<Value, Failure> {
        self.calls += 1;
        let sent = minreq::post(&self.url)
            .with_header("Content-Type", "application/json")
            .with_body(request(method, params, self.calls))
            .with_timeout(PATIENCE.as_secs())
            .with_follow_redirects(false)
            .with_max_headers_size(MOST_OF_HEAD)
            .with_max_status_line_length(MOST_OF_HEAD)
            .send_lazy();
        let response = sent.map_err(|error| self.failure(error))?;
        let (status, reason) = (response.status_code, clean(&response.reason_phrase));
        let mut answer = Vec::new();
        let read = response.take(MOST as u64 + 1).read_to_end(&mut answer);
        if (i32::from(status), reason.as_str()) == NO_STATUS {
            return Err(if answer.is_empty() { Failure::Closed(self.url.clone()) } else { not_json(&answer) });
        }
        // jsonrpcs answers faults with a status of their own, and a body that says more.
        if status != 200 && !answer.trim_ascii_start().starts_with(b"{") {
            return Err(Failure::Http(status, reason));
        }
        // The server has had the call by now.
        read.map_err(|error| match self.failed_to_read(&error) {
            Failure::Unreachable(url, _) => Failure::Broken(url),
            failure => failure,
        })?;
        if answer.len() > MOST {
            return Err(Failure::TooLarge(MOST));
        }
        match result(&answer, method, self.calls) {
            Err(Failure::CutOff) => Err(Failure::Broken(self.url.clone())),
            result => result?.ok_or_else(|| not_json(&answer)),
        }
    }

    fn failure(&self, error: minreq::Error) -> Failure {
        match error {
            minreq::Error::IoError(error) => self.failed_to_read(&error),
            // What answers there speaks another protocol.
            minreq::Error::InvalidUtf8InResponse => Failure::NotJson("bytes that are no text".to_owned()),
            other => Failure::Unreachable(self.url.clone(), clean(&other.to_string())),
        }
    }

    fn failed_to_read(&self, error: &io::Error) -> Failure {
        match error.kind() {
            ErrorKind::ConnectionRefused => Failure::NobodyListens(self.url.clone()),
            ErrorKind::TimedOut | ErrorKind::WouldBlock => Failure::SilentUrl(self.url.clone(), PATIENCE.as_secs()),
            ErrorKind::UnexpectedEof => Failure::Broken(self.url.clone()),
            ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::BrokenPipe => {
                Failure::Closed(self.url.clone())
            }
            // minreq wraps what happens while it reads chunks.
            _ => match error.get_ref().and_then(|inner| inner.downcast_ref()) {
                Some(minreq::Error::IoError(inner)) => self.failed_to_read(inner),
                _ => Failure::Unreachable(self.url.clone(), clean(&error.to_string())),
            },
        }
    }
}

fn not_json(answer: &[u8]) -> Failure {
    Failure::NotJson(clean(&String::from_utf8_lossy(answer.get(..60).unwrap_or(answer))))
}
