//! Whole documents from those that tell what has changed, against a model on the tree parser.

use proptest::prelude::*;
use roxmltree::{Document as Tree, Node};

use super::formats::{DIALOGS, REGISTRATIONS, WATCHERS};
use super::merge::next;
use crate::document::MergedDocument;

/// An element by all that it says.
fn canonical(node: Node<'_, '_>) -> String {
    if node.is_text() {
        return node.text().unwrap_or_default().to_owned();
    }
    let inside: String = node.children().map(canonical).collect();
    if node.is_element() { format!("{}({inside})", canonical_tag(node)) } else { inside }
}

fn canonical_tag(node: Node<'_, '_>) -> String {
    let attributes = node
        .attributes()
        .map(|each| format!(" {{{}}}{}={}", each.namespace().unwrap_or_default(), each.name(), each.value()));
    format!(
        "{{{}}}{}{}",
        node.tag_name().namespace().unwrap_or_default(),
        node.tag_name().name(),
        attributes.collect::<String>()
    )
}

/// What is special to a format: its root, the element and its keys, and the element inside. All end by an attribute, or by a child.
type Kind = (&'static str, &'static str, &'static str, &'static [&'static str], Option<&'static str>);

const KINDS: [Kind; 3] = [
    ("dialog-info", DIALOGS, "dialog", &["id"], None),
    ("reginfo", REGISTRATIONS, "registration", &["id"], Some("contact")),
    ("watcherinfo", WATCHERS, "watcher-list", &["resource", "package"], Some("watcher")),
];

/// Named elements in their order: name, all that it says but what is inside, those inside, and whether it has ended.
#[derive(Clone, Default)]
struct Model {
    named: Vec<(Vec<String>, String, Option<Model>, bool)>,
    others: Vec<String>,
}

fn is_own(node: Node<'_, '_>, name: &str, root: &str) -> bool {
    let namespace = node.tag_name().namespace().unwrap_or_default();
    node.tag_name().name() == name && (namespace.is_empty() || namespace == format!("urn:ietf:params:xml:ns:{root}"))
}

fn has_ended(node: Node<'_, '_>, root: &str) -> bool {
    let said = match root {
        "dialog-info" => node
            .children()
            .filter(|child| is_own(*child, "state", root))
            .map(|child| child.text().unwrap_or_default().to_owned())
            .find(|text| !text.trim().is_empty()),
        "reginfo" => node.attribute("state").map(str::to_owned),
        _ => node.attribute("status").filter(|_| node.tag_name().name() == "watcher").map(str::to_owned),
    };
    said.is_some_and(|said| said.trim() == "terminated")
}

impl Model {
    fn of(parent: Node<'_, '_>, kind: Kind, name: &str) -> Self {
        let mut model = Self::default();
        for node in parent.children().filter(Node::is_element) {
            if !is_own(node, name, kind.0) {
                model.others.push(canonical(node));
                continue;
            }
            let keys = if name == kind.2 { kind.3 } else { &["id"] };
            let keys = keys.iter().map(|key| node.attribute(*key).unwrap_or_default().trim().to_owned()).collect();
            let inner = kind.4.filter(|_| name == kind.2);
            let said = if inner.is_some() { canonical_tag(node) } else { canonical(node) };
            model.put((keys, said, inner.map(|inner| Self::of(node, kind, inner)), has_ended(node, kind.0)));
        }
        model
    }

    fn put(&mut self, newer: (Vec<String>, String, Option<Self>, bool)) {
        match self.named.iter_mut().find(|known| known.0 == newer.0) {
            None => self.named.push(newer),
            Some(known) => {
                (known.1, known.3) = (newer.1, newer.3);
                if let (Some(inner), Some(newer)) = (&mut known.2, newer.2) {
                    inner.apply(newer);
                }
            }
        }
    }

    fn apply(&mut self, newer: Self) {
        if !newer.others.is_empty() {
            self.others = newer.others;
        }
        newer.named.into_iter().for_each(|each| self.put(each));
    }

    fn without_ended(mut self) -> Self {
        self.named.retain(|each| !each.3);
        for each in &mut self.named {
            each.2 = each.2.take().map(Self::without_ended);
        }
        self
    }

    fn shown(&self) -> String {
        let named =
            self.named.iter().map(|each| format!("{}[{}]", each.1, each.2.as_ref().map_or(String::new(), Self::shown)));
        named.chain(self.others.iter().cloned()).collect()
    }
}

/// The inside of a document of this kind.
fn inside(kind: Kind) -> impl Strategy<Value = String> {
    let (_, _, outer, _, inner) = kind;
    let space = || prop::sample::select(vec!["", "", "n:", "o:"]);
    let attributes = || {
        let id = prop::sample::select(vec!["", " id='1'", " id=' 2 '", " id='3'", " id='4'"]);
        let state = prop::sample::select(vec![
            "",
            " state='active'",
            " state='terminated'",
            " status='terminated'",
            " status='x' o:a='1'",
        ]);
        let key = prop::sample::select(vec!["", " resource='1'", " resource='2'"]);
        let package = prop::sample::select(vec!["", " package='1'", " xmlns=''", " xmlns='urn:w' xmlns:o='urn:other'"]);
        (id, state, key, package).prop_map(|(id, state, key, package)| [id, state, key, package].concat())
    };
    let leaf = || {
        prop::sample::select(vec![
            "",
            "x",
            "<state>terminated</state>",
            "<state>early</state><o:y o:b='o:c'/>",
            "<n:state> </n:state><state>terminated</state>",
            "<z xmlns='urn:z'/>",
        ])
    };
    let element = move |name: &'static str, content: BoxedStrategy<String>| {
        (space(), attributes(), content).prop_map(move |(space, attributes, content)| {
            format!("<{space}{name}{attributes}>{content}</{space}{name}>")
        })
    };
    let content: BoxedStrategy<String> = match inner {
        None => leaf().prop_map(str::to_owned).boxed(),
        Some(inner) => {
            let other = prop::sample::select(vec!["<o:more/>", "text", "<unknown o:x=''/>"]).prop_map(str::to_owned);
            let each = prop_oneof![5 => element(inner, leaf().prop_map(str::to_owned).boxed()), 1 => other];
            prop::collection::vec(each, 0..4).prop_map(|all| all.concat()).boxed()
        }
    };
    let other = prop::sample::select(vec!["<o:more/>", "text", "<unknown/>", "<!-- -->"]).prop_map(str::to_owned);
    let each = prop_oneof![6 => element(outer, content), 1 => other];
    prop::collection::vec(each, 0..5).prop_map(|all| all.concat())
}

