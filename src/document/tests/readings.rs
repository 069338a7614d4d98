//! The readers of formats, held against an independent reading of the same bytes by the tree parser.

use std::str::FromStr;

use proptest::prelude::*;
use roxmltree::Node;

use super::formats::{DIALOGS, MESSAGES, REGISTRATIONS, WATCHERS, read};
use crate::document::dialog_info::{DialogEntry, DialogIdentity, DialogInfo, DialogSide, ReplacedDialog};
use crate::document::message_summary::{MessageClass, MessageSummary};
use crate::document::reginfo::{RegInfo, RegisteredContact, Registration};
use crate::document::watcherinfo::{Watcher, WatcherInfo, WatcherList};
use crate::document::{Document, Version};

/// Text as it may stand in an element or in a value.
const TEXTS: [&str; 12] = [
    "",
    " ",
    "confirmed",
    " Early\r\n",
    "terminated",
    "sip:a@b",
    "&lt;&#65;&gt;",
    "12",
    " 7 ",
    "4294967296",
    "-1",
    "\u{E9}",
];

/// What else stands between elements.
const MISC: [&str; 4] =
    ["<!-- terminated -->", "<?pi x?>", "<![CDATA[early&]]>", "<o:x xmlns:o='urn:o' id='1'>x</o:x>"];

/// A document of `root` with elements of these names and attributes, also where they do not belong.
pub(super) fn document(
    root: &'static str,
    names: &'static [&'static str],
    attributes: &'static [&'static str],
) -> impl Strategy<Value = String> {
    let text = prop::sample::select(&TEXTS[..]).prop_map(str::to_owned);
    let leaf = prop_oneof![3 => text, 1 => prop::sample::select(&MISC[..]).prop_map(str::to_owned)];
    let spaces = prop::sample::select(vec!["", "", "", "", "n:", "o:", "g:"]);
    let element = leaf.prop_recursive(5, 60, 6, move |inner| {
        let value = prop::sample::select(&TEXTS[..]).prop_map(|text| text.replace("\r\n", " "));
        let own = prop::collection::btree_map(prop::sample::select(attributes), value, 0..6);
        (spaces.clone(), prop::sample::select(names), own, prop::collection::vec(inner, 0..6)).prop_map(
            |(space, name, own, inside)| {
                let own: String = own.iter().map(|(name, value)| format!(" {name}=\"{value}\"")).collect();
                match inside.concat() {
                    empty if empty.is_empty() => format!("<{space}{name}{own}/>"),
                    inside => format!("<{space}{name}{own}>{inside}</{space}{name}>"),
                }
            },
        )
    });
    let default = prop::sample::select(vec![true, true, false]);
    let version =
        prop::sample::select(vec![" version='3' state='partial'", " version=' 4 ' state='full'", " version='x'", ""]);
    (default, version, prop::collection::vec(element, 0..6)).prop_map(move |(default, version, inside)| {
        let namespace = format!("urn:ietf:params:xml:ns:{root}");
        let default = if default { format!(" xmlns='{namespace}'") } else { String::new() };
        let inside = inside.concat();
        format!("<{root}{default} xmlns:n='{namespace}' xmlns:o='urn:o' xmlns:g='urn:ietf:params:xml:ns:gruuinfo' entity=' sip:e '{version}>{inside}</{root}>")
    })
}

/// The children of a node that have this name, in the namespace or in none.
pub(super) fn children<'a>(
    node: Node<'a, 'a>,
    namespace: &'a str,
    name: &'a str,
) -> impl Iterator<Item = Node<'a, 'a>> {
    let is_own = move |node: &Node<'_, '_>| {
        let its = node.tag_name().namespace().unwrap_or_default();
        node.is_element() && node.tag_name().name() == name && (its.is_empty() || its.ends_with(namespace))
    };
    node.children().filter(is_own)
}

pub(super) fn text(node: Node<'_, '_>) -> String {
    let texts = node.descendants().filter(Node::is_text).filter_map(|text| text.text());
    texts.collect::<String>().trim().to_owned()
}

pub(super) fn value(node: Node<'_, '_>, name: &str) -> Option<String> {
    node.attribute(name).map(|value| value.trim().to_owned())
}

fn or_empty(node: Node<'_, '_>, name: &str) -> String {
    value(node, name).unwrap_or_default()
}

fn number<N: FromStr>(text: Option<String>) -> Option<N> {
    text?.parse().ok()
}

fn version(root: Node<'_, '_>) -> Option<Version> {
    let is_full = value(root, "state").as_deref() != Some("partial");
    number(value(root, "version")).map(|number| Version { number, is_full })
}

