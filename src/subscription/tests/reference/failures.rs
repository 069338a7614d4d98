//! The effect of a failed request.

use super::*;

impl Reference {
    pub(super) fn refused(&mut self, reply: &Reply<'_>) {
        let code = reply.code;
        let initial = self.phase == Phase::Ask;
        if matches!(code, 300..=399) && code != 305 && code != 380 && self.follow(reply.redirect) {
            self.last_code = code;
            return self.go_on();
        }
        if self.reroutes(reply) {
            return self.again(initial);
        }
        if initial && self.is_stray(code) {
            self.ends = self.ends.or(Some(self.sent.unwrap() + self.asked * SECOND));
            self.forget_targets();
            self.first_by = None;
            let next = self.planned();
            let next = self.ask_for_all(next);
            return self.stand(next);
        }
        let most = self.wanted().max(7 * 24 * 3600);
        let longer = reply.min_expires.map(u64::from).filter(|least| *least > self.asked && *least <= most);
        let is_said = self.said(|after| matches!(after, After::Codes(first, last) if *first <= 423 && 423 <= *last));
        let may_widen = is_said.is_none() && self.fetch.is_none();
        if let (423, Some(least), false, true) = (code, longer, self.widened, may_widen) {
            (self.least, self.widened, self.last_code) = (least, true, code);
            return self.again(initial);
        }
        if self.fails_over(reply) {
            return self.again(initial);
        }
        if initial && code < 600 && !self.ahead.is_empty() {
            self.tried.push(self.ahead.remove(0));
            self.via.clear();
            self.last_code = code;
            return self.go_on();
        }
        // A refresh that cannot be sent because of its dialog ends the dialog as a 481 does.
        let judged = if self.no_way && !initial { 481 } else { code };
        let then = match judged {
            489 => Then::Never(Status::Rejected),
            406 if initial => Then::Never(Status::Rejected),
            481 if !initial => Then::Now,
            _ => Then::Later,
        };
        let said = self.said(|after| matches!(after, After::Codes(first, last) if *first <= judged && judged <= *last));
        let then = said.map_or(then, |action| otherwise(action, then, Status::Rejected));
        let never = matches!(then, Then::Never(_));
        let stands = self.ends.filter(|ends| *ends > self.now && self.heard.is_some() && !ends_dialog(judged));
        match stands.filter(|_| !initial && !never) {
            Some(ends) => self.keep(reply, then, ends),
            None if initial && !self.gone.is_empty() => self.ends_as(0),
            None => self.fail(code, then, reply.retry_after, false),
        }
    }

    /// The refresh has failed and the dialog stays active: a retry before its expiry, or a new dialog after it.
    pub(super) fn keep(&mut self, reply: &Reply<'_>, then: Then, ends: u64) {
        let told = told(reply.retry_after);
        let pause = self.pause(then, reply.retry_after);
        let pause = if told.is_some() { pause } else { pause.min(((ends - self.now) / 2).max(SECOND)) };
        let at = (self.now + pause).max(self.earliest());
        self.forget_targets();
        self.first_by = None;
        let lapses = at >= ends;
        let at = if lapses && told.is_none() { ends.max(self.earliest()) } else { at };
        self.stand(at);
        (self.retrying, self.lapsing) = (!lapses, lapses);
        self.tell(self.status.unwrap_or(Status::Pending), reply.code, Some(at), false);
    }

    /// The operator's last rule for a failure.
    pub(super) fn said(&self, of: impl Fn(&After) -> bool) -> Option<Action> {
        self.policy.overrides.iter().filter(|one| of(&one.after)).map(|one| one.action).last()
    }

    pub(super) fn fail(&mut self, code: u16, then: Then, retry_after: Option<u32>, body: bool) {
        if let Then::Never(status) = then {
            self.tell(status, code, None, body);
            self.over();
            return;
        }
        let at = (self.now + self.pause(then, retry_after)).max(self.earliest());
        let may_pass = code == 0 || code == 408 || code / 100 == 5;
        if self.until.is_some_and(|until| at >= until || !may_pass) {
            self.tell(Status::Terminated, code, None, body);
            return self.over();
        }
        self.tell(Status::Terminated, code, Some(at), body);
        self.forget_targets();
        self.proxy = 0;
        self.wait(true, at);
    }

    pub(super) fn pause(&mut self, then: Then, retry_after: Option<u32>) -> u64 {
        self.failures += 1;
        let first = ms(self.policy.on_error_retry_time);
        match told(retry_after) {
            Some(told) => told,
            None if then == Then::Now && self.failures == 1 => 0,
            None if self.failures == 1 => first,
            // Half of the random part: the reference has no random numbers.
            None => first.saturating_mul(1 << (self.failures - 1).min(20)).min(ms(self.policy.failure_backoff_max)) / 2,
        }
    }
}
