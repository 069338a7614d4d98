//! Rows of a table that publish.

use std::collections::HashMap;

use super::{count, on, tell};
use crate::provisioning::{TABLE, counts, read, reload, row, schema};
use crate::support::database::{change, sqlite, url};
use crate::support::notifier::{Dialog, Notifier};
use crate::support::phone::Phone;
use crate::support::sip::Message;
use crate::support::wait::SOON;

/// Accepts the subscription to a user.
fn accept(notifier: &Notifier, user: &str) -> Dialog {
    let wanted = |message: &Message| {
        let is_initial = message.method() == "SUBSCRIBE" && message.param("To", "tag").is_none();
        is_initial && message.uri().contains(&format!("{user}@"))
    };
    notifier.accept(&notifier.endpoint.wait_for(SOON, wanted).expect("a SUBSCRIBE"), 3600)
}

#[test]
fn rows_may_exchange_their_users() {
    let notifier = Notifier::udp();
    let ip = crate::support::address::own_ip();
    let record = |user: &str| notifier.uri(user);
    let published = |user: &str, lamp: &str| {
        row(&record(user), "sip:b2b@example.org", "dialog", &format!("publish_as=\"sip:{lamp}@{ip}\""))
    };
    let rows = [("alice", "one"), ("bob", "two"), ("carol", "three")];
    let all: String = rows.iter().map(|(user, lamp)| published(user, lamp)).collect();
    let database = sqlite(&(schema() + &all));
    let server = on(&["db_sqlite"])
        .at(ip)
        .modparam("presence", "subs_db_mode", 0)
        .modparam("presence", "publ_cache", 2)
        .b2b_param("db_url", url(database.path()))
        .b2b_param("provision_table", TABLE)
        .start();
    assert_eq!(counts(&read(&server)), [3, 0, 0, 0, 0, 0]);
    let mut dialogs: HashMap<&str, Dialog> = rows.iter().map(|(user, _)| (*user, accept(&notifier, user))).collect();
    let mut lamps: HashMap<&str, Phone> =
        rows.iter().map(|(_, lamp)| (*lamp, Phone::watch(server.addr(), &server.uri(lamp), "dialog"))).collect();
    for (user, state) in [("alice", "early"), ("bob", "confirmed"), ("carol", "trying")] {
        tell(dialogs.get_mut(user).expect("a dialog"), 1, Some(state));
    }
    for (lamp, state) in [("one", "early"), ("two", "confirmed"), ("three", "trying")] {
        lamps.get_mut(lamp).expect("a lamp").await_lamp(state);
    }
    // Two exchange their lamps, and another record comes to the third one's.
    let exchanged = published("alice", "two") + &published("bob", "one") + &published("dave", "three");
    change(database.path(), &format!("DELETE FROM {TABLE};\n{exchanged}"));
    let [added, changed, kept, ended, _, skipped] = counts(&reload(&server));
    assert_eq!((added + changed, kept, ended, skipped), (3, 0, 1, 0));
    for (user, state) in [("alice", "early"), ("bob", "confirmed"), ("dave", "proceeding")] {
        let mut dialog = accept(&notifier, user);
        tell(&mut dialog, 1, Some(state));
        dialogs.insert(user, dialog);
    }
    for (lamp, state) in [("two", "early"), ("one", "confirmed"), ("three", "proceeding")] {
        lamps.get_mut(lamp).expect("a lamp").await_lamp(state);
    }
    assert_eq!(count(&server, "publications"), 3);
    server.stop();
}
