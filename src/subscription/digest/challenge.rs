//! Challenges, and the choice of those that are answered.

use super::super::reason::Reason;
use super::MOST_REALMS;
use super::algorithm::Algorithm;
use super::scheme::{Challenger, Qop};
use crate::grammar::{parts_unquoted, quoted};

/// Most bytes of all challenges of one reply. What is larger is not even read.
const MOST_BYTES: usize = 8192;

/// Most bytes of a realm.
const MOST_REALM: usize = 256;

/// Most bytes of a nonce, and of an opaque: they go back in every request.
const MOST_NONCE: usize = 2048;

/// Most challenges in one header.
const MOST_IN_ONE: usize = 32;

/// One WWW-Authenticate or Proxy-Authenticate header of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Challenge<'a> {
    /// Which of the two.
    pub challenger: Challenger,
    /// Its value.
    pub value: &'a [u8],
}

/// A challenge that can be understood. Texts are those between the quotes, unchanged: that is what is
/// hashed and what goes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct ParsedChallenge<'a> {
    pub(in super::super) challenger: Challenger,
    pub(in super::super) realm: &'a [u8],
    pub(in super::super) nonce: &'a [u8],
    pub(in super::super) opaque: Option<&'a [u8]>,
    pub(in super::super) algorithm: Algorithm,
    pub(in super::super) names_algorithm: bool,
    pub(in super::super) qop: Qop,
    pub(in super::super) is_stale: bool,
}

/// The challenges to be answered: for each challenger and realm the topmost that is understood and that `can_answer`
/// (RFC 8760 §2.4). One of several realms is answered even if others cannot be.
pub(in super::super) fn choose<'a>(
    challenges: &[Challenge<'a>],
    can_answer: impl Fn(&ParsedChallenge<'a>) -> bool,
) -> Result<Vec<ParsedChallenge<'a>>, Reason> {
    if challenges.iter().fold(0usize, |sum, one| sum.saturating_add(one.value.len())) > MOST_BYTES {
        return Err(Reason::ChallengeTooLarge);
    }
    let mut chosen: Vec<ParsedChallenge<'a>> = Vec::new();
    let mut refusal = None;
    for parsed in challenges.iter().flat_map(read) {
        match parsed {
            Ok(parsed) if chosen.iter().any(|one| one.challenger == parsed.challenger && one.realm == parsed.realm) => {
            }
            Ok(parsed) if can_answer(&parsed) => chosen.push(parsed),
            // A fault that the operator can correct is told first.
            Ok(_) => refusal = Some(Reason::NoCredentials),
            Err(problem) => refusal = refusal.or(Some(problem)),
        }
    }
    match chosen.len() {
        0 => Err(refusal.unwrap_or(Reason::NoDigest)),
        1..=MOST_REALMS => Ok(chosen),
        _ => Err(Reason::TooManyChallenges),
    }
}

/// The `nextnonce` of an Authentication-Info header.
pub(in super::super) fn next_nonce(value: &[u8]) -> Option<&[u8]> {
    let value = Some(value).filter(|value| value.len() <= MOST_BYTES)?;
    let found = split(value).find_map(|item| {
        let (name, value) = parameter(item)?;
        name.eq_ignore_ascii_case(b"nextnonce").then_some(value)
    })?;
    unquoted(found).filter(|nonce| !nonce.is_empty() && nonce.len() <= MOST_NONCE)
}

/// The parameters of one challenge as written; the first of a name counts.
#[derive(Clone, Copy, Default)]
struct Fields<'a> {
    scheme: &'a [u8],
    realm: Option<&'a [u8]>,
    nonce: Option<&'a [u8]>,
    opaque: Option<&'a [u8]>,
    algorithm: Option<&'a [u8]>,
    qop: Option<&'a [u8]>,
    stale: Option<&'a [u8]>,
    /// In a list of qualities without quotes: those behind its first comma.
    more: More,
}

/// See [`Fields::more`].
#[derive(Clone, Copy, Default)]
struct More {
    auth: bool,
    auth_int: bool,
}

