//! JSON-RPC over the unix datagram socket of jsonrpcs.

use std::io::{self, ErrorKind};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Instant;

use serde_json::Value;

use super::envelope::{request, result};
use super::{MOST, PATIENCE};
use crate::failure::Failure;

/// A socket of our own, connected to that of the server when it is needed.
pub struct Datagram {
    path: String,
    socket: Option<UnixDatagram>,
    calls: u64,
    buffer: Vec<u8>,
}

impl Datagram {
    pub fn new(path: String) -> Self {
        Self { path, socket: None, calls: 0, buffer: Vec::new() }
    }

    pub fn call(&mut self, method: &str, params: &Value) -> Result<Value, Failure> {
        self.calls += 1;
        let answer = self.exchange(method, &request(method, params, self.calls));
        if answer.as_ref().is_err_and(Failure::is_of_link) {
            // A server that starts again has a new socket of the same name.
            self.socket = None;
        }
        answer
    }

    fn exchange(&mut self, method: &str, request: &str) -> Result<Value, Failure> {
        let socket = match self.socket.take() {
            Some(socket) => socket,
            None => connected(&self.path).map_err(|error| self.failure(&error))?,
        };
        let socket = self.socket.insert(socket);
        match socket.send(request.as_bytes()) {
            Ok(_) => {}
            // It reads nothing, and its queue is full.
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                return Err(Failure::Silent(method.to_owned(), PATIENCE.as_secs()));
            }
            Err(error) => return Err(self.failure(&error)),
        }
        self.buffer.resize(MOST + 1, 0);
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Failure::Silent(method.to_owned(), PATIENCE.as_secs()));
            }
            let received = socket.set_read_timeout(Some(left)).and_then(|()| socket.recv(&mut self.buffer));
            let length = match received {
                Ok(length) => length,
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted) =>
                {
                    continue;
                }
                Err(error) => return Err(self.failure(&error)),
            };
            if length > MOST {
                return Err(Failure::TooLarge(MOST));
            }
            // A late answer to an earlier call is passed over.
            if let Some(result) = result(self.buffer.get(..length).unwrap_or_default(), method, self.calls)? {
                return Ok(result);
            }
        }
    }

    fn failure(&self, error: &io::Error) -> Failure {
        let at = self.path.clone();
        match error.kind() {
            ErrorKind::NotFound => Failure::NoSocket(at),
            ErrorKind::PermissionDenied => Failure::NoRight(at),
            ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => {
                Failure::NobodyListens(at)
            }
            _ => Failure::Unreachable(at, error.to_string()),
        }
    }
}

/// The server answers to our address. One without a file needs no right of the server on a folder of ours, and only the
/// process that is connected to can send to it.
fn connected(path: &str) -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(unique_name())?)?;
    socket.set_write_timeout(Some(PATIENCE))?;
    socket.connect(path)?;
    Ok(socket)
}

fn unique_name() -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    format!("b2b-top.{}.{:x}", std::process::id(), now.as_nanos())
}
