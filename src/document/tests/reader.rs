//! The reader of XML, by example and against the tree parser.

use proptest::prelude::*;

use super::samples::{element, presence_document, rich_document};
use crate::document::element::{Element, value};
use crate::document::reader::{Reader, XmlEvent};
use crate::document::scan::scan;
use crate::document::stand_alone::StandAlone;

/// An element as both readers show it: depth, namespace, name, attributes (without declarations), and all text in it.
type Shown = (usize, String, String, Vec<(String, String, String)>, String);

fn reader(text: &str) -> Reader<'_> {
    Reader::new(text, &scan(text).unwrap())
}

/// The attributes of an element that has just started, in the tree parser's order: as written.
fn attributes(reader: &Reader<'_>, element: &Element<'_>) -> Vec<(String, String, String)> {
    let declared: Vec<String> = {
        let mut all: Vec<String> = reader.in_scope().iter().map(|each| value(each.namespace).into_owned()).collect();
        all.push("http://www.w3.org/XML/1998/namespace".to_owned());
        all
    };
    let named = element.attributes().filter(|each| each.declares().is_none()).map(|each| {
        let local = std::str::from_utf8(each.name.local).unwrap();
        let namespace = declared.iter().find(|namespace| {
            let found = reader.attribute_in(element, local, namespace);
            !each.name.prefix.is_empty() && found.is_some_and(|found| found.as_ptr() == each.value.as_ptr())
        });
        assert_eq!(namespace.is_none(), each.name.prefix.is_empty());
        (namespace.cloned().unwrap_or_default(), local.to_owned(), value(each.value).into_owned())
    });
    named.collect()
}

fn by_reader(text: &str) -> Vec<Shown> {
    let mut reader = reader(text);
    let mut all = Vec::new();
    while let Some(event) = reader.next() {
        if let XmlEvent::Start(element) = event {
            let inside = reader.clone().text(&element).into_owned();
            let attributes = attributes(&reader, &element);
            all.push((element.depth, element.namespace().into_owned(), element.local().to_owned(), attributes, inside));
        }
    }
    all
}

/// Elements in document order by [`Reader::child`] only.
fn by_children<'a>(reader: &mut Reader<'a>, of: &Element<'a>, found: &mut Vec<(usize, &'a str)>) {
    found.push((of.depth, of.local()));
    while let Some(child) = reader.child(of) {
        by_children(reader, &child, found);
    }
}

fn by_tree(text: &str) -> Vec<Shown> {
    let tree = roxmltree::Document::parse(text).unwrap();
    let elements = tree.descendants().filter(roxmltree::Node::is_element);
    elements.map(|node| shown(node, node.ancestors().filter(roxmltree::Node::is_element).count())).collect()
}

fn shown(node: roxmltree::Node<'_, '_>, depth: usize) -> Shown {
    let attributes = node.attributes().map(|each| {
        let namespace = each.namespace().unwrap_or_default().to_owned();
        (namespace, each.name().to_owned(), each.value().to_owned())
    });
    let texts = node.descendants().filter(roxmltree::Node::is_text).filter_map(|text| text.text());
    let namespace = node.tag_name().namespace().unwrap_or_default();
    (depth, namespace.to_owned(), node.tag_name().name().to_owned(), attributes.collect(), texts.collect())
}

