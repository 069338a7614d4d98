//! The two servers, and what the story does to them. Whatever goes wrong is a sentence.

use std::collections::BTreeSet;
use std::env;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::ears::{self, Ears};
use super::ladder::{self, Rung};
use super::sentence::or_sentence;
use super::support::config::Builder;
use super::support::database;
use super::support::kamailio::Server;
use super::support::pidf::pidf;
use super::support::presence_server::PresenceServer;
use super::support::process::members;
use super::support::wait::until;

/// For the tests of the demo itself: the other server says 200 to what is published for this user, and forgets it.
const SWALLOW: &str = "PRESENCE_B2B_DEMO_SWALLOW";

/// All the routing that the module needs.
const ROUTE: &str = r#"request_route {
    if (is_method("NOTIFY")
            && handle_notify()) exit;
    sl_send_reply("481", "Unknown");
}"#;

/// How many events of a subscription are kept: as many as the smallest picture can show.
const EVENTS: i64 = 14;

/// How long a server that is killed may take until all of its processes are gone.
const GONE: Duration = Duration::from_secs(10);

/// Both servers, running.
pub struct Stage {
    presence: PresenceServer,
    /// None while it is killed.
    b2b: Option<Server>,
    /// How it is started again, at the same address.
    again: Builder,
    /// Its database.
    _folder: TempDir,
    /// What both servers report.
    pub ears: Ears,
    /// What routes and events run in the server with the module.
    pub script: Vec<String>,
}

impl Stage {
    /// Starts both.
    pub fn build() -> Result<Stage, String> {
        Stage::start(|server| server)
    }

    /// Starts both; the one with the module takes kamcmd and b2b-top, at sockets in its folder.
    pub fn to_keep() -> Result<Stage, String> {
        Stage::start(|server| {
            let server = server.module("ctl").modparam("ctl", "binrpc", "unix:{dir}/ctl");
            // The FIFO, and datagrams.
            server.modparam("jsonrpcs", "transport", 6).modparam("jsonrpcs", "dgram_socket", "{dir}/dgram")
        })
    }

    fn start(more: impl FnOnce(Builder) -> Builder) -> Result<Stage, String> {
        let folder = TempDir::with_prefix("demo-").map_err(|error| format!("no folder for a database ({error})."))?;
        let builder = or_sentence(|| more(storing(&folder)))?;
        let begun = presence_server(builder.ip());
        let (presence, ears) = begun.map_err(|error| format!("The presence server: {error}"))?;
        let event = ears::route(ears.told);
        let script = [ROUTE, &event].iter().flat_map(|block| block.lines()).map(str::to_owned).collect();
        let again = builder.route(ROUTE).route(&event);
        match or_sentence(|| again.clone().start()) {
            Ok(b2b) => Ok(Stage { presence, b2b: Some(b2b), again, _folder: folder, ears, script }),
            Err(error) => {
                let _ = or_sentence(|| presence.stop());
                Err(format!("The server with the module: {error}"))
            }
        }
    }

    /// The folder of the server with the module.
    pub fn folder(&self) -> Result<PathBuf, String> {
        let server = self.b2b.as_ref().ok_or("The server with the module does not run.")?;
        Ok(server.dir().to_owned())
    }

    /// The record of `user`.
    pub fn record(&self, user: &str) -> String {
        self.presence.uri(user)
    }

    /// The place of each person.
    pub fn addresses(&self) -> String {
        let [presence, b2b] = [self.presence.server.ip(), self.again.ip()];
        format!("presence server at {presence}, presence_b2b at {b2b}; records: sip:…@{presence}")
    }

    /// `user` publishes a state.
    pub fn publish(&self, user: &str, basic: &str, note: Option<&str>) -> Result<(), String> {
        let document = pidf(&self.record(user), basic, note);
        match or_sentence(|| self.presence.publish_for(user, &document, 3600).status())? {
            200 => Ok(()),
            status => Err(format!("The presence server answered {status} to a PUBLISH of {user}.")),
        }
    }

    /// Subscribes the watcher to `user`; the subscription's id.
    pub fn subscribe(&self, user: &str) -> Result<u64, String> {
        let watcher = format!("sip:watcher@{}", self.again.ip());
        let id = self.rpc("presence_b2b.subscribe", json!([self.record(user), watcher]))?;
        id.as_u64().ok_or_else(|| format!("presence_b2b.subscribe answered {id}, which is no id."))
    }

    /// Has a subscription refreshed.
    pub fn refresh(&self, id: u64) -> Result<(), String> {
        self.rpc("presence_b2b.refresh", json!([id])).map(drop)
    }

    /// Ends a subscription.
    pub fn unsubscribe(&self, id: u64) -> Result<(), String> {
        self.rpc("presence_b2b.unsubscribe", json!([id])).map(drop)
    }

    /// How many subscriptions the module has.
    pub fn subscriptions(&self) -> Result<u64, String> {
        let trace = self.rpc("presence_b2b.trace", json!([]))?;
        trace["subscriptions"].as_u64().ok_or_else(|| format!("presence_b2b.trace answered {trace}."))
    }

    /// The Call-IDs of all subscriptions.
    pub fn dialogs(&self) -> Result<BTreeSet<String>, String> {
        let rows = self.rpc("presence_b2b.list", json!([0, 100]))?;
        let call_id = |row: &Value| row["call_id"].as_str().map(str::to_owned);
        Ok(rows.as_array().into_iter().flatten().filter_map(call_id).collect())
    }

