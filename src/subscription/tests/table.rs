//! Every input in every state, in one table.

use super::*;
use crate::testing::uris;

/// A row: its name, and how to get into the state.
type Row = (&'static str, fn() -> Life);

/// A column: its name, and how to hand the input in.
type Column = (&'static str, fn(&mut Life) -> Output);

fn lives() -> Vec<Row> {
    vec![
        ("waiting, unstarted", || Life::unstarted(policy())),
        ("waiting", || {
            let mut life = Life::asking();
            life.reply(503);
            life
        }),
        ("waiting, continued", || {
            let mut life = Life::asking();
            life.reply_with(302, |reply| reply.redirect = uris(&[b"sip:a@x"]));
            life
        }),
        ("waiting, refused", || {
            let mut life = Life::asking();
            life.reply_with(401, |reply| reply.challenges = &[STRANGE]);
            life
        }),
        ("unconfirmed", Life::asking),
        ("unconfirmed, notified", || {
            let mut life = Life::asking();
            life.notify("active");
            life
        }),
        ("waiting, fetch", || {
            let mut life = fetching(3600);
            life.reply(503);
            life
        }),
        ("waiting, fetch goes on", || {
            let mut life = fetching(3600);
            life.reply_with(302, |reply| reply.redirect = uris(&[b"sip:a@x"]));
            life
        }),
        ("waiting, fetch is over", || {
            let mut life = fetching(3600);
            life.reply(503);
            life.pass(secs(3600));
            life
        }),
        ("unconfirmed, fetch", || fetching(3600)),
        ("unconfirmed, fetch short", || fetching(32)),
        ("confirmed, fetch", || {
            let mut life = fetching(32);
            life.reply(200);
            life
        }),
        ("unconfirmed_destroy", || after_unsubscribe(Life::asking())),
        ("confirmed", || Life::active(3600)),
        ("confirmed, unnotified", || {
            let mut life = Life::asking();
            life.reply(200);
            life
        }),
        ("confirmed, to retry", || {
            let mut life = refreshing();
            life.reply_with(503, |reply| reply.retry_after = Some(1000));
            life
        }),
        ("confirmed, to expire", || {
            let mut life = refreshing();
            life.reply_with(503, |reply| reply.retry_after = Some(5000));
            life
        }),
        ("resubscription", refreshing),
        ("resubscription_destroy", || after_unsubscribe(refreshing())),
        ("predestroyed, due", || after_unsubscribe(Life::active(3600))),
        ("predestroyed, sent", || {
            let mut life = after_unsubscribe(Life::active(3600));
            life.due();
            life
        }),
        ("waiting_for_termination", || {
            let mut life = after_unsubscribe(Life::active(3600));
            life.due();
            life.reply(200);
            life
        }),
        ("waiting, next", || {
            let mut life = behind_two();
            life.reply(503);
            life
        }),
        ("unconfirmed, 2", behind_two),
        ("unconfirmed, last", || {
            let mut life = behind_two();
            life.reply(503);
            life.due();
            life
        }),
        ("resubscription, 2", refreshing_behind_two),
        ("resubscription, last", || {
            let mut life = refreshing_behind_two();
            life.reply(503);
            life.due();
            life
        }),
        ("resubscription_destroy, 2", || after_unsubscribe(refreshing_behind_two())),
        ("predestroyed, 2", || leaving_two(false)),
        ("predestroyed, last", || leaving_two(true)),
        ("destroyed", || {
            let mut life = Life::started();
            life.give(Input::Unsubscribe);
            life
        }),
    ]
}

fn after_unsubscribe(mut life: Life) -> Life {
    life.give(Input::Unsubscribe);
    life
}

/// The first SUBSCRIBE is in flight to the first of two outbound proxies.
fn behind_two() -> Life {
    let mut life = Life::unstarted(Policy { proxies: 2, ..policy() });
    life.give(Input::Start);
    life.due();
    life
}

fn refreshing_behind_two() -> Life {
    let mut life = behind_two();
    life.reply(200);
    life.notify("active");
    life.due();
    life
}

fn leaving_two(last: bool) -> Life {
    let mut life = after_unsubscribe(refreshing_behind_two());
    life.reply(if last { 503 } else { 500 });
    life.due();
    life
}

/// The SUBSCRIBE of a fetch is in flight.
fn fetching(seconds: u32) -> Life {
    let mut life = Life::under(Terms { fetch: Some(seconds), ..Terms::default() }, policy());
    life.give(Input::Start);
    life.due();
    life
}

fn refreshing() -> Life {
    let mut life = Life::active(3600);
    life.pass(secs(100));
    life.give(Input::Refresh);
    life.due();
    life
}

const KNOWN: Challenge<'static> =
    Challenge { challenger: Challenger::End, value: b"Digest realm=\"known\", nonce=\"n\"" };
const PROXY: Challenge<'static> =
    Challenge { challenger: Challenger::Proxy, value: b"Digest realm=\"known\", nonce=\"n\"" };
const STRANGE: Challenge<'static> =
    Challenge { challenger: Challenger::End, value: b"Digest realm=\"strange\", nonce=\"n\"" };

/// The inputs: start, deadline due, through the second outbound proxy, sent, send failed, dropped, held back because the destination does not answer, replies to the newest request (401 with
/// a challenge that can be answered, and with one that cannot), NOTIFYs (active, with changes to a document that is not
/// known, with an old document, terminated as deactivated or rejected), refresh, flow lost, credentials, unsubscribe.
fn inputs() -> Vec<Column> {
    fn cseq(life: &Life) -> u32 {
        life.sent.last().map_or(0, |(_, request)| request.cseq)
    }
    vec![
        ("strt", |life| life.give(Input::Start)),
        ("due", |life| if life.subscription.deadline().is_some() { life.due() } else { life.deadline() }),
        ("thru", |life| life.give(Input::Through { cseq: cseq(life), proxy: 1 })),
        ("sent", |life| life.give(Input::Sent { cseq: cseq(life), socket: Socket(1) })),
        ("fail", |life| life.give(Input::SendFailed { cseq: cseq(life) })),
        ("drop", |life| life.give(Input::Dropped { cseq: cseq(life) })),
        ("held", |life| life.hold(HeldBy::Breaker, secs(60))),
        ("200", |life| life.reply(200)),
        ("401", |life| life.reply_with(401, |reply| reply.challenges = &[KNOWN])),
        ("401x", |life| life.reply_with(401, |reply| reply.challenges = &[STRANGE])),
        ("407", |life| life.reply_with(407, |reply| reply.challenges = &[PROXY])),
        ("302", |life| life.reply_with(302, |reply| reply.redirect = uris(&[b"sip:b@x"]))),
        ("305", |life| life.reply_with(305, |reply| reply.redirect = uris(&[b"sip:p@x"]))),
        ("408", |life| life.reply_with(408, |reply| reply.is_local = true)),
        ("423", |life| life.reply_with(423, |reply| reply.min_expires = Some(9999))),
        ("481", |life| life.reply(481)),
        ("489", |life| life.reply(489)),
        ("actv", |life| life.notify("active")),
        ("gap", |life| {
            life.notify_with("active", |notify| notify.content = Content::Versioned { version: 9, is_full: false })
        }),
        ("old", |life| {
            life.notify_with("active", |notify| notify.content = Content::Versioned { version: 9, is_full: true });
            life.notify_with("active", |notify| notify.content = Content::Versioned { version: 8, is_full: true })
        }),
        ("deac", |life| life.notify("terminated;reason=deactivated")),
        ("rejd", |life| life.notify("terminated;reason=rejected")),
        ("refr", |life| life.give(Input::Refresh)),
        ("flow", |life| life.give(Input::FlowLost(flow(1)))),
        ("cred", |life| life.give(Input::Credentials { username: b"u", secret: Concealed(b"s") })),
        ("unsb", |life| life.give(Input::Unsubscribe)),
    ]
}

/// Rows with 2 or last: there are two outbound proxies, and the request is with the first, or with the second after
/// the first has failed.
///
/// One letter for each state: where the input leads. `W` waiting, `w` waiting to go on with the attempt, `U`
/// unconfirmed, `u` unconfirmed_destroy, `C` confirmed, `R` resubscription, `r` resubscription_destroy, `P`
/// predestroyed, `T` waiting_for_termination, `D` destroyed. Then: `>` sends, `!` tells news, `2` answers 200.
fn cell(life: &Life, output: &Output) -> String {
    let mut cell = match life.subscription.state() {
        State::Waiting(Attempt::Unstarted | Attempt::Fresh) => "W",
        State::Waiting(Attempt::Continued) => "w",
        State::Unconfirmed => "U",
        State::UnconfirmedDestroy => "u",
        State::Confirmed { .. } => "C",
        State::Resubscription { .. } => "R",
        State::ResubscriptionDestroy => "r",
        State::Predestroyed(_) => "P",
        State::WaitingForTermination => "T",
        State::Destroyed => "D",
        State::Local => "L",
    }
    .to_owned();
    cell.extend(output.send.is_some().then_some('>'));
    cell.extend(output.news.is_some().then_some('!'));
    cell.extend(output.answer.map(|answer| if answer == Answer::Ok { '2' } else { '?' }));
    cell
}

const TABLE: &str = "
                          strt due  thru sent fail drop held 200  401  401x 407  302  305  408  423  481  489  actv gap  old  deac rejd refr flow cred unsb
waiting, unstarted        W    W    W    W    W    W    W    W    W    W    W    W    W    W    W    W    W    W    W    W    W    W    W    W    W    D
waiting                   W    U>   W    W    W    W    W    W    W    W    W    W    W    W    W    W    W    W    W    W    W    W    W    W    W    D
waiting, continued        w    U>   w    w    w    w    w    w    w    w    w    w    w    w    w    w    w    w    w    w    w    w    w    w    w    D
waiting, refused          W    U>   W    W    W    W    W    W    W    W    W    W    W    W    W    W    W    W    W    W    W    W    W    W    W    D
unconfirmed               U    W!   U    U    W!   W!   w!   C    w    W!   w    w    w    W!   w    W!   D!   U!2  U!2  U!2  U!2  U!2  U    U    U    u
unconfirmed, notified     U    C    U    U    C    C    C    C    W    W!   W    W    W    C    W    W!   D!   U!2  U!2  U!2  W!2  D!2  U    U    U    u
waiting, fetch            W    U>   W    W    W    W    W    W    W    W    W    W    W    W    W    W    W    W    W    W    W    W    W    W    W    D
waiting, fetch goes on    w    U>   w    w    w    w    w    w    w    w    w    w    w    w    w    w    w    w    w    w    w    w    w    w    w    D
waiting, fetch is over    W    D!   W    W    W    W    W    W    W    W    W    W    W    W    W    W    W    W    W    W    W    W    W    W    W    D
unconfirmed, fetch        U    W!   U    U    W!   W!   w!   C    w    D!   w    w    w    W!   D!   D!   D!   D!2  D!2  D    D!2  D!2  U    U    U    D
unconfirmed, fetch short  U    D!   U    U    D!   D!   D!   C    w    D!   w    w    w    D!   D!   D!   D!   D!2  D!2  D    D!2  D!2  U    U    U    D
confirmed, fetch          C    D!   C    C    C    C    C    C    C    C    C    C    C    C    C    C    C    D!2  D!2  D    D!2  D!2  C    C    C    D
unconfirmed_destroy       u    D    u    u    D    D    D    P    D    D    D    D    D    D    D    D    D    u2   u2   u2   D2   D2   u    u    u    u
confirmed                 C    R>   C    C    C    C    C    C    C    C    C    C    C    C    C    C    C    C!2  C!2  C!2  W!2  D!2  C    C    C    P
confirmed, unnotified     C    W!   C    C    C    C    C    C    C    C    C    C    C    C    C    C    C    C!2  C!2  C!2  W!2  D!2  C    C    C    P
confirmed, to retry       C    R>   C    C    C    C    C    C    C    C    C    C    C    C    C    C    C    C!2  C!2  C!2  W!2  D!2  C    C    C    P
confirmed, to expire      C    W!   C    C    C    C    C    C    C    C    C    C    C    C    C    C    C    C!2  C!2  C!2  W!2  D!2  C    C    C    P
resubscription            R    C!   R    R    C!   C!   C!   C    C    C!   C    W    C    C!   C    W!   D!   R!2  R!2  R!2  W!2  D!2  R    R    R    r
resubscription_destroy    r    P    r    r    P    P    P    P    P    P    P    P    P    P    P    D    D    r2   r2   r2   D2   D2   r    r    r    r
predestroyed, due         P    P>   P    P    P    P    P    P    P    P    P    P    P    P    P    P    P    P2   P2   P2   D2   D2   P    P    P    P
predestroyed, sent        P    D    P    P    D    D    P    T    P    D    P    D    P    D    D    D    D    P2   P2   P2   D2   D2   P    P    P    P
waiting_for_termination   T    D    T    T    T    T    T    T    T    T    T    T    T    T    T    T    T    T2   T2   T2   D2   D2   T    T    T    T
waiting, next             w    U>   w    w    w    w    w    w    w    w    w    w    w    w    w    w    w    w    w    w    w    w    w    w    w    D
unconfirmed, 2            U    w    U    U    w    W!   w!   C    w    W!   w    w    W!   w    w    W!   D!   U!2  U!2  U!2  U!2  U!2  U    U    U    u
unconfirmed, last         U    W!   U    U    W!   W!   W!   C    w    W!   w    w    W!   W!   w    W!   D!   U!2  U!2  U!2  U!2  U!2  U    U    U    u
resubscription, 2         R    W!   R    R    C    C!   C!   C    C    C!   C    W    C!   C    C    W!   D!   R!2  R!2  R!2  W!2  D!2  R    R    R    r
resubscription, last      R    W!   R    R    C!   C!   C!   C    C    C!   C    W    C!   C!   C    W!   D!   R!2  R!2  R!2  W!2  D!2  R    R    R    r
resubscription_destroy, 2 r    P    r    r    P    P    D    P    P    P    P    P    P    P    P    D    D    r2   r2   r2   D2   D2   r    r    r    r
predestroyed, 2           P    P    P    P    P    D    D    T    P    D    P    D    D    P    D    D    D    P2   P2   P2   D2   D2   P    P    P    P
predestroyed, last        P    D    P    P    D    D    D    T    P    D    P    D    D    D    D    D    D    P2   P2   P2   D2   D2   P    P    P    P
destroyed                 D    D    D    D    D    D    D    D    D    D    D    D    D    D    D    D    D    D    D    D    D    D    D    D    D    D
";

#[test]
fn every_input_in_every_state() {
    let mut table = format!("{:25}", "");
    for (name, _) in inputs() {
        table += &format!(" {name:4}");
    }
    for (state, life) in lives() {
        table = table.trim_end().to_owned() + &format!("\n{state:25}");
        for (_, input) in inputs() {
            let mut life = life();
            assert!(state.starts_with(life.state()), "{state}");
            let output = input(&mut life);
            table += &format!(" {:4}", cell(&life, &output));
        }
    }
    assert_eq!(table.trim_end(), TABLE.trim_matches('\n'), "\n{table}");
}

/// Every pair of state and input, by their names.
pub(super) fn pairs() -> impl Iterator<Item = (&'static str, &'static str)> {
    let columns: Vec<_> = inputs().into_iter().map(|(name, _)| name).collect();
    lives().into_iter().flat_map(move |(row, _)| columns.clone().into_iter().map(move |column| (row, column)))
}

/// Each state is counted in its own place, and one that has failed as failing.
#[test]
fn all_are_counted_as_what_they_are() {
    for (name, life) in lives() {
        let life = life();
        let standing = life.subscription.standing();
        assert_eq!(State::names()[standing.place()], life.subscription.state().name(), "{name}");
        assert_eq!(standing.is_failing(), life.subscription.snapshot(life.now).retries > 0, "{name}");
    }
    assert!(lives().iter().any(|(_, life)| life().subscription.standing().is_failing()));
}
