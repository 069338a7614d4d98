//! A queue against a plain model of it.

use std::collections::VecDeque;

use proptest::prelude::*;

use super::support::{Plain, hub, new, push_known, queue};
use crate::qsa::{Known, LastQueued, QueueId, SubscriptionId};
use crate::subscription::Status;

/// As many last messages are spared in one go.
const MOST_SPARED: usize = 16;

#[derive(Clone, Debug)]
enum Step {
    /// A message, of a notifier that knows the subscriber's value or not.
    Say(usize, bool),
    /// The last message of a subscription.
    End(usize, bool),
    Pop,
    /// After that another subscription takes its place.
    Unsubscribe(usize),
    Set(usize, usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let who = || (0..4usize, any::<bool>());
    // Where a value has been set the queue looks at all, so that there is nothing else to be seen: most know no such step.
    let step = move |set: u32| {
        prop_oneof![
            60 => who().prop_map(|(who, knows)| Step::Say(who, knows)),
            5 => who().prop_map(|(who, knows)| Step::End(who, knows)),
            30 => Just(Step::Pop),
            10 => (0..4usize).prop_map(Step::Unsubscribe),
            set => (0..4usize, 1..9usize).prop_map(|(who, value)| Step::Set(who, value)),
        ]
    };
    prop_oneof![4 => Just(0), 1 => Just(1)].prop_flat_map(move |set| prop::collection::vec(step(set), 1..400))
}

struct Subscription {
    id: SubscriptionId,
    /// The subscriber's value, and what its notifier took it for.
    value: usize,
    copy: usize,
    last: LastQueued,
    has_ended: bool,
}

impl Subscription {
    fn new(hub: &Plain, queue: QueueId, number: usize) -> Self {
        let id = hub.subscribe(&crate::qsa::NewSubscription { subscriber_data: number, ..new(b"r", queue) }).unwrap();
        Self { id, value: number, copy: number, last: LastQueued::default(), has_ended: false }
    }

    fn say(&mut self, hub: &Plain, queue: QueueId, body: &[u8], knows: bool, is_last: bool) {
        self.has_ended |= is_last;
        if knows {
            push_known(hub, queue, &mut self.last, self.id, self.copy, (body, 1, is_last));
        } else {
            let status = if is_last { Status::Terminated } else { Status::Active };
            hub.notify(self.id, status, b"", b"text/plain", body).unwrap();
        }
    }
}

#[derive(Clone, Copy)]
struct Waiting {
    id: SubscriptionId,
    /// Two notifiers count as two forks.
    knows: bool,
    number: usize,
    is_last: bool,
}

fn say(model: &mut VecDeque<Waiting>, limit: usize, message: Waiting) {
    let is_full = model.len() >= limit;
    let mine = model.iter_mut().rev().find(|one| (one.id, one.knows) == (message.id, message.knows));
    match mine {
        Some(mine) if is_full => *mine = message,
        _ => {
            if is_full {
                for _ in 0..MOST_SPARED {
                    if model.front().is_some_and(|one| one.is_last) {
                        model.rotate_left(1);
                    }
                }
                model.pop_front();
            }
            model.push_back(message);
        }
    }
}

proptest! {
    /// Same messages with the same values, and the equation of the counters after every step.
    #[test]
    fn a_queue_does_what_its_model_does(limit in 1u32..80, steps in steps()) {
        let hub = hub();
        let q = queue(&hub, limit);
        let limit = limit as usize;
        let mut all: Vec<_> = (0..4).map(|number| Subscription::new(&hub, q, 10 + number)).collect();
        let mut model: VecDeque<Waiting> = VecDeque::new();
        for (number, step) in steps.into_iter().enumerate() {
            match step {
                Step::Say(who, knows) | Step::End(who, knows) if !all[who].has_ended => {
                    let is_last = matches!(step, Step::End(..));
                    all[who].say(&hub, q, number.to_string().as_bytes(), knows, is_last);
                    say(&mut model, limit, Waiting { id: all[who].id, knows, number, is_last });
                }
                Step::Say(..) | Step::End(..) => {}
                Step::Pop => {
                    let expected = std::iter::from_fn(|| model.pop_front()).find_map(|message| {
                        let subscription = all.iter().find(|subscription| subscription.id == message.id)?;
                        Some((message.id, message.number.to_string(), subscription.value))
                    });
                    let got = hub.pop(q).map(|one| {
                        let body = String::from_utf8(one.message.body().to_vec()).unwrap();
                        (one.message.subscription(), body, one.subscriber_data)
                    });
                    prop_assert_eq!(got, expected);
                }
                Step::Unsubscribe(who) => {
                    hub.unsubscribe(all[who].id).unwrap();
                    all[who] = Subscription::new(&hub, q, 100 + number);
                }
                Step::Set(who, value) => {
                    hub.set_subscriber_data(all[who].id, value).unwrap();
                    all[who].value = value;
                }
            }
            let c = hub.queue_counters(q).unwrap();
            prop_assert_eq!(c.received, c.delivered + c.merged + c.dropped + c.queued);
            prop_assert_eq!(c.queued, model.len() as u64);
            prop_assert_eq!(hub.counters(), c);
        }
    }

    #[test]
    fn what_is_known_comes_back(value: usize) {
        let fits = value < (1 << 48) - 1;
        prop_assert_eq!(Known::of(value).get(), fits.then_some(value));
        let value = value >> 17;
        prop_assert_eq!(Known::of(value).get(), Some(value));
    }
}
