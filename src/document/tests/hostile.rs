//! Documents made to hurt.

use std::fmt::Write;

use super::parse;
use crate::document::error::DocumentError;
use crate::document::{ContentType, ListUpdate, MAX_DOCUMENT, Presentity};
use crate::testing::cpu_time;

fn within(inside: &str) -> Result<Presentity, DocumentError> {
    parse(format!("<presence>{inside}</presence>"))
}

fn refused(inside: &str) -> String {
    within(inside).unwrap_err().to_string()
}

#[test]
fn nesting_is_capped_and_needs_no_stack() {
    let nested = |depth: usize| "<a>".repeat(depth) + &"</a>".repeat(depth);
    assert!(within(&nested(63)).is_ok());
    assert_eq!(refused(&nested(64)), "more than 64 elements nested in each other");
    let unclosed = "<a>".repeat(80_000);
    assert_eq!(refused(&unclosed), "more than 64 elements nested in each other");
}

#[test]
fn no_document_type() {
    let laughs = r#"<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY lol "lol"><!ENTITY lol1 "&lol;&lol;&lol;&lol;&lol;">]><presence>&lol1;</presence>"#;
    assert_eq!(parse(laughs), Err(DocumentError::Dtd));
    let external = r#"<!-- --><!DOCTYPE presence SYSTEM "file:///etc/passwd"><presence/>"#;
    assert_eq!(parse(external), Err(DocumentError::Dtd));
    assert!(refused("&lol;").contains("reference"));
    // Not at its place it is no declaration either.
    assert!(refused("<!DOCTYPE a>").contains("not an element name"));
    assert!(refused("<!ENTITY a 'b'>").contains("not an element name"));
}

#[test]
fn large_bodies_are_refused_by_size_alone() {
    let body = vec![b'<'; 1 << 20];
    let limit = MAX_DOCUMENT;
    let size = body.len();
    assert_eq!(parse(body), Err(DocumentError::TooLarge { size, limit }));
    // With a higher cap they are read like any other.
    let note = "x".repeat(1 << 20);
    let text = format!("<presence><note>{note}</note></presence>");
    let found = Presentity::parse(text.as_bytes(), None, 2 << 20).unwrap();
    assert_eq!(found.note().map(str::len), Some(1 << 20));
}

#[test]
fn attributes_and_namespaces_are_capped() {
    let many = |count: usize, prefix: &str| {
        (0..count).fold(String::new(), |mut all, each| {
            write!(all, " {prefix}{each}='urn:{each}'").unwrap();
            all
        })
    };
    assert!(within(&format!("<a{}/>", many(32, "b"))).is_ok());
    assert_eq!(refused(&format!("<a{}/>", many(33, "b"))), "more than 32 attributes on one element");
    assert!(within(&format!("<a{}/>", many(32, "xmlns:b"))).is_ok());
    assert_eq!(refused(&format!("<a{}/>", many(33, "xmlns:b"))), "more than 32 namespaces in scope");
    // What went out of scope does not count.
    assert!(within(&format!("<a{}/>", many(30, "xmlns:b")).repeat(20)).is_ok());
    assert!(refused(&"<a/>".repeat(8192)).contains("more than 8192 elements"));
    assert!(refused(&"<!---->".repeat(8192)).contains("more than 8192 elements"));
    assert!(within(&"<a/>".repeat(8191)).is_ok());
}

#[test]
fn a_long_namespace_is_not_copied_without_end() {
    let uri = "u".repeat(100_000);
    let body = format!("<presence xmlns:p='{uri}'>{}</presence>", "<p:a/>".repeat(8000));
    let error = parse(body).unwrap_err();
    let limit = 4 * MAX_DOCUMENT;
    assert_eq!(error, DocumentError::ExtensionsTooLarge { limit });
    assert_eq!(error.sip_status(), 413);
}

