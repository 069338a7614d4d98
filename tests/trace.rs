//! A line in the debug log for each step of a subscription.

use crate::support::kamailio::Server;
use crate::support::news::TELL;
use crate::support::notifier::{Notifier, Notify};
use crate::support::wait::{SOON, eventually};
use crate::support::watch::{Watch, told};

/// What a line says of a step: input, states, what goes out. The deadline is not compared.
fn steps(server: &Server) -> Vec<String> {
    let text = server.log().text();
    let lines = text.lines().filter_map(|line| line.split_once("step of subscription ")).map(|(_, step)| step);
    lines.filter_map(|step| step.split_once(": ")?.1.rsplit_once("; ")).map(|(step, _)| step.to_owned()).collect()
}

#[test]
fn each_step_says_input_states_and_what_goes_out() {
    let server = Server::b2b().debug(3).route(TELL).start();
    let notifier = Notifier::udp();
    let watch = Watch::begin(&server, &notifier.uri("alice"));
    let request = notifier.expect_subscribe(SOON);
    let mut dialog = notifier.accept(&request, 600);
    watch.await_state("confirmed");
    assert_eq!(dialog.notify(told(600, "here")).status(), 200);
    watch.unsubscribe();
    dialog.accept(&dialog.expect_subscribe(SOON), 0);
    // Another process may be quicker with the NOTIFY than the first is with the reply.
    watch.await_state("waiting_for_termination");
    assert_eq!(dialog.notify(Notify::terminated("timeout", 0)).status(), 200);
    watch.await_gone(SOON);
    // The answer leaves before the step is written.
    let steps = eventually(SOON, "the last step", || {
        let steps = steps(&server);
        steps.iter().any(|step| step.contains("-> destroyed")).then_some(steps)
    });
    let place = |begins: &str, goes_on: &str| {
        let is_it = |step: &String| step.starts_with(begins) && step.contains(goes_on);
        steps.iter().position(is_it).unwrap_or_else(|| panic!("no {begins} … {goes_on} in {steps:#?}"))
    };
    let places = [
        place("start; new -> waiting", "; nothing"),
        place("deadline; waiting -> unconfirmed", "; SUBSCRIBE 1 with Expires 3600"),
        place("SUBSCRIBE 1 is sent", "; unconfirmed -> unconfirmed; nothing"),
        place("reply 200 to SUBSCRIBE 1", "; unconfirmed -> confirmed"),
        place("NOTIFY ", " with active; confirmed -> confirmed; answer 200, tell active with the body"),
        place("unsubscribe; confirmed -> predestroyed", "; nothing"),
        place("NOTIFY ", " with terminated; waiting_for_termination -> destroyed; answer 200, the record is removed"),
    ];
    assert!(places.is_sorted(), "{places:?} in {steps:#?}");
    server.stop();
}

#[test]
fn without_the_level_there_is_no_line() {
    let server = Server::b2b().route(TELL).start();
    let notifier = Notifier::udp();
    let (watch, mut dialog, _) = Watch::standing(&server, &notifier, 600);
    watch.end(&mut dialog);
    assert_eq!(steps(&server), [] as [String; 0]);
    server.stop();
}
