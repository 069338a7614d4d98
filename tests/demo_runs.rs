//! The demo does what it says: every state shown and status 0; or status 1 and the names of the states that got lost.
//! Either way, and when it is interrupted, it leaves no process and no file.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::path::Path;
use std::process::{Child, Command};
use std::ptr::{null, null_mut};
use std::thread;

use tempfile::TempDir;

use crate::support::example::{assert_nothing_left, example, interrupt, processes, read_until};
use crate::support::wait::{SOON, eventually};

fn demo(files: &Path) -> Command {
    let mut command = example("demo", files);
    command.env_remove("PRESENCE_B2B_DEMO_SWALLOW").env_remove("KEEP");
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
    assert!(said.contains("All 17 published states arrived through presence_b2b"), "{said}");

    let lines: Vec<&str> = said.lines().collect();
    let published: Vec<(&str, &str)> = lines.iter().filter_map(|line| line.split_once(" publishes ")).collect();
    assert_eq!(published.len(), 17, "{said}");
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
    went_on(&lines);
    came_back(&lines);
    lamps_followed(&said);
    assert_nothing_left(files.path());
}

/// The server was killed and started again: no subscription is made a second time, and no SUBSCRIBE leaves until the story asks for one.
fn went_on(lines: &[&str]) {
    let at = |part: &str| lines.iter().position(|line| line.contains(part)).unwrap_or_else(|| panic!("no {part:?}"));
    let (killed, goes_on) = (at("is killed (kill -9)"), at("it goes on in the same 6 dialogs"));
    let (arrived, refreshed) = (at("state erin   == active open \"back again\""), at("is refreshed"));
    assert!(killed < goes_on && goes_on < arrived && arrived < refreshed, "{lines:#?}");
    let end = at("presence server dies, comes back");
    let sent = lines[killed..end].iter().filter(|line| line.contains("-> SUBSCRIBE Expires 3600"));
    let others: Vec<_> = sent.filter(|line| !line.ends_with(" in dialog")).collect();
    assert!(others.is_empty(), "{others:#?}");
    assert!(!lines[killed..refreshed].iter().any(|line| line.contains("-> SUBSCRIBE")), "{lines:#?}");
}

/// The presence server was killed and started again: the breaker opened and closed, nothing was lost, and the history tells it.
fn came_back(lines: &[&str]) {
    let said = [
        "the presence server is killed (kill -9)",
        "the breaker is open: the refresh of frank is held",
        "the presence server starts again",
        "SIP   alice  -> SUBSCRIBE Expires 3600 in dialog",
        "a probe was answered: the breaker is closed",
        "The last events of the subscription to alice",
        "<- 200 OK Expires 3600",
        "* timeout",
        "-> SUBSCRIBE retry Expires 3600",
    ];
    let mut rest = lines.iter();
    for part in said {
        assert!(rest.any(|line| line.contains(part)), "no {part:?} where it belongs: {lines:#?}");
    }
    // Two processes take the reply and the NOTIFY, so either may be first.
    for part in ["<- 200 OK Expires 3600", "<- NOTIFY active", "All 17 published states arrived"] {
        assert!(rest.clone().any(|line| line.contains(part)), "no {part:?} at the end: {lines:#?}");
    }
    let at = |part: &str| lines.iter().position(|line| line.contains(part));
    // The event route may be told a moment after the breaker is seen.
    let (dead, told) = (at("the refresh of alice gets no answer"), at("state alice  == active Request Timeout"));
    assert!(dead.is_some() && dead < told, "{lines:#?}");
    // The script is told before anything happens.
    assert!(at("&& handle_notify()) exit;").is_some_and(|script| Some(script) < at("2/8 ")), "{lines:#?}");
}

/// The second act: what both lamps showed, in this order.
fn lamps_followed(said: &str) {
    assert!(said.contains("All 12 changes of two lamps were those of the calls at the PBX"), "{said}");
    let mut rest = said.lines();
    for part in [
        "if ($b2b(sip:$rU@PBX=>dialog_state)",
        "lamp  201    == in a call",
        "203 calls 201 here, which is busy: the script sends it to voice mail",
        "201 hangs up",
        "203 calls 201 here, which is free: the script sends it to the desk",
    ] {
        assert!(rest.any(|line| line.contains(part)), "no {part:?} where it belongs:\n{said}");
    }
    for (user, other) in [("201", "202"), ("202", "201")] {
        let begin = format!("lamp  {user}    == ");
        let shown: Vec<&str> = said
            .lines()
            .filter_map(|line| line.split_once(&begin)?.1.split_once(" ("))
            .map(|(shown, _)| shown)
            .collect();
        let [ringing, talking] = ["ringing", "in a call"].map(|state| format!("{state} \"with {other}\""));
        assert_eq!(shown, ["off", &ringing, &talking, "off", &ringing, "off"], "{said}");
    }
}

