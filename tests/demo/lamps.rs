//! The second act: calls at the PBX light lamps here.

use std::time::Instant;

use super::board::{Aside, Board, Row};
use super::ears::Told;
use super::lamp_stage::{CALLER, LampStage, script};
use super::scene::LAMPS;
use super::sentence::or_sentence;
use super::support::pbx::EXTENSIONS;
use super::telling::{End, Teller};
use super::view::View;

/// What each lamp shows, one after the other.
const EACH: usize = 6;

/// Plays it all and cleans up; returns the last words of an act that ended well.
pub fn play(view: &mut View) -> Result<String, End> {
    let mut board = Board::new(&LAMPS, &EXTENSIONS, EACH * EXTENSIONS.len());
    view.step(&board);
    let mut stage = LampStage::build()?;
    let events = stage.ears.events.clone();
    let told = Play { stage: &mut stage, teller: Teller { board: &mut board, view, events }, ids: Vec::new() }.run();
    let closed = stage.close();
    view.end(&board);
    let verdict = told?;
    closed?;
    Ok(verdict)
}

struct Play<'a> {
    stage: &'a mut LampStage,
    teller: Teller<'a>,
    ids: Vec<u64>,
}

impl Play<'_> {
    fn run(&mut self) -> Result<String, End> {
        self.teller.say(self.stage.addresses());
        self.teller.aside(Aside::Script(script()));
        self.teller.pause(2000)?;
        self.teller.board.aside = None;
        self.teller.step("The module subscribes at the PBX; what it is told becomes state here.")?;
        for user in EXTENSIONS {
            self.watch(user)?;
            self.teller.pause(600)?;
        }
        self.teller.step("Both lamps follow the call, and the script routes by the same state.")?;
        self.answered()?;
        self.teller.step("A new call lights a lamp again, whatever became of the one before.")?;
        self.busy()?;
        self.teller.step("The states that were published go with the subscriptions.")?;
        for (at, user) in EXTENSIONS.into_iter().enumerate() {
            self.teller.say(format!("the subscription to {user} ends"));
            let id = self.ids.get(at).copied().ok_or_else(|| format!("There is no subscription to {user}."))?;
            self.stage.unsubscribe(id)?;
            self.teller.farewell(user)?;
            self.teller.pause(500)?;
        }
        self.verdict()
    }

    fn watch(&mut self, user: &str) -> Result<(), End> {
        self.teller.say(format!("calls of {user} are subscribed at the PBX and published here"));
        let id = self.stage.bridge(user)?;
        self.ids.push(id);
        let wanted = self.ids.len() as u64;
        let stage = &*self.stage;
        // Until it is published the lamp would be told that nothing is known.
        self.teller.until("The module has published nothing.", || Ok(stage.count("publications")? >= wanted))?;
        self.teller.say(format!("the lamp for {user} is plugged in"));
        self.teller.board.expect(user, "off", None);
        self.teller.board.watch(user);
        self.stage.watch(user)?;
        self.teller.arrival(user)
    }

    fn answered(&mut self) -> Result<(), End> {
        let [caller, callee] = &self.stage.phones;
        let teller = &mut self.teller;
        teller.say("201 calls 202, whose phone rings".into());
        let mut call = or_sentence(|| caller.call(callee))?;
        expect(teller, "ringing");
        or_sentence(|| call.ring())?;
        arrived(teller, 1500)?;
        teller.say("202 answers".into());
        expect(teller, "in a call");
        or_sentence(|| call.answer())?;
        arrived(teller, 1200)?;
        routed(self.stage, teller, true)?;
        teller.say("201 hangs up".into());
        expect(teller, "off");
        or_sentence(|| call.hang_up())?;
        arrived(teller, 1000)?;
        routed(self.stage, teller, false)
    }

    fn busy(&mut self) -> Result<(), End> {
        let [callee, caller] = &self.stage.phones;
        let teller = &mut self.teller;
        teller.say("202 calls 201, whose phone rings".into());
        let call = or_sentence(|| caller.call(callee))?;
        expect(teller, "ringing");
        or_sentence(|| call.ring())?;
        arrived(teller, 1500)?;
        teller.say("201 is busy".into());
        expect(teller, "off");
        or_sentence(|| call.refuse())?;
        arrived(teller, 1500)
    }

    fn verdict(&mut self) -> Result<String, End> {
        self.teller.board.step += 1;
        self.stage.unplug()?;
        let stage = &*self.stage;
        let left = self.teller.forgotten(|| stage.count("subscriptions"))?;
        let board = &mut *self.teller.board;
        let missing: Vec<String> =
            board.missing().iter().map(|state| format!("  {} {}", state.user, state.text())).collect();
        if !missing.is_empty() {
            let (lost, all) = (missing.len(), board.published.len());
            return Err(End::Failed(format!(
                "{lost} of {all} changes were not shown by a lamp:\n{}",
                missing.join("\n")
            )));
        }
        if left != 0 {
            return Err(End::Failed(format!("All lamps are right, but the module still has {left} subscriptions.")));
        }
        board.now.clear();
        let (changes, time) = (board.published.len(), board.begun.elapsed().as_secs_f32());
        Ok(format!("All {changes} changes of two lamps were those of the calls at the PBX, in {time:.1} s."))
    }
}

/// A local call for the first extension goes to voice mail while that is in a call, and to the desk otherwise.
fn routed(stage: &LampStage, teller: &mut Teller<'_>, is_busy: bool) -> Result<(), End> {
    let [caller, voice_mail, desk] = &stage.local;
    let called = EXTENSIONS[0];
    let (to, place, why) = if is_busy { (voice_mail, "voice mail", "busy") } else { (desk, "the desk", "free") };
    let begun = Instant::now();
    let call = or_sentence(|| caller.call(to));
    let mut call = call.map_err(|_| format!("A call to {called}, which is {why}, did not reach {place}."))?;
    let took = begun.elapsed();
    or_sentence(|| call.answer())?;
    let note = format!("{called} {why}");
    let told =
        Told { status: "active".into(), basic: Some(format!("▸ {place}")), note: Some(note), ..Told::default() };
    let row = Row { user: CALLER.into(), told, at: Some(Instant::now()), took: Some(took), ..Row::default() };
    teller.board.rows.retain(|row| row.user != CALLER);
    teller.board.rows.push(row);
    teller.say(format!("{CALLER} calls {called} here, which is {why}: the script sends it to {place}"));
    teller.pause(1500)?;
    Ok(or_sentence(|| call.hang_up())?)
}

/// Both lamps have to show that from now on.
fn expect(teller: &mut Teller<'_>, shown: &str) {
    for (user, other) in [(EXTENSIONS[0], EXTENSIONS[1]), (EXTENSIONS[1], EXTENSIONS[0])] {
        let with = format!("with {other}");
        teller.board.expect(user, shown, (shown != "off").then_some(with.as_str()));
    }
}

/// Waits until both do.
fn arrived(teller: &mut Teller<'_>, pause: u64) -> Result<(), End> {
    for user in EXTENSIONS {
        teller.arrival(user)?;
    }
    teller.pause(pause)
}
