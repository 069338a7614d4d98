//! Calls at random: whoever follows a user hears, in the end, what is true.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

const USERS: [&[u8]; 4] = [ALICE, BOB, b"carol@example.com", b""];

#[derive(Clone, Copy, Debug)]
enum Act {
    Begin { caller: usize, callee: usize },
    Change { call: usize, state: CallState },
    End { call: usize },
    Follow { user: usize },
    Unfollow { follower: usize },
    Tell,
}

fn acts() -> impl Strategy<Value = Act> {
    let states =
        prop::sample::select(vec![CallState::Trying, CallState::Early, CallState::Confirmed, CallState::Terminated]);
    prop_oneof![
        3 => (0..3usize, 0..4usize).prop_map(|(caller, callee)| Act::Begin { caller, callee }),
        6 => (0..12usize, states).prop_map(|(call, state)| Act::Change { call, state }),
        3 => (0..12usize).prop_map(|call| Act::End { call }),
        2 => (0..3usize).prop_map(|user| Act::Follow { user }),
        1 => (0..8usize).prop_map(|follower| Act::Unfollow { follower }),
        3 => Just(Act::Tell),
    ]
}

/// A call that has not ended: number, side, state.
type Heard = (u64, Side, CallState);

#[derive(Default)]
struct Model {
    /// Calls that there are: number, parties, state.
    calls: Vec<(u64, [usize; 2], CallState)>,
    /// Followers: handle, user.
    followers: Vec<(u64, usize)>,
    handles: u64,
    /// What each follower was told: version, and the calls that had not ended.
    heard: BTreeMap<u64, (u32, Vec<Heard>)>,
}

impl Model {
    fn act(&mut self, table: &Table, act: Act) {
        match act {
            Act::Begin { caller, callee } => {
                let begun = table.begin(&parties(USERS[caller], USERS[callee]), &TEXTS, CallState::Trying);
                self.calls.push((begun.expect("memory").0, [caller, callee], CallState::Trying));
            }
            Act::Change { call, state } => {
                if let Some((number, _, now)) = self.calls.get_mut(call) {
                    *now = state;
                    table.change(*number, None, || state);
                }
            }
            Act::End { call } if call < self.calls.len() => {
                table.end(self.calls.remove(call).0);
            }
            Act::Follow { user } => {
                self.handles += 1;
                self.followers.push((self.handles, user));
                table.follow(USERS[user], self.handles).expect("memory");
            }
            Act::Unfollow { follower } if follower < self.followers.len() => {
                let (handle, user) = self.followers.remove(follower);
                table.unfollow(USERS[user], handle);
                self.heard.remove(&handle);
            }
            Act::Tell => self.tell(table),
            Act::End { .. } | Act::Unfollow { .. } => {}
        }
    }

    fn tell(&mut self, table: &Table) {
        for UserCalls { aor, calls, followers } in told(table) {
            let seen = calls.iter().filter(|call| call.state != CallState::Terminated);
            let mut seen: Vec<_> = seen.map(|call| (call.number, call.side, call.state)).collect();
            seen.sort_unstable();
            for follower in followers {
                let user = self.followers.iter().find(|(handle, _)| *handle == follower.handle).expect("a follower").1;
                assert_eq!(USERS[user], aor);
                let next = self.heard.get(&follower.handle).map_or(0, |(version, _)| version + 1);
                assert_eq!(follower.version, next);
                self.heard.insert(follower.handle, (next, seen.clone()));
            }
        }
        for (handle, user) in &self.followers {
            let mut real = Vec::new();
            for (number, parties, state) in self.calls.iter().filter(|(.., state)| *state != CallState::Terminated) {
                for side in Side::BOTH {
                    if parties[side as usize] == *user {
                        real.push((*number, side, *state));
                    }
                }
            }
            real.sort_unstable();
            assert_eq!(self.heard.get(handle).map(|(_, heard)| heard), Some(&real), "follower {handle}");
        }
    }
}

proptest! {
    #[test]
    fn what_is_told_last_is_true(acts in prop::collection::vec(acts(), 1..120)) {
        let (table, alloc) = table();
        let start = alloc.out();
        let mut model = Model::default();
        for act in acts {
            model.act(&table, act);
        }
        model.tell(&table);
        while !model.calls.is_empty() {
            model.act(&table, Act::End { call: 0 });
        }
        model.tell(&table);
        while !model.followers.is_empty() {
            model.act(&table, Act::Unfollow { follower: 0 });
        }
        prop_assert!(table.is_empty());
        prop_assert_eq!(alloc.out(), start);
    }
}
