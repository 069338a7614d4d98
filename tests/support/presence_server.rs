//! A real presence server: Kamailio with `presence` and `presence_xml`, in memory or on SQLite.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;

use tempfile::TempDir;

use super::config::{Builder, Value};
use super::endpoint::{Endpoint, Received, Transport};
use super::kamailio::Server;
use super::pidf::PIDF;
use super::wait::SOON;

/// Where Debian's `kamailio-sqlite-modules` keeps the table definitions.
const TABLES: &str = "/usr/share/kamailio/db_sqlite";

/// Where Debian's `kamailio` keeps those of db_text.
const TEXT_TABLES: &str = "/usr/share/kamailio/dbtext/kamailio";

const ROUTE: &str = r#"
request_route {
    if (is_method("PUBLISH|SUBSCRIBE")) {
        if (!t_newtran()) {
            sl_reply_error();
            exit;
        }
        if (is_method("PUBLISH")) {
            handle_publish();
        } else {
            handle_subscribe();
        }
        t_release();
        exit;
    }
    sl_send_reply("405", "Method Not Allowed");
}
"#;

/// The same with a server of resource lists, which sends SUBSCRIBEs to the presence server beside it.
const LISTS: &str = r#"
request_route {
    if (!t_newtran()) {
        sl_reply_error();
        exit;
    }
    if (is_method("PUBLISH")) {
        handle_publish();
    } else if (is_method("SUBSCRIBE")) {
        $var(code) = rls_handle_subscribe();
        if ($var(code) == 10) {
            handle_subscribe();
        }
    } else if (is_method("NOTIFY")) {
        rls_handle_notify();
    }
    t_release();
}
"#;

/// Who the lists belong to: the user and the domain of the watcher that asks for them.
const OWNER: [&str; 2] = ["watcher", "example.org"];

/// The same with authentication: first to a proxy, if there is one, then to the server itself.
const GUARDED: &str = r#"
request_route {
    if (is_method("SUBSCRIBE")) {
        PROXY
        if (!pv_www_authenticate("{realm}", "{password}", "0") || $au != "{user}") {
            xlog("L_NOTICE", "GUARD challenges $cs $hdr(Authorization)\n");
            www_challenge("{realm}", "{qop}");
            exit;
        }
        xlog("L_NOTICE", "GUARD admits $cs $hdr(Authorization)\n");
    }
    route(PRESENCE);
}
"#;

const GUARDED_PROXY: &str = r#"
        if (!pv_proxy_authenticate("{realm}", "{password}", "0") || $au != "{user}") {
            xlog("L_NOTICE", "PROXY challenges $cs $hdr(Proxy-Authorization)\n");
            proxy_challenge("{realm}", "{qop}");
            exit;
        }
"#;

/// The users that may subscribe.
#[derive(Clone, Copy)]
pub struct Credentials<'a> {
    /// The realm that challenges.
    pub realm: &'a str,
    /// User name.
    pub user: &'a str,
    /// Password.
    pub password: &'a str,
    /// Whether a proxy of the same realm challenges as well, before the server does.
    pub proxy: bool,
    /// The quality of protection that is asked for.
    pub qop: Qop,
}

/// Quality of protection, as `auth` numbers them. It can ask for `auth-int` too, but does not hash the body when it checks
/// the answer: no right one is accepted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Qop {
    /// None: RFC 2069.
    None,
    /// `auth`, with the uses of each nonce counted.
    Auth,
}

/// Describes a presence server; [`PresenceBuilder::start`] starts it.
pub struct PresenceBuilder {
    server: Builder,
    database: bool,
    packages: &'static [&'static str],
    lists: Option<String>,
}

impl PresenceBuilder {
    /// All state on SQLite in place of memory.
    pub fn sqlite(mut self) -> PresenceBuilder {
        self.database = true;
        self
    }

