//! The neighbours, each configured as it is best: pua in memory only, with pua_reginfo and with pua_rpc.

use std::fs::File;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::compare::Failure;
use crate::message::BODY;
use crate::notifier::Document;
use crate::servers::{self, MAIN, Way};
use crate::support::config::Builder;

/// Has pua subscribe to what the Request-URI names, and takes the NOTIFYs.
pub const PUA_REGINFO: Way = Way {
    name: "pua_reginfo",
    port: MAIN,
    script: r#"if (is_method("NOTIFY")) { if (reginfo_handle_notify("location")) { sl_send_reply("200", "OK"); } exit; }
        reginfo_subscribe("$ru"); exit;"#,
};
/// The same through pua_rpc, which leaves NOTIFYs to others.
pub const PUA_RPC: Way = Way {
    name: "pua_rpc",
    port: MAIN,
    script: r#"if (is_method("NOTIFY")) { sl_send_reply("200", "OK"); exit; }
        jsonrpc_exec('{"jsonrpc": "2.0", "method": "pua.subscribe", "params": ["$ru", "$fu", "presence", 3600], "id": 1}');
        exit;"#,
};

/// Where Debian's `kamailio-sqlite-modules` keeps the table definitions.
const TABLES: &str = "/usr/share/kamailio/db_sqlite";

/// A server with pua_reginfo, and the folder of its database.
pub fn pua_reginfo() -> Result<(Builder, TempDir), Failure> {
    let (builder, data) = pua(PUA_REGINFO)?;
    let address = format!("sip:watcher@{}", builder.ip());
    let builder = builder
        .module("usrloc")
        .module("pua_reginfo")
        .modparam("pua_reginfo", "publish_reginfo", 0)
        .modparam("pua_reginfo", "default_domain", "notifier.invalid")
        .modparam("pua_reginfo", "server_address", address);
    Ok((builder, data))
}

/// A server with pua_rpc, and the folder of its database.
pub fn pua_rpc() -> Result<(Builder, TempDir), Failure> {
    let (builder, data) = pua(PUA_RPC)?;
    Ok((builder.module("pua_rpc"), data))
}

/// A server with pua. pua wants a database even where it keeps all in memory; it only reads it once, as long as
/// `update_period` is 0. With the remote contact checked it would not find its own record when a reply comes.
fn pua(way: Way) -> Result<(Builder, TempDir), Failure> {
    let data = TempDir::with_prefix("pua-")?;
    let file = data.path().join("pua.sqlite");
    for tables in ["standard-create.sql", "presence-create.sql"] {
        let definitions = File::open(Path::new(TABLES).join(tables))?;
        let made = Command::new("sqlite3").arg(&file).stdin(definitions).status()?;
        if !made.success() {
            return Err(format!("sqlite3 could not make the tables of {tables}").into());
        }
    }
    let builder = servers::plain(&[way])
        .module("db_sqlite")
        .module("pua")
        .modparam("pua", "db_url", format!("sqlite:///{}", file.display()))
        .modparam("pua", "db_mode", 0)
        .modparam("pua", "update_period", 0)
        .modparam("pua", "hash_size", 16)
        .modparam("pua", "check_remote_contact", 0);
    Ok((builder, data))
}

/// The document that pua's NOTIFYs carry: of the size of the others'.
pub fn reginfo() -> Document {
    let head = "<?xml version=\"1.0\"?>\r\n<reginfo xmlns=\"urn:ietf:params:xml:ns:reginfo\" version=\"0\" state=\"full\">\r\n\
                <registration aor=\"sip:alice@notifier.invalid\" id=\"a1\" state=\"active\">\r\n\
                <contact id=\"c1\" state=\"active\" event=\"registered\" expires=\"3600\" callid=\"c1@notifier.invalid\" cseq=\"1\">\
                <uri>sip:alice@192.0.2.7</uri></contact>\r\n</registration>\r\n";
    let tail = "</reginfo>\r\n";
    let text = format!("{head}{}{tail}", " ".repeat(BODY.saturating_sub(head.len() + tail.len())));
    Document { event: "reg", content_type: "application/reginfo+xml", text }
}
