use super::{HEAD, parse, presence};
use crate::document::error::DocumentError;
use crate::document::presentity::Contact;
use crate::document::{Basic, MAX_DOCUMENT, Presentity};

fn only_basic(inside: &str) -> Basic {
    presence(&format!("<tuple id='a'>{inside}</tuple>")).basic()
}

fn priority(value: &str) -> Option<u16> {
    let xml = format!("<tuple><contact priority='{value}'>sip:a@b</contact></tuple>");
    presence(&xml).tuples[0].contact.as_ref().unwrap().priority
}

#[test]
fn a_whole_document() {
    let found = presence(
        "<tuple id='t1'><status><basic>open</basic><im:im xmlns:im='urn:im'>busy</im:im></status>
         <rpid:class>auth</rpid:class><contact priority='0.8'> sip:a@b </contact>
         <note xml:lang='en'>Here</note><timestamp> 2005-02-22T20:07:07Z </timestamp></tuple>
         <note>All &lt;day&gt; &amp; <![CDATA[<night>]]><!-- no --> long</note>
         <dm:person id='p'><rpid:activities><rpid:away/></rpid:activities></dm:person>",
    );
    assert_eq!(found.entity, "pres:someone@example.com");
    let tuple = &found.tuples[0];
    assert_eq!((tuple.id.as_str(), tuple.basic), ("t1", Basic::Open));
    let contact = Contact { uri: "sip:a@b".to_owned(), priority: Some(800) };
    assert_eq!(tuple.contact, Some(contact));
    assert_eq!(tuple.timestamp.as_deref(), Some("2005-02-22T20:07:07Z"));
    assert_eq!(tuple.notes[0].lang.as_deref(), Some("en"));
    assert_eq!(tuple.status_extensions[0].namespace, "urn:im");
    assert_eq!(tuple.extensions[0].name, "class");
    assert_eq!(found.notes[0].text, "All <day> & <night> long");
    assert_eq!(found.note(), Some("All <day> & <night> long"));
    assert_eq!(found.extensions[0].name, "person");
}

#[test]
fn no_tuple_no_entity_no_namespace_any_prefix() {
    let found = parse("<presence/>").unwrap();
    assert_eq!(found, Presentity::default());
    assert_eq!((found.basic(), found.note()), (Basic::Unknown, None));
    let found = parse("<p:presence xmlns:p='urn:ietf:params:xml:ns:pidf'><p:tuple><p:status><p:basic>closed</p:basic></p:status></p:tuple><tuple/></p:presence>").unwrap();
    assert_eq!((found.tuples.len(), found.basic()), (2, Basic::Closed));
    // The namespace name may be written with a reference.
    assert!(parse("<presence xmlns='urn:ietf&#x3a;params:xml:ns:pidf'/>").is_ok());
}

#[test]
fn basic_is_one_of_three() {
    for (text, wanted) in [
        ("open", Basic::Open),
        (" OPEN\n", Basic::Open),
        ("closed", Basic::Closed),
        ("cl<!-- -->osed", Basic::Closed),
        ("?", Basic::Unknown),
        ("", Basic::Unknown),
    ] {
        let xml = format!("<status><basic>{text}</basic></status>");
        assert_eq!(only_basic(&xml), wanted, "{text:?}");
        assert_eq!(only_basic(&format!("<basic>{text}</basic>")), wanted);
    }
    assert_eq!(only_basic("<status/>"), Basic::Unknown);
    assert_eq!(Basic::default().as_str(), "unknown");
    // An element of another vocabulary is no basic.
    let other = "<status><x:basic xmlns:x='urn:x'>open</x:basic></status>";
    assert_eq!(only_basic(other), Basic::Unknown);
}

