//! What the operator has done to subscriptions.

use super::*;

#[test]
fn nothing_is_changed_unless_allowed_and_confirmed() {
    let (mut model, mut fake) = (Model::new(settings(), SECOND), Fake::new(five()));
    fake.serve(&mut model, 2 * SECOND);
    press(&mut model, "e", 3 * SECOND);
    assert!(model.notice.as_ref().is_some_and(|(said, _)| said.contains("--write")));
    model.settings.write = true;
    let changes = |fake: &Fake| {
        let of = |call: &&Call| matches!(call.purpose, Purpose::End(_) | Purpose::Refresh(_));
        fake.calls.iter().filter(of).map(|call| call.purpose).collect::<Vec<_>>()
    };
    press(&mut model, "en", 3 * SECOND);
    model.key(Key::Char('e'), 3 * SECOND);
    model.key(Key::Enter, 3 * SECOND);
    fake.serve(&mut model, 4 * SECOND);
    assert_eq!(changes(&fake), []);
    press(&mut model, "ryey", 3 * SECOND);
    fake.serve(&mut model, 4 * SECOND);
    assert_eq!(changes(&fake), [Purpose::Refresh(3), Purpose::End(3)]);
    assert_eq!(model.key(Key::Char('q'), SECOND), Step::Quit);
    assert_eq!(model.key(Key::Interrupt, SECOND), Step::Quit);
}

/// After a restart of the server an id is another one's.
#[test]
fn only_what_was_named_in_the_question_is_changed() {
    let settings = Settings { write: true, ..settings() };
    let (mut model, mut fake) = (Model::new(settings, SECOND), Fake::new(five()));
    fake.serve(&mut model, 2 * SECOND);
    let ends = |fake: &Fake| fake.calls.iter().filter(|call| matches!(call.purpose, Purpose::End(_))).count();
    let says = |model: &Model| model.notice.as_ref().is_some_and(|(said, _)| said.contains("nothing was done"));
    press(&mut model, "e", 3 * SECOND);
    fake.rows = (1..=5).map(|id| row(id, "other", 0)).collect();
    for seconds in 4..12 {
        fake.serve(&mut model, seconds * SECOND);
    }
    press(&mut model, "y", 12 * SECOND);
    fake.serve(&mut model, 13 * SECOND);
    assert_eq!((ends(&fake), says(&model)), (0, true));

    press(&mut model, "e", 14 * SECOND);
    let call = model.next(16 * SECOND).expect("a call");
    model.apply(&call, Err(Failure::NobodyListens("x".into())), SECOND, 17 * SECOND);
    for seconds in 18..22 {
        fake.serve(&mut model, seconds * SECOND);
    }
    assert_eq!((&model.mode, says(&model)), (&Mode::Table, true));
    press(&mut model, "y", 22 * SECOND);
    fake.serve(&mut model, 23 * SECOND);
    assert_eq!(ends(&fake), 0);
}

/// The same where nothing has told of the restart yet: right before it is done, the server is asked who that is.
#[test]
fn the_server_is_asked_before_anything_is_changed() {
    let settings = Settings { interval: 60 * SECOND, write: true, ..settings() };
    for (changed, said) in
        [("record", "is another"), ("subscriber", "is another"), ("package", "is another"), ("", "has ended")]
    {
        for keys in ["ey", "ry", "ryey"] {
            let (mut model, mut fake) = (Model::new(settings.clone(), SECOND), Fake::new(five()));
            fake.serve(&mut model, 2 * SECOND);
            match changed {
                "" => fake.rows.clear(),
                field => fake.rows.iter_mut().for_each(|row| row[field] = "sip:other@example.com".into()),
            }
            press(&mut model, keys, 3 * SECOND);
            fake.serve(&mut model, 3 * SECOND);
            let is_change = |call: &Call| matches!(call.purpose, Purpose::End(_) | Purpose::Refresh(_));
            assert!(!fake.calls.iter().any(is_change), "{changed}");
            let (notice, _) = model.notice.clone().expect("a sentence");
            assert!(notice.contains(said) && notice.contains("nothing was done"), "{notice}");
        }
    }

    // A server that does not answer that has changed nothing.
    let (mut model, mut fake) = (Model::new(settings, SECOND), Fake::new(five()));
    fake.serve(&mut model, 2 * SECOND);
    press(&mut model, "ey", 3 * SECOND);
    let call = model.next(3 * SECOND).expect("a call");
    assert_eq!(call.purpose, Purpose::Check(3));
    model.apply(&call, Err(Failure::Silent(call.method.into(), 2)), SECOND, 3 * SECOND);
    let (notice, _) = model.notice.clone().expect("a sentence");
    assert!(notice.contains("nothing was done to 3"), "{notice}");
}

