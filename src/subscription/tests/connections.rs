//! The connection that a dialog's requests go over is lost.

use super::*;

/// Active over connection 7 for some time.
fn connected() -> Life {
    let mut life = Life::asking();
    life.reply_with(200, |reply| reply.flow = Some(flow(7)));
    life.notify("active");
    life.pass(secs(100));
    life
}

#[test]
fn the_loss_of_the_connection_brings_the_refresh_forward() {
    let mut life = connected();
    let planned = life.due_in();
    life.give(Input::FlowLost(flow(6)));
    assert_eq!(life.due_in(), planned, "another connection");
    life.random = 4_000_700;
    life.give(Input::FlowLost(flow(7)));
    assert_eq!(life.due_in(), 0.7);
    assert_eq!(life.subscription.flow(), None);
    let next = life.due_in();
    life.random = 0;
    life.give(Input::FlowLost(flow(7)));
    assert_eq!(life.due_in(), next, "a connection is lost once");
    life.due();
    assert_eq!(life.state(), "resubscription");
    life.reply_with(200, |reply| reply.flow = Some(flow(8)));
    life.give(Input::FlowLost(flow(8)));
    assert_eq!(life.due_in(), 120.0, "it has not lasted until the next SUBSCRIBE");
}

/// If a notifier closes every connection, the refreshes back off.
#[test]
fn losses_in_a_row_back_off_until_a_connection_lasts() {
    let mut life = connected();
    let lose = |life: &mut Life, number| {
        life.give(Input::FlowLost(flow(number)));
        let due_in = life.due_in();
        life.due();
        let cseq = life.request().cseq;
        life.give(Input::Over { cseq, flow: flow(number + 1) });
        life.reply_with(200, |reply| reply.flow = Some(flow(number + 1)));
        due_in
    };
    assert_eq!([7, 8, 9, 10].map(|number| lose(&mut life, number)), [0.0, 120.0, 120.0, 240.0]);
    life.due();
    let cseq = life.request().cseq;
    life.give(Input::Over { cseq, flow: flow(11) });
    life.reply_with(200, |reply| reply.flow = Some(flow(11)));
    life.pass(secs(40));
    life.give(Input::FlowLost(flow(11)));
    assert_eq!(life.due_in(), 0.0, "it has lasted until the refresh");
}

/// The request in flight went over the lost connection: the module does not wait for tm's timeout.
#[test]
fn what_is_under_way_over_a_lost_connection_has_failed() {
    let mut life = Life::asking();
    let cseq = life.request().cseq;
    life.give(Input::FlowLost(flow(7)));
    assert_eq!(life.state(), "unconfirmed", "it goes over another one, as far as is known");
    life.give(Input::Over { cseq: cseq + 1, flow: flow(7) });
    life.give(Input::FlowLost(flow(7)));
    assert_eq!(life.state(), "unconfirmed", "of another request");
    life.give(Input::Over { cseq, flow: flow(7) });
    let output = life.give(Input::FlowLost(flow(7)));
    assert_eq!(told(&output), (Status::Terminated, 0, "connection lost".to_owned(), Some(120)));
    assert!(output.concluded);

    let mut life = connected();
    life.give(Input::Refresh);
    life.due();
    let output = life.give(Input::FlowLost(flow(7)));
    assert_eq!(told(&output), (Status::Active, 0, "connection lost".to_owned(), Some(120)));
    assert_eq!((life.state(), life.subscription.flow()), ("confirmed", None));
}

#[test]
fn the_loss_of_the_connection_is_no_word_to_what_ends() {
    let mut life = connected();
    life.give(Input::Unsubscribe);
    let before = (life.state(), life.due_in());
    life.give(Input::FlowLost(flow(7)));
    assert_eq!((life.state(), life.due_in()), before);
}