fn documents() -> impl Strategy<Value = (Kind, Vec<(u32, bool, bool, String)>)> {
    prop::sample::select(&KINDS[..]).prop_flat_map(|kind| {
        let each = (0..4_u32, prop::sample::select(vec![true, false, false, false]), any::<bool>(), inside(kind));
        (Just(kind), prop::collection::vec(each, 1..7))
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn merging_is_what_the_model_does((kind, documents) in documents()) {
        let (root, media_type, outer, _, _) = kind;
        let mut model = Model::default();
        let mut kept: Option<MergedDocument> = None;
        let mut expected: Option<(u32, bool)> = None;
        for (version, is_full, is_default, inside) in documents {
            let state = if is_full { "full" } else { "partial" };
            let default = if is_default { format!("xmlns='urn:ietf:params:xml:ns:{root}'") } else { String::new() };
            let body = format!("<{root} {default} xmlns:n='urn:ietf:params:xml:ns:{root}' xmlns:o='urn:o' version='{version}' state='{state}'>{inside}</{root}>");
            let tree = Tree::parse(&body).unwrap();
            let told = Model::of(tree.root_element(), kind, outer);
            if is_full {
                model = told;
            } else {
                model = model.without_ended();
                model.apply(told);
            }
            let merged = next(kept.as_ref(), media_type, &body);
            let text = std::str::from_utf8(&merged.document).unwrap();
            let tree = Tree::parse(text).unwrap();
            prop_assert_eq!(Model::of(tree.root_element(), kind, outer).shown(), model.shown(), "{}\n{}", body, text);
            let is_whole = is_full || expected.is_some_and(|(before, is_whole)| is_whole && before + 1 == version);
            prop_assert_eq!((merged.version, merged.is_whole), (Some(version), is_whole));
            expected = Some((version, is_whole));
            kept = Some(merged);
        }
    }
}
