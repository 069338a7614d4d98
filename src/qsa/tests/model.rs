//! A queue against a plain model of it.

use std::collections::VecDeque;

use allocator_api2::alloc::Global;
use proptest::prelude::*;

use super::support::{Plain, ask, hub, new, push_known, queue};
use crate::qsa::waiting::{self, class_of};
use crate::qsa::{Budget, CachedSubscriberData, LastQueued, QueueId, SubscriptionId, Wanted};
use crate::subscription::Status;

/// As many last messages are spared in one go.
const MOST_SPARED: usize = 16;

/// As many messages one message displaces.
const MOST_DISPLACED: usize = 32;

#[derive(Clone, Debug)]
enum Step {
    /// A message, of a notifier that knows the subscriber's value or not, with a body of so many bytes.
    Say(usize, bool, usize),
    /// The last message of a subscription.
    End(usize, bool, usize),
    Pop,
    /// After that another subscription takes its place.
    Unsubscribe(usize),
    Set(usize, usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let who = || (0..4usize, any::<bool>(), prop_oneof![Just(0), 0..400usize, 0..4000usize]);
    // Where a value has been set the queue looks at all, so that there is nothing else to be seen: most know no such step.
    let step = move |set: u32| {
        prop_oneof![
            60 => who().prop_map(|(who, knows, size)| Step::Say(who, knows, size)),
            5 => who().prop_map(|(who, knows, size)| Step::End(who, knows, size)),
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
        let id = ask(hub, &Wanted { subscriber_data: number, ..new(b"r", queue) }).unwrap();
        Self { id, value: number, copy: number, last: LastQueued::default(), has_ended: false }
    }

    fn say(&mut self, hub: &Plain, queue: QueueId, message: &Waiting) {
        self.has_ended |= message.is_last;
        let body = message.body();
        if message.knows {
            push_known(hub, queue, &mut self.last, self.id, self.copy, (&body, 1, message.is_last));
        } else {
            let status = if message.is_last { Status::Terminated } else { Status::Active };
            let content_type: &[u8] = if body.is_empty() { b"" } else { b"text/plain" };
            hub.notify(self.id, status, b"", content_type, &body).unwrap();
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Waiting {
    id: SubscriptionId,
    /// Two notifiers count as two forks.
    knows: bool,
    number: usize,
    /// Bytes of the body beside the number; 0 for no body at all.
    size: usize,
    is_last: bool,
}

impl Waiting {
    fn whose(&self) -> (SubscriptionId, bool) {
        (self.id, self.knows)
    }

    fn body(&self) -> Vec<u8> {
        let mut body = self.number.to_string().into_bytes();
        body.resize(body.len() + self.size, b'x');
        if self.size == 0 { Vec::new() } else { body }
    }

    fn cost(&self) -> usize {
        let body = self.body();
        let text = match body.len() {
            0 => 0,
            // One byte for each length below 128, two beyond.
            len => len + b"text/plain".len() + if len < 128 { 2 } else { 3 },
        };
        waiting::Waiting::<Global>::ENVELOPE + text
    }
}

/// What waits, and since when each account has been in its class.
#[derive(Default)]
struct Model {
    waiting: VecDeque<Waiting>,
    classes: Vec<((SubscriptionId, bool), usize)>,
}

impl Model {
    fn bytes(&self, whose: (SubscriptionId, bool)) -> usize {
        self.waiting.iter().filter(|one| one.whose() == whose).map(Waiting::cost).sum()
    }

    fn total(&self) -> usize {
        self.waiting.iter().map(Waiting::cost).sum()
    }

    /// Accounts that have come to another class go behind all others.
    fn settle(&mut self) {
        let now: Vec<_> = self.waiting.iter().map(Waiting::whose).collect();
        let mut classes = std::mem::take(&mut self.classes);
        classes.retain(|(whose, class)| now.contains(whose) && *class == class_of(self.bytes(*whose)));
        for whose in now {
            if !classes.iter().any(|(known, _)| *known == whose) {
                classes.push((whose, class_of(self.bytes(whose))));
            }
        }
        self.classes = classes;
    }

    fn pop(&mut self) -> Option<Waiting> {
        let message = self.waiting.pop_front();
        self.settle();
        message
    }

    fn remove_oldest(&mut self, whose: (SubscriptionId, bool)) {
        let at = self.waiting.iter().position(|one| one.whose() == whose).unwrap();
        self.waiting.remove(at);
        self.settle();
    }

    fn pop_fattest(&mut self, bytes: usize) -> bool {
        let Some(class) = self.classes.iter().map(|(_, class)| *class).max() else { return false };
        if class < class_of(bytes) {
            return false;
        }
        for spared in 0.. {
            let at = self.classes.iter().position(|(_, own)| *own == class).unwrap();
            let (whose, _) = self.classes[at];
            let oldest = self.waiting.iter().find(|one| one.whose() == whose).unwrap();
            if spared == MOST_SPARED || !oldest.is_last {
                self.remove_oldest(whose);
                return true;
            }
            let spared = self.classes.remove(at);
            self.classes.push(spared);
        }
        false
    }

    fn say(&mut self, limit: usize, budget: Budget, message: Waiting) {
        let mut message = message;
        let mut left = MOST_DISPLACED;
        let mut is_first = true;
        let whose = message.whose();
        loop {
            let own: Vec<_> = self.waiting.iter().filter(|one| one.whose() == whose).map(Waiting::cost).collect();
            let (cost, own_bytes) = (message.cost(), own.iter().sum::<usize>());
            let newest = own.last().copied().unwrap_or(0);
            let after = own_bytes - newest + cost;
            let has_room = self.waiting.len() < limit && self.total() + cost <= budget.queue;
            if has_room && (own.is_empty() || own_bytes + cost <= budget.subscription && is_first) {
                self.waiting.push_back(message);
                return self.settle();
            }
            is_first = false;
            let gone = if after > budget.subscription && own.len() > 1 {
                let any = left > 0;
                if any {
                    self.remove_oldest(whose);
                }
                any
            } else if !own.is_empty() && self.total() - newest + cost <= budget.queue {
                let place = self.waiting.iter_mut().rev().find(|one| one.whose() == whose).unwrap();
                // What goes on keeps the state that was there.
                if message.size == 0 && (message.knows || !message.is_last) {
                    (message.number, message.size) = (place.number, place.size);
                }
                *place = message;
                return self.settle();
            } else {
                let least = if self.total() - newest + cost <= budget.queue { 0 } else { after };
                left > 0 && cost <= budget.queue && self.pop_fattest(least)
            };
            if gone {
                left -= 1;
            } else if message.is_last && message.size > 0 {
                (message.size, left) = (0, MOST_DISPLACED);
            } else {
                return;
            }
        }
    }
}

proptest! {
    /// Same messages with the same values, and the equation of the counters after every step.
    #[test]
    fn a_queue_does_what_its_model_does(
        limit in 1u32..80,
        queue_bytes in prop_oneof![Just(1 << 20), 2000..40_000usize],
        subscription in prop_oneof![Just(1 << 20), 300..8000usize],
        steps in steps(),
    ) {
        let budget = Budget { queue: queue_bytes, subscription };
        let hub = hub().with_budget(budget);
        let q = queue(&hub, limit);
        let limit = limit as usize;
        let mut all: Vec<_> = (0..4).map(|number| Subscription::new(&hub, q, 10 + number)).collect();
        let mut model = Model::default();
        for (number, step) in steps.into_iter().enumerate() {
            match step {
                Step::Say(who, knows, size) | Step::End(who, knows, size) if !all[who].has_ended => {
                    let is_last = matches!(step, Step::End(..));
                    let message = Waiting { id: all[who].id, knows, number, size, is_last };
                    all[who].say(&hub, q, &message);
                    model.say(limit, budget, message);
                }
                Step::Say(..) | Step::End(..) => {}
                Step::Pop => {
                    let expected = std::iter::from_fn(|| model.pop()).find_map(|message| {
                        let subscription = all.iter().find(|subscription| subscription.id == message.id)?;
                        Some((message.id, message.body(), subscription.value))
                    });
                    let got = hub.pop(q).map(|one| {
                        (one.message.subscription(), one.message.body().to_vec(), one.subscriber_data)
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
            prop_assert_eq!(c.queued, model.waiting.len() as u64);
            prop_assert_eq!(c.queued_bytes, model.total() as u64);
            prop_assert!(c.queued_bytes <= budget.queue as u64);
            prop_assert_eq!(hub.counters(), c);
        }
    }

    #[test]
    fn what_is_known_comes_back(value: usize) {
        let fits = value < (1 << 48) - 1;
        prop_assert_eq!(CachedSubscriberData::of(value).get(), fits.then_some(value));
        let value = value >> 17;
        prop_assert_eq!(CachedSubscriberData::of(value).get(), Some(value));
    }
}
