//! A second, simple implementation of the same rules: with flags, growing lists and whole milliseconds, written from the
//! RFCs and the pages. Its outputs must equal those of the machine.

use super::*;
use crate::time::Millis;

mod accepted;
mod commands;
mod compare;
mod failures;
mod held;
mod notify;
mod outcome;
mod proxies;
mod sums;
mod ways;

use sums::{ends_dialog, otherwise, told};

/// Target, To tag, Route, CSeq, Expires, whether Call-ID and tag are new, the entity tag of the known state, and which
/// proxies it may take.
type Asked = (Vec<u8>, Vec<u8>, Vec<u8>, u32, u32, bool, Vec<u8>, (Vec<u8>, Vec<u8>));

/// All that can be seen after an input.
#[derive(Debug, Default, PartialEq)]
struct Shown {
    state: &'static str,
    request: Option<Asked>,
    answer: Option<u16>,
    /// Status, code, whether and when there is another attempt, body, whether these are the last.
    news: Option<(Status, u16, Option<u64>, bool, bool)>,
    forget: bool,
    due: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Phase {
    Idle,
    Wait,
    Ask,
    Stand,
    Refresh,
    Bye,
    ByeSent,
    LastWord,
    Over,
}

/// Which documents are missing, and whether a refresh asks for them.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Missing {
    Nothing,
    Unasked,
    Asked,
}

/// The action after a failure.
#[derive(Clone, Copy, PartialEq)]
enum Then {
    Now,
    Later,
    Never(Status),
}

/// A fork that ended first: tag, reason, retry-after.
type Gone = (Vec<u8>, Option<Vec<u8>>, Option<u32>);

/// A known notifier: tag, target, route set.
#[derive(Clone, Default)]
struct Peer {
    tag: Vec<u8>,
    target: Vec<u8>,
    routes: Vec<u8>,
    /// A NOTIFY has named the target.
    told: bool,
    /// The entity tag of the newest state.
    state: Vec<u8>,
}

struct Reference {
    policy: Policy,
    /// A fetch: milliseconds from the start to its deadline; then the deadline.
    fetch: Option<u64>,
    until: Option<u64>,
    now: u64,
    phase: Phase,
    gone_away: bool,
    due: Option<u64>,
    /// The next request opens a dialog with new identifiers.
    anew: bool,
    peer: Peer,
    /// CSeq of the newest NOTIFY of the dialog; none before a NOTIFY has made it.
    heard: Option<u32>,
    /// Version of the newest document of the dialog.
    version: Option<u32>,
    /// Whether a document is missing, and no whole one has come since.
    missing: Missing,
    /// The same before the newest request.
    missing_before: Missing,
    /// The contents of the newest NOTIFY.
    said: String,
    /// Since the newest request left: a NOTIFY was accepted; one named an expiry; the 2xx came and no NOTIFY; one was too old.
    told: bool,
    dated: bool,
    owed: bool,
    lost: bool,
    /// The same as they were before it left.
    told_before: [bool; 4],
    /// A 2xx has granted no time: its code.
    nothing_granted: bool,
    granted_by: u16,
    /// Forks that ended before there was a dialog: tag, reason, retry-after.
    gone: Vec<Gone>,
    /// CSeqs of all NOTIFYs accepted in the dialog.
    taken: Vec<u32>,
    flow: Option<Flow>,
    /// Connections lost in a row.
    losses: u32,
    ends: Option<u64>,
    /// When the state of a dialog that was left becomes unknown.
    left: Option<u64>,
    next: u64,
    first_by: Option<u64>,
    retrying: bool,
    lapsing: bool,
    sent: Option<u64>,
    /// When the newest request without a To tag was sent.
    opened: Option<u64>,
    /// Expires and time of the request before.
    before: (u64, Option<u64>),
    /// By when a NOTIFY was awaited before that.
    first_before: Option<u64>,
    told_held: bool,
    /// Waits for its turn.
    queued: bool,
    /// The moment of the next request is its turn.
    turn: bool,
    /// Consecutive refreshes caused by refused NOTIFYs, and whether one was refused since the newest request.
    early: (u32, bool),
    /// The moment before which no such refresh is sent.
    early_from: u64,
    cseq: u32,
    asked: u64,
    least: u64,
    widened: bool,
    failures: u32,
    status: Option<Status>,
    tried: Vec<Vec<u8>>,
    ahead: Vec<Vec<u8>>,
    /// The outbound proxy in use, those that have failed in this attempt, and what they said last.
    proxy: u8,
    failed: Vec<u8>,
    last_code: u16,
    /// No proxy that has not failed takes it.
    no_other: bool,
    /// The proxy that a 305 has named for this target, and whether any 305 has come.
    via: Vec<u8>,
    rerouted: bool,
    /// The request could not be sent because of the dialog.
    no_way: bool,
    shown: Shown,
}