fn dialog(node: Node<'_, '_>) -> DialogEntry {
    let all = |name| children(node, "dialog-info", name);
    let state = all("state").find(|state| !text(*state).is_empty()).or(all("state").last());
    let said = state.map(text).unwrap_or_default();
    let lower = said.to_ascii_lowercase();
    let is_known = ["trying", "proceeding", "early", "confirmed", "terminated"].contains(&lower.as_str());
    DialogEntry {
        id: or_empty(node, "id"),
        call_id: value(node, "call-id"),
        local_tag: value(node, "local-tag"),
        remote_tag: value(node, "remote-tag"),
        direction: value(node, "direction"),
        state: if is_known { lower } else { said },
        event: state.and_then(|state| value(state, "event")),
        code: state.and_then(|state| number(value(state, "code"))),
        duration: all("duration").find_map(|node| number(Some(text(node)))),
        replaces: all("replaces").next().map(|node| ReplacedDialog {
            call_id: or_empty(node, "call-id"),
            local_tag: or_empty(node, "local-tag"),
            remote_tag: or_empty(node, "remote-tag"),
        }),
        referred_by: all("referred-by").next().map(identity),
        route_set: all("route-set").flat_map(|node| children(node, "dialog-info", "hop")).map(text).collect(),
        local: side(node, "local"),
        remote: side(node, "remote"),
    }
}

fn side(node: Node<'_, '_>, name: &str) -> DialogSide {
    let all = |inner| children(node, "dialog-info", name).flat_map(move |side| children(side, "dialog-info", inner));
    let target = all("target").next();
    let params = target.into_iter().flat_map(|target| children(target, "dialog-info", "param"));
    DialogSide {
        identity: all("identity").next().map(identity),
        target: target.map(|target| or_empty(target, "uri")),
        params: params.map(|param| (or_empty(param, "pname"), value(param, "pval"))).collect(),
        session: all("session-description").next().map(|node| (value(node, "type"), text(node))),
        cseq: all("cseq").find_map(|node| number(Some(text(node)))),
    }
}

fn identity(node: Node<'_, '_>) -> DialogIdentity {
    DialogIdentity { uri: text(node), display: value(node, "display") }
}

fn contact(node: Node<'_, '_>) -> RegisteredContact {
    let all = |name| children(node, "reginfo", name);
    let gruus = |name| children(node, "gruuinfo", name).filter(|node| node.has_attribute("uri"));
    RegisteredContact {
        id: or_empty(node, "id"),
        state: or_empty(node, "state"),
        event: or_empty(node, "event"),
        uri: all("uri").map(text).find(|uri| !uri.is_empty()).unwrap_or_default(),
        duration_registered: number(value(node, "duration-registered")),
        expires: number(value(node, "expires")),
        retry_after: number(value(node, "retry-after")),
        q: value(node, "q"),
        call_id: value(node, "callid"),
        cseq: number(value(node, "cseq")),
        display_name: all("display-name").next().map(text),
        unknown_params: all("unknown-param").map(|node| (or_empty(node, "name"), text(node))).collect(),
        pub_gruu: gruus("pub-gruu").next().map(|node| or_empty(node, "uri")),
        temp_gruu: gruus("temp-gruu").next().map(|node| (or_empty(node, "uri"), number(value(node, "first-cseq")))),
    }
}

fn watcher(node: Node<'_, '_>) -> Watcher {
    Watcher {
        id: or_empty(node, "id"),
        status: or_empty(node, "status"),
        event: or_empty(node, "event"),
        uri: text(node),
        display_name: value(node, "display-name"),
        lang: node.attribute(("http://www.w3.org/XML/1998/namespace", "lang")).map(|lang| lang.trim().to_owned()),
        expiration: number(value(node, "expiration")),
        duration_subscribed: number(value(node, "duration-subscribed")),
    }
}

/// The new and old messages of a class, and those that are urgent.
type Counts = (u32, u32, Option<(u32, u32)>);

/// How a line is written: its name in lower case, white space around the colon, folded, and its end.
type Style = (bool, bool, bool, bool);

