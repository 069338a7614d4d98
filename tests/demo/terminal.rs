//! The live view: the picture redrawn in place on the terminal's other screen, left standing on the first at the end.

use std::env;
use std::io::{IsTerminal, Write, stdout};
use std::mem::MaybeUninit;

use super::board::Board;
use super::frame;
use super::paint::Line;

/// The other screen, no cursor, no line wrap; and all of it back.
const ENTER: &str = "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[2J";
const LEAVE: &str = "\x1b[?7h\x1b[?25h\x1b[?1049l";

/// Draws on the terminal. Gives it back as it was, whatever happens.
pub struct Terminal {
    colours: bool,
    entered: bool,
    alive: bool,
}

impl Terminal {
    /// The terminal on standard output, if there is one that can show the picture; or else why not, where that is worth telling.
    pub fn find() -> Result<Terminal, Option<String>> {
        let dumb = env::var("TERM").map_or(true, |name| name.is_empty() || name == "dumb");
        let colours = env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        match size() {
            Some(size) if stdout().is_terminal() && !dumb => match too_small(size) {
                Some(sentence) => Err(Some(sentence)),
                None => Ok(Terminal { colours, entered: false, alive: true }),
            },
            _ => Err(None),
        }
    }

    /// Draws the board; false when the terminal is gone.
    pub fn draw(&mut self, board: &Board) -> bool {
        let mut text = String::from(if self.entered { "" } else { ENTER });
        self.entered = true;
        text.push_str("\x1b[H");
        let (columns, rows) = size().unwrap_or(frame::LEAST);
        if let Some(sentence) = too_small((columns, rows)) {
            let sentence: String = sentence.chars().take(columns).collect();
            return self.write(&format!("{text}\x1b[2K{sentence}\r\n\x1b[J\x1b[H"));
        }
        for line in self.picture(board, frame::draw).iter().take(rows.saturating_sub(1)) {
            text += &format!("\x1b[2K{line}\r\n");
        }
        self.write(&(text + "\x1b[J\x1b[H"))
    }

    /// Leaves the last picture on the normal screen.
    pub fn end(&mut self, board: &Board) {
        self.leave();
        let picture = self.picture(board, frame::draw_last).join("\n");
        self.write(&format!("{picture}\n"));
    }

    fn picture(&self, board: &Board, draw: fn(&Board, usize, usize) -> Vec<Line>) -> Vec<String> {
        let (columns, rows) = size().unwrap_or(frame::LEAST);
        draw(board, columns, rows).iter().map(|line| line.text(self.colours)).collect()
    }

    /// Gives the terminal back as it was; the next picture is on the other screen again.
    pub fn leave(&mut self) {
        if std::mem::take(&mut self.entered) {
            self.write(LEAVE);
        }
    }

    fn write(&mut self, text: &str) -> bool {
        let mut out = stdout().lock();
        self.alive &= out.write_all(text.as_bytes()).and_then(|()| out.flush()).is_ok();
        self.alive
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.leave();
    }
}

/// Why the picture does not fit.
fn too_small((columns, rows): (usize, usize)) -> Option<String> {
    let (wide, high) = frame::LEAST;
    (columns < wide || rows < high).then(|| {
        format!("The picture needs a terminal of {wide} columns and {high} rows; this one has {columns} and {rows}.")
    })
}

/// Columns and rows of the terminal on standard output.
fn size() -> Option<(usize, usize)> {
    let mut size = MaybeUninit::<libc::winsize>::zeroed();
    // SAFETY: the call writes a winsize into the room for one, and zeroes are a valid winsize if it does not.
    let size = unsafe {
        if libc::ioctl(libc::STDOUT_FILENO, libc::TIOCGWINSZ, size.as_mut_ptr()) != 0 {
            return None;
        }
        size.assume_init()
    };
    Some((size.ws_col.into(), size.ws_row.into()))
}
