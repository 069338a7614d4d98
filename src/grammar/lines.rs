//! The header lines of a message, read from its text: for the replies that the host's parser gives up.

use super::{delta_seconds, is_token};

/// Headers of a reply that are kept where another one cannot be parsed; of the first five one is kept.
const KEPT: [(&str, &str); 12] = [
    ("Via", "v"),
    ("From", "f"),
    ("To", "t"),
    ("Call-ID", "i"),
    ("CSeq", ""),
    ("Contact", "m"),
    ("Expires", ""),
    ("Record-Route", ""),
    ("WWW-Authenticate", ""),
    ("Proxy-Authenticate", ""),
    ("Authentication-Info", ""),
    ("Min-Expires", ""),
];

/// How many of [`KEPT`] a message has once.
const ONCE: usize = 5;

/// Its lines up to the empty one; a folded one with the lines that continue it.
fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let mut end = 0;
        loop {
            let after = rest.get(end..).unwrap_or_default();
            end = end.saturating_add(memchr::memchr(b'\n', after)?).saturating_add(1);
            if !matches!(rest.get(end), Some(b' ' | b'\t')) {
                break;
            }
        }
        let (line, after) = rest.split_at_checked(end)?;
        rest = after;
        (!line.trim_ascii().is_empty()).then_some(line)
    })
}

/// Name and value of a header line.
fn header(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let (name, value) = super::split_once(line, b':')?;
    let name = name.trim_ascii_end();
    is_token(name).then(|| (name, value.trim_ascii()))
}

/// The number of seconds that the value of this header begins with, in a message's text; one beyond 32 bits is the longest
/// there is. `None` when there is no such header, or its value begins with no number.
#[must_use]
pub fn seconds(text: &[u8], name: &str) -> Option<u32> {
    let mut headers = lines(text).skip(1).filter_map(header);
    let (_, value) = headers.find(|(found, _)| found.eq_ignore_ascii_case(name.as_bytes()))?;
    let digits = value.iter().take_while(|byte| byte.is_ascii_digit()).count();
    delta_seconds(value.get(..digits)?)
}

/// A reply with those headers only that say something of a subscription, and without a body. `None` when it has not even
/// a first line.
#[must_use]
pub fn reduced(text: &[u8]) -> Option<Vec<u8>> {
    let mut lines = lines(text);
    let mut kept = lines.next()?.to_vec();
    let mut is_there = [false; KEPT.len()];
    for line in lines {
        let Some((name, _)) = header(line) else { continue };
        let is = |known: &str| !known.is_empty() && name.eq_ignore_ascii_case(known.as_bytes());
        let Some(place) = KEPT.iter().position(|(long, short)| is(long) || is(short)) else { continue };
        let Some(there) = is_there.get_mut(place) else { continue };
        if !(*there && place < ONCE) {
            *there = true;
            kept.extend_from_slice(line);
        }
    }
    kept.extend_from_slice(b"Content-Length: 0\r\n\r\n");
    Some(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPLY: &str = "SIP/2.0 302 Moved\r\nVia: a\r\nv: b\r\nRetry-After: soon\r\nContact:\r\n <sip:a@x>\r\nbad line\r\n\
                         CSeq : 1 SUBSCRIBE\r\nMin-Expires: 7\r\nX-Y: z\r\nm: <sip:b@x>\r\n\r\nContact: <sip:body@x>\r\n";

    #[test]
    fn what_says_nothing_and_what_cannot_be_read_is_left_out() {
        let kept = reduced(REPLY.as_bytes()).map(|kept| String::from_utf8_lossy(&kept).into_owned());
        let right = "SIP/2.0 302 Moved\r\nVia: a\r\nContact:\r\n <sip:a@x>\r\nCSeq : 1 SUBSCRIBE\r\nMin-Expires: 7\r\n\
                     m: <sip:b@x>\r\nContent-Length: 0\r\n\r\n";
        assert_eq!(kept.as_deref(), Some(right));
        assert_eq!(reduced(b""), None);
        assert_eq!(reduced(b"\r\n"), None);
    }

    #[test]
    fn a_number_of_seconds_is_read_from_the_text() {
        let read =
            |value: &str| seconds(format!("SIP/2.0 503 No\r\nRETRY-AFTER:{value}\r\n\r\n").as_bytes(), "Retry-After");
        for (value, number) in [
            (" 30", Some(30)),
            ("\r\n 30", Some(30)),
            ("30 (busy);duration=5", Some(30)),
            ("4294967298", Some(u32::MAX)),
            ("99999999999999999999999999", Some(u32::MAX)),
            ("0", Some(0)),
            ("soon", None),
            ("-1", None),
            ("", None),
        ] {
            assert_eq!(read(value), number, "{value:?}");
        }
        assert_eq!(seconds(REPLY.as_bytes(), "Min-Expires"), Some(7));
        assert_eq!(seconds(b"SIP/2.0 200 OK\r\n\r\nRetry-After: 5\r\n", "Retry-After"), None);
        assert_eq!(seconds(b"Retry-After: 5", "Retry-After"), None);
    }
}
