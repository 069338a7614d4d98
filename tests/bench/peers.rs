//! The neighbours, each configured as it is best: pua in memory only, with pua_reginfo and with pua_rpc; rls with a database
//! in memory.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::compare::{Contender, Failure};
use crate::message::BODY;
use crate::notifier::Notifier;
use crate::population::presence;
use crate::servers::{self, MAIN, Way};
use crate::support::config::Builder;
use crate::support::kamailio::Server;
use crate::writer::Document;

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

/// Answers the NOTIFYs of its back-end subscriptions, and keeps the state in its database.
const RLS: Way = Way { name: "rls_handle_notify", port: MAIN, script: "rls_handle_notify(); exit;" };

/// Where Debian's `kamailio-sqlite-modules` keeps the table definitions.
const TABLES: &str = "/usr/share/kamailio/db_sqlite";
/// Where Debian's `kamailio` keeps the tables for db_text.
const TEXT_TABLES: &str = "/usr/share/kamailio/dbtext/kamailio";
/// Dialogs of a neighbour that answers NOTIFYs: few, as db_text looks through all rows for the one to change.
const DIALOGS: usize = 32;

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

/// A neighbour that answers NOTIFYs, with the dialogs it knows.
pub struct Peer {
    server: Server,
    way: Way,
    name: &'static str,
    notifier: Notifier,
    data: TempDir,
    /// Rows of rls's presentities that it must have written when it ends.
    rows: Option<usize>,
}

impl Peer {
    /// rls with a table of presentities in memory, by db_text. Without bodies it writes nothing there.
    pub fn rls(bodies: bool) -> Result<Peer, Failure> {
        let data = TempDir::with_prefix("rls-")?;
        for table in fs::read_dir(TEXT_TABLES)? {
            let table = table?;
            fs::copy(table.path(), data.path().join(table.file_name()))?;
        }
        // pua reads its dialogs at the start; this is how it comes to those of rls without lists and watchers.
        let mut rows = fs::read_to_string(data.path().join("pua"))?;
        for number in 0..DIALOGS {
            let (call_id, tag) = dialog(number);
            let _ = writeln!(
                rows,
                "{number}:sip\\:r{number}@notifier.invalid:list{number};a;b:1:2000000000:3600:512:e:t:sip\\:w{number}@watcher.invalid:\
                 {call_id}:n{number}:{tag}:1::sip\\:rls@rls.invalid:sip\\:r{number}@notifier.invalid:0:x"
            );
        }
        fs::write(data.path().join("pua"), rows)?;
        let database = format!("text://{}", data.path().display());
        let mut builder = servers::plain(&[RLS]).shm_megabytes(200);
        for module in ["db_text", "presence", "pua", "rls"] {
            builder = builder.module(module);
        }
        for module in ["presence", "pua", "rls"] {
            builder = builder.modparam(module, "db_url", database.as_str());
        }
        let address = format!("sip:rls@{}", builder.ip());
        let server = builder
            .modparam("presence", "server_address", address.as_str())
            .modparam("pua", "update_period", 0)
            .modparam("rls", "server_address", address)
            .modparam("rls", "integrated_xcap_server", 1)
            // Watchers are not told: there are none, and it would look for them.
            .modparam("rls", "waitn_time", 3600)
            .start();
        let (name, document) = match bodies {
            true => ("rls_handle_notify, database in memory", presence()),
            false => ("rls_handle_notify, no body to write", presence().without_body()),
        };
        let rows = Some(if bodies { DIALOGS } else { 0 });
        Ok(Peer { rows, ..Peer::new(server, RLS, name, document, data)? })
    }

    /// pua_reginfo, which puts what it is told into usrloc.
    pub fn reginfo() -> Result<Peer, Failure> {
        let (builder, data) = pua_reginfo()?;
        let server = builder.shm_megabytes(200).start();
        Peer::new(server, PUA_REGINFO, "reginfo_handle_notify + sl_send_reply", reginfo(), data)
    }

    fn new(server: Server, way: Way, name: &'static str, document: Document, data: TempDir) -> Result<Peer, Failure> {
        let notifier = Notifier::new(DIALOGS, 64, document)?;
        for number in 0..DIALOGS {
            let (call_id, tag) = dialog(number);
            notifier.desk().dialogs().learn(number, call_id.as_bytes(), tag.as_bytes());
        }
        Ok(Peer { server, way, name, notifier, data, rows: None })
    }

    /// It, to be compared.
    pub fn contender(&self) -> Contender<'_> {
        let (name, desk) = (self.name.to_owned(), self.notifier.desk().as_ref());
        Contender { name, server: &self.server, way: self.way, desk, records: DIALOGS }
    }

    /// Stops its server; fails when it has not done what it was measured for.
    pub fn stop(self) -> Result<(), Failure> {
        self.server.stop();
        let Some(expected) = self.rows else { return Ok(()) };
        // db_text writes its tables when the server ends.
        let table = fs::read_to_string(self.data.path().join("rls_presentity"))?;
        let rows = table.lines().count().saturating_sub(1);
        if rows == expected { Ok(()) } else { Err(format!("{}: {rows} of {expected} rows", self.name).into()) }
    }
}

/// Call-ID and watcher's tag of a dialog, both as long as those that tm makes.
fn dialog(number: usize) -> (String, String) {
    (format!("{number:08x}5c3f1a7e-1234@192.0.2.1"), format!("{number:08x}b27e9c04-55aa"))
}
