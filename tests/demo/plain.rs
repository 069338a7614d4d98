//! The view for logs and pipes: one line for each thing that happens, no escape codes.

use std::io::{Write, stderr, stdout};

use super::board::{Aside, Board, Heard, state_text};

/// Writes lines to standard output.
pub struct Plain {
    alive: bool,
    /// The reason why there are lines and no picture.
    why: Option<String>,
}

impl Plain {
    /// Nothing written yet.
    pub fn new(why: Option<String>) -> Plain {
        Plain { alive: true, why }
    }

    /// False if the output is closed.
    pub fn is_alive(&self) -> bool {
        self.alive
    }

    /// A step of the story begins.
    pub fn step(&mut self, board: &Board) {
        if board.step == 0 {
            if let Some(why) = self.why.take() {
                self.line(&why);
            }
            self.line(&format!("presence_b2b: {}", board.scene.title));
            self.line("SIP lines show what the module sends (->) and receives (<-),");
            self.line(board.scene.meaning);
        }
        let text = board.scene.steps.get(board.step).copied().unwrap_or_default();
        self.line(&format!("\n{}/{} {text}", board.step + 1, board.scene.steps.len()));
        if !board.now.is_empty() {
            self.line(&format!("    {}", board.now));
        }
    }

    /// Something is about to be done.
    pub fn act(&mut self, board: &Board) {
        if !board.now.is_empty() {
            self.timed(board, &format!("*     {}", board.now));
        }
    }

    /// The aside of the board is new.
    pub fn aside(&mut self, board: &Board) {
        match &board.aside {
            None => {}
            Some(Aside::Script(lines)) => {
                self.line("    The script behind it:");
                for line in lines {
                    self.line(&format!("        {line}"));
                }
            }
            Some(Aside::History(record, rungs)) => {
                self.line(&format!(
                    "\nThe last events of the subscription to {record}, as presence_b2b.history tells them:"
                ));
                for rung in rungs {
                    let arrow = match rung.sent {
                        Some(true) => "->",
                        Some(false) => "<-",
                        None => " *",
                    };
                    self.line(&format!("    {} {arrow} {}", rung.at, rung.text));
                }
            }
        }
    }

    /// Something came.
    pub fn heard(&mut self, board: &Board, heard: Heard) {
        match heard {
            Heard::Nothing => {}
            Heard::Sip => {
                let Some(message) = board.exchanges.last() else { return };
                let arrow = if message.sent { "->" } else { "<-" };
                self.timed(board, &format!("SIP   {:<6} {arrow} {}", message.record, message.text));
            }
            Heard::News(number) => {
                let Some(row) = board.rows.get(number) else { return };
                let state = state_text(row.told.basic.as_deref(), row.told.note.as_deref());
                let reason = row.told.reason.as_deref().unwrap_or_default();
                let took = row
                    .took
                    .filter(|_| row.brought)
                    .map(|took| format!("({:.1} ms)", took.as_secs_f32() * 1000.0))
                    .unwrap_or_default();
                let status = row.told.status.as_str().trim_start_matches(board.scene.usual);
                let words = [status, &state, reason, &took].map(|word| word.trim());
                let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
                self.timed(board, &format!("{} {:<6} == {}", board.scene.word, row.user, words.join(" ")));
            }
        }
    }

    fn timed(&mut self, board: &Board, text: &str) {
        self.line(&format!("{:7.3} {text}", board.begun.elapsed().as_secs_f32()));
    }

    fn line(&mut self, text: &str) {
        self.alive &= writeln!(stdout(), "{text}").is_ok();
    }
}

/// The last words of a story that ended well; false if the output is closed.
pub fn say(text: &str) -> bool {
    writeln!(stdout(), "{text}").is_ok()
}

/// The last words of one that did not.
pub fn complain(text: &str) {
    let _ = writeln!(stderr(), "{text}");
}
