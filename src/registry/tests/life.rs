//! A life that does as its inputs tell it.
//!
//! - Deadline: takes the fresh dialog and has no deadline any more.
//! - Reply: the code is an order (see the functions below).
//! - Notify: is answered and counted; its CSeq comes back as the code of the news. The first one with a tag gives the
//!   dialog its remote tag; one with another tag is of a fork.
//! - Unsubscribe: is forgotten.
//! - anything else: nothing.

use std::cell::Cell;

use crate::grammar::RouteSet;
use crate::memory::{OutOfMemory, Packed};
use crate::registry::{Arrived, Life};
use crate::subscription::package;
use crate::subscription::{Answer, Brief, Content, Env, Flow, Input, News, Notify, Output, Reply};
use crate::subscription::{Echo, Fingerprint, Package, Standing, State, Status, Subject};
use crate::testing::Accounted;
use crate::testing::tag;
use crate::time::Millis;

const ARM: u16 = 200;
const DIALOG: u16 = 201;
pub const CANCEL: u16 = 400;
const FAIL: u16 = 500;

/// The Call-ID of one that needs no deadline.
pub const NEEDS_NOTHING: &[u8] = b"local";

/// The deadline becomes `at`.
pub fn arm<'a>(at: Millis) -> Input<'a> {
    Input::Reply(Reply { code: ARM, cseq: u32::try_from(at.0).unwrap(), ..Reply::default() })
}

/// There is no deadline any more.
pub fn cancel<'a>() -> Input<'a> {
    Input::Reply(Reply { code: CANCEL, ..Reply::default() })
}

/// The dialog becomes this one; an empty Call-ID is none.
pub fn dialog<'a>(call_id: &'a [u8], local_tag: &'a [u8]) -> Input<'a> {
    Input::Reply(Reply { code: DIALOG, reason: call_id, remote_tag: tag(local_tag), ..Reply::default() })
}

/// The step fails.
pub fn fail<'a>() -> Input<'a> {
    Input::Reply(Reply { code: FAIL, ..Reply::default() })
}

/// A NOTIFY with this CSeq.
pub fn notify<'a>(cseq: u32) -> Notify<'a> {
    notify_from(b"", cseq)
}

/// A NOTIFY from the notifier with this tag.
pub fn notify_from(remote_tag: &[u8], cseq: u32) -> Notify<'_> {
    Notify {
        cseq,
        remote_tag: tag(remote_tag),
        has_bad_contact: false,
        contact: None,
        route_set: RouteSet::NONE,
        event: b"presence",
        event_id: None,
        state: None,
        entity_tag: None,
        echo: Echo::default(),
        content: Content::Empty,
    }
}

/// A NOTIFY that claims to be of a dialog, without a Contact.
pub fn arrived<'a>(call_id: &'a [u8], local_tag: &'a [u8], notify: Notify<'a>) -> Arrived<'a> {
    Arrived { call_id, local_tag, contact: None, notify }
}

/// The subject of a subscription: only the record differs.
pub fn subject(record: &str) -> Subject<'_> {
    Subject {
        record: record.as_bytes(),
        subscriber: b"sip:watcher@example.com",
        package: package_of(record.as_bytes()).number,
        event_id: b"",
    }
}

fn package_of(record: &[u8]) -> &'static Package {
    package::ALL[usize::from(*record.get(4).unwrap_or(&0)) % package::ALL.len()]
}

/// The life.
pub struct Told {
    record: Packed<1, Accounted>,
    dialog: Option<Packed<2, Accounted>>,
    alloc: Accounted,
    pub deadline: Option<Millis>,
    pub notifies: u32,
    pub deadlines: u32,
    pub untold: u32,
    /// Its deadline panics.
    pub breaks: bool,
    pub flow: Option<Flow>,
    fork: u8,
    remote_tag: Option<Packed<1, Accounted>>,
    fingerprint: Fingerprint,
    /// How often its texts were looked at to find a dialog.
    pub looks: Cell<u32>,
}

impl Told {
    pub fn new(record: &str, alloc: &Accounted) -> Self {
        Self::try_new(record, alloc).unwrap()
    }

    pub fn try_new(record: &str, alloc: &Accounted) -> Result<Self, OutOfMemory> {
        let record = Packed::try_new([record.as_bytes()], alloc.clone())?;
        Ok(Self {
            record,
            dialog: None,
            alloc: alloc.clone(),
            deadline: None,
            notifies: 0,
            deadlines: 0,
            untold: 0,
            breaks: false,
            flow: None,
            fork: 0,
            remote_tag: None,
            fingerprint: Fingerprint::NONE,
            looks: Cell::new(0),
        })
    }

    pub fn set_dialog(&mut self, call_id: &[u8], local_tag: &[u8]) -> Result<(), OutOfMemory> {
        let dialog = match call_id {
            [] => None,
            _ => Some(Packed::try_new([call_id, local_tag], self.alloc.clone())?),
        };
        (self.dialog, self.remote_tag, self.fingerprint) = (dialog, None, Fingerprint::NONE);
        Ok(())
    }

    pub fn become_fork(&mut self, number: u8) {
        self.fork = number;
    }

    pub fn set_remote_tag(&mut self, tag: &[u8]) -> Result<(), OutOfMemory> {
        self.remote_tag = if tag.is_empty() { None } else { Some(Packed::try_new([tag], self.alloc.clone())?) };
        Ok(())
    }

