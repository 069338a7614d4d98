//! A real terminal, which tmux makes.

use std::process::Command;

use tempfile::TempDir;

use super::wait::{SOON, until};

/// A terminal with a shell in it, whose prompt is [`READY`].
pub struct Terminal {
    dir: TempDir,
}

/// The prompt of its shell.
pub const READY: &str = "READY>";

impl Terminal {
    pub fn open(columns: u16, lines: u16) -> Self {
        let terminal = Self { dir: TempDir::new().expect("a folder") };
        let [columns, lines] = [columns, lines].map(|number| number.to_string());
        let shell = format!("env PS1='{READY} ' sh -i");
        terminal.tmux(&["-f", "/dev/null", "new-session", "-d", "-x", &columns, "-y", &lines, &shell]);
        terminal.await_text(READY);
        terminal
    }

    pub fn tmux(&self, arguments: &[&str]) -> String {
        let mut command = Command::new("tmux");
        command.env_remove("TMUX").env("LC_ALL", "C.UTF-8").arg("-u").arg("-S").arg(self.dir.path().join("tmux"));
        let output = command.args(arguments).output().expect("tmux runs");
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "tmux {arguments:?}: {error}");
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    pub fn press(&self, keys: &[&str]) {
        self.tmux(&[&["send-keys"], keys].concat());
    }

    pub fn picture(&self) -> String {
        self.tmux(&["capture-pane", "-p"])
    }

    pub fn await_picture(&self, what: &str, wanted: impl Fn(&str) -> bool) -> String {
        let mut last = String::new();
        let seen = until(SOON, || {
            last = self.picture();
            wanted(&last).then(|| last.clone())
        });
        seen.unwrap_or_else(|| panic!("never seen: {what}. The terminal has:\n{last}"))
    }

    pub fn await_text(&self, text: &str) -> String {
        self.await_picture(text, |picture| picture.contains(text))
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = Command::new("tmux").arg("-S").arg(self.dir.path().join("tmux")).arg("kill-server").output();
    }
}
