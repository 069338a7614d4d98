//! Servers without some of the commands.

use super::*;

#[test]
fn an_older_module_is_shown_as_well() {
    for lists in [false, true] {
        an_older_module_is_shown(lists);
    }
}

fn an_older_module_is_shown(lists: bool) {
    let (mut model, mut fake) = (Model::new(settings(), SECOND), Fake { lists, ..Fake::new(five()) });
    fake.lacks =
        vec!["presence_b2b.find", "presence_b2b.count", "presence_b2b.history", "presence_b2b.queues", "stats.fetch"];
    fake.serve(&mut model, 2 * SECOND);
    assert_eq!(ids(&model), [3, 5, 1, 2, 4]);
    assert_eq!(model.count.as_ref().map(|count| (count.total, count.failing)), Some((5, None)));
    assert_eq!(model.counters.get("received"), Some(7));
    let begin = fake.calls.len();
    press(&mut model, "\n", 3 * SECOND);
    fake.serve(&mut model, 4 * SECOND);
    fake.serve(&mut model, 6 * SECOND);
    let detail = model.detail.as_ref().expect("it is open");
    assert!(matches!(&detail.history, History::None(why) if why.contains("presence_b2b.history")));
    let asked = |method, from| fake.calls.iter().skip(from).filter(|call| call.method == method).count();
    assert_eq!((asked("presence_b2b.history", begin), asked("presence_b2b.find", begin)), (usize::from(!lists), 0));
    for command in &fake.lacks {
        assert_eq!(asked(command, 0), usize::from(!lists), "{command}: the server logs each");
    }
    press(&mut model, "/", 7 * SECOND);
    press(&mut model, "ca", 7 * SECOND);
    fake.serve(&mut model, 8 * SECOND);
    assert!(model.notice.as_ref().is_some_and(|(said, _)| said.contains("whole URIs only")), "{:?}", model.notice);
}

/// Something else answers JSON-RPC there, or a proxy eats the results.
#[test]
fn results_that_the_module_does_not_give() {
    let mut model = Model::new(settings(), SECOND);
    for (method, result) in [("system.listMethods", json!(null)), ("presence_b2b.version", json!({"version": null}))] {
        let call = model.next(2 * SECOND).expect("a call");
        assert_eq!(call.method, method);
        model.apply(&call, Ok(result), SECOND, 2 * SECOND);
    }
    assert_eq!(model.link, Link::Away(2 * SECOND, Failure::Strange("presence_b2b.version".into())));

    let (mut model, mut fake) = (Model::new(settings(), SECOND), Fake::new(five()));
    for method in ["presence_b2b.count", "presence_b2b.find"] {
        fake.serve(&mut model, 2 * SECOND);
        let call = Call { method, params: json!([]), purpose: Purpose::Count };
        let purpose =
            if method == "presence_b2b.find" { Purpose::Rows(model.table.generation()) } else { call.purpose };
        model.apply(&Call { purpose, ..call }, Ok(json!(null)), SECOND, 3 * SECOND);
        assert!(model.notice.as_ref().is_some_and(|(said, _)| said.contains(method)), "{:?}", model.notice);
    }
}

#[test]
fn a_server_without_the_module_is_told_so_and_waited_for() {
    let (mut model, mut fake) = (Model::new(settings(), SECOND), Fake::new(five()));
    fake.lacks = call::COMMANDS.into_iter().filter(|command| command.starts_with("presence_b2b.")).collect();
    for lists in [true, false] {
        fake.lists = lists;
        for seconds in 2..10 {
            fake.serve(&mut model, seconds * SECOND);
            assert_eq!(model.link, Link::Away(SECOND, Failure::Missing("presence_b2b.version".into())));
        }
    }
    (fake.lacks, fake.lists) = (Vec::new(), true);
    fake.serve(&mut model, 20 * SECOND);
    assert_eq!((model.link.clone(), ids(&model).len()), (Link::Good, 5));
}
