//! Texts of documents as scripts get them.

use std::borrow::Cow;

/// A text with a blank for each control character: a notifier that writes a line end as a reference, or into the Content-Type of a part, would begin
/// another line wherever a script puts the text, into a header or a log.
#[must_use]
pub fn blanked(mut text: Cow<'_, [u8]>) -> Cow<'_, [u8]> {
    if text.iter().any(u8::is_ascii_control) {
        text.to_mut().iter_mut().filter(|byte| byte.is_ascii_control()).for_each(|byte| *byte = b' ');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_blanks() {
        let of = |text: &'static [u8]| blanked(text.into()).into_owned();
        assert_eq!(of(b"a\r\n\tb\0\x1b\x7f"), b"a   b   ");
        assert!(matches!(blanked(b"\xc3\xa9 \xff"[..].into()), Cow::Borrowed(b"\xc3\xa9 \xff")));
    }
}
