//! Shared memory is out: one line per kind and some seconds says what was given up, how often, and what to do.

use super::Engine;
use crate::host::{blocks, log};
use crate::memory::Seldom;

/// The things that there was no memory for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lack {
    /// A NOTIFY, which is answered 503.
    Notify,
    /// The body of a last NOTIFY.
    LastBody,
    /// The answer to a NOTIFY, or its transaction; that may have other reasons as well.
    Answer,
    /// A SUBSCRIBE that is due.
    Subscribe,
    /// The text for a reply or a command.
    Step,
    /// A state for members of a share.
    Share,
    /// The state of a subscription that is to be kept.
    Latest,
    /// A resource of a list that is to be remembered; that may be for want of room in its roster as well.
    Resource,
    /// The registrations of a local user.
    Registration,
    /// A contact that is gone, in the document that tells so.
    Contact,
    /// The calls of a local user.
    Calls,
    /// A subscription that the script asks for.
    New,
}

/// How often each has happened since it was last said, in shared memory.
#[derive(Debug, Default)]
pub(super) struct Lacks([Seldom; Lack::LAST + 1]);

/// Seconds between two lines of one kind.
const PAUSE: u64 = 10;

impl Lack {
    const LAST: usize = Self::New as usize;

    /// The consequence, for the log.
    fn what(self) -> &'static str {
        match self {
            Self::Notify => "out of shared memory: a NOTIFY is answered 503",
            Self::LastBody => "out of shared memory: the last message of a subscription is delivered without its body",
            Self::Answer => {
                "a NOTIFY could not be answered, because its Via or connection cannot be used or there is no shared \
                 memory: the notifier will send it again"
            }
            Self::Subscribe => "out of shared memory: a SUBSCRIBE is postponed by a second",
            Self::Step => {
                "out of shared memory: a reply or command is lost; its subscription goes on at its next deadline"
            }
            Self::Share => "out of shared memory: a member of a share misses a message",
            Self::Latest => {
                "out of shared memory: the state of a subscription is not kept: it is unknown to $b2b() and b2b_state() until \
                 there is memory"
            }
            Self::Resource => {
                "a resource of a list is not remembered, so that nobody is told if it vanishes: its list has reached a limit in \
                 docs/lists.md and is to be divided, or there is no shared memory"
            }
            Self::Registration => "out of shared memory: the registrations of a local user are told later",
            Self::Contact => {
                "out of shared memory, or too many at once: contacts that are gone are not named in a document of registrations, \
                 only omitted"
            }
            Self::Calls => "out of shared memory: the calls of a local user are told later",
            Self::New => "out of shared memory: b2b_subscribe() made no subscription",
        }
    }
}

impl Engine {
    /// There was no shared memory for something. Call without locks.
    pub fn lacks(&self, lack: Lack) {
        self.lacks_for(lack, 1);
    }

    /// The same for so many at once.
    pub fn lacks_for(&self, lack: Lack, times: usize) {
        let Some(told) = self.lacks.0.get(lack as usize) else { return };
        if let Some(times) = told.note(times as u64, PAUSE, Self::now().0 / 1000) {
            log::error(&format!("{} ({}). {}", lack.what(), often(times), blocks::usage()));
        }
    }
}

fn often(times: u64) -> String {
    if times == 1 { "once".to_owned() } else { format!("{times} times since the last such line") }
}
