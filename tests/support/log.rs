//! The log of a server, and the lines that it must never have.

use std::fs;
use std::path::{Path, PathBuf};

/// The log file of one server.
pub struct Log {
    path: PathBuf,
}

/// A place in a log: everything up to now.
#[derive(Clone, Copy, Debug, Default)]
pub struct Mark(usize);

/// Lines with one of these mean that the server or the module is broken, or that something failed which the test did not
/// expect to fail.
const NEVER: &[&str] = &[
    " ERROR: ",
    " CRITICAL: ",
    " BUG: ",
    " ALERT: ",
    " EMERGENCY: ",
    "panic",
    "exited by a signal",
    "core was generated",
    "core was not generated",
    "SIGSEGV",
    "SIGABRT",
    "AddressSanitizer",
];

/// Said by the TCP main process of every healthy Kamailio while the other processes end before it. When all have ended,
/// it waits for no descriptor, which epoll refuses, until it ends itself.
const WHILE_ENDING: &[&str] = &[
    "receive_fd(): ",
    "handle_ser_child(): read from",
    "handle_tcp_child(): read from",
    "io_wait_loop_epoll(): epoll_wait(",
];

/// Said by Kamailio for each message that its own parsers cannot read: what a test that sends hostile bytes expects.
const UNREADABLE: &[&str] = &[
    "<core> [core/parser/",
    "<core> [core/receive.c",
    "<core> [core/msg_translator.c",
    "<core> [core/tcp_read.c",
    "tm [../../core/char_msg_val.h",
    "tm [t_lookup.c",
    "sl [sl_funcs.c",
];

/// Said by Kamailio for each TCP connection that a peer refuses, does not take in time, or closes while it is written to.
const BAD_CONNECTIONS: &[&str] = &[
    "<core> [core/tcp_main.c",
    "<core> [core/tcp_read.c",
    "<core> [core/tsend.c",
    "msg_send_buffer(): tcp_send failed",
    "send_prepared_request_impl(): Attempt to send to precreated request failed",
];

/// Lines that a test expects, although a line of their kind fails any other.
#[derive(Clone, Debug, Default)]
pub struct Expected {
    texts: Vec<String>,
    kinds: Vec<&'static str>,
}

impl Expected {
    /// Any line with `part`.
    pub fn text(&mut self, part: &str) {
        self.texts.push(part.to_owned());
    }

    /// The errors of Kamailio's parsers.
    pub fn unreadable(&mut self) {
        self.kinds.extend(UNREADABLE);
    }

    /// The errors of TCP connections that are refused, not made in time, or lost.
    pub fn bad_connections(&mut self) {
        self.kinds.extend(BAD_CONNECTIONS);
    }

    /// Whether `line` is among them. What the module under test says is expected by its text only, and so is all that
    /// is worse than an error.
    pub fn has(&self, line: &str) -> bool {
        let kinds = if line.contains(" ERROR: ") && !line.contains(": presence_b2b ") { &self.kinds[..] } else { &[] };
        self.texts.iter().any(|part| line.contains(part.as_str())) || kinds.iter().any(|part| line.contains(part))
    }
}

impl Log {
    pub(super) fn new(path: PathBuf) -> Log {
        Log { path }
    }

    /// The file that holds the log.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The whole lines logged so far. Linux shows a line that is being written piece by piece, page by page of the file.
    pub fn text(&self) -> String {
        let mut bytes = self.bytes();
        bytes.truncate(bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1));
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn bytes(&self) -> Vec<u8> {
        fs::read(&self.path).unwrap_or_default()
    }

    /// Remembers the present end of the log.
    pub fn mark(&self) -> Mark {
        Mark(self.text().len())
    }

    /// The lines after `mark`.
    pub fn text_since(&self, mark: Mark) -> String {
        self.text().get(mark.0..).unwrap_or_default().to_owned()
    }

    /// The lines logged after `mark` that contain `part`.
    pub fn since(&self, mark: Mark, part: &str) -> Vec<String> {
        self.text_since(mark).lines().filter(|line| line.contains(part)).map(str::to_owned).collect()
    }

    /// The lines logged after `mark` that contain `part`. Moves `mark` behind them: the next call gives later ones only.
    pub fn next(&self, mark: &mut Mark, part: &str) -> Vec<String> {
        let text = self.text_since(*mark);
        mark.0 += text.len();
        text.lines().filter(|line| line.contains(part)).map(str::to_owned).collect()
    }

    /// The last `count` lines, as one text.
    pub fn tail(&self, count: usize) -> String {
        let bytes = self.bytes();
        let text = String::from_utf8_lossy(&bytes);
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(count)..].join("\n")
    }

    /// The lines that must not be there, without those that are `expected`. `stop` is where the server was told to end.
    pub fn complaints(&self, expected: &Expected, stop: Mark) -> Vec<String> {
        let bytes = self.bytes();
        let text = String::from_utf8_lossy(&bytes);
        let (alive, ending) = text.split_at_checked(stop.0).unwrap_or((&text, ""));
        let harmless = |line: &&str| !WHILE_ENDING.iter().any(|part| line.contains(part));
        alive
            .lines()
            .chain(ending.lines().filter(harmless))
            .filter(|line| NEVER.iter().any(|never| line.contains(never)))
            .filter(|line| !expected.has(line))
            .map(str::to_owned)
            .collect()
    }
}