#[test]
fn a_change_that_no_lamp_shows_is_named() {
    let files = TempDir::new().expect("a folder");
    let output = demo(files.path()).env("PRESENCE_B2B_DEMO_SWALLOW", "202").output().expect("the demo runs");
    let (said, complained) = (text(output.stdout), text(output.stderr));
    assert_eq!(output.status.code(), Some(1), "{said}{complained}");
    let [ringing, talking] = ["  202 ringing \"with 201\"", "  202 in a call \"with 201\""];
    let lost = ["5 of 12 changes were not shown by a lamp:", ringing, talking, "  202 off", ringing, "  202 off"];
    assert_eq!(complained.lines().collect::<Vec<_>>(), lost, "{said}");
    assert_nothing_left(files.path());
}

#[test]
fn a_lost_state_is_named() {
    let files = TempDir::new().expect("a folder");
    let output = demo(files.path()).env("PRESENCE_B2B_DEMO_SWALLOW", "dave").output().expect("the demo runs");
    let (said, complained) = (text(output.stdout), text(output.stderr));
    assert_eq!(output.status.code(), Some(1), "{said}{complained}");
    let lost =
        ["3 of 17 published states did not arrive:", "  dave closed", "  dave open \"on call\"", "  dave closed"];
    assert_eq!(complained.lines().collect::<Vec<_>>(), lost, "{said}");
    assert_nothing_left(files.path());
}

fn size_of(columns: u16, rows: u16) -> libc::winsize {
    libc::winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }
}

/// The terminal gets another size.
fn resize(screen: &File, columns: u16, rows: u16) {
    let size = size_of(columns, rows);
    // SAFETY: the call reads a size, which lives through it.
    let done = unsafe { libc::ioctl(screen.as_raw_fd(), libc::TIOCSWINSZ, &raw const size) };
    assert_eq!(done, 0, "the terminal has another size");
}

/// A terminal of so many columns and rows: its end for us, and the demo on it.
fn on_terminal(files: &Path, columns: u16, rows: u16) -> (File, Child) {
    let size = size_of(columns, rows);
    let (mut ours, mut its) = (0, 0);
    // SAFETY: two places for descriptors and a size, which all live through the call.
    let opened = unsafe { libc::openpty(&raw mut ours, &raw mut its, null_mut(), null(), &raw const size) };
    assert_eq!(opened, 0, "no terminal");
    // SAFETY: both were just opened, and belong to nobody else.
    let (ours, its) = unsafe { (File::from_raw_fd(ours), OwnedFd::from_raw_fd(its)) };
    let mut command = demo(files);
    command.env("TERM", "xterm").stdout(its).env("PRESENCE_B2B_DEMO_SWALLOW", "alice");
    let child = command.spawn().expect("the demo runs");
    (ours, child)
}

/// Reads what is shown until it has `part`.
fn shown_until(screen: &mut File, part: &str) -> String {
    let mut shown = Vec::new();
    let mut buffer = [0; 4096];
    while !String::from_utf8_lossy(&shown).contains(part) {
        let length = screen.read(&mut buffer).expect("the demo shows something");
        shown.extend_from_slice(&buffer[..length]);
    }
    String::from_utf8_lossy(&shown).into_owned()
}

