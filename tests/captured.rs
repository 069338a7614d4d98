//! What real notifiers have sent, sent once more: each NOTIFY in `tests/data/bodies`, in a dialog of its own.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use crate::documentation::document_fields::FIELDS;
use crate::event_route::said;
use crate::options::subscribe;
use crate::support::b2b::farewell;
use crate::support::captured::{Captured, Says};
use crate::support::kamailio::Server;
use crate::support::log::Mark;
use crate::support::notifier::{Dialog, Notifier, Notify};
use crate::support::shm::leaves_nothing;
use crate::support::wait::SOON;

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
fn route() -> String {
    let fields: BTreeSet<_> = FIELDS.iter().map(|field| field.name).collect();
    let fields: Vec<_> = fields.iter().map(|name| format!("{name}=$qsa({name})")).collect();
    format!(
        "event_route[qsa:notify] {{\n    xlog(\"L_NOTICE\", \"TOLD $qsa(id) $qsa(status)|$qsa(content_type)|\
         $(qsa(body){{s.encode.hexa}})|{}.END\\n\");\n}}",
        fields.join("|")
    )
}

/// What the event route has to say of a NOTIFY; `says` is what is in its body, `None` if the body is refused.
fn expected(captured: &Captured, says: Option<&Map<String, Value>>) -> (String, BTreeMap<String, String>) {
    let hex: String = captured.body.iter().map(|byte| format!("{byte:02x}")).collect();
    let (kind, hex) = match says {
        Some(_) => (captured.header("Content-Type").unwrap_or("<null>"), hex),
        None => ("<null>", String::new()),
    };
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let value = |name: &str| says.and_then(|says| says.get(name)).map_or("<null>".to_owned(), text);
    let fields = FIELDS.iter().map(|field| (field.name.to_owned(), value(field.name))).collect();
    (format!("{}|{kind}|{hex}", captured.status()), fields)
}

fn told(server: &Server, mark: Mark, id: u64) -> (String, BTreeMap<String, String>) {
    let line = said(server, mark, &format!("TOLD {id} "));
    let parts: Vec<_> = line.splitn(4, '|').collect();
    let [status, kind, hex, fields] = parts[..] else { panic!("{line}") };
    let fields = fields.split('|').map(|field| field.split_once('=').expect("a field"));
    let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    (format!("{status}|{kind}|{hex}"), fields)
}

#[test]
fn captured_notifies_say_what_was_read_in_them() {
    let server =
        Server::b2b().modparam("xlog", "buf_size", 16_384).b2b_param("min_resubscribe_time", 0).route(&route()).start();
    let notifier = Notifier::udp();
    let nothing = Map::new();
    leaves_nothing(&server, || {
        for captured in Captured::all() {
            let name = captured.name.as_str();
            let (package, is_active) = (captured.header("Event").expect(name), captured.status() == "active");
            let (options, says) = match &captured.says {
                Says::Fields(fields) => ("", Some(fields)),
                Says::List { .. } => ("list", Some(&nothing)),
                Says::Refused => ("", None),
            };
            let id = subscribe(&server, &notifier.uri("alice"), package, options).expect(name);
            let mut dialog = notifier.accept(&notifier.expect_subscribe(SOON), 600);
            server.await_shown(id, "state", "confirmed");
            let mark = server.log().mark();
            let answer = replay(&captured, &mut dialog);
            // The end of a subscription is taken whatever else the NOTIFY has.
            let is_refused = says.is_none() && is_active;
            assert_eq!(answer, if is_refused { 415 } else { 200 }, "{name}");
            if !is_refused {
                assert_eq!(told(&server, mark, id), expected(&captured, says), "{name}");
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
