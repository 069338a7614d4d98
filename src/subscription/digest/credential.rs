//! User names and passwords. Nothing here shows a secret: neither `Debug` nor any error.

use zeroize::Zeroizing;

use super::algorithm::{Algorithm, Hash};
use super::domain::Domains;

/// The proof of a user's identity. It is overwritten before its memory is given back.
#[derive(Clone, PartialEq, Eq)]
pub enum Secret {
    /// The password itself.
    Password(Zeroizing<Vec<u8>>),
    /// The hash of user name, realm and password in hexadecimal digits: good for the algorithms of its length only.
    Hashed(Zeroizing<Vec<u8>>),
}

/// How a hashed secret begins.
const HASHED: &[u8] = b"HA1:";

impl Secret {
    /// Reads `HA1:` and 32 (MD5) or 64 (SHA-256) hexadecimal digits, or else a password.
    ///
    /// # Errors
    /// [`CredentialError::Digits`].
    pub fn parse(text: &[u8]) -> Result<Self, CredentialError> {
        match text.strip_prefix(HASHED) {
            Some(digits) if matches!(digits.len(), 32 | 64) && digits.iter().all(u8::is_ascii_hexdigit) => {
                Ok(Self::Hashed(digits.to_ascii_lowercase().into()))
            }
            Some(_) => Err(CredentialError::Digits),
            None => Ok(Self::Password(text.to_vec().into())),
        }
    }

    /// Whether a challenge of this algorithm can be answered with it.
    pub(in super::super) fn fits(&self, algorithm: Algorithm) -> bool {
        match self {
            Self::Password(_) => true,
            Self::Hashed(digits) => match algorithm.hash {
                Hash::Md5 => digits.len() == 32,
                Hash::Sha256 => digits.len() == 64,
                Hash::Sha512t256 => false,
            },
        }
    }

    /// H(user name:realm:password).
    pub(super) fn key(&self, hash: Hash, username: &[u8], realm: &[u8]) -> Zeroizing<Vec<u8>> {
        match self {
            Self::Password(password) => hash.of(&[username, realm, password]).into(),
            Self::Hashed(digits) => digits.clone(),
        }
    }
}

impl Secret {
    /// The text that [`Secret::parse`] reads.
    #[must_use]
    pub fn text(&self) -> Zeroizing<Vec<u8>> {
        match self {
            Self::Password(password) => password.clone(),
            Self::Hashed(digits) => [HASHED, digits].concat().into(),
        }
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

/// A text that no log may show.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Concealed<T>(pub T);

impl<T> std::fmt::Debug for Concealed<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

/// A user name and secret for a realm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// The realm; `None` for every realm that has no credential of its own.
    pub realm: Option<Vec<u8>>,
    /// User name.
    pub username: Vec<u8>,
    /// Its secret.
    pub secret: Secret,
    /// Where it is good for.
    pub domains: Domains,
}

/// Why texts are no credential. Shows none of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CredentialError {
    /// Not three parts.
    #[error("it must be username:realm:password or username:realm:HA1:hash")]
    Parts,
    /// No user name.
    #[error("the user name is empty")]
    NoUsername,
    /// A user name that no header can hold.
    #[error("the user name contains a colon or a control character")]
    Username,
    /// The secret.
    #[error("HA1: must be followed by 32 or 64 hexadecimal digits")]
    Digits,
    /// A hash is good for the realm only that is part of it.
    #[error("a hash (HA1:) needs its own realm, not *")]
    HashOfEveryRealm,
}

impl Credential {
    /// A credential of its parts. An empty realm or `*` means every realm, which needs a password instead of a hash.
    ///
    /// # Errors
    /// See [`CredentialError`].
    pub fn new(realm: &[u8], username: &[u8], secret: &[u8]) -> Result<Self, CredentialError> {
        let realm = (!realm.is_empty() && realm != b"*").then(|| realm.to_vec());
        let secret = Secret::parse(secret)?;
        Self::check_username(username)?;
        if realm.is_none() && matches!(secret, Secret::Hashed(_)) {
            return Err(CredentialError::HashOfEveryRealm);
        }
        Ok(Self { realm, username: username.to_vec(), secret, domains: Domains::default() })
    }

    /// Reads `username:realm:secret`, as the `credential` of Kamailio's module `uac` (see [`Secret::parse`]).
    ///
    /// # Errors
    /// See [`CredentialError`].
    pub fn parse(text: &[u8]) -> Result<Self, CredentialError> {
        let mut parts = text.splitn(3, |byte| *byte == b':');
        let (Some(username), Some(realm), Some(secret)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(CredentialError::Parts);
        };
        Self::new(realm, username, secret)
    }

    /// Judges a user name: not empty, no colon, nothing that a header cannot hold.
    ///
    /// # Errors
    /// [`CredentialError::NoUsername`], [`CredentialError::Username`].
    pub fn check_username(text: &[u8]) -> Result<(), CredentialError> {
        if text.is_empty() {
            return Err(CredentialError::NoUsername);
        }
        let fits = text.iter().all(|byte| !byte.is_ascii_control() && *byte != b':');
        if fits { Ok(()) } else { Err(CredentialError::Username) }
    }
}

/// Where credentials are looked for.
pub trait KnownCredentials: std::fmt::Debug {
    /// The credential for this realm: its own before one for every realm.
    fn of_realm(&self, realm: &[u8]) -> Option<Credential>;
}

#[cfg(test)]
impl<T: AsRef<[Credential]> + std::fmt::Debug> KnownCredentials for T {
    fn of_realm(&self, realm: &[u8]) -> Option<Credential> {
        let all: &[Credential] = self.as_ref();
        let of = |realm: Option<&[u8]>| all.iter().find(|one| one.realm.as_deref() == realm);
        of(Some(realm)).or_else(|| of(None)).cloned()
    }
}