/// Both readers show the same; every element that stands alone is the same as in its document; a child that is not read is
/// skipped.
fn agree(text: &str) -> Result<(), TestCaseError> {
    let expected = by_tree(text);
    let found = by_reader(text);
    prop_assert_eq!(&found, &expected);
    let mut walk = reader(text);
    let root = walk.root().unwrap();
    let mut children = Vec::new();
    by_children(&mut walk, &root, &mut children);
    prop_assert!(
        children.iter().map(|(depth, name)| (*depth, *name)).eq(found.iter().map(|each| (each.0, each.2.as_str())))
    );
    let mut walk = reader(text);
    let root = walk.root().unwrap();
    let mut named = Vec::new();
    while let Some(child) = walk.child(&root) {
        named.push(child.local());
    }
    prop_assert!(named.into_iter().eq(found.iter().filter(|each| each.0 == 2).map(|each| each.2.as_str())));
    prop_assert!(walk.next().is_none());

    let mut walk = reader(text);
    let mut at = 0;
    while let Some(event) = walk.next() {
        let XmlEvent::Start(element) = event else { continue };
        let alone = StandAlone::read(&mut walk.clone(), &element);
        let xml = alone.to_xml();
        prop_assert!(xml.len() <= alone.size());
        let below = by_tree(&xml);
        let outside = element.depth - 1;
        let wanted = expected[at..].iter().cloned().map(|each| (each.0 - outside, each.1, each.2, each.3, each.4));
        let wanted: Vec<Shown> = wanted.take(below.len()).collect();
        prop_assert_eq!(&below, &wanted, "{}", xml);
        at += 1;
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn elements_are_those_of_the_tree_parser(inside in prop::collection::vec(element(), 0..4)) {
        agree(&format!("<?xml version='1.0'?><presence xmlns:p='urn:p&amp;\"'>{}</presence>", inside.concat()))?;
    }

    #[test]
    fn presence_documents_are_those_of_the_tree_parser(text in prop_oneof![presence_document(), rich_document()]) {
        agree(&text)?;
    }
}

#[test]
fn texts_have_references_cdata_and_line_ends_resolved() {
    for (inside, wanted) in [
        ("a", "a"),
        ("", ""),
        ("a&amp;b&#13;\r\nc\rd", "a&b\r\nc\nd"),
        ("a<!-- b --><![CDATA[<&amp;\r\n]]><?c?>d<e>f<g/></e>", "a<&amp;\ndf"),
        (" \n ", " \n "),
    ] {
        let text = format!("<r><a>{inside}</a><b>x</b></r>");
        let mut reader = reader(&text);
        let root = reader.root().unwrap();
        let first = reader.child(&root).unwrap();
        assert_eq!(reader.text(&first), wanted);
        assert_eq!(reader.text(&first), "", "read already");
        let second = reader.child(&root).unwrap();
        assert_eq!(reader.text(&second), "x");
        assert!(reader.child(&second).is_none() && reader.child(&root).is_none());
        assert!(reader.child(&root).is_none(), "at the end for good");
    }
}

#[test]
fn what_is_not_read_is_skipped() {
    let text =
        "<r><a b='>' c=\"/>\"><a><!-- </a> --><![CDATA[</a>]]><?x </a>?><a/><a d='/'></a></a></a ><e\n/><z/></r>";
    let mut reader = reader(text);
    let root = reader.root().unwrap();
    let first = reader.child(&root).unwrap();
    assert_eq!(reader.child(&first).unwrap().local(), "a");
    let second = reader.child(&root).unwrap();
    assert_eq!((second.local(), reader.whole(&second)), ("e", "<e\n/>"));
    assert_eq!(reader.whole(&second), "<e\n/>", "ended last");
    assert_eq!(reader.child(&root).unwrap().local(), "z");
    assert_eq!(reader.whole(&root), text);
}

#[test]
fn names_namespaces_and_attributes() {
    let text = "<p:r xmlns:p='urn:&#112;' xmlns='urn:q' a='1&amp;\n2' p:b='3' xml:lang='de'><s><t xmlns=''/></s></p:r>";
    let mut reader = reader(text);
    let root = reader.root().unwrap();
    assert!(root.is("r", "urn:p") && !root.is("r", "urn:q") && !root.is("p:r", "urn:p") && !root.may_be("r", ""));
    assert_eq!(root.attribute("a").as_deref(), Some("1& 2"));
    assert_eq!((root.attribute("b"), root.lang().as_deref()), (None, Some("de")));
    assert_eq!(reader.attribute_in(&root, "b", "urn:p"), Some(&b"3"[..]));
    assert_eq!(reader.attribute_in(&root, "a", "urn:q"), None);
    let s = reader.child(&root).unwrap();
    assert!(s.is("s", "urn:q") && !s.may_be("s", "urn:p"));
    let t = reader.child(&s).unwrap();
    assert!(t.is("t", "") && t.may_be("t", "urn:any") && !t.is("t", "urn:any"));
}
