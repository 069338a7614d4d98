//! What the processes of a server that does not end are waiting for, and in whose code.

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
    /// The processes of the group that are left, by the names that `name` knows.
    pub fn of(group: u32, name: impl Fn(u32) -> String) -> Vec<Left> {
        let look = |pid| Left { pid, name: name(pid), waits_in: waits_in(pid).unwrap_or_default(), call: call(pid) };
        members(group).into_iter().map(look).collect()
    }

    /// Whether it has to do with the module: one of its own processes, or one that waits in its code, or for nobody knows what.
    pub fn is_ours(&self) -> bool {
        let file = self.waits_in.rsplit('/').next().unwrap_or_default();
        self.name.contains("presence_b2b") || file.contains("presence_b2b") || file.is_empty()
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
