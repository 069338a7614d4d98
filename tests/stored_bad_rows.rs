//! Rows of stored subscriptions that cannot be used.

use std::net::Ipv4Addr;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::stored::{folder, settled, storing};
use crate::support::b2b::farewell;
use crate::support::database::{change, rows};
use crate::support::kamailio::Server;
use crate::support::notifier::{Dialog, Notifier};
use crate::support::wait::SOON;

/// What is said of each row that is skipped.
const SKIPPED: &str = "is skipped: ";

/// All that a row has, as SQLite writes it: texts with their bytes.
const WHOLE: &str = "SELECT id, quote(record), quote(subscriber), quote(package), quote(options), quote(tie), quote(origin), quote(state), \
     quote(status), quote(call_id), quote(local_tag), quote(remote_tag), quote(target), quote(route_set), quote(entity_tag), quote(source), \
     quote(led_to), quote(socket), quote(has_flow), quote(local_cseq), quote(remote_cseq), quote(version), quote(expires_at), \
     quote(next_at), quote(sent_at), quote(opened_at), quote(notify_by), quote(requested), quote(min_expires), quote(retries), \
     quote(proxy), quote(marks), quote(root), quote(fork), quote(updated), quote(node), quote(epoch), quote(written) \
     FROM presence_b2b_subscriptions ORDER BY id";

/// A column, and a value of SQL that it cannot have.
const BAD: &[(&str, &str)] = &[
    ("node", "70000"),
    ("node", "'one'"),
    ("epoch", "-1"),
    ("epoch", "9223372036854775807"),
    ("written", "'later'"),
    ("written", "9223372036854775807"),
    ("origin", "'nobody'"),
    ("origin", "'fork'"),
    ("origin", "''"),
    ("record", "''"),
    ("record", "'alice'"),
    ("record", "'sip:a@b' || char(13,10) || 'Injected: yes'"),
    ("record", "'sip:a@b>;x=<sip:y'"),
    ("record", "CAST(X'7369703AFF406E' AS TEXT)"),
    ("record", "X'7369703A6100406E'"),
    ("record", "'http://example.org/'"),
    ("record", "'sip:' || hex(zeroblob(2048)) || '@a'"),
    ("subscriber", "'sip:w@b' || char(10) || 'Injected: yes'"),
    ("subscriber", "'\"x\" <sip:w@b>'"),
    ("subscriber", "NULL"),
    ("package", "'unheard-of'"),
    ("package", "'presence' || char(13,10) || 'Injected: yes'"),
    ("package", "'presence;id=1'"),
    ("options", "'expires=60' || char(13,10) || 'Injected: yes'"),
    ("options", "'injected=yes'"),
    ("options", "'expires=never'"),
    ("options", "hex(zeroblob(3000))"),
    ("tie", "'sip:a@b' || char(0) || 'x'"),
    ("state", "'dead'"),
    ("state", "'local'"),
    ("status", "'ACTIVE'"),
    ("call_id", "''"),
    ("call_id", "'x' || char(13,10) || 'Injected: yes'"),
    ("call_id", "hex(zeroblob(200))"),
    ("local_tag", "''"),
    ("local_tag", "'x;injected=yes'"),
    ("remote_tag", "''"),
    ("remote_tag", "'a b'"),
    ("target", "''"),
    ("target", "'not a uri'"),
    ("target", "'sip:a@127.0.0.1' || char(13,10) || 'Injected: yes'"),
    ("target", "'sip:a@127.0.0.1?Injected=yes%0d%0aX:y'"),
    ("route_set", "'<sip:127.0.0.1;lr>' || char(13,10) || 'Injected: yes'"),
    ("route_set", "'<sip:127.0.0.1;lr>,'"),
    ("route_set", "'injected'"),
    ("entity_tag", "'x y'"),
    ("entity_tag", "char(233,13,10) || 'Injected: yes'"),
    ("source", "'tel:1'"),
    ("led_to", "'a b'"),
    ("socket", "'udp:127.0.0.1:99999'"),
    ("socket", "'udp:1;DROP TABLE x:5060'"),
    ("has_flow", "2"),
    ("local_cseq", "4294967295"),
    ("local_cseq", "-5"),
    ("local_cseq", "1.5"),
    ("remote_cseq", "4294967296"),
    ("version", "'1; DROP TABLE version'"),
    ("expires_at", "-1"),
    ("expires_at", "1e300"),
    ("next_at", "NULL"),
    ("sent_at", "X'00'"),
    ("opened_at", "-9223372036854775808"),
    ("notify_by", "'soon'"),
    ("requested", "4294967296"),
    ("min_expires", "-1"),
    ("retries", "65536"),
    ("proxy", "8"),
    ("marks", "65535"),
    ("marks", "-1"),
    ("root", "1"),
    ("fork", "300"),
    ("fork", "1"),
    ("updated", "NULL"),
];