#[test]
fn summary_prefers_open_and_skips_empty_notes() {
    let tuple = |basic: &&str| format!("<tuple><status><basic>{basic}</basic></status></tuple>");
    let all = |states: &[&str]| presence(&states.iter().map(tuple).collect::<String>()).basic();
    assert_eq!(all(&["?", "closed", "open"]), Basic::Open);
    assert_eq!(all(&["?", "closed"]), Basic::Closed);
    assert_eq!(all(&["?"]), Basic::Unknown);
    let person = "<dm:person><rpid:activities><rpid:note>act</rpid:note></rpid:activities>
        <dm:note> me </dm:note></dm:person>";
    let note = |more: &str| presence(&format!("{person}{more}")).note().map(str::to_owned);
    assert_eq!(note("").as_deref(), Some("me"));
    assert_eq!(note("<note> </note>").as_deref(), Some("me"));
    assert_eq!(note("<tuple><note>t</note></tuple>").as_deref(), Some("t"));
    assert_eq!(note("<tuple><note>t</note></tuple><note>p</note>").as_deref(), Some("p"));
}

#[test]
fn priorities_in_thousandths() {
    for (value, wanted) in [
        ("0.8", Some(800)),
        ("1", Some(1000)),
        ("1.000", Some(1000)),
        ("0", Some(0)),
        (".5", Some(500)),
        ("0.1239", Some(123)),
        (" 0.05 ", Some(50)),
        ("7", Some(1000)),
        ("", None),
        (".", None),
        ("-1", None),
        ("high", None),
        ("0,8", None),
    ] {
        assert_eq!(priority(value), wanted, "{value:?}");
    }
}

#[test]
fn what_has_to_be_understood_and_is_not_makes_the_state_unknown() {
    let open = "<status><basic>open</basic></status>";
    let marked =
        |value| format!("<x:y xmlns:x='urn:x' xmlns:p='urn:ietf:params:xml:ns:pidf' p:mustUnderstand='{value}'/>");
    for value in ["true", "1"] {
        let mark = marked(value);
        assert_eq!(only_basic(&format!("{open}{mark}")), Basic::Unknown);
        assert_eq!(only_basic(&format!("{mark}{open}")), Basic::Unknown);
        let inside = format!("<status><basic>open</basic>{mark}</status>");
        assert_eq!(only_basic(&inside), Basic::Unknown);
        let beside = presence(&format!("<tuple>{open}</tuple>{mark}"));
        assert_eq!(beside.basic(), Basic::Unknown);
        assert_eq!((beside.tuples.len(), beside.extensions.len()), (1, 1));
        // Another tuple is not concerned.
        let two = format!("<tuple>{open}{mark}</tuple><tuple>{open}</tuple>");
        assert_eq!(presence(&two).basic(), Basic::Open);
        // Nor is the tuple when the mark is deeper inside an extension.
        let deep = format!("{open}<z:z xmlns:z='urn:z'>{mark}</z:z>");
        assert_eq!(only_basic(&deep), Basic::Open);
    }
    assert_eq!(only_basic(&format!("{open}{}", marked("false"))), Basic::Open);
    let unqualified = "<x:y xmlns:x='urn:x' mustUnderstand='1'/>";
    assert_eq!(only_basic(&format!("{open}{unqualified}")), Basic::Open);
    let rpid = "<rpid:mood xmlns:p='urn:ietf:params:xml:ns:pidf' p:mustUnderstand='1'/>";
    assert_eq!(only_basic(&format!("{open}{rpid}")), Basic::Open);
}

