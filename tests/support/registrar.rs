//! A phone that registers with the server under test, and the location service there.

use tempfile::TempDir;

use super::config::Builder;
use super::database;
use super::endpoint::{Endpoint, fresh};
use super::kamailio::Server;
use super::wait::SOON;

impl Builder {
    /// With the registrar and the location service, which looks for expired contacts each second.
    pub fn registrar(self) -> Builder {
        let server = self.module("usrloc").module("registrar");
        server.modparam("usrloc", "timer_interval", 1).modparam("registrar", "min_expires", 1)
    }
}

/// Where Debian's `kamailio-sqlite-modules` keeps the table definitions.
const TABLES: &str = "/usr/share/kamailio/db_sqlite";

/// One user's phone.
pub struct UserPhone {
    /// Where it sends from.
    pub endpoint: Endpoint,
    /// Its address of record.
    pub aor: String,
    call_id: String,
    cseq: u32,
}

impl UserPhone {
    /// Of this user, whose address of record is in this domain.
    pub fn of(user: &str, domain: &str) -> UserPhone {
        let aor = format!("sip:{user}@{domain}");
        UserPhone { endpoint: Endpoint::udp(), aor, call_id: fresh("reg-"), cseq: 0 }
    }

    /// Its Contact, with nothing behind the URI.
    pub fn contact(&self) -> String {
        self.endpoint.uri("phone")
    }

    /// Registers with these Contact headers; `*` with an Expires of 0. The status of the answer.
    pub fn register_with(&mut self, server: &Server, contacts: &[&str], headers: &[(&str, &str)]) -> u16 {
        self.cseq += 1;
        let registrar = format!("sip:{}", server.addr());
        let mut request = self.endpoint.request("REGISTER", &registrar);
        request = request
            .with("From", format!("<{}>;tag={}", self.aor, fresh("f")))
            .with("To", format!("<{}>", self.aor))
            .with("Call-ID", &self.call_id)
            .with("CSeq", format!("{} REGISTER", self.cseq));
        for contact in contacts {
            request = request.with("Contact", *contact);
        }
        for (name, value) in headers {
            request = request.with(name, *value);
        }
        self.endpoint.exchange(&request, server.addr(), SOON).status()
    }

    /// Registers its one contact for so many seconds; 0 takes it away.
    pub fn register(&mut self, server: &Server, expires: u32, headers: &[(&str, &str)]) {
        let contact = format!("<{}>;expires={expires}", self.contact());
        assert_eq!(self.register_with(server, &[&contact], headers), 200);
    }
}

/// A database of SQLite for the location service, and its URL. It goes when the folder is dropped.
pub fn location_database() -> (TempDir, String) {
    let read = |part: &str| format!(".read {TABLES}/{part}-create.sql\n");
    let dir = database::sqlite(&(read("standard") + &read("usrloc")));
    let url = database::url(dir.path());
    (dir, url)
}
