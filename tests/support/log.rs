//! What a server said, and what it must never say.

use std::fs;
use std::path::{Path, PathBuf};

/// The log file of one server.
pub struct Log {
    path: PathBuf,
}

/// A place in a log: everything up to now.
#[derive(Clone, Copy, Debug, Default)]
pub struct Mark(usize);

/// Lines with one of these mean that the server or the module is broken, whatever the test looks at.
const NEVER: &[&str] = &[
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

/// Said by the TCP main process of every healthy Kamailio while the other processes end before it.
const WHILE_ENDING: &[&str] = &["receive_fd(): ", "handle_ser_child(): read from", "handle_tcp_child(): read from"];

impl Log {
    pub(super) fn new(path: PathBuf) -> Log {
        Log { path }
    }

    /// The file that holds the log.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Everything logged so far.
    pub fn text(&self) -> String {
        let bytes = fs::read(&self.path).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Remembers the present end of the log.
    pub fn mark(&self) -> Mark {
        Mark(self.text().len())
    }

    /// What was logged after `mark`.
    pub fn text_since(&self, mark: Mark) -> String {
        self.text().get(mark.0..).unwrap_or_default().to_owned()
    }

    /// The lines logged after `mark` that contain `part`.
    pub fn since(&self, mark: Mark, part: &str) -> Vec<String> {
        self.text_since(mark).lines().filter(|line| line.contains(part)).map(str::to_owned).collect()
    }

    /// The last `count` lines, as one text.
    pub fn tail(&self, count: usize) -> String {
        let text = self.text();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(count)..].join("\n")
    }

    /// The lines that must not be there, without those that contain one of `allowed`. `stop` is where the server was
    /// told to end.
    pub fn complaints(&self, allowed: &[String], stop: Mark) -> Vec<String> {
        let text = self.text();
        let (alive, ending) = text.split_at_checked(stop.0).unwrap_or((&text, ""));
        let harmless = |line: &&str| !WHILE_ENDING.iter().any(|part| line.contains(part));
        alive
            .lines()
            .chain(ending.lines().filter(harmless))
            .filter(|line| NEVER.iter().any(|never| line.contains(never)))
            .filter(|line| !allowed.iter().any(|allow| line.contains(allow.as_str())))
            .map(str::to_owned)
            .collect()
    }
}