/// The challenges in one header: normally one, but RFC 7235 allows a list.
fn read<'a>(challenge: &Challenge<'a>) -> Vec<Result<ParsedChallenge<'a>, Reason>> {
    let mut all: Vec<Fields<'a>> = Vec::new();
    let mut is_in_qop = false;
    for item in split(challenge.value) {
        let (head, value) = match parameter(item) {
            // Some write the list of qualities without quotes.
            None if is_in_qop => {
                if let Some(fields) = all.last_mut() {
                    fields.more.auth |= item.eq_ignore_ascii_case(b"auth");
                    fields.more.auth_int |= item.eq_ignore_ascii_case(b"auth-int");
                }
                continue;
            }
            None => (item, &b""[..]),
            Some(parameter) => parameter,
        };
        // A scheme is before the first parameter, with nothing but white space between.
        let space = head.iter().position(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n'));
        let (scheme, name) = match space.and_then(|at| head.split_at_checked(at)) {
            Some((scheme, name)) => (Some(scheme), name.trim_ascii()),
            None if parameter(item).is_none() => (Some(head), &b""[..]),
            None => (None, head),
        };
        is_in_qop = name.eq_ignore_ascii_case(b"qop");
        if let Some(scheme) = scheme {
            all.push(Fields { scheme, ..Fields::default() });
        }
        if all.len() > MOST_IN_ONE {
            return vec![Err(Reason::ChallengeTooLarge)];
        }
        let Some(fields) = all.last_mut() else { return vec![Err(Reason::MalformedChallenge)] };
        let field = match name.to_ascii_lowercase().as_slice() {
            b"realm" => &mut fields.realm,
            b"nonce" => &mut fields.nonce,
            b"opaque" => &mut fields.opaque,
            b"algorithm" => &mut fields.algorithm,
            b"qop" => &mut fields.qop,
            b"stale" => &mut fields.stale,
            _ => continue,
        };
        *field = field.or(Some(value).filter(|value| !value.is_empty()));
    }
    all.iter().map(|fields| fields.understand(challenge.challenger)).collect()
}

impl<'a> Fields<'a> {
    fn understand(&self, challenger: Challenger) -> Result<ParsedChallenge<'a>, Reason> {
        if !self.scheme.eq_ignore_ascii_case(b"Digest") {
            return Err(Reason::NoDigest);
        }
        let text = |raw: Option<&'a [u8]>| raw.map(|raw| unquoted(raw).ok_or(Reason::MalformedChallenge)).transpose();
        let (realm, nonce, opaque) = (text(self.realm)?, text(self.nonce)?, text(self.opaque)?);
        let (Some(realm), Some(nonce)) = (realm, nonce.filter(|nonce| !nonce.is_empty())) else {
            return Err(Reason::MalformedChallenge);
        };
        if realm.len() > MOST_REALM || nonce.len() > MOST_NONCE || opaque.is_some_and(|text| text.len() > MOST_NONCE) {
            return Err(Reason::ChallengeTooLarge);
        }
        let named = text(self.algorithm)?.filter(|name| !name.is_empty());
        let algorithm = named.map_or(Some(Algorithm::DEFAULT), Algorithm::find).ok_or(Reason::NoDigest)?;
        let qop = best(text(self.qop)?, self.more).ok_or(Reason::NoDigest)?;
        let is_stale = text(self.stale)?.is_some_and(|stale| stale.eq_ignore_ascii_case(b"true"));
        let names_algorithm = named.is_some();
        Ok(ParsedChallenge { challenger, realm, nonce, opaque, algorithm, names_algorithm, qop, is_stale })
    }
}

/// The quality of protection to use; `None` when none of those offered is known.
fn best(offered: Option<&[u8]>, more: More) -> Option<Qop> {
    let Some(offered) = offered.filter(|offered| !offered.trim_ascii().is_empty()) else { return Some(Qop::None) };
    let offers =
        |name: &[u8]| offered.split(|byte| *byte == b',').any(|one| one.trim_ascii().eq_ignore_ascii_case(name));
    if more.auth || offers(b"auth") {
        Some(Qop::Auth)
    } else if more.auth_int || offers(b"auth-int") {
        Some(Qop::AuthInt)
    } else {
        None
    }
}

/// The parts of a list, without the white space around them; commas between quotes do not count.
fn split(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    parts_unquoted(list, b',').map(<[u8]>::trim_ascii).filter(|item| !item.is_empty())
}

/// Name (perhaps with a scheme before it) and value.
fn parameter(item: &[u8]) -> Option<(&[u8], &[u8])> {
    let (name, value) = item.split_at_checked(item.iter().position(|byte| *byte == b'=')?)?;
    Some((name.trim_ascii(), value.get(1..)?.trim_ascii()))
}

/// A token, or the text between the quotes; `None` if it is neither, or contains what no header may.
fn unquoted(raw: &[u8]) -> Option<&[u8]> {
    let Some(inner) = quoted(raw) else {
        let is_token = !raw.is_empty() && raw.iter().all(|byte| byte.is_ascii_graphic() && !b"\"\\,".contains(byte));
        return is_token.then_some(raw);
    };
    let mut is_escaped = false;
    for byte in inner {
        match byte {
            _ if byte.is_ascii_control() => return None,
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => return None,
            _ => {}
        }
    }
    (!is_escaped).then_some(inner)
}
