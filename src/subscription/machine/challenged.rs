//! A request that was challenged (RFC 3261 §22).

use std::cell::Cell;

use allocator_api2::boxed::Box;

use super::super::digest::{
    self, AskedBy, Authorization, CNONCE_LEN, Challenger, Domains, KnownRealm, MOST_ANSWERS, MOST_STALES, Qop, Secret,
    Sessions,
};
use super::super::input::Reply;
use super::super::output::Output;
use super::super::reason::{Reason, Wording};
use super::super::redirect::Targets;
use super::super::state::{Attempt, Awaits, State};
use super::{AuthAttempts, Env, SECRET, Subscription, USERNAME};
use crate::memory::{OutOfMemory, PackedSecrets, SharedAlloc};

impl<A: SharedAlloc> Subscription<A> {
    /// Remembers what a challenge asks for, so that the same request can be repeated with it. A realm that has had its
    /// answer is not given another, unless all that was wrong is the nonce's age (RFC 7616 §3.3). Nothing is remembered
    /// after a refusal: the next attempt begins without an answer.
    pub(super) fn learn(&mut self, reply: &Reply<'_>, env: &Env<'_>) -> Result<Result<(), Reason>, OutOfMemory> {
        let learnt = match self.judge_challenges(reply, env) {
            Ok((parsed, is_stale)) => {
                let old = self.sessions();
                let learnt = Sessions::try_learn(old, &parsed, self.alloc.clone())?;
                learnt.map(|sessions| (sessions, is_stale))
            }
            Err(refusal) => Err(refusal),
        };
        Ok(match learnt {
            Ok((sessions, is_stale)) => {
                let sessions = Box::try_new_in(sessions, self.alloc.clone()).map_err(|_| OutOfMemory)?;
                self.extras_mut()?.sessions = Some(sessions);
                self.auth_attempts.add(is_stale);
                self.auth_attempts.goes_on = true;
                self.note(reply.code, Wording::Peer(reply.reason));
                Ok(())
            }
            Err(refusal) => {
                self.forget_sessions();
                Err(refusal)
            }
        })
    }

