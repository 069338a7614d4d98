//! Lines of styled text that know how wide they are.

/// The look of a piece of text if colours are allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// As it comes.
    Plain,
    /// Stands out.
    Bold,
    /// Stands back.
    Dim,
    /// Good.
    Green,
    /// Less good.
    Red,
    /// To be noticed.
    Yellow,
    /// Sent.
    Cyan,
    /// Received.
    Magenta,
}

impl Style {
    fn code(self) -> &'static str {
        match self {
            Style::Plain => "",
            Style::Bold => "\x1b[1m",
            Style::Dim => "\x1b[2m",
            Style::Green => "\x1b[32m",
            Style::Red => "\x1b[31m",
            Style::Yellow => "\x1b[33m",
            Style::Cyan => "\x1b[36m",
            Style::Magenta => "\x1b[35m",
        }
    }
}

/// One line. Every character of the demo is one column wide.
#[derive(Clone, Debug, Default)]
pub struct Line(Vec<(Style, String)>);

impl Line {
    /// An empty line.
    pub fn new() -> Line {
        Line::default()
    }

    /// With more text at its end.
    pub fn with(mut self, style: Style, text: impl Into<String>) -> Line {
        self.0.push((style, text.into()));
        self
    }

    /// With another line at its end.
    pub fn join(mut self, other: Line) -> Line {
        self.0.extend(other.0);
        self
    }

    /// Its columns.
    pub fn width(&self) -> usize {
        self.0.iter().map(|(_, text)| text.chars().count()).sum()
    }

    /// Exactly `width` columns: filled with blanks, or cut with an ellipsis.
    pub fn fit(self, width: usize) -> Line {
        let missing = width.saturating_sub(self.width());
        if missing > 0 {
            return self.with(Style::Plain, " ".repeat(missing));
        }
        if self.width() == width {
            return self;
        }
        let (mut left, mut line) = (width.saturating_sub(1), Line::new());
        for (style, text) in self.0 {
            let part: String = text.chars().take(left).collect();
            left -= part.chars().count();
            line = line.with(style, part);
        }
        if width > 0 { line.with(Style::Dim, "…") } else { line }
    }

    /// The text for a terminal.
    pub fn text(&self, colours: bool) -> String {
        let paint = |(style, text): &(Style, String)| match (colours, style.code()) {
            (true, code) if !code.is_empty() => format!("{code}{text}\x1b[0m"),
            _ => text.clone(),
        };
        self.0.iter().map(paint).collect()
    }
}

/// `text` in exactly `width` columns.
pub fn cell(style: Style, text: impl Into<String>, width: usize) -> Line {
    Line::new().with(style, text).fit(width)
}
