//! A subscription without answers: time must end it.

use super::super::*;
use super::world::World;

/// The subscription is removed and gets no answers: time alone must end it, and nothing may be left. Inputs that must be
/// ignored may not change anything.
pub fn stand_alone(world: &World, account: &Accounted) -> Result<(), String> {
    let policy = world.book.policy();
    let env = world.env();
    let fresh = Fresh { call_id: b"call0", local_tag: b"tag0", cnonce: [0; 16] };
    let seen = world.subscription.picture(world.now);
    let out = account.out();
    let mut alone = world.subscription.clone();
    let old = Reply { cseq: seen.local_cseq.wrapping_sub(1), code: 481, ..Reply::default() };
    let mut ignored = vec![Input::Reply(old), Input::Reply(Reply { cseq: seen.local_cseq, code: 180, ..old })];
    if seen.deadline.is_some() {
        ignored.push(Input::Start);
    }
    if subscription_is_early(world) {
        ignored.push(Input::Deadline(fresh));
    }
    for input in ignored {
        let name = format!("{input:?}");
        let output = alone.handle(input, &env).map_err(|error| error.to_string())?;
        rule!(output.send.is_none() && output.news.is_none() && !output.forget, "{name} is not ignored");
        rule!(alone.picture(world.now) == seen, "{name} changes something");
    }
    let (mut now, mut forgotten) = (world.now, world.forgotten);
    let fetches = world.subscription.fetch_until().is_some();
    if fetches {
        fetch_alone(world, alone.clone(), &env)?;
    }
    let mut input = Input::Unsubscribe;
    // A refresh and a farewell at each proxy.
    let detours = u32::from(policy.proxies) * 2;
    for _ in 0..5 + detours {
        let output = alone.handle(input, &Env { now, ..env }).map_err(|error| error.to_string())?;
        rule!(output.news.is_none(), "news after unsubscribe");
        rule!(!fetches || output.forget, "asked once, and not forgotten at once");
        forgotten |= output.forget;
        let Some(deadline) = alone.deadline() else { break };
        now = now.max(deadline);
        input = Input::Deadline(fresh);
    }
    rule!(forgotten, "does not end by itself after unsubscribe: {:?}", alone.state());
    let all = policy.watchdog * (2 + detours) + policy.wait_for_term_notify;
    rule!(now.since(world.now) <= all, "needs {:?} to end", now.since(world.now));
    // The clone has the names of its original.
    rule!(account.out() == out, "leaves memory behind");
    drop(alone);
    rule!(account.out() == out, "leaks");
    Ok(())
}

/// A fetch without further answers reports that by its deadline, and ends.
fn fetch_alone(world: &World, mut alone: Subscription<Accounted>, env: &Env<'_>) -> Result<(), String> {
    let until = alone.fetch_until().unwrap_or(world.now).max(world.now);
    for number in 100.. {
        let Some(deadline) = alone.deadline() else { break };
        let now = world.now.max(deadline);
        rule!(now <= until, "waits beyond its deadline");
        let (call_id, local_tag) = (format!("call{number}"), format!("tag{number}"));
        let fresh = Fresh { call_id: call_id.as_bytes(), local_tag: local_tag.as_bytes(), cnonce: [0; 16] };
        let output = alone.handle(Input::Deadline(fresh), &Env { now, ..*env }).map_err(|error| error.to_string())?;
        rule!(output.forget == output.news.is_some_and(|news| news.last), "the last news comes with the end");
    }
    rule!(alone.state() == State::Destroyed, "does not end by itself: {:?}", alone.state());
    Ok(())
}

fn subscription_is_early(world: &World) -> bool {
    world.subscription.deadline().is_none_or(|deadline| world.now < deadline)
}