    /// Kills all processes of the server with the module.
    pub fn kill(&mut self) -> Result<(), String> {
        let Some(server) = self.b2b.take() else { return Ok(()) };
        let gone = or_sentence(|| {
            server.signal_all(libc::SIGKILL);
            server.ends(GONE, |_| String::new())
        })?;
        gone.map_err(|left| format!("{} processes of the server with the module could not be killed.", left.len()))
    }

    /// Starts it again, as it was.
    pub fn start_again(&mut self) -> Result<(), String> {
        let server = or_sentence(|| self.again.clone().start());
        self.b2b = Some(server.map_err(|error| format!("The server with the module does not start again: {error}"))?);
        Ok(())
    }

    /// Kills all processes of the presence server.
    pub fn kill_presence(&self) {
        self.presence.server.signal_all(libc::SIGKILL);
    }

    /// Starts it again, as it was.
    pub fn start_presence_again(&mut self) -> Result<(), String> {
        let failed = |error| format!("The presence server does not start again: {error}");
        let gone = || members(self.presence.server.pid()).is_empty().then_some(());
        until(GONE, gone).ok_or_else(|| failed("it is still there.".into()))?;
        let new = or_sentence(|| self.presence.again.clone().start()).map_err(failed)?;
        let old = std::mem::replace(&mut self.presence.server, new);
        or_sentence(|| old.ends(GONE, |_| String::new()))?.map_err(|_| failed("the old one is still there.".into()))
    }

    /// The state of the breaker of the only destination.
    pub fn breaker(&self) -> Result<String, String> {
        let rows = self.rpc("presence_b2b.destinations", json!([]))?;
        Ok(rows[0]["state"].as_str().unwrap_or_default().to_owned())
    }

    /// The newest events of a subscription.
    pub fn history(&self, id: u64) -> Result<Vec<Rung>, String> {
        Ok(ladder::read(&self.rpc("presence_b2b.history", json!([id]))?))
    }

    /// Stops both; an error if one did not end well or logged what must never happen.
    pub fn close(self) -> Result<(), String> {
        let b2b = or_sentence(|| self.b2b.map_or((), Server::stop));
        // A server that was killed fails to stop; the publisher, if it ended with that, would print all of its messages.
        let presence = self.presence.server;
        let presence = or_sentence(|| presence.stop());
        b2b.map_err(|error| format!("The server with the module: {error}"))
            .and(presence.map_err(|error| format!("The presence server: {error}")))
    }

    fn rpc(&self, method: &str, params: Value) -> Result<Value, String> {
        let Some(b2b) = &self.b2b else { return Err(format!("{method}: the server with the module does not run.")) };
        or_sentence(|| b2b.rpc(method, params))?.map_err(|error| format!("{method} answered: {error}"))
    }
}

/// The server with the module, which keeps its subscriptions in the database of this folder.
fn storing(folder: &TempDir) -> Builder {
    let server = Server::b2b().module("db_sqlite").b2b_param("db_url", database::url(folder.path()));
    let server = server.b2b_param("db_mode", 1).b2b_param("min_resubscribe_time", 0).b2b_param("history", EVENTS);
    // A dead server is found out in a second, and asked again a second later.
    let server = server.modparam("tm", "fr_timer", 1000).b2b_param("on_error_retry_time", 1);
    server.b2b_param("breaker_failures", 1).b2b_param("breaker_time", 1).b2b_param("failure_backoff_max", 1)
}

/// It copies every SIP message to the demo. All of its UDP is in one process, so the copies come in the order of the
/// messages; at the other end they would not, because several processes share the work there.
fn presence_server(b2b: Ipv4Addr) -> Result<(PresenceServer, Ears), String> {
    let builder = or_sentence(|| PresenceServer::builder().sqlite())?;
    let ears = Ears::open(builder.ip(), b2b).map_err(|error| format!("no socket for its reports ({error})."))?;
    // Its subscriptions, too, are there after kill -9.
    let builder = builder.param("presence", "subs_db_mode", 1).server(|server| copying(server, &ears));
    let builder = match env::var(SWALLOW) {
        Ok(user) => builder.server(|server| server.route(&swallowing(&user))),
        Err(_) => builder,
    };
    Ok((or_sentence(|| builder.start())?, ears))
}

/// With a copy of every SIP message to the demo.
pub fn copying(server: Builder, ears: &Ears) -> Builder {
    server
        .module("siptrace")
        .modparam("siptrace", "trace_on", 1)
        .modparam("siptrace", "trace_mode", 1)
        .modparam("siptrace", "hep_mode_on", 1)
        .modparam("siptrace", "hep_version", 3)
        .modparam("siptrace", "trace_to_database", 0)
        .modparam("siptrace", "duplicate_uri", format!("sip:{}", ears.copies))
}

/// What begins the routing of a server that forgets what is published for this user.
fn swallow(user: &str) -> String {
    format!(
        r#"if (is_method("PUBLISH") && $rU == "{user}") {{
        append_to_reply("SIP-ETag: swallowed\r\nExpires: 3600\r\n");
        sl_send_reply("200", "OK");
        exit;
    }}"#
    )
}

/// The same, for the test of the demo; nothing otherwise.
pub fn swallow_if_asked() -> String {
    env::var(SWALLOW).map(|user| swallow(&user)).unwrap_or_default()
}

fn swallowing(user: &str) -> String {
    let swallow = swallow(user);
    format!(
        r#"request_route {{
    {swallow}
    if (!is_method("PUBLISH|SUBSCRIBE") || !t_newtran()) {{
        sl_send_reply("405", "Method Not Allowed");
        exit;
    }}
    if (is_method("PUBLISH")) {{
        handle_publish();
    }} else {{
        handle_subscribe();
    }}
    t_release();
}}"#
    )
}
