//! Published states in a database of the presence server.

use super::{count, on, published, subscribe, tell};
use crate::stored;
use crate::support::b2b::farewell;
use crate::support::config::Builder;
use crate::support::database::url;
use crate::support::notifier::Notifier;
use crate::support::phone::Phone;
use crate::support::postgres::Postgres;
use crate::support::shm::leaves_nothing_in;
use crate::support::wait::{SOON, eventually};

/// The tables of presence, by the SQL that comes with the database module.
const TABLES: &str = "/usr/share/kamailio/postgres";

fn database() -> Postgres {
    let database = Postgres::start();
    for tables in ["standard", "presence"] {
        let path = format!("{TABLES}/{tables}-create.sql");
        database.run(&std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}")));
    }
    database
}

/// A server whose presence server has all states in a database.
fn bridging(database: &Postgres) -> Builder {
    on(&["db_postgres"]).modparam("presence", "db_url", database.url()).modparam("presence", "subs_db_mode", 1)
}

/// Waits until there are so many: watchers are told before the end of a transaction.
fn await_states(database: &Postgres, wanted: usize) {
    let is_it = format!("(SELECT count(*) FROM presentity) = {wanted}");
    database.run(&format!(
        "DO $$ BEGIN FOR i IN 1..200 LOOP EXIT WHEN {is_it}; PERFORM pg_sleep(0.05); END LOOP; ASSERT {is_it}; END $$;"
    ));
}

#[test]
fn states_are_replaced_and_taken_back() {
    let database = database();
    // The presence server copies its watchers, asks the database for the states, and then tells the copies: it says this of a watcher
    // that has hung up meanwhile.
    let server = bridging(&database)
        .allow_log("notify(): updating subscription record in hash table")
        .allow_log("publ_notify(): Could not send notify for dialog")
        .start();
    let notifier = Notifier::udp();
    leaves_nothing_in(&server, &["presence_b2b"], || {
        let (id, mut dialog) = published(&server, &notifier, "dialog");
        let mut lamp = Phone::watch(server.addr(), &server.uri("desk"), "dialog");
        for (version, state, shown) in [
            (1, Some("early"), "early"),
            (2, Some("terminated"), "off"),
            (101, Some("early"), "early"),
            (102, None, "off"),
            (201, Some("confirmed"), "confirmed"),
        ] {
            tell(&mut dialog, version, state);
            lamp.await_lamp(shown);
            await_states(&database, 1);
        }
        server.end(id, &mut dialog);
        lamp.await_lamp("off");
        lamp.hang_up();
    });
    await_states(&database, 0);
    // The next is there when the server stops.
    let (_, mut dialog) = published(&server, &notifier, "dialog");
    let mut lamp = Phone::watch(server.addr(), &server.uri("desk"), "dialog");
    tell(&mut dialog, 1, Some("confirmed"));
    lamp.await_lamp("confirmed");
    server.stop();
    lamp.await_lamp("off");
    await_states(&database, 0);
}

/// A server that was killed has left a state: the next one replaces it, as its etag is the same.
#[test]
fn a_state_that_was_left_behind_is_replaced() {
    let database = database();
    let notifier = Notifier::udp();
    let server = bridging(&database).start();
    let ip = server.ip();
    let (_, mut dialog) = published(&server, &notifier, "dialog");
    let lamp = Phone::watch(server.addr(), &server.uri("desk"), "dialog");
    tell(&mut dialog, 1, Some("confirmed"));
    let mut lamp = lamp;
    lamp.await_lamp("confirmed");
    await_states(&database, 1);
    server.signal_all(libc::SIGKILL);
    server.ends(SOON, |_| String::new()).expect("all have ended");
    await_states(&database, 1);
    let server = bridging(&database).at(ip).start();
    let options = format!("publish_as=\"{}\"", server.uri("desk"));
    let id = subscribe(&server, &notifier.uri("alice"), "dialog", &options).expect("an id");
    let mut dialog = notifier.accept(&notifier.expect_subscribe(SOON), 3600);
    tell(&mut dialog, 1, Some("early"));
    // Who subscribes while the presence server is in its transaction is told the state before.
    eventually(SOON, "it is published", || (count(&server, "published") == 1).then_some(()));
    let mut late = Phone::watch(server.addr(), &server.uri("desk"), "dialog");
    let shown = late.await_lamp("early");
    assert!(!shown.contains("confirmed"), "{shown}");
    await_states(&database, 1);
    server.unsubscribe(id);
    farewell(&mut dialog);
    late.await_lamp("off");
    assert_eq!(count(&server, "publish_failed"), 0);
    server.stop();
}

/// With a store of subscriptions, a stop takes no state back: it is there until the notifier has said what it is now.
#[test]
fn a_state_stays_while_the_server_restarts() {
    let database = database();
    for how in stored::ENDS {
        let (notifier, dir) = (Notifier::udp(), stored::folder());
        let storing = || {
            let server = bridging(&database).module("db_sqlite");
            server.b2b_param("db_url", url(dir.path())).b2b_param("db_mode", 1)
        };
        let server = storing().start();
        let (id, mut dialog) = published(&server, &notifier, "dialog");
        tell(&mut dialog, 1, Some("confirmed"));
        await_states(&database, 1);
        server.await_shown(id, "state", "confirmed");
        stored::settled(&server);
        let server = storing().at(stored::end(server, how)).start();
        await_states(&database, 1);
        let mut lamp = Phone::watch(server.addr(), &server.uri("desk"), "dialog");
        lamp.await_lamp("confirmed");
        let refresh = dialog.expect_subscribe(SOON);
        assert_eq!(refresh.header("Suppress-If-Match"), None, "{}", refresh.message);
        dialog.accept(&refresh, 3600);
        tell(&mut dialog, 2, Some("early"));
        lamp.await_lamp("early");
        await_states(&database, 1);
        server.end(id, &mut dialog);
        lamp.await_lamp("off");
        await_states(&database, 0);
        stored::no_row_stays(dir.path());
        server.stop();
    }
}
