//! Forks: the dialogs with the other notifiers that one SUBSCRIBE has reached.

use super::*;
use crate::grammar::RouteSet;
use crate::testing::tag;
use crate::testing::uris;
use crate::testing::{NO_CREDENTIALS, offered};
use crate::time::Millis;

const OTHER: &[u8] = b"sip:other@192.0.2.2";

fn all() -> Policy {
    Policy { forking: Forking::All, ..policy() }
}

/// Subscribed and active at `notifier`, 10 s after the first SUBSCRIBE.
fn root(policy: Policy) -> Life {
    let mut life = Life::asking();
    life.policy = policy;
    life.reply_with(200, |reply| reply.expires = Some(600));
    life.notify("active;expires=600");
    life.pass(secs(10));
    life
}

/// A NOTIFY of another notifier.
fn from_other(life: &mut Life, state: &str, change: impl FnOnce(&mut Notify<'_>)) -> Output {
    life.notify_with(state, |notify| {
        (notify.cseq, notify.remote_tag, notify.contact) = (7, tag(b"other"), Some(offered(OTHER)));
        notify.route_set = RouteSet::of(b"<sip:edge;lr>");
        change(notify);
    })
}

/// The fork, before its NOTIFY.
fn fork_of(root: &Life, number: u8) -> Life {
    let env = Env {
        now: root.now,
        policy: &root.policy,
        packages: Packages::KNOWN,
        random: root.random,
        credentials: &root.credentials,
    };
    let subscription = root.subscription.try_fork(number, &env).unwrap().expect("a fork");
    root.beside(subscription)
}

/// A fork that has had this first NOTIFY.
fn told_fork(root: &mut Life, state: &str) -> (Life, Output) {
    assert!(from_other(root, state, |_| {}).fork, "welcome");
    let mut fork = fork_of(root, 3);
    let output = from_other(&mut fork, state, |_| {});
    (fork, output)
}

#[test]
fn they_are_welcome_as_long_as_the_first_notify_may_take() {
    for (forking, welcome) in [(Forking::All, true), (Forking::First, false), (Forking::Package, false)] {
        let mut life = root(Policy { forking, ..policy() });
        let before = life.subscription.picture(life.now);
        for (wait, may) in [(0, true), (21, true), (1, false), (1000, false)] {
            life.pass(secs(wait));
            let output = from_other(&mut life, "active", |_| {});
            assert_eq!((output.fork, output.answer, output.news), (welcome && may, None, None), "{forking:?} {wait}");
        }
        life.now = Millis(life.now.0 - 1_022_000);
        assert_eq!(life.subscription.picture(life.now), before, "nothing has changed");
    }
}

/// If the NOTIFY of another fork is refused, for any cause, the module does not ask about the active dialog.
#[test]
fn a_refused_one_brings_no_refresh_forward() {
    type Spoil = fn(&mut Notify<'_>);
    let spoilt: [(Spoil, u16); 4] = [
        (|notify| notify.content = Content::Malformed, 400),
        (|notify| notify.content = Content::Unsupported, 415),
        (|notify| notify.event = b"dialog", 489),
        (|notify| notify.state = None, 400),
    ];
    for (spoil, code) in spoilt {
        let mut life = root(all());
        let due = life.due_in();
        let output = from_other(&mut life, "active", spoil);
        assert_eq!(output.answer.map(|answer| answer.code_and_phrase().0), Some(code));
        assert_eq!((output.untold.map(|(why, _)| why), life.due_in()), (Some(Untold::Refused), due), "{code}");
    }
}

#[test]
fn packages_say_whether_they_are() {
    let forks: Vec<_> =
        package::ALL.into_iter().filter(|one| Forking::Package.allows(one)).map(|one| one.name).collect();
    assert_eq!(forks, ["presence.winfo", "dialog", "message-summary"]);
    for one in package::ALL {
        assert!(Forking::All.allows(one) && !Forking::First.allows(one));
    }
}

#[test]
fn a_refresh_does_not_make_them_welcome_again() {
    let mut life = root(all());
    life.pass(secs(20));
    life.give(Input::Refresh);
    life.due();
    assert!(from_other(&mut life, "active", |_| {}).fork);
    life.pass(secs(2));
    assert_eq!(life.state(), "resubscription");
    assert!(!from_other(&mut life, "active", |_| {}).fork);
}

#[test]
fn they_are_welcome_before_the_2xx_but_only_besides_a_dialog() {
    let mut life = Life::asking();
    life.policy = all();
    assert_eq!(from_other(&mut life, "active", |_| {}).answer, Some(Answer::Ok), "the first makes the dialog");
    assert!(life.notify("active").fork);
    assert_eq!(life.snapshot().remote_tag, "other");
}

#[test]
fn nobody_is_welcome_after_unsubscribing() {
    let mut life = root(all());
    life.give(Input::Unsubscribe);
    for _ in 0..2 {
        let output = from_other(&mut life, "active", |_| {});
        assert_eq!((output.fork, output.answer), (false, None));
        life.due();
    }
}

#[test]
fn what_would_be_refused_in_a_dialog_makes_none() {
    type Change = fn(&mut Notify<'_>);
    let mut life = root(all());
    let answers: [(Change, Answer); 5] = [
        (|notify| notify.event = b"dialog", Answer::BadEvent),
        (|notify| notify.event_id = Some(b"1"), Answer::BadEvent),
        (|notify| notify.remote_tag = tag(b""), Answer::BadRequest("Missing From Tag")),
        (|notify| notify.state = None, Answer::BadRequest("Missing or Malformed Subscription-State")),
        (|notify| notify.content = Content::Unsupported, Answer::UnsupportedMediaType),
    ];
    for (change, answer) in answers {
        let output = from_other(&mut life, "active", change);
        assert_eq!((output.fork, output.answer), (false, Some(answer)));
    }
    assert!(from_other(&mut life, "terminated", |notify| notify.content = Content::Unsupported).fork);
}

#[test]
fn a_fork_has_a_dialog_of_its_own() {
    let mut root = root(all());
    root.give(Input::Sent { cseq: 1, socket: Socket(5) });
    root.give(Input::Refresh);
    root.pass(secs(20));
    root.due();
    let (mut fork, output) = told_fork(&mut root, "pending;expires=300");
    assert_eq!((output.answer, output.socket), (Some(Answer::Ok), Some(Socket(5))));
    let news = output.news.unwrap();
    assert_eq!((news.fork, news.status, news.with_body, news.last), (3, Status::Pending, true, false));
    let (of_root, of_fork) = (root.snapshot(), fork.snapshot());
    assert_eq!((&of_fork.call_id, &of_fork.local_tag), (&of_root.call_id, &of_root.local_tag));
    assert_eq!(
        (&*of_fork.remote_tag, &*of_fork.remote_target, of_fork.remote_cseq),
        ("other", "sip:other@192.0.2.2", 7)
    );
    assert_eq!((of_fork.expires_in, of_fork.next_action_in, of_fork.fork), (Some(300), Some(270), 3));
    // The CSeq continues from the request that opened both dialogs.
    assert_eq!((of_root.local_cseq, of_fork.local_cseq), (2, 1));

    let refresh = fork.due().send.unwrap();
    assert_eq!((refresh.cseq, &refresh.target[..], &refresh.remote_tag[..]), (2, OTHER, &b"other"[..]));
    assert_eq!((&refresh.route_set[..], refresh.socket), (&b"<sip:edge;lr>"[..], Some(Socket(5))));
    fork.reply_with(200, |reply| (reply.remote_tag, reply.contact) = (tag(b"other"), None));
    assert_eq!(fork.state(), "confirmed");
    assert_eq!(from_other(&mut fork, "active", |notify| notify.cseq = 8).news.unwrap().status, Status::Active);
}

#[test]
fn without_a_word_it_lasts_as_long_as_was_asked() {
    let mut root = root(all());
    let (fork, _) = told_fork(&mut root, "active");
    assert_eq!((fork.snapshot().expires_in, fork.snapshot().next_action_in), (Some(3590), Some(3560)));
}

/// What ends a fork, and the code it is told with.
#[test]
fn a_fork_that_has_ended_is_not_opened_again() {
    type End = fn(&mut Life) -> Output;
    let ends: [(&str, End, Status, u16); 9] = [
        ("deactivated", |fork| other_ends(fork, "deactivated"), Status::Terminated, 0),
        ("timeout", |fork| other_ends(fork, "timeout"), Status::Terminated, 0),
        ("noresource", |fork| other_ends(fork, "noresource"), Status::Terminated, 0),
        ("rejected", |fork| other_ends(fork, "rejected"), Status::Rejected, 0),
        ("phrase", |fork| refreshed(fork, 481), Status::Terminated, 481),
        ("phrase", |fork| refreshed(fork, 489), Status::Rejected, 489),
        ("phrase", |fork| refreshed(fork, 404), Status::Terminated, 404),
        ("no time granted", |fork| (refreshed(fork, 200), fork.due()).1, Status::Terminated, 200),
        ("expired", expired, Status::Terminated, 0),
    ];
    for (reason, end, status, code) in ends {
        let mut root = root(all());
        let (mut fork, _) = told_fork(&mut root, "active;expires=600");
        fork.pass(secs(100));
        let output = end(&mut fork);
        assert_eq!(told(&output), (status, code, reason.to_owned(), None), "{reason}");
        assert!(output.forget && !output.news.unwrap().last, "{reason}");
    }
}

fn other_ends(fork: &mut Life, reason: &str) -> Output {
    from_other(fork, &format!("terminated;reason={reason};retry-after=5"), |notify| notify.cseq = 8)
}

fn refreshed(fork: &mut Life, code: u16) -> Output {
    fork.due();
    fork.reply_with(code, |reply| reply.expires = Some(0))
}

/// A refresh fails too late for a retry: the fork reports the failure, and then its end.
fn expired(fork: &mut Life) -> Output {
    fork.due();
    let output = fork.reply_with(503, |reply| reply.retry_after = Some(1000));
    assert_eq!(told(&output), (Status::Active, 503, "phrase".into(), None));
    fork.due()
}

#[test]
fn a_fork_stands_through_a_failed_refresh_and_does_not_follow_redirections() {
    for code in [302, 408, 500] {
        let mut root = root(all());
        let (mut fork, _) = told_fork(&mut root, "active;expires=600");
        fork.pass(secs(100));
        fork.give(Input::Refresh);
        fork.due();
        let output = fork.reply_with(code, |reply| reply.redirect = uris(&[b"sip:elsewhere"]));
        assert_eq!(told(&output).0, Status::Active);
        assert_eq!(fork.state(), "confirmed");
        let again = fork.due().send.unwrap();
        assert_eq!((&again.target[..], again.cseq), (OTHER, 3));
    }
}

#[test]
fn one_that_ends_while_forks_are_welcome_stays_for_what_comes_late() {
    let mut root = root(all());
    let (mut fork, output) = told_fork(&mut root, "terminated;reason=noresource");
    assert_eq!((output.answer, told(&output).0, output.forget), (Some(Answer::Ok), Status::Terminated, false));
    assert_eq!((fork.state(), fork.due_in()), ("waiting_for_termination", 22.0));
    assert_eq!(fork.snapshot().remote_tag, "other");
    for (cseq, state, answer) in [
        (7, "terminated;reason=noresource", Some(Answer::Ok)),
        (7, "active", Some(Answer::StaleCseq)),
        (6, "active", Some(Answer::StaleCseq)),
        (6, "terminated", Some(Answer::StaleCseq)),
        (8, "active", None),
    ] {
        let output = from_other(&mut fork, state, |notify| notify.cseq = cseq);
        assert_eq!((output.answer, output.news), (answer, None), "{cseq}");
    }
    assert!(fork.due().forget);
}

#[test]
fn unsubscribing_a_fork_is_polite() {
    let mut root = root(all());
    let (mut fork, _) = told_fork(&mut root, "active");
    fork.give(Input::Unsubscribe);
    let farewell = fork.due().send.unwrap();
    assert_eq!((farewell.expires, &farewell.target[..], farewell.cseq), (0, OTHER, 2));
    fork.reply(200);
    assert!(from_other(&mut fork, "terminated", |notify| notify.cseq = 8).forget);

    let (mut ended, _) = told_fork(&mut root, "terminated");
    assert!(ended.give(Input::Unsubscribe).forget, "nobody is left to be told");
}

#[test]
fn it_takes_the_credentials_and_terms_along_but_no_nonce() {
    let mut root = Life::under(Terms { expires: Some(900), ..Terms::default() }, all());
    root.give(Input::Start);
    root.give(Input::Credentials { username: b"own", secret: Concealed(b"word") });
    root.due();
    const CHALLENGE: Challenge<'static> =
        Challenge { challenger: Challenger::End, value: b"Digest realm=\"known\", nonce=\"n\"" };
    root.reply_with(401, |reply| reply.challenges = &[CHALLENGE]);
    root.due();
    root.notify("active");
    let (mut fork, _) = told_fork(&mut root, "active");
    let refresh = fork.due().send.unwrap();
    assert_eq!((refresh.authorizations.len(), refresh.expires, refresh.cseq), (0, 900, 3));
    fork.reply_with(401, |reply| reply.challenges = &[CHALLENGE]);
    assert_eq!(fork.due().send.unwrap().authorizations.len(), 1);
}

#[test]
fn without_memory_there_is_no_fork() {
    let mut root = root(all());
    root.give(Input::Credentials { username: b"own", secret: Concealed(b"word") });
    let out = root.account.out();
    let env =
        Env { now: root.now, policy: &root.policy, packages: Packages::KNOWN, random: 0, credentials: &NO_CREDENTIALS };
    let mut failures = 0;
    for allowed in 0.. {
        root.account.allow(allowed);
        let fork = root.subscription.try_fork(1, &env);
        root.account.allow_all();
        if fork.is_ok() {
            break;
        }
        failures += 1;
        assert_eq!(root.account.out(), out);
    }
    assert_eq!((failures, root.account.out()), (3, out));
    let waiting = Life::started();
    assert!(waiting.subscription.try_fork(1, &env).unwrap().is_none(), "no dialog to be forked");
}

/// RFC 6665 §4.1.4: in whatever order the end of one, the state of the other and the 2xx come, the other one is subscribed to.
#[test]
fn the_end_of_the_first_fork_is_not_that_of_the_others() {
    let ended = |notify: &mut Notify<'_>| {
        (notify.cseq, notify.remote_tag, notify.content) = (1, tag(b"gone"), Content::Empty);
    };
    for reason in ["noresource", "rejected", "timeout"] {
        let end = &format!("terminated;reason={reason}");
        let ends = |life: &mut Life| life.notify_with(end, ended);
        for order in ["end state reply", "end reply state", "reply end state"] {
            let mut life = Life::asking();
            for step in order.split(' ') {
                match step {
                    "end" => {
                        let output = ends(&mut life);
                        assert_eq!((output.answer, output.news, output.forget), (Some(Answer::Ok), None, false));
                        assert_eq!(ends(&mut life).untold, Some((Untold::Repeated, true)), "and again");
                    }
                    "state" => assert_eq!(life.notify("active").news.map(|news| news.status), Some(Status::Active)),
                    _ => assert!(life.reply(200).news.is_none()),
                }
            }
            assert_eq!((life.state(), life.snapshot().remote_tag), ("confirmed", "notifier".to_owned()), "{order}");
            assert_eq!(ends(&mut life).answer, Some(Answer::Ok));
        }
        // This fork accepted, none did, or none has done so by Timer N.
        let decide: [fn(&mut Life) -> Output; 4] = [
            |life| life.reply_with(200, |reply| reply.remote_tag = tag(b"gone")),
            |life| life.reply(480),
            |life| life.reply(408),
            |life| {
                assert_eq!(life.due_in(), 32.0);
                life.due()
            },
        ];
        for decide in decide {
            let mut life = Life::asking();
            ends(&mut life);
            assert_eq!(told(&decide(&mut life)).2, reason);
        }
    }
}

/// The bytes of a fork are those that it allocated, and its own place.
#[test]
fn their_bytes_are_what_they_take() {
    let mut root = root(all());
    root.give(Input::Credentials { username: b"alice", secret: Concealed(b"wonderland") });
    assert!(from_other(&mut root, "active", |_| {}).fork, "welcome");
    let account = root.account.clone();
    let before = account.out();
    let mut fork = fork_of(&root, 1);
    let routes: &'static str = format!("{}<sip:edge;lr>", "<sip:edge;lr>, ".repeat(200)).leak();
    from_other(&mut fork, "active", |notify| notify.route_set = RouteSet::of(routes.as_bytes()));
    let own = size_of_val(&fork.subscription);
    assert_eq!(fork.subscription.bytes() - own, account.out() - before);
    assert!(fork.subscription.bytes() > routes.len());
}
