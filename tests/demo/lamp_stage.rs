//! The servers of the second act: a PBX with two phones, and the server with the module and its own presence server, where the
//! lamps are. Whatever goes wrong is a sentence.

use serde_json::{Value, json};

use super::ears::Ears;
use super::lamp::Lamps;
use super::sentence::or_sentence;
use super::stage::{copying, swallow_if_asked};
use super::support::call::CallPhone;
use super::support::config::Builder;
use super::support::endpoint::Endpoint;
use super::support::kamailio::Server;
use super::support::pbx::EXTENSIONS;

/// What happens to a call for a user of the PBX: the addresses are those of the PBX, a voice mail and a phone on a desk.
const CALLS: &str = r#"route[CALL] {
    if ($b2b(sip:$rU@PBX=>dialog_state)
            == "confirmed") {
        $du = "sip:VOICE_MAIL";
    } else {
        $du = "sip:DESK";
    }
    t_relay();
}"#;

/// Takes NOTIFYs from the PBX and SUBSCRIBEs from the lamps.
const HERE: &str = r#"request_route {
    if (is_method("INVITE")) {
        route(CALL);
        exit;
    }
    if (is_method("ACK|BYE")) {
        t_relay();
        exit;
    }
    if (is_method("NOTIFY")) {
        if (!handle_notify()) {
            sl_send_reply("481", "Subscription Does Not Exist");
        }
        exit;
    }
    if (is_method("SUBSCRIBE") && t_newtran()) {
        handle_subscribe();
        t_release();
        exit;
    }
    sl_send_reply("405", "Method Not Allowed");
}"#;

/// Who calls here.
pub const CALLER: &str = "203";

/// The script that routes calls.
pub fn script() -> Vec<String> {
    CALLS.lines().map(str::to_owned).collect()
}

/// Both servers, running, and all phones.
pub struct LampStage {
    pbx: Server,
    b2b: Server,
    lamps: Lamps,
    /// What happens.
    pub ears: Ears,
    /// The phones at the PBX, in the order of [`EXTENSIONS`].
    pub phones: [CallPhone; 2],
    /// The one that calls, and those that it reaches: voice mail and the desk.
    pub local: [CallPhone; 3],
}

impl LampStage {
    /// Starts all.
    pub fn build() -> Result<LampStage, String> {
        let (pbx, b2b) = or_sentence(|| (Server::builder(), here()))?;
        let ears = Ears::open(pbx.ip(), b2b.ip()).map_err(|error| format!("No socket for reports ({error})."))?;
        let (ends, lamps) = or_sentence(|| ([Endpoint::udp(), Endpoint::udp()], Lamps::new(ears.sender.clone())))?;
        let local = or_sentence(|| [Endpoint::udp(), Endpoint::udp(), Endpoint::udp()])?;
        let [_, voice_mail, desk] = local.each_ref().map(|end| end.addr().to_string());
        let calls = CALLS.replace("PBX", &pbx.ip().to_string());
        let b2b = b2b.route(&calls.replace("VOICE_MAIL", &voice_mail).replace("DESK", &desk));
        let begun = or_sentence(|| copying(pbx, &ears).pbx(&ends, &swallow_if_asked()).publishing_calls().start());
        let pbx = begun.map_err(|error| format!("The PBX: {error}"))?;
        match or_sentence(|| b2b.start()) {
            Ok(b2b) => {
                let [first, second] = ends;
                let phone = |end, user| CallPhone::new(end, pbx.uri(user), pbx.addr());
                let phones = [phone(first, EXTENSIONS[0]), phone(second, EXTENSIONS[1])];
                let [caller, voice_mail, desk] = local;
                let here = |end, user| CallPhone::new(end, b2b.uri(user), b2b.addr());
                let called = EXTENSIONS[0];
                let local = [here(caller, CALLER), here(voice_mail, called), here(desk, called)];
                Ok(LampStage { pbx, b2b, lamps, ears, phones, local })
            }
            Err(error) => {
                let _ = or_sentence(|| pbx.stop());
                Err(format!("The server with the module: {error}"))
            }
        }
    }

    /// The place of each server.
    pub fn addresses(&self) -> String {
        format!("PBX at {}, presence_b2b and the lamps' presence server at {}", self.pbx.ip(), self.b2b.ip())
    }

    /// Makes the calls of `user` at the PBX those of the local user of that name; the subscription's id.
    pub fn bridge(&self, user: &str) -> Result<u64, String> {
        let options = format!("publish_as=\"{}\"", self.b2b.uri(user));
        let params = json!([self.pbx.uri(user), self.b2b.uri("lamps"), "dialog", options]);
        let id = self.rpc("presence_b2b.subscribe", params)?;
        id.as_u64().ok_or_else(|| format!("presence_b2b.subscribe answered {id}, which is no id."))
    }

    /// Plugs in the lamp for `user`.
    pub fn watch(&mut self, user: &str) -> Result<(), String> {
        or_sentence(|| self.lamps.watch(&self.b2b, user))
    }

    /// Ends the subscriptions of all lamps.
    pub fn unplug(&mut self) -> Result<(), String> {
        or_sentence(|| self.lamps.unplug(&self.b2b))
    }

    /// Ends a subscription.
    pub fn unsubscribe(&self, id: u64) -> Result<(), String> {
        self.rpc("presence_b2b.unsubscribe", json!([id])).map(drop)
    }

    /// A number that the module counts.
    pub fn count(&self, name: &str) -> Result<u64, String> {
        let trace = self.rpc("presence_b2b.trace", json!([]))?;
        trace[name].as_u64().ok_or_else(|| format!("presence_b2b.trace answered {trace}."))
    }

    /// Stops both; an error if one did not end well or logged what must never happen.
    pub fn close(self) -> Result<(), String> {
        let b2b = or_sentence(|| self.b2b.stop());
        let pbx = or_sentence(|| self.pbx.stop());
        b2b.map_err(|error| format!("The server with the module: {error}"))
            .and(pbx.map_err(|error| format!("The PBX: {error}")))
    }

    fn rpc(&self, method: &str, params: Value) -> Result<Value, String> {
        or_sentence(|| self.b2b.rpc(method, params))?.map_err(|error| format!("{method} answered: {error}"))
    }
}

fn here() -> Builder {
    Server::b2b().lamps().b2b_param("min_resubscribe_time", 0).route(HERE)
}
