//! A queue takes a message: at its end if there is room, otherwise by merging and dropping.

use super::outcome::{Loss, LostMessages, Pushed, QueueOutcome};
use super::{LastQueued, Queue, QueueCounters, Wake};
use crate::memory::SharedAlloc;
use crate::qsa::message::Message;
use crate::qsa::waiting::{Waiting, Whose};

/// How many last messages in a row are spared by one displacement.
const MOST_SPARED: usize = 16;

/// How many messages one message displaces at most, as locks are held. Then it is the one that goes.
const MOST_DISPLACED: usize = 32;

impl<A: SharedAlloc> Queue<A> {
    pub(super) fn push(&mut self, last: &mut LastQueued, message: Message<A>, now: u32) -> Pushed<A> {
        self.now = now;
        self.counters.received += 1;
        let wake = (self.waiting.len() == 0).then_some(self.wake);
        let own = self.waiting.account_of(last.place(), &message);
        if self.has_room(own, Waiting::cost(&message)) {
            return self.append(last, message, own, QueueOutcome::Queued, wake, LostMessages::default());
        }
        self.push_full(last, message, wake)
    }

    /// Whether a message of so many bytes can be appended.
    fn has_room(&mut self, own: Option<Whose>, cost: usize) -> bool {
        let own = own.map(|own| self.waiting.bytes_of(own));
        self.waiting.len() < self.limit
            && self.waiting.bytes().saturating_add(cost) <= self.budget.queue
            && own.is_none_or(|own| own.saturating_add(cost) <= self.budget.subscription)
            && self.waiting.try_reserve().is_ok()
    }

    /// Merges first. If the queue is still full, the message displaces those of subscriptions that take as much or more, or is lost.
    fn push_full(&mut self, last: &mut LastQueued, message: Message<A>, wake: Option<Wake>) -> Pushed<A> {
        let mut message = message;
        let mut gone = LostMessages::default();
        let mut left = MOST_DISPLACED;
        loop {
            let own = self.waiting.account_of(last.place(), &message);
            let cost = Waiting::cost(&message);
            let (before, newest) =
                own.map_or((0, 0), |own| (self.waiting.bytes_of(own), self.waiting.newest_cost(own)));
            let after = before.saturating_sub(newest).saturating_add(cost);
            let total = self.waiting.bytes().saturating_sub(newest).saturating_add(cost);
            let has_older = before > newest;
            let victim = match own {
                Some(own) if after > self.budget.subscription && has_older => {
                    if left > 0 {
                        self.waiting.pop_older(own)
                    } else {
                        None
                    }
                }
                Some(own) if total <= self.budget.queue => return self.merge(last, message, own, gone),
                None if self.has_room(None, cost) => {
                    let outcome = if left < MOST_DISPLACED { QueueOutcome::Displaced } else { QueueOutcome::Queued };
                    return self.append(last, message, None, outcome, wake, gone);
                }
                _ if left > 0 && cost <= self.budget.queue => {
                    // If there are too many messages but not too many bytes, every new message is accepted.
                    let least = if total <= self.budget.queue { 0 } else { after };
                    self.waiting.pop_fattest(least, MOST_SPARED)
                }
                _ => None,
            };
            match victim {
                Some(victim) => {
                    gone.add(victim, Loss::Dropped);
                    left -= 1;
                    self.counters.dropped += 1;
                }
                // Otherwise the subscriber would not learn of the end.
                None if message.is_last() && message.text_len() > 0 => {
                    message.strip();
                    left = MOST_DISPLACED;
                }
                None => {
                    gone.add(message, Loss::Dropped);
                    self.counters.dropped += 1;
                    return Pushed { outcome: QueueOutcome::Overflowed, wake: None, gone, on_loss: None };
                }
            }
        }
    }

    fn append(
        &mut self,
        last: &mut LastQueued,
        message: Message<A>,
        own: Option<Whose>,
        outcome: QueueOutcome,
        wake: Option<Wake>,
        gone: LostMessages<A>,
    ) -> Pushed<A> {
        let mut gone = gone;
        match self.waiting.push(message, own, self.epoch, self.now) {
            Ok(at) => {
                *last = LastQueued::at(at);
                Pushed { outcome, wake, gone, on_loss: None }
            }
            Err(message) => {
                // Cannot be: there was room.
                self.counters.dropped += 1;
                gone.add(message, Loss::Dropped);
                Pushed { outcome: QueueOutcome::Overflowed, wake: None, gone, on_loss: None }
            }
        }
    }

    fn merge(&mut self, last: &mut LastQueued, message: Message<A>, own: Whose, gone: LostMessages<A>) -> Pushed<A> {
        let mut gone = gone;
        let outcome = match self.waiting.replace_newest(own, message) {
            Ok((at, older)) => {
                *last = LastQueued::at(at);
                self.counters.merged += 1;
                gone.add(older, Loss::Merged);
                QueueOutcome::Merged
            }
            Err(message) => {
                // Cannot be: the account was just found.
                self.counters.dropped += 1;
                gone.add(message, Loss::Dropped);
                QueueOutcome::Overflowed
            }
        };
        Pushed { outcome, wake: None, gone, on_loss: None }
    }

    pub(super) fn snapshot(&self) -> QueueCounters {
        let mut counters = self.counters;
        counters.queued += self.waiting.len() as u64;
        counters.queued_bytes += self.waiting.bytes() as u64;
        counters
    }
}
