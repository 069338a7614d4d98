//! The memory of the realms that have challenged.

use allocator_api2::alloc::Allocator;

use super::super::reason::Reason;
use super::algorithm::Algorithm;
use super::authorization::Authorization;
use super::challenge::ParsedChallenge;
use super::credential::Secret;
use super::scheme::{Challenger, Qop};
use super::{CNONCE_LEN, MOST_REALMS};
use crate::memory::{OutOfMemory, Packed};

const TEXTS: usize = 3;
const REALM: usize = 0;
const NONCE: usize = 1;
const OPAQUE: usize = 2;

/// The nonce of each realm and how often it has been used.
#[cfg_attr(test, derive(Clone))]
pub(in super::super) struct Sessions<A: Allocator> {
    text: Packed<{ MOST_REALMS * TEXTS }, A>,
    marks: [Option<Mark>; MOST_REALMS],
}

#[derive(Clone, Copy)]
struct Mark {
    challenger: Challenger,
    algorithm: Algorithm,
    names_algorithm: bool,
    has_opaque: bool,
    qop: Qop,
    /// The cnonce of the first use: kept, because the `-sess` algorithms hash it into their key.
    cnonce: [u8; CNONCE_LEN],
    nc: u32,
    /// The request at hand has been repeated because of this realm.
    is_tried: bool,
}

/// A realm that has challenged.
#[derive(Clone, Copy)]
pub(in super::super) struct KnownRealm<'a> {
    pub(in super::super) challenger: Challenger,
    pub(in super::super) realm: &'a [u8],
    pub(in super::super) algorithm: Algorithm,
    pub(in super::super) is_tried: bool,
}

type SessionTexts<'a> = [&'a [u8]; TEXTS];

impl<A: Allocator + Clone> Sessions<A> {
    /// Bytes of their memory.
    pub(in super::super) fn bytes(&self) -> usize {
        size_of::<Self>().saturating_add(self.text.size())
    }

    /// The sessions after these challenges: theirs, those of this request's other realms, and as many more as there
    /// is room for.
    pub(in super::super) fn try_learn(
        old: Option<&Self>,
        parsed: &[ParsedChallenge<'_>],
        alloc: A,
    ) -> Result<Result<Self, Reason>, OutOfMemory> {
        let is_new = |mark: &Mark, texts: &SessionTexts<'_>| {
            !parsed.iter().any(|one| one.challenger == mark.challenger && Some(&one.realm) == texts.get(REALM))
        };
        let others: Vec<(Mark, SessionTexts<'_>)> =
            old.into_iter().flat_map(Self::entries).filter(|(mark, texts)| is_new(mark, texts)).collect();
        if parsed.len().saturating_add(others.iter().filter(|(mark, _)| mark.is_tried).count()) > MOST_REALMS {
            return Ok(Err(Reason::TooManyChallenges));
        }
        let fresh = parsed.iter().map(|one| {
            let same = |(mark, [realm, nonce, _]): &(Mark, SessionTexts<'_>)| {
                (mark.challenger, mark.algorithm, *realm, *nonce)
                    == (one.challenger, one.algorithm, one.realm, one.nonce)
            };
            let used = old.and_then(|old| old.entries().find(same)).map(|(mark, _)| mark);
            (Mark::of(one, used), [one.realm, one.nonce, one.opaque.unwrap_or_default()])
        });
        let tried = others.iter().filter(|(mark, _)| mark.is_tried).copied();
        let spare = others.iter().filter(|(mark, _)| !mark.is_tried).copied();
        Self::try_collect(fresh.chain(tried).chain(spare), alloc).map(Ok)
    }

    /// With another nonce for the other end (`nextnonce`, RFC 7616 §3.5); `None` when it has not challenged, or several
    /// realms of it have.
    pub(in super::super) fn try_renew(&self, nonce: &[u8], alloc: A) -> Result<Option<Self>, OutOfMemory> {
        let is_end = |mark: &Mark| mark.challenger == Challenger::End;
        if self.marks.iter().flatten().filter(|mark| is_end(mark)).count() != 1 {
            return Ok(None);
        }
        let renewed = self.entries().map(|(mark, [realm, old, opaque])| {
            // One that is told again is counted on.
            let nc = if nonce == old { mark.nc } else { 0 };
            if is_end(&mark) { (Mark { nc, ..mark }, [realm, nonce, opaque]) } else { (mark, [realm, old, opaque]) }
        });
        Self::try_collect(renewed, alloc).map(Some)
    }

    fn try_collect<'a>(entries: impl Iterator<Item = (Mark, SessionTexts<'a>)>, alloc: A) -> Result<Self, OutOfMemory> {
        let mut marks = [None; MOST_REALMS];
        let mut texts: [&[u8]; MOST_REALMS * TEXTS] = [b""; MOST_REALMS * TEXTS];
        for ((place, room), (mark, entry)) in marks.iter_mut().zip(texts.as_chunks_mut::<TEXTS>().0).zip(entries) {
            *place = Some(mark);
            *room = entry;
        }
        Ok(Self { text: Packed::try_new(texts, alloc)?, marks })
    }
}

