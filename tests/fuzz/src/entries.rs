//! The readers of bodies, each as a function that takes any bytes and panics when a promise of the reader is not kept.
//!
//! The fuzz targets call them, and a test of the room `document` does with the corpus and mutations of it.

use std::ops::Range;

use crate::c_api::seen::shows_all_texts;
use crate::document::{
    ContentType, Document, FIELDS, FieldText, KeptDocument, ListUpdate, MergedDocument, PIDF_XML, PidfSummary,
    check_body, check_filter, merge, only_document,
};

/// Takes any bytes.
pub type Entry = fn(&[u8]);

/// All of them, by the names of the fuzz targets.
pub const ENTRIES: [(&str, Entry); 12] = [
    ("check", check),
    ("content_type", content_type),
    ("presence", presence),
    ("dialog_info", |body| document("application/dialog-info+xml", body)),
    ("reginfo", |body| document("application/reginfo+xml", body)),
    ("watcherinfo", |body| document("application/watcherinfo+xml", body)),
    ("message_summary", |body| document("application/simple-message-summary", body)),
    ("multipart", multipart),
    ("list", list),
    ("merging", merging),
    ("c_document", c_document),
    ("filter", |body| drop(check_filter(body, MOST))),
];

/// The most bytes of a body.
const MOST: usize = 64 * 1024;

const KINDS: [&str; 6] = [
    PIDF_XML,
    "application/dialog-info+xml; charset=UTF-8",
    "application/reginfo+xml",
    "application/watcherinfo+xml; charset=\"iso-8859-1\"",
    "application/simple-message-summary",
    "text/plain",
];

/// What is accepted when bodies are checked is accepted without the check too, with the same version.
fn check(body: &[u8]) {
    for kind in KINDS {
        let kind = ContentType::parse(kind.as_bytes()).expect("a Content-Type");
        let strict = check_body(&kind, body, MOST, true);
        let other = check_body(&kind, body, MOST, false);
        match strict {
            Ok(version) => assert_eq!(other, Ok(version)),
            Err(error) => drop((error.to_string(), other.map_err(|error| error.to_string()))),
        }
    }
}

/// Line by line: the first is a Content-Type.
fn typed(input: &[u8]) -> (&[u8], &[u8]) {
    let end = input.iter().position(|byte| *byte == b'\n').unwrap_or(input.len());
    let (kind, body) = input.split_at(end);
    (kind.trim_ascii(), body.get(1..).unwrap_or_default())
}

/// What a Content-Type says is not longer than the Content-Type.
fn content_type(input: &[u8]) {
    let (kind, body) = typed(input);
    let Ok(parsed) = ContentType::parse(kind) else { return };
    for parameter in parsed.parameters() {
        let value = parameter.value.to_string();
        assert!(value.len() <= kind.len() && parameter.name.len() <= kind.len());
    }
    drop(check_body(&parsed, body, MOST, true));
    drop(Document::read(kind, body, MOST));
}

/// The summary says what the whole document says.
fn presence(body: &[u8]) {
    document(PIDF_XML, body);
    let summary = PidfSummary::read(body, None, MOST).ok();
    let whole = Document::read(PIDF_XML.as_bytes(), body, MOST);
    let text = |field| whole.as_ref().and_then(|whole| whole.value(field, None));
    let said = |text: &str| FieldText::Text(text.to_owned().into());
    assert_eq!(summary.as_ref().map(|summary| said(summary.basic.as_str())), text("basic"));
    assert_eq!(summary.and_then(|summary| summary.note).map(|note| said(&note)), text("note"));
}

/// A document is read if, and only if, the check takes its body. Its fields are bounded by its size, by index too.
fn document(kind: &str, body: &[u8]) {
    let content_type = ContentType::parse(kind.as_bytes()).expect("a Content-Type");
    let read = Document::read(kind.as_bytes(), body, MOST);
    let is_checked = check_body(&content_type, body, MOST, true).is_ok();
    assert_eq!(read.is_some(), is_checked && (!body.is_empty() || kind.contains("summary")));
    let Some(read) = read else { return };
    // A byte of ISO-8859-1 is two of UTF-8, and one that is none of the encoding is three.
    let most = 3 * body.len() + "terminated".len();
    let bounded = |value: Option<FieldText<'_>>| match value {
        Some(FieldText::Text(text)) => assert!(text.len() <= most, "{} of {most}", text.len()),
        Some(FieldText::Number(number)) => assert!(number >= 0),
        None => {}
    };
    for field in FIELDS {
        let count = read.count(field.name);
        assert!(count <= most);
        for index in 0..count.min(4) {
            bounded(read.value(field.name, Some(index)));
        }
        bounded(read.value(field.name, None));
        assert_eq!(read.value(field.name, Some(count)), None, "{}", field.name);
        assert_eq!(read.value(field.name, Some(usize::MAX)), None, "{}", field.name);
        let is_ours = FIELDS.iter().any(|each| (each.format, each.name) == (kind, field.name));
        assert!(is_ours || read.value(field.name, None).is_none(), "{}", field.name);
    }
}

