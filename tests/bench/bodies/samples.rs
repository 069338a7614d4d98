//! A body of each format, as large as those of notifiers with something to say, and one that tells what has changed.

use std::fmt::Write as _;

/// A body.
pub struct Sample {
    /// Its format, for the table.
    pub name: &'static str,
    /// Its Content-Type.
    pub content_type: &'static str,
    /// The body.
    pub body: String,
    /// Whether other readers of XML can read it.
    pub is_xml: bool,
    /// One that comes next, and tells only what has changed.
    pub partial: Option<String>,
}

const XML: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";

/// How many dialogs, contacts and watchers there are.
const MEMBERS: usize = 8;

/// One of each format.
pub fn all() -> Vec<Sample> {
    let xml = |name, content_type, body, partial| Sample { name, content_type, body, is_xml: true, partial };
    let members = |member: fn(usize) -> String| (0..MEMBERS).map(member).collect::<String>();
    let (dialogs, dialog) = (members(dialog), dialog(3));
    let (contacts, contact) = (members(contact), contact(3));
    let (watchers, watcher) = (members(watcher), watcher(3));
    vec![
        xml("PIDF", "application/pidf+xml", pidf("presence", "", &tuple(1)), None),
        xml("PIDF with RPID", "application/pidf+xml", rich("presence", ""), None),
        xml("dialog-info", "application/dialog-info+xml", dialog_info(0, "full", &dialogs), Some(dialog_info(1, "partial", &dialog))),
        xml("reginfo", "application/reginfo+xml", reginfo(0, "full", &contacts), Some(reginfo(1, "partial", &contact))),
        xml("watcherinfo", "application/watcherinfo+xml", watcherinfo(0, "full", &watchers), Some(watcherinfo(1, "partial", &watcher))),
        xml("pidf-diff", "application/pidf-diff+xml", rich("p:pidf-full", " version=\"1\""), Some(difference(2))),
        Sample {
            name: "message-summary",
            content_type: "application/simple-message-summary",
            body: "Messages-Waiting: yes\r\nMessage-Account: sip:alice@example.com\r\nVoice-Message: 4/8 (1/2)\r\nFax-Message: 0/3\r\n\
                   \r\nSubject: call me back\r\nFrom: bob@example.com\r\nPriority: urgent\r\n".to_owned(),
            is_xml: false,
            partial: None,
        },
    ]
}

fn pidf(root: &str, attributes: &str, inside: &str) -> String {
    format!(
        "{XML}<{root} xmlns=\"urn:ietf:params:xml:ns:pidf\" xmlns:p=\"urn:ietf:params:xml:ns:pidf-diff\" \
         xmlns:dm=\"urn:ietf:params:xml:ns:pidf:data-model\" xmlns:r=\"urn:ietf:params:xml:ns:pidf:rpid\" \
         entity=\"sip:alice@example.com\"{attributes}>\n{inside}</{root}>\n"
    )
}

fn tuple(number: usize) -> String {
    format!(
        " <tuple id=\"t{number}\">\n  <status><basic>open</basic></status>\n\
         \x20 <contact priority=\"0.{number}\">sip:alice@192.0.2.{number}:5060</contact>\n\
         \x20 <note xml:lang=\"en\">In the office &amp; on the phone until noon</note>\n\
         \x20 <timestamp>2026-01-01T00:00:00Z</timestamp>\n </tuple>\n"
    )
}

fn rich(root: &str, attributes: &str) -> String {
    let person = "  <r:activities><r:on-the-phone/><r:meeting/></r:activities>\n  <r:mood><r:happy/></r:mood>\n\
                  \x20 <r:place-type><r:place-is><r:office/></r:place-is></r:place-type>\n\
                  \x20 <r:sphere><r:work/></r:sphere>\n  <r:time-offset>60</r:time-offset>\n\
                  \x20 <r:user-input idle-threshold=\"600\" last-input=\"2026-01-01T00:00:00Z\">idle</r:user-input>\n";
    let person = format!(" <dm:person id=\"p1\">\n{person}  <dm:note>busy</dm:note>\n </dm:person>\n");
    let device =
        " <dm:device id=\"d1\"><dm:deviceID>urn:uuid:0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0</dm:deviceID></dm:device>\n";
    pidf(root, attributes, &format!("{}{}{person}{device}", tuple(1), tuple(2)))
}

