//! Presence documents that tell what has changed (RFC 5262), and the places of selectors against the tree parser.

use proptest::prelude::*;
use roxmltree::{Document as Tree, Node};

use super::MAX_DOCUMENT;
use super::fields::shown;
use super::formats::read;
use crate::document::error::DocumentError;
use crate::document::locate::locate;
use crate::document::reader::Reader;
use crate::document::selector::Selector;
use crate::document::{ContentType, MergedDocument, Version, check_body, merge};

const DIFF: &str = "application/pidf-diff+xml";

/// RFC 5262 §4.4.1, shortened.
const FULL: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<p:pidf-full xmlns="urn:ietf:params:xml:ns:pidf" xmlns:p="urn:ietf:params:xml:ns:pidf-diff"
  xmlns:r="urn:ietf:params:xml:ns:pidf:rpid" xmlns:d="urn:ietf:params:xml:ns:pidf:data-model"
  entity="pres:someone@example.com" version="567">
 <tuple id="sg89ae"><status><basic>open</basic><r:relationship>assistant</r:relationship></status><contact priority="0.8">tel:09012345678</contact></tuple>
 <tuple id="cg231jcr"><status><basic>open</basic></status><contact priority="1.0">im:pep@example.com</contact></tuple>
 <tuple id="r1230d"><status><basic>closed</basic></status></tuple>
 <note xml:lang="en">Full state presence document</note>
 <d:person id="p1"><r:activities><r:on-the-phone/> <r:busy/></r:activities></d:person>
</p:pidf-full>"#;

/// RFC 5262 §4.4.2.
const CHANGES: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<p:pidf-diff xmlns="urn:ietf:params:xml:ns:pidf" xmlns:p="urn:ietf:params:xml:ns:pidf-diff"
  xmlns:r="urn:ietf:params:xml:ns:pidf:rpid" xmlns:d="urn:ietf:params:xml:ns:pidf:data-model"
  entity="pres:someone@example.com" version="568">
 <p:add sel="presence/note" pos="before"><tuple id="ert4773"><status><basic>open</basic></status><contact priority="0.4">mailto:pep@example.com</contact><note xml:lang="en">This is a new tuple inserted between the last tuple and note element</note></tuple></p:add>
 <p:replace sel="*/tuple[@id='r1230d']/status/basic/text()">open</p:replace>
 <p:remove sel="*/d:person/r:activities/r:busy" ws="before"/>
 <p:replace sel="*/tuple[@id='cg231jcr']/contact/@priority">0.7</p:replace>
</p:pidf-diff>"#;

fn next(kept: Option<&MergedDocument>, body: &str) -> Result<MergedDocument, DocumentError> {
    merge(DIFF.as_bytes(), kept.map(MergedDocument::kept), body.as_bytes(), MAX_DOCUMENT)
}

fn full() -> MergedDocument {
    next(None, FULL).unwrap()
}

/// A document with these operations, which comes next.
fn operations(inside: &str) -> String {
    CHANGES[..CHANGES.find(" <p:add").unwrap()].to_owned() + inside + "</p:pidf-diff>"
}

/// The elements of a presence document as text, from its root's first child on.
fn inside(merged: &MergedDocument) -> &str {
    let text = std::str::from_utf8(&merged.document).unwrap();
    let text = text.strip_prefix("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<presence xmlns=\"urn:ietf:params:xml:ns:pidf\" entity=\"pres:someone@example.com\">").unwrap();
    text.strip_suffix("</presence>").unwrap()
}

/// The state after these operations on `state`, the inside of a presence document.
fn patched(state: &str, inner: &str) -> Result<String, String> {
    let document = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<presence xmlns=\"urn:ietf:params:xml:ns:pidf\" entity=\"pres:someone@example.com\">{state}</presence>"
    );
    let kept = MergedDocument { document: document.into_bytes(), version: Some(567), ..full() };
    let merged = next(Some(&kept), &operations(inner)).map_err(|error| error.to_string())?;
    assert!(merged.is_whole);
    Ok(inside(&merged).to_owned())
}

