//! Lists of resources, held against an independent reading of the same bytes by the tree parser.

use proptest::prelude::*;
use roxmltree::Node;

use super::readings::{children, document, text, value};
use crate::document::{ContentType, InstanceState, ListHead, ListInstance, ListResource, ListUpdate, ListedState};

/// What a URI must not have.
fn is_usable(uri: &str) -> bool {
    !uri.is_empty() && !uri.chars().any(char::is_control)
}

/// A name or an id, on one line.
fn line(text: String) -> Option<String> {
    Some(text.replace(char::is_control, " ")).filter(|text| !text.is_empty())
}

fn instance(node: Node<'_, '_>) -> ListInstance {
    let state = match value(node, "state").unwrap_or_default().to_lowercase().as_str() {
        "active" => InstanceState::Active,
        "terminated" => InstanceState::Terminated,
        _ => InstanceState::Pending,
    };
    let [id, reason] = ["id", "reason"].map(|name| value(node, name).and_then(line));
    ListInstance { id, state, reason }
}

/// The body as the tree parser has it; none if it has a URI that cannot be used.
fn expected(body: &str) -> Option<ListUpdate> {
    let tree = roxmltree::Document::parse(body).expect("a document");
    let root = tree.root_element();
    let uri = |node| value(node, "uri").filter(|uri| is_usable(uri));
    let head = ListHead {
        uri: uri(root)?,
        version: value(root, "version").and_then(|text| text.parse().ok()),
        is_full: ["1", "true"].contains(&value(root, "fullState").unwrap_or_default().to_lowercase().as_str()),
    };
    let mut update = ListUpdate { lists: vec![head], ..ListUpdate::default() };
    for node in children(root, "rlmi", "resource") {
        let resource = update.resources.len();
        let name = children(node, "rlmi", "name").find_map(|name| line(text(name)));
        update.resources.push(ListResource { uri: uri(node)?, name });
        let mut instances: Vec<_> = children(node, "rlmi", "instance").map(instance).map(Some).collect();
        if instances.is_empty() {
            instances.push(None);
        }
        let states = instances.into_iter().map(|instance| ListedState {
            resource: Some(resource),
            instance,
            ..ListedState::default()
        });
        update.states.extend(states);
    }
    // A state of the list as a whole comes first.
    if value(root, "cid").is_some_and(|cid| !cid.is_empty()) {
        update.states.insert(0, ListedState::default());
    }
    Some(update)
}

/// The same document as a part, with a part for some of the ids.
fn as_part(document: &str) -> String {
    let part = |id: &str, kind: &str, body: &str| {
        format!("--b\r\nContent-Type: {kind}\r\nContent-ID: <{id}>\r\n\r\n{body}\r\n")
    };
    let states = part("confirmed", "text/plain", "one") + &part("12", "text/plain", "two");
    part("l@x", "application/rlmi+xml", document) + &states + "--b--"
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn lists_are_those_of_the_tree_parser(
        body in document(
            "rlmi",
            &["resource", "resource", "resource", "name", "instance", "instance", "list"],
            &["id", "state", "state", "reason", "cid", "cid"],
        ),
        root in prop::sample::select(vec![
            "uri='sip:l@x' version='3' fullState='true'", "uri=' l ' version=' 4 ' fullState='FALSE'", "uri='l' cid='12'", "uri='l' fullState='1'", "uri=''",
        ]),
        // Mostly as it must be.
        uri in prop::sample::select(vec!["uri='r'", "uri='r'", "uri=' &lt; '", "uri='\u{E9}' ", "uri=''", "uri='a&#10;b'", ""]),
    ) {
        let body = body.replacen("<rlmi", &format!("<list {root}"), 1).replace("</rlmi>", "</list>");
        let body = body.replace(" version='3' state='partial'", "").replace(" version=' 4 ' state='full'", "").replace(" version='x'", "");
        let body = ["", "n:", "o:"].iter().fold(body, |body, space| {
            body.replace(&format!("<{space}resource"), &format!("<{space}resource {uri} "))
        });
        let alone = ContentType::parse(b"application/rlmi+xml").unwrap();
        prop_assert_eq!(ListUpdate::read(&alone, body.as_bytes(), body.len()).ok(), expected(&body), "{}", body);

        // The same in parts: some of the states have a body.
        let whole = as_part(&body);
        let parts = ContentType::parse(b"multipart/related;boundary=b").unwrap();
        let read = ListUpdate::read(&parts, whole.as_bytes(), whole.len()).ok();
        let bodies = read.as_ref().map(|update| {
            let body = |state: &ListedState| state.part.as_ref().map(|part| &whole[part.body.clone()]);
            update.states.iter().map(body).collect::<Vec<_>>()
        });
        let without = read.map(|mut update| {
            update.states.iter_mut().for_each(|state| state.part = None);
            update
        });
        prop_assert_eq!(without, expected(&body), "{}", body);
        if let Some(bodies) = bodies {
            prop_assert_eq!(bodies, expected_bodies(&body), "{}", body);
        }
    }
}

/// The bodies that the ids name.
fn expected_bodies(body: &str) -> Vec<Option<&'static str>> {
    let tree = roxmltree::Document::parse(body).expect("a document");
    let root = tree.root_element();
    let named = |node: Node<'_, '_>| match value(node, "cid").as_deref() {
        Some("confirmed") => Some("one"),
        Some("12") => Some("two"),
        _ => None,
    };
    let mut bodies: Vec<_> =
        value(root, "cid").filter(|cid| !cid.is_empty()).map(|_| named(root)).into_iter().collect();
    for node in children(root, "rlmi", "resource") {
        let before = bodies.len();
        bodies.extend(children(node, "rlmi", "instance").map(named));
        if bodies.len() == before {
            bodies.push(None);
        }
    }
    bodies
}
