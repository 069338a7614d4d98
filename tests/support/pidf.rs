//! Presence documents.

/// A PIDF document with one tuple: `pidf("sip:a@b", "open", Some("in a meeting"))`.
pub fn pidf(entity: &str, basic: &str, note: Option<&str>) -> String {
    let note = note.map(|text| format!("<note>{text}</note>")).unwrap_or_default();
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <presence xmlns=\"urn:ietf:params:xml:ns:pidf\" entity=\"{entity}\">\
         <tuple id=\"t1\"><status><basic>{basic}</basic></status>{note}</tuple></presence>\n"
    )
}

/// The content type of PIDF.
pub const PIDF: &str = "application/pidf+xml";

/// The text of the first `<basic>` of a document.
pub fn basic_of(document: &str) -> Option<&str> {
    between(document, "<basic>", "</basic>")
}

/// The text of the first `note` of a document, with any prefix and attributes.
pub fn note_of(document: &str) -> Option<&str> {
    let (_, rest) = document.split_once("note")?;
    between(rest, ">", "</")
}

fn between<'a>(text: &'a str, open: &str, close: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(open)?;
    rest.split_once(close).map(|(inner, _)| inner.trim())
}