    /// With these modules, which add event packages to `presence` and need it to be there before them.
    pub fn packages(mut self, modules: &'static [&'static str]) -> PresenceBuilder {
        self.packages = modules;
        self
    }

    /// A server of resource lists (`rls`) as well, with this list called `friends` of `sip:watcher@example.org`: users of this server.
    pub fn list(mut self, users: &[&str]) -> PresenceBuilder {
        self.lists = Some(services(self.ip(), users));
        self.sqlite()
    }

    /// 1 (which is the default): every watcher is active. 0 asks the `xcap` table and needs SQLite.
    pub fn force_active(self, yes: i64) -> PresenceBuilder {
        self.param("presence_xml", "force_active", yes)
    }

    /// The shortest subscription or publication it takes; shorter ones get 423.
    pub fn min_expires(self, seconds: i64) -> PresenceBuilder {
        self.param("presence", "min_expires", seconds)
    }

    /// The longest subscription or publication it grants.
    pub fn max_expires(self, seconds: i64) -> PresenceBuilder {
        self.param("presence", "max_expires", seconds)
    }

    /// Kamailio's `auth` guards it: only this user may subscribe.
    pub fn credentials(self, credentials: Credentials<'_>) -> PresenceBuilder {
        let guarded = GUARDED.replace("PROXY\n", if credentials.proxy { GUARDED_PROXY } else { "\n" });
        let guarded = guarded
            .replace("{realm}", credentials.realm)
            .replace("{user}", credentials.user)
            .replace("{password}", credentials.password);
        let guarded = guarded.replace("{qop}", &(credentials.qop as u8).to_string());
        let guard = self.server(|server| server.module("auth")).behind(&guarded);
        match credentials.qop {
            Qop::Auth => guard.param("auth", "qop", "auth").param("auth", "nonce_count", 1),
            Qop::None => guard,
        }
    }

    /// Another `request_route` comes first: it goes on with `route(PRESENCE)`.
    pub fn behind(self, request_route: &str) -> PresenceBuilder {
        let inner = ROUTE.replace("request_route", "route[PRESENCE]");
        self.server(|server| server.route(request_route).route(&inner))
    }

    /// Any module parameter.
    pub fn param(self, module: &str, name: &str, value: impl Into<Value>) -> PresenceBuilder {
        self.server(|server| server.modparam(module, name, value))
    }

    /// The address the server will have.
    pub fn ip(&self) -> Ipv4Addr {
        self.server.ip()
    }

    /// Anything else that a server can have. A `request_route` replaces the built-in one.
    pub fn server(mut self, change: impl FnOnce(Builder) -> Builder) -> PresenceBuilder {
        self.server = change(self.server);
        self
    }

    /// Starts it.
    pub fn start(self) -> PresenceServer {
        let data = TempDir::with_prefix("presence-").expect("a folder for the database");
        let mut server = self.server;
        if self.database {
            let file = data.path().join("presence.sqlite");
            create_database(&file);
            let url = format!("sqlite:///{}", file.display());
            if let Some(lists) = &self.lists {
                keep_list(&file, lists);
                let address = format!("sip:rls@{}:5060", server.ip());
                server = server
                    .module("db_text")
                    .module("pua")
                    .module("rls")
                    .modparam("pua", "db_url", url.clone())
                    .route(LISTS);
                // With db_sqlite a process of rls 5.6.3 died with signal 11: perhaps because db_sqlite has no affected_rows.
                let tables = format!("text://{}", copy_text_tables(data.path()).display());
                server = server.modparam("rls", "db_url", tables.clone());
                server = server.modparam("rls", "rlpres_db_url", tables).modparam("rls", "xcap_db_url", url.clone());
                server = server.modparam("rls", "server_address", address);
                server = server.modparam("rls", "integrated_xcap_server", 1).modparam("rls", "to_presence_code", 10);
                server = server.modparam("rls", "waitn_time", 1).modparam("rls", "notifier_poll_rate", 10);
            }
            server = server.module("db_sqlite").modparam("presence", "db_url", url.clone()).modparam(
                "presence_xml",
                "db_url",
                url,
            );
        } else {
            server = server.modparam("presence", "subs_db_mode", 0).modparam("presence", "publ_cache", 2);
            // Said when a watcher is told of a PUBLISH at the moment its own SUBSCRIBE, in another process, ends or
            // replaces its entry: that answer brings the state.
            server = server.allow_log("notify(): updating subscription record in hash table");
            server = server.allow_log("publ_notify(): Could not send notify for presence");
        }
        // Told only to look at the To tag, it would end any of the subscriptions that are in one place of its table, as those
        // of a record always are and of others sometimes: its tags are all the same for a peer that leaves the port 5060 out
        // of Via, as Kamailio does.
        let server = server.modparam("presence", "subs_remove_match", 1);
        let server =
            server.module("presence").module("presence_xml").modparam("presence_xml", "integrated_xcap_server", 1);
        let server = self.packages.iter().fold(server, |server, module| server.module(module));
        let server = if server.has_request_route() { server } else { server.route(ROUTE) };
        let again = server.clone();
        PresenceServer {
            server: server.start(),
            again,
            publisher: Endpoint::udp(),
            etags: Mutex::default(),
            _data: data,
        }
    }
}

/// A running presence server and a client that publishes to it.
pub struct PresenceServer {
    /// The Kamailio.
    pub server: Server,
    /// The same, to start it again at the same address once it is gone.
    pub again: Builder,
    publisher: Endpoint,
    etags: Mutex<HashMap<String, String>>,
    _data: TempDir,
}

impl PresenceServer {
    /// A presence server to describe: in memory, every watcher active. It has one worker for UDP and one for TCP: two
    /// writers on SQLite would meet "database is locked", and two workers may send a watcher's NOTIFYs out of order.
    pub fn builder() -> PresenceBuilder {
        // A NOTIFY that the last one overtakes in the module's workers gets 481, after which presence removes once more what
        // the unsubscription has removed.
        let server =
            Server::builder().children(1).allow_log("delete_subs(): Failed to delete subscription from memory");
        PresenceBuilder { server, database: false, packages: &[], lists: None }.force_active(1)
    }

    /// A presence server with nothing special.
    pub fn start() -> PresenceServer {
        PresenceServer::builder().start()
    }