/// Ctrl-Z gives the terminal back, and `fg` brings the picture back. Shrunk it says what it needs. The last picture leaves its title visible.
#[test]
fn stopped_it_gives_the_terminal_back() {
    let files = TempDir::new().expect("a folder");
    let (mut screen, mut child) = on_terminal(files.path(), 80, 24);
    let shown = shown_until(&mut screen, "┘");
    assert!(shown.contains('├') && shown.contains('┤'), "the rule meets its walls:\n{shown}");
    interrupt(&child, libc::SIGTSTP);
    shown_until(&mut screen, "\x1b[?1049l");
    eventually(SOON, "it has stopped", || {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", child.id())).expect("it is there");
        stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('T')).then_some(())
    });
    interrupt(&child, libc::SIGCONT);
    shown_until(&mut screen, "\x1b[?1049h");
    resize(&screen, 79, 24);
    shown_until(&mut screen, "this one has 79 and 24.");
    resize(&screen, 80, 24);
    shown_until(&mut screen, "┘");
    interrupt(&child, libc::SIGINT);
    // What it shows at last is read, or it would wait for that.
    let reader = thread::spawn(move || {
        let mut shown = Vec::new();
        // At the end of a terminal there is an error.
        let _ = screen.read_to_end(&mut shown);
        String::from_utf8_lossy(&shown).into_owned()
    });
    let ended = eventually(4 * SOON, "the demo ends", || child.try_wait().expect("it can be waited for"));
    assert_eq!(ended.code(), Some(130));
    let shown = reader.join().expect("it has read all");
    let (_, last) = shown.rsplit_once("\x1b[?1049l").expect("it leaves the other screen");
    assert!(last.contains("presence states arrive inside Kamailio"), "{last}");
    // The verdict and a prompt come below it.
    assert!(last.lines().count() <= 22, "the title is still there:\n{last}");
    assert_nothing_left(files.path());
}

/// Lines in place of the picture, and why.
#[test]
fn a_small_terminal_is_told() {
    let files = TempDir::new().expect("a folder");
    let (mut screen, mut child) = on_terminal(files.path(), 79, 24);
    let shown = shown_until(&mut screen, "presence states arrive");
    let said = "The picture needs a terminal of 80 columns and 24 rows; this one has 79 and 24.";
    assert!(shown.contains(said) && !shown.contains('\x1b'), "{shown}");
    interrupt(&child, libc::SIGINT);
    let reader = thread::spawn(move || while screen.read(&mut [0; 4096]).is_ok_and(|length| length > 0) {});
    eventually(4 * SOON, "the demo ends", || child.try_wait().expect("it can be waited for"));
    reader.join().expect("it has read all");
    assert_nothing_left(files.path());
}

/// With `KEEP` the servers go on, and what it says to try does something.
#[test]
fn kept_it_can_be_tried() {
    let files = TempDir::new().expect("a folder");
    let mut child = demo(files.path()).env("KEEP", "1").spawn().expect("the demo runs");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines().map_while(Result::ok);
    let folder = lines.find_map(|line| line.strip_prefix("    D=").map(str::to_owned)).expect("a folder is named");
    let tries: Vec<String> = lines.by_ref().take_while(|line| !line.is_empty()).collect();
    let commands: Vec<&str> = tries.iter().filter_map(|line| line.strip_prefix("    kamcmd ")).collect();
    let said = commands.iter().map(|words| {
        let words = words.replace("$D", &folder);
        let output = Command::new("kamcmd").args(words.split(' ')).output().expect("kamcmd runs");
        text(output.stdout)
    });
    let said: Vec<String> = said.collect();
    let [count, history, refresh, list] = &said[..] else { panic!("{tries:#?}") };
    assert!(count.contains("total: 6") && history.contains("SUBSCRIBE") && list.contains("sip:alice@"), "{said:#?}");
    assert!(!refresh.contains("error"), "{refresh}");
    let socket = tries.iter().find(|line| line.contains("b2b-top")).map(|_| Path::new(&folder).join("dgram"));
    assert!(socket.is_none_or(|socket| socket.exists()), "{tries:#?}");
    assert!(lines.any(|line| line.starts_with("Ctrl-C here")), "it says how to end it");
    interrupt(&child, libc::SIGINT);
    let ended = eventually(4 * SOON, "the demo ends", || child.try_wait().expect("it can be waited for"));
    assert_eq!(ended.code(), Some(130));
    assert_nothing_left(files.path());
}

#[test]
fn interrupted_it_cleans_up() {
    let act = [("alice", "the watcher subscribes to alice"), ("201", "201 calls 202, whose phone rings")];
    let outage = ("nobody", "the breaker is open");
    let sigint = |act| (libc::SIGINT, 130, act);
    for (signal, status, (user, last)) in [sigint(act[0]), (libc::SIGTERM, 143, act[0]), sigint(outage), sigint(act[1])]
    {
        let files = TempDir::new().expect("a folder");
        let mut child = demo(files.path()).env("PRESENCE_B2B_DEMO_SWALLOW", user).spawn().expect("the demo runs");
        // It now waits for a state that cannot arrive, or one server is dead.
        read_until(child.stdout.as_mut().expect("a pipe"), last);
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