/// What happened last stays to be seen when a subscription has ended, in whatever order the answers come.
#[test]
fn the_last_events_of_an_ended_one_stay() {
    let (mut model, mut fake) = (Model::new(settings(), SECOND), Fake::new(five()));
    fake.serve(&mut model, 2 * SECOND);
    model.key(Key::Enter, 3 * SECOND);
    fake.serve(&mut model, 3 * SECOND);
    let id = model.selected().expect("one").id;
    let gone = || Err(Failure::Fault(404, format!("there is no subscription {id}")));
    let call = Call { method: "presence_b2b.history", params: json!([id]), purpose: Purpose::History(id) };
    model.apply(&call, gone(), SECOND, 4 * SECOND);
    let detail = model.detail.as_ref().expect("it is shown");
    assert!(detail.is_gone && matches!(&detail.history, History::Events(events) if !events.is_empty()));
}

/// What was wanted of a server that does not answer is told, and not done later.
#[test]
fn an_action_that_fails_is_told() {
    let settings = Settings { write: true, ..settings() };
    for (failure, said) in [
        (Failure::NobodyListens("x".into()), "nothing was done to 3"),
        (Failure::Silent("presence_b2b.refresh".into(), 2), "it is not known whether 3 was changed"),
    ] {
        let (mut model, mut fake) = (Model::new(settings.clone(), SECOND), Fake::new(five()));
        fake.serve(&mut model, 2 * SECOND);
        press(&mut model, "ry", 3 * SECOND);
        let call = model.next(3 * SECOND).expect("a call");
        assert_eq!(call.purpose, Purpose::Check(3));
        let shown = fake.answer(&call);
        model.apply(&call, shown, SECOND, 3 * SECOND);
        let call = model.next(3 * SECOND).expect("a call");
        assert_eq!(call.purpose, Purpose::Refresh(3));
        model.apply(&call, Err(failure), SECOND, 3 * SECOND);
        assert!(model.notice.as_ref().is_some_and(|(text, _)| text.contains(said)), "{:?}", model.notice);
    }

    // Another call fails before it is sent.
    let (mut model, mut fake) = (Model::new(settings.clone(), SECOND), Fake::new(five()));
    fake.serve(&mut model, 2 * SECOND);
    let call = model.next(4 * SECOND).expect("a call");
    press(&mut model, "ey", 4 * SECOND);
    model.apply(&call, Err(Failure::NoSocket("x".into())), SECOND, 4 * SECOND);
    assert!(model.notice.as_ref().is_some_and(|(text, _)| text.contains("nothing was done to 3")));
    fake.serve(&mut model, 9 * SECOND);
    assert!(fake.calls.iter().all(|call| !matches!(call.purpose, Purpose::End(_))));

    // The server has no such command.
    let (mut model, mut fake) = (Model::new(settings, SECOND), Fake::new(five()));
    fake.lacks = vec!["presence_b2b.refresh"];
    fake.serve(&mut model, 2 * SECOND);
    press(&mut model, "ry", 3 * SECOND);
    fake.serve(&mut model, 3 * SECOND);
    assert!(model.notice.as_ref().is_some_and(|(text, _)| text.contains("no command for it")), "{:?}", model.notice);
}

/// After a failure, too, what a dialog without NOTIFY waits for is that NOTIFY, and not its refresh.
#[test]
fn why_a_silent_notifier_makes_it_red() {
    let mut fields = row(3, "alice", 1);
    for (name, value) in [("state", json!("confirmed")), ("last_reply", json!(200)), ("next_action_in", json!(31))] {
        fields[name] = value;
    }
    let fields = fields.as_object().expect("a struct").clone();
    let why = Row::new(fields, SECOND).expect("a row").why(SECOND);
    assert_eq!(why, "accepted, but the first NOTIFY has not come yet; waits 31s more for it");
}

/// While the server does not answer, the last picture stays as it was.
#[test]
fn nothing_counts_on_while_the_server_is_away() {
    let (mut model, mut fake) = (Model::new(settings(), SECOND), Fake::new(five()));
    fake.serve(&mut model, 2 * SECOND);
    assert_eq!(model.shown_at(3 * SECOND), 3 * SECOND);
    let call = model.next(5 * SECOND).expect("a call");
    model.apply(&call, Err(Failure::NobodyListens("x".into())), SECOND, 5 * SECOND);
    assert_eq!(model.shown_at(60 * SECOND), 2 * SECOND);
}

/// A question whose check failed is not answered yes by a later one.
#[test]
fn what_could_not_be_checked_is_not_done_later() {
    let settings = Settings { write: true, ..settings() };
    for failure in [Failure::Fault(500, "busy".into()), Failure::CutOff, Failure::Broken("x".into())] {
        let (mut model, mut fake) = (Model::new(settings.clone(), SECOND), Fake::new(five()));
        fake.serve(&mut model, 2 * SECOND);
        press(&mut model, "ey", 3 * SECOND);
        let call = model.next(3 * SECOND).expect("a call");
        assert_eq!(call.purpose, Purpose::Check(3));
        model.apply(&call, Err(failure.clone()), SECOND, 3 * SECOND);
        let (notice, _) = model.notice.clone().expect("a sentence");
        assert!(notice.contains("nothing was done to 3"), "{notice}");
        fake.serve(&mut model, 4 * SECOND);
        press(&mut model, "ry", 5 * SECOND);
        fake.serve(&mut model, 5 * SECOND);
        let ended = fake.calls.iter().any(|call| matches!(call.purpose, Purpose::End(_)));
        assert!(!ended, "{failure:?}: r ended it");
    }
}
