//! All calls and users, behind one lock.

use allocator_api2::vec::Vec;
use hashbrown::HashTable;

use super::call::{Call, CallState, CallTexts, Party, Side, pack};
use super::user::{CallFollower, User, UserCalls, seen};
use super::{MOST_BYTES, MOST_CALLS, Ringing};
use crate::memory::{HashKey, OutOfMemory, Packed, SharedAlloc, Slots};

/// The users of one worker that are marked, the first one first.
#[derive(Clone, Copy, Debug, Default)]
struct WorkerLine {
    first: Option<u32>,
    last: Option<u32>,
}

/// All calls and users.
pub(super) struct CallTable<A: SharedAlloc> {
    key: HashKey,
    calls: Slots<Call<A>, A>,
    users: Slots<User<A>, A>,
    /// Slots of the users.
    by_aor: HashTable<u32, A>,
    /// One for each worker.
    lines: Vec<WorkerLine, A>,
    /// Tells each call from those before it in its slot.
    generation: u32,
    bytes: u64,
    alloc: A,
}

/// The slot in the lower half.
fn number(generation: u32, slot: u32) -> u64 {
    u64::from(generation) << 32 | u64::from(slot)
}

/// Generation and slot of a number. Cut on purpose.
fn parts(number: u64) -> (u32, u32) {
    ((number >> 32) as u32, number as u32)
}

impl<A: SharedAlloc> CallTable<A> {
    pub(super) fn try_new(key: HashKey, workers: usize, alloc: A) -> Result<Self, OutOfMemory> {
        let mut lines = Vec::new_in(alloc.clone());
        lines.try_reserve_exact(workers).map_err(|_| OutOfMemory)?;
        lines.resize(workers, WorkerLine::default());
        Ok(Self {
            key,
            calls: Slots::new_in(u32::MAX as usize, alloc.clone()),
            users: Slots::new_in(u32::MAX as usize, alloc.clone()),
            by_aor: HashTable::new_in(alloc.clone()),
            lines,
            generation: 0,
            bytes: 0,
            alloc,
        })
    }

