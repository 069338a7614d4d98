//! A presentity against an independent reading of its document, through a tree.

use proptest::prelude::*;
use roxmltree::Node;

use super::samples::{presence_document, rich_document};
use super::{HEAD, parse, presence};
use crate::document::presentity::{Basic, Contact, Device, Extension, Note, Person, Rpid, RpidElement, Tuple};
use crate::document::{MAX_DOCUMENT, Presentity};

const PIDF: &str = "urn:ietf:params:xml:ns:pidf";
const DATA_MODEL: &str = "urn:ietf:params:xml:ns:pidf:data-model";
const RPID: &str = "urn:ietf:params:xml:ns:pidf:rpid";

fn elements<'a>(node: Node<'a, 'a>) -> Vec<Node<'a, 'a>> {
    node.children().filter(Node::is_element).collect()
}

fn name<'a>(node: Node<'a, 'a>) -> &'a str {
    node.tag_name().name()
}

fn space<'a>(node: Node<'a, 'a>) -> &'a str {
    node.tag_name().namespace().unwrap_or("")
}

fn text(node: Node<'_, '_>) -> String {
    node.descendants().filter(Node::is_text).filter_map(|text| text.text()).collect()
}

fn pidf<'a>(node: Node<'a, 'a>, wanted: &str) -> bool {
    name(node) == wanted && ["", PIDF].contains(&space(node))
}

fn note(node: Node<'_, '_>) -> Note {
    let lang = node.attribute(("http://www.w3.org/XML/1998/namespace", "lang"));
    Note { lang: lang.map(str::to_owned), text: text(node) }
}

fn notes(node: Node<'_, '_>) -> Vec<Note> {
    elements(node).into_iter().filter(|node| name(*node) == "note").map(note).collect()
}

fn id(node: Node<'_, '_>) -> String {
    node.attribute("id").unwrap_or("").to_owned()
}

fn first(nodes: &[Node<'_, '_>], wanted: impl Fn(Node<'_, '_>) -> bool) -> Option<String> {
    nodes.iter().find(|node| wanted(**node)).map(|node| text(*node).trim().to_owned())
}

fn rpid(node: Node<'_, '_>) -> Option<RpidElement> {
    let kind = match name(node) {
        "activities" => Rpid::Activity,
        "mood" => Rpid::Mood,
        "sphere" => Rpid::Sphere,
        "user-input" => Rpid::UserInput,
        _ => return None,
    };
    let inner = elements(node).into_iter().filter(|node| name(*node) != "note");
    let mut values: Vec<String> = inner
        .map(|node| match (name(node), text(node).trim()) {
            ("other" | "activity", text) if !text.is_empty() => text.to_owned(),
            (name, _) => name.to_owned(),
        })
        .collect();
    let before = node.children().take_while(|node| !node.is_element()).filter(Node::is_text);
    let own: String = before.filter_map(|text| text.text()).collect();
    if values.is_empty() && !own.trim().is_empty() {
        values.push(own.trim().to_owned());
    }
    let attribute = |name| node.attribute(name).map(|value: &str| value.trim().to_owned());
    Some(RpidElement {
        kind,
        values,
        from: attribute("from").or_else(|| attribute("last-input")),
        until: attribute("until"),
    })
}

fn is_not_understood(node: Node<'_, '_>) -> bool {
    let mark = node.attribute((PIDF, "mustUnderstand")).is_some_and(|mark| ["true", "1"].contains(&mark.trim()));
    mark && ![DATA_MODEL, RPID].contains(&space(node))
}

fn person(node: Node<'_, '_>) -> Person {
    let all = elements(node);
    let others = all.iter().filter(|node| !["note", "timestamp"].contains(&name(**node)));
    let mut read = Person { id: id(node), notes: notes(node), ..Person::default() };
    read.timestamp = first(&all, |node| name(node) == "timestamp");
    for other in others {
        read.notes.extend(notes(*other));
        let inside = if name(*other) == "status" { elements(*other) } else { vec![*other] };
        read.rpid.extend(inside.into_iter().filter(|node| name(*node) != "note").filter_map(rpid));
    }
    read
}

