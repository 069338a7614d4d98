//! What a worker tells the event route: messages, and lists resource by resource.
//!
//! A list is told a few resources at a time, so that others' messages do not wait for all of it. What comes behind a list for the same
//! subscription waits for its end.

use std::collections::VecDeque;

use super::Engine;
use super::worker::{EventHandler, WorkFound};
use crate::host::shm::Shm;
use crate::lists::Expansion;
use crate::qsa::{Delivered, QueueId};
use crate::time::Millis;

/// The most lists that one worker tells at a time.
const MOST_OPEN: usize = 16;

/// The most messages that wait behind them, all together: all others stay in the queue.
const MOST_BEHIND: usize = 64;

/// How many resources of a list are told before others have their turn.
const TURN: usize = 16;

/// The lists that a worker is telling.
#[derive(Default)]
pub(super) struct Tellings {
    open: VecDeque<OpenTelling>,
    /// How many messages wait behind them.
    behind: usize,
}

/// A list that is being told, and the messages that came behind it.
struct OpenTelling {
    list: Expansion<Shm>,
    behind: VecDeque<Delivered<Shm>>,
}

impl Tellings {
    /// Whether there is room for whatever the next message is.
    pub(super) fn may_take(&self) -> bool {
        self.open.len() < MOST_OPEN && self.behind < MOST_BEHIND
    }

    /// Takes a message behind the list of its subscription, or as a list; gives it back if it can be told at once.
    fn take(&mut self, engine: &Engine, delivered: Delivered<Shm>) -> Option<Box<Delivered<Shm>>> {
        let id = delivered.message.subscription();
        if let Some(open) = self.open.iter_mut().find(|open| open.list.subscription() == id) {
            self.behind += 1;
            open.behind.push_back(delivered);
            return None;
        }
        match Expansion::open(delivered, &engine.rosters, &engine.hub) {
            Ok(list) => {
                self.open.push_back(OpenTelling { list, behind: VecDeque::new() });
                None
            }
            Err(message) => Some(message),
        }
    }

    /// Tells a few resources of each list in turn, until `end`; whether there was any, and whether any is left.
    pub(super) fn tell(&mut self, engine: &Engine, on_event: EventHandler, end: Millis) -> WorkFound {
        if self.open.is_empty() {
            return WorkFound::Nothing;
        }
        for _ in 0..self.open.len() {
            let Some(mut open) = self.open.pop_front() else { break };
            let mut left = TURN;
            while left > 0 {
                left -= 1;
                if let Some(told) = open.list.next(&engine.rosters, &engine.hub) {
                    on_event(engine, &told);
                    continue;
                }
                let Some(next) = open.behind.pop_front() else { break };
                self.behind = self.behind.saturating_sub(1);
                match Expansion::open(next, &engine.rosters, &engine.hub) {
                    Ok(list) => open.list = list,
                    Err(message) if engine.hub.is_subscribed(message.message.subscription()) => {
                        on_event(engine, &message);
                    }
                    Err(_) => {}
                }
            }
            if left > 0 {
                continue;
            }
            self.open.push_back(open);
            if Engine::now() > end {
                break;
            }
        }
        if self.open.is_empty() { WorkFound::Done } else { WorkFound::More }
    }
}

impl Engine {
    /// Hands this worker's messages to the event route, `most` at a time, but for those that come in a list.
    pub(super) fn tell_from(
        &self,
        (queue, most): (QueueId, usize),
        tellings: &mut Tellings,
        on_event: EventHandler,
        end: Millis,
    ) -> WorkFound {
        let mut done = 0;
        let mut found = WorkFound::More;
        while done < most && tellings.may_take() && Self::now() <= end {
            let Some(delivered) = self.hub.pop(queue) else {
                found = if done > 0 { WorkFound::Done } else { WorkFound::Nothing };
                break;
            };
            self.publish_news(&delivered);
            if tellings.open.is_empty() && !Expansion::may_be(&delivered) {
                on_event(self, &delivered);
            } else if let Some(message) = tellings.take(self, delivered) {
                on_event(self, &message);
            }
            done += 1;
        }
        match tellings.tell(self, on_event, end) {
            WorkFound::Nothing => found,
            WorkFound::Done if found == WorkFound::Nothing => WorkFound::Done,
            WorkFound::Done => found,
            WorkFound::More => WorkFound::More,
        }
    }
}
