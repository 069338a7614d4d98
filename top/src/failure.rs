//! Why a call has no result, in sentences for an operator.

use std::fmt;

/// The socket of jsonrpcs and the parameters that make it.
const HOW: &str = "Kamailio makes it with modparam(\"jsonrpcs\", \"transport\", 4) and modparam(\"jsonrpcs\", \"dgram_socket\", PATH)";

/// What makes a server answer over HTTP.
const WEB: &str = "Kamailio needs modparam(\"jsonrpcs\", \"transport\", 5) or 0, the module xhttp, tcp_accept_no_cl=yes, and an event_route[xhttp:request] that calls jsonrpc_dispatch()";

/// Why a call has no result. Texts of the server in it are as they came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// There is no such file.
    NoSocket(String),
    /// The file may not be written to.
    NoRight(String),
    /// The socket or the address is there, and no process reads it.
    NobodyListens(String),
    /// Another error of the operating system or of HTTP: address and reason.
    Unreachable(String, String),
    /// The web server closed the connection before it answered.
    Closed(String),
    /// The web server of this URL did not answer for so many seconds.
    SilentUrl(String, u64),
    /// No answer came in time: method and seconds.
    Silent(String, u64),
    /// The answer has more bytes than this.
    TooLarge(usize),
    /// The answer is JSON that ends too early.
    CutOff,
    /// The connection of this URL ended in the middle of the answer.
    Broken(String),
    /// The result of this command is not what the command gives.
    Strange(String),
    /// The answer is no JSON, or none of JSON-RPC; it begins so.
    NotJson(String),
    /// The HTTP status, which is not 200.
    Http(u16, String),
    /// The server has no such command.
    Missing(String),
    /// The command answered with a fault: code and sentence.
    Fault(i64, String),
}

impl Failure {
    /// Whether the server did not answer at all, or not as JSON-RPC: the next call will fail in the same way.
    pub fn is_of_link(&self) -> bool {
        matches!(
            self,
            Self::NoSocket(_)
                | Self::NoRight(_)
                | Self::NobodyListens(_)
                | Self::Unreachable(..)
                | Self::Closed(_)
                | Self::SilentUrl(..)
                | Self::Silent(..)
                | Self::NotJson(_)
                | Self::Http(..)
        )
    }
}

impl Failure {
    /// Whether the server may have done what it was asked for.
    pub fn is_after_sending(&self) -> bool {
        !matches!(self, Self::NoSocket(_) | Self::NoRight(_) | Self::NobodyListens(_) | Self::Unreachable(..))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSocket(path) => write!(
                f,
                "there is no socket {path}: start Kamailio, or name its socket with --socket. {HOW}"
            ),
            Self::NoRight(path) => write!(
                f,
                "no right to write to {path}: run b2b-top as root or as the server's user, or set modparam(\"jsonrpcs\", \
                 \"dgram_group\", …) and \"dgram_mode\""
            ),
            Self::NobodyListens(at) => write!(f, "nobody listens at {at}: Kamailio has ended, or starts again"),
            Self::Unreachable(at, why) => write!(f, "{at} cannot be reached: {why}"),
            Self::Closed(url) => write!(f, "{url} closed the connection without an answer: {WEB}"),
            Self::SilentUrl(url, seconds) => {
                write!(f, "no answer from {url} within {seconds} s: the server is busy, or does not speak HTTP there: {WEB}")
            }
            Self::Silent(method, seconds) => write!(
                f,
                "no answer to {method} within {seconds} s: the server is busy, or the answer was larger than its transport \
                 carries"
            ),
            Self::TooLarge(limit) => {
                write!(f, "the answer has more than {limit} bytes and was not read: ask for fewer rows with --rows")
            }
            Self::CutOff => f.write_str(
                "the answer was cut off: raise modparam(\"jsonrpcs\", \"dgram_timeout\", …), or ask for fewer rows with --rows",
            ),
            Self::Broken(url) => write!(
                f,
                "the connection to {url} ended in the middle of the answer: ask for fewer rows with --rows, or use the socket"
            ),
            Self::Strange(method) => write!(
                f,
                "the answer to {method} is not one of the module presence_b2b: is this the socket or the URL of Kamailio?"
            ),
            Self::NotJson(begin) => write!(
                f,
                "the answer is no JSON-RPC, it begins \"{begin}\": is this the socket or the URL of jsonrpcs?"
            ),
            Self::Http(status, reason) => write!(
                f,
                "the web server answered {status} {reason}: the URL must lead to jsonrpc_dispatch() of the module jsonrpcs"
            ),
            Self::Missing(method) => write!(f, "the server has no command {method}: {}", what_to_do(method)),
            Self::Fault(code, sentence) => write!(f, "the server answered {code}: {sentence}"),
        }
    }
}

fn what_to_do(method: &str) -> &'static str {
    match method.split('.').next() {
        Some("presence_b2b") => "load the module with loadmodule \"presence_b2b.so\", or a newer one",
        Some("stats") => "load the module kex",
        _ => "the server is older than b2b-top knows",
    }
}
