//! A server that connects two phones and has lamps: Kamailio's dialog and presence modules, and pua_dialoginfo if that is to tell
//! the lamps of the calls.

use std::fs;

use super::config::Builder;
use super::endpoint::Endpoint;

/// The users of the two phones.
pub const EXTENSIONS: [&str; 2] = ["201", "202"];

/// Where Debian's `kamailio` keeps the tables of db_text. pua does not start without one.
const TABLES: &str = "/usr/share/kamailio/dbtext/kamailio";

const ROUTE: &str = r#"request_route {
    {begin}
    if (is_method("PUBLISH|SUBSCRIBE")) {
        if (t_newtran()) {
            if (is_method("PUBLISH")) {
                handle_publish();
            } else {
                handle_subscribe();
            }
            t_release();
        }
        exit;
    }
    if (has_totag()) {
        if (loose_route() || is_method("ACK")) {
            t_relay();
        } else {
            sl_send_reply("481", "Call Does Not Exist");
        }
        exit;
    }
    if (!is_method("INVITE")) {
        sl_send_reply("405", "Method Not Allowed");
        exit;
    }
    record_route();
    $avp(caller) = $fu;
    $avp(callee) = $ru;
    dlg_manage();
    if ($rU == "201") {
        $du = "sip:{first}";
    } else {
        $du = "sip:{second}";
    }
    t_relay();
}"#;

impl Builder {
    /// With a presence server for lamps, all states in memory.
    pub fn lamps(self) -> Builder {
        self.modparam("presence", "subs_db_mode", 0)
            .modparam("presence", "publ_cache", 2)
            .modparam("presence", "subs_remove_match", 1)
            .module("presence")
            .module("presence_dialoginfo")
    }

    /// With the lamps, and calls between the phones of [`EXTENSIONS`]. Its route starts with `begin`. It has one worker: if it publishes to
    /// itself, states stay in order.
    pub fn pbx(self, phones: &[Endpoint; 2], begin: &str) -> Builder {
        let [first, second] = phones.each_ref().map(|phone| phone.addr().to_string());
        let route = ROUTE.replace("{begin}", begin).replace("{first}", &first).replace("{second}", &second);
        self.children(1).lamps().module("dialog").route(&route)
    }

    /// With pua_dialoginfo, which publishes the states of calls to the server itself.
    pub fn publishing_calls(self) -> Builder {
        let table = |name: &str| fs::read_to_string(format!("{TABLES}/{name}")).expect("a table of Debian's kamailio");
        ["db_text", "pua", "pua_dialoginfo"]
            .into_iter()
            .fold(self, Builder::module)
            .file("version", &table("version"))
            .file("pua", &table("pua"))
            .modparam("pua", "db_url", "text://{dir}")
            .modparam("pua_dialoginfo", "use_pubruri_avps", 1)
            .modparam("pua_dialoginfo", "pubruri_caller_avp", "$avp(caller)")
            .modparam("pua_dialoginfo", "pubruri_callee_avp", "$avp(callee)")
    }
}
