//! The columns of the table, in the order of every statement.

use std::str;

use crate::grammar::{EntityTag, PeerUri, Routes, Tag, Transport, is_token};

/// The table of subscriptions.
pub const TABLE: &str = "presence_b2b_subscriptions";

/// The table with the run of the server.
pub const NODES: &str = "presence_b2b_nodes";

/// A column.
#[derive(Clone, Copy, Debug)]
pub struct RowColumn {
    /// Its name.
    pub name: &'static str,
    /// The values that it may have.
    pub kind: ColumnKind,
    /// Whether it may change without a text that changes: it is in the statement that writes numbers only.
    pub changes: bool,
}

impl RowColumn {
    /// 0 or an empty text.
    #[must_use]
    pub fn nothing(&self) -> SqlValue<'static> {
        match self.kind {
            ColumnKind::Number { .. } => SqlValue::Number(0),
            ColumnKind::Text { .. } => SqlValue::Text(""),
        }
    }
}

/// The values of a column.
#[derive(Clone, Copy, Debug)]
pub enum ColumnKind {
    /// A number.
    Number {
        /// The smallest.
        least: i64,
        /// The largest.
        most: i64,
    },
    /// A text.
    Text {
        /// The most bytes.
        most: usize,
        /// Whether a text may be the value.
        is_good: fn(&[u8]) -> bool,
        /// What it must be, for the operator.
        wanted: &'static str,
    },
}

/// A value as a column has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SqlValue<'a> {
    /// A number.
    Number(i64),
    /// A text without NUL.
    Text(&'a str),
}

/// How many there are.
pub const COLUMN_COUNT: usize = 38;

/// All of them. The first is the key, and the fourth is the guard of every statement.
pub const COLUMNS: [RowColumn; COLUMN_COUNT] = [
    any_number("id"),
    number("node", u16::MAX as i64),
    changing("epoch", EPOCH),
    changing("written", i64::MAX),
    text("origin", 16, is_word, "a word of small letters"),
    text("record", URI, is_name, NAME),
    text("subscriber", URI, is_name, NAME),
    text("package", 512, is_package, "the name of an event package"),
    text("options", OPTIONS, is_line, LINE),
    text("tie", 1024, is_line, LINE),
    RowColumn { changes: true, ..text("state", 16, is_word, "a word of small letters") },
    RowColumn { changes: true, ..text("status", 16, is_word, "a word of small letters") },
    text("call_id", 255, is_tag, "a Call-ID"),
    text("local_tag", 255, is_tag, "a tag"),
    text("remote_tag", 255, is_tag, "a tag"),
    text("target", URI, is_uri, "a SIP URI"),
    text("route_set", 4096, is_route_set, "routes as in a Route header"),
    text("entity_tag", 255, is_entity_tag, "an entity-tag"),
    text("source", URI, is_uri, "a SIP URI"),
    text("led_to", 255, is_host, "a host"),
    text("socket", 128, is_socket, "transport:address:port"),
    changing("has_flow", 1),
    changing("local_cseq", super::cseq::LARGEST as i64),
    changing("remote_cseq", u32::MAX as i64),
    changing("version", u32::MAX as i64),
    changing("expires_at", i64::MAX),
    changing("next_at", i64::MAX),
    changing("sent_at", i64::MAX),
    changing("opened_at", i64::MAX),
    changing("notify_by", i64::MAX),
    changing("requested", u32::MAX as i64),
    changing("min_expires", u32::MAX as i64),
    changing("retries", u16::MAX as i64),
    changing("proxy", 7),
    changing("marks", u16::MAX as i64),
    any_number("root"),
    number("fork", u8::MAX as i64),
    changing("updated", i64::MAX),
];

/// Place of column `state`.
pub(super) const STATE: usize = 10;

/// The largest epoch. With the number of a batch it has to fit into `written`, and the next ones have to be larger.
pub const MOST_EPOCH: u32 = 1_000_000_000;

const EPOCH: i64 = MOST_EPOCH as i64;

const URI: usize = 1024;

/// A subscriber may give 2,048 bytes. The module writes them with an escape for each that needs one, in quotes.
const OPTIONS: usize = 4500;

const NAME: &str = "a URI without blanks, quotes and control characters";
const LINE: &str = "a text without control characters";

const fn any_number(name: &'static str) -> RowColumn {
    RowColumn { name, kind: ColumnKind::Number { least: i64::MIN, most: i64::MAX }, changes: false }
}

const fn number(name: &'static str, most: i64) -> RowColumn {
    RowColumn { name, kind: ColumnKind::Number { least: 0, most }, changes: false }
}

const fn changing(name: &'static str, most: i64) -> RowColumn {
    RowColumn { changes: true, ..number(name, most) }
}

const fn text(name: &'static str, most: usize, is_good: fn(&[u8]) -> bool, wanted: &'static str) -> RowColumn {
    RowColumn { name, kind: ColumnKind::Text { most, is_good, wanted }, changes: false }
}

fn is_word(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(u8::is_ascii_lowercase)
}

/// Whether a text can be between the angle brackets of From and To. What it is beyond that, the engine judges as it does with a new
/// subscription.
fn is_name(text: &[u8]) -> bool {
    let is_good = |char: char| !char.is_control() && !char.is_whitespace() && !matches!(char, '<' | '>' | '"');
    text.contains(&b':') && str::from_utf8(text).is_ok_and(|text| text.chars().all(is_good))
}

fn is_package(text: &[u8]) -> bool {
    is_token(text)
}

fn is_line(text: &[u8]) -> bool {
    str::from_utf8(text).is_ok_and(|text| !text.chars().any(char::is_control))
}

fn is_tag(text: &[u8]) -> bool {
    Tag::judge(text).is_some()
}

fn is_uri(text: &[u8]) -> bool {
    text.is_empty() || PeerUri::judge(text).is_some()
}

/// Whether a text is what the module itself writes: reading it changes nothing.
fn is_route_set(text: &[u8]) -> bool {
    text.is_empty() || Routes::judge(std::iter::once(text)).is_ok_and(|routes| routes.set().text() == text)
}

fn is_entity_tag(text: &[u8]) -> bool {
    text.is_empty() || EntityTag::judge(text).is_some()
}

fn is_host(text: &[u8]) -> bool {
    text.iter().all(|byte| byte.is_ascii_alphanumeric() || b"[]:.-_".contains(byte))
}

/// Whether a text names a socket of the server; the engine looks for it.
fn is_socket(text: &[u8]) -> bool {
    let Ok(text) = str::from_utf8(text) else { return false };
    let Some((transport, rest)) = text.split_once(':') else { return text.is_empty() };
    let Some((address, port)) = rest.rsplit_once(':') else { return false };
    let is_port = port.parse::<u16>().is_ok_and(|port| port > 0);
    Transport::find(transport.as_bytes()).is_some() && !address.is_empty() && is_host(address.as_bytes()) && is_port
}
