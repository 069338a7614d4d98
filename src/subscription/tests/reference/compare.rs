//! The comparison: the same inputs for the subscription and for its reference.

use proptest::prelude::*;

use super::super::random::{ACCEPTED, MOVED, Step, USE_PROXY, step, with_input};
use super::super::*;
use super::*;

/// What the machine shows.
fn shown(life: &Life, output: &Output, known: &mut Vec<u8>) -> Shown {
    Shown {
        state: life.state(),
        request: output.send.clone().map(|sent| {
            let anew = sent.call_id != *known;
            *known = sent.call_id;
            let ways = (sent.proxies.places(life.policy.proxies).collect(), sent.via);
            (sent.target, sent.remote_tag, sent.route_set, sent.cseq, sent.expires, anew, sent.known_state, ways)
        }),
        answer: output.answer.map(|answer| answer.code_and_phrase().0),
        news: output
            .news
            .map(|news| (news.status, news.code, news.next_attempt.map(u64::from), news.with_body, news.last)),
        forget: output.forget,
        due: life.subscription.deadline().map(|at| at.0),
    }
}

/// The reference has no challenges: the step without them.
fn unchallenged(step: Step) -> Step {
    match step {
        Step::Reply { old, code, tag, contact, numbers, redirect, challenge: _ } => {
            Step::Reply { old, code, tag, contact, numbers, redirect, challenge: 0 }
        }
        Step::Credentials(_) => Step::Pass(0),
        other => other,
    }
}

/// As [`step`], with more of the inputs that advance a subscription: acceptance, redirection, two notifiers, time.
fn lively_step() -> impl Strategy<Value = Step> {
    let tag = || prop_oneof![3 => Just(0usize), 1 => Just(3)];
    let reply = |code, tag, grant, redirect| Step::Reply {
        old: false,
        code,
        tag,
        contact: 1,
        numbers: [grant, 0, 0],
        redirect,
        challenge: 0,
    };
    prop_oneof![
        8 => step().prop_map(unchallenged),
        4 => Just(Step::Due),
        3 => (tag(), 5usize..8).prop_map(move |(tag, grant)| reply(ACCEPTED, tag, grant, 0)),
        2 => (1usize..4).prop_map(move |redirect| reply(MOVED, 0, 0, redirect)),
        2 => (1usize..4).prop_map(move |redirect| reply(USE_PROXY, 0, 0, redirect)),
        2 => Just(Step::Unsent(0, false)),
        1 => Just(Step::NoWay(0)),
        3 => (tag(), 0usize..5).prop_map(|(tag, state)| Step::Notify { cseq: 1, late: 0, tag, contact: 2, state, content: 0, event: true }),
        1 => Just(Step::Refresh),
        2 => (1u32..3).prop_map(Step::FlowLost),
        2 => (1u32..3).prop_map(|number| Step::Over(0, number)),
        2 => (0u64..12_000).prop_map(Step::Pass),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_life_is_as_the_rfcs_tell_it(
        steps in proptest::collection::vec(lively_step(), 0..60),
        min in 0u64..60,
        delta in 0u64..60,
        is_contrary in any::<bool>(),
        fetch in proptest::option::weighted(0.3, prop_oneof![Just(32u32), 1u32..3600]),
        timer_n_on_refresh in any::<bool>(),
        (timer_n_on_first, keep_route_set) in any::<(bool, bool)>(),
        proxies in 0u8..4,
    ) {
        let overrides = if is_contrary { contrary() } else { Vec::new() };
        let policy = Policy {
            min_resubscribe_time: secs(min),
            resubscribe_delta: secs(delta),
            overrides,
            timer_n_on_refresh,
            timer_n_on_first,
            keep_route_set,
            proxies,
            ..policy()
        };
        let mut life = Life::under(Terms { fetch, ..Terms::default() }, policy.clone());
        let mut reference = Reference::new(policy, fetch.map(|seconds| u64::from(seconds) * SECOND), life.now);
        let (mut known, mut before) = (Vec::new(), String::new());
        for step in std::iter::once(&Step::Start).chain(&steps) {
            with_input(&mut life, step, |life, input| {
                let expected = reference.take(&input, life.now);
                let said = format!("{before}{input:?}");
                let output = life.give(input);
                assert_eq!(shown(life, &output, &mut known), expected, "after {said}");
                before = format!("{}\n{:?}\n", said.lines().last().unwrap_or_default(), life.subscription.state());
            });
        }
    }
}