/// Active subscriptions of a server that has stopped: the address that it had, and their dialogs.
fn kept(dir: &Path, notifier: &Notifier, count: usize) -> (Ipv4Addr, Vec<Dialog>) {
    let server = storing(dir).start();
    let mut dialogs = Vec::new();
    for number in 0..count {
        let id = server.subscribe(&notifier.uri(&format!("u{number}")), &server.uri("watcher"));
        dialogs.push(notifier.activate(&notifier.expect_subscribe(SOON), 600));
        server.await_shown(id, "state", "confirmed");
    }
    settled(&server);
    let ip = server.ip();
    server.stop();
    (ip, dialogs)
}

/// Any value can be in any column from now on, NULL too.
fn loosen(dir: &Path) {
    change(
        dir,
        "CREATE TABLE loose AS SELECT * FROM presence_b2b_subscriptions;
         DROP TABLE presence_b2b_subscriptions;
         ALTER TABLE loose RENAME TO presence_b2b_subscriptions;
         CREATE UNIQUE INDEX ids ON presence_b2b_subscriptions (id);",
    );
}

/// Numbers of the store: restored and skipped.
fn counted(server: &Server) -> (u64, u64) {
    let store = server.rpc("presence_b2b.store", json!([])).expect("an answer");
    let number = |name: &str| store[name].as_u64().expect("a number");
    (number("restored"), number("skipped"))
}

/// Has each subscription refresh, in the dialog that it had, and with nothing added.
fn refreshed(server: &Server, dialogs: &mut [Dialog]) {
    for shown in server.rows("presence_b2b.list") {
        server.refresh(shown["id"].as_u64().expect("an id"));
        let record = shown["record"].as_str().expect("a text").to_owned();
        let dialog = dialogs.iter_mut().find(|dialog| dialog.local.contains(&record)).expect("its dialog");
        let subscribe = dialog.expect_subscribe(SOON);
        assert_eq!(subscribe.header("Injected"), None, "{}", subscribe.message);
        dialog.accept(&subscribe, 600);
    }
}

#[test]
fn a_row_that_cannot_be_used_is_named_and_stays_as_it_is() {
    let (notifier, dir) = (Notifier::udp(), folder());
    let (ip, mut dialogs) = kept(dir.path(), &notifier, BAD.len() + 2);
    loosen(dir.path());
    let ids = rows(dir.path(), "SELECT id FROM presence_b2b_subscriptions ORDER BY record");
    let mut damage = String::new();
    for ((column, value), id) in BAD.iter().zip(&ids) {
        damage += &format!("UPDATE presence_b2b_subscriptions SET {column}={value} WHERE id={id};\n");
    }
    change(dir.path(), &damage);
    let before = rows(dir.path(), WHOLE);

    let server = storing(dir.path()).at(ip).allow_log(SKIPPED).start();
    let text = server.log().text();
    assert_eq!(counted(&server), (2, BAD.len() as u64), "{text}");
    assert_eq!(text.matches(SKIPPED).count(), 10);
    assert!(text.contains(&format!("{} rows are left as they are", BAD.len())));
    refreshed(&server, &mut dialogs);
    settled(&server);
    server.stop();
    assert!(notifier.try_subscribe(Duration::from_millis(200)).is_none());
    let after = rows(dir.path(), WHOLE);
    let changed = before.iter().zip(&after).filter(|(before, after)| before != after).count();
    assert_eq!((before.len(), changed), (after.len(), 2));
}

