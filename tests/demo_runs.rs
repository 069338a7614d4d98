//! The demo does what it says: every state shown and status 0; or status 1 and the names of the states that got lost.
//! Either way, and when it is interrupted, it leaves no process and no file.

use std::env;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::support::wait::{SOON, eventually};

/// The demo as `cargo test` builds it: `target/<profile>/examples/demo`, beside this executable's folder.
fn demo(files: &Path) -> Command {
    let this = env::current_exe().expect("this executable has a path");
    let path = this.ancestors().nth(2).expect("target/<profile>/deps").join("examples/demo");
    assert!(path.is_file(), "the demo is not at {}", path.display());
    let mut command = Command::new(path);
    // All its files are made under TMPDIR, and its servers name their runtime directory in their arguments.
    command.env("TMPDIR", files).env_remove("PRESENCE_B2B_DEMO_SWALLOW");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // A shell lets what it runs in the background ignore SIGINT, the tests perhaps among it; the demo must not inherit that.
    // SAFETY: between fork and exec only a system call is made.
    unsafe {
        command.pre_exec(|| {
            libc::signal(libc::SIGINT, libc::SIG_DFL);
            Ok(())
        });
    }
    command
}

/// The processes that have `files` in their command line.
fn processes(files: &Path) -> Vec<PathBuf> {
    let needle = files.to_str().expect("a readable path").as_bytes();
    let has_it = |process: &PathBuf| {
        let line = fs::read(process.join("cmdline")).unwrap_or_default();
        line.windows(needle.len()).any(|part| part == needle)
    };
    let all = fs::read_dir("/proc").expect("/proc").flatten().map(|entry| entry.path());
    all.filter(has_it).collect()
}

fn assert_nothing_left(files: &Path) {
    assert_eq!(processes(files), Vec::<PathBuf>::new());
    let left: Vec<_> = fs::read_dir(files).expect("its folder").flatten().map(|entry| entry.path()).collect();
    assert_eq!(left, Vec::<PathBuf>::new());
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).expect("UTF-8")
}

#[test]
fn every_state_is_shown_in_plain_lines() {
    let files = TempDir::new().expect("a folder");
    let output = demo(files.path()).output().expect("the demo runs");
    let (said, complained) = (text(output.stdout), text(output.stderr));
    assert!(output.status.success(), "{said}{complained}");
    assert_eq!(complained, "");
    assert!(!said.contains('\x1b'), "{said}");
    assert!(said.contains("All 16 published states arrived through presence_b2b"), "{said}");

    let lines: Vec<&str> = said.lines().collect();
    let published: Vec<(&str, &str)> = lines.iter().filter_map(|line| line.split_once(" publishes ")).collect();
    assert_eq!(published.len(), 16, "{said}");
    for (who, state) in published {
        let user = who.rsplit(' ').next().expect("a name");
        let told = format!("state {user:<6} == active {state} (");
        assert!(lines.iter().any(|line| line.contains(&told)), "no line has {told:?}:\n{said}");
    }
    for user in ["alice", "bob", "carol", "dave", "erin", "frank"] {
        for what in ["-> SUBSCRIBE Expires 3600", "<- 200 OK", "<- NOTIFY active", "<- NOTIFY terminated", "-> 200 OK"]
        {
            let message = format!("SIP   {user:<6} {what}");
            assert!(lines.iter().any(|line| line.contains(&message)), "no line has {message:?}:\n{said}");
        }
    }
    assert_nothing_left(files.path());
}

#[test]
fn a_lost_state_is_named() {
    let files = TempDir::new().expect("a folder");
    let output = demo(files.path()).env("PRESENCE_B2B_DEMO_SWALLOW", "dave").output().expect("the demo runs");
    let (said, complained) = (text(output.stdout), text(output.stderr));
    assert_eq!(output.status.code(), Some(1), "{said}{complained}");
    let lost =
        ["3 of 16 published states did not arrive:", "  dave closed", "  dave open \"on call\"", "  dave closed"];
    assert_eq!(complained.lines().collect::<Vec<_>>(), lost, "{said}");
    assert_nothing_left(files.path());
}

#[test]
fn interrupted_it_cleans_up() {
    for (signal, status) in [(libc::SIGINT, 130), (libc::SIGTERM, 143)] {
        let files = TempDir::new().expect("a folder");
        let mut child = demo(files.path()).env("PRESENCE_B2B_DEMO_SWALLOW", "alice").spawn().expect("the demo runs");
        // It now waits for a state that cannot arrive.
        read_until(&mut child, "the watcher subscribes to alice");
        assert!(processes(files.path()).len() > 2, "two servers run");
        // SAFETY: a plain system call; the process is a child that has not been waited for.
        unsafe { libc::kill(child.id() as i32, signal) };
        // A server is given 20 s to end, and there are two.
        let ended = eventually(4 * SOON, "the demo ends", || child.try_wait().expect("it can be waited for"));
        let mut complained = String::new();
        child.stderr.take().expect("a pipe").read_to_string(&mut complained).expect("UTF-8");
        assert_eq!(ended.code(), Some(status), "{complained}");
        assert_eq!(complained, "Stopped. Both servers have ended, and nothing is left behind.\n");
        assert_nothing_left(files.path());
    }
}

fn read_until(child: &mut Child, part: &str) {
    let mut lines = BufReader::new(child.stdout.as_mut().expect("a pipe")).lines();
    let found = lines.by_ref().map_while(Result::ok).any(|line| line.contains(part));
    assert!(found, "the demo ended before it said {part:?}");
}