    /// The address of record of `user`, reached over UDP.
    pub fn uri(&self, user: &str) -> String {
        self.server.uri(user)
    }

    /// The address of record of `user`, reached over `transport`.
    pub fn uri_over(&self, user: &str, transport: Transport) -> String {
        format!("{}{}", self.server.uri(user), transport.uri_param())
    }

    /// Publishes a document as the presence of `user`: the first one, or in place of the one before.
    pub fn publish(&self, user: &str, document: &str) {
        let answer = self.publish_for(user, document, 3600);
        assert_eq!(answer.status(), 200, "PUBLISH for {user}: {}", answer.message);
    }

    /// Publishes a document of another package as the state of `user`: the first one, or in place of the one before.
    pub fn publish_as(&self, package: &str, content_type: &str, user: &str, document: &str) {
        let answer = self.send_publish(package, user, Some((content_type, document)), 3600);
        assert_eq!(answer.status(), 200, "PUBLISH of {package} for {user}: {}", answer.message);
    }

    /// Publishes for `expires` seconds and returns the answer, whatever it is.
    pub fn publish_for(&self, user: &str, document: &str, expires: u32) -> Received {
        self.send_publish("presence", user, Some((PIDF, document)), expires)
    }

    /// Takes back what was published for `user`.
    pub fn unpublish(&self, user: &str) {
        self.unpublish_as("presence", user);
    }

    /// Takes back what was published for `user` in another package.
    pub fn unpublish_as(&self, package: &str, user: &str) {
        let answer = self.send_publish(package, user, None, 0);
        assert_eq!(answer.status(), 200, "PUBLISH of {package} for {user}: {}", answer.message);
    }

    fn send_publish(&self, package: &str, user: &str, document: Option<(&str, &str)>, expires: u32) -> Received {
        let uri = self.uri(user);
        let published = format!("{package} {user}");
        let mut etags = self.etags.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let mut request =
            self.publisher.fresh_request("PUBLISH", &uri, &uri, &uri).with("Event", package).with("Expires", expires);
        if let Some(etag) = etags.get(&published) {
            request = request.with("SIP-If-Match", etag);
        }
        if let Some((content_type, document)) = document {
            request = request.with_body(content_type, document);
        }
        let answer = self.publisher.exchange(&request, self.server.addr(), SOON);
        if expires == 0 {
            etags.remove(&published);
        } else if let Some(etag) = answer.header("SIP-ETag") {
            etags.insert(published, etag.to_owned());
        }
        answer
    }

    /// Stops the server as [`Server::stop`] does.
    pub fn stop(self) {
        self.server.stop();
    }
}

/// The tables of presence and presence_xml, by the SQL that comes with the database module. The file remembers that it
/// is in WAL mode; asking for it again in every process (`db_set_journal_mode`) now and then finds the database locked.
pub fn create_database(file: &Path) {
    let mut sql = String::from("PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF; BEGIN;\n");
    for tables in ["standard", "presence"] {
        let path = format!("{TABLES}/{tables}-create.sql");
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
        let _ = writeln!(sql, "{text}");
    }
    sql.push_str("COMMIT;\n");
    execute(file, &sql);
}

/// The document of list services (RFC 4826).
fn services(ip: Ipv4Addr, users: &[&str]) -> String {
    let entries: String = users.iter().map(|user| format!("<rl:entry uri=\"sip:{user}@{ip}\"/>")).collect();
    format!(
        "<rls-services xmlns=\"urn:ietf:params:xml:ns:rls-services\" xmlns:rl=\"urn:ietf:params:xml:ns:resource-lists\">\
         <service uri=\"sip:friends@{ip}\"><list>{entries}</list><packages><package>presence</package></packages></service>\
         </rls-services>"
    )
}

/// The tables of `rls` for db_text, in a folder of their own.
fn copy_text_tables(data: &Path) -> PathBuf {
    let folder = data.join("text");
    std::fs::create_dir(&folder).expect("a folder");
    for table in ["version", "rls_presentity", "rls_watchers"] {
        let from = Path::new(TEXT_TABLES).join(table);
        std::fs::copy(&from, folder.join(table)).unwrap_or_else(|error| panic!("{}: {error}", from.display()));
    }
    folder
}

fn keep_list(file: &Path, services: &str) {
    let [user, domain] = OWNER;
    // 8 is a document of list services.
    execute(
        file,
        &format!(
            "PRAGMA busy_timeout=5000; DELETE FROM xcap; INSERT INTO xcap (username, domain, doc, doc_type, etag, source, doc_uri, port) \
             VALUES ('{user}', '{domain}', '{services}', 8, 'e', 0, 'lists', 0);\n"
        ),
    );
}

fn execute(file: &Path, sql: &str) {
    let mut sqlite = Command::new("sqlite3")
        .arg("-bail")
        .arg(file)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("sqlite3 can be executed");
    sqlite.stdin.take().expect("a pipe").write_all(sql.as_bytes()).expect("sqlite3 reads");
    assert!(sqlite.wait().expect("sqlite3 ends").success(), "sqlite3 did not change {}", file.display());
}
