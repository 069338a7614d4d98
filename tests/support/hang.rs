//! The calls that the processes of a server that does not end wait in, and the code that made them.

use std::fmt;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;

use super::process::members;

/// A process that is still there.
#[derive(Debug)]
pub struct Left {
    pid: u32,
    /// What the server calls it.
    name: String,
    /// The file whose code it waits in: the server, or one of its modules.
    waits_in: String,
    /// What `/proc` says of the system call that it is in.
    call: String,
}

impl Left {
    /// One process, whatever it does.
    pub fn process(pid: u32, name: &str) -> Left {
        Left { pid, name: name.to_owned(), waits_in: waits_in(pid).unwrap_or_default(), call: call(pid) }
    }

    /// The processes of the group that are left, by the names that `name` knows.
    pub fn of(group: u32, name: impl Fn(u32) -> String) -> Vec<Left> {
        members(group).into_iter().map(|pid| Left::process(pid, &name(pid))).collect()
    }

    /// Whether it has to do with the module: one of its own processes, or one that waits in its code, or for an unknown event.
    pub fn is_ours(&self) -> bool {
        self.name.contains("presence_b2b") || self.waits_in_module() || self.waits_in.is_empty()
    }

    /// Whether it waits in code of the module: all that waits there for a lock waits for one of the module.
    pub fn waits_in_module(&self) -> bool {
        self.waits_in.rsplit('/').next().is_some_and(|file| file.contains("presence_b2b"))
    }

    /// Whether it waits for a lock, of anybody.
    pub fn waits_for_lock(&self) -> bool {
        let number = self.call.split_whitespace().next().and_then(|number| number.parse().ok());
        number == Some(libc::SYS_futex)
    }
}

impl fmt::Display for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} waits in {}: {}", self.pid, self.name, self.waits_in, self.call)
    }
}

fn call(pid: u32) -> String {
    fs::read_to_string(format!("/proc/{pid}/syscall")).unwrap_or_default().trim().to_owned()
}

/// The file with the code that has made the system call, through the C library: the first address on the stack that is of the code
/// of another file.
fn waits_in(pid: u32) -> Option<String> {
    const WORDS: usize = 64;
    let call = call(pid);
    let stack = call.split_whitespace().rev().nth(1)?;
    let stack = u64::from_str_radix(stack.strip_prefix("0x")?, 16).ok()?;
    let mut words = [0; 8 * WORDS];
    let read = File::open(format!("/proc/{pid}/mem")).ok()?.read_at(&mut words, stack).ok()?;
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).ok()?;
    let codes: Vec<_> = maps.lines().filter_map(code).collect();
    let is_library = |path: &str| path.contains("/libc.so") || path.contains("/libc-") || path.starts_with('[');
    words.get(..read)?.chunks_exact(8).find_map(|word| {
        let address = u64::from_ne_bytes(word.try_into().ok()?);
        let (_, path) = codes.iter().find(|(range, path)| range.contains(&address) && !is_library(path))?;
        Some((*path).to_owned())
    })
}

/// The addresses and the file of a line of `/proc/<pid>/maps`, if it is of code.
fn code(line: &str) -> Option<(std::ops::Range<u64>, &str)> {
    let mut fields = line.split_whitespace();
    let (from, to) = fields.next()?.split_once('-')?;
    let is_code = fields.next()?.contains('x');
    let path = fields.nth(3)?;
    let number = |digits| u64::from_str_radix(digits, 16).ok();
    is_code.then_some((number(from)?..number(to)?, path))
}
