//! The judge finds what is planted.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::consumer::Consumer;
use super::judge::{Case, Kind, Row, Want};
use super::ledger::{Key, Ledger, Manners};
use super::support::sip::Message;

const RECORD: &str = "sip:a@127.0.0.9:5060";
const SUBSCRIBER: &str = "sip:w@example.org";

/// A ledger, a subscriber made of messages, and a time that passes when it is told to.
struct Play {
    ledger: Ledger,
    consumer: Consumer,
    now: Instant,
    branch: u32,
    /// NOTIFYs that have not been answered.
    inbox: Vec<Message>,
    kills: Vec<Instant>,
}

fn peer() -> SocketAddr {
    "127.0.0.8:5060".parse().expect("an address")
}

fn key() -> Key {
    Key { record: RECORD.to_owned(), subscriber: SUBSCRIBER.to_owned() }
}

impl Play {
    fn new() -> Play {
        let me = "127.0.0.9:5060".parse().expect("an address");
        let ledger = Ledger::new(me, Manners { expires: 60, etags: true });
        Play {
            ledger,
            consumer: Consumer::default(),
            now: Instant::now(),
            branch: 0,
            inbox: Vec::new(),
            kills: Vec::new(),
        }
    }

    /// Sends a SUBSCRIBE, in a dialog if there is a To tag; the answer.
    fn subscribe(&mut self, call_id: &str, to_tag: Option<&str>, cseq: u32, expires: u32) -> Message {
        self.branch += 1;
        let to = to_tag.map_or_else(|| format!("<{RECORD}>"), |tag| format!("<{RECORD}>;tag={tag}"));
        let message = Message::request("SUBSCRIBE", RECORD)
            .with("Via", format!("SIP/2.0/UDP {};branch=z9hG4bK{}", peer(), self.branch))
            .with("From", format!("<{SUBSCRIBER}>;tag=f"))
            .with("To", to)
            .with("Call-ID", call_id)
            .with("CSeq", format!("{cseq} SUBSCRIBE"))
            .with("Contact", format!("<sip:{}>", peer()))
            .with("Expires", expires)
            .with("Event", "presence");
        self.ledger.take(&message, peer(), self.now);
        self.take_out().expect("an answer")
    }

    /// What the ledger sends: NOTIFYs go to the inbox, a response is returned.
    fn take_out(&mut self) -> Option<Message> {
        let out = self.ledger.take_out().into_iter().map(|(bytes, _)| Message::parse(&bytes).expect("SIP"));
        let (notifies, mut responses): (Vec<_>, Vec<_>) = out.partition(|message| message.method() == "NOTIFY");
        self.inbox.extend(notifies);
        responses.pop()
    }

    /// Answers all NOTIFYs; the consumer is told, unless it `sleeps`.
    fn answer(&mut self, status: u16, sleeps: bool) {
        for notify in std::mem::take(&mut self.inbox) {
            let response = Message::response(status, "Answer").with("Via", notify.need("Via"));
            self.ledger.take(&response.with("CSeq", notify.need("CSeq")), peer(), self.now);
            if status < 300 && !sleeps {
                self.tell(&notify);
            }
        }
        self.take_out();
    }

    fn tell(&mut self, notify: &Message) {
        let text = notify.text();
        let (_, note) = text.split_once("<note>").expect("a note");
        let note = note.split('<').next().unwrap_or_default();
        let status = notify.need("Subscription-State").split(';').next().unwrap_or_default();
        self.consumer.turn_page();
        self.consumer.read(&format!("TOLD|{RECORD}|{SUBSCRIBER}|{status}||{note}|\n"));
    }

    fn passes(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
        self.ledger.tick(self.now);
        self.take_out();
    }

    fn change(&mut self) {
        self.ledger.change(RECORD, self.now);
        self.take_out();
    }

    /// The kinds of all findings, if the subscription must be alive and the server has these Call-IDs.
    fn findings(&self, rows: &[&str], rate: u32) -> Vec<Kind> {
        let row = |call_id: &&str| Row { key: key(), state: "confirmed".into(), call_id: (*call_id).to_owned() };
        let (want, rows) = (BTreeMap::from([(key(), Want::Alive)]), rows.iter().map(row).collect::<Vec<_>>());
        let case = Case {
            ledger: &self.ledger,
            consumer: &self.consumer,
            rows: Some(&rows),
            want: &want,
            before: &HashMap::from([(key(), "one".to_owned())]),
            rate,
            kills: &self.kills,
            now: self.now,
        };
        let mut kinds: Vec<Kind> = case.judge().iter().map(|finding| finding.kind).collect();
        kinds.sort();
        kinds.dedup();
        assert_eq!(case.is_healed(), !kinds.iter().any(|kind| matches!(kind, Kind::Lost | Kind::Unseen)), "{kinds:?}");
        kinds
    }

    /// A subscription that works.
    fn open() -> Play {
        let mut play = Play::new();
        assert_eq!(play.subscribe("one", None, 1, 600).status(), 200);
        play.answer(200, false);
        play
    }
}

#[test]
fn a_life_without_faults_has_no_findings() {
    let mut play = Play::open();
    play.change();
    play.answer(200, false);
    play.passes(50);
    let granted = play.subscribe("one", Some("n0"), 2, 600);
    assert_eq!((granted.status(), granted.header("Expires")), (200, Some("60")));
    play.answer(200, false);
    play.passes(50);
    assert_eq!(play.findings(&["one"], 2), []);
}

