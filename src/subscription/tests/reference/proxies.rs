//! The outbound proxies, and the proxy of a 305.

use super::*;

impl Reference {
    /// Where the next request may go: the proxies in order, or the one of a 305.
    pub(super) fn ways(&self) -> (Vec<u8>, Vec<u8>) {
        let count = self.policy.proxies;
        let all = (0..count).map(|step| (self.proxy + step) % count);
        (all.filter(|proxy| !self.failed.contains(proxy)).collect(), self.via.clone())
    }

    /// Those that are skipped are not returned to, once one has failed.
    pub(super) fn through(&mut self, place: u8) {
        while self.proxy != place {
            if !self.failed.is_empty() {
                self.failed.push(self.proxy);
            }
            self.proxy = (self.proxy + 1) % self.policy.proxies;
        }
    }

    /// A request is in flight.
    pub(super) fn is_asking(&self) -> bool {
        matches!(self.phase, Phase::Ask | Phase::Refresh | Phase::ByeSent)
    }

    /// Goes on to the next proxy after no answer, a request that did not leave, or 503.
    pub(super) fn fails_over(&mut self, reply: &Reply<'_>) -> bool {
        let count = self.policy.proxies;
        let is_silent = reply.is_local && matches!(reply.code, 0 | 408);
        if count < 2 || self.no_other || !(is_silent || reply.code == 503) {
            return false;
        }
        self.failed.push(self.proxy);
        for _ in 0..count {
            self.proxy = (self.proxy + 1) % count;
            if !self.failed.contains(&self.proxy) {
                self.last_code = reply.code;
                return true;
            }
        }
        self.failed.clear();
        self.proxy = (self.proxy + 1) % count;
        false
    }

    /// Takes the first proxy that a 305 names, once for each attempt and within the bound.
    pub(super) fn reroutes(&mut self, reply: &Reply<'_>) -> bool {
        let most = usize::from(self.policy.max_redirects);
        let proxy = reply.redirect.first();
        let Some(proxy) = proxy.filter(|_| reply.code == 305 && self.policy.proxies == 0) else { return false };
        if self.rerouted || self.tried.len() >= most {
            return false;
        }
        self.ahead.truncate(most - 1 - self.tried.len());
        (self.via, self.rerouted) = (proxy.text().to_vec(), true);
        true
    }

    /// The target of a redirection is held.
    pub(super) fn way_held(&mut self) {
        self.no_other = true;
        self.outcome(&Reply { cseq: self.cseq, code: 0, ..Reply::default() });
        self.no_other = false;
    }

    /// All that are left are held: the attempt has failed.
    pub(super) fn others_held(&mut self) {
        self.failed.clear();
        self.no_other = true;
        let code = if matches!(self.last_code, 0 | 408 | 503) { self.last_code } else { 0 };
        self.outcome(&Reply { cseq: self.cseq, code, ..Reply::default() });
        self.no_other = false;
    }
}
