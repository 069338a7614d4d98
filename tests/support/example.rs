//! The project's own programs, as `cargo test` builds them: run, interrupted, and seen to leave nothing behind.

use std::env;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// `target/<profile>/examples/<name>`, beside this executable's folder. All its files are made under `files`, and its
/// servers name their runtime directory in their arguments.
pub fn example(name: &str, files: &Path) -> Command {
    let this = env::current_exe().expect("this executable has a path");
    let path = this.ancestors().nth(2).expect("target/<profile>/deps").join("examples").join(name);
    assert!(path.is_file(), "the {name} is not at {}", path.display());
    let mut command = Command::new(path);
    command.env("TMPDIR", files);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // A shell lets what it runs in the background ignore SIGINT, the tests perhaps among it; this must not inherit that.
    // SAFETY: between fork and exec only a system call is made.
    unsafe {
        command.pre_exec(|| {
            libc::signal(libc::SIGINT, libc::SIG_DFL);
            Ok(())
        });
    }
    command
}

/// Sends a signal to a child that has not been waited for.
pub fn interrupt(child: &Child, signal: i32) {
    // SAFETY: a plain system call; the process is a child that has not been waited for.
    unsafe { libc::kill(child.id() as i32, signal) };
}

/// Reads what it says until a line has `part`.
pub fn read_until(said: impl Read, part: &str) {
    let found = BufReader::new(said).lines().map_while(Result::ok).any(|line| line.contains(part));
    assert!(found, "it ended before it said {part:?}");
}

/// The processes that have `files` in their command line.
pub fn processes(files: &Path) -> Vec<PathBuf> {
    let needle = files.to_str().expect("a readable path").as_bytes();
    let has_it = |process: &PathBuf| {
        let line = fs::read(process.join("cmdline")).unwrap_or_default();
        line.windows(needle.len()).any(|part| part == needle)
    };
    let all = fs::read_dir("/proc").expect("/proc").flatten().map(|entry| entry.path());
    all.filter(has_it).collect()
}

/// No process with `files` in its command line, and nothing in `files`.
pub fn assert_nothing_left(files: &Path) {
    assert_eq!(processes(files), Vec::<PathBuf>::new());
    let left: Vec<_> = fs::read_dir(files).expect("its folder").flatten().map(|entry| entry.path()).collect();
    assert_eq!(left, Vec::<PathBuf>::new());
}
