//! The demo does what it says: every state shown and status 0; or status 1 and the names of the states that got lost.
//! Either way, and when it is interrupted, it leaves no process and no file.

use std::io::Read;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::support::example::{assert_nothing_left, example, interrupt, processes, read_until};
use crate::support::wait::{SOON, eventually};

fn demo(files: &Path) -> Command {
    let mut command = example("demo", files);
    command.env_remove("PRESENCE_B2B_DEMO_SWALLOW");
    command
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
        read_until(child.stdout.as_mut().expect("a pipe"), "the watcher subscribes to alice");
        assert!(processes(files.path()).len() > 2, "two servers run");
        interrupt(&child, signal);
        // A server is given 20 s to end, and there are two.
        let ended = eventually(4 * SOON, "the demo ends", || child.try_wait().expect("it can be waited for"));
        let mut complained = String::new();
        child.stderr.take().expect("a pipe").read_to_string(&mut complained).expect("UTF-8");
        assert_eq!(ended.code(), Some(status), "{complained}");
        assert_eq!(complained, "Stopped. Both servers have ended, and nothing is left behind.\n");
        assert_nothing_left(files.path());
    }
}
