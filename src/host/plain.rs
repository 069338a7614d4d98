//! Headers as nearly all of them are, read without the host's parser, which is for the others: it takes memory for each.

/// The URI of a name-addr that is nothing else: without display name and parameters.
pub(super) fn uri(text: &[u8]) -> Option<&[u8]> {
    let uri = text.strip_prefix(b"<")?.strip_suffix(b">")?;
    let is_plain = !uri.is_empty() && uri.iter().all(|byte| byte.is_ascii_graphic() && !b"<>\"".contains(byte));
    is_plain.then_some(uri)
}

/// The tag of a From without a display name, whose only parameter it is.
pub(super) fn tag(text: &[u8]) -> Option<&[u8]> {
    let end = text.iter().position(|byte| *byte == b'>')?.saturating_add(1);
    let (address, parameters) = text.split_at_checked(end)?;
    uri(address)?;
    let tag = parameters.strip_prefix(b";tag=")?;
    let is_token =
        !tag.is_empty() && tag.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(byte));
    is_token.then_some(tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_plain_is_read_and_the_rest_is_left_to_the_parser() {
        assert_eq!(uri(b"<sip:a@x;transport=tcp>"), Some(&b"sip:a@x;transport=tcp"[..]));
        for other in
            [&b"sip:a@x"[..], b"<>", b"", b"<sip:a@x>;q=1", b"A <sip:a@x>", b"<sip:a@x>, <sip:b@x>", b"< sip:a@x>"]
        {
            assert_eq!(uri(other), None, "{other:?}");
        }
        assert_eq!(tag(b"<sip:a@x>;tag=a.1-b"), Some(&b"a.1-b"[..]));
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
            assert_eq!(tag(other), None, "{other:?}");
        }
    }
}