/// The one document of a body lies in it.
fn multipart(input: &[u8]) {
    let (kind, body) = typed(input);
    let Ok(kind) = ContentType::parse(kind) else { return };
    let Some((kind, part)) = only_document(&kind, body, |_| true) else { return };
    assert!(ContentType::parse(kind).is_ok());
    if !part.is_empty() {
        let (whole, part) = (body.as_ptr_range(), part.as_ptr_range());
        assert!(part.start > whole.start && part.end <= whole.end);
    }
    drop(Document::read(kind, part, MOST));
}

/// What is told of a list is bounded by the size of its body, and lies in it.
fn list(input: &[u8]) {
    let (kind, body) = typed(input);
    let Ok(kind) = ContentType::parse(kind) else { return };
    let Ok(update) = ListUpdate::read(&kind, body, MOST) else { return };
    let told = update.states.len() + update.resources.len() + update.lists.len();
    assert!(!update.lists.is_empty() && told <= body.len(), "{told}");
    assert!(update.version().is_none_or(|version| update.lists[0].version == Some(version.number)));
    let part = |range: &Range<usize>| body.get(range.clone()).expect("it lies in the body");
    let mut opened = 0;
    for state in &update.states {
        assert!(state.list < update.lists.len() && state.resource.is_none_or(|at| at < update.resources.len()));
        if let Some(inner) = state.opened {
            opened += 1;
            assert_eq!(inner, opened);
        }
        if let Some(found) = &state.part {
            drop(Document::read(part(&found.content_type), part(&found.body), MOST));
        }
    }
    assert_eq!(opened + 1, update.lists.len());
}

/// Between two documents of one input.
const NEXT: &[u8] = b"\n%%\n";

/// One state of documents that come one behind the other: it is a whole document of its type.
fn merging(input: &[u8]) {
    let (kind, mut rest) = typed(input);
    let mut kept: Option<MergedDocument> = None;
    loop {
        let end = rest.windows(NEXT.len()).position(|part| part == NEXT);
        let body = rest.get(..end.unwrap_or(rest.len())).unwrap_or_default();
        let before = kept.as_ref().map(|kept| KeptDocument {
            document: &kept.document,
            version: kept.version,
            is_whole: kept.is_whole,
        });
        let alone = merge(kind, None, body, MOST);
        let merged = merge(kind, before, body, MOST);
        // What tells everything is the state whatever was kept.
        if alone.as_ref().is_ok_and(|alone| alone.is_whole) {
            assert_eq!(merged, alone);
        }
        // A body with a fault has it whatever was kept.
        if let Ok(merged) = merged {
            assert!(alone.is_ok());
            is_whole_document(&merged);
            kept = Some(merged);
        }
        let Some(end) = end else { break };
        rest = rest.get(end + NEXT.len()..).unwrap_or_default();
    }
}

fn is_whole_document(merged: &MergedDocument) {
    let Some(kind) = merged.content_type else { return };
    assert!(merged.document.len() <= MOST);
    let content_type = ContentType::parse(kind.as_bytes()).expect("a Content-Type");
    let version = check_body(&content_type, &merged.document, MOST, true).expect("a document");
    assert!(version.is_none_or(|version| version.is_full));
    assert!(Document::read(kind.as_bytes(), &merged.document, MOST).is_some());
    let again = merge(kind.as_bytes(), None, &merged.document, MOST).expect("a document");
    assert_eq!(again.document, merged.document);
    assert!(again.is_whole);
}

/// C sees all texts of a document, and nothing outside.
fn c_document(input: &[u8]) {
    let (kind, body) = typed(input);
    shows_all_texts(kind, body);
}
