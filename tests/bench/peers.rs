//! The neighbours, each configured as it is best: pua with pua_reginfo, in memory only.

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
pub const PUA: Way = Way {
    name: "pua_reginfo",
    port: MAIN,
    script: r#"if (is_method("NOTIFY")) { if (reginfo_handle_notify("location")) { sl_send_reply("200", "OK"); } exit; }
        reginfo_subscribe("$ru"); exit;"#,
};

/// Where Debian's `kamailio-sqlite-modules` keeps the table definitions.
const TABLES: &str = "/usr/share/kamailio/db_sqlite";

/// A server with pua, and the folder of its database. pua wants one even where it keeps all in memory; it only reads it
/// once, as long as `update_period` is 0.
pub fn pua() -> Result<(Builder, TempDir), Failure> {
    let data = TempDir::with_prefix("pua-")?;
    let file = data.path().join("pua.sqlite");
    for tables in ["standard-create.sql", "presence-create.sql"] {
        let definitions = File::open(Path::new(TABLES).join(tables))?;
        let made = Command::new("sqlite3").arg(&file).stdin(definitions).status()?;
        if !made.success() {
            return Err(format!("sqlite3 could not make the tables of {tables}").into());
        }
    }
    let builder = servers::plain(&[PUA]);
    let address = format!("sip:watcher@{}", builder.ip());
    let builder = builder
        .module("db_sqlite")
        .module("usrloc")
        .module("pua")
        .module("pua_reginfo")
        .modparam("pua", "db_url", format!("sqlite:///{}", file.display()))
        .modparam("pua", "db_mode", 0)
        .modparam("pua", "update_period", 0)
        .modparam("pua", "hash_size", 16)
        .modparam("pua", "check_remote_contact", 0)
        .modparam("pua_reginfo", "publish_reginfo", 0)
        .modparam("pua_reginfo", "default_domain", "notifier.invalid")
        .modparam("pua_reginfo", "server_address", address);
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
