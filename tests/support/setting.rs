//! Single lines of a configuration.

use std::net::{Ipv4Addr, SocketAddr};

use super::address::SIP_PORT;

/// A module parameter's value.
#[derive(Clone, Debug)]
pub enum Value {
    /// An `int` parameter.
    Int(i64),
    /// A `string` parameter.
    Text(String),
}

impl From<i64> for Value {
    fn from(number: i64) -> Value {
        Value::Int(number)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Value {
        Value::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Value {
        Value::Text(text)
    }
}

/// An address that a server listens on: `udp:127.5.0.1:5060`, perhaps with an advertised address.
#[derive(Clone, Debug)]
pub struct Listen(String, Option<u32>);

impl Listen {
    /// UDP on the SIP port of `ip`.
    pub fn udp(ip: Ipv4Addr) -> Listen {
        Listen(format!("udp:{ip}:{SIP_PORT}"), None)
    }

    /// TCP on the SIP port of `ip`.
    pub fn tcp(ip: Ipv4Addr) -> Listen {
        Listen(format!("tcp:{ip}:{SIP_PORT}"), None)
    }

    /// `udp`, `tcp` or `tls` on any address, IPv4 or IPv6.
    pub fn on(protocol: &str, addr: SocketAddr) -> Listen {
        Listen(format!("{protocol}:{addr}"), None)
    }

    /// With `host` or `host:port` written into Via and Record-Route in place of the real address.
    pub fn advertise(self, address: &str) -> Listen {
        Listen(format!("{} advertise {address}", self.0), self.1)
    }

    /// With a name that `$fs`-like variables and the module's socket parameters take.
    pub fn named(self, name: &str) -> Listen {
        Listen(format!("{} name \"{name}\"", self.0), self.1)
    }

    /// With so many SIP workers of its own, whatever others have.
    pub fn workers(self, count: u32) -> Listen {
        Listen(self.0, Some(count))
    }

    /// Its lines in the configuration.
    pub(super) fn lines(&self) -> String {
        let workers = self.1.map(|count| format!("socket_workers={count}\n")).unwrap_or_default();
        format!("{workers}listen={}", self.0)
    }
}

/// A `modparam` line.
pub(super) fn param(module: &str, name: &str, value: &Value) -> String {
    match value {
        Value::Int(number) => format!("modparam(\"{module}\", \"{name}\", {number})"),
        Value::Text(text) => {
            let text = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\r', "\\r").replace('\n', "\\n");
            format!("modparam(\"{module}\", \"{name}\", \"{text}\")")
        }
    }
}
