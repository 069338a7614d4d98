//! JSON-RPC to a server, over the FIFO of Kamailio's `jsonrpcs`.
//!
//! Of its three transports only the FIFO carries answers of any size: a datagram ends at 64 kB, and HTTP would put the
//! calls into the SIP workers that the tests want to keep busy with SIP. A request may have 8 kB.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// The name of the request FIFO in the runtime directory.
pub const FIFO: &str = "rpc.fifo";

/// A request that `jsonrpcs` would cut off.
const REQUEST_MAX: usize = 8190;

/// The error that the server answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RpcError {
    /// The RPC fault's number (500 for most).
    pub code: i64,
    /// The RPC fault's text.
    pub message: String,
}

impl fmt::Display for RpcError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.code, self.message)
    }
}

/// A client. Calls from several threads queue up: the server takes one at a time anyway.
pub struct Rpc {
    dir: PathBuf,
    calls: Mutex<u64>,
}

impl Rpc {
    /// A client of the server whose runtime directory is `dir`.
    pub fn new(dir: &Path) -> Rpc {
        Rpc { dir: dir.to_owned(), calls: Mutex::new(0) }
    }

    /// Calls `method`; the outer error says that no answer came within the time, or before `alive` said no.
    pub fn try_call(
        &self,
        method: &str,
        params: &Value,
        within: Duration,
        alive: impl FnMut() -> bool,
    ) -> Result<Result<Value, RpcError>, String> {
        let mut calls = self.calls.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        *calls += 1;
        let id = *calls;
        let reply_name = format!("reply{id}");
        let mut request = json!({ "jsonrpc": "2.0", "method": method, "reply_name": reply_name, "id": id });
        if params.as_array().is_none_or(|list| !list.is_empty()) && !params.is_null() {
            request["params"] = params.clone();
        }
        let request = readable(&request.to_string());
        assert!(
            request.len() <= REQUEST_MAX,
            "an RPC request may have {REQUEST_MAX} bytes, this has {}",
            request.len()
        );

        let mut reply = ReplyFifo::make(self.dir.join(reply_name)).map_err(|error| format!("reply fifo: {error}"))?;
        OpenOptions::new()
            .write(true)
            .custom_flags(libc::O_NONBLOCK)
            .open(self.dir.join(FIFO))
            .and_then(|mut fifo| fifo.write_all(request.as_bytes()))
            .map_err(|error| format!("request fifo: {error}"))?;
        let text = reply.read(Instant::now() + within, alive)?;
        let mut answer: Value = serde_json::from_slice(&text)
            .map_err(|error| format!("not JSON ({error}): {}", String::from_utf8_lossy(&text)))?;
        if answer["id"] != json!(id) {
            return Err(format!("the answer is not to call {id}: {answer}"));
        }
        Ok(match answer.get("error") {
            Some(error) => Err(RpcError {
                code: error["code"].as_i64().unwrap_or_default(),
                message: error["message"].as_str().unwrap_or_default().to_owned(),
            }),
            None => Ok(answer["result"].take()),
        })
    }
}

/// JSON as the FIFO can read it. It looks for the end of a text with its own eyes, and takes each quote behind a backslash for a part of the text:
/// behind one that the text ends with, it would wait for more. So that one is written by its number.
fn readable(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    let mut rest = json.chars().peekable();
    while let Some(char) = rest.next() {
        match (char, rest.peek()) {
            ('\\', Some('\\')) => {
                rest.next();
                text.push_str(if rest.peek() == Some(&'"') { r"\u005c" } else { r"\\" });
            }
            ('\\', Some(_)) => text.extend([Some('\\'), rest.next()].into_iter().flatten()),
            (char, _) => text.push(char),
        }
    }
    text
}

/// The FIFO that one answer comes through.
struct ReplyFifo {
    path: PathBuf,
    file: File,
}

impl ReplyFifo {
    fn make(path: PathBuf) -> std::io::Result<ReplyFifo> {
        let name = std::ffi::CString::new(path.as_os_str().as_bytes())?;
        // SAFETY: `name` is a terminated string that lives through the call.
        if unsafe { libc::mkfifo(name.as_ptr(), 0o600) } != 0 {
            return Err(std::io::Error::last_os_error());
        }
        // Opened before the request goes out: the server does not wait for a reader.
        let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(&path)?;
        Ok(ReplyFifo { path, file })
    }

    fn read(&mut self, deadline: Instant, mut alive: impl FnMut() -> bool) -> Result<Vec<u8>, String> {
        let mut text = Vec::new();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let mut ready = libc::pollfd { fd: self.file.as_raw_fd(), events: libc::POLLIN, revents: 0 };
            // SAFETY: one valid pollfd, which outlives the call.
            let count = unsafe { libc::poll(&mut ready, 1, left.as_millis().clamp(1, 100) as i32) };
            // Nothing yet, or a signal: a FIFO that no process has opened to write would read as ended.
            if count <= 0 {
                if left.is_zero() || !alive() {
                    return Err(format!("no complete answer in time ({} bytes so far)", text.len()));
                }
                continue;
            }
            match self.file.read_to_end(&mut text) {
                Ok(_) if !text.is_empty() => return Ok(text),
                Ok(_) => return Err("the server closed without an answer".into()),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
                Err(error) => return Err(error.to_string()),
            }
        }
    }
}

impl Drop for ReplyFifo {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}
