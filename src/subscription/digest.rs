//! Digest authentication (RFC 3261 §22, RFC 7616, RFC 8760): challenges read, remembered and answered.
//!
//! A notifier or a proxy on the way challenges a request; the subscription repeats it with an answer, and from then on
//! answers before it is asked, counting the uses of the nonce. What it remembers of a realm is bounded.

mod algorithm;
mod authorization;
mod challenge;
mod credential;
mod domain;
mod scheme;
mod sessions;

#[cfg(test)]
pub(super) use algorithm::Algorithm;
pub use authorization::Authorization;
pub use challenge::Challenge;
pub(super) use challenge::{ParsedChallenge, choose, next_nonce};
pub use credential::{Concealed, Credential, CredentialError, KnownCredentials, Secret};
pub(super) use domain::{AskedBy, place};
pub use domain::{DomainList, Domains, RealmName};
pub use scheme::{Challenger, Qop};
pub(super) use sessions::{KnownRealm, Sessions};

/// How many realms one request can be authorized for.
pub(super) const MOST_REALMS: usize = 4;

/// How often one request is repeated because it was challenged.
pub(super) const MOST_ANSWERS: u8 = 8;

/// How often of these because a nonce was stale.
pub(super) const MOST_STALES: u8 = 3;

/// Length of a cnonce.
pub const CNONCE_LEN: usize = 16;
