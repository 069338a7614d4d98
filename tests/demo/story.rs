//! The first act, in its order. Each step waits for what it causes; on a terminal it also waits for human eyes.

use super::board::{Aside, Board};
use super::cast::{CHANGES, FIRST, REFRESHED, State, USERS, WHILE_AWAY};
use super::scene::STATES;
use super::stage::Stage;
use super::telling::{End, PATIENCE, Teller};
use super::view::View;

/// Plays it all and cleans up; returns the last words of an act that ended well.
pub fn play(view: &mut View) -> Result<String, End> {
    let mut board = Board::new(&STATES, &USERS, FIRST.len() + CHANGES.len() + 1);
    view.step(&board);
    let mut stage = Stage::build()?;
    let events = stage.ears.events.clone();
    let told = Play { stage: &mut stage, teller: Teller { board: &mut board, view, events }, ids: Vec::new() }.run();
    let closed = stage.close();
    view.end(&board);
    let verdict = told?;
    closed?;
    Ok(verdict)
}

struct Play<'a> {
    stage: &'a mut Stage,
    teller: Teller<'a>,
    ids: Vec<u64>,
}

impl Play<'_> {
    fn run(&mut self) -> Result<String, End> {
        self.teller.say(self.stage.addresses());
        self.teller.aside(Aside::Script(self.stage.script.clone()));
        self.teller.pause(2000)?;
        self.teller.step("There is no subscription yet; the presence server keeps the states.")?;
        for state in FIRST {
            self.publish(state)?;
            self.teller.pause(400)?;
        }
        self.teller.board.aside = None;
        self.teller.step("The module sends a SUBSCRIBE for each record; the first NOTIFY brings its state.")?;
        for user in USERS {
            self.subscribe(user)?;
            self.teller.pause(600)?;
        }
        self.teller.step("Each PUBLISH makes the presence server send a NOTIFY.")?;
        for state in CHANGES {
            self.publish(state)?;
            self.teller.arrival(state.0)?;
            self.teller.pause(700)?;
        }
        self.teller.step("A database has the subscriptions: the same dialogs go on after kill -9.")?;
        self.crash()?;
        self.teller.step("The module refreshes a subscription in its dialog, long before it expires.")?;
        for user in REFRESHED {
            self.refresh(user)?;
            self.teller.pause(1000)?;
        }
        self.teller.step("The breaker keeps SUBSCRIBEs from a dead server, and finds it when it is back.")?;
        self.outage()?;
        let history = self.stage.history(self.id(USERS[0])?)?;
        self.teller.step("The module sends Expires 0, and a last NOTIFY confirms the end.")?;
        for user in USERS {
            self.unsubscribe(user)?;
            self.teller.pause(300)?;
        }
        self.teller.say(format!("these events of {} were kept in memory", USERS[0]));
        self.teller.aside(Aside::History(USERS[0].into(), history));
        self.teller.pause(2500)?;
        self.verdict()
    }

    fn publish(&mut self, (user, basic, note): State) -> Result<(), End> {
        self.teller.board.expect(user, basic, note);
        let what = self.teller.board.published.last().map(|state| state.text()).unwrap_or_default();
        self.teller.say(format!("{user} publishes {what}"));
        Ok(self.stage.publish(user, basic, note)?)
    }

    fn subscribe(&mut self, user: &str) -> Result<(), End> {
        self.teller.say(format!("the watcher subscribes to {user}"));
        self.teller.board.watch(user);
        let id = self.stage.subscribe(user)?;
        self.ids.push(id);
        self.teller.wait(PATIENCE, |board| board.row(user).is_some_and(|row| row.count > 0))?;
        self.teller.arrival(user)
    }

    /// One state changes while nobody is there: its NOTIFY comes again until it is answered.
    fn crash(&mut self) -> Result<(), End> {
        let before = self.stage.dialogs()?;
        self.teller.say("the server with the module is killed (kill -9)".into());
        self.stage.kill()?;
        self.publish(WHILE_AWAY)?;
        self.teller.pause(1000)?;
        self.teller.say("it starts again".into());
        self.stage.start_again()?;
        if self.stage.dialogs()? != before {
            return Err(End::Failed("The server has started again, but with other dialogs.".into()));
        }
        self.teller.say(format!("it goes on in the same {} dialogs", before.len()));
        self.teller.arrival(WHILE_AWAY.0)?;
        self.teller.pause(1500)
    }

    /// The other server fails: one refresh finds it out, the other waits; when it is back both go on by themselves.
    fn outage(&mut self) -> Result<(), End> {
        self.teller.say("the presence server is killed (kill -9)".into());
        self.stage.kill_presence();
        self.teller.pause(700)?;
        let [first, second] = REFRESHED;
        self.teller.say(format!("the refresh of {first} gets no answer"));
        self.stage.refresh(self.id(first)?)?;
        let stage = &*self.stage;
        self.teller.until("The breaker does not open.", || Ok(stage.breaker()? != "closed"))?;
        self.teller.say(format!("the breaker is open: the refresh of {second} is held"));
        self.stage.refresh(self.id(second)?)?;
        self.teller.pause(1000)?;
        let before = self.teller.board.exchanges.len();
        self.teller.say("the presence server starts again".into());
        self.stage.start_presence_again()?;
        let stage = &*self.stage;
        self.teller.until("The breaker does not close.", || Ok(stage.breaker()? == "closed"))?;
        self.teller.say("a probe was answered: the breaker is closed".into());
        for user in REFRESHED {
            self.refreshed(user, before)?;
        }
        self.teller.pause(1500)
    }

    fn refresh(&mut self, user: &str) -> Result<(), End> {
        self.teller.say(format!("the subscription to {user} is refreshed"));
        let id = self.id(user)?;
        let before = self.teller.board.exchanges.len();
        self.stage.refresh(id)?;
        self.refreshed(user, before)
    }

    /// Waits for the answer and the NOTIFY among the messages after the first `before`.
    fn refreshed(&mut self, user: &str, before: usize) -> Result<(), End> {
        let done = self.teller.wait(PATIENCE, |board| {
            let new = board.exchanges.iter().skip(before).filter(|message| message.record == user);
            let (mut answered, mut notified) = (false, false);
            for message in new {
                answered |= !message.sent && message.method == "SUBSCRIBE" && message.status == 200;
                notified |= message.sent && message.method == "NOTIFY" && message.status == 200;
            }
            answered && notified
        })?;
        if done { Ok(()) } else { Err(End::Failed(format!("The refresh of {user} got no reply, or no NOTIFY."))) }
    }

    fn unsubscribe(&mut self, user: &str) -> Result<(), End> {
        self.teller.say(format!("the watcher unsubscribes from {user}"));
        let id = self.id(user)?;
        self.stage.unsubscribe(id)?;
        self.teller.farewell(user)
    }

    fn verdict(&mut self) -> Result<String, End> {
        self.teller.board.step += 1;
        let stage = &*self.stage;
        let left = self.teller.forgotten(|| stage.subscriptions())?;
        let board = &mut *self.teller.board;
        let missing: Vec<String> =
            board.missing().iter().map(|state| format!("  {} {}", state.user, state.text())).collect();
        if !missing.is_empty() {
            let (lost, all) = (missing.len(), board.published.len());
            let which = missing.join("\n");
            return Err(End::Failed(format!("{lost} of {all} published states did not arrive:\n{which}")));
        }
        if left != 0 {
            return Err(End::Failed(format!("All states arrived, but the module still has {left} subscriptions.")));
        }
        board.now.clear();
        let (states, time) = (board.published.len(), board.begun.elapsed().as_secs_f32());
        Ok(format!("All {states} published states arrived through presence_b2b, in {time:.1} s."))
    }

    fn id(&self, user: &str) -> Result<u64, End> {
        let at = USERS.iter().position(|name| *name == user);
        at.and_then(|at| self.ids.get(at).copied())
            .ok_or_else(|| End::Failed(format!("There is no subscription to {user}.")))
    }
}
