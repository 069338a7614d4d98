//! An interrupted benchmark leaves no process, and no file outside `target/bench`.

use std::fs;
use std::io::Read;

use tempfile::TempDir;

use crate::support::example::{assert_nothing_left, example, interrupt, processes, read_until};
use crate::support::wait::{SOON, eventually};

#[test]
fn interrupted_it_cleans_up() {
    // In the middle of the set-ups five servers run, one of them with a database.
    for (only, begun, servers, signal, status) in [
        ("P5", "making 20000 subscriptions", 1, libc::SIGINT, 130),
        ("P4", "set-ups, side by side", 5, libc::SIGTERM, 143),
    ] {
        let (files, elsewhere) = (TempDir::new().expect("a folder"), TempDir::new().expect("a folder"));
        let mut bench = example("bench", files.path());
        bench.env("QUICK", "1").env("ONLY", only).env("HOME", elsewhere.path()).current_dir(elsewhere.path());
        let mut child = bench.spawn().expect("the benchmark runs");
        read_until(child.stderr.as_mut().expect("a pipe"), begun);
        eventually(4 * SOON, "the servers run", || {
            let folders = fs::read_dir(files.path()).expect("its folder").flatten();
            let running = folders.filter(|folder| !processes(&folder.path()).is_empty()).count();
            (running >= servers).then_some(())
        });
        interrupt(&child, signal);
        // A server is given 20 s to end.
        let patience = (4 * servers as u32 + 4) * SOON;
        let ended = eventually(patience, "the benchmark ends", || child.try_wait().expect("it can be waited for"));
        let mut complained = String::new();
        child.stderr.take().expect("a pipe").read_to_string(&mut complained).expect("UTF-8");
        assert_eq!(ended.code(), Some(status), "{complained}");
        assert!(complained.ends_with("Stopped. All servers have ended, and nothing is left behind.\n"), "{complained}");
        assert_nothing_left(files.path());
        assert_nothing_left(elsewhere.path());
    }
}
