//! Versions of watcherinfo, reginfo and dialog-info.

use crate::document::error::DocumentError;
use crate::document::{ContentType, MAX_DOCUMENT, Version, check_body};

const TYPES: [(&str, &str); 3] = [
    ("application/watcherinfo+xml", "watcherinfo"),
    ("application/reginfo+xml", "reginfo"),
    ("application/dialog-info+xml", "dialog-info"),
];

fn check(media_type: &str, body: impl AsRef<[u8]>) -> Result<Option<Version>, DocumentError> {
    check_body(&ContentType::parse(media_type.as_bytes()).unwrap(), body.as_ref(), MAX_DOCUMENT, true)
}

/// The version of an empty document of each type with these attributes: the same for all.
fn version_of(attributes: &str) -> Option<Version> {
    let [one, two, three] = TYPES.map(|(media_type, root)| {
        check(media_type, format!("<{root} xmlns=\"urn:ietf:params:xml:ns:{root}\" {attributes}/>")).unwrap()
    });
    assert!(one == two && two == three, "{attributes}");
    one
}

#[test]
fn version_and_state_of_the_root() {
    let full = |number| Some(Version { number, is_full: true });
    let partial = |number| Some(Version { number, is_full: false });
    for (attributes, expected) in [
        ("version=\"0\" state=\"full\"", full(0)),
        ("state='partial' version='7' entity='sip:a@b'", partial(7)),
        ("version=\"4294967295\" state=\"partial\"", partial(u32::MAX)),
        ("version=\"00000000000\" state=\"full\"", full(0)),
        ("version = \"\n 12 \" state=\" partial \"", partial(12)),
        ("version=\"3\"", full(3)),
        ("version=\"3\" state=\"\"", full(3)),
        ("version=\"3\" state=\"whole\"", full(3)),
    ] {
        assert_eq!(version_of(attributes), expected, "{attributes}");
    }
}

#[test]
fn a_version_that_cannot_be_read_is_none() {
    for attributes in [
        "state=\"partial\"",
        "version=\"\" state=\"full\"",
        "version=\"-1\"",
        "version=\"+1\"",
        "version=\"1.0\"",
        "version=\"1 2\"",
        "version=\"4294967296\"",
        "version=\"\u{661}\"",
        "version=\"&#49;\"",
        "x:version=\"1\" xmlns:x=\"urn:x\"",
        "Version=\"1\"",
    ] {
        assert_eq!(version_of(attributes), None, "{attributes}");
    }
}

#[test]
fn only_the_root_counts_wherever_it_stands() {
    let body = "\u{FEFF}<?xml version=\"1.0\"?>\r\n<!-- <reginfo version=\"1\"> -->\n<?style version=\"2\"?>\
                <r:reginfo xmlns:r=\"urn:ietf:params:xml:ns:reginfo\" version=\"30\" state=\"partial\">\
                <r:reginfo version=\"31\" state=\"full\"/></r:reginfo>\r\n";
    let expected = Some(Version { number: 30, is_full: false });
    assert_eq!(check("Application/RegInfo+XML;charset=utf-8", body), Ok(expected));
    let utf16: Vec<u8> = body.encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(check("application/reginfo+xml", utf16), Ok(expected));
    assert_eq!(
        check("application/dialog-info+xml", "<dialog-info version=\"1\"/>"),
        Ok(Some(Version { number: 1, is_full: true })),
        "in no namespace"
    );
}

#[test]
fn what_is_no_document_of_its_type_is_refused() {
    for (media_type, root) in TYPES {
        for body in [
            " ".to_owned(),
            format!("<{root} version=\"1\">"),
            format!("<{root} version=\"1\" version=\"2\"/>"),
            format!("<!DOCTYPE x><{root} version=\"1\"/>"),
            format!("<{root} xmlns=\"urn:ietf:params:xml:ns:pidf\" version=\"1\"/>"),
            "<presence xmlns=\"urn:ietf:params:xml:ns:pidf\"/>".to_owned(),
        ] {
            assert_eq!(check(media_type, &body).unwrap_err().sip_status(), 400, "{body}");
        }
        assert_eq!(check(media_type, ""), Ok(None));
        assert_eq!(check(media_type, vec![b' '; MAX_DOCUMENT + 1]).unwrap_err().sip_status(), 413);
    }
    let error = check("application/reginfo+xml", "<watcherinfo version=\"1\"/>").unwrap_err();
    assert_eq!(error.to_string(), "root element is \"{}watcherinfo\", not reginfo in urn:ietf:params:xml:ns:reginfo");
}
