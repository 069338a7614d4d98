//! The effect of a request's end, in every state.

use super::*;

impl Reference {
    pub(super) fn outcome(&mut self, reply: &Reply<'_>) {
        self.told_held = false;
        let accepted = (200..300).contains(&reply.code);
        match (self.phase, self.gone_away) {
            (Phase::Ask, _) if accepted && self.fetch.is_some() => {
                if let Some(place) = self.gone_with(reply.remote_tag.text()) {
                    return self.ends_as(place);
                }
                self.learn(reply);
                self.forget_targets();
                self.stand(self.until.unwrap());
                self.first_by = self.until;
            }
            (Phase::Ask | Phase::Refresh, _) if accepted && self.granted(reply) == 0 => {
                if let (Phase::Ask, Some(place)) = (self.phase, self.gone_with(reply.remote_tag.text())) {
                    return if self.gone_away { self.over() } else { self.ends_as(place) };
                }
                if self.phase == Phase::Ask {
                    self.learn(reply);
                }
                self.flow = reply.flow;
                self.forget_targets();
                if self.gone_away {
                    self.phase = Phase::LastWord;
                    self.due = Some(self.now + ms(self.policy.wait_for_term_notify));
                    return;
                }
                let by = self.sent.unwrap() + ms(self.policy.timer_n);
                let by = self.ends.filter(|_| self.heard.is_some()).map_or(by, |ends| ends.min(by));
                (self.ends, self.first_by) = (Some(by), None);
                self.owed |= !self.told && reply.code != 204;
                self.stand(by);
                (self.nothing_granted, self.granted_by) = (true, reply.code);
            }
            (Phase::Ask, true) if accepted && self.gone_with(reply.remote_tag.text()).is_some() => self.over(),
            (Phase::Ask | Phase::Refresh, false) if accepted => self.accepted(reply),
            (Phase::Ask | Phase::Refresh, true) if accepted => {
                self.learn(reply);
                self.owed = !self.told && reply.code != 204;
                self.forget_targets();
                self.bye();
            }
            (Phase::Ask, true) if self.is_stray(reply.code) => {
                self.fails_over(reply);
                self.bye();
            }
            (Phase::Refresh, true) if !self.no_way && !ends_dialog(reply.code) => {
                let _ = self.reroutes(reply) || self.fails_over(reply);
                self.bye();
            }
            (Phase::Ask | Phase::Refresh, true) => self.over(),
            // No NOTIFY follows a 204.
            (Phase::ByeSent, _) if accepted && reply.code != 204 => {
                self.phase = Phase::LastWord;
                self.due = Some(self.now + ms(self.policy.wait_for_term_notify));
            }
            (Phase::ByeSent, _) if !accepted && (self.reroutes(reply) || self.fails_over(reply)) => self.bye(),
            (Phase::ByeSent, _) => self.over(),
            (Phase::Ask | Phase::Refresh, false) => self.refused(reply),
            (Phase::Idle | Phase::Wait | Phase::Stand | Phase::Bye | Phase::LastWord | Phase::Over, _) => {}
        }
    }
}
