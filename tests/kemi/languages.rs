//! One script in each language: it calls what a request names, shows what a message and a state have, and raises on demand.

use std::collections::BTreeSet;

use crate::documentation::{all_fields, document_fields, fields::STATE_FIELDS, functions::FUNCTIONS, named};
use crate::event_route::said;
use crate::support::config::Builder;
use crate::support::endpoint::{Endpoint, Transport};
use crate::support::kamailio::Server;
use crate::support::wait::SOON;

/// A language that a script is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    Native,
    JavaScript,
    Lua,
    Python,
}

/// The languages of KEMI.
pub const KEMI: [Language; 3] = [Language::JavaScript, Language::Lua, Language::Python];

/// All names of fields that `$b2b(...)` has, each once.
pub fn state_fields() -> Vec<&'static str> {
    let of_documents: BTreeSet<_> = document_fields::FIELDS.iter().map(|field| field.name).collect();
    STATE_FIELDS.into_iter().chain(of_documents).collect()
}

/// All names of fields that `$qsa(...)` has, each once.
pub fn message_fields() -> Vec<&'static str> {
    BTreeSet::from_iter(all_fields()).into_iter().collect()
}

impl Language {
    /// A server with the script. The callback raises at its `early`-th message before it has read anything, and at its `late`-th
    /// one when it has read all; 0 for never.
    pub fn server(self, early: usize, late: usize) -> Builder {
        let server = Server::b2b().children(1).b2b_param("workers", 1).b2b_param("min_resubscribe_time", 0);
        let server = server.modparam("xlog", "buf_size", 65_000);
        let (engine, module, file, script) = match self {
            Language::Native => return native().iter().fold(server, |server, route| server.route(route)),
            Language::JavaScript => ("jsdt", "app_jsdt", "kamailio.js", include_str!("script.js")),
            Language::Lua => ("lua", "app_lua", "kamailio.lua", include_str!("script.lua")),
            Language::Python => ("python", "app_python3", "kamailio.py", include_str!("script.py")),
        };
        let quoted = |names: Vec<&str>| format!("{names:?}").trim_matches(['[', ']']).to_owned();
        let script = script.replace("@FIELDS@", &quoted(message_fields()));
        let script = script.replace("@STATE_FIELDS@", &quoted(state_fields()));
        let script = script.replace("@EARLY@", &early.to_string()).replace("@LATE@", &late.to_string());
        let server = server.kemi_in(engine, module, file, &script).b2b_param("event_callback", "on_qsa");
        server.modparam("tm", "event_callback", "ksr_local_request")
    }
}

/// The same as a native script. It cannot raise, and knows no type but text.
fn native() -> [String; 3] {
    let shown = |variable: String| format!("={variable}|");
    let mut calls = String::new();
    for function in FUNCTIONS {
        let name = named(function.name);
        for count in function.least..=function.parameters.len() {
            let values = (1..=count).map(|n| format!("\"$hdr(X-{n})\"")).collect::<Vec<_>>().join(", ");
            calls += &format!(
                "    if ($hdr(X-Call) == \"{name}\" && $hdr(X-Count) == \"{count}\") {{\n        {name}({values});\n        \
                 $var(result) = $rc;\n    }}\n"
            );
        }
    }
    let states: String = [("$b2b(", ")"), ("$b2b($hdr(X-1)=>", ")")]
        .iter()
        .flat_map(|(first, last)| {
            state_fields().into_iter().map(move |name| format!("{name}{}", shown(format!("{first}{name}{last}"))))
        })
        .collect();
    let request = format!(
        r#"request_route {{
    if (is_method("NOTIFY")) {{
        handle_notify();
        $var(result) = $rc;
        xlog("L_NOTICE", "HANDLED $var(result).END\n");
        if ($var(result) < 0) {{
            sl_send_reply("481", "Subscription does not exist");
        }}
        exit;
    }}
    $var(result) = 0;
    if ($hdr(X-Call) == "answered") {{
        sl_send_reply("200", "OK");
        handle_notify();
        $var(result) = $rc;
        xlog("L_NOTICE", "RETURNED $var(result).END\n");
        exit;
    }}
    if ($hdr(X-Call) == "show") {{
        b2b_state("$hdr(X-1)", "", "$hdr(X-2)");
        xlog("L_NOTICE", "RETURNED {states}.END\n");
        sl_send_reply("200", "OK");
        exit;
    }}
{calls}
    xlog("L_NOTICE", "RETURNED $var(result).END\n");
    sl_send_reply("200", "OK");
}}"#
    );
    let fields: String =
        message_fields().into_iter().map(|name| format!("{name}{}", shown(format!("$qsa({name})")))).collect();
    let event =
        format!("event_route[qsa:notify] {{\n    xlog(\"L_NOTICE\", \"SHOWN qsa:notify|{fields}.END\\n\");\n}}");
    let local = "event_route[tm:local-request] {\n    append_hf(\"X-Local: tm:local-request null\\r\\n\");\n}";
    [request, event, local.to_owned()]
}

/// A value for a function, as text and kind.
pub type Given<'g> = (&'g str, &'g str);

/// A text.
pub fn text(value: &str) -> Given<'_> {
    (value, "text")
}

/// Calls a function; what it returned, and the errors and warnings in the log.
pub fn call(server: &Server, transport: Transport, function: &str, values: &[Given<'_>]) -> (String, Vec<String>) {
    let peer = match transport {
        Transport::Tcp => Endpoint::tcp(),
        _ => Endpoint::udp(),
    };
    let uri = server.uri("script");
    let request = peer.fresh_request("OPTIONS", &uri, &uri, &uri).with("X-Call", function);
    let request = request.with("X-Count", values.len());
    let request = values.iter().enumerate().fold(request, |request, (n, (value, kind))| {
        request.with(&format!("X-{}", n + 1), value).with(&format!("X-Kind-{}", n + 1), kind)
    });
    let mark = server.log().mark();
    assert_eq!(peer.exchange(&request, server.addr(), SOON).status(), 200, "{function} {values:?}");
    let result = said(server, mark, "RETURNED ");
    (result, errors_since(server, mark))
}

/// The errors and warnings since then, without the place in the source that has logged them.
pub fn errors_since(server: &Server, mark: crate::support::log::Mark) -> Vec<String> {
    let lines = server.log().text_since(mark);
    let severe = |line: &&str| ["ERROR: ", "WARNING: ", "CRITICAL: "].iter().any(|level| line.contains(level));
    let text = |line: &str| line.split_once("(): ").map_or(line, |(_, text)| text).to_owned();
    lines.lines().filter(severe).map(text).collect()
}
