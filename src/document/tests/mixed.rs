use crate::document::{ContentType, PIDF_XML, only_document};

/// Type and body of the presence document or plain text in a body.
fn found<'a>(content_type: &str, body: &'a str) -> Option<(&'a str, &'a str)> {
    let content_type = ContentType::parse(content_type.as_bytes()).unwrap();
    let accepts = |kind: &ContentType<'_>| kind.is(PIDF_XML) || kind.is("text/plain");
    let found = only_document(&content_type, body.as_bytes(), accepts);
    found.map(|(kind, body)| (std::str::from_utf8(kind).unwrap(), std::str::from_utf8(body).unwrap()))
}

fn body(parts: &[&str]) -> String {
    parts.iter().map(|part| format!("--b\r\n{part}\r\n")).collect::<String>() + "--b--\r\n"
}

const MIXED: &str = "Multipart/Mixed;boundary=\"b\"";
const PIDF: &str = "Content-Type: application/PIDF+xml;charset=utf-8\r\n\r\n<presence/>";
const PICTURE: &str = "Content-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\nxxxx";

#[test]
fn the_only_part_that_is_accepted() {
    let document = Some(("application/PIDF+xml;charset=utf-8", "<presence/>"));
    for parts in [
        &[PIDF][..],
        &[PICTURE, PIDF],
        &[PIDF, PICTURE, PICTURE],
        &["Content-Type: nonsense\r\n\r\nx", PIDF],
        &["Content-Type: image/png\r\nContent-Disposition: icon;handling=optional\r\n\r\nx", PIDF],
        &["Content-Type: image/png\r\nContent-Disposition: icon\r\n\r\nx", PIDF],
    ] {
        assert_eq!(found(MIXED, &body(parts)), document, "{parts:?}");
    }
    // A part without a type is plain text.
    assert_eq!(found(MIXED, &body(&["\r\nhello"])), Some(("text/plain", "hello")));
    assert_eq!(found(MIXED, "\r\n--b\nContent-Type: text/plain\n\nhello"), Some(("text/plain", "hello")));
}

#[test]
fn no_document_is_guessed() {
    let encoded = "Content-Type: application/pidf+xml\r\nContent-Transfer-Encoding: base64\r\n\r\nPA==";
    let packed = "Content-Type: application/pidf+xml\r\nContent-Encoding: gzip\r\n\r\nPA==";
    let required = "Content-Type: image/png\r\nContent-Disposition: icon ; Handling = \"Required\"\r\n\r\nx";
    for parts in [
        &[][..],
        &[PICTURE],
        &[PIDF, PIDF],
        &[PIDF, "\r\nhello"],
        &[encoded],
        &[packed],
        &[PIDF, encoded],
        &[required, PIDF],
    ] {
        assert_eq!(found(MIXED, &body(parts)), None, "{parts:?}");
    }
    let right = body(&[PIDF]);
    for kind in
        ["multipart/mixed", "multipart/mixed;boundary=c", "multipart/alternative;boundary=b", "text/plain;boundary=b"]
    {
        assert_eq!(found(kind, &right), None, "{kind}");
    }
}

/// A list of resources has documents as leaves, and is none of them.
#[test]
fn of_related_parts_the_root() {
    let related = "multipart/related;boundary=b;type=\"application/pidf+xml\"";
    let document = Some(("application/pidf+xml", "<presence/>"));
    let with_id = "Content-Type: application/pidf+xml\r\nContent-ID: <p@x>\r\n\r\n<presence/>";
    let list = "Content-Type: application/rlmi+xml\r\nContent-ID: <l@x>\r\n\r\n<list/>";
    assert_eq!(found(related, &body(&[with_id, PICTURE, PIDF])), document);
    assert_eq!(found(related, &body(&[list, with_id])), None);
    for start in ["\"<p@x>\"", "p@x"] {
        assert_eq!(found(&format!("{related};start={start}"), &body(&[PICTURE, with_id, PIDF])), document, "{start}");
        assert_eq!(found(&format!("{related};start={start}"), &body(&[with_id, list])), None, "{start}");
    }
    assert_eq!(found(&format!("{related};start=\"<l@x>\""), &body(&[list, with_id])), None);
    assert_eq!(found(&format!("{related};start=\"<none>\""), &body(&[with_id])), None);
    // Not even where the document that names the resources is damaged.
    assert_eq!(found("multipart/related;boundary=b;type=\"Application/RLMI+xml\"", &body(&[with_id])), None);
}
