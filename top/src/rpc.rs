//! Calls of the server's commands: JSON-RPC over a datagram socket or HTTP.

mod datagram;
mod envelope;
mod http;

use std::time::Duration;

use serde_json::Value;

use self::datagram::Datagram;
use self::http::Http;
use crate::failure::Failure;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// The most bytes of an answer.
const MOST: usize = 512 * 1024;

/// Where the socket is if nobody says so: in Kamailio's own configuration and in that of Debian.
const USUAL: [&str; 2] = ["/run/kamailio/kamailio_rpc.sock", "/var/run/kamailio/kamailio_rpc.sock"];

/// Where the server is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A datagram socket of jsonrpcs.
    Socket(String),
    /// An `http://` URL that leads to jsonrpcs.
    Url(String),
}

impl Default for Address {
    fn default() -> Self {
        let [usual, other] = USUAL;
        let there = [usual, other].into_iter().find(|path| std::path::Path::new(path).exists());
        Self::Socket(there.unwrap_or(usual).to_owned())
    }
}

/// One call at a time to one server, which may go away and return.
pub enum Client {
    /// Over a socket.
    Datagram(Datagram),
    /// Over HTTP.
    Http(Http),
}

impl Client {
    /// A client that has asked nothing yet.
    pub fn new(address: Address) -> Self {
        match address {
            Address::Socket(path) => Self::Datagram(Datagram::new(path)),
            Address::Url(url) => Self::Http(Http::new(url)),
        }
    }

    /// The result of a command. Takes 2 seconds at most, or a little more over HTTP.
    pub fn call(&mut self, method: &str, params: &Value) -> Result<Value, Failure> {
        match self {
            Self::Datagram(datagram) => datagram.call(method, params),
            Self::Http(http) => http.call(method, params),
        }
    }
}

#[cfg(test)]
mod tests;
