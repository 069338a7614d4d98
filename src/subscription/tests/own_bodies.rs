//! Bodies and NOTIFYs that only some subscriptions take: options `list` and `lenient`.

use super::*;

fn with(options: &str) -> Life {
    let mut life = Life::with(&Options::parse(options.as_bytes()).unwrap(), policy());
    life.give(Input::Start);
    life.due();
    life
}

/// Accepted, and active.
fn active(options: &str) -> Life {
    let mut life = with(options);
    life.reply(200);
    life.notify("active;expires=3600");
    life
}

/// The answer to the next NOTIFY, and whether its body is told.
fn taken(life: &mut Life, change: impl FnOnce(&mut Notify<'_>)) -> (Option<Answer>, bool) {
    let output = life.notify_with("active", change);
    (output.answer, output.news.is_some_and(|news| news.with_body))
}

/// A list; `is_invited` by an operator.
fn list(asked: ListJudgement, is_invited: bool) -> Content {
    Content::List(ListContent { asked, is_invited })
}

fn of(content: Content) -> impl FnOnce(&mut Notify<'_>) {
    move |notify| notify.content = content
}

#[test]
fn a_list_is_taken_if_it_was_asked_for() {
    let mut life = active("list");
    assert!(life.request().list);
    assert_eq!(taken(&mut life, of(list(ListJudgement::Acceptable, false))), (Some(Answer::Ok), true));
    assert_eq!(taken(&mut life, of(Content::Unsupported)), (Some(Answer::UnsupportedMediaType), false));
    life.due();
    assert!(life.request().list, "a refresh");
    let mut plain = active("");
    assert!(!plain.request().list);
    assert_eq!(
        taken(&mut plain, of(list(ListJudgement::Acceptable, false))),
        (Some(Answer::UnsupportedMediaType), false)
    );
    let output =
        with("list;fetch").notify_with("terminated;reason=timeout", of(list(ListJudgement::Acceptable, false)));
    assert!(output.news.is_some_and(|news| news.with_body && news.last), "a fetch");
}

#[test]
fn a_list_is_judged_by_what_was_asked_for() {
    let versioned = |version, is_full| list(ListJudgement::Versioned { version, is_full }, false);
    let malformed = list(ListJudgement::Malformed, false);
    let mut life = active("list");
    assert_eq!(taken(&mut life, of(malformed)), (Some(Answer::BadRequest("Malformed Body")), false));
    assert_eq!(taken(&mut active("list;lenient"), of(malformed)), (Some(Answer::Ok), true));
    assert_eq!(taken(&mut active(""), of(malformed)).0, Some(Answer::UnsupportedMediaType));
    // If lists are requested for all subscriptions, they are accepted without a look into them.
    for options in ["", "lenient"] {
        let invited = list(ListJudgement::Malformed, true);
        assert_eq!(taken(&mut active(options), of(invited)), (Some(Answer::Ok), true), "{options}");
    }
    // A gap in the versions brings a refresh, as with other documents.
    let mut life = active("list");
    assert_eq!(taken(&mut life, of(versioned(0, true))), (Some(Answer::Ok), true));
    let planned = life.due_in();
    taken(&mut life, of(versioned(1, false)));
    assert!(life.due_in() >= planned);
    taken(&mut life, of(versioned(3, false)));
    assert!(life.due_in() < planned);
}

/// RFC 4662 §4.7.
#[test]
fn a_list_has_no_forks() {
    for (options, forks) in [("", true), ("list", false)] {
        let subject =
            Subject { record: RECORD, subscriber: SUBSCRIBER, package: package::DIALOG.number, event_id: b"" };
        let options = Options::parse(options.as_bytes()).unwrap();
        let made = Subscription::try_new(subject, Accounted::new()).and_then(|made| made.try_with(&options)).unwrap();
        let mut life = Life::unstarted(policy()).beside(made);
        life.give(Input::Start);
        life.due();
        life.reply(200);
        assert_eq!(life.notify_with("active", |notify| notify.event = b"dialog").answer, Some(Answer::Ok));
        let output = life.notify_with("active", |notify| {
            notify.event = b"dialog";
            notify.remote_tag = tag(b"other");
        });
        assert_eq!((output.fork, output.answer), (forks, None));
    }
}

#[test]
fn a_body_that_is_not_what_was_asked_for_is_told_unchanged() {
    for content in [Content::Unsupported, Content::Malformed, list(ListJudgement::Acceptable, false)] {
        let mut life = active("lenient");
        assert_eq!(taken(&mut life, of(content)), (Some(Answer::Ok), true), "{content:?}");
        let output = life.notify_with("terminated;reason=noresource", of(content));
        assert!(output.news.is_some_and(|news| news.with_body && news.last), "{content:?}");
        assert!(!taken(&mut active(""), of(content)).1, "{content:?}");
    }
    for (content, answer) in [(Content::Encoded, Answer::UnsupportedMediaType), (Content::TooLarge, Answer::TooLarge)] {
        assert_eq!(taken(&mut active("lenient"), of(content)), (Some(answer), false), "{content:?}");
    }
}

#[test]
fn a_missing_state_is_active_and_a_foreign_id_is_its_own() {
    let missing = |notify: &mut Notify<'_>| notify.state = None;
    let mut life = with("lenient");
    life.reply(200);
    assert_eq!(taken(&mut life, missing), (Some(Answer::Ok), true));
    assert_eq!((life.snapshot().status, life.state()), ("active", "confirmed"));
    assert!(matches!(taken(&mut active(""), missing).0, Some(Answer::BadRequest(_))));
    for (event, id, with_it, without) in [
        (&b""[..], None, Answer::Ok, Answer::BadEvent),
        (b"presence", Some(&b"x"[..]), Answer::Ok, Answer::BadEvent),
        (b"presence", Some(b""), Answer::Ok, Answer::BadEvent),
        (b"dialog", None, Answer::BadEvent, Answer::BadEvent),
    ] {
        let change = |notify: &mut Notify<'_>| (notify.event, notify.event_id) = (event, id);
        assert_eq!(taken(&mut active("lenient"), change).0, Some(with_it));
        assert_eq!(taken(&mut active(""), change).0, Some(without));
    }
    let mut life = active("lenient");
    let nobody = taken(&mut life, |notify| notify.remote_tag = crate::grammar::Tag::NONE).0;
    assert_eq!(nobody, None, "it is of no dialog");
}

#[test]
fn a_number_that_never_goes_up_is_new_if_the_text_is() {
    for (options, answer) in [("lenient", Answer::Ok), ("", Answer::StaleCseq)] {
        let mut life = active(options);
        life.remote_cseq -= 1;
        let output = life.notify("pending;expires=3600");
        assert_eq!((output.answer, output.news.is_some()), (Some(answer), answer == Answer::Ok));
        life.remote_cseq -= 2;
        assert_eq!(life.notify("active").answer, Some(Answer::StaleCseq), "a lower one is stale");
    }
    let mut life = active("lenient");
    life.remote_cseq -= 1;
    let output = life.notify("active;expires=3600");
    assert_eq!((output.answer, output.untold), (Some(Answer::Ok), Some((Untold::Repeated, true))));
    life.remote_cseq -= 1;
    let output = life.notify("terminated;reason=noresource");
    assert!(output.answer == Some(Answer::Ok) && output.news.is_some_and(|news| news.last));
}

#[test]
fn no_notify_and_no_routes_are_borne_with() {
    for (options, state) in [("lenient", "confirmed"), ("", "waiting")] {
        let mut life = with(options);
        life.reply_with(200, |reply| reply.expires = Some(3600));
        life.pass(secs(33));
        life.deadline();
        assert_eq!(life.state(), state, "{options}");
    }
    for (options, routes) in [("lenient", &b"<sip:p;lr>"[..]), ("", b"")] {
        let mut life = with(options);
        life.reply_with(200, |reply| reply.route_set = RouteSet::of(b"<sip:p;lr>"));
        life.notify("active;expires=3600");
        life.due();
        assert_eq!(life.request().route_set, routes, "{options}");
    }
}
