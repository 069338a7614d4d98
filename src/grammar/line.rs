//! Texts that people read, each in one line.

use std::borrow::Cow;
use std::fmt::Write;

/// A text without anything that ends its line, begins another one or hides in it: control characters, and those that separate
/// lines or turn the direction of writing, are escaped as in Rust.
#[must_use]
pub fn one_line(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_disruptive) {
        return Cow::Borrowed(text);
    }
    let mut line = String::with_capacity(text.len().saturating_mul(2));
    for char in text.chars() {
        if is_disruptive(char) {
            // Writing to a text does not fail.
            let _ = write!(line, "{}", char.escape_default());
        } else {
            line.push(char);
        }
    }
    Cow::Owned(line)
}

/// Whether a character ends a line, begins another one, or hides its text.
#[must_use]
pub fn is_disruptive(char: char) -> bool {
    char.is_control() || matches!(char, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}
