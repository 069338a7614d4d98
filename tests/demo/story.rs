//! The steps, in their order. Each step waits for what it causes; on a terminal it also waits for human eyes.

use std::time::{Duration, Instant};

use super::board::Board;
use super::cast::{CHANGES, FIRST, REFRESHED, STEPS, State, USERS};
use super::signals;
use super::stage::Stage;
use super::view::View;

/// How long something that happens at once may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(10);

/// After this time all that a step causes has come, so that its lines are together.
const SETTLE: Duration = Duration::from_millis(20);

/// How often the view is drawn while nothing comes.
const TICK: Duration = Duration::from_millis(100);

/// Why the story did not end well.
pub enum End {
    /// This signal came.
    Signal(i32),
    /// In words.
    Failed(String),
}

impl From<String> for End {
    fn from(problem: String) -> End {
        End::Failed(problem)
    }
}

/// Plays it all and cleans up; returns the last words of a story that ended well.
pub fn play(view: &mut View) -> Result<String, End> {
    let mut board = Board::new(&USERS, FIRST.len() + CHANGES.len());
    board.steps = STEPS.map(str::to_owned).to_vec();
    view.step(&board);
    let mut stage = Stage::build()?;
    let told = Play { stage: &mut stage, board: &mut board, view, ids: Vec::new() }.run();
    let closed = stage.close();
    view.end(&board);
    let verdict = told?;
    closed?;
    Ok(verdict)
}

struct Play<'a> {
    stage: &'a mut Stage,
    board: &'a mut Board,
    view: &'a mut View,
    ids: Vec<u64>,
}

impl Play<'_> {
    fn run(&mut self) -> Result<String, End> {
        self.say(self.stage.addresses());
        self.pause(1500)?;
        self.step("There is no subscription yet; the presence server keeps the states.")?;
        for state in FIRST {
            self.publish(state)?;
            self.pause(500)?;
        }
        self.step("The module sends a SUBSCRIBE for each record; the first NOTIFY brings its state.")?;
        for user in USERS {
            self.subscribe(user)?;
            self.pause(800)?;
        }
        self.step("Each PUBLISH makes the presence server send a NOTIFY.")?;
        for state in CHANGES {
            self.publish(state)?;
            self.arrival(state.0)?;
            self.pause(900)?;
        }
        self.step("The module refreshes a subscription in its dialog, long before it expires.")?;
        for user in REFRESHED {
            self.refresh(user)?;
            self.pause(1300)?;
        }
        self.step("The module sends Expires 0, and a last NOTIFY confirms the end.")?;
        for user in USERS {
            self.unsubscribe(user)?;
            self.pause(500)?;
        }
        self.verdict()
    }

    fn publish(&mut self, (user, basic, note): State) -> Result<(), End> {
        self.board.expect(user, basic, note);
        let what = self.board.published.last().map(|state| state.text()).unwrap_or_default();
        self.say(format!("{user} publishes {what}"));
        Ok(self.stage.publish(user, basic, note)?)
    }

    /// Waits for the newest state of `user`, unless an earlier one was already lost: then once is enough.
    fn arrival(&mut self, user: &str) -> Result<(), End> {
        let lost = self.board.missing().iter().filter(|state| state.user == user).count() > 1;
        let patience = if lost { Duration::ZERO } else { PATIENCE };
        self.wait(patience, |board| board.has_all_of(user)).map(drop)
    }

    fn subscribe(&mut self, user: &str) -> Result<(), End> {
        self.say(format!("the watcher subscribes to {user}"));
        self.board.watch(user);
        let id = self.stage.subscribe(user)?;
        self.ids.push(id);
        self.wait(PATIENCE, |board| board.row(user).is_some_and(|row| row.count > 0))?;
        self.arrival(user)
    }

    fn refresh(&mut self, user: &str) -> Result<(), End> {
        self.say(format!("the subscription to {user} is refreshed"));
        let id = self.id(user)?;
        let before = self.board.exchanges.len();
        self.stage.refresh(id)?;
        let done = self.wait(PATIENCE, |board| {
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
        self.say(format!("the watcher unsubscribes from {user}"));
        let id = self.id(user)?;
        self.stage.unsubscribe(id)?;
        let over = |board: &Board| board.row(user).is_some_and(|row| row.ended.is_some());
        if self.wait(PATIENCE, over)? {
            Ok(())
        } else {
            Err(End::Failed(format!("The subscription to {user} did not end.")))
        }
    }

    fn verdict(&mut self) -> Result<String, End> {
        self.board.step += 1;
        let deadline = Instant::now() + PATIENCE;
        let mut left = self.stage.subscriptions()?;
        while left > 0 && Instant::now() < deadline {
            self.wait(TICK, |_| false)?;
            left = self.stage.subscriptions()?;
        }
        let missing: Vec<String> =
            self.board.missing().iter().map(|state| format!("  {} {}", state.user, state.text())).collect();
        if !missing.is_empty() {
            let (lost, all) = (missing.len(), self.board.published.len());
            let which = missing.join("\n");
            return Err(End::Failed(format!("{lost} of {all} published states did not arrive:\n{which}")));
        }
        if left != 0 {
            return Err(End::Failed(format!("All states arrived, but the module still has {left} subscriptions.")));
        }
        self.board.now.clear();
        let (states, time) = (self.board.published.len(), self.board.begun.elapsed().as_secs_f32());
        Ok(format!("All {states} published states arrived through presence_b2b, in {time:.1} s."))
    }

    fn id(&self, user: &str) -> Result<u64, End> {
        let at = USERS.iter().position(|name| *name == user);
        at.and_then(|at| self.ids.get(at).copied())
            .ok_or_else(|| End::Failed(format!("There is no subscription to {user}.")))
    }

    fn step(&mut self, explained: &str) -> Result<(), End> {
        self.board.step += 1;
        self.board.now = explained.to_owned();
        self.view.step(self.board);
        self.pause(1000)
    }

    fn say(&mut self, now: String) {
        self.board.now = now;
        self.view.act(self.board);
    }

    /// Time for human eyes, if there are any.
    fn pause(&mut self, milliseconds: u64) -> Result<(), End> {
        let time = if self.view.is_live() { Duration::from_millis(milliseconds) } else { SETTLE };
        self.wait(time, |_| false).map(drop)
    }

    /// Takes in and shows what comes until `done` or the time is over; says whether it is done.
    fn wait(&mut self, time: Duration, done: impl Fn(&Board) -> bool) -> Result<bool, End> {
        let deadline = Instant::now() + time;
        loop {
            if let Some(number) = signals::came() {
                return Err(End::Signal(number));
            }
            if !self.view.tick(self.board) {
                return Err(End::Failed("Nothing reads the output of the demo.".into()));
            }
            if done(self.board) {
                return Ok(true);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            match self.stage.ears.events.recv_timeout(left.min(TICK)) {
                Ok((at, event)) => {
                    let heard = self.board.hear(at, event);
                    self.view.heard(self.board, heard);
                }
                Err(_) if left.is_zero() => return Ok(false),
                Err(_) => {}
            }
        }
    }
}
