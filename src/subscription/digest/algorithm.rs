//! The hash algorithms.

use sha2::digest::Digest;

/// A hash function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Hash {
    Md5,
    Sha256,
    Sha512t256,
}

/// An algorithm of a challenge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Algorithm {
    pub(in super::super) hash: Hash,
    /// One of the `-sess` variants.
    pub(super) is_session: bool,
}

const fn known(name: &'static str, hash: Hash, is_session: bool) -> (&'static str, Algorithm) {
    (name, Algorithm { hash, is_session })
}

const KNOWN: [(&str, Algorithm); 6] = [
    known("MD5", Hash::Md5, false),
    known("MD5-sess", Hash::Md5, true),
    known("SHA-256", Hash::Sha256, false),
    known("SHA-256-sess", Hash::Sha256, true),
    known("SHA-512-256", Hash::Sha512t256, false),
    known("SHA-512-256-sess", Hash::Sha512t256, true),
];

impl Algorithm {
    /// The algorithm of a challenge that names none (RFC 7616 §3.3).
    pub(super) const DEFAULT: Self = Self { hash: Hash::Md5, is_session: false };

    pub(in super::super) fn is_md5(self) -> bool {
        self.hash == Hash::Md5
    }

    /// The algorithm of this name.
    pub(in super::super) fn find(name: &[u8]) -> Option<Self> {
        KNOWN.iter().find(|(known, _)| known.as_bytes().eq_ignore_ascii_case(name)).map(|(_, algorithm)| *algorithm)
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        KNOWN.iter().find(|(_, known)| *known == self).map_or("MD5", |(name, _)| name)
    }
}

impl Hash {
    /// The hash of the parts with colons between them, in lower-case hexadecimal digits.
    pub(in super::super) fn of(self, parts: &[&[u8]]) -> Vec<u8> {
        match self {
            Self::Md5 => joined::<md5::Md5>(parts),
            Self::Sha256 => joined::<sha2::Sha256>(parts),
            Self::Sha512t256 => joined::<sha2::Sha512_256>(parts),
        }
    }
}

fn joined<D: Digest>(parts: &[&[u8]]) -> Vec<u8> {
    let mut hash = D::new();
    for (number, part) in parts.iter().enumerate() {
        if number > 0 {
            hash.update(b":");
        }
        hash.update(part);
    }
    let digit = |value: u8| if value < 10 { b'0' + value } else { b'a' + (value - 10) };
    hash.finalize().iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}