#[test]
fn a_copy_of_a_request_is_answered_again_and_counts_once() {
    let mut play = Play::open();
    let first = play.subscribe("one", Some("n0"), 2, 600);
    play.branch -= 1;
    assert_eq!(play.subscribe("one", Some("n0"), 2, 600), first);
    assert_eq!(play.ledger.asked.len(), 2);
    play.answer(200, false);
    assert_eq!(play.findings(&["one"], 0), []);
}

#[test]
fn a_notify_is_sent_again_until_it_is_answered() {
    let mut play = Play::open();
    play.change();
    (0..300).for_each(|_| {
        play.now += Duration::from_millis(100);
        play.ledger.tick(play.now);
    });
    play.take_out();
    // At 0, 0.5, 1.5, 3.5, 7.5, 11.5 … seconds.
    assert_eq!(play.inbox.len(), 10);
    assert_eq!(play.findings(&["one"], 0), [Kind::Unseen]);
    play.passes(3);
    assert!(play.findings(&["one"], 0).contains(&Kind::Silent));
}

#[test]
fn two_dialogs_of_one_subscription_are_found() {
    let mut play = Play::open();
    play.subscribe("two", None, 1, 600);
    play.answer(200, false);
    assert_eq!(play.findings(&["one", "two"], 0), [Kind::Again, Kind::Twice]);
    assert_eq!(play.findings(&["two"], 0), [Kind::Again, Kind::Twice, Kind::Orphan]);
}

#[test]
fn what_opened_just_before_a_kill_may_be_half_open() {
    let mut play = Play::open();
    play.kills = vec![play.now + Duration::from_millis(100)];
    play.passes(8);
    play.subscribe("one", None, 65, 600);
    play.answer(200, false);
    assert_eq!(play.findings(&["one"], 0), [Kind::HalfOpen]);
    play.kills = vec![play.now - Duration::from_secs(1)];
    assert_eq!(play.findings(&["one"], 0), [Kind::Again, Kind::Twice]);
}

#[test]
fn a_new_dialog_in_place_of_the_old_one_is_found() {
    let mut play = Play::open();
    play.subscribe("one", Some("n0"), 2, 0);
    play.answer(200, false);
    play.subscribe("two", None, 1, 600);
    play.answer(200, false);
    assert_eq!(play.findings(&["two"], 0), [Kind::GivenUp, Kind::OtherDialog, Kind::EndTold]);
}

#[test]
fn a_cseq_that_goes_back_is_found() {
    let mut play = Play::open();
    play.subscribe("one", Some("n0"), 40, 600);
    play.answer(200, false);
    assert_eq!(play.subscribe("one", Some("n0"), 40, 600).status(), 500);
    assert_eq!(play.subscribe("one", Some("n0"), 39, 600).status(), 500);
    assert_eq!(play.findings(&["one"], 0), [Kind::CseqBack]);
    // Without the To tag too.
    let mut play = Play::open();
    assert_eq!(play.subscribe("one", None, 1, 600).status(), 500);
    assert!(play.findings(&["one"], 0).contains(&Kind::CseqBack));
}

#[test]
fn a_change_that_nobody_heard_of_is_found() {
    let mut play = Play::open();
    play.change();
    assert_eq!(play.findings(&["one"], 0), [Kind::Unseen]);
    play.answer(200, true);
    assert_eq!(play.findings(&["one"], 0), [Kind::Unseen]);
    // Refused for the moment, it is told again.
    let mut play = Play::open();
    play.change();
    play.answer(503, false);
    play.passes(1);
    play.answer(200, false);
    assert_eq!(play.findings(&["one"], 0), []);
}

#[test]
fn an_old_state_after_a_new_one_is_found() {
    let mut play = Play::open();
    play.change();
    let old = play.inbox[0].clone();
    play.answer(200, false);
    play.change();
    play.answer(200, false);
    play.tell(&old);
    play.change();
    play.answer(200, false);
    assert_eq!(play.findings(&["one"], 0), [Kind::OldState]);
}

#[test]
fn a_refusal_and_a_missed_refresh_are_found() {
    let mut play = Play::open();
    play.change();
    play.answer(481, false);
    assert_eq!(play.findings(&[], 0), [Kind::Lost, Kind::Refused]);
    let mut play = Play::open();
    play.passes(61);
    play.answer(200, false);
    assert_eq!(play.findings(&["one"], 0), [Kind::Lost, Kind::Phantom, Kind::Expired, Kind::EndTold]);
}

#[test]
fn a_storm_is_found() {
    let mut play = Play::open();
    for cseq in 2..40 {
        play.subscribe("one", Some("n0"), cseq, 600);
        play.answer(200, false);
    }
    assert_eq!(play.findings(&["one"], 20), [Kind::TooMany]);
    assert_eq!(play.findings(&["one"], 40), []);
}

#[test]
fn a_known_state_is_not_told_again() {
    let mut play = Play::open();
    play.change();
    let etag = play.inbox[0].need("SIP-ETag").to_owned();
    play.answer(200, false);
    assert_eq!(etag, "state-1");
    let refresh = Message::request("SUBSCRIBE", RECORD)
        .with("Via", format!("SIP/2.0/UDP {};branch=z9hG4bKlast", peer()))
        .with("From", format!("<{SUBSCRIBER}>;tag=f"))
        .with("To", format!("<{RECORD}>;tag=n0"))
        .with("Call-ID", "one")
        .with("CSeq", "9 SUBSCRIBE")
        .with("Suppress-If-Match", etag)
        .with("Expires", 600);
    play.ledger.take(&refresh, peer(), play.now);
    assert_eq!(play.take_out().expect("an answer").status(), 204);
    assert!(play.inbox.is_empty());
    assert_eq!(play.findings(&["one"], 0), []);
}