#[test]
fn the_example_of_the_rfc() {
    let first = full();
    assert_eq!((first.content_type, first.version, first.is_whole), (Some("application/pidf+xml"), Some(567), true));
    let second = next(Some(&first), CHANGES).unwrap();
    assert_eq!((second.version, second.is_whole), (Some(568), true));
    let expected = inside(&first)
        .replace("closed", "open")
        .replace("\"1.0\"", "\"0.7\"")
        .replace(" <r:busy/>", "")
        .replace("<note xml:lang=\"en\">Full", "<tuple id=\"ert4773\"><status><basic>open</basic></status><contact priority=\"0.4\">mailto:pep@example.com</contact><note xml:lang=\"en\">This is a new tuple inserted between the last tuple and note element</note></tuple><note xml:lang=\"en\">Full");
    assert_eq!(inside(&second), expected);
    let document = read("application/pidf+xml", &second.document).unwrap();
    assert_eq!(document.count("tuple_id"), 4);
    assert_eq!(shown(&document, "activity", None).as_deref(), Some("on-the-phone"));
    // The full one is a presence document as it comes; the other one says nothing by itself.
    assert_eq!(read(DIFF, FULL.as_bytes()).map(|document| document.count("tuple_id")), Some(3));
    assert_eq!(read(DIFF, CHANGES.as_bytes()), None);
}

#[test]
fn versions_of_both_kinds() {
    let content_type = ContentType::parse(DIFF.as_bytes()).unwrap();
    let version = |body: &str| check_body(&content_type, body.as_bytes(), MAX_DOCUMENT, true);
    assert_eq!(version(FULL), Ok(Some(Version { number: 567, is_full: true })));
    assert_eq!(version(CHANGES), Ok(Some(Version { number: 568, is_full: false })));
    let error = version("<presence xmlns='urn:ietf:params:xml:ns:pidf'/>").unwrap_err();
    assert_eq!(
        error.to_string(),
        "root element is \"{urn:ietf:params:xml:ns:pidf}presence\", not pidf-diff in urn:ietf:params:xml:ns:pidf-diff"
    );
}

/// Operations only fit the state that they were made for.
#[test]
fn after_a_gap_the_state_stays_until_all_is_told() {
    let first = full();
    for version in ["569", "567", "1", "x"] {
        let late = next(Some(&first), &CHANGES.replace("568", version)).unwrap();
        if version == "x" {
            assert!(late.is_whole, "nothing says that one is missing");
            continue;
        }
        assert_eq!((inside(&late), late.is_whole), (inside(&first), false));
        let later =
            next(Some(&late), &CHANGES.replace("568", &(version.parse::<u32>().unwrap() + 1).to_string())).unwrap();
        assert_eq!((inside(&later), later.is_whole), (inside(&first), false));
        assert!(next(Some(&later), FULL).unwrap().is_whole);
    }
    let alone = next(None, CHANGES).unwrap();
    assert!(!alone.is_whole);
    assert_eq!(read("application/pidf+xml", &alone.document).unwrap().count("tuple_id"), 0);
}

