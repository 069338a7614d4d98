//! Lists of resources: what is read, what senders do, and what is refused.

use std::fmt::Write as _;

use proptest::prelude::*;

use crate::document::error::DocumentError;
use crate::document::{ContentType, InstanceState, ListUpdate, ListedState, is_list};

const KIND: &str = "multipart/related;type=\"application/rlmi+xml\";start=\"<l@x>\";boundary=\"b\"";

const MOST: usize = 4 << 20;

fn read(kind: &str, body: impl AsRef<[u8]>) -> Result<ListUpdate, DocumentError> {
    ListUpdate::read(&ContentType::parse(kind.as_bytes()).unwrap(), body.as_ref(), MOST)
}

fn refusal(kind: &str, body: impl AsRef<[u8]>) -> String {
    let error = read(kind, body).unwrap_err();
    assert_eq!(error.sip_status(), 400, "{error}");
    error.to_string()
}

/// A document that names resources.
fn rlmi(attributes: &str, inside: &str) -> String {
    format!("<list xmlns=\"urn:ietf:params:xml:ns:rlmi\" uri=\"sip:l@x\" {attributes}>{inside}</list>")
}

fn resource(uri: &str, cid: &str) -> String {
    format!("<resource uri=\"{uri}\"><instance id=\"i\" state=\"active\" cid=\"{cid}\"/></resource>")
}

/// A part with these headers.
fn part(headers: &str, body: &str) -> String {
    format!("--b\r\n{headers}\r\n\r\n{body}\r\n")
}

fn rlmi_part(document: &str) -> String {
    part("Content-Type: application/rlmi+xml\r\nContent-ID: <l@x>", document)
}

fn text_part(id: &str, body: &str) -> String {
    part(&format!("Content-Type: text/plain\r\nContent-ID: <{id}>"), body)
}

/// A list as a part, whose own parts are between lines with another boundary.
fn list_part(id: &str, boundary: &str, inside: &str) -> String {
    part(&format!("Content-Type: multipart/related;boundary={boundary}\r\nContent-ID: <{id}>"), inside)
}

/// URI, list, state, type and body of each.
fn told(update: &ListUpdate, body: &[u8]) -> Vec<String> {
    let show = |state: &ListedState| {
        let list = &update.lists[state.list].uri;
        let resource = state.resource.map_or("-", |resource| &update.resources[resource].uri);
        let instance = state.instance.as_ref().map_or(String::from("none"), |of| {
            format!("{:?}/{}/{}", of.state, of.id.as_deref().unwrap_or("-"), of.reason.as_deref().unwrap_or("-"))
        });
        let text = |range: &std::ops::Range<usize>| String::from_utf8_lossy(&body[range.clone()]).into_owned();
        let part = state
            .part
            .as_ref()
            .map_or(String::from("-"), |part| format!("{}:{}", text(&part.content_type), text(&part.body)));
        let opened = state.opened.map_or(String::new(), |list| format!(" opens {list}"));
        format!("{list} {resource} {instance} {part}{opened}")
    };
    update.states.iter().map(show).collect()
}

fn told_of(kind: &str, body: &str) -> Vec<String> {
    told(&read(kind, body).unwrap(), body.as_bytes())
}

/// As RFC 4662 §5.5 has it, shortened.
#[test]
fn the_states_of_the_resources() {
    let document = rlmi(
        "version=\"1\" fullState=\"true\"",
        "<name xml:lang=\"en\">Buddies</name>
         <resource uri=\"sip:bob@x\"><name>Bob &amp; co</name><name>Robert</name>
           <instance id=\"jv\" state=\"active\" cid=\"bob@x\"/></resource>
         <resource uri=\"sip:dave@x\"><instance id=\"mo\" state=\"Active\" cid=\"&lt;dave@x&gt;\"/>
           <instance id=\"p\" state=\"pending\"/></resource>
         <resource uri=\"sip:jim@x\"><instance id=\"d\" state=\"terminated\" reason=\"rejected\"/></resource>
         <resource uri=\"sip:ed@x\"><other xmlns=\"urn:other\"><instance id=\"no\"/></other></resource>",
    );
    let states = text_part("bob@x", "open") + &text_part("dave@x", "closed") + &text_part("nobody@x", "ignored");
    let body = rlmi_part(&document) + &states + "--b--\r\n";
    let update = read(KIND, &body).unwrap();
    assert_eq!(
        told(&update, body.as_bytes()),
        [
            "sip:l@x sip:bob@x Active/jv/- text/plain:open",
            "sip:l@x sip:dave@x Active/mo/- text/plain:closed",
            "sip:l@x sip:dave@x Pending/p/- -",
            "sip:l@x sip:jim@x Terminated/d/rejected -",
            "sip:l@x sip:ed@x none -",
        ]
    );
    assert_eq!(update.resources[0].name.as_deref(), Some("Bob & co"));
    let version = update.version().unwrap();
    assert_eq!((version.number, version.is_full), (1, true));
}

