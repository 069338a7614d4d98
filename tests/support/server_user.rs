//! Programs of database servers, which do not run as root: then they are run by the user whom Debian's package makes.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::process::Command;

/// A program, as this user if the test runs as root.
pub fn as_user(user: &str, program: &str) -> Command {
    let words: Vec<&str> = words_of(user).into_iter().chain([program]).collect();
    let (first, rest) = words.split_first().expect("a program");
    let mut command = Command::new(first);
    command.args(rest);
    command
}

/// What a command line begins with that runs a program as this user; nothing if the test does not run as root.
pub fn words_of(user: &str) -> Vec<&str> {
    if is_root() { vec!["setpriv", "--reuid", user, "--regid", user, "--clear-groups"] } else { Vec::new() }
}

/// Whether the test runs as root.
pub fn is_root() -> bool {
    fs::metadata("/proc/self").expect("this process").uid() == 0
}

/// Numbers of a user and its group.
pub fn ids_of(user: &str) -> (u32, u32) {
    let users = fs::read_to_string("/etc/passwd").expect("the users");
    let line =
        users.lines().find(|line| line.starts_with(&format!("{user}:"))).expect("the user of the database server");
    let field = |place| line.split(':').nth(place).and_then(|number: &str| number.parse().ok()).expect("a number");
    (field(2), field(3))
}
