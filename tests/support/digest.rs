//! The answer to a digest challenge, checked as a server does it.

use super::endpoint::Received;

/// The hash as hexadecimal digits.
pub fn hash<D: sha2::Digest>(text: &str) -> String {
    D::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A parameter of an authorization header, without its quotes.
pub fn parameter<'a>(value: &'a str, name: &str) -> &'a str {
    let start = format!("{name}=");
    let found = value.strip_prefix("Digest ").expect("Digest").split(", ").find_map(|part| part.strip_prefix(&*start));
    found.unwrap_or_else(|| panic!("no {name} in {value}")).trim_matches('"')
}

/// The user that answers.
pub struct Account<'a> {
    /// The user name.
    pub user: &'a str,
    /// The password.
    pub password: &'a str,
}

impl Account<'_> {
    /// Checks the answer in `header` of a SUBSCRIBE as a server would.
    pub fn assert_answers<D: sha2::Digest>(
        &self,
        request: &Received,
        header: &str,
        realm: &str,
        nonce: &str,
        nc: &str,
    ) {
        let Account { user, password } = self;
        let value = request.need(header);
        let part = |name| parameter(value, name);
        assert_eq!((part("username"), part("realm"), part("nonce"), part("uri")), (*user, realm, nonce, request.uri()));
        assert_eq!(part("nc"), nc, "{value}");
        let key = hash::<D>(&format!("{user}:{realm}:{password}"));
        let body = if part("qop") == "auth-int" { format!(":{}", hash::<D>("")) } else { String::new() };
        let target = hash::<D>(&format!("SUBSCRIBE:{}{body}", request.uri()));
        let expected = hash::<D>(&format!("{key}:{nonce}:{nc}:{}:{}:{target}", part("cnonce"), part("qop")));
        assert_eq!(part("response"), expected, "{value}");
    }
}