impl<A: Allocator> Sessions<A> {
    fn entries(&self) -> impl Iterator<Item = (Mark, SessionTexts<'_>)> {
        let texts = |index: usize| [REALM, NONCE, OPAQUE].map(|part| self.text.get(index * TEXTS + part));
        self.marks.iter().enumerate().filter_map(move |(index, mark)| Some(((*mark)?, texts(index))))
    }

    /// For tests: all texts, uses and marks, as far as a future depends on them.
    #[cfg(test)]
    pub(in super::super) fn picture(&self) -> Vec<(Vec<Vec<u8>>, u32, bool)> {
        self.entries().map(|(mark, texts)| (texts.map(<[u8]>::to_vec).to_vec(), mark.nc, mark.is_tried)).collect()
    }

    /// The realms.
    pub(in super::super) fn known(&self) -> impl Iterator<Item = KnownRealm<'_>> {
        self.entries().map(|(Mark { challenger, algorithm, is_tried, .. }, [realm, _, _])| KnownRealm {
            challenger,
            realm,
            algorithm,
            is_tried,
        })
    }

    /// A new request, or new credentials: no realm has had its answer yet.
    pub(in super::super) fn nothing_tried(&mut self) {
        for mark in self.marks.iter_mut().flatten() {
            mark.is_tried = false;
        }
    }

    /// The authorizations of one request; each use of a nonce is counted.
    pub(in super::super) fn authorize(
        &mut self,
        cnonce: [u8; CNONCE_LEN],
        credential: impl Fn(KnownRealm<'_>) -> Option<(Vec<u8>, Secret)>,
    ) -> Vec<Authorization> {
        let mut all = Vec::new();
        for (index, place) in self.marks.iter_mut().enumerate() {
            let Some(mark) = place else { continue };
            let [realm, nonce, opaque] = [REALM, NONCE, OPAQUE].map(|part| self.text.get(index * TEXTS + part));
            let Mark { challenger, algorithm, is_tried, .. } = *mark;
            // A nonce that has been used up is left alone: there will be another challenge.
            let answer = mark.nc.checked_add(1).zip(credential(KnownRealm { challenger, realm, algorithm, is_tried }));
            let Some((nc, (username, secret))) = answer else {
                // Nobody can reject what is not sent.
                mark.is_tried = false;
                continue;
            };
            if mark.nc == 0 {
                mark.cnonce = cnonce;
            }
            mark.nc = nc;
            all.push(Authorization {
                challenger,
                username,
                secret,
                realm: realm.to_vec(),
                nonce: nonce.to_vec(),
                opaque: mark.has_opaque.then(|| opaque.to_vec()),
                algorithm,
                names_algorithm: mark.names_algorithm,
                qop: mark.qop,
                cnonce: mark.cnonce,
                nc,
            });
        }
        all
    }
}

impl Mark {
    /// A nonce that has been `used` is counted on.
    fn of(parsed: &ParsedChallenge<'_>, used: Option<Self>) -> Self {
        Self {
            challenger: parsed.challenger,
            algorithm: parsed.algorithm,
            names_algorithm: parsed.names_algorithm,
            has_opaque: parsed.opaque.is_some(),
            qop: parsed.qop,
            cnonce: used.map_or([b'0'; CNONCE_LEN], |used| used.cnonce),
            nc: used.map_or(0, |used| used.nc),
            is_tried: true,
        }
    }
}
