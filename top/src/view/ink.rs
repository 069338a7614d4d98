//! Lines of text in a few kinds of ink.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};

/// What a piece of text is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ink {
    Plain,
    Strong,
    Dim,
    Red,
    Yellow,
    Green,
    /// The selected row, and what is asked.
    Selected,
}

/// How inks look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Theme {
    /// Whether there are colours.
    pub colours: bool,
    /// Whether all is dimmed, because it is not of now.
    pub dimmed: bool,
}

impl Theme {
    fn style(self, ink: Ink) -> Style {
        let style = Style::new();
        if self.dimmed && ink != Ink::Selected {
            return style.add_modifier(Modifier::DIM);
        }
        let coloured = |colour| if self.colours { style.fg(colour) } else { style };
        match ink {
            Ink::Plain => style,
            Ink::Strong => style.add_modifier(Modifier::BOLD),
            Ink::Dim => style.add_modifier(Modifier::DIM),
            Ink::Red => coloured(Color::Red).add_modifier(Modifier::BOLD),
            Ink::Yellow => coloured(Color::Yellow),
            Ink::Green => coloured(Color::Green),
            Ink::Selected => style.add_modifier(Modifier::REVERSED),
        }
    }
}

/// A line in pieces.
pub type Line = Vec<(Ink, String)>;

/// A screen that is filled from the top.
pub struct Canvas<'a> {
    buffer: &'a mut Buffer,
    area: Rect,
    theme: Theme,
    y: u16,
}

impl<'a> Canvas<'a> {
    pub fn new(buffer: &'a mut Buffer, area: Rect, theme: Theme) -> Self {
        Self { buffer, area, theme, y: area.y }
    }

    /// Columns.
    pub fn width(&self) -> usize {
        usize::from(self.area.width)
    }

    /// Lines that are free.
    pub fn left(&self) -> u16 {
        self.area.bottom().saturating_sub(self.y)
    }

    /// Writes the next line, cut at the edge.
    pub fn line(&mut self, pieces: impl IntoIterator<Item = (Ink, String)>) {
        if self.left() == 0 {
            return;
        }
        let mut x = self.area.x;
        for (ink, text) in pieces {
            let left = usize::from(self.area.right().saturating_sub(x));
            (x, _) = self.buffer.set_stringn(x, self.y, text, left, self.theme.style(ink));
        }
        self.y += 1;
    }

    /// Writes the last lines of the screen. They are of now, even if all else is not.
    pub fn foot(&mut self, lines: Vec<Line>) {
        let count = u16::try_from(lines.len()).unwrap_or(u16::MAX);
        self.y = self.area.bottom().saturating_sub(count).max(self.area.y);
        self.theme.dimmed = false;
        for line in lines {
            self.line(line);
        }
    }
}