#[test]
fn each_operation() {
    let state = "<tuple id='1'><status/></tuple> <note>a</note> <note>b</note>";
    for (operation, expected) in [
        (
            "<p:add sel='presence'><note>c</note></p:add>",
            "<tuple id='1'><status/></tuple> <note>a</note> <note>b</note><note>c</note>",
        ),
        (
            "<p:add sel='*' pos='prepend'> <r:x/>y</p:add>",
            " <r:x xmlns:r=\"urn:ietf:params:xml:ns:pidf:rpid\"/>y<tuple id='1'><status/></tuple> <note>a</note> <note>b</note>",
        ),
        (
            "<p:add sel='/presence/note[2]' pos='before'>x</p:add>",
            "<tuple id='1'><status/></tuple> <note>a</note> x<note>b</note>",
        ),
        (
            "<p:add sel=\"*/note[.='a']\" pos='after'><![CDATA[<]]></p:add>",
            "<tuple id='1'><status/></tuple> <note>a</note>&lt; <note>b</note>",
        ),
        (
            "<p:add sel='*/*/status'><basic>open</basic></p:add>",
            "<tuple id='1'><status><basic>open</basic></status></tuple> <note>a</note> <note>b</note>",
        ),
        (
            "<p:add sel='*/tuple' type='@x'>&lt;\"1</p:add>",
            "<tuple x=\"&lt;&quot;1\" id='1'><status/></tuple> <note>a</note> <note>b</note>",
        ),
        (
            "<p:add sel='*/tuple' type='@r:x'>1</p:add>",
            "<tuple xmlns:r=\"urn:ietf:params:xml:ns:pidf:rpid\" r:x=\"1\" id='1'><status/></tuple> <note>a</note> <note>b</note>",
        ),
        (
            "<p:add sel='*/tuple' type='namespace::q'>urn:q</p:add><p:replace sel='*/tuple/namespace::q'>urn:s</p:replace>",
            "<tuple xmlns:q=\"urn:s\" id='1'><status/></tuple> <note>a</note> <note>b</note>",
        ),
        (
            "<p:replace sel='*/note[1]'> <note>n</note> </p:replace>",
            "<tuple id='1'><status/></tuple> <note>n</note> <note>b</note>",
        ),
        (
            "<p:replace sel='*/note[1]/text()'>&amp;</p:replace>",
            "<tuple id='1'><status/></tuple> <note>&amp;</note> <note>b</note>",
        ),
        (
            "<p:replace sel='*/tuple/@id'> 2 </p:replace>",
            "<tuple id=\"2\"><status/></tuple> <note>a</note> <note>b</note>",
        ),
        ("<p:remove sel='*/note[1]'/>", "<tuple id='1'><status/></tuple>  <note>b</note>"),
        ("<p:remove sel='*/note[1]' ws='both'/>", "<tuple id='1'><status/></tuple><note>b</note>"),
        ("<p:remove sel='*/note[2]' ws='after'/>", "<tuple id='1'><status/></tuple> <note>a</note> "),
        ("<p:remove sel='*/tuple/@id'/>", "<tuple><status/></tuple> <note>a</note> <note>b</note>"),
        ("<p:remove sel='*/note[1]/text()'/>", "<tuple id='1'><status/></tuple> <note></note> <note>b</note>"),
        ("<p:remove sel=\"*/*[note='x']\"/>", "its selector leads nowhere"),
        ("<p:remove sel='*/note'/>", "its selector is not unique"),
        ("<p:remove sel='*/tuple/@none'/>", "its selector leads nowhere"),
        ("<p:remove/>", "it has no selector"),
        ("<p:move sel='*'/>", "it is not add, replace or remove"),
        ("<p:add sel='*/tuple' pos='here'/>", "its position is not prepend, before or after"),
        ("<p:add sel='*/tuple/@id'>x</p:add>", "only to an element something can be added"),
        ("<p:add sel='*/tuple' type='x'>x</p:add>", "its type is not an attribute or a namespace"),
        ("<p:replace sel='*/tuple'/>", "an element is replaced by one element"),
        ("<p:replace sel='*/tuple'><note/><note/></p:replace>", "an element is replaced by one element"),
    ] {
        let found = patched(state, operation);
        let (Ok(found) | Err(found)) = &found;
        let expected = if expected.starts_with("it") || !expected.contains('<') {
            format!("patch operation 1: {expected}")
        } else {
            expected.to_owned()
        };
        assert_eq!(*found, expected, "{operation}");
    }
}

#[test]
fn selectors_that_are_none() {
    for selector in [
        "",
        "/",
        "//a",
        "a//b",
        "@x",
        "text()",
        "@x/a",
        "text()/a",
        "a/text()[0]",
        "a/text()[x]",
        "a[",
        "a[]",
        "a[0]",
        "a[1",
        "a[@b]",
        "a[@b=c]",
        "a[@b='c]",
        "a[@b='c'd']",
        "a[1]x",
        "q:a",
        "a/@q:b",
        "a b",
        "1",
        "a/namespace::",
        "id('x')",
        "a/comment()",
        "a[1][1][1][1][1]",
        "a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a",
    ] {
        assert!(Selector::parse(selector, &|_| None).is_err(), "{selector}");
    }
    for selector in [
        " a ",
        "/a",
        "*/b[@c = \"d]'/\"][ 2 ]",
        "a[b='c'][.='d']/text() [1]",
        "a/@b",
        "a/namespace::c",
        "a[1][1][1][1]",
    ] {
        assert!(Selector::parse(selector, &|_| None).is_ok(), "{selector}");
    }
}

