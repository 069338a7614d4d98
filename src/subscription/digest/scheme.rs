//! The common parts of challenges and their answers.

/// The side that challenges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Challenger {
    /// The other end: WWW-Authenticate, answered in Authorization.
    End,
    /// A proxy: Proxy-Authenticate, answered in Proxy-Authorization.
    Proxy,
}

impl Challenger {
    /// The name of the header that holds the answer.
    #[must_use]
    pub fn answer_header(self) -> &'static str {
        match self {
            Self::End => "Authorization",
            Self::Proxy => "Proxy-Authorization",
        }
    }
}

/// Quality of protection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Qop {
    /// None was offered (RFC 2069).
    None,
    /// Method and URI.
    Auth,
    /// Method, URI and body.
    AuthInt,
}
