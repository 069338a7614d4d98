//! A subscription and its forks together, as the registry keeps them: whatever happens to any of them, in any order.
//!
//! In this world notifiers follow no rules: every reply and every NOTIFY may come at any time, and come again. The
//! search goes to a fixed depth.

use std::collections::{BTreeMap, BTreeSet, HashSet, VecDeque};

use super::super::*;
use crate::grammar::RouteSet;
use crate::grammar::Tag;
use crate::subscription::machine::Picture;
use crate::testing::uri;
use crate::testing::{NO_CREDENTIALS, offered};
use crate::time::Millis;

const TAGS: [&[u8]; 3] = [b"A", b"B", b"C"];
const WORDS: [&str; 3] = ["active;expires=60", "terminated;reason=deactivated", "terminated;reason=rejected"];
const CODES: [u16; 3] = [200, 481, 503];

/// Of each notifier: the CSeqs of the NOTIFYs that were told, and whether one of them ended its dialog.
type Told = BTreeMap<usize, (BTreeSet<u32>, bool)>;

#[derive(Clone, Copy, Debug)]
enum Action {
    /// The deadline of the one with this place (0 is the subscription).
    Due(usize),
    Reply(usize, u16),
    /// With the first dialog's Call-ID: which notifier, CSeq, contents.
    Notify(usize, u32, usize),
    /// Timer N has passed.
    Late,
    Unsubscribe,
}

#[derive(Clone)]
struct World {
    policy: Policy,
    /// The subscription; `None` once it is forgotten.
    root: Option<Subscription<Accounted>>,
    forks: Vec<Subscription<Accounted>>,
    now: Millis,
    attempts: u32,
    unsubscribed: bool,
    /// The last has been told.
    over: bool,
    told: Told,
    /// A flaw: forks that have ended are forgotten at once.
    forgetful: bool,
}

impl World {
    fn new(forking: Forking) -> Self {
        let policy = Policy { default_expiration: secs(60), min_resubscribe_time: secs(2), forking, ..policy() };
        let mut life = Life::unstarted(policy.clone());
        life.give(Input::Start);
        let (told, now) = (BTreeMap::new(), life.now);
        let root = Some(life.subscription);
        Self {
            policy,
            root,
            forks: Vec::new(),
            now,
            attempts: 0,
            unsubscribed: false,
            over: false,
            told,
            forgetful: false,
        }
    }

    fn all(&self) -> impl Iterator<Item = &Subscription<Accounted>> {
        self.root.iter().chain(&self.forks)
    }

    fn key(&self) -> (Vec<Picture>, u64, [bool; 2], Told) {
        let pictures = self.all().map(|one| one.picture(self.now)).collect();
        (pictures, u64::from(self.attempts.min(2)), [self.unsubscribed, self.over], self.told.clone())
    }

    fn possible(&self) -> Vec<Action> {
        let mut all = vec![Action::Late];
        for (place, one) in self.all().enumerate() {
            // Later attempts are only followed to their beginning.
            if one.deadline().is_some() && (self.attempts < 2 || one.fork() != 0 || self.unsubscribed) {
                all.push(Action::Due(place));
            }
            if one.state().in_flight() {
                all.extend(CODES.map(|code| Action::Reply(place, code)));
            }
        }
        for (tag, cseq, word) in [0, 1, 2].into_iter().flat_map(|tag| {
            let few = if tag < 2 { &[1, 2][..] } else { &[1] };
            few.iter().flat_map(move |cseq| [0, 1, 2].map(|word| (tag, *cseq, word)))
        }) {
            if tag < 2 || word == 0 {
                all.push(Action::Notify(tag, cseq, word));
            }
        }
        if !self.unsubscribed && self.root.is_some() {
            all.push(Action::Unsubscribe);
        }
        all
    }

