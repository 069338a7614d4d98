//! The two ways to show the story: live on a terminal, or line by line.

use super::board::{Board, Heard};
use super::plain::Plain;
use super::signals;
use super::terminal::Terminal;

/// One of them.
pub enum View {
    /// A picture that changes.
    Live(Terminal),
    /// Lines.
    Lines(Plain),
}

impl View {
    /// Live where there is a terminal that can show it.
    pub fn choose() -> View {
        Terminal::find().map_or_else(|why| View::Lines(Plain::new(why)), View::Live)
    }

    /// Whether a person watches it.
    pub fn is_live(&self) -> bool {
        matches!(self, View::Live(_))
    }

    /// A step of the story begins.
    pub fn step(&mut self, board: &Board) {
        match self {
            View::Live(terminal) => drop(terminal.draw(board)),
            View::Lines(plain) => plain.step(board),
        }
    }

    /// Something is about to be done.
    pub fn act(&mut self, board: &Board) {
        if let View::Lines(plain) = self {
            plain.act(board);
        }
    }

    /// Something came.
    pub fn heard(&mut self, board: &Board, heard: Heard) {
        if let View::Lines(plain) = self {
            plain.heard(board, heard);
        }
    }

    /// The aside of the board is new.
    pub fn aside(&mut self, board: &Board) {
        match self {
            View::Live(terminal) => drop(terminal.draw(board)),
            View::Lines(plain) => plain.aside(board),
        }
    }

    /// Time has passed; false if the output is closed.
    pub fn tick(&mut self, board: &Board) -> bool {
        if signals::is_to_stop() {
            if let View::Live(terminal) = self {
                terminal.leave();
            }
            signals::stop();
        }
        match self {
            View::Live(terminal) => terminal.draw(board),
            View::Lines(plain) => plain.is_alive(),
        }
    }

    /// Nothing more will happen.
    pub fn end(&mut self, board: &Board) {
        if let View::Live(terminal) = self {
            terminal.end(board);
        }
    }
}
