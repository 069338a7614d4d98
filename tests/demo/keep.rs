//! After both acts, if `KEEP` asks for it: the servers of the first go on, for people to try things on them.

use std::env;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::cast::{CHANGES, FIRST, USERS};
use super::plain::say;
use super::signals;
use super::stage::Stage;
use super::support::config::module_under_test;
use super::telling::{End, TICK};

/// The environment variable that asks for it.
const KEEP: &str = "KEEP";

/// How often a state changes.
const EVERY: Duration = Duration::from_secs(2);

/// Whether the servers are to go on.
pub fn is_asked_for() -> bool {
    env::var(KEEP).is_ok_and(|value| !value.is_empty() && value != "0")
}

/// Starts them, says what to try, and changes states until a signal comes.
pub fn play() -> Result<(), End> {
    let stage = Stage::to_keep()?;
    let end = go_on(&stage);
    let closed = stage.close();
    end?;
    Ok(closed?)
}

fn go_on(stage: &Stage) -> Result<(), End> {
    for (user, basic, note) in FIRST {
        stage.publish(user, basic, note)?;
    }
    let ids = USERS.into_iter().map(|user| stage.subscribe(user)).collect::<Result<Vec<_>, _>>()?;
    for line in prompt(stage, ids.first().copied().unwrap_or_default())? {
        if !say(&line) {
            return Err(End::Failed("Nothing reads the output of the demo.".into()));
        }
    }
    for (user, basic, note) in CHANGES.into_iter().cycle() {
        let next = Instant::now() + EVERY;
        while Instant::now() < next {
            if let Some(number) = signals::came() {
                return Err(End::Signal(number));
            }
            if signals::is_to_stop() {
                signals::stop();
            }
            // Only to throw away what is heard.
            let _ = stage.ears.events.recv_timeout(TICK);
        }
        stage.publish(user, basic, note)?;
    }
    Ok(())
}

/// What to try, for a shell.
fn prompt(stage: &Stage, id: u64) -> Result<Vec<String>, String> {
    let folder = stage.folder()?;
    let mut lines = vec![
        String::new(),
        "Both servers of the first part run again, and a state changes every 2 seconds.".into(),
        stage.addresses(),
        "Try this in another terminal:".into(),
        String::new(),
        format!("    D={}", folder.display()),
    ];
    let command = |rest: String| format!("    kamcmd -s unix:$D/ctl presence_b2b.{rest}");
    lines.extend(["count".into(), format!("history {id}"), format!("refresh {id}"), "list".into()].map(command));
    lines.push("    tail -f $D/kamailio.log".into());
    if let Some(top) = b2b_top() {
        lines.push(format!("    {} --socket $D/dgram", top.display()));
    }
    lines.push(String::new());
    lines.push("Ctrl-C here ends both servers and removes their files.".into());
    Ok(lines)
}

/// The terminal program, if it was built beside the module.
fn b2b_top() -> Option<PathBuf> {
    let path = module_under_test().with_file_name("b2b-top");
    let here = env::current_dir().ok();
    let short = here.and_then(|here| path.strip_prefix(here).ok().map(PathBuf::from));
    path.is_file().then(|| short.unwrap_or(path))
}