/// The prefix `xml` needs no declaration, and takes no place where it has one.
#[test]
fn a_declaration_of_the_prefix_xml_hides_nothing() {
    let xml = " xmlns:xml='http://www.w3.org/XML/1998/namespace'";
    let many = (0..32).fold(String::new(), |all, each| all + &format!(" xmlns:n{each}='u'"));
    let found = within(&format!("<a{xml}{many}><b/></a><note>here</note>")).unwrap();
    assert_eq!(found.note(), Some("here"));
    let everywhere = format!("{}<b/>{}", format!("<a{xml}>").repeat(40), "</a>".repeat(40));
    assert_eq!(within(&format!("{everywhere}<note>here</note>")).unwrap().note(), Some("here"));
}

/// Each element is held against the format's namespace.
#[test]
fn a_long_namespace_is_not_read_again_for_each_element() {
    let list = ContentType::parse(b"application/rlmi+xml").unwrap();
    let uri = "u".repeat(2_000_000);
    let foreign = "<p:resource uri='a'/>".repeat(60_000);
    let body = format!("<list uri='l' xmlns:p='&#117;{uri}'>{foreign}<resource uri='a'/></list>");
    let started = cpu_time();
    let found = ListUpdate::read(&list, body.as_bytes(), 1 << 23).unwrap();
    assert_eq!(found.resources.len(), 1);
    let taken = cpu_time().saturating_sub(started);
    assert!(taken.as_secs() < 5, "{taken:?}");
}

#[test]
fn well_formedness_in_detail() {
    for inside in [
        "<a b='1' b='2'/>",
        "<a xmlns:x='u' xmlns:x='v'/>",
        "<a xmlns='u' xmlns='v'/>",
        "<a xmlns:x='u' xmlns:y='u' x:b='' y:b=''/>",
        "<a xmlns:x='u&#97;' xmlns:y='ua' x:b='' y:b=''/>",
        "<a xmlns:xml='u'/>",
        "<a xmlns:x='http://www.w3.org/XML/1998/namespace'/>",
        "<a xmlns:x='http://www.w3.org/2000/xmlns/'/>",
        "<a xmlns:xmlns='u'/>",
        "<xmlns:a/>",
        "<a x:b=''/>",
        "<a b='<'/>",
        "<a b='&'/>",
        "<a b=''c=''/>",
        "<a b/>",
        "<a b='/>",
        "<a/ >",
        "< a/>",
        "<1a/>",
        "<:a/>",
        "<a:/>",
        "<a:b:c xmlns:a='u'/>",
        "</a>",
        "<a></A>",
        "<!-- -- -->",
        "<!--->",
        "<![CDATA[",
        "<?xml version='1.0'?>",
        "<?XML?>",
        "<?a",
        "]]>",
        "&#0;",
        "&#xFFFF;",
        "&#xD800;",
        "&#+65;",
        "&#;",
        "&amp",
        "\u{FFFE}",
        "<a b='\u{FFFF}'/>",
        "<![CDATA[\u{1}]]>",
    ] {
        assert!(within(inside).is_err(), "{inside}");
    }
    for inside in [
        "<a xmlns:x='u' xmlns:y='v' x:b='' y:b='' b=''/>",
        "<a xml:lang='en' xmlns:xml='http://www.w3.org/XML/1998/namespace'/>",
        "<a\n b\t=\r\n \"'\" c='\"'\n></a\n>",
        "<\u{E9}l\u{E9}ment \u{3A9}='\u{FFFD}'/>",
        "<![CDATA[]]]]><![CDATA[>]]>",
        "<?a?><?b c?d?>",
        "&#x1F600;&#65;&lt;&gt;&quot;&apos;&amp;",
        "] ]] ]>",
    ] {
        assert_eq!(within(inside).map(|_| ()), Ok(()), "{inside}");
    }
    for whole in
        ["<presence/><presence/>", "<presence/>x", "x<presence/>", "<!-- only -->", "<?xml version='1.0'", "<presence"]
    {
        assert!(parse(whole).is_err(), "{whole}");
    }
}
