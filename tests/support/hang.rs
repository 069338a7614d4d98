//! The calls that the processes of a server that does not end wait in, and the code that made them.

use std::fmt;
use std::fs::{self, File};
use std::ops::Range;
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
    /// What is on its stack, the innermost first: files, and places in them that a debugger can name.
    stack: Vec<String>,
    /// What `/proc` says of the system call that it is in.
    call: String,
}

impl Left {
    /// One process, whatever it does.
    pub fn process(pid: u32, name: &str) -> Left {
        let frames = frames(pid).unwrap_or_default();
        let waits_in = frames.first().map(|(path, _)| path.clone()).unwrap_or_default();
        let stack = frames.iter().map(|(path, offset)| format!("{path}+{offset:#x}")).collect();
        Left { pid, name: name.to_owned(), waits_in, stack, call: call(pid) }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.pid
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
        let Left { pid, name, waits_in, stack, call } = self;
        write!(f, "{pid} {name} waits in {waits_in}: {call} ({})", stack.join(" "))
    }
}

fn call(pid: u32) -> String {
    fs::read_to_string(format!("/proc/{pid}/syscall")).unwrap_or_default().trim().to_owned()
}

/// The code of other files than the C library that the system call was made by, as far as the stack shows it: some of it may
/// be left over from earlier calls.
fn frames(pid: u32) -> Option<Vec<(String, u64)>> {
    const WORDS: usize = 256;
    const MOST: usize = 12;
    let call = call(pid);
    let stack = call.split_whitespace().rev().nth(1)?;
    let stack = u64::from_str_radix(stack.strip_prefix("0x")?, 16).ok()?;
    let mut words = [0; 8 * WORDS];
    let read = File::open(format!("/proc/{pid}/mem")).ok()?.read_at(&mut words, stack).ok()?;
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).ok()?;
    let codes: Vec<_> = maps.lines().filter_map(code).collect();
    let is_library = |path: &str| path.contains("/libc.so") || path.contains("/libc-") || path.starts_with('[');
    let named = words.get(..read)?.chunks_exact(8).filter_map(|word| {
        let address = u64::from_ne_bytes(word.try_into().ok()?);
        let found = codes.iter().find(|code| code.range.contains(&address) && !is_library(code.path))?;
        Some((found.path.to_owned(), address - found.range.start + found.offset))
    });
    Some(named.take(MOST).collect())
}

/// Code that is mapped from a file.
struct Code<'m> {
    range: Range<u64>,
    offset: u64,
    path: &'m str,
}

/// A line of `/proc/<pid>/maps`, if it is of code.
fn code(line: &str) -> Option<Code<'_>> {
    let number = |digits| u64::from_str_radix(digits, 16).ok();
    let mut fields = line.split_whitespace();
    let (from, to) = fields.next()?.split_once('-')?;
    let is_code = fields.next()?.contains('x');
    let offset = number(fields.next()?)?;
    let path = fields.nth(2)?;
    is_code.then_some(Code { range: number(from)?..number(to)?, offset, path })
}
