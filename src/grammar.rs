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

/// What a plain SIP URI names: a user, a host that is no IPv6 reference, perhaps a port, and nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlainSipUri<'a> {
    /// The host, as it was written.
    pub host: &'a [u8],
    /// The port, where there is one.
    pub port: Option<u16>,
}

impl<'a> PlainSipUri<'a> {
    /// Reads one; `None` for every other URI, good or bad.
    #[must_use]
    pub fn read(text: &'a [u8]) -> Option<Self> {
        let (user, place) = split_once(text.strip_prefix(b"sip:")?, b'@')?;
        let (host, port) = split_once(place, b':').map_or((place, None), |(host, port)| (host, Some(port)));
        let is_host = |byte: &u8| byte.is_ascii_alphanumeric() | (*byte == b'-') | (*byte == b'.');
        let is_user = |byte: &u8| is_host(byte) | (*byte == b'_') | (*byte == b'+');
        // All are looked at, as above.
        let is_plain = user.iter().fold(!user.is_empty(), |all, byte| all & is_user(byte))
            & host.iter().fold(true, |all, byte| all & is_host(byte))
            & host.first().is_some_and(u8::is_ascii_alphanumeric);
        let port = match port {
            Some(digits) => Some(port_number(digits)?),
            None => None,
        };
        is_plain.then_some(Self { host, port })
    }
}

fn split_once(text: &[u8], at: u8) -> Option<(&[u8], &[u8])> {
    let (before, rest) = text.split_at_checked(memchr::memchr(at, text)?)?;
    Some((before, rest.get(1..)?))
}

/// Digits that name a port; 0 is none.
fn port_number(digits: &[u8]) -> Option<u16> {
    let number = digits.iter().try_fold(0u16, |number, byte| {
        let digit = byte.checked_sub(b'0').filter(|digit| *digit < 10)?;
        number.checked_mul(10)?.checked_add(digit.into())
    });
    number.filter(|port| *port > 0)
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

    #[test]
    fn plain_sip_uris_are_told_from_all_others() {
        let plain = |host: &'static [u8], port| Some(PlainSipUri { host, port });
        assert_eq!(PlainSipUri::read(b"sip:+a.b-c_1@Host-1.example"), plain(b"Host-1.example", None));
        assert_eq!(PlainSipUri::read(b"sip:a@127.0.0.1:65535"), plain(b"127.0.0.1", Some(65535)));
        for other in [
            &b""[..],
            b"sip:",
            b"sip:x",
            b"sip:@x",
            b"sip:a@",
            b"sip:a@.x",
            b"sip:a@-x",
            b"sip:a@x_y",
            b"sip:a@x:",
            b"sip:a@x:0",
            b"sip:a@x:65536",
            b"sip:a@x:5060;transport=tcp",
            b"sip:a@x;lr",
            b"sip:a@x?y=z",
            b"sip:a:b@x",
            b"sip:a@b@x",
            b"sip:a@[::1]",
            b"sip:a@[::1]:5060",
            b"sip:a@x:5060:1",
            b"sip:a b@x",
            b"sip:a;x=y@x",
            b"sips:a@x",
            b"SIP:a@x",
            b"tel:+1",
            b" sip:a@x",
        ] {
            assert_eq!(PlainSipUri::read(other), None, "{other:?}");
        }
    }
}
