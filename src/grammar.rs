//! SIP's tokens, and headers as nearly all of them are: read without the host's parser, which is for the others and takes
//! memory for each.
#![forbid(unsafe_code)]

/// Whether `text` is a token (RFC 3261 §25.1).
#[must_use]
pub fn is_token(text: &[u8]) -> bool {
    let is_wanted = |byte: &u8| matches!(byte, b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'!' | b'%' | b'*' | b'_' | b'+' | b'`' | b'\'' | b'~');
    !text.is_empty() && text.iter().all(is_wanted)
}

/// The URI of a name-addr that is nothing else: without display name and parameters.
#[must_use]
pub fn plain_uri(text: &[u8]) -> Option<&[u8]> {
    let uri = text.strip_prefix(b"<")?.strip_suffix(b">")?;
    // All are looked at: without a way out, many are compared at once.
    let is_wanted = |byte: u8| byte.is_ascii_graphic() & (byte != b'"') & (byte != b'<') & (byte != b'>');
    let is_plain = uri.iter().fold(!uri.is_empty(), |all, byte| all & is_wanted(*byte));
    is_plain.then_some(uri)
}

/// The tag of a From without a display name, whose only parameter it is.
#[must_use]
pub fn plain_tag(text: &[u8]) -> Option<&[u8]> {
    let end = memchr::memchr(b'>', text)?.saturating_add(1);
    let (address, parameters) = text.split_at_checked(end)?;
    plain_uri(address)?;
    parameters.strip_prefix(b";tag=").filter(|tag| is_token(tag))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sets_are_those_of_the_grammar() {
        for byte in 0..=u8::MAX {
            let is_token = byte.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(&byte);
            assert_eq!(super::is_token(&[byte]), is_token, "{byte}");
            let is_uri = plain_uri(&[b'<', byte, b'>']).is_some();
            assert_eq!(is_uri, byte.is_ascii_graphic() && !b"<>\"".contains(&byte), "{byte}");
        }
        assert!(!is_token(b"") && is_token(b"a-1"));
    }

    #[test]
    fn what_is_plain_is_read_and_the_rest_is_left_to_the_parser() {
        assert_eq!(plain_uri(b"<sip:a@x;transport=tcp>"), Some(&b"sip:a@x;transport=tcp"[..]));
        for other in
            [&b"sip:a@x"[..], b"<>", b"", b"<sip:a@x>;q=1", b"A <sip:a@x>", b"<sip:a@x>, <sip:b@x>", b"< sip:a@x>"]
        {
            assert_eq!(plain_uri(other), None, "{other:?}");
        }
        assert_eq!(plain_tag(b"<sip:a@x>;tag=a.1-b"), Some(&b"a.1-b"[..]));
        for other in [
            &b"<sip:a@x>"[..],
            b"<sip:a@x>;tag=",
            b"<sip:a@x>;x=y;tag=a",
            b"<sip:a@x>;tag=a;x=y",
            b"<sip:a@x> ;tag=a",
            b"\"<b>;tag=c\" <sip:a@x>;tag=a",
            b"sip:a@x;tag=a",
            b"<sip:a@x>;TAG=a",
            b"<sip:a@x>;tag=a b",
        ] {
            assert_eq!(plain_tag(other), None, "{other:?}");
        }
    }
}
