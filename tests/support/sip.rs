//! SIP messages, as little as tests need: lenient in taking them apart, byte-exact in putting them together.

use std::fmt;
use std::net::SocketAddr;

use super::address::SIP_PORT;

/// The first line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    /// `METHOD uri SIP/2.0`
    Request {
        /// The method.
        method: String,
        /// The Request-URI.
        uri: String,
    },
    /// `SIP/2.0 status reason`
    Response {
        /// The status code.
        status: u16,
        /// The reason phrase.
        reason: String,
    },
}

/// A message. Header names are kept as they came; asking for one knows the compact forms and ignores case.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// The first line.
    pub start: Start,
    headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Message {
    /// A request without headers.
    pub fn request(method: &str, uri: &str) -> Message {
        let start = Start::Request { method: method.to_owned(), uri: uri.to_owned() };
        Message { start, headers: Vec::new(), body: Vec::new() }
    }

    /// A response without headers.
    pub fn response(status: u16, reason: &str) -> Message {
        let start = Start::Response { status, reason: reason.to_owned() };
        Message { start, headers: Vec::new(), body: Vec::new() }
    }

    /// With one more header line.
    pub fn with(mut self, name: &str, value: impl fmt::Display) -> Message {
        self.headers.push((name.to_owned(), value.to_string()));
        self
    }

    /// With this header in place of all of that name.
    pub fn set(self, name: &str, value: impl fmt::Display) -> Message {
        self.without(name).with(name, value)
    }

    /// Without the headers of that name.
    pub fn without(mut self, name: &str) -> Message {
        self.headers.retain(|(have, _)| !same_header(have, name));
        self
    }

    /// With the headers of that name under another one: a compact form, or letters of another case.
    pub fn renamed(mut self, name: &str, to: &str) -> Message {
        for (have, _) in self.headers.iter_mut().filter(|(have, _)| same_header(have, name)) {
            to.clone_into(have);
        }
        self
    }

    /// With a body.
    pub fn with_body(self, content_type: &str, body: impl Into<Vec<u8>>) -> Message {
        let mut message = self.set("Content-Type", content_type);
        message.body = body.into();
        message
    }

    /// The request's method; empty for a response.
    pub fn method(&self) -> &str {
        match &self.start {
            Start::Request { method, .. } => method,
            Start::Response { .. } => "",
        }
    }

    /// The Request-URI; empty for a response.
    pub fn uri(&self) -> &str {
        match &self.start {
            Start::Request { uri, .. } => uri,
            Start::Response { .. } => "",
        }
    }

    /// The response's status; 0 for a request.
    pub fn status(&self) -> u16 {
        match self.start {
            Start::Request { .. } => 0,
            Start::Response { status, .. } => status,
        }
    }

    /// The first header of that name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(have, _)| same_header(have, name)).map(|(_, value)| value.as_str())
    }

    /// The header that must be there; panics with the message when it is not.
    pub fn need(&self, name: &str) -> &str {
        self.header(name).unwrap_or_else(|| panic!("no {name} in\n{self}"))
    }

    /// The lines of that name, in order.
    pub fn headers(&self, name: &str) -> Vec<&str> {
        self.headers.iter().filter(|(have, _)| same_header(have, name)).map(|(_, value)| value.as_str()).collect()
    }

    /// The elements of a header that is a list, from all its lines.
    pub fn list(&self, name: &str) -> Vec<&str> {
        self.headers(name)
            .into_iter()
            .flat_map(|line| split_outside(line, ','))
            .filter(|part| !part.is_empty())
            .collect()
    }

    /// A parameter of the first header of that name: `param("From", "tag")`. A parameter without `=` is empty.
    pub fn param(&self, header: &str, param: &str) -> Option<&str> {
        let value = split_outside(self.header(header)?, ',').into_iter().next()?;
        split_outside(value, ';').into_iter().skip(1).find_map(|part| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            name.trim().eq_ignore_ascii_case(param).then(|| value.trim())
        })
    }

    /// The URI in the first header of that name: the text in `<>`, else the text before the parameters.
    pub fn uri_in(&self, header: &str) -> Option<&str> {
        uri_in(self.header(header)?)
    }

    /// Number and method of CSeq; 0 and empty if there is none.
    pub fn cseq(&self) -> (u32, &str) {
        let (number, method) = self.header("CSeq").and_then(|value| value.split_once(' ')).unwrap_or(("0", ""));
        (number.parse().unwrap_or(0), method.trim())
    }

    /// The branch of the topmost Via; empty if there is none.
    pub fn branch(&self) -> &str {
        self.param("Via", "branch").unwrap_or_default()
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The bytes for the wire. Content-Length is written unless the test set one.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut head = match &self.start {
            Start::Request { method, uri } => format!("{method} {uri} SIP/2.0\r\n"),
            Start::Response { status, reason } => format!("SIP/2.0 {status} {reason}\r\n"),
        };
        for (name, value) in &self.headers {
            head += &format!("{name}: {value}\r\n");
        }
        if self.header("Content-Length").is_none() {
            head += &format!("Content-Length: {}\r\n", self.body.len());
        }
        head += "\r\n";
        [head.as_bytes(), &self.body].concat()
    }

    /// The same without Content-Length: only a datagram can do without.
    pub fn to_bytes_without_length(&self) -> Vec<u8> {
        let whole = self.clone().without("Content-Length").to_bytes();
        let line = format!("Content-Length: {}\r\n", self.body.len());
        let at = whole.windows(line.len()).position(|bytes| bytes == line.as_bytes()).expect("it is written last");
        [&whole[..at], &whole[at + line.len()..]].concat()
    }

    /// Takes a datagram apart.
    pub fn parse(datagram: &[u8]) -> Result<Message, String> {
        let (mut message, rest) = parse_head(datagram)?.ok_or("no empty line after the headers")?;
        let length = message.content_length()?.unwrap_or(rest.len());
        message.body = rest.get(..length).ok_or("shorter than its Content-Length")?.to_vec();
        Ok(message)
    }

    /// Takes the first message off a stream's bytes; `None` while it is not complete.
    pub fn take(stream: &mut Vec<u8>) -> Result<Option<Message>, String> {
        let keep_alives = stream.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        stream.drain(..keep_alives);
        let Some((mut message, rest)) = parse_head(stream)? else { return Ok(None) };
        let length = message.content_length()?.ok_or("no Content-Length on a stream")?;
        let Some(body) = rest.get(..length) else { return Ok(None) };
        message.body = body.to_vec();
        let used = stream.len() - rest.len() + length;
        stream.drain(..used);
        Ok(Some(message))
    }

    fn content_length(&self) -> Result<Option<usize>, String> {
        self.header("Content-Length")
            .map(|text| text.parse().map_err(|_| format!("Content-Length: {text}")))
            .transpose()
    }
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.to_bytes()).replace("\r\n", "\n"))
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The URI in a name-addr or addr-spec.
pub fn uri_in(value: &str) -> Option<&str> {
    let first = split_outside(value, ',').into_iter().next()?;
    let mut quoted = false;
    let open = first.char_indices().find(|(_, char)| {
        quoted ^= *char == '"';
        *char == '<' && !quoted
    });
    match open {
        Some((at, _)) => first[at + 1..].split_once('>').map(|(uri, _)| uri),
        None => first.split(';').next().map(str::trim),
    }
}

