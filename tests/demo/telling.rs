//! What all acts do while they are played: say what happens, wait for it, and look for signals.

use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;

use super::board::{Aside, Board};
use super::ears::Event;
use super::signals;
use super::view::View;

/// How long something that happens at once may take on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// After this time all that a step causes has come, so that its lines are together.
const SETTLE: Duration = Duration::from_millis(20);

/// How often the view is drawn while nothing comes.
pub const TICK: Duration = Duration::from_millis(100);

/// Why an act did not end well.
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

/// Tells an act.
pub struct Teller<'a> {
    /// What is known.
    pub board: &'a mut Board,
    /// Where it is shown.
    pub view: &'a mut View,
    /// What comes.
    pub events: Receiver<(Instant, Event)>,
}

impl Teller<'_> {
    /// The next step begins.
    pub fn step(&mut self, explained: &str) -> Result<(), End> {
        self.board.step += 1;
        self.board.now = explained.to_owned();
        self.view.step(self.board);
        self.pause(1000)
    }

    /// Something is about to be done.
    pub fn say(&mut self, now: String) {
        self.board.now = now;
        self.view.act(self.board);
    }

    /// Shows something in place of the SIP messages.
    pub fn aside(&mut self, aside: Aside) {
        self.board.aside = Some(aside);
        self.view.aside(self.board);
    }

    /// Time for human eyes, if there are any.
    pub fn pause(&mut self, milliseconds: u64) -> Result<(), End> {
        let time = if self.view.is_live() { Duration::from_millis(milliseconds) } else { SETTLE };
        self.wait(time, |_| false).map(drop)
    }

    /// Waits for the newest state of `user`, unless an earlier one was already lost: then once is enough.
    pub fn arrival(&mut self, user: &str) -> Result<(), End> {
        let lost = self.board.missing().iter().filter(|state| state.user == user).count() > 1;
        let patience = if lost { Duration::ZERO } else { PATIENCE };
        self.wait(patience, |board| board.has_all_of(user)).map(drop)
    }

    /// Waits until the other server has ended the subscription to `user`.
    pub fn farewell(&mut self, user: &str) -> Result<(), End> {
        let over = |board: &Board| board.row(user).is_some_and(|row| row.ended.is_some());
        match self.wait(PATIENCE, over)? {
            true => Ok(()),
            false => Err(End::Failed(format!("The subscription to {user} did not end."))),
        }
    }

    /// Waits until that is so; fails with that sentence when it takes too long.
    pub fn until(&mut self, problem: &str, done: impl Fn() -> Result<bool, String>) -> Result<(), End> {
        let deadline = Instant::now() + PATIENCE;
        while !done()? {
            if Instant::now() > deadline {
                return Err(End::Failed(problem.to_owned()));
            }
            self.wait(SETTLE, |_| false)?;
        }
        Ok(())
    }

    /// Waits until the server counts no subscription any more; says how many it counts.
    pub fn forgotten(&mut self, count: impl Fn() -> Result<u64, String>) -> Result<u64, End> {
        let deadline = Instant::now() + PATIENCE;
        let mut left = count()?;
        while left > 0 && Instant::now() < deadline {
            self.wait(TICK, |_| false)?;
            left = count()?;
        }
        Ok(left)
    }

    /// Takes in and shows what comes until `done` or the time is over; says whether it is done.
    pub fn wait(&mut self, time: Duration, done: impl Fn(&Board) -> bool) -> Result<bool, End> {
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
            match self.events.recv_timeout(left.min(TICK)) {
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