fn device(node: Node<'_, '_>) -> Device {
    let all = elements(node);
    Device {
        id: id(node),
        device_id: first(&all, |node| name(node) == "deviceID"),
        rpid: all.iter().filter_map(|node| rpid(*node)).collect(),
        notes: notes(node),
        timestamp: first(&all, |node| name(node) == "timestamp"),
    }
}

/// Name and namespace only: what is in it is compared on its own.
fn extension(node: Node<'_, '_>) -> Extension {
    Extension { namespace: space(node).to_owned(), name: name(node).to_owned(), xml: String::new() }
}

fn tuple(node: Node<'_, '_>) -> Tuple {
    let mut read = Tuple { id: id(node), ..Tuple::default() };
    let (mut is_reliable, mut basics) = (true, Vec::new());
    for child in elements(node) {
        let is_status = pidf(child, "status");
        let inside = if is_status { elements(child) } else { vec![child] };
        for node in inside {
            if pidf(node, "basic") {
                basics.push(text(node).trim().to_lowercase());
            } else if pidf(node, "note") {
                read.notes.push(note(node));
            } else if is_status || !pidf(node, "contact") && !pidf(node, "timestamp") {
                is_reliable &= !is_not_understood(node);
                read.rpid.extend(Some(node).filter(|node| space(*node).starts_with(RPID)).and_then(rpid));
                if name(node) == "deviceID" && space(node) == DATA_MODEL && read.device_id.is_none() {
                    read.device_id = Some(text(node).trim().to_owned());
                }
                let list = if is_status { &mut read.status_extensions } else { &mut read.extensions };
                list.push(extension(node));
            }
        }
    }
    read.timestamp = first(&elements(node), |node| pidf(node, "timestamp"));
    read.contact = first(&elements(node), |node| pidf(node, "contact")).map(|uri| Contact { uri, priority: None });
    let known = basics.iter().find(|basic| ["open", "closed"].contains(&basic.as_str()));
    read.basic = match known.map(String::as_str) {
        Some("open") if is_reliable => Basic::Open,
        Some("closed") if is_reliable => Basic::Closed,
        _ => Basic::Unknown,
    };
    read
}

fn by_tree(document: &str) -> Presentity {
    let tree = roxmltree::Document::parse(document).unwrap();
    let mut read = Presentity::default();
    let root = tree.root_element();
    read.entity = root.attribute("entity").unwrap_or("").to_owned();
    let mut is_reliable = true;
    for node in elements(root) {
        if pidf(node, "tuple") {
            read.tuples.push(tuple(node));
        } else if pidf(node, "note") {
            read.notes.push(note(node));
        } else {
            is_reliable &= !is_not_understood(node);
            read.extensions.push(extension(node));
            read.persons.extend((name(node) == "person").then(|| person(node)));
            read.devices.extend((name(node) == "device" && space(node) == DATA_MODEL).then(|| device(node)));
        }
    }
    if !is_reliable {
        read.tuples.iter_mut().for_each(|tuple| tuple.basic = Basic::Unknown);
    }
    read
}

/// Takes away what [`by_tree`] does not read: the text of extensions, and priorities of contacts, which have a test of
/// their own.
fn comparable(mut read: Presentity) -> Presentity {
    read.extensions.iter_mut().for_each(|each| each.xml.clear());
    for tuple in &mut read.tuples {
        tuple.contact.iter_mut().for_each(|contact| contact.priority = None);
        tuple.extensions.iter_mut().chain(&mut tuple.status_extensions).for_each(|each| each.xml.clear());
    }
    read
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_presentity_says_what_the_tree_of_its_document_says(document in presence_document()) {
        let read = Presentity::parse(document.as_bytes(), None, MAX_DOCUMENT).unwrap();
        prop_assert_eq!(comparable(read), by_tree(&document));
    }

    #[test]
    fn persons_devices_and_services_are_those_of_the_tree(document in rich_document()) {
        let read = Presentity::parse(document.as_bytes(), None, MAX_DOCUMENT).unwrap();
        prop_assert_eq!(comparable(read), by_tree(&document));
    }
}

