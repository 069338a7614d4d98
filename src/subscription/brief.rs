//! Short text in place, fit for a log.

use crate::grammar::is_disruptive;
use crate::memory::{Defect, found};

/// Up to 31 bytes of text held in place; longer text is cut at a character's end.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Brief {
    len: u8,
    bytes: [u8; Brief::CAPACITY],
}

impl Brief {
    /// How many bytes it holds.
    pub const CAPACITY: usize = 31;

    /// Keeps as much of `text` as there is room for; bytes that are no UTF-8 end it, and a control character is shown as `?`:
    /// the text is the peer's, and goes into logs.
    #[must_use]
    pub fn new(text: &[u8]) -> Self {
        // As mostly.
        if text.is_empty() {
            return Self::default();
        }
        let cut = text.get(..Self::CAPACITY).unwrap_or(text);
        let valid = match std::str::from_utf8(cut) {
            Ok(whole) => whole,
            Err(error) => {
                cut.get(..error.valid_up_to()).and_then(|good| std::str::from_utf8(good).ok()).unwrap_or_default()
            }
        };
        let mut brief = Self::default();
        for char in valid.chars() {
            let char = if is_disruptive(char) { '?' } else { char };
            let end = usize::from(brief.len).saturating_add(char.len_utf8());
            if let Some(place) = brief.bytes.get_mut(usize::from(brief.len)..end) {
                char.encode_utf8(place);
                brief.len = u8::try_from(end).unwrap_or(0);
            }
        }
        brief
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(self.as_bytes()).unwrap_or_else(|_| found(Defect::Texts))
    }

    /// The same as bytes, which are not looked at again.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_else(|| found(Defect::Texts))
    }
}

impl std::fmt::Debug for Brief {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.as_str().fmt(f)
    }
}
