//! One whole document from those that tell only what has changed (RFC 3680 §5.1, RFC 3858 §4.5, RFC 4235 §4.3; RFC 5262 by
//! `pidf_diff`).
//!
//! CSeq says which document is newer, so that every document counts, whatever its version is. The version only shows that one is missing
//! in between: what has come is taken, and the state is not whole until a document tells all of it.

use super::check::check_size;
use super::content_type::ContentType;
use super::encoding::decode;
use super::error::DocumentError;
use super::formats::{DocumentChanges, Format, KeyedElements, XmlFormat};
use super::members::KeyedMembers;
use super::name::as_text;
use super::pidf_diff::merge_presence;
use super::reader::Reader;
use super::scan::RootElement;
use super::stand_alone::write_attribute;

/// In front of a document that was merged.
pub(super) const DECLARATION: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";

/// The newest state, as [`merge`] has made it.
#[derive(Clone, Copy, Debug)]
pub struct KeptDocument<'a> {
    /// Its document.
    pub document: &'a [u8],
    /// The version of the newest document in it; none if that is what it says itself. Presence documents do not say it.
    pub version: Option<u32>,
    /// No document is missing in it.
    pub is_whole: bool,
}

/// A state that was merged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MergedDocument {
    /// A whole document in UTF-8, of [`Self::content_type`]. Elements that have ended are in it once: when that is told.
    pub document: Vec<u8>,
    /// Its media type; that of the newest document when its format has no versions.
    pub content_type: Option<&'static str>,
    /// The version of the newest document in it.
    pub version: Option<u32>,
    /// No document is missing in it. Otherwise it is what is known.
    pub is_whole: bool,
}

#[cfg(test)]
impl MergedDocument {
    /// To be kept for the next one.
    #[must_use]
    pub fn kept(&self) -> KeptDocument<'_> {
        KeptDocument { document: &self.document, version: self.version, is_whole: self.is_whole }
    }
}

/// Makes one state of what is kept and of a new body of at most `max_bytes`, with the Content-Type that it came with.
///
/// A body that tells everything replaces what is kept, and so does one of a format without versions, which is passed on as it is.
///
/// # Errors
/// The fault of the body; or the state takes more than `max_bytes`. What is kept is not whole then: this body is missing in it.
pub fn merge(
    content_type: &[u8],
    kept: Option<KeptDocument<'_>>,
    body: &[u8],
    max_bytes: usize,
) -> Result<MergedDocument, DocumentError> {
    check_size(body, max_bytes)?;
    let content_type = ContentType::parse(content_type)?;
    let found = Format::find(&content_type).and_then(|format| Some((format.media_type, format.xml()?)));
    let Some((media_type, format)) = found.filter(|(_, format)| format.has_versions) else {
        return Ok(MergedDocument { document: body.to_vec(), content_type: None, version: None, is_whole: true });
    };
    let text = content_type.text_of(body)?;
    let root = format.check(&text)?;
    let keyed = match format.changes {
        DocumentChanges::Keyed(keyed) => keyed,
        DocumentChanges::Patches { .. } | DocumentChanges::None => {
            return merge_presence(kept, &text, &root, max_bytes);
        }
    };
    let (number, is_full) = root.place(text.as_bytes());
    if is_full {
        let document = [DECLARATION, text.get(root.tag..).unwrap_or_default()].concat().into_bytes();
        return Ok(MergedDocument { document, content_type: Some(media_type), version: number, is_whole: true });
    }
    let before = kept.as_ref().and_then(|kept| decode(kept.document, Some("utf-8")).ok());
    let before_root = before.as_deref().and_then(|before| Some((before, format.check(before).ok()?)));
    let before_version = before_root.as_ref().and_then(|(before, root)| root.place(before.as_bytes()).0);
    let is_next = kept.is_some_and(|kept| kept.is_whole && follows(kept.version.or(before_version), number))
        && before_root.is_some();
    let document = merged_text(format, keyed, before_root, (&text, root), max_bytes)?;
    Ok(MergedDocument {
        document: document.into_bytes(),
        content_type: Some(media_type),
        version: number.or(kept.and_then(|kept| kept.version)),
        is_whole: is_next,
    })
}

/// Whether a version comes next; without one nothing says that a document is missing. After the largest version comes 0.
pub(super) fn follows(before: Option<u32>, version: Option<u32>) -> bool {
    version.is_none_or(|version| before.is_some_and(|before| before.wrapping_add(1) == version))
}

/// The whole state as a document, from what was kept and from the text of a document that tells what has changed. Both have been checked.
fn merged_text(
    format: &XmlFormat,
    keyed: &'static KeyedElements,
    before: Option<(&str, RootElement<'_>)>,
    (text, root): (&str, RootElement<'_>),
    max_bytes: usize,
) -> Result<String, DocumentError> {
    let mut members = KeyedMembers::default();
    let mut reader = before.map(|(before, root)| Reader::new(before, &root));
    if let Some(reader) = &mut reader
        && let Some(root) = reader.root()
    {
        members = KeyedMembers::read(reader, &root, keyed, format.namespace);
        members.forget_ended();
    }
    let mut reader = Reader::new(text, &root);
    let Some(root) = reader.root() else { return Err(DocumentError::Empty) };
    let mut document = format!("{DECLARATION}<{} xmlns=\"{}\"", format.root, format.namespace);
    for attribute in root.attributes().filter(|each| each.name.prefix.is_empty() && each.declares().is_none()) {
        if attribute.name.local != b"state" {
            write_attribute(&mut document, &[as_text(attribute.name.local)], as_text(attribute.value));
        }
    }
    document.push_str(" state=\"full\">");
    members.apply(KeyedMembers::read(&mut reader, &root, keyed, format.namespace));
    members.write(&mut document, format.namespace.as_bytes(), max_bytes)?;
    document.push_str("\n</");
    document.push_str(format.root);
    document.push('>');
    check_size(document.as_bytes(), max_bytes)?;
    // What it was made of was within the caps; together it may not be.
    format.check(&document)?;
    Ok(document)
}
