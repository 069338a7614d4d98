//! Credentials, and the domains that they may be used in.

use super::ConfigError;
use crate::subscription::{Credential, DomainList, Domains, RealmName};

/// Reads `credential`.
///
/// # Errors
/// [`ConfigError::Credential`].
pub(super) fn read(texts: &[Vec<u8>]) -> Result<Vec<Credential>, ConfigError> {
    let read = |(text, number): (&Vec<u8>, usize)| {
        Credential::parse(text).map_err(|problem| ConfigError::Credential { number, problem })
    };
    texts.iter().zip(1..).map(read).collect()
}

/// Tables and database go together.
///
/// # Errors
/// [`ConfigError::NoDatabase`], [`ConfigError::NoTable`].
pub(super) fn check_database(url: &str, tables: [(&'static str, &String); 2], stores: bool) -> Result<(), ConfigError> {
    let first = tables.into_iter().find(|(_, table)| !table.is_empty());
    match (url.is_empty(), first) {
        (true, Some((name, table))) => Err(ConfigError::NoDatabase { name, table: table.clone() }),
        (true, None) if stores => Err(ConfigError::NoStore),
        (false, None) if !stores => Err(ConfigError::NoTable),
        (true, None) | (false, Some(_) | None) => Ok(()),
    }
}

/// Reads `credential_domain`: of each realm all that is said.
pub(super) fn domains(texts: Vec<Vec<u8>>, proxies: &[String]) -> Result<Vec<(RealmName, Domains)>, ConfigError> {
    let mut all: Vec<(RealmName, DomainList)> = Vec::new();
    for text in texts {
        let Some((realm, domains)) = Domains::parse(&text) else {
            return Err(ConfigError::Text {
                name: "credential_domain",
                value: String::from_utf8_lossy(&text).into_owned(),
                wanted: "realm=domain,domain; the realm * means all without their own credentials, the domain * all",
            });
        };
        match all.iter_mut().find(|(known, _)| *known == realm) {
            Some((_, known)) => known.extend(domains),
            None => all.push((realm, domains)),
        }
    }
    let proxies = || proxies.iter().map(String::as_bytes);
    Ok(all.into_iter().map(|(realm, domains)| (realm, Domains::listed(domains, proxies()))).collect())
}