fn line(name: &str, value: &str, (is_lower, is_spaced, is_folded, is_bare): Style) -> String {
    let name = if is_lower { name.to_ascii_lowercase() } else { name.to_owned() };
    let value = if is_folded { value.replace(' ', "\r\n\t ") } else { value.to_owned() };
    format!("{name}{}{value}{}", if is_spaced { " : " } else { ":" }, if is_bare { "\n" } else { "\r\n" })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn dialogs_are_those_of_the_tree_parser(body in document(
        "dialog-info",
        &["dialog", "dialog", "state", "duration", "replaces", "referred-by", "route-set", "hop", "local", "remote", "identity", "target", "param", "session-description", "cseq"],
        &["id", "call-id", "local-tag", "remote-tag", "direction", "event", "code", "display", "uri", "pname", "pval", "type"],
    )) {
        let tree = roxmltree::Document::parse(&body).unwrap();
        let root = tree.root_element();
        let dialogs = children(root, "dialog-info", "dialog").map(dialog).collect();
        let expected = DialogInfo { version: version(root), entity: "sip:e".to_owned(), dialogs };
        prop_assert_eq!(read(DIALOGS, body.as_bytes()), Some(Document::Dialogs(expected)), "{}", body);
    }

    #[test]
    fn registrations_are_those_of_the_tree_parser(body in document(
        "reginfo",
        &["registration", "contact", "contact", "uri", "display-name", "unknown-param", "pub-gruu", "temp-gruu"],
        &["id", "aor", "state", "event", "duration-registered", "expires", "retry-after", "q", "callid", "cseq", "name", "first-cseq", "uri", "uri"],
    )) {
        let tree = roxmltree::Document::parse(&body).unwrap();
        let root = tree.root_element();
        let registration = |node| Registration {
            aor: or_empty(node, "aor"),
            id: or_empty(node, "id"),
            state: or_empty(node, "state"),
            contacts: children(node, "reginfo", "contact").map(contact).collect(),
        };
        let registrations = children(root, "reginfo", "registration").map(registration).collect();
        let expected = RegInfo { version: version(root), registrations };
        prop_assert_eq!(read(REGISTRATIONS, body.as_bytes()), Some(Document::Registrations(expected)), "{}", body);
    }

    #[test]
    fn watchers_are_those_of_the_tree_parser(body in document(
        "watcherinfo",
        &["watcher-list", "watcher", "watcher"],
        &["id", "status", "event", "display-name", "xml:lang", "expiration", "duration-subscribed", "resource", "package"],
    )) {
        let tree = roxmltree::Document::parse(&body).unwrap();
        let root = tree.root_element();
        let list = |node| WatcherList {
            resource: or_empty(node, "resource"),
            package: or_empty(node, "package"),
            watchers: children(node, "watcherinfo", "watcher").map(watcher).collect(),
        };
        let expected = WatcherInfo { version: version(root), lists: children(root, "watcherinfo", "watcher-list").map(list).collect() };
        prop_assert_eq!(read(WATCHERS, body.as_bytes()), Some(Document::Watchers(expected)), "{}", body);
    }

    /// What is written in any of the ways that are allowed is read as it was meant.
    #[test]
    fn messages_are_those_that_were_written(
        waiting in any::<bool>(),
        account in prop::option::of("[a-z]{1,8}:[a-z]{1,8}"),
        classes in prop::collection::btree_map("[a-z]{1,6}-message", any::<Counts>(), 0..5),
        headers in prop::collection::vec(prop::collection::vec(("[A-Z][a-z-]{0,8}", "[a-z]{1,6}"), 1..3), 0..3),
        styles in prop::collection::vec(any::<Style>(), 24),
    ) {
        let mut styles = styles.into_iter().cycle();
        let mut add = |text: &mut String, name: &str, value: &str| text.push_str(&line(name, value, styles.next().unwrap()));
        let mut body = String::new();
        add(&mut body, "Messages-Waiting", if waiting { "yes" } else { "NO" });
        if let Some(account) = &account {
            add(&mut body, "Message-Account", account);
        }
        let mut expected = Vec::new();
        for (name, (new, old, urgent)) in classes {
            let urgents = urgent.map_or(String::new(), |(new, old)| format!(" ({new}/{old})"));
            add(&mut body, &name, &format!("{new}/{old}{urgents}"));
            let (urgent_new, urgent_old) = urgent.unzip();
            expected.push(MessageClass { name, new: Some(new), old: Some(old), urgent_new, urgent_old });
        }
        let mut messages = Vec::new();
        for message in headers {
            body.push_str("\r\n");
            for (name, value) in &message {
                body.push_str(&line(name, value, (false, true, false, true)));
            }
            messages.push(message);
        }
        let expected = MessageSummary { waiting: Some(waiting), account, classes: expected, messages };
        prop_assert_eq!(read(MESSAGES, body.as_bytes()), Some(Document::Messages(expected)), "{}", body);
    }

    #[test]
    fn random_text_does_no_harm(body in "[MVma-z:/() \t\r\n0-9-]{0,200}", bytes in prop::collection::vec(any::<u8>(), 0..100)) {
        prop_assert!(read(MESSAGES, body.as_bytes()).is_some() && read(MESSAGES, &bytes).is_some());
        for media_type in [DIALOGS, REGISTRATIONS, WATCHERS] {
            read(media_type, &bytes);
        }
    }
}
