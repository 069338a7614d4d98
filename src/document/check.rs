//! The check of a body before its NOTIFY is answered.

use super::content_type::ContentType;
use super::encoding::decode;
use super::error::DocumentError;
use super::formats::{Format, XmlFormat};
use super::root::read_root;
use super::scan::scan_bytes;
use super::shapes::{Comparison, Shapes, with_shapes};
use super::version::Version;

/// The media type of filter documents (RFC 4661 §6).
pub const FILTER_XML: &str = "application/simple-filter+xml";

/// Namespace of filter documents (RFC 4661 §3.1).
const SIMPLE_FILTER: &str = "urn:ietf:params:xml:ns:simple-filter";

/// Whether a NOTIFY with this body may be answered with 200.
///
/// A presence document has to be well-formed XML within the caps, with a root called `presence`
/// in the PIDF namespace or in none; likewise watcherinfo, reginfo and dialog-info with theirs, whose
/// version is given back if it can be read. Other media types are held against `max_bytes` only, and their charset against
/// those that are accepted. Unless
/// `is_strict`, a document that cannot be read is accepted as well, as one without a version: its reader finds out. No
/// body at all is fine: a NOTIFY may come without one (RFC 6665 §4.2.2). Linear in the size of the
/// body, and without allocation when the document is UTF-8. A document that has the shape of
/// one of the last documents is only compared with it.
///
/// # Errors
/// Its fault.
pub fn check_body(
    content_type: &ContentType<'_>,
    body: &[u8],
    max_bytes: usize,
    is_strict: bool,
) -> Result<Option<Version>, DocumentError> {
    check_size(body, max_bytes)?;
    if body.is_empty() {
        return Ok(None);
    }
    let format = match Format::find(content_type).and_then(Format::xml) {
        None => return content_type.check_charset().map(|()| None),
        Some(format) if !is_strict && !format.has_versions => return content_type.check_charset().map(|()| None),
        Some(format) => format,
    };
    match read_version(content_type, body, format) {
        Err(DocumentError::Charset { name }) => Err(DocumentError::Charset { name }),
        Err(_) if !is_strict => Ok(None),
        read => read,
    }
}

/// The version of a document, if its format has versions.
fn read_version(
    content_type: &ContentType<'_>,
    body: &[u8],
    format: &'static XmlFormat,
) -> Result<Option<Version>, DocumentError> {
    // Nearly all are in UTF-8 and in order. The rest is decoded, and scanned for the place of the fault.
    if let Some(text) = content_type.utf8_of(body) {
        let quick = with_shapes(|shapes| quick_version(text, format, shapes));
        if let Some(version) = quick {
            return Ok(version);
        }
    }
    let text = content_type.text_of(body)?;
    let root = format.check(&text)?;
    Ok(format.version(text.as_bytes(), &root))
}

/// The version of a document in UTF-8, if it is in order. One that has the shape of an earlier one is not scanned.
#[inline(always)]
fn quick_version(text: &[u8], format: &'static XmlFormat, shapes: &mut Shapes) -> Option<Option<Version>> {
    let is_new = match shapes.compare(text, format) {
        Comparison::Known(version) => return Some(version),
        Comparison::Unknown => false,
        Comparison::New => true,
    };
    let root = scan_bytes(text).ok().filter(|root| format.is_root(root))?;
    if is_new {
        shapes.learn(text, format, &root);
    }
    Some(format.version(text, &root))
}

/// Whether this is a filter document (RFC 4661 §3): well-formed XML within the caps, with a root called `filter-set` in
/// its namespace.
///
/// # Errors
/// Its fault.
pub fn check_filter(body: &[u8], max_bytes: usize) -> Result<(), DocumentError> {
    check_size(body, max_bytes)?;
    let text = decode(body, None)?;
    let root = read_root(&text)?;
    if !root.is("filter-set", SIMPLE_FILTER) {
        return Err(root.is_not("filter-set", SIMPLE_FILTER));
    }
    Ok(())
}

/// Holds a body against its size cap.
pub(super) fn check_size(body: &[u8], max_bytes: usize) -> Result<(), DocumentError> {
    if body.len() > max_bytes {
        return Err(DocumentError::TooLarge { size: body.len(), limit: max_bytes });
    }
    Ok(())
}