#[test]
fn what_senders_do() {
    let document = rlmi("version=\"0\" fullState=\"1\"", &resource("sip:a@x", "a@x"));
    let expected = ["sip:l@x sip:a@x Active/i/- text/plain:open"];
    let (list, state) = (rlmi_part(&document), text_part("a@x", "open"));
    let bare = part("Content-ID: <l@x>", &document);
    let nameless = part("Content-Type: application/rlmi+xml;charset=\"UTF-8\"", &document);
    for (kind, body) in [
        (KIND, format!("{list}{state}--b--")),
        // An empty line before the first boundary; no last boundary; LF alone.
        (KIND, format!("\r\n{list}{state}--b--\r\n\r\n")),
        (KIND, format!("{list}{}", state.trim_end())),
        (KIND, format!("{list}{state}--b--").replace("\r\n", "\n")),
        // No start, with the document first or not; a start without brackets; one that nothing has; a document without Content-ID or type.
        ("multipart/related;boundary=b", format!("{list}{state}--b--")),
        ("multipart/related;boundary=b", format!("{state}{list}--b--")),
        ("multipart/related;boundary=b;start=l@x", format!("{state}{list}--b--")),
        ("multipart/related;boundary=b;start=\"<no@x>\"", format!("{state}{list}--b--")),
        (KIND, format!("{state}{nameless}--b--")),
        (KIND, format!("{state}{bare}--b--")),
        // A wrong length, and a header that nobody knows.
        (
            KIND,
            format!("{list}{state}--b--")
                .replace("Content-ID: <a@x>", "Content-Length: 99\r\nX-A: b\r\nContent-id:a@x"),
        ),
        (KIND, format!("{list}{state}--b--").replace(" xmlns=\"urn:ietf:params:xml:ns:rlmi\"", "")),
    ] {
        assert_eq!(told_of(kind, &body), expected, "{kind}\n{body}");
    }
    assert_eq!(told_of(KIND, &format!("{list}--b--")), ["sip:l@x sip:a@x Active/i/- -"], "no such part");
    assert_eq!(told_of("application/rlmi+xml", &document), ["sip:l@x sip:a@x Active/i/- -"]);
    let encoded = state.replace("Content-ID", "Content-Transfer-Encoding: base64\r\nContent-ID");
    assert_eq!(told_of(KIND, &format!("{list}{encoded}--b--")), ["sip:l@x sip:a@x Active/i/- -"]);
    let whole = list.replace("fullState", "cid=\"a@x\" fullState");
    assert_eq!(told_of(KIND, &format!("{whole}{state}--b--"))[0], "sip:l@x - none text/plain:open");
    for (attributes, version) in
        [("", None), ("version=\"2\"", Some((2, false))), ("version=\" 3 \" fullState=\"TRUE\"", Some((3, true)))]
    {
        let update = read("application/rlmi+xml", rlmi(attributes, "")).unwrap();
        assert_eq!(update.version().map(|version| (version.number, version.is_full)), version);
    }
}

#[test]
fn lists_in_the_list() {
    let inner = rlmi("version=\"7\" fullState=\"false\"", &resource("sip:b@x", "b@x")).replace("sip:l@x", "sip:in@x");
    let inner_body =
        rlmi_part(&inner).replace("--b", "--c") + &text_part("b@x", "busy").replace("--b", "--c") + "--c--";
    let named = resource("sip:in@x", "in@x") + &resource("sip:a@x", "a@x") + &resource("sip:again@x", "in@x");
    let body = rlmi_part(&rlmi("version=\"1\" fullState=\"true\"", &named))
        + &list_part("in@x", "c", &inner_body)
        + &text_part("a@x", "open")
        + "--b--";
    let update = read(KIND, &body).unwrap();
    let told = told(&update, body.as_bytes());
    assert_eq!(told[0], "sip:l@x sip:in@x Active/i/- - opens 1");
    assert_eq!(told[1], "sip:in@x sip:b@x Active/i/- text/plain:busy");
    assert_eq!(told[2], "sip:l@x sip:a@x Active/i/- text/plain:open");
    // It is opened once: who names it again gets it whole.
    assert!(told[3].starts_with("sip:l@x sip:again@x Active/i/- multipart/related;boundary=c:"), "{told:?}");
    assert_eq!(told.len(), 4);
    assert_eq!(update.version().map(|version| version.number), Some(1));
}

