//! Presence documents that tell only what has changed (RFC 5262, RFC 5263).
//!
//! `pidf-full` tells all, and `pidf-diff` has patch operations for what was told before. They only fit the state that the notifier made
//! them for: when a document is missing, the state stays as it is until everything is told again.

use super::check::check_size;
use super::element::Element;
use super::encoding::decode;
use super::error::DocumentError;
use super::formats::{PIDF, PIDF_DIFF, PIDF_XML, check_presence};
use super::merge::{DECLARATION, KeptDocument, MergedDocument, follows};
use super::name::as_text;
use super::patch::apply;
use super::reader::Reader;
use super::scan::RootElement;
use super::stand_alone::{StandAlone, write_attribute};

/// The most operations of one document. Each reads the whole state once, and all their predicates together may look at as much again.
const MOST_OPERATIONS: usize = 256;

/// The state with a document that has been checked.
///
/// # Errors
/// When an operation cannot be carried out, or the state is no presence document then or takes more than `max_bytes`.
pub(super) fn merge_presence(
    kept: Option<KeptDocument<'_>>,
    text: &str,
    root: &RootElement<'_>,
    max_bytes: usize,
) -> Result<MergedDocument, DocumentError> {
    let (version, is_full) = root.place(text.as_bytes());
    let mut reader = Reader::new(text, root);
    let Some(diff) = reader.root() else { return Err(DocumentError::Empty) };
    let made = |document: String, is_whole| MergedDocument {
        document: [DECLARATION, document.as_str()].concat().into_bytes(),
        content_type: Some(PIDF_XML),
        version,
        is_whole,
    };
    if is_full {
        return Ok(made(presence(&mut reader, &diff, max_bytes)?, true));
    }
    let before = kept.as_ref().and_then(|kept| decode(kept.document, Some("utf-8")).ok());
    let state = before.as_deref().and_then(|before| before.get(check_presence(before).ok()?.tag..));
    let (Some(state), Some(kept)) = (state, kept) else { return Ok(made(empty_presence(&diff), false)) };
    let mut document = state.to_owned();
    if !kept.is_whole || !follows(kept.version, version) {
        return Ok(made(document, false));
    }
    let mut count = 0;
    let mut left = state.len().saturating_add(text.len()).saturating_mul(MOST_OPERATIONS);
    while let Some(operation) = reader.child(&diff) {
        count += 1;
        if count > MOST_OPERATIONS {
            return Err(DocumentError::TooComplex { what: "patch operations", limit: MOST_OPERATIONS });
        }
        if operation.may_be_in(PIDF_DIFF) {
            let done = apply(&mut document, &mut reader, &operation, &mut left);
            done.map_err(|problem| DocumentError::Patch { operation: count, problem })?;
            check_size(document.as_bytes(), max_bytes)?;
        }
    }
    check_presence(&document)?;
    Ok(made(document, true))
}

/// The presence document that a `pidf-full` is.
fn presence<'a>(reader: &mut Reader<'a>, full: &Element<'a>, max_bytes: usize) -> Result<String, DocumentError> {
    let mut document = start_tag(full);
    document.push('>');
    while let Some(element) = reader.child(full) {
        StandAlone::read(reader, &element).write(&mut document, PIDF.as_bytes());
        check_size(document.as_bytes(), max_bytes)?;
    }
    document.push_str("</presence>");
    check_presence(&document)?;
    Ok(document)
}

fn empty_presence(diff: &Element<'_>) -> String {
    start_tag(diff) + "/>"
}

fn start_tag(root: &Element<'_>) -> String {
    let mut tag = format!("<presence xmlns=\"{PIDF}\"");
    if let Some(entity) = root.attributes().find(|each| each.name.whole == b"entity") {
        write_attribute(&mut tag, &["entity"], as_text(entity.value));
    }
    tag
}
