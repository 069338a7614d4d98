//! A socket of a server under test, and what its peer sees leave from there.

use std::net::{IpAddr, SocketAddr};

use super::address::SIP_PORT;
use super::endpoint::{Received, Transport};
use super::kamailio::Server;
use super::notifier::{Dialog, Notifier, Notify};
use super::shm::leaves_nothing;
use super::wait::SOON;

/// The SIP port of this address.
pub fn sip_port(ip: impl Into<IpAddr>) -> SocketAddr {
    (ip, SIP_PORT).into()
}

/// A socket of the server under test: where it is, and what it says of itself.
#[derive(Clone)]
pub struct Side {
    pub addr: SocketAddr,
    pub contact: String,
}

impl Side {
    pub fn new(transport: Transport, addr: SocketAddr) -> Side {
        Side { addr, contact: format!("<sip:{addr}{}>", transport.uri_param()) }
    }

    /// Asserts that a SUBSCRIBE left through this socket and says so.
    pub fn assert_sent(&self, subscribe: &Received, what: &str) {
        assert_eq!(subscribe.headers("Contact"), [&self.contact[..]], "Contact of {what}");
        assert_eq!(subscribe.from.ip(), self.addr.ip(), "source of {what}");
        if subscribe.need("Via").starts_with("SIP/2.0/UDP") {
            assert_eq!(subscribe.from, self.addr, "source of {what}");
        }
    }

    /// Sends a NOTIFY to the socket behind the Contact; the answer must name the same Contact.
    pub fn notify(&self, dialog: &mut Dialog, notify: Notify) {
        dialog.via_hop(self.addr);
        let answer = dialog.notify(notify);
        assert_eq!((answer.status(), answer.headers("Contact")), (200, vec![&self.contact[..]]), "{}", answer.message);
    }

    /// Subscribes to `record`, whose SUBSCRIBE arrives at `notifier` from here, and has it active.
    pub fn watch(&self, server: &Server, notifier: &Notifier, record: &str) -> (u64, Dialog) {
        let id = server.subscribe(record, &server.uri("watcher"));
        let first = notifier.expect_subscribe(SOON);
        assert_eq!(first.uri(), record);
        self.assert_sent(&first, "the first SUBSCRIBE");
        let mut dialog = notifier.dialog(&first);
        dialog.accept(&first, 600);
        self.notify(&mut dialog, Notify::active(600));
        (id, dialog)
    }

    /// Has a refresh sent, which must leave from here.
    pub fn refresh(&self, server: &Server, id: u64, dialog: &mut Dialog) -> Received {
        server.refresh(id);
        let refresh = dialog.expect_subscribe(SOON);
        self.assert_sent(&refresh, "the refresh");
        assert_eq!(refresh.uri(), dialog.contact);
        dialog.accept(&refresh, 600);
        // Over another connection, the NOTIFY may overtake it.
        server.show_when(id, "the 2xx is in", |shown| shown["state"] == "confirmed");
        self.notify(dialog, Notify::active(600));
        refresh
    }

    /// A whole life: all that is sent in it leaves from here, and it leaves nothing behind.
    pub fn lives(&self, server: &Server, notifier: &Notifier) {
        leaves_nothing(server, || {
            let (id, mut dialog) = self.watch(server, notifier, &notifier.uri("alice"));
            self.refresh(server, id, &mut dialog);
            self.end(server, id, &mut dialog);
        });
    }

    /// Unsubscribes; the SUBSCRIBE with Expires 0 must leave from here.
    pub fn end(&self, server: &Server, id: u64, dialog: &mut Dialog) {
        server.unsubscribe(id);
        let last = dialog.expect_subscribe(SOON);
        assert_eq!(last.header("Expires"), Some("0"));
        self.assert_sent(&last, "the unsubscribe");
        dialog.accept(&last, 0);
        self.notify(dialog, Notify::terminated("timeout", 0));
        server.await_no_subscription();
    }
}