    /// One step of the one at a place, and what the registry does after it.
    fn step(&mut self, place: usize, input: Input<'_>) -> Result<Output, String> {
        let is_root = place == 0 && self.root.is_some();
        let ends = matches!(input, Input::Unsubscribe);
        let env = Env {
            now: self.now,
            policy: &self.policy,
            packages: Packages::KNOWN,
            random: 0,
            credentials: &NO_CREDENTIALS,
        };
        let at = place - usize::from(self.root.is_some() && place > 0);
        let one = if is_root { self.root.as_mut() } else { self.forks.get_mut(at) };
        let Some(one) = one else { return Ok(Output::default()) };
        let number = one.fork();
        let output = one.handle(input, &env).map_err(|error| error.to_string())?;
        if let Some(news) = &output.news {
            rule!(news.fork == number, "news of fork {} from {number}", news.fork);
            rule!(!news.last || is_root, "a fork speaks for all");
            rule!(!self.unsubscribed && !self.over, "news after the end");
            self.over |= news.last;
            let ended = matches!(news.status, Status::Terminated | Status::Rejected);
            rule!(is_root || !ended || news.next_attempt.is_none(), "a fork is tried again");
        }
        self.unsubscribed |= ends && is_root;
        if is_root && (ends || output.forget) {
            let end = |fork: &mut Subscription<_>| fork.handle(Input::Unsubscribe, &env).map(|output| !output.forget);
            self.forks.retain_mut(|fork| end(fork).unwrap_or(true));
        }
        match output.forget {
            true if is_root => self.root = None,
            true => drop(self.forks.remove(at)),
            false => {}
        }
        Ok(output)
    }

    fn notify(&mut self, tag: usize, cseq: u32, word: usize) -> Result<(), String> {
        let mut notify = Notify {
            cseq,
            remote_tag: Tag::judge(TAGS[tag]).unwrap(),
            contact: Some(offered(NOTIFIER)),
            has_bad_contact: false,
            route_set: RouteSet::NONE,
            event: b"presence",
            event_id: None,
            state: SubscriptionState::parse(WORDS[word].as_bytes()),
            content: Content::Acceptable,
            echo: Echo::default(),
            entity_tag: None,
        };
        notify.echo = echo_of(&notify);
        let same = |one: &Subscription<_>| one.call_id() == b"call1";
        let own = self.all().position(|one| same(one) && one.remote_tag() == TAGS[tag]);
        let root = self.root.as_ref().filter(|one| same(one)).map(|_| 0);
        let Some(place) = own.or(root) else { return Ok(()) };
        let mut output = self.step(place, Input::Notify(notify, Fingerprint::NONE))?;
        if let Some(root) = self.root.as_ref().filter(|_| output.fork) {
            rule!(self.policy.forking == Forking::All, "a fork that is not allowed");
            rule!(!self.unsubscribed, "a fork that nobody wants");
            let number = (1..).find(|number| self.forks.iter().all(|fork| fork.fork() != *number)).unwrap_or(0);
            let env = Env {
                now: self.now,
                policy: &self.policy,
                packages: Packages::KNOWN,
                random: 0,
                credentials: &NO_CREDENTIALS,
            };
            let fork = root.try_fork(number, &env).map_err(|error| error.to_string())?;
            self.forks.push(fork.ok_or("no dialog to be forked")?);
            let place = self.forks.len() - 1 + usize::from(self.root.is_some());
            output = self.step(place, Input::Notify(notify, Fingerprint::NONE))?;
            rule!(output.answer == Some(Answer::Ok) && output.news.is_some(), "a fork begins with news");
            rule!(self.forks.iter().any(|fork| fork.fork() == number), "a fork is gone before its window is");
        }
        if output.news.is_some() {
            let (told, ended) = self.told.entry(tag).or_default();
            rule!(!*ended, "news of a dialog that has ended");
            // If a notifier has lost its CSeq count, the NOTIFY that shows it also ends the dialog.
            rule!(told.insert(cseq) || output.answer == Some(Answer::StaleCseq), "the same NOTIFY is told again");
            *ended = word > 0;
        }
        Ok(())
    }

