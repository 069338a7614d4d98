//! NOTIFYs that real notifiers have sent: each one in `tests/data/bodies` is sent again, in a dialog of its own.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use crate::documentation::document_fields::FIELDS;
use crate::options::subscribe;
use crate::support::b2b::farewell;
use crate::support::captured::{Captured, Says};
use crate::support::kamailio::Server;
use crate::support::log::Mark;
use crate::support::notifier::{Dialog, Notifier, Notify};
use crate::support::shm::leaves_nothing;
use crate::support::wait::{SOON, eventually};

/// Fields of a message of a list's resource; others have the record only.
const OF_LISTS: [&str; 4] = ["record", "list", "resource_name", "instance"];

/// Headers that belong to the dialog and the transaction.
const OURS: [&str; 5] = ["Via", "From", "To", "Call-ID", "Contact"];

/// Sends a NOTIFY as it was captured, but in this dialog, and returns the status of the answer.
fn replay(captured: &Captured, dialog: &mut Dialog) -> u16 {
    let cseq = captured.header("CSeq").and_then(|value| value.split(' ').next()?.parse().ok()).expect("a CSeq");
    dialog.cseq = cseq;
    let ours = dialog.build(Notify::default().cseq(cseq));
    let line = |line: &str| match line.split_once(':').map(|(name, _)| name) {
        Some(name) if OURS.contains(&name) => format!("{name}: {}", ours.need(name)),
        _ => line.to_owned(),
    };
    let lines: Vec<_> = captured.head.split("\r\n").skip(1).map(line).collect();
    let head = format!("NOTIFY {} SIP/2.0\r\n{}", ours.uri(), lines.join("\r\n"));
    dialog.endpoint().send_bytes(&[head.as_bytes(), &captured.body].concat(), dialog.next_hop);
    dialog.endpoint().final_response(&ours, SOON).unwrap_or_else(|| panic!("no answer to {head}")).status()
}

/// Type, body in hexadecimal digits, and all fields of documents: a line of the log.
pub fn route() -> String {
    let fields: BTreeSet<_> = FIELDS.iter().map(|field| field.name).chain(OF_LISTS).collect();
    let fields: Vec<_> = fields.iter().map(|name| format!("{name}=$qsa({name})")).collect();
    format!(
        "event_route[qsa:notify] {{\n    xlog(\"L_NOTICE\", \"TOLD $qsa(id) $qsa(status)|$qsa(content_type)|\
         $(qsa(body){{s.encode.hexa}})|{}.END\\n\");\n}}",
        fields.join("|")
    )
}

/// All fields: those in `says`, and no others.
fn fields_of(says: &Map<String, Value>) -> BTreeMap<String, String> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let names = FIELDS.iter().map(|field| field.name).chain(OF_LISTS);
    names.map(|name| (name.to_owned(), says.get(name).map_or("<null>".to_owned(), text))).collect()
}

/// The line that the event route must log for a NOTIFY about `record`; `says` is the content of its body, `None` if the body is refused.
fn expected(captured: &Captured, record: &str, says: Option<&Map<String, Value>>) -> Told {
    let hex: String = captured.body.iter().map(|byte| format!("{byte:02x}")).collect();
    let (kind, hex) = match says {
        Some(_) => (captured.header("Content-Type").unwrap_or("<null>"), hex),
        None => ("<null>", String::new()),
    };
    let mut says = says.cloned().unwrap_or_default();
    says.insert("record".to_owned(), record.into());
    (captured.status().to_owned(), format!("{kind}|{hex}"), fields_of(&says))
}

/// Status, type and body, and fields of a message.
type Told = (String, String, BTreeMap<String, String>);

/// The first `count` messages of a subscription.
fn told(server: &Server, mark: Mark, id: u64, count: usize) -> Vec<Told> {
    let begin = format!("TOLD {id} ");
    let lines = eventually(SOON, &format!("{count} messages"), || {
        let text = server.log().text_since(mark);
        let lines = text.split(&begin).skip(1).filter_map(|line| line.split_once(".END"));
        let lines: Vec<_> = lines.map(|(line, _)| line.to_owned()).collect();
        (lines.len() >= count).then_some(lines)
    });
    lines[..count].iter().map(|line| read(line)).collect()
}

fn read(line: &str) -> Told {
    let parts: Vec<_> = line.splitn(4, '|').collect();
    let [status, kind, hex, fields] = parts[..] else { panic!("{line}") };
    let fields = fields.split('|').map(|field| field.split_once('=').expect("a field"));
    let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    (status.to_owned(), format!("{kind}|{hex}"), fields)
}

/// Each resource has a message of its own.
fn tells_resources(told: &[Told], uri: &str, resources: &[Map<String, Value>], name: &str) {
    for ((status, _, fields), resource) in told.iter().zip(resources) {
        let mut says = resource.clone();
        says.insert("list".to_owned(), uri.into());
        assert_eq!((status.as_str().into(), fields), (resource["status"].clone(), &fields_of(&says)), "{name}");
    }
}

#[test]
fn captured_notifies_say_what_was_read_in_them() {
    let server =
        Server::b2b().modparam("xlog", "buf_size", 16_384).b2b_param("min_resubscribe_time", 0).route(&route()).start();
    let notifier = Notifier::udp();
    leaves_nothing(&server, || {
        for captured in Captured::all() {
            let name = captured.name.as_str();
            let (package, is_active) = (captured.header("Event").expect(name), captured.status() == "active");
            let options = if matches!(captured.says, Says::List { .. }) { "list" } else { "" };
            let record = notifier.uri("alice");
            let id = subscribe(&server, &record, package, options).expect(name);
            let mut dialog = notifier.accept(&notifier.expect_subscribe(SOON), 600);
            server.await_shown(id, "state", "confirmed");
            let mark = server.log().mark();
            let answer = replay(&captured, &mut dialog);
            // A terminating NOTIFY ends the subscription, whatever else it has.
            let is_refused = matches!(captured.says, Says::Refused) && is_active;
            assert_eq!(answer, if is_refused { 415 } else { 200 }, "{name}");
            let one = |says| assert_eq!(told(&server, mark, id, 1), [expected(&captured, &record, says)], "{name}");
            match &captured.says {
                Says::Fields(fields) => one(Some(fields)),
                Says::Refused if is_active => {}
                Says::Refused => one(None),
                Says::List { uri, resources } => {
                    tells_resources(&told(&server, mark, id, resources.len()), uri, resources, name);
                }
            }
            server.unsubscribe(id);
            if is_active {
                farewell(&mut dialog);
            }
            server.await_no_subscription();
        }
    });
    server.stop();
}