/// The innermost of so many lists has no parts.
fn nested(depth: usize) -> String {
    let mut body = "--b0\r\nContent-Type: application/rlmi+xml\r\n\r\n".to_owned() + &rlmi("", "") + "\r\n--b0--";
    for level in 1..depth {
        let inner = format!("Content-Type: multipart/related;boundary=b{}\r\nContent-ID: <in@x>", level - 1);
        let list = rlmi("", &resource("sip:in@x", "in@x"));
        body = format!(
            "--b{level}\r\nContent-Type: application/rlmi+xml\r\n\r\n{list}\r\n--b{level}\r\n{inner}\r\n\r\n{body}\r\n--b{level}--"
        );
    }
    body
}

#[test]
fn no_loops_and_no_depth() {
    assert_eq!(read("multipart/related;boundary=b7", nested(8)).unwrap().lists.len(), 8);
    let refused = refusal("multipart/related;boundary=b99", nested(100));
    assert_eq!(refused, "more than 8 lists inside one another");
    // The list in the list names itself, and the part that it is in.
    let inner = rlmi("", &(resource("sip:in@x", "in@x") + &resource("sip:l@x", "l@x")));
    let inner = rlmi_part(&inner).replace("--b", "--c") + "--c--";
    let body = rlmi_part(&rlmi("", &(resource("sip:in@x", "in@x") + &resource("sip:l@x", "l@x"))))
        + &list_part("in@x", "c", &inner)
        + "--b--";
    let told = told_of(KIND, &body);
    assert_eq!(told.len(), 4, "{told:?}");
    assert!(told[1].ends_with("-"), "{told:?}");
}

#[test]
fn what_is_refused() {
    let list = rlmi_part(&rlmi("", ""));
    for (kind, body, said) in [
        ("multipart/related", list.clone(), "no boundary"),
        ("multipart/related;boundary=other", list.clone(), "no line has its boundary"),
        (KIND, text_part("a@x", "open") + "--b--", "no part of type application/rlmi+xml"),
        (KIND, "--b--".to_owned(), "no part of type application/rlmi+xml"),
        (KIND, list.replace("Content-ID", "Content-Encoding: gzip\r\nContent-ID"), "is encoded"),
        (KIND, list.replace("<list", "<lists").replace("</list", "</lists"), "root element is"),
        (KIND, list.replace("</list>", ""), "line 1"),
        (KIND, list.replace("uri=\"sip:l@x\"", ""), "the list has no URI"),
        (KIND, list.replace("sip:l@x", "a&#10;b"), "the list has no URI, or one that cannot be used"),
        (KIND, list.replace("sip:l@x", &"x".repeat(1025)), "the list has no URI, or one that cannot be used"),
        (KIND, rlmi_part(&rlmi("", "<resource/>")), "a resource has no URI"),
        (KIND, list.replace("<list", "<!DOCTYPE x><list"), "DTD"),
        ("application/rlmi+xml", String::new(), "body is empty"),
        (KIND, list_part("l@x", "c", "--c\r\n\r\n--c--") + &list_part("in@x", "b", ""), "no part of type"),
    ] {
        let refused = refusal(kind, &body);
        assert!(refused.contains(said), "{refused}: {body}");
    }
    // A list in the list that cannot be read.
    let named = rlmi_part(&rlmi("", &resource("sip:in@x", "in@x")));
    assert!(refusal(KIND, named.clone() + &list_part("in@x", "c", "nothing")).contains("no line has its boundary"));
    // The whole part for each of many.
    let many: String = (0..20).map(|each| resource(&format!("sip:{each}@x"), "a@x")).collect();
    let again = rlmi_part(&rlmi("", &many)) + &text_part("a@x", &"x".repeat(10_000)) + "--b--";
    assert!(refusal(KIND, again).contains("named again and again"));
    let too_large = ListUpdate::read(&ContentType::parse(KIND.as_bytes()).unwrap(), list.as_bytes(), 10).unwrap_err();
    assert_eq!(too_large.sip_status(), 413);
}

/// A list of so many, each with a part that is nearly the boundary.
fn large(count: usize) -> String {
    let named: String = (0..count).map(|each| resource(&format!("sip:{each}@x"), &format!("{each}@x"))).collect();
    let mut body = rlmi_part(&rlmi("version=\"0\" fullState=\"true\"", &named));
    for each in 0..count {
        let _ = write!(body, "{}", text_part(&format!("{each}@x"), &format!("--bb {each} --b\r\n--bb--")));
    }
    body + "--b--"
}

#[test]
fn ten_thousand_resources() {
    let body = large(10_000);
    let update = read(KIND, &body).unwrap();
    assert_eq!((update.states.len(), update.resources.len()), (10_000, 10_000));
    let states = told(&update, body.as_bytes());
    assert_eq!(states[9_999], "sip:l@x sip:9999@x Active/i/- text/plain:--bb 9999 --b\r\n--bb--");
    let unnamed = rlmi_part(&rlmi("", "")) + &text_part("a@x", "x").repeat(10_000);
    assert!(read(KIND, unnamed).unwrap().states.is_empty());
}