    pub fn record(&self) -> &[u8] {
        self.record.get(0)
    }

    pub fn local_tag(&self) -> &[u8] {
        self.dialog.as_ref().map_or(&[], |dialog| dialog.get(1))
    }

    fn remote_tag(&self) -> &[u8] {
        self.remote_tag.as_ref().map_or(&[], |tag| tag.get(0))
    }

    fn obey(&mut self, order: &Reply<'_>) -> Result<(), OutOfMemory> {
        match order.code {
            ARM => self.deadline = Some(Millis(u64::from(order.cseq))),
            CANCEL => self.deadline = None,
            DIALOG => self.set_dialog(order.reason, order.remote_tag.text())?,
            FAIL => return Err(OutOfMemory),
            code => panic!("no such order: {code}"),
        }
        Ok(())
    }
}

impl Life for Told {
    fn handle(&mut self, input: Input<'_>, env: &Env<'_>) -> Result<Output, OutOfMemory> {
        let mut output = Output::default();
        match input {
            Input::Deadline(fresh) => {
                assert!(!self.breaks, "on purpose");
                self.set_dialog(fresh.call_id, fresh.local_tag)?;
                self.deadline = None;
                self.deadlines += 1;
            }
            Input::Reply(order) => {
                self.obey(&order)?;
                self.flow = order.flow;
            }
            Input::FlowLost(flow) => assert_eq!(self.flow.take(), Some(flow)),
            Input::Notify(notify, fingerprint) => {
                if !self.remote_tag().is_empty()
                    && !notify.remote_tag.is_none()
                    && notify.remote_tag.text() != self.remote_tag()
                {
                    return Ok(Output { fork: true, ..output });
                }
                if self.remote_tag().is_empty() && !notify.remote_tag.is_none() {
                    self.remote_tag = Some(Packed::try_new([notify.remote_tag.text()], self.alloc.clone())?);
                }
                self.fingerprint = fingerprint;
                self.notifies += 1;
                output.answer = Some(Answer::Ok);
                let code = u16::try_from(notify.cseq).unwrap();
                let reason = Brief::default();
                let status = Status::Active;
                output.news = Some(News { code, fork: self.fork, ..News::new(status, reason) });
            }
            Input::Turn => self.deadline = self.deadline.map(|at| at.min(env.now)),
            Input::Unsubscribe => output.forget = true,
            Input::Untold(_) | Input::PutOff(_) | Input::NotForked => self.untold += 1,
            Input::Start
            | Input::Sent { .. }
            | Input::Through { .. }
            | Input::Over { .. }
            | Input::Source { .. }
            | Input::SendFailed { .. }
            | Input::NoWay { .. }
            | Input::Dropped { .. }
            | Input::Refresh
            | Input::Saved
            | Input::Told
            | Input::Held { .. }
            | Input::Credentials { .. } => {}
        }
        Ok(output)
    }

    fn state(&self) -> &'static str {
        if self.call_id().is_empty() { "without a dialog" } else { "with a dialog" }
    }

    fn standing(&self) -> Standing {
        let state = match (self.deadline, self.dialog.is_some()) {
            (Some(_), _) => State::Resubscription { notify_by: None },
            (None, true) => State::Unconfirmed,
            (None, false) => State::Local,
        };
        // A NOTIFY changes it, though it moves no deadline.
        Standing::of(state, self.notifies % 2 == 1)
    }

    fn deadline(&self) -> Option<Millis> {
        self.deadline
    }

    fn needs_deadline(&self) -> bool {
        self.call_id() != NEEDS_NOTHING
    }

    fn flow(&self) -> Option<Flow> {
        self.flow
    }

    fn subject(&self) -> Subject<'_> {
        let record = self.record.get(0);
        Subject { record, package: package_of(record).number, ..subject("") }
    }

    fn has_dialog(&self) -> bool {
        self.dialog.is_some()
    }

    fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    fn call_id(&self) -> &[u8] {
        self.dialog.as_ref().map_or(&[], |dialog| dialog.get(0))
    }

    fn dialog_ids(&self) -> [&[u8]; 3] {
        self.looks.update(|looks| looks + 1);
        [self.call_id(), self.local_tag(), self.remote_tag()]
    }

    fn row_mark(&self) -> usize {
        let mark = |text: &Packed<2, _>| text.address();
        self.dialog.as_ref().map_or(0, mark) ^ self.remote_tag.as_ref().map_or(0, Packed::address)
    }

    fn fork(&self) -> u8 {
        self.fork
    }

    fn bytes(&self) -> usize {
        1000 + self.remote_tag().len()
    }

    fn try_fork(&self, number: u8, _: &Env<'_>) -> Result<Option<Self>, OutOfMemory> {
        let record = Packed::try_new([self.record.get(0)], self.alloc.clone())?;
        let mut fork = Self {
            record,
            dialog: None,
            alloc: self.alloc.clone(),
            deadline: None,
            notifies: 0,
            deadlines: 0,
            untold: 0,
            breaks: false,
            flow: None,
            fork: number,
            remote_tag: None,
            fingerprint: Fingerprint::NONE,
            looks: Cell::new(0),
        };
        fork.set_dialog(self.call_id(), self.local_tag())?;
        Ok(Some(fork))
    }
}