/// RFC 5262: three operations.
fn difference(version: usize) -> String {
    let operations = " <p:replace sel=\"*/tuple[@id='t1']/status/basic/text()\">closed</p:replace>\n\
                      \x20<p:remove sel=\"*/dm:person/r:activities/r:meeting\"/>\n\
                      \x20<p:replace sel=\"*/tuple[@id='t2']/contact/@priority\">0.7</p:replace>\n";
    pidf("p:pidf-diff", &format!(" version=\"{version}\""), operations)
}

fn dialog_info(version: usize, state: &str, inside: &str) -> String {
    format!(
        "{XML}<dialog-info xmlns=\"urn:ietf:params:xml:ns:dialog-info\" version=\"{version}\" state=\"{state}\" \
         entity=\"sip:alice@example.com\">\n{inside}</dialog-info>\n"
    )
}

fn dialog(number: usize) -> String {
    let side = |of: &str, user: &str| {
        format!(
            "  <{of}>\n   <identity display=\"{user}\">sip:{user}@example.com</identity>\n\
             \x20  <target uri=\"sip:{user}@192.0.2.{number}:5060\"/>\n  </{of}>\n"
        )
    };
    let (local, remote) = (side("local", "alice"), side("remote", "bob"));
    format!(
        " <dialog id=\"d{number}\" call-id=\"a84b4c76e6671{number}\" local-tag=\"1928301774\" remote-tag=\"456887766\" \
         direction=\"initiator\">\n  <state>confirmed</state>\n  <duration>274</duration>\n{local}{remote} </dialog>\n"
    )
}

fn reginfo(version: usize, state: &str, inside: &str) -> String {
    format!(
        "{XML}<reginfo xmlns=\"urn:ietf:params:xml:ns:reginfo\" version=\"{version}\" state=\"{state}\">\n\
         <registration aor=\"sip:alice@example.com\" id=\"a7\" state=\"active\">\n{inside}</registration>\n</reginfo>\n"
    )
}

fn contact(number: usize) -> String {
    format!(
        " <contact id=\"c{number}\" state=\"active\" event=\"registered\" expires=\"3600\" q=\"0.{number}\" callid=\"a84b4c7@192.0.2.{number}\" \
         cseq=\"17\">\n  <uri>sip:alice@192.0.2.{number}:5060;transport=udp</uri>\n  <display-name>Alice</display-name>\n </contact>\n"
    )
}

fn watcherinfo(version: usize, state: &str, inside: &str) -> String {
    format!(
        "{XML}<watcherinfo xmlns=\"urn:ietf:params:xml:ns:watcherinfo\" version=\"{version}\" state=\"{state}\">\n\
         <watcher-list resource=\"sip:alice@example.com\" package=\"presence\">\n{inside}</watcher-list>\n</watcherinfo>\n"
    )
}

fn watcher(number: usize) -> String {
    format!(
        " <watcher id=\"w{number}\" status=\"active\" event=\"approved\" display-name=\"Bob\" expiration=\"3600\" \
         duration-subscribed=\"120\">sip:bob{number}@example.com</watcher>\n"
    )
}

/// The body of a list (RFC 4662 §5): a document with the resources, and a part for each of `told`.
pub fn list(version: usize, is_full: bool, told: impl Iterator<Item = usize>) -> [String; 2] {
    let (mut rows, mut parts) = (String::new(), String::new());
    for number in told {
        let _ = writeln!(
            rows,
            " <resource uri=\"sip:r{number:06}@example.com\"><name>Resource {number}</name>\
             <instance id=\"i{number}\" state=\"active\" cid=\"c{number}@example.com\"/></resource>"
        );
        let document = pidf("presence", "", &tuple(1));
        let _ = write!(
            parts,
            "--b\r\nContent-Type: application/pidf+xml\r\nContent-ID: <c{number}@example.com>\r\n\r\n{document}\r\n"
        );
    }
    let document = format!(
        "{XML}<list xmlns=\"urn:ietf:params:xml:ns:rlmi\" uri=\"sip:list@example.com\" version=\"{version}\" fullState=\"{is_full}\">\n\
         {rows}</list>\n"
    );
    let body = format!(
        "--b\r\nContent-Type: application/rlmi+xml\r\nContent-ID: <l@example.com>\r\n\r\n{document}\r\n{parts}--b--\r\n"
    );
    [document, body]
}