#[test]
fn extensions_stand_alone() {
    let found = presence(
        "<c:card xmlns:c='urn:c?a&amp;b=&quot;' xmlns:unused='urn:unused'>\
         <c:a type='rpid:busy'/><b xmlns=''/></c:card>\
         <none xmlns='' a='1'/><dm:device\n/>",
    );
    for extension in &found.extensions {
        let alone = roxmltree::Document::parse(&extension.xml).unwrap();
        let tag = alone.root_element().tag_name();
        assert_eq!(tag.name(), extension.name);
        assert_eq!(tag.namespace().unwrap_or_default(), extension.namespace);
    }
    let card = &found.extensions[0];
    assert_eq!(card.namespace, "urn:c?a&b=\"");
    assert!(card.xml.contains("xmlns:rpid="), "{}", card.xml);
    assert!(!card.xml.contains("xmlns:dm="), "{}", card.xml);
    assert_eq!(card.xml.matches("xmlns:c=").count(), 1);
    assert_eq!(found.extensions[1].xml, "<none xmlns='' a='1'/>");
    assert!(found.extensions[2].xml.ends_with("\n/>"));
    // A namespace whose name needs escaping is inherited as well.
    let found = parse("<presence xmlns:q=\"a&amp;'&quot;&#9;\"><q:e q:f='1'/></presence>").unwrap();
    let kept = &found.extensions[0];
    let alone = roxmltree::Document::parse(&kept.xml).unwrap();
    assert_eq!(alone.root_element().tag_name().namespace(), Some("a&'\"\t"));
}

#[test]
fn other_roots_are_named() {
    for (xml, wanted) in [
        ("<presence xmlns='jabber:client'/>", "{jabber:client}presence"),
        ("<watcherinfo/>", "{}watcherinfo"),
        ("<tuple xmlns='urn:ietf:params:xml:ns:pidf'/>", "{urn:ietf:params:xml:ns:pidf}tuple"),
    ] {
        let error = parse(xml).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("root element is \"{wanted}\", not presence in urn:ietf:params:xml:ns:pidf")
        );
    }
}

#[test]
fn encodings() {
    let text = format!("{HEAD}<note>gr\u{FC}n \u{1F600}</note></presence>");
    let utf16 = |mark: u16, bytes: fn(u16) -> [u8; 2]| {
        let units = std::iter::once(mark).chain(text.encode_utf16());
        units.flat_map(bytes).collect::<Vec<u8>>()
    };
    let wanted = Some("gr\u{FC}n \u{1F600}");
    assert_eq!(parse(&text).unwrap().note(), wanted);
    assert_eq!(parse(format!("\u{FEFF}{text}")).unwrap().note(), wanted);
    let big = utf16(0xFEFF, u16::to_be_bytes);
    let little = utf16(0xFEFF, u16::to_le_bytes);
    assert_eq!(parse(&big).unwrap().note(), wanted);
    assert_eq!(parse(&little).unwrap().note(), wanted);
    let unmarked = Presentity::parse(&little[2..], Some("UTF-16LE"), MAX_DOCUMENT).unwrap();
    assert_eq!(unmarked.note(), wanted);
    assert!(parse([&little[..], &[0]].concat()).is_ok());
    assert!(parse(&little[..little.len() - 1]).is_err());
    let lone = [&[0xFE, 0xFF][..], &[0xD8, 0x00, 0x00, 0x41]].concat();
    let error = parse(lone).unwrap_err();
    assert_eq!(error.to_string(), "byte 2 of the body is not valid UTF-16");

    let latin = |name: &str| {
        let head = format!("<?xml version='1.0' encoding = \"{name}\" ?><presence><note>gr");
        [head.as_bytes(), b"\xFCn</note></presence>"].concat()
    };
    assert_eq!(parse(latin("ISO-8859-1")).unwrap().note(), Some("gr\u{FC}n"));
    let by_charset = Presentity::parse(&latin("UTF-8"), Some("iso-8859-1"), MAX_DOCUMENT);
    assert_eq!(by_charset.unwrap().note(), Some("gr\u{FC}n"));
    for name in ["UTF-8", "us-ascii", "UTF-16"] {
        let error = parse(latin(name)).unwrap_err();
        assert!(error.to_string().contains("is not valid UTF-8"), "{error}");
    }
    let error = parse(latin("koi8-r")).unwrap_err();
    let name = "koi8-r".to_owned();
    assert_eq!(error, DocumentError::Encoding { name });
    assert!(parse("<?xml version='1.0' encoding='US-ASCII'?><presence/>").is_ok());
}
