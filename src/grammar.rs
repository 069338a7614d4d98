//! SIP's tokens, and headers as nearly all of them are: read without the host's parser, which is for the others and takes
//! memory for each. And the gate for what peers say (law L11): [`PeerUri`], [`RouteSet`], [`Tag`] and [`EntityTag`] are made here
//! only, of texts that have been judged.
#![forbid(unsafe_code)]

mod address;
mod aor;
mod line;
mod lines;
mod number;
mod plain;
mod quoted;
mod route;
mod sets;
mod tag;
#[cfg(test)]
mod tests;
mod transport;
mod uri;

pub use address::{Addresses, parameters, preference};
pub use aor::Aor;
pub use line::{is_disruptive, one_line};
pub use lines::{reduced, seconds};
pub use number::{delta_seconds, number, thousandths};
pub use plain::{PlainSipUri, PlainTerms, plain_tag, plain_uri};
pub use quoted::{parts_unquoted, quoted, split_unquoted, unescaped, unquoted};
pub use route::{RouteSet, Routes};
pub use sets::{is_token, is_token_byte};
pub use tag::{EntityTag, Tag};
pub use transport::Transport;
pub use uri::{OfferedUri, PeerUri, Target, is_sips};

/// What a header lists between commas, for headers without quoted strings; without the white space around, and without what
/// is empty.
pub fn listed(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).filter(|item| !item.is_empty())
}

/// Those of the texts that are tokens, with commas between, up to so many bytes: what is beyond is omitted.
#[must_use]
pub fn joined_tokens<'a>(texts: impl Iterator<Item = &'a [u8]>, most: usize) -> Vec<u8> {
    let mut joined = Vec::new();
    for token in texts.filter(|text| is_token(text)) {
        let comma = if joined.is_empty() { &b""[..] } else { b", " };
        if joined.len().saturating_add(comma.len()).saturating_add(token.len()) <= most {
            joined.extend_from_slice(comma);
            joined.extend_from_slice(token);
        }
    }
    joined
}

fn split_once(text: &[u8], at: u8) -> Option<(&[u8], &[u8])> {
    let (before, rest) = text.split_at_checked(memchr::memchr(at, text)?)?;
    Some((before, rest.get(1..)?))
}
