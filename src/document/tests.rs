//! Tests of the room, by subject.

mod captured;
mod content_type;
mod field;
mod fields;
mod formats;
mod hostile;
mod json;
mod list;
mod list_readings;
mod merge;
mod merge_model;
mod mixed;
mod multipart;
mod mutations;
mod patches;
mod pidf;
mod presence;
mod property;
mod reader;
mod readings;
mod rehome;
mod samples;
mod shapes;
mod version;
mod write_dialog_info;
mod write_reginfo;

use super::check::check_size;
use super::encoding::decode;
use super::error::DocumentError;
use super::formats::check_presence;
use super::{MAX_DOCUMENT, Presentity};

const HEAD: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<presence xmlns="urn:ietf:params:xml:ns:pidf" xmlns:dm="urn:ietf:params:xml:ns:pidf:data-model" xmlns:rpid="urn:ietf:params:xml:ns:pidf:rpid" entity="pres:someone@example.com">"#;

impl Presentity {
    /// Reads a body of at most `max_bytes`, with the charset of its Content-Type.
    fn parse(body: &[u8], charset: Option<&str>, max_bytes: usize) -> Result<Self, DocumentError> {
        check_size(body, max_bytes)?;
        let text = decode(body, charset)?;
        Self::of(&text, &check_presence(&text)?, max_bytes)
    }
}

fn parse(body: impl AsRef<[u8]>) -> Result<Presentity, DocumentError> {
    Presentity::parse(body.as_ref(), None, MAX_DOCUMENT)
}

/// A presence document with `inside` as its content.
fn presence(inside: &str) -> Presentity {
    parse(format!("{HEAD}{inside}</presence>")).unwrap()
}