const SECOND: u64 = 1000;

fn ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap()
}

impl Reference {
    fn new(policy: Policy, fetch: Option<u64>, now: Millis) -> Self {
        Self {
            policy,
            fetch,
            until: None,
            now: now.0,
            phase: Phase::Idle,
            gone_away: false,
            due: None,
            anew: true,
            peer: Peer::default(),
            heard: None,
            version: None,
            missing: Missing::Nothing,
            missing_before: Missing::Nothing,
            said: String::new(),
            told: false,
            dated: false,
            owed: false,
            lost: false,
            told_before: [false; 4],
            nothing_granted: false,
            granted_by: 0,
            gone: Vec::new(),
            taken: Vec::new(),
            flow: None,
            losses: 0,
            ends: None,
            left: None,
            next: 0,
            first_by: None,
            retrying: false,
            lapsing: false,
            sent: None,
            opened: None,
            before: (0, None),
            first_before: None,
            told_held: false,
            queued: false,
            turn: false,
            early: (0, false),
            early_from: 0,
            cseq: 0,
            asked: 0,
            least: 0,
            widened: false,
            failures: 0,
            status: None,
            tried: Vec::new(),
            ahead: Vec::new(),
            proxy: 0,
            failed: Vec::new(),
            last_code: 0,
            no_other: false,
            via: Vec::new(),
            rerouted: false,
            no_way: false,
            shown: Shown::default(),
        }
    }

    fn take(&mut self, input: &Input<'_>, now: Millis) -> Shown {
        self.now = now.0;
        self.shown = Shown::default();
        match input {
            Input::Start if self.phase == Phase::Idle => {
                self.until = self.fetch.map(|fetch| self.now + fetch);
                self.wait(true, self.now);
            }
            Input::Sent { cseq, .. } => self.told_held &= *cseq != self.cseq,
            Input::Held { cseq, until, by, .. } if *cseq == self.cseq => self.on_held(until.0, *by),
            Input::Through { cseq, proxy } if *cseq == self.cseq && self.is_asking() => self.through(*proxy),
            Input::Turn if self.queued && matches!(self.phase, Phase::Wait | Phase::Stand | Phase::Bye) => {
                self.next = self.next.min(self.now);
                self.due = self.due.map(|due| due.min(self.now));
            }
            Input::Turn | Input::Saved | Input::Told => {}
            Input::Start | Input::Held { .. } | Input::Through { .. } | Input::Source { .. } => {}
            Input::Deadline(_) if self.left.is_some_and(|left| left <= self.now) => {
                let at = if self.phase == Phase::Wait { self.due.unwrap().max(self.now) } else { self.now };
                self.tell(Status::Terminated, 0, Some(at), false);
            }
            Input::Deadline(_) if self.due.is_some_and(|due| due <= self.now) => self.on_due(),
            Input::Deadline(_) => {}
            Input::SendFailed { cseq } | Input::Dropped { cseq } if *cseq == self.cseq => {
                let is_local = matches!(input, Input::SendFailed { .. });
                self.outcome(&Reply { cseq: *cseq, is_local, ..Reply::default() });
            }
            Input::NoWay { cseq } if *cseq == self.cseq => {
                self.no_way = true;
                self.outcome(&Reply { cseq: *cseq, ..Reply::default() });
                self.no_way = false;
            }
            Input::SendFailed { .. } | Input::Dropped { .. } | Input::NoWay { .. } => {}
            Input::Reply(reply) if reply.cseq == self.cseq && reply.code >= 200 => self.outcome(reply),
            Input::Reply(_) => {}
            Input::Notify(notify, _) => self.on_notify(notify),
            Input::Credentials { .. } => unreachable!("no challenges here"),
            Input::Refresh => self.on_refresh(),
            Input::Untold(Untold::Refused) => self.doubt(0),
            Input::PutOff(pause) => self.doubt(self.now + ms(*pause)),
            Input::Over { cseq, flow } if *cseq == self.cseq && self.is_asking() => {
                self.losses *= u32::from(self.flow != Some(*flow));
                self.flow = Some(*flow);
            }
            Input::Over { .. } => {}
            Input::FlowLost(flow) if self.flow == Some(*flow) => self.on_flow_lost(),
            Input::FlowLost(_) | Input::Untold(_) | Input::NotForked => {}
            Input::Unsubscribe => self.on_unsubscribe(),
        }
        if let (Some(due), Some(until)) = (self.due, self.until) {
            self.due = Some(due.min(until));
        }
        let mut shown = std::mem::take(&mut self.shown);
        shown.due = self.left.map_or(self.due, |left| self.due.min(Some(left)));
        shown.state = match (self.phase, self.gone_away) {
            (Phase::Idle | Phase::Wait, _) => "waiting",
            (Phase::Ask, false) => "unconfirmed",
            (Phase::Ask, true) => "unconfirmed_destroy",
            (Phase::Stand, _) => "confirmed",
            (Phase::Refresh, false) => "resubscription",
            (Phase::Refresh, true) => "resubscription_destroy",
            (Phase::Bye | Phase::ByeSent, _) => "predestroyed",
            (Phase::LastWord, _) => "waiting_for_termination",
            (Phase::Over, _) => "destroyed",
        };
        shown
    }