#[test]
fn persons_devices_and_services_of_rfc_4479_and_4480() {
    let found = presence(
        "<tuple id='t'><status><basic>open</basic></status><dm:deviceID> urn:x:1 </dm:deviceID>\
         <rpid:relationship><rpid:self/></rpid:relationship><rpid:class>auth</rpid:class></tuple>\
         <dm:person id='p1'><rpid:activities from='2005-05-30T16:09:44Z' until='2005-05-30T17:00:00Z'><rpid:note>far</rpid:note>\
         <rpid:away/><rpid:other>sailing</rpid:other></rpid:activities><rpid:sphere>bowling league</rpid:sphere>\
         <rpid:privacy><rpid:audio/><rpid:video/></rpid:privacy><rpid:time-offset>-240</rpid:time-offset>\
         <rpid:status-icon>http://example.com/a.png</rpid:status-icon><dm:timestamp>now</dm:timestamp></dm:person>\
         <dm:device id='d1'><rpid:user-input idle-threshold='600' last-input='10:00'>idle</rpid:user-input>\
         <dm:deviceID>urn:x:1</dm:deviceID><dm:note>old</dm:note></dm:device>",
    );
    let tuple = &found.tuples[0];
    assert_eq!((tuple.device_id.as_deref(), tuple.extensions.len()), (Some("urn:x:1"), 3));
    assert_eq!(found.rich(Rpid::Relationship).collect::<Vec<_>>(), ["self"]);
    assert_eq!(found.rich(Rpid::Class).collect::<Vec<_>>(), ["auth"]);
    assert_eq!(found.rich(Rpid::Activity).collect::<Vec<_>>(), ["away", "sailing"]);
    assert_eq!(found.rich(Rpid::Sphere).collect::<Vec<_>>(), ["bowling league"]);
    assert_eq!(found.rich(Rpid::Privacy).collect::<Vec<_>>(), ["audio", "video"]);
    assert_eq!(found.rich(Rpid::TimeOffset).collect::<Vec<_>>(), ["-240"]);
    assert_eq!(found.rich(Rpid::StatusIcon).collect::<Vec<_>>(), ["http://example.com/a.png"]);
    let person = &found.persons[0];
    assert_eq!(
        (person.id.as_str(), person.timestamp.as_deref(), person.notes[0].text.as_str()),
        ("p1", Some("now"), "far")
    );
    let away = &person.rpid[0];
    assert_eq!(
        (away.from.as_deref(), away.until.as_deref()),
        (Some("2005-05-30T16:09:44Z"), Some("2005-05-30T17:00:00Z"))
    );
    let device = &found.devices[0];
    assert_eq!((device.id.as_str(), device.device_id.as_deref()), ("d1", Some("urn:x:1")));
    assert_eq!((device.rpid[0].values[0].as_str(), device.rpid[0].from.as_deref()), ("idle", Some("10:00")));
    assert_eq!(device.notes[0].text, "old");
    // They stay readable as they were sent.
    assert_eq!(found.extensions.iter().map(|each| each.name.as_str()).collect::<Vec<_>>(), ["person", "device"]);
    assert!(found.extensions[1].xml.contains("xmlns:rpid=") && found.extensions[1].xml.contains(">urn:x:1<"));
}

#[test]
fn rich_documents_truncated_at_every_byte_and_with_long_texts() {
    let inside = "<dm:person id='p'><rpid:mood><rpid:other>a&amp;b<![CDATA[c]]></rpid:other></rpid:mood></dm:person>";
    let whole = format!("{HEAD}{inside}</presence>");
    for end in 0..whole.len() {
        assert!(parse(&whole[..end]).is_err(), "{end}");
    }
    let long = "x".repeat(100_000);
    let many = format!(
        "<presence><person><mood from='{long}'>{}</mood><note>{long}</note></person></presence>",
        "<a/>".repeat(8000)
    );
    let found = parse(&many).unwrap();
    assert_eq!((found.persons[0].rpid[0].values.len(), found.persons[0].rpid.len()), (8000, 1));
    assert!(found.extensions[0].xml.len() <= many.len());
}