    /// The call's number, whom to ring, and whether a local party did not get it.
    pub(super) fn begin(
        &mut self,
        parties: &[Party<'_>; 2],
        texts: &CallTexts<'_>,
        state: CallState,
    ) -> Result<(u64, Ringing, bool), OutOfMemory> {
        let begun = self.try_begin(parties, texts, state);
        if begun.is_err() {
            self.shrink();
        }
        begun
    }

    fn try_begin(
        &mut self,
        parties: &[Party<'_>; 2],
        texts: &CallTexts<'_>,
        state: CallState,
    ) -> Result<(u64, Ringing, bool), OutOfMemory> {
        if self.bytes >= MOST_BYTES {
            return Err(OutOfMemory);
        }
        self.calls.try_reserve()?;
        // No number is 0.
        self.generation = self.generation.wrapping_add(1).max(1);
        let generation = self.generation;
        let call = Call::try_new(generation, parties, texts, state, &self.alloc)?;
        let bytes = call.bytes();
        let slot = self.calls.insert(|_| call).ok_or(OutOfMemory)?;
        self.bytes = self.bytes.saturating_add(bytes);
        let lacks = self.list(slot);
        if self.calls.get(slot).is_none_or(|call| call.users == [None; 2]) {
            self.free_if_done(slot, true);
            return Err(OutOfMemory);
        }
        Ok((number(generation, slot), self.mark_both(slot), lacks))
    }

    /// Puts a call into the lists of its local parties that do not have it; whether one has no room for it.
    fn list(&mut self, slot: u32) -> bool {
        let mut lacks = false;
        for side in Side::BOTH {
            let Some(call) = self.calls.get_mut(slot) else { return lacks };
            if call.user_mut(side).is_some() || call.party(side).aor.is_empty() {
                continue;
            }
            let aor = call.party(side).aor.to_vec();
            match self.user_with_room(&aor) {
                Ok(place) => {
                    if let Some(user) = self.users.get_mut(place) {
                        user.calls.push((slot, side));
                    }
                    if let Some(call) = self.calls.get_mut(slot) {
                        *call.user_mut(side) = Some(place);
                    }
                }
                Err(OutOfMemory) => lacks = true,
            }
        }
        lacks
    }

    /// The user, with room for another call in its list.
    fn user_with_room(&mut self, aor: &[u8]) -> Result<u32, OutOfMemory> {
        let place = self.user(aor)?;
        let user = self.users.get_mut(place).ok_or(OutOfMemory)?;
        let room = if user.calls.len() >= MOST_CALLS {
            Err(OutOfMemory)
        } else {
            user.calls.try_reserve(1).map_err(|_| OutOfMemory)
        };
        if room.is_err() {
            self.tidy(place);
        }
        room.map(|()| place)
    }

    pub(super) fn change(
        &mut self,
        number: u64,
        texts: Option<&CallTexts<'_>>,
        state: impl FnOnce() -> CallState,
    ) -> (Ringing, Option<Packed<5, A>>, bool) {
        let (generation, slot) = parts(number);
        let packed = texts.and_then(|texts| pack(texts, &self.alloc).ok());
        let Some(call) = self.calls.find_mut(slot, generation) else { return ([None; 2], packed, false) };
        let (before, now) = (call.state, state());
        call.state = now;
        let size = call.bytes();
        let is_other = packed.is_some() && texts.is_some_and(|texts| *texts != call.texts());
        let gone = match packed {
            Some(packed) if is_other => Some(call.replace(packed)),
            packed => packed,
        };
        self.bytes = self.bytes.saturating_add(call.bytes()).saturating_sub(size);
        if before == now && !is_other {
            return ([None; 2], gone, false);
        }
        // One that was given up may be answered after all.
        let lacks = before == CallState::Terminated && now != before && self.list(slot);
        let ringing = self.mark_both(slot);
        self.unlist_ended(slot);
        (ringing, gone, lacks)
    }

    pub(super) fn end(&mut self, number: u64) -> Ringing {
        let (generation, slot) = parts(number);
        let Some(call) = self.calls.find_mut(slot, generation) else { return [None; 2] };
        call.is_gone = true;
        let before = std::mem::replace(&mut call.state, CallState::Terminated);
        let ringing = if before == CallState::Terminated { [None; 2] } else { self.mark_both(slot) };
        self.unlist_ended(slot);
        self.free_if_done(slot, false);
        ringing
    }

    /// Marks the local parties of a call that somebody follows.
    fn mark_both(&mut self, slot: u32) -> Ringing {
        let users = self.calls.get(slot).map_or([None; 2], |call| call.users);
        users.map(|place| self.mark(place?, true))
    }

    /// Puts a user into the line of its worker, if somebody follows it.
    fn mark(&mut self, place: u32, is_changed: bool) -> Option<usize> {
        let user = self.users.get_mut(place)?;
        if user.followers.is_empty() {
            return None;
        }
        user.is_changed |= is_changed;
        let worker = worker_of(user.hash, self.lines.len())?;
        if std::mem::replace(&mut user.is_marked, true) {
            return Some(worker);
        }
        user.next = None;
        let line = self.lines.get_mut(worker)?;
        let last = line.last.replace(place);
        if last.is_none() {
            line.first = Some(place);
        }
        if let Some(last) = last.and_then(|last| self.users.get_mut(last)) {
            last.next = Some(place);
        }
        Some(worker)
    }

    /// Takes a call that has ended out of the lists of those whom nobody follows: there is nobody to be told.
    fn unlist_ended(&mut self, slot: u32) {
        for side in Side::BOTH {
            let Some(call) = self.calls.get_mut(slot) else { return };
            let place = *call.user_mut(side);
            if call.state != CallState::Terminated {
                return;
            }
            if let Some(place) = place
                && self.users.get(place).is_some_and(|user| !user.is_marked)
            {
                self.unlist(place, |listed| listed == (slot, side));
            }
        }
    }

    /// Takes calls out of the list of a user, and forgets those that nobody else needs.
    fn unlist(&mut self, place: u32, is_it: impl Fn((u32, Side)) -> bool) {
        let mut at = 0;
        while let Some(user) = self.users.get_mut(place)
            && let Some(&listed) = user.calls.get(at)
        {
            if !is_it(listed) {
                at += 1;
                continue;
            }
            user.calls.remove(at);
            let (slot, side) = listed;
            if let Some(call) = self.calls.get_mut(slot) {
                *call.user_mut(side) = None;
            }
            self.free_if_done(slot, false);
        }
        self.tidy(place);
    }

    /// Forgets a call that is in no list, and that the dialog module has no longer.
    fn free_if_done(&mut self, slot: u32, is_unwanted: bool) {
        let is_done = |call: &Call<A>| call.users == [None; 2] && (call.is_gone || is_unwanted);
        if self.calls.get(slot).is_some_and(is_done)
            && let Some(call) = self.calls.remove(slot)
        {
            self.bytes = self.bytes.saturating_sub(call.bytes());
            self.shrink();
        }
    }

    /// Forgets a user without calls and followers.
    fn tidy(&mut self, place: u32) {
        let Some(user) = self.users.get(place).filter(|user| user.is_idle()) else { return };
        if let Ok(found) = self.by_aor.find_entry(user.hash, |at| *at == place) {
            found.remove();
        }
        self.users.remove(place);
        self.shrink();
    }

    /// Gives back the room of what there is none of.
    fn shrink(&mut self) {
        drop(self.calls.take_if_idle());
        if self.by_aor.is_empty() {
            self.by_aor = HashTable::new_in(self.alloc.clone());
            drop(self.users.take_if_idle());
        }
    }

    fn find(&self, aor: &[u8]) -> Option<u32> {
        let is_it = |place: &u32| self.users.get(*place).is_some_and(|user| user.aor() == aor);
        self.by_aor.find(self.key.hash(aor), is_it).copied()
    }

    /// The user, made if there is none.
    fn user(&mut self, aor: &[u8]) -> Result<u32, OutOfMemory> {
        if let Some(place) = self.find(aor) {
            return Ok(place);
        }
        let hash = self.key.hash(aor);
        let user = User::try_new(hash, aor, &self.alloc)?;
        self.users.try_reserve()?;
        let users = &self.users;
        let hash_of = |place: &u32| users.get(*place).map_or(0, |user| user.hash);
        self.by_aor.try_reserve(1, hash_of).map_err(|_| OutOfMemory)?;
        let place = self.users.insert(|_| user).ok_or(OutOfMemory)?;
        let users = &self.users;
        self.by_aor.insert_unique(hash, place, |place| users.get(*place).map_or(0, |user| user.hash));
        Ok(place)
    }

    pub(super) fn follow(&mut self, aor: &[u8], handle: u64) -> Result<Option<usize>, OutOfMemory> {
        let place = self.user(aor).inspect_err(|_| self.shrink())?;
        let user = self.users.get_mut(place).ok_or(OutOfMemory)?;
        if user.followers.try_reserve(1).is_err() {
            self.tidy(place);
            return Err(OutOfMemory);
        }
        user.followers.push(CallFollower { handle, version: 0, is_due: true });
        Ok(self.mark(place, false))
    }

    pub(super) fn unfollow(&mut self, aor: &[u8], handle: u64) {
        let Some(place) = self.find(aor) else { return };
        if let Some(user) = self.users.get_mut(place) {
            user.followers.retain(|follower| follower.handle != handle);
            if user.followers.is_empty() {
                user.followers = Vec::new_in(self.alloc.clone());
            }
        }
        self.tidy(place);
    }

    pub(super) fn tell_again(&mut self, aor: &[u8], handle: u64) {
        let Some(place) = self.find(aor) else { return };
        let follower = self
            .users
            .get_mut(place)
            .and_then(|user| user.followers.iter_mut().find(|follower| follower.handle == handle));
        if let Some(follower) = follower {
            // The one that was not told has not been used.
            (follower.is_due, follower.version) = (true, follower.version.wrapping_sub(1));
            self.mark(place, false);
        }
    }

    pub(super) fn next_marked(&mut self, worker: usize) -> Option<UserCalls> {
        let line = self.lines.get_mut(worker)?;
        let place = line.first?;
        let user = self.users.get_mut(place)?;
        line.first = user.next.take();
        if line.first.is_none() {
            line.last = None;
        }
        user.is_marked = false;
        let followers = user.take_due();
        let calls = user.calls.iter().filter_map(|(slot, side)| {
            let call = self.calls.get(*slot)?;
            Some(seen(number(crate::memory::Occupant::generation(call), *slot), call, *side))
        });
        let collected = UserCalls { calls: calls.collect(), followers, aor: user.aor().to_vec() };
        let ended: std::vec::Vec<(u32, Side)> = collected
            .calls
            .iter()
            .filter(|call| call.state == CallState::Terminated)
            .map(|call| (parts(call.number).1, call.side))
            .collect();
        self.unlist(place, |listed| ended.contains(&listed));
        Some(collected)
    }

    pub(super) fn usage(&self) -> (u64, u64) {
        (self.calls.live().into(), self.bytes)
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.calls.live() == 0 && self.users.live() == 0 && self.bytes == 0 && self.by_aor.is_empty()
    }
}

/// The worker that tells of a user.
fn worker_of(hash: u64, workers: usize) -> Option<usize> {
    usize::try_from(hash.checked_rem(workers as u64)?).ok()
}
