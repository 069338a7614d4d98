//! The beginning of a text, in a place of its own.

use super::{Defect, found};

/// The first `N` bytes of a text (at most 255). Plain data: making and dropping one needs no memory.
#[derive(Clone, Copy, Debug)]
pub struct CutText<const N: usize> {
    bytes: [u8; N],
    length: u8,
}

impl<const N: usize> CutText<N> {
    /// The beginning of this text.
    #[must_use]
    pub fn new(text: &[u8]) -> Self {
        let mut bytes = [0; N];
        for (to, from) in bytes.iter_mut().zip(text) {
            *to = *from;
        }
        Self { bytes, length: u8::try_from(text.len().min(N)).unwrap_or(0) }
    }

    /// The bytes that were kept.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.length)).unwrap_or_else(|| found(Defect::Texts))
    }

    /// Whether the kept bytes are the beginning of this text.
    #[must_use]
    pub fn begins(&self, text: &[u8]) -> bool {
        text.starts_with(self.as_bytes())
    }

    /// The kept bytes for operators; bytes that are no UTF-8 are replaced.
    #[must_use]
    pub fn shown(&self) -> String {
        String::from_utf8_lossy(self.as_bytes()).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::CutText;

    #[test]
    fn a_text_is_cut_at_the_room() {
        for (text, kept) in [("", ""), ("abc", "abc"), ("abcd", "abcd"), ("abcde", "abcd")] {
            let cut = CutText::<4>::new(text.as_bytes());
            assert_eq!((cut.as_bytes(), cut.shown().as_str()), (kept.as_bytes(), kept));
            assert!(cut.begins(text.as_bytes()));
        }
        let cut = CutText::<4>::new(b"abcdef");
        assert!(cut.begins(b"abcdxy") && !cut.begins(b"abc") && !cut.begins(b"abcx"));
        assert_eq!(CutText::<4>::new(b"a\xffb").shown(), "a\u{fffd}b");
    }
}
