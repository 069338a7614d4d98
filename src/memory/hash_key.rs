//! Hashes of texts that others choose.
#![forbid(unsafe_code)]

use std::hash::{Hash, Hasher};

use siphasher::sip::SipHasher13;

/// The hash key of a table with keys that others may choose: peers (hosts, names, Call-IDs) or subscribers (records). The same
/// in every process, as the tables are.
///
/// The hash is SipHash-1-3. With one that is made for speed only, an attacker can choose thousands of texts that collide whatever
/// its seed is, and then each search under a lock compares them all; or, where a table keeps the hash in place of a long
/// text, have two texts taken for one. A search takes about 160 instructions more than with `foldhash`, and the ways of a NOTIFY of a
/// known dialog make none.
#[derive(Clone, Copy)]
pub struct HashKey {
    bytes: [u8; 16],
}

impl HashKey {
    /// Makes a key of unguessable bytes.
    #[must_use]
    pub fn new(bytes: [u8; 16]) -> Self {
        Self { bytes }
    }

    #[cfg(test)]
    /// The bytes it was made of: with them another run of the server has the same key. They are to be kept as a secret is.
    #[must_use]
    pub fn bytes(&self) -> [u8; 16] {
        self.bytes
    }

    /// The hash of a value.
    #[must_use]
    pub fn hash(&self, value: impl Hash) -> u64 {
        let mut hasher = SipHasher13::new_with_key(&self.bytes);
        value.hash(&mut hasher);
        hasher.finish()
    }

    /// An unguessable number for a hash that needs no more, made of the key so that it does not tell the key.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.hash("seed")
    }
}

impl std::fmt::Debug for HashKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
impl From<u64> for HashKey {
    fn from(seed: u64) -> Self {
        Self::new(u128::from(seed).to_ne_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_key_is_another_hash() {
        let (one, other) = (HashKey::from(1), HashKey::from(2));
        assert_eq!(one.hash(b"udp:x:5060"), one.hash(b"udp:x:5060"));
        assert_ne!(one.hash(b"udp:x:5060"), other.hash(b"udp:x:5060"));
        assert_ne!(one.hash([b"a", b"b"]), one.hash([b"b", b"a"]));
        assert_ne!(one.seed(), other.seed());
        assert_eq!(format!("{one:?}"), "***");
        assert_eq!(HashKey::new(one.bytes()).hash("a"), one.hash("a"));
    }
}
