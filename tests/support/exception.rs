//! Failures that do not count, because what fails is not under test. Each has a name, the day it was found and the day
//! after which it counts again, unless a maintainer looks at it and moves that day.

use std::process::Command;

use super::config::version;

/// One such failure.
pub struct Exception {
    /// Its name, here and in the output of the tests.
    pub name: &'static str,
    /// The days that it was found and that it holds last, as `2026-11-27`.
    pub found: &'static str,
    pub until: &'static str,
    /// The first version of the server that does not have the fault.
    pub below: (u32, u32),
    /// The text of the failure.
    pub says: &'static str,
}

/// What may happen to a server without the module. One that has the module has no exceptions.
pub const WITHOUT_MODULE: &[Exception] = &[
    // A child that SIGTERM interrupts where it first takes Kamailio's parameters ends with their lock held, and the others
    // wait for it in Kamailio's handler of the signal (seen in 5.6.3). The module keeps its servers from that.
    Exception {
        name: "kamailio-config-lock",
        found: "2026-11-23",
        until: "2027-11-30",
        below: (6, 0),
        says: "after SIGTERM and was killed",
    },
];

/// What may happen to a server with the module, if the main process alone is left, and waits in the code of Kamailio.
pub const WITH_MODULE: &[Exception] = &[
    // A child that SIGTERM ends inside a lock, or inside the handler of a timer, leaves it so, and the main process waits for it while
    // it cleans up: twice in some thousand stops of 5.6.3. Without the module once in 250.
    Exception {
        name: "kamailio-lock-at-the-end",
        found: "2026-11-27",
        until: "2027-11-30",
        below: (7, 0),
        says: "after SIGTERM and was killed",
    },
];

impl Exception {
    /// The one of `list` that excuses `failure` on this server today.
    pub fn of<'a>(list: &'a [Exception], failure: &str) -> Option<&'a Exception> {
        list.iter().find(|one| one.excuses(failure, version(), &today()))
    }

    /// Whether it excuses `failure` of a server of `version` on the day `today`.
    pub fn excuses(&self, failure: &str, version: (u32, u32), today: &str) -> bool {
        failure.contains(self.says) && version < self.below && today <= self.until
    }
}

fn today() -> String {
    let said = Command::new("date").args(["-u", "+%Y-%m-%d"]).output().expect("date can be executed").stdout;
    String::from_utf8_lossy(&said).trim().to_owned()
}
