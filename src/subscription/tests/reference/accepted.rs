//! The effect of a 2xx, and of a 3xx that names other targets.

use super::*;
use crate::grammar::PeerUri;

impl Reference {
    pub(super) fn accepted(&mut self, reply: &Reply<'_>) {
        if let (Phase::Ask, Some(place)) = (self.phase, self.gone_with(reply.remote_tag.text())) {
            return self.ends_as(place);
        }
        let granted = self.granted(reply);
        let until = self.now + granted * SECOND;
        if self.phase == Phase::Ask {
            self.learn(reply);
            let is_own = self.peer.tag == reply.remote_tag.text();
            self.ends = Some(self.ends.map_or(until, |ends| if is_own { ends.min(until) } else { ends }));
            self.asked = if is_own { granted } else { self.asked };
            let timer_n = self.sent.unwrap() + ms(self.policy.timer_n);
            self.first_by = (self.heard.is_none() && self.policy.timer_n_on_first).then_some(timer_n);
        } else {
            if self.lost && reply.code != 204 {
                return self.fail(0, Then::Later, None, false);
            }
            self.learn(reply);
            self.ends = Some(self.ends.filter(|_| self.dated).map_or(until, |ends| ends.min(until)));
            self.asked = granted;
            self.failures = if self.heard.is_some() { 0 } else { self.failures };
            self.first_by = self.first_by.filter(|_| self.heard.is_none() || reply.code != 204);
        }
        self.owed = !self.told && reply.code != 204;
        self.forget_targets();
        let next = self.planned();
        let next = self.ask_for_all(next);
        self.stand(next);
    }

    /// The place of the fork with this tag among those that ended first.
    pub(super) fn gone_with(&self, tag: &[u8]) -> Option<usize> {
        self.gone.iter().position(|(gone, ..)| gone == tag)
    }

    /// The remote side as a 2xx gives it: the first NOTIFY has precedence.
    pub(super) fn learn(&mut self, reply: &Reply<'_>) {
        self.flow = reply.flow;
        let contact = reply.contact.map_or(self.peer.target.clone(), |uri| uri.text().to_vec());
        let initial = self.phase == Phase::Ask;
        if initial && self.heard.is_none() {
            self.peer = Peer {
                tag: reply.remote_tag.text().to_vec(),
                target: contact,
                routes: reply.route_set.text().to_vec(),
                ..Peer::default()
            };
            return;
        }
        if initial
            && self.policy.keep_route_set
            && self.peer.tag == reply.remote_tag.text()
            && self.peer.routes.is_empty()
        {
            self.peer.routes = reply.route_set.text().to_vec();
        }
        if initial && self.peer.told {
            // The target of a NOTIFY is newer, however late this 2xx comes.
        } else if self.peer.tag == reply.remote_tag.text() || !(initial || self.gone_away) {
            self.peer.target = contact;
        }
    }

    /// Takes over the targets of a 3xx; false if none of them is new or the bound is reached.
    pub(super) fn follow(&mut self, contacts: &[PeerUri<'_>]) -> bool {
        let mut new: Vec<Vec<u8>> = Vec::new();
        for contact in contacts.iter().map(|uri| uri.text().to_vec()) {
            if contact != RECORD && !self.tried.contains(&contact) && !new.contains(&contact) {
                new.push(contact);
            }
        }
        let room = usize::from(self.policy.max_redirects).saturating_sub(self.tried.len() + usize::from(self.rerouted));
        if new.is_empty() || room == 0 {
            return false;
        }
        self.ahead.retain(|uri| contacts.iter().all(|contact| contact.text() != uri));
        new.append(&mut self.ahead);
        new.truncate(room);
        self.tried.push(new.remove(0));
        self.via.clear();
        self.ahead = new;
        true
    }
}
