//! Documents with the oddities of presence stacks met in the field.

use super::{HEAD, parse, presence};
use crate::document::error::DocumentError;
use crate::document::{Basic, ContentType, MAX_DOCUMENT, PIDF_XML, check_body};

/// Note before the tuple, a tuple id that is no xs:ID, a person without id.
const NOTE_FIRST: &str = r#"<?xml version='1.0' encoding='UTF-8'?>
<presence xmlns='urn:ietf:params:xml:ns:pidf'
xmlns:pp='urn:ietf:params:xml:ns:pidf:person'
xmlns:es='urn:ietf:params:xml:ns:pidf:rpid:status:rpid-status'
xmlns:ep='urn:ietf:params:xml:ns:pidf:rpid:rpid-person'
entity='sip:1001@192.0.2.1'>
<pp:person><status>
<ep:activities><ep:busy/></ep:activities>
</status></pp:person>
<note>On the phone</note>
<tuple id='1001@192.0.2.1;x'>
<contact priority='1'>sip:1001@192.0.2.1</contact>
<status><basic>open</basic></status>
</tuple>
</presence>
"#;

/// Person before the tuple, own prefixes for everything, basic with a question mark.
const PERSON_FIRST: &str = r#"<p:presence xmlns:p="urn:ietf:params:xml:ns:pidf" xmlns:d="urn:ietf:params:xml:ns:pidf:data-model" xmlns:r="urn:ietf:params:xml:ns:pidf:rpid" entity="sip:bob@example.org"><d:person><r:activities><r:unknown-thing/></r:activities><d:note xml:lang="de">Zu Tisch &amp; weg</d:note></d:person><p:tuple id="0x81475a0"><p:status><p:basic>?</p:basic></p:status></p:tuple></p:presence>"#;

/// Line ends before the declaration, a zero byte behind the document.
const PADDED: &str = "\r\n<?xml version=\"1.0\"?>\r\n<!-- who? --><?style none?><presence xmlns=\"urn:ietf:params:xml:ns:pidf\" entity=\"sip:a@b\">\r\n<tuple id=\"9\"><status><basic>closed</basic></status></tuple></presence>\r\n\0";

fn check(body: &[u8]) -> Result<(), DocumentError> {
    let checked = check_body(&ContentType::parse(PIDF_XML.as_bytes()).unwrap(), body, MAX_DOCUMENT, true)?;
    assert_eq!(checked, None, "presence documents have no version");
    Ok(())
}

#[test]
fn note_before_tuple() {
    let found = parse(NOTE_FIRST).unwrap();
    assert_eq!((found.basic(), found.note()), (Basic::Open, Some("On the phone")));
    assert_eq!(found.tuples[0].id, "1001@192.0.2.1;x");
    let contact = found.tuples[0].contact.as_ref().unwrap();
    assert_eq!(contact.priority, Some(1000));
    assert_eq!(found.extensions[0].namespace, "urn:ietf:params:xml:ns:pidf:person");
}

#[test]
fn person_before_tuple_and_basic_unknown() {
    let found = parse(PERSON_FIRST).unwrap();
    assert_eq!(found.basic(), Basic::Unknown);
    assert_eq!(found.note(), Some("Zu Tisch & weg"));
    assert_eq!(found.persons[0].notes[0].lang.as_deref(), Some("de"));
    assert!(found.extensions[0].xml.contains("unknown-thing"));
}

#[test]
fn white_space_and_zeros_around_the_document() {
    assert_eq!(parse(PADDED).unwrap().basic(), Basic::Closed);
}

#[test]
fn empty_person_note_in_status_two_contacts() {
    let found = presence(
        "<dm:person/><tuple><contact>sip:one@x</contact><contact>sip:two@x</contact>\
         <status><basic>open</basic><note>in here</note></status></tuple>",
    );
    assert_eq!(found.note(), Some("in here"));
    assert_eq!(found.tuples[0].contact.as_ref().unwrap().uri, "sip:one@x");
    assert!(found.persons[0].notes.is_empty());
}

#[test]
fn check_agrees_with_parse() {
    for body in [NOTE_FIRST, PERSON_FIRST, PADDED] {
        assert_eq!(check(body.as_bytes()), Ok(()));
    }
    assert_eq!(check(b""), Ok(()));
    assert_eq!(check(b" \r\n"), Err(DocumentError::Empty));
    assert_eq!(check(b"<presence>").unwrap_err().sip_status(), 400);
    let spaces = vec![b' '; MAX_DOCUMENT + 1];
    assert_eq!(check(&spaces).unwrap_err().sip_status(), 413);
}

#[test]
fn check_looks_into_pidf_only() {
    let plain = ContentType::parse(b"text/plain").unwrap();
    assert_eq!(check_body(&plain, b"<<<", 3, true), Ok(None));
    let error = check_body(&plain, b"<<<", 2, true).unwrap_err();
    assert_eq!(error, DocumentError::TooLarge { size: 3, limit: 2 });
    let presence = ContentType::parse(b"Application/Pidf+Xml").unwrap();
    assert_eq!(check_body(&presence, b"<<<", 3, false), Ok(None));
    let dialogs = ContentType::parse(b"application/dialog-info+xml").unwrap();
    assert_eq!(check_body(&dialogs, b"<<<", 3, false), Ok(None), "of any package");
    assert_eq!(check_body(&dialogs, b"<<<", 3, true).unwrap_err().sip_status(), 400);
    assert_eq!(check_body(&presence, b"<<<", 2, false).unwrap_err().sip_status(), 413);
    assert_eq!(check_body(&presence, b"<<<", 3, true).unwrap_err().sip_status(), 400);
    let latin = ContentType::parse(b"Application/Pidf+Xml; charset=\"ISO-8859-1\"").unwrap();
    assert_eq!(check_body(&latin, b"<presence>\xE9</presence>", 99, true), Ok(None));
}

#[test]
fn truncated_at_every_byte() {
    for sample in [NOTE_FIRST, PERSON_FIRST, PADDED] {
        let whole = sample.trim_end_matches(['\0', '\r', '\n']).len();
        for end in 0..whole {
            let part = &sample.as_bytes()[..end];
            assert!(parse(part).is_err(), "{end}");
            assert_eq!(check(part).is_err(), end > 0, "{end}");
        }
        let utf16: Vec<u8> = std::iter::once(0xFEFF).chain(sample.encode_utf16()).flat_map(u16::to_le_bytes).collect();
        for end in 1..2 * whole {
            assert!(parse(&utf16[..end]).is_err(), "{end}");
        }
    }
}

#[test]
fn messages_name_place_and_problem() {
    for (inside, wanted) in [
        ("<a>\n</b>", "line 3, column 1, at \"</b></presence>\": end tag does not match"),
        ("&nbsp;", "not a reference that exists without a DTD"),
        ("<z:a/>", "at \"<z:a/></presence>\": namespace prefix is not declared"),
        ("<a b=c/>", "attribute value is not quoted"),
        ("\u{1}", r#"at "\u{1}</presence>": character that XML does not allow"#),
    ] {
        let error = parse(format!("{HEAD}{inside}</presence>")).unwrap_err();
        assert!(error.to_string().contains(wanted), "{error}");
    }
}
