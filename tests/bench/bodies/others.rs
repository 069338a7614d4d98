//! Other readers of XML, for the same bytes.

use std::hint::black_box;

use quick_xml::XmlVersion;
use quick_xml::events::Event;
use quick_xml::reader::NsReader;

/// All that quick-xml tells of a document: names with their namespaces, attributes and texts without references. It builds nothing.
pub fn quick_xml(text: &str) -> usize {
    let mut reader = NsReader::from_str(black_box(text));
    let mut seen = 0;
    loop {
        match reader.read_resolved_event().expect("a document") {
            (_, Event::Eof) => return seen,
            (namespace, Event::Start(start) | Event::Empty(start)) => {
                black_box(namespace);
                for attribute in start.attributes() {
                    let attribute = attribute.expect("an attribute");
                    black_box(attribute.normalized_value(XmlVersion::Implicit1_0).expect("a value"));
                }
            }
            (_, Event::Text(text)) => {
                black_box(text.xml_content(XmlVersion::Implicit1_0));
            }
            (_, other) => {
                black_box(other);
            }
        }
        seen += 1;
    }
}

/// The tree that roxmltree builds.
pub fn roxmltree(text: &str) -> usize {
    let tree = roxmltree::Document::parse(black_box(text)).expect("a document");
    tree.root().range().len()
}