/// Predicates of each step may look into all that is inside its element.
#[test]
fn predicates_may_look_at_a_state_so_often_only() {
    let state = |inner: &str| {
        let [before, after] = [("<d:x>".to_owned() + "<d:w>b</d:w>").repeat(13), "<d:w>a</d:w></d:x>".repeat(13)];
        format!("<d:person xmlns:d=\"urn:x\">{before}{inner}{after}</d:person>")
    };
    let steps = format!("*/d:person{}", "/d:x[d:w='a'][d:w='a'][d:w='a'][d:w='a']".repeat(13));
    let operation = format!("<p:add xmlns:d=\"urn:x\" sel=\"{steps}\"><d:z/></p:add>");
    assert!(patched(&state(""), &operation.repeat(200)).is_ok());
    let refused = patched(&state(&"<d:z/>".repeat(6000)), &operation.repeat(200)).unwrap_err();
    assert!(refused.ends_with("its predicates look into the state again and again"), "{refused}");
}

#[test]
fn hostile_operations_are_bounded() {
    let kept = full();
    let many = |count: usize| operations(&"<p:add sel='*'><note/></p:add>".repeat(count));
    assert!(next(Some(&kept), &many(256)).is_ok());
    assert_eq!(next(Some(&kept), &many(257)).unwrap_err().to_string(), "more than 256 patch operations");
    // What makes the document another one, or none.
    for bad in [
        "<p:remove sel='*'/>",
        "<p:replace sel='*'><note/></p:replace>",
        "<p:add sel='*' pos='after'><note/></p:add>",
        "<p:add sel='*/note' type='@xml:lang'>de</p:add>",
        "<p:remove sel='*/d:person/namespace::d'/>",
        "<p:add sel='*/note' type='namespace::xmlns'>u</p:add>",
    ] {
        let error = next(Some(&kept), &operations(bad)).unwrap_err();
        assert_eq!(error.sip_status(), 400, "{bad}");
    }
    for end in 0..CHANGES.len() {
        assert!(next(Some(&kept), &CHANGES[..end]).is_err(), "{end}");
    }
    // A long namespace is not copied without end.
    let body = operations(&"<p:add sel='*'><z:note/></p:add>".repeat(200))
        .replace(" entity", &format!(" xmlns:z='{}' entity", "u".repeat(9000)));
    assert!(matches!(next(Some(&kept), &body), Err(DocumentError::TooLarge { .. })));
    let deep = operations(&format!("<p:add sel='*'>{}{}</p:add>", "<a>".repeat(61), "</a>".repeat(61)));
    assert!(next(Some(&kept), &deep).is_ok());
    let below = deep.replace("sel='*'", "sel='*/d:person/r:activities/r:busy'");
    assert_eq!(next(Some(&kept), &below).unwrap_err().to_string(), "more than 64 elements nested in each other");
}

