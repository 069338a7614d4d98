//! The answer to a challenge, as it goes into a request.

use super::CNONCE_LEN;
use super::algorithm::Algorithm;
use super::credential::Secret;
use super::scheme::{Challenger, Qop};

/// All that an authorization header is made of. The header itself is made where the Request-URI is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authorization {
    /// The side that asked.
    pub challenger: Challenger,
    /// User name.
    pub username: Vec<u8>,
    /// Its secret.
    pub secret: Secret,
    /// Realm as the challenge has it, between its quotes.
    pub realm: Vec<u8>,
    /// Nonce, likewise.
    pub nonce: Vec<u8>,
    /// Opaque, likewise, if there was one.
    pub opaque: Option<Vec<u8>>,
    /// Algorithm.
    pub algorithm: Algorithm,
    /// Whether the challenge named the algorithm.
    pub names_algorithm: bool,
    /// Quality of protection.
    pub qop: Qop,
    /// Our own nonce.
    pub cnonce: [u8; CNONCE_LEN],
    /// How often the nonce has been used, this use included.
    pub nc: u32,
}

impl Authorization {
    /// Whether a URI can stand between quotes.
    pub(in super::super) fn can_name(uri: &[u8]) -> bool {
        !uri.iter().any(|byte| matches!(byte, b'"' | b'\\') || byte.is_ascii_control())
    }

    /// The header's value for a request; `None` if the URI cannot be written between quotes.
    #[must_use]
    pub fn value(&self, method: &[u8], uri: &[u8], body: &[u8]) -> Option<Vec<u8>> {
        if !Self::can_name(uri) {
            return None;
        }
        let nc = format!("{:08x}", self.nc);
        let response = self.response(method, uri, body, nc.as_bytes());
        let mut text = b"Digest username=\"".to_vec();
        for &byte in &self.username {
            if matches!(byte, b'"' | b'\\') {
                text.push(b'\\');
            }
            text.push(byte);
        }
        let mut add = |parts: &[&[u8]]| text.extend(parts.concat());
        add(&[b"\", realm=\"", &self.realm, b"\", nonce=\"", &self.nonce, b"\", uri=\"", uri]);
        add(&[b"\", response=\"", &response, b"\""]);
        if self.names_algorithm {
            add(&[b", algorithm=", self.algorithm.name().as_bytes()]);
        }
        if self.qop != Qop::None || self.algorithm.is_session {
            add(&[b", cnonce=\"", &self.cnonce, b"\""]);
        }
        if let Some(opaque) = &self.opaque {
            add(&[b", opaque=\"", opaque, b"\""]);
        }
        match self.qop {
            Qop::None => {}
            Qop::Auth => add(&[b", qop=auth, nc=", nc.as_bytes()]),
            Qop::AuthInt => add(&[b", qop=auth-int, nc=", nc.as_bytes()]),
        }
        Some(text)
    }

    /// RFC 7616 §3.4.1 to §3.4.3; without qop RFC 2069 §2.1.2.
    fn response(&self, method: &[u8], uri: &[u8], body: &[u8], nc: &[u8]) -> Vec<u8> {
        let hash = self.algorithm.hash;
        let key = self.secret.key(hash, &self.username, &self.realm);
        let key = if self.algorithm.is_session { hash.of(&[&key, &self.nonce, &self.cnonce]).into() } else { key };
        match self.qop {
            Qop::None => hash.of(&[&key, &self.nonce, &hash.of(&[method, uri])]),
            Qop::Auth => hash.of(&[&key, &self.nonce, nc, &self.cnonce, b"auth", &hash.of(&[method, uri])]),
            Qop::AuthInt => {
                let request = hash.of(&[method, uri, &hash.of(&[body])]);
                hash.of(&[&key, &self.nonce, nc, &self.cnonce, b"auth-int", &request])
            }
        }
    }
}