/// Two rows with all of one dialog: the first one goes on, and the other stays as it is. Rows that only have the same Call-ID are of two dialogs.
#[test]
fn two_rows_with_one_call_id() {
    for (columns, is_twin) in [(&["call_id", "local_tag", "remote_tag"][..], true), (&["call_id"][..], false)] {
        let (notifier, dir) = (Notifier::udp(), folder());
        let (ip, mut dialogs) = kept(dir.path(), &notifier, 2);
        let first = "SELECT min(id) FROM presence_b2b_subscriptions";
        for column in columns {
            let value = format!("SELECT {column} FROM presence_b2b_subscriptions WHERE id=({first})");
            change(dir.path(), &format!("UPDATE presence_b2b_subscriptions SET {column}=({value})"));
        }
        let before = rows(dir.path(), WHOLE);
        let server = storing(dir.path()).at(ip).allow_log(SKIPPED).start();
        let text = server.log().text();
        assert_eq!(counted(&server), if is_twin { (1, 1) } else { (2, 0) }, "{text}");
        let line = "its dialog, columns call_id, local_tag and remote_tag, is that of the row with id ";
        assert_eq!(text.matches(line).count(), usize::from(is_twin), "{text}");
        // The call of the second one has another name now.
        let kept = rows(dir.path(), "SELECT record FROM presence_b2b_subscriptions ORDER BY id");
        let of_first = |dialog: &&mut Dialog| dialog.local.contains(&kept[0]);
        let first = dialogs.iter_mut().find(of_first).expect("its dialog");
        let shown = server.rows("presence_b2b.list");
        let id = shown.iter().find(|shown| shown["record"] == kept[0].as_str()).expect("a subscription")["id"].clone();
        server.refresh(id.as_u64().expect("an id"));
        let refresh = first.expect_subscribe(SOON);
        first.accept(&refresh, 600);
        settled(&server);
        server.stop();
        let after = rows(dir.path(), WHOLE);
        assert_eq!(after.len(), 2);
        if is_twin {
            assert_eq!(before[1], after[1], "it is as it was");
        }
    }
}

/// Rows that are larger than the private memory of the server together, and one that is larger alone, with ids that no subscription can
/// have or that would need all of the shared memory.
#[test]
fn thousands_of_long_rows_are_skipped_and_new_subscriptions_have_room() {
    let (notifier, dir) = (Notifier::udp(), folder());
    let (ip, mut dialogs) = kept(dir.path(), &notifier, 3);
    change(
        dir.path(),
        "CREATE TABLE made AS WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n+1 FROM n WHERE n<3000)
             SELECT * FROM n JOIN (SELECT * FROM presence_b2b_subscriptions LIMIT 1);
         UPDATE made SET id=(n<<32)+4194303-(n%64), options=hex(zeroblob(3000)), tie=hex(zeroblob(3000)), state='dead', n=0;
         UPDATE made SET options=hex(zeroblob(9000000)), record=options WHERE id=(7<<32)+4194303-7;
         UPDATE made SET id=-1 WHERE id=(8<<32)+4194303-8;
         UPDATE made SET id=0 WHERE id=(9<<32)+4194303-9;
         UPDATE made SET id=9223372036854775807 WHERE id=(10<<32)+4194303-10;
         UPDATE made SET id=-9223372036854775808 WHERE id=(11<<32)+4194303-11;
         ALTER TABLE made DROP COLUMN n;
         INSERT INTO presence_b2b_subscriptions SELECT * FROM made;
         DROP TABLE made;",
    );
    let server = storing(dir.path()).at(ip).shm_megabytes(24).hostile().allow_log(SKIPPED);
    let server = server.allow_log("db_").allow_log("memory").start();
    assert_eq!(counted(&server), (3, 3000));
    assert_eq!(server.log().text().matches(SKIPPED).count(), 10);
    refreshed(&server, &mut dialogs);
    for number in 0..200 {
        server.subscribe(&notifier.uri(&format!("new{number}")), &server.uri("watcher"));
        notifier.activate(&notifier.expect_subscribe(SOON), 600);
    }
    settled(&server);
    server.stop();
    assert_eq!(rows(dir.path(), "SELECT count(*), sum(state='dead') FROM presence_b2b_subscriptions"), ["3203|3000"]);
}

