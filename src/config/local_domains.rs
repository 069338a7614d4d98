//! The domains whose users are local.

use super::ConfigError;

/// The domains of `local_domains`, in lower case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LocalDomains(Vec<Vec<u8>>);

impl LocalDomains {
    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a host, in lower case, is one of them.
    #[must_use]
    pub fn hold(&self, host: &[u8]) -> bool {
        self.0.iter().any(|domain| domain == host)
    }
}

/// Reads `local_domains`.
///
/// # Errors
/// [`ConfigError::Setting`].
pub(super) fn read(texts: &[Vec<u8>]) -> Result<LocalDomains, ConfigError> {
    let mut all = Vec::new();
    for text in texts {
        let domains = || text.split(|byte| matches!(byte, b',' | b' ' | b'\t')).filter(|domain| !domain.is_empty());
        let wrong = domains().find(|domain| !is_domain(domain));
        if wrong.is_some() || domains().next().is_none() {
            return Err(ConfigError::Setting {
                name: "local_domains",
                value: String::from_utf8_lossy(text).into_owned(),
                part: String::from_utf8_lossy(wrong.unwrap_or_default()).into_owned(),
                wanted:
                    "it must be the host of the users' URIs, such as example.com or [2001:db8::1], or several with \
                         commas between them"
                        .to_owned(),
            });
        }
        all.extend(domains().map(<[u8]>::to_ascii_lowercase));
    }
    all.sort_unstable();
    all.dedup();
    Ok(LocalDomains(all))
}

/// Whether this is the host of a URI, without a port.
fn is_domain(text: &[u8]) -> bool {
    let uri = [b"sip:a@", text].concat();
    crate::grammar::Aor::read(&uri).is_some_and(|aor| aor.host.eq_ignore_ascii_case(text))
}

#[cfg(test)]
mod tests {
    use super::read;

    fn of(texts: &[&str]) -> Result<super::LocalDomains, String> {
        read(&texts.iter().map(|text| text.as_bytes().to_vec()).collect::<Vec<_>>()).map_err(|error| error.to_string())
    }

    #[test]
    fn domains_are_listed_or_set_one_by_one() {
        let all = of(&["example.com, Example.NET 192.0.2.1", "[2001:DB8::1]", "example.com"]).expect("domains");
        for host in ["example.com", "example.net", "192.0.2.1", "[2001:db8::1]"] {
            assert!(all.hold(host.as_bytes()), "{host}");
        }
        assert!(!all.hold(b"a.example.com") && !all.hold(b"") && !of(&[]).expect("none").hold(b"example.com"));
    }

    #[test]
    fn what_is_no_domain_is_refused_by_name() {
        for (text, part) in [("", ""), (" , ", ""), ("a.b, sip:c", "sip:c"), ("a:5060", "a:5060"), ("a@b", "a@b")] {
            let error = of(&[text]).expect_err(text);
            assert!(error.contains(&format!("\"{text}\", but \"{part}\" is wrong: it must be the host")), "{error}");
        }
    }
}