    /// The challenges to be answered, and whether one of them is a realm's that has had an answer.
    fn judge_challenges<'a>(
        &self,
        reply: &Reply<'a>,
        env: &Env<'_>,
    ) -> Result<(Vec<digest::ParsedChallenge<'a>>, bool), Reason> {
        // Why a challenge is not answered that could be.
        let passed_over = Cell::new(None);
        let parsed = digest::choose(reply.challenges, |one| {
            let is_tried = false;
            let known = KnownRealm { challenger: one.challenger, realm: one.realm, algorithm: one.algorithm, is_tried };
            let found = self.credential(known, env);
            if let Err(Reason::NoCredentialsHere) = found {
                passed_over.set(Some(Reason::NoCredentialsHere));
            }
            let is_weak =
                env.policy.require_qop && one.qop == Qop::None || !env.policy.allow_md5 && one.algorithm.is_md5();
            if is_weak && found.is_ok() {
                passed_over.set(Some(Reason::DigestTooWeak));
            }
            found.is_ok() && !is_weak
        });
        let parsed = match parsed {
            Err(Reason::NoCredentials) => return Err(passed_over.get().unwrap_or(Reason::NoCredentials)),
            chosen => chosen?,
        };
        let had_answer = |one: &&digest::ParsedChallenge<'_>| {
            let same = |known: KnownRealm<'_>| {
                known.is_tried && known.challenger == one.challenger && known.realm == one.realm
            };
            self.sessions().is_some_and(|sessions| sessions.known().any(same))
        };
        if parsed.iter().filter(had_answer).any(|one| !one.is_stale) {
            return Err(Reason::CredentialsRejected);
        }
        let is_stale = parsed.iter().any(|one| had_answer(&one));
        if is_stale && self.auth_attempts.stales() >= MOST_STALES {
            return Err(Reason::NonceStale);
        }
        if self.auth_attempts.count() >= MOST_ANSWERS {
            return Err(Reason::TooManyChallenges);
        }
        Ok((parsed, is_stale))
    }

    /// User name and secret for a realm, if they are good for its algorithm, and for where redirections have led.
    fn credential(&self, known: KnownRealm<'_>, env: &Env<'_>) -> Result<(Vec<u8>, Secret), Reason> {
        let none = Reason::NoCredentials;
        if !self.dialog.as_ref().is_none_or(|dialog| Authorization::can_name(dialog.target())) {
            return Err(none);
        }
        let (username, secret, domains) = match self.own_credentials() {
            Some(own) => {
                let secret = Secret::parse(own.get(SECRET)).map_err(|_| none)?;
                (own.get(USERNAME).to_vec(), secret, Domains::OfRecord)
            }
            None => {
                let found = env.credentials.of_realm(known.realm).ok_or(none)?;
                (found.username, found.secret, found.domains)
            }
        };
        let via = self.targets().map(Targets::via).filter(|via| !via.is_empty()).map(digest::place);
        let asked_by = match self.outbound() {
            _ if known.challenger != Challenger::Proxy || self.proxies_there_are(env) == 0 => AskedBy::NoProxy,
            [] => AskedBy::Proxy,
            own => AskedBy::OwnProxy(own),
        };
        if !domains.hold(self.record(), via.into_iter().chain(self.led_to()), asked_by) {
            return Err(Reason::NoCredentialsHere);
        }
        if secret.fits(known.algorithm) { Ok((username, secret)) } else { Err(none) }
    }

    /// The authorizations of the request that is sent now.
    pub(super) fn authorize(&mut self, cnonce: [u8; CNONCE_LEN], env: &Env<'_>) -> Vec<Authorization> {
        let goes_on = std::mem::take(&mut self.auth_attempts.goes_on);
        if !goes_on {
            self.auth_attempts = AuthAttempts::default();
        }
        let Some(mut sessions) = self.extras.as_deref_mut().and_then(|extras| extras.sessions.take()) else {
            return Vec::new();
        };
        if !goes_on {
            sessions.nothing_tried();
        }
        let all = sessions.authorize(cnonce, |known| self.credential(known, env).ok());
        if let Some(extras) = self.extras.as_deref_mut() {
            extras.sessions = Some(sessions);
        }
        all
    }

    /// The attempt goes on with another target, which is not shown what this one has asked for.
    pub(super) fn leave_target(&mut self) {
        self.forget_sessions();
        self.auth_attempts.goes_on = true;
    }

    /// The realms after a 2xx that tells the next nonce.
    pub(super) fn try_renew(&self, reply: &Reply<'_>) -> Result<Option<Box<Sessions<A>, A>>, OutOfMemory> {
        let told = reply.authentication_info.filter(|_| (200..300).contains(&reply.code)).and_then(digest::next_nonce);
        let (Some(nonce), Some(sessions)) = (told, self.sessions()) else { return Ok(None) };
        let Some(renewed) = sessions.try_renew(nonce, self.alloc.clone())? else { return Ok(None) };
        Box::try_new_in(renewed, self.alloc.clone()).map(Some).map_err(|_| OutOfMemory)
    }

    /// Credentials of the subscription's own. A request that was refused because they were missing is repeated; one
    /// that is in flight with others may be answered once more.
    pub(super) fn on_credentials(
        &mut self,
        username: &[u8],
        secret: &[u8],
        env: &Env<'_>,
    ) -> Result<Output, OutOfMemory> {
        if self.state() == State::Destroyed {
            return Ok(Output::default());
        }
        let packed = PackedSecrets::try_new([username, secret], self.alloc.clone())?;
        self.extras_mut()?.own_credentials = Some(packed);
        // The request in flight has answers from other credentials; the next ones take these.
        if self.state().in_flight()
            && let Some(sessions) = self.sessions_mut()
        {
            sessions.nothing_tried();
        }
        let was_refused = matches!(self.last_reply, 401 | 407) && !self.auth_attempts.goes_on;
        let is_retried = matches!(
            self.state(),
            State::Waiting(Attempt::Fresh) | State::Confirmed { awaits: Awaits::Retry | Awaits::Expiry, .. }
        );
        Ok(if was_refused && is_retried { self.on_refresh(env) } else { Output::default() })
    }
}