/// Scripts write them into headers.
#[test]
fn names_have_one_line() {
    let resource = "<resource uri='a'><name>a&#13;&#10;b</name><instance id='c&#10;d' state='active' reason='e&#x85;f'/></resource>";
    let update = read("application/rlmi+xml", rlmi("", resource)).unwrap();
    let instance = update.states[0].instance.as_ref().unwrap();
    let said = [&update.resources[0].name, &instance.id, &instance.reason].map(|text| text.as_deref().unwrap());
    assert_eq!(said, ["a  b", "c d", "e f"]);
    let refused = rlmi("", "<resource uri='a&#10;b'/>");
    assert!(read("application/rlmi+xml", refused).is_err());
}

#[test]
fn truncated_at_every_byte() {
    let mut body = rlmi_part(&rlmi("version=\"1\"", &(resource("sip:in@x", "in@x") + &resource("sip:a@x", "a@x"))));
    body +=
        &list_part("in@x", "c", &(rlmi_part(&rlmi("", &resource("sip:b@x", "b@x"))).replace("--b", "--c") + "--c--"));
    body += &(text_part("a@x", "open") + "--b--");
    let whole = read(KIND, &body).unwrap();
    for end in 0..body.len() {
        let cut = &body.as_bytes()[..end];
        if let Ok(update) = read(KIND, cut) {
            assert_eq!(update.lists[0], whole.lists[0], "{end}");
            told(&update, cut);
        }
    }
}

#[test]
fn the_types_of_lists() {
    for (text, is_one) in [
        ("multipart/related;type=\"application/rlmi+xml\";boundary=b", true),
        ("Multipart/Related; boundary=b; Type=Application/RLMI+xml", true),
        ("multipart/related;boundary=b", true),
        ("application/rlmi+xml;charset=utf-8", true),
        ("multipart/related;type=\"application/pidf+xml\"", false),
        ("multipart/related;type=", false),
        ("multipart/mixed;type=\"application/rlmi+xml\"", false),
        ("application/pidf+xml", false),
    ] {
        assert_eq!(is_list(&ContentType::parse(text.as_bytes()).expect(text)), is_one, "{text}");
    }
}

fn any_instance() -> impl Strategy<Value = (Option<String>, InstanceState, Option<String>, Option<u8>)> {
    let state = prop_oneof![Just(InstanceState::Active), Just(InstanceState::Pending), Just(InstanceState::Terminated)];
    let id = proptest::option::of("[a-z]{1,4}");
    (id, state, proptest::option::of("[a-z]{1,8}"), proptest::option::of(0u8..6))
}

proptest! {
    /// Whatever a list is written from is what is read of it.
    #[test]
    fn what_is_written_is_read(
        resources in proptest::collection::vec(("[a-z<&\"]{1,6}", proptest::collection::vec(any_instance(), 0..3)), 0..6),
        parts in proptest::collection::vec("[ -~]{0,20}", 0..6),
    ) {
        let escaped = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;");
        let (mut document, mut expected) = (String::new(), Vec::new());
        for (uri, instances) in &resources {
            let _ = write!(document, "<resource uri=\"{}\">", escaped(uri));
            if instances.is_empty() {
                expected.push(format!("sip:l@x {uri} none -"));
            }
            for (id, state, reason, cid) in instances {
                let attribute = |name: &str, value: Option<String>| value.map_or(String::new(), |value| format!(" {name}=\"{value}\""));
                let said = format!("{state:?}").to_lowercase();
                let attributes = [
                    attribute("id", id.clone()), attribute("state", Some(said)), attribute("reason", reason.clone()),
                    attribute("cid", cid.map(|cid| format!("{cid}@x"))),
                ];
                let _ = write!(document, "<instance{}/>", attributes.concat());
                let part = cid.and_then(|cid| parts.get(usize::from(cid)));
                let part = part.map_or("-".to_owned(), |part| format!("text/plain:{part}"));
                let [id, reason] = [id, reason].map(|text| text.as_deref().unwrap_or("-").to_owned());
                expected.push(format!("sip:l@x {uri} {state:?}/{id}/{reason} {part}"));
            }
            document += "</resource>";
        }
        let mut body = rlmi_part(&rlmi("", &document));
        for (number, part) in parts.iter().enumerate() {
            body += &text_part(&format!("{number}@x"), part);
        }
        body += "--b--";
        prop_assert_eq!(told_of(KIND, &body), expected);
    }

    #[test]
    fn anything_is_read_or_refused(body in proptest::collection::vec(any::<u8>(), 0..200), kind in "multipart/related(;boundary=b)?|application/rlmi\\+xml") {
        let _ = read(&kind, body);
    }
}
