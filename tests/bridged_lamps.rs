//! A thousand lamps of a remote PBX on local phones, through calls that end early, messages that overtake each other and restarts of
//! the PBX: in the end none is wrong.

mod pbx;

use std::time::{Duration, Instant};

use serde_json::json;

use self::pbx::Pbx;
use crate::publish::bridging;
use crate::support::kamailio::Server;
use crate::support::lamp_wall::LampWall;
use crate::support::wait::SOON;

/// Users of the PBX, each with a lamp.
const LAMPS: usize = 1_000;

/// How many changes are told.
const CHANGES: usize = 20_000;

/// How often the PBX starts again.
const RESTARTS: usize = 3;

/// Every so many lamps are looked at from another phone, which subscribes in the end.
const LATE: usize = 10;

/// How long all of the lamps may take to become right.
const SETTLED: Duration = Duration::from_secs(60);

/// The user at the PBX, and the one at the local presence server.
fn user(number: usize) -> String {
    format!("u{number}")
}

/// Random numbers that are the same each time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }
}

#[test]
fn a_thousand_lamps_are_right_in_the_end() {
    let server = bridging()
        .shm_megabytes(192)
        .children(4)
        .modparam("presence", "subs_htable_size", 11)
        .modparam("presence", "pres_htable_size", 11)
        .start();
    let mut pbx = Pbx::new(LAMPS);
    let ids: Vec<u64> = (0..LAMPS).map(|number| subscribe(&server, &pbx, number)).collect();
    serve_until(&mut pbx, "all are subscribed", |pbx| pbx.missing().is_empty());
    let wall = watch(&server, 0..LAMPS);

    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    for part in 0..=RESTARTS {
        let end = pbx.told + CHANGES / (RESTARTS + 1);
        while pbx.told < end {
            pbx.change(dice.below(LAMPS), &mut dice);
            pbx.serve(Duration::ZERO);
            while pbx.is_busy() {
                pbx.serve(Duration::from_millis(2));
            }
        }
        if part < RESTARTS {
            pbx.restart(part == 1);
            subscribe_again(&server, &mut pbx, &ids);
        }
    }
    serve_until(&mut pbx, "all NOTIFYs are answered", |pbx| pbx.waiting() == 0);

    let lit = (0..LAMPS).filter(|number| pbx.lamp(*number) != "off").count();
    assert!(lit > LAMPS / 10 && lit < LAMPS, "{lit} of {LAMPS} lamps are lit");
    settle(&mut pbx, &wall);
    let late = watch(&server, (0..LAMPS).step_by(LATE));
    settle(&mut pbx, &late);
    let trace = server.trace();
    assert_eq!(trace["publications"], LAMPS, "{trace}");
    assert_eq!(trace["subscriptions"], LAMPS, "{trace}");
    assert_eq!(pbx.lost, 0, "NOTIFYs of active subscriptions that got 481");
    server.stop();
}

/// New lamps for these users.
fn watch(server: &Server, users: impl Iterator<Item = usize>) -> LampWall {
    let wall = LampWall::default();
    users.for_each(|number| wall.watch(server, &user(number)));
    wall
}

fn subscribe(server: &Server, pbx: &Pbx, number: usize) -> u64 {
    let options = format!("publish_as=\"{}\"", server.uri(&user(number)));
    let params = json!([pbx.uri(number), server.uri("lamps"), "dialog", options]);
    let id = server.rpc("presence_b2b.subscribe", params).expect("an id");
    id.as_u64().unwrap_or_else(|| panic!("not a plain integer: {id}"))
}

/// The PBX knows nothing of these subscriptions any more; the module learns it when it refreshes them.
fn subscribe_again(server: &Server, pbx: &mut Pbx, ids: &[u64]) {
    let begun = Instant::now();
    while !pbx.missing().is_empty() {
        for number in pbx.missing() {
            // One that is just subscribing again refuses.
            let _ = server.rpc("presence_b2b.refresh", json!([ids[number]]));
            pbx.serve(Duration::ZERO);
        }
        let pause = Instant::now();
        while !pbx.missing().is_empty() && pause.elapsed() < Duration::from_secs(2) {
            pbx.serve(Duration::from_millis(5));
        }
        assert!(begun.elapsed() < SETTLED, "{} are not subscribed again", pbx.missing().len());
    }
}

fn serve_until(pbx: &mut Pbx, what: &str, done: impl Fn(&Pbx) -> bool) {
    let begun = Instant::now();
    while !done(pbx) {
        pbx.serve(Duration::from_millis(5));
        assert!(begun.elapsed() < 4 * SOON, "not in time: {what}");
    }
}

/// Waits until all lamps of the wall are right.
fn settle(pbx: &mut Pbx, wall: &LampWall) {
    let begun = Instant::now();
    loop {
        pbx.serve(Duration::from_millis(20));
        let wrong: Vec<_> = wall
            .shown()
            .into_iter()
            .map(|(user, shown)| {
                let number = user.strip_prefix('u').and_then(|number| number.parse().ok()).expect("a user");
                (user, shown, pbx.lamp(number))
            })
            .filter(|(_, shown, right)| *shown != Some(*right))
            .collect();
        if wrong.is_empty() {
            return;
        }
        assert!(begun.elapsed() < SETTLED, "{} lamps are wrong (user, shown, right): {wrong:?}", wrong.len());
    }
}