    fn apply(&mut self, action: Action) -> Result<(), String> {
        match action {
            Action::Late => self.now = self.now.max(Millis(1_000_000).after(self.policy.timer_n)),
            Action::Due(place) => {
                let deadline = self.all().nth(place).and_then(Subscription::deadline);
                self.now = self.now.max(deadline.unwrap_or(self.now));
                let call_id = format!("call{}", self.attempts + 1);
                let fresh = Fresh { call_id: call_id.as_bytes(), local_tag: b"tag", cnonce: CNONCE };
                let output = self.step(place, Input::Deadline(fresh))?;
                self.attempts += u32::from(output.send.is_some_and(|request| request.is_initial()));
            }
            Action::Reply(place, code) => {
                let Some(one) = self.all().nth(place) else { return Ok(()) };
                let (cseq, tag) = (one.local_cseq, one.remote_tag().to_vec());
                let remote_tag = Tag::judge(if tag.is_empty() { b"B" } else { &tag[..] }).unwrap();
                let contact = (code == 200).then_some(uri(NOTIFIER));
                let reply = Reply { cseq, code, remote_tag, contact, ..Reply::default() };
                self.step(place, Input::Reply(reply))?;
            }
            Action::Notify(tag, cseq, word) => self.notify(tag, cseq, word)?,
            Action::Unsubscribe => drop(self.step(0, Input::Unsubscribe)?),
        }
        let has_ended = |fork: &Subscription<_>| matches!(fork.status(), Some(Status::Terminated | Status::Rejected));
        self.forks.retain(|fork| !self.forgetful || !has_ended(fork));
        self.standing()
    }

    fn standing(&self) -> Result<(), String> {
        let mut dialogs = BTreeSet::new();
        let mut numbers = BTreeSet::new();
        for one in self.all() {
            rule!(numbers.insert(one.fork()), "two with the number {}", one.fork());
            let name = (one.call_id().to_vec(), one.remote_tag().to_vec());
            rule!(one.call_id().is_empty() || dialogs.insert(name), "two for one dialog");
            rule!(one.deadline().is_some(), "fork {} sleeps", one.fork());
            rule!(
                one.fork() == 0 || !matches!(one.state(), State::Waiting(_) | State::Unconfirmed),
                "a fork opens a dialog"
            );
        }
        Ok(())
    }

    /// After unsubscribe, and without answers, time alone ends all of them.
    fn stand_alone(&self) -> Result<(), String> {
        let mut alone = self.clone();
        if !alone.unsubscribed && alone.root.is_some() {
            alone.apply(Action::Unsubscribe)?;
        }
        for _ in 0..40 {
            if alone.all().next().is_none() {
                return Ok(());
            }
            alone.apply(Action::Due(0))?;
            for place in (0..alone.all().count()).rev() {
                alone.apply(Action::Due(place))?;
            }
        }
        Err(format!("left after unsubscribe: {:?}", alone.all().map(Subscription::state).collect::<Vec<_>>()))
    }
}

/// Everything that can happen within this number of steps after the first SUBSCRIBE.
fn explore(mut first: World, depth: usize) -> Result<(usize, usize), String> {
    first.apply(Action::Due(0))?;
    let mut known = HashSet::from([first.key()]);
    let mut open = VecDeque::from([(first, Vec::new())]);
    let mut most = 0;
    while let Some((world, way)) = open.pop_front() {
        let told = |rule: String, way: &[Action]| format!("{rule}, after {way:?}");
        world.stand_alone().map_err(|rule| told(rule, &way))?;
        most = most.max(world.forks.len());
        for action in world.possible().into_iter().filter(|_| way.len() < depth) {
            let (mut next, mut way) = (world.clone(), way.clone());
            way.push(action);
            next.apply(action).map_err(|rule| told(rule, &way))?;
            if known.insert(next.key()) {
                open.push_back((next, way));
            }
        }
    }
    Ok((known.len(), most))
}

#[test]
fn every_course_of_a_subscription_and_its_forks_keeps_the_rules() {
    for (forking, forks) in [(Forking::All, 2), (Forking::First, 0)] {
        let (states, most) = explore(World::new(forking), 6).unwrap_or_else(|found| panic!("{forking:?}: {found}"));
        println!("{forking:?}: {states} states");
        assert!(states > 500, "{states}");
        assert_eq!(most, forks, "forks at a time");
    }
}

/// The search can fail.
#[test]
fn forks_that_are_forgotten_too_soon_are_found() {
    let world = World { forgetful: true, ..World::new(Forking::All) };
    let found = explore(world, 4).expect_err("the flaw is found");
    assert!(found.contains("told again") || found.contains("has ended"), "{found}");
}
