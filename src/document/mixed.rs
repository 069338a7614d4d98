//! The one document of a multipart body (RFC 3261 §7.4, RFC 5621 §4).
//!
//! In multipart/mixed it is the only part of a type that the caller accepts, wherever it is; in multipart/related it is the
//! root (RFC 2387 §3): the part that `start` names, or the first one; not in the body of a list of resources (RFC 4662), which has its own
//! reader. Parts of other types count for nothing, unless one
//! says itself that it has to be understood (RFC 3261 §20.11). Where there is no such part, where there are two, or where
//! it is encoded, there is no document.

use super::content_type::ContentType;
use super::multipart::{Part, Parts};

/// The type of a part that names none (RFC 2046 §5.1).
const UNNAMED: &[u8] = b"text/plain";

/// The type of the document that only lists of resources have.
const RLMI: &str = "application/rlmi+xml";

/// The document and its Content-Type as sent, if the body is one of these multiparts and has one of a type that the caller
/// `accepts`. Linear in the size of the body.
#[must_use]
pub fn only_document<'a>(
    content_type: &ContentType<'_>,
    body: &'a [u8],
    accepts: impl Fn(&ContentType<'_>) -> bool,
) -> Option<(&'a [u8], &'a [u8])> {
    let is_related = content_type.is("multipart/related");
    if !is_related && !content_type.is("multipart/mixed") {
        return None;
    }
    // Not even where the part that names the resources cannot be found: the state of one of them is not that of the list.
    if is_related
        && content_type.parameter("type").is_some_and(|kind| kind.to_string().trim().eq_ignore_ascii_case(RLMI))
    {
        return None;
    }
    let start = content_type.parameter("start").map(|start| start.to_string());
    let start = start.as_deref().map(|start| start.trim_matches(['<', '>', ' ']).as_bytes());
    let mut found = None;
    for (place, part) in Parts::of(content_type, body).ok()?.enumerate() {
        let part = part.ok()?;
        let kind = part.content_type.unwrap_or(UNNAMED);
        let may_be_it = !is_related || start.map_or(place == 0, |start| part.content_id == Some(start));
        match ContentType::parse(kind) {
            Ok(parsed) if may_be_it && accepts(&parsed) => {
                if found.is_some() || !part.is_plain() {
                    return None;
                }
                found = Some((kind, part.body));
            }
            Ok(parsed) if is_related && parsed.is(RLMI) => return None,
            _ if is_required(&part) => return None,
            _ => {}
        }
    }
    found
}

/// Whether it says that it has to be understood. Where it does not say, RFC 3261 §20.11 has the same; those who add a picture
/// or a text to a document do not mean it.
fn is_required(part: &Part<'_>) -> bool {
    let parameters = part.disposition.and_then(|value| std::str::from_utf8(value).ok()?.split_once(';'));
    parameters.is_some_and(|(_, parameters)| {
        let settings = parameters.split(';').filter_map(|setting| setting.split_once('='));
        settings.into_iter().any(|(name, value)| {
            let value = value.trim().trim_matches('"');
            name.trim().eq_ignore_ascii_case("handling") && value.eq_ignore_ascii_case("required")
        })
    })
}
