//! A NOTIFY is answered alike with a transaction and without one, however often it is repeated.

use serde_json::json;

use crate::support::endpoint::Transport;
use crate::support::kamailio::Server;
use crate::support::news::{News, TELL};
use crate::support::notifier::{Dialog, Notifier, Notify};
use crate::support::shm::leaves_nothing;
use crate::support::sip::Message;
use crate::support::wait::{SOON, eventually};
use crate::support::watch::{Watch, told};

/// The script makes no transaction.
const NO_TRANSACTION: &str = r#"request_route {
    if (is_method("NOTIFY")) {
        if (!handle_notify()) sl_send_reply("481", "Subscription does not exist");
        exit;
    }
    sl_send_reply("405", "Method Not Allowed");
}"#;

/// What must not differ: the status of an answer and the headers that the module writes.
type Answer = (u16, [Option<String>; 4]);

/// Transactions that tm has made so far.
fn transactions(server: &Server) -> u64 {
    let stats = server.rpc("tm.stats", json!([])).expect("tm has statistics");
    stats["total"].as_u64().expect("a number")
}

fn say(dialog: &Dialog, request: &Message) -> Answer {
    let answer = dialog.endpoint().exchange(request, dialog.next_hop, SOON);
    let headers = ["Contact", "Accept", "Allow-Events", "Retry-After"];
    // Each subscription has its own notifier, but the module's own Contact is the same for all.
    (answer.status(), headers.map(|name| answer.header(name).map(str::to_owned)))
}

/// A dialog in which everything is said twice, and once more when something else has been said: the answers, the news,
/// and how many transactions there were.
fn converse(server: &Server, transport: Transport) -> (Vec<Answer>, Vec<News>, u64) {
    let notifier = Notifier::new(transport);
    let (mut answers, mut news, mut made) = (Vec::new(), Vec::new(), 0);
    leaves_nothing(server, || {
        answers.clear();
        let before = transactions(server);
        let (watch, mut dialog, _) = Watch::standing(server, &notifier, 600);
        let mut earlier: Option<Message> = None;
        for notify in [
            told(600, "second"),
            Notify::pending(500).body("application/pidf+xml", "no document"),
            told(600, "third").cseq(7),
            Notify::active(600).body("text/plain", "hello").cseq(8),
            Notify::active(600).event("dialog").cseq(9),
            Notify::stateless().cseq(9),
            told(600, "fourth").cseq(12),
            told(600, "late").cseq(6),
            Notify::active(600).cseq(40),
        ] {
            let request = dialog.build(notify);
            answers.push(say(&dialog, &request));
            answers.push(say(&dialog, &request));
            if let Some(earlier) = earlier.replace(request) {
                answers.push(say(&dialog, &earlier));
            }
        }
        // Messages in the queue of an ended subscription are not delivered.
        eventually(SOON, "all that is new has been told", || (watch.news().len() == 5).then_some(()));
        watch.unsubscribe();
        let farewell = dialog.expect_subscribe(SOON);
        dialog.accept(&farewell, 0);
        news = watch.news();
        let last = dialog.build(Notify::terminated("timeout", 0).cseq(41));
        answers.push(say(&dialog, &last));
        watch.await_gone(SOON);
        answers.push(say(&dialog, &last));
        let unknown = dialog.build(told(600, "too late").cseq(42));
        answers.push(say(&dialog, &unknown));
        made = transactions(server) - before;
    });
    (answers, news, made)
}

#[test]
fn the_answers_do_not_differ() {
    // Retransmissions of a NOTIFY reach tm for as long as it keeps the transaction.
    let with = |server: crate::support::config::Builder| server.modparam("tm", "wt_timer", 3000).route(TELL).start();
    let stateful = with(Server::b2b());
    let stateless = with(Server::b2b().route(NO_TRANSACTION));
    let by_parameter = with(Server::b2b().b2b_param("stateless_answers", 0).route(NO_TRANSACTION));
    for transport in [Transport::Udp, Transport::Tcp] {
        let (answers, news, made) = converse(&stateless, transport);
        assert_eq!(made, 3, "two SUBSCRIBEs and the last NOTIFY");
        assert_eq!(
            news.iter().map(|news| &news.note[..]).collect::<Vec<_>>(),
            ["first", "second", "third", "fourth", ""]
        );
        let without_contact = |(code, [_, rest @ ..]): &Answer| (*code, rest.clone());
        for other in [&stateful, &by_parameter] {
            let (others, _, made) = converse(other, transport);
            assert!(made > 12, "each NOTIFY has its transaction");
            let [answers, others] =
                [&answers, &others].map(|answers| answers.iter().map(without_contact).collect::<Vec<_>>());
            assert_eq!(answers, others, "{transport:?}");
        }
        assert!(answers.iter().all(|(code, [contact, ..])| contact.is_some() == (*code == 200)), "{answers:?}");
    }
    for server in [stateful, stateless, by_parameter] {
        server.stop();
    }
}

/// The module sl is not needed: then every NOTIFY is answered in a transaction, whoever makes it.
#[test]
fn a_server_without_sl_answers_in_transactions() {
    let route = r#"request_route {
    if (is_method("NOTIFY") && !handle_notify() && t_newtran()) t_reply("481", "Subscription does not exist");
}"#;
    // siputils wants sl for itself.
    let server = Server::b2b().without_module("sl").without_module("siputils");
    let server = server.b2b_param("min_resubscribe_time", 0).route(route).route(TELL).start();
    let notifier = Notifier::udp();
    leaves_nothing(&server, || {
        let (watch, mut dialog, _) = Watch::standing(&server, &notifier, 600);
        assert_eq!(dialog.notify(told(600, "second").event("dialog")).status(), 489);
        let before = transactions(&server);
        let request = dialog.build(told(600, "third"));
        let answers = [say(&dialog, &request), say(&dialog, &request)];
        assert_eq!((answers[0].0, &answers[0]), (200, &answers[1]));
        assert_eq!(transactions(&server), before + 1, "the repetition is tm's to answer");
        watch.await_note("third");
        watch.end(&mut dialog);
        let unknown = dialog.build(told(600, "too late"));
        assert_eq!(say(&dialog, &unknown).0, 481);
    });
    server.stop();
}
