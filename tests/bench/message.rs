//! SIP text: read as little as possible, written from parts.

/// The value of a header of a message, by its full name; the first of that name.
pub fn header<'a>(message: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let mut lines = message.split(|byte| *byte == b'\n');
    lines.find_map(|line| {
        let (have, rest) = line.split_at_checked(name.len())?;
        let value = rest.strip_prefix(b":")?;
        have.eq_ignore_ascii_case(name.as_bytes()).then(|| value.trim_ascii())
    })
}

/// The value of a parameter such as `;tag=`, up to the next parameter.
pub fn parameter<'a>(value: &'a [u8], mark: &str) -> Option<&'a [u8]> {
    let (_, rest) = split(value, mark.as_bytes())?;
    let end = rest.iter().position(|byte| matches!(byte, b';' | b'>' | b' ' | b'\r' | b'\n')).unwrap_or(rest.len());
    rest.get(..end)
}

/// The status code of a reply; `None` for a request.
pub fn status(message: &[u8]) -> Option<u16> {
    let code = message.strip_prefix(b"SIP/2.0 ")?.get(..3)?;
    std::str::from_utf8(code).ok()?.parse().ok()
}

/// The number in a Request-URI such as `sip:r0000123@…`.
pub fn record_number(request: &[u8]) -> Option<usize> {
    let (_, rest) = split(request, b" sip:r")?;
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit());
    digits
        .map(|digit| usize::from(digit - b'0'))
        .try_fold((0usize, false), |(number, _), digit| Some((number.checked_mul(10)?.checked_add(digit)?, true)))
        .and_then(|(number, any)| any.then_some(number))
}

/// Before and after the first `mark`.
pub fn split<'a>(text: &'a [u8], mark: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = text.windows(mark.len()).position(|part| part == mark)?;
    Some((text.get(..at)?, text.get(at + mark.len()..)?))
}

/// The number that a reply's topmost branch carries (see [`BRANCH`]).
pub fn branch_number(reply: &[u8]) -> Option<u64> {
    let (_, rest) = split(reply, BRANCH.as_bytes())?;
    u64::from_str_radix(std::str::from_utf8(rest.get(..16)?).ok()?, 16).ok()
}

/// A branch parameter up to the number that it carries, which is 16 hexadecimal digits.
pub const BRANCH: &str = "branch=z9hG4bKb";

/// How long the body of a NOTIFY is.
pub const BODY: usize = 1200;

/// A presence document of [`BODY`] bytes, or a little more when the note is long.
pub fn pidf(entity: &str, basic: &str, note: &str) -> String {
    let head = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n<presence xmlns=\"urn:ietf:params:xml:ns:pidf\" \
         xmlns:dm=\"urn:ietf:params:xml:ns:pidf:data-model\" xmlns:rpid=\"urn:ietf:params:xml:ns:pidf:rpid\" \
         entity=\"{entity}\">\r\n<tuple id=\"t1\"><status><basic>{basic}</basic></status>\
         <contact priority=\"0.8\">{entity}</contact><note xml:lang=\"en\">{note}</note>\
         <timestamp>2026-01-01T00:00:00Z</timestamp></tuple>\r\n"
    );
    let mut body = head;
    let person = |number: usize| {
        format!(
            "<dm:person id=\"p{number}\"><rpid:activities><rpid:away/></rpid:activities>\
             <dm:note>away</dm:note></dm:person>\r\n"
        )
    };
    let tail = "</presence>\r\n";
    for number in 0.. {
        let next = person(number);
        if body.len() + next.len() + tail.len() > BODY {
            break;
        }
        body += &next;
    }
    let left = BODY.saturating_sub(body.len() + tail.len());
    body + &" ".repeat(left) + tail
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_found() {
        let message =
            b"SUBSCRIBE sip:r0000123@127.0.0.1 SIP/2.0\r\nVia: a\r\nCALL-ID: x@y\r\nFrom: <sip:a@b>;tag=1;p\r\n\r\n";
        assert_eq!(header(message, "Call-ID"), Some(b"x@y".as_slice()));
        assert_eq!(header(message, "Event"), None);
        assert_eq!(header(message, "From").and_then(|from| parameter(from, ";tag=")), Some(b"1".as_slice()));
        assert_eq!(record_number(message), Some(123));
        assert_eq!(record_number(b"SUBSCRIBE sip:rx@127.0.0.1 SIP/2.0"), None);
        assert_eq!(status(message), None);
        assert_eq!(status(b"SIP/2.0 481 Gone\r\n"), Some(481));
    }

    #[test]
    fn branches_carry_numbers() {
        let reply = format!("SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 127.0.0.1;{BRANCH}{:016x};received=x\r\n", 77);
        assert_eq!(branch_number(reply.as_bytes()), Some(77));
        assert_eq!(branch_number(b"SIP/2.0 200 OK\r\n\r\n"), None);
    }

    #[test]
    fn documents_are_of_one_size() {
        assert_eq!(pidf("sip:a@example.org", "open", "here").len(), BODY);
        assert_eq!(pidf("sip:a@example.org", "closed", &"x".repeat(40)).len(), BODY);
    }
}