    fn on_due(&mut self) {
        if self.until.is_some_and(|until| until <= self.now) {
            if self.phase != Phase::Stand && !self.gone.is_empty() {
                return self.ends_as(0);
            }
            let code = if self.phase == Phase::Stand { 0 } else { 408 };
            return self.fail(code, Then::Later, None, false);
        }
        match self.phase {
            Phase::Wait => {
                let anew = self.anew;
                let target = self.tried.last().cloned().unwrap_or(RECORD.to_vec());
                self.peer = Peer { target, ..Peer::default() };
                (self.heard, self.version, self.ends, self.flow) = (None, None, None, None);
                self.missing = Missing::Nothing;
                (self.told, self.dated, self.owed, self.lost) = (false, false, false, false);
                self.request(Phase::Ask, self.wanted(), anew);
            }
            Phase::Stand if self.nothing_granted => self.fail(self.granted_by, Then::Later, None, false),
            Phase::Stand if self.first_by.is_some_and(|by| by <= self.now) => self.fail(0, Then::Later, None, false),
            Phase::Stand if self.lapsing || self.now < self.next || self.ends.is_some_and(|ends| ends <= self.now) => {
                let at = self.next.max(self.earliest());
                self.tell(Status::Terminated, 0, Some(at), false);
                self.forget_targets();
                self.proxy = 0;
                let turn = self.turn && at == self.next;
                self.wait(true, at);
                self.turn = turn;
            }
            Phase::Stand if self.peer.tag.is_empty() => self.fail(0, Then::Later, None, false),
            Phase::Stand => {
                let by = self.now + ms(self.policy.timer_n);
                self.first_before = self.first_by;
                self.first_by =
                    self.first_by.or((self.policy.timer_n_on_refresh && self.policy.timer_n_on_first).then_some(by));
                self.request(Phase::Refresh, self.wanted(), false);
            }
            Phase::Ask if !self.gone_away && self.heard.is_none() && !self.gone.is_empty() => self.ends_as(0),
            Phase::Ask | Phase::Refresh if !self.gone_away && self.ends.is_some_and(|ends| ends <= self.now) => {
                let at = self.earliest();
                self.tell(Status::Terminated, 0, Some(at), false);
                self.forget_targets();
                self.proxy = 0;
                self.wait(true, at);
            }
            Phase::Ask | Phase::Refresh | Phase::ByeSent => {
                self.outcome(&Reply { cseq: self.cseq, code: 408, is_local: true, ..Reply::default() });
            }
            Phase::Bye => self.request(Phase::ByeSent, 0, false),
            Phase::LastWord => self.over(),
            Phase::Idle | Phase::Over => {}
        }
    }
}