/// The elements that steps lead to, by the tree parser. A step is a name with or without a prefix, or none, and a predicate.
fn led_to<'a>(node: Node<'a, 'a>, steps: &[(&str, &str)]) -> Vec<Node<'a, 'a>> {
    let Some(((name, predicate), rest)) = steps.split_first() else { return vec![node] };
    let is_named = |node: &Node<'_, '_>| {
        let (namespace, local) = name.strip_prefix("n:").map_or(("urn:d", *name), |local| ("urn:n", local));
        *name == "*" || node.tag_name().name() == local && node.tag_name().namespace() == Some(namespace)
    };
    let text = |node: Node<'_, '_>| {
        node.descendants().filter(Node::is_text).filter_map(|node| node.text()).collect::<String>()
    };
    let named: Vec<Node<'a, 'a>> = node.children().filter(Node::is_element).filter(is_named).collect();
    let fits = |(at, node): &(usize, Node<'_, '_>)| match *predicate {
        "" => true,
        "[1]" => *at == 0,
        "[2]" => *at == 1,
        "[@k='1']" => {
            node.attributes().any(|each| each.namespace().is_none() && each.name() == "k" && each.value() == "1")
        }
        "[@n:k='1']" => node.attribute(("urn:n", "k")) == Some("1"),
        "[a='x']" => node.children().any(|child| child.has_tag_name(("urn:d", "a")) && text(child) == "x"),
        _ => text(*node) == "x",
    };
    named.into_iter().enumerate().filter(fits).flat_map(|(_, node)| led_to(node, rest)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_selector_leads_where_the_tree_parser_says(
        inside in prop::collection::vec(prop_oneof![Just("x".to_owned()), Just("<!-- x -->".to_owned()), Just("<![CDATA[x]]>".to_owned())].prop_recursive(4, 24, 4, |inner| {
            let names = prop::sample::select(vec!["a", "b", "n:a", "m:b"]);
            let attributes = prop::sample::select(vec!["", " k='1'", " m:k='1'", " k='2' n:k='&#49;'", " xmlns='urn:n'", " xmlns:n='urn:z'"]);
            (names, attributes, prop::collection::vec(inner, 0..4)).prop_map(|(name, attributes, inside)| match inside.concat() {
                empty if empty.is_empty() => format!("<{name}{attributes}/>"),
                inside => format!("<{name}{attributes}>{inside}</{name}>"),
            })
        }), 0..4),
        steps in prop::collection::vec((prop::sample::select(vec!["a", "b", "n:a", "*"]), prop::sample::select(vec!["", "", "[1]", "[2]", "[@k='1']", "[@n:k='1']", "[a='x']", "[.='x']"])), 0..3),
        subject in prop::sample::select(vec!["", "/@k", "/@n:k", "/text()", "/text()[2]", "/namespace::n"]),
    ) {
        let document = format!("<r xmlns='urn:d' xmlns:n='urn:n' xmlns:m='urn:n'>{}</r>", inside.concat());
        let path: String = steps.iter().map(|(name, predicate)| format!("/{name}{predicate}")).collect();
        let scope = |prefix: &str| match prefix { "" => Some("urn:d".to_owned()), "n" => Some("urn:n".to_owned()), _ => None };
        let selector = Selector::parse(&format!("r{path}{subject}"), &scope).unwrap();
        let found = locate(&mut Reader::of_root(&document), &document, &selector, &mut 1_000_000);
        let tree = Tree::parse(&document).unwrap();
        let expected: Vec<(std::ops::Range<usize>, String)> = led_to(tree.root_element(), &steps).into_iter().filter_map(|node| {
            let text_nodes: Vec<_> = node.children().filter(Node::is_text).collect();
            let subject = match subject {
                "" => document[node.range()].to_owned(),
                "/@k" => document[node.attributes().find(|each| each.name() == "k" && each.namespace().is_none())?.range()].to_owned(),
                "/@n:k" => document[node.attributes().find(|each| each.name() == "k" && each.namespace() == Some("urn:n"))?.range()].to_owned(),
                "/namespace::n" => {
                    let (tag, _) = document[node.range()].split_once('>')?;
                    let declaration = &tag[tag.find("xmlns:n=")?..];
                    declaration.split([' ', '/']).next()?.to_owned()
                }
                "/text()" if text_nodes.len() == 1 => text_nodes[0].text()?.to_owned(),
                "/text()[2]" => text_nodes.get(1)?.text()?.to_owned(),
                _ => return None,
            };
            Some((node.range(), subject))
        }).collect();
        match (&expected[..], found) {
            ([(range, subject)], Ok(place)) => {
                prop_assert_eq!(&place.element, range, "{}", document);
                let text = document[place.subject].replace("<![CDATA[", "").replace("]]>", "");
                prop_assert_eq!(text, subject.replace("<![CDATA[", "").replace("]]>", ""), "{}", document);
            }
            ([], Err(problem)) => prop_assert_eq!(problem, "its selector leads nowhere"),
            ([_, _, ..], Err(problem)) => prop_assert_eq!(problem, "its selector is not unique"),
            (expected, found) => prop_assert!(false, "{}: {:?} {:?}", document, expected, found),
        }
    }

    #[test]
    fn random_selectors_do_no_harm(selector in "[a-z*/@\\[\\]=.'\" :()0-9]{0,40}") {
        let kept = full();
        let escaped = selector.replace('"', "&quot;");
        let _ = next(Some(&kept), &operations(&format!("<p:remove sel=\"{escaped}\"/>")));
        let _ = next(Some(&kept), &operations(&format!("<p:add sel='*' type=\"{escaped}\">x</p:add>")));
    }
}