/// Where a request to `uri` goes. Test URIs hold addresses, never names.
pub fn target_of(uri: &str) -> SocketAddr {
    let rest = uri.split_once(':').map_or(uri, |(_, rest)| rest);
    let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host).split([';', '?']).next().unwrap_or_default();
    let parsed = host.parse().or_else(|_| host.parse().map(|ip: std::net::IpAddr| (ip, SIP_PORT).into()));
    parsed.unwrap_or_else(|_| panic!("no address in {uri:?}"))
}

fn parse_head(bytes: &[u8]) -> Result<Option<(Message, &[u8])>, String> {
    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(None) };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let mut lines = head.split("\r\n");
    let first = lines.next().unwrap_or_default();
    let words: Vec<&str> = first.splitn(3, ' ').collect();
    let mut message = match words[..] {
        ["SIP/2.0", status, reason] => Message::response(status.parse().map_err(|_| first.to_owned())?, reason),
        [method, uri, "SIP/2.0"] => Message::request(method, uri),
        _ => return Err(format!("not a first line: {first:?}")),
    };
    for line in lines {
        if line.starts_with([' ', '\t']) {
            let (_, value) = message.headers.last_mut().ok_or("folding before the first header")?;
            *value += &format!(" {}", line.trim());
        } else {
            let (name, value) = line.split_once(':').ok_or_else(|| format!("not a header: {line:?}"))?;
            message.headers.push((name.trim().to_owned(), value.trim().to_owned()));
        }
    }
    Ok(Some((message, &bytes[end + 4..])))
}

/// Splits at `separator` where it is neither within quotes nor within `<>`.
fn split_outside(text: &str, separator: char) -> Vec<&str> {
    let (mut quoted, mut escaped, mut angle, mut from) = (false, false, false, 0);
    let mut parts = Vec::new();
    for (at, char) in text.char_indices() {
        match char {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '<' if !quoted => angle = true,
            '>' if !quoted => angle = false,
            _ if char == separator && !quoted && !angle => {
                parts.push(text[from..at].trim());
                from = at + char.len_utf8();
            }
            _ => {}
        }
    }
    parts.push(text[from..].trim());
    parts
}

fn same_header(a: &str, b: &str) -> bool {
    long_name(a).eq_ignore_ascii_case(long_name(b))
}

fn long_name(name: &str) -> &str {
    let [letter] = name.as_bytes() else { return name };
    match letter.to_ascii_lowercase() {
        b'v' => "Via",
        b'f' => "From",
        b't' => "To",
        b'i' => "Call-ID",
        b'm' => "Contact",
        b'l' => "Content-Length",
        b'c' => "Content-Type",
        b'e' => "Content-Encoding",
        b'k' => "Supported",
        b'o' => "Event",
        b'u' => "Allow-Events",
        b's' => "Subject",
        _ => name,
    }
}
