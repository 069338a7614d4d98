//! The life that `docs/concepts.md` draws is the one that a subscription has.

use crate::documentation::{blocks_in, section, text_of};
use crate::support::kamailio::Server;
use crate::support::notifier::{Notifier, Notify};
use crate::support::wait::{SOON, eventually};
use crate::support::watch::{Watch, told};

/// The states of the picture, from top to bottom: the words that stand alone in the middle of a line.
fn drawn() -> Vec<String> {
    let picture = blocks_in("docs/concepts.md", "text").into_iter().find(|block| block.contains("b2b_unsubscribe()"));
    let picture = picture.expect("the picture");
    let middle = |line: &str| {
        let line = line.trim().trim_matches('|').trim();
        let is_state = !line.is_empty() && line.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        is_state.then(|| line.to_owned())
    };
    picture.lines().skip(1).filter_map(middle).collect()
}

/// The states of the one subscription, one after the other, as the debug log has them.
fn lived(server: &Server) -> Vec<String> {
    let text = server.log().text();
    let changes = text.lines().filter(|line| line.contains("step of subscription ")).filter_map(|line| {
        let (before, after) = line.split_once(" -> ")?;
        Some([before.rsplit(' ').next()?.to_owned(), after.split(';').next()?.to_owned()])
    });
    let mut states: Vec<String> = changes.flatten().filter(|state| state != "new").collect();
    states.dedup();
    states
}

#[test]
fn the_drawn_life_is_lived() {
    let server = Server::eager(1).debug(3).start();
    let notifier = Notifier::udp();
    let watch = Watch::begin(&server, &notifier.uri("alice"));
    let mut dialog = notifier.accept(&notifier.expect_subscribe(SOON), 600);
    watch.await_state("confirmed");
    for note in ["here", "there"] {
        assert_eq!(dialog.notify(told(600, note)).status(), 200);
    }
    watch.refresh();
    dialog.accept(&dialog.expect_subscribe(SOON), 600);
    watch.await_state("confirmed");
    watch.unsubscribe();
    dialog.accept(&dialog.expect_subscribe(SOON), 0);
    watch.await_state("waiting_for_termination");
    assert_eq!(dialog.notify(Notify::terminated("timeout", 0)).status(), 200);
    watch.await_gone(SOON);
    eventually(SOON, "the last step", || lived(&server).last().is_some_and(|state| state == "destroyed").then_some(()));
    assert_eq!(lived(&server), drawn());
    server.stop();
}

/// Every state that the page names is one of the module's, and every reason one of those that are described.
#[test]
fn states_of_the_page_are_described() {
    let page = text_of("docs/states.md");
    let states = section(&page, "The nine states");
    for state in drawn() {
        assert!(states.contains(&format!("| `{state}` |")), "{state}");
    }
    let reasons = section(&page, "Reasons");
    for reason in ["destination held", "destination does not answer", "expired", "no NOTIFY"] {
        assert!(text_of("docs/concepts.md").contains(&format!("`{reason}`")), "{reason} is not named");
        assert!(reasons.contains(&format!("| `{reason}` |")), "{reason}");
    }
}

/// The times and counts of the pictures are the defaults of the parameters.
#[test]
fn numbers_of_the_page_are_the_defaults() {
    let (page, parameters) = (text_of("docs/concepts.md"), text_of("docs/parameters.md"));
    for (parameter, default, said) in [
        ("on_error_retry_time", "120", "|  120 s  |"),
        ("failure_backoff_max", "3600", "up to 3600 s"),
        ("breaker_failures", "10", "10 failures in a row"),
        ("breaker_time", "30", "30 s are over"),
        ("resubscribe_delta", "30", "`resubscribe_delta` (30 seconds)"),
        ("refresh_jitter", "10", "up to 10 percent earlier"),
        ("default_expiration", "3600", "SUBSCRIBE, Expires: 3600"),
    ] {
        let section = section(&parameters, &format!("{parameter} (integer)"));
        assert!(section.contains(&format!("Default: {default}.")), "{parameter}");
        assert!(page.contains(said), "{parameter}: {said}");
    }
}