/// The rows are of later runs than the next one, as it counts. They change and go all the same.
#[test]
fn rows_can_be_changed_after_the_row_of_the_server_was_deleted() {
    let (notifier, dir) = (Notifier::udp(), folder());
    let (ip, mut dialogs) = kept(dir.path(), &notifier, 3);
    change(
        dir.path(),
        "UPDATE presence_b2b_subscriptions SET epoch=40, written=40<<32; DELETE FROM presence_b2b_nodes;",
    );
    let server = storing(dir.path()).at(ip).start();
    assert_eq!(counted(&server), (3, 0));
    refreshed(&server, &mut dialogs);
    settled(&server);
    let epochs = rows(dir.path(), "SELECT DISTINCT epoch FROM presence_b2b_subscriptions");
    assert_eq!(epochs, ["41"]);
    for shown in server.rows("presence_b2b.list") {
        server.unsubscribe(shown["id"].as_u64().expect("an id"));
    }
    dialogs.iter_mut().for_each(farewell);
    server.await_no_subscription();
    settled(&server);
    server.stop();
    assert_eq!(rows(dir.path(), "SELECT count(*) FROM presence_b2b_subscriptions"), ["0"]);
}

/// The clock was a year ahead when the rows were written, or all was long ago. Nobody believes more than was granted, and what is overdue
/// comes spread.
#[test]
fn instants_of_another_clock_bring_no_storm() {
    const COUNT: usize = 40;
    for move_ms in ["+31536000000", "-31536000000", "*0+9223372036854775807", "*0+1"] {
        let (notifier, dir) = (Notifier::udp(), folder());
        let (ip, _) = kept(dir.path(), &notifier, COUNT);
        let columns = ["expires_at", "next_at", "sent_at", "opened_at", "updated"];
        let sets = columns.map(|column| format!("{column}={column}{move_ms}")).join(",");
        let requested = "requested=4294967295, min_expires=4294967295";
        change(dir.path(), &format!("UPDATE presence_b2b_subscriptions SET {sets}, {requested};"));
        let server = storing(dir.path()).at(ip).b2b_param("total_rate", 10).allow_log("the clock of the day").start();
        let (seen, begun) = (notifier.endpoint.count("SUBSCRIBE"), Instant::now());
        assert_eq!(counted(&server), (COUNT as u64, 0), "{move_ms}");
        for shown in server.rows("presence_b2b.list") {
            let shown = server.show(shown["id"].as_u64().expect("an id"));
            let left = shown["expires_in"].as_i64();
            assert!(left.is_some() || shown["state"] != "confirmed", "{move_ms}: {shown}");
            let left = left.unwrap_or(0);
            assert!(left <= 604_800, "{move_ms}: {shown}");
        }
        std::thread::sleep(Duration::from_secs(2));
        let sent = notifier.endpoint.count("SUBSCRIBE") - seen;
        let most = 10 * (begun.elapsed().as_secs() as usize + 2);
        assert!(sent <= most, "{move_ms}: {sent} SUBSCRIBEs in {:?}", begun.elapsed());
        server.stop();
    }
}
