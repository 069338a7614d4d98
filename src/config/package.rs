//! The operator's own event packages: `name: accept=type/subtype, type/subtype; forking=first`.

use super::ConfigError;
use super::package_policy::Wrong;
use crate::grammar::is_token;
use crate::subscription::{Forking, OwnPackage, PackageError, Packages};

/// The most bytes of an event type.
const MOST_NAME: usize = 64;

/// The most body types of one package.
const MOST_TYPES: usize = 16;

/// The most bytes of a body type: two names of 63 (RFC 6838 §4.2 recommends no more) and the slash.
const MOST_TYPE: usize = 127;

const ACCEPT: &str = "accept";
const FORKING: &str = "forking";

/// The packages of every server and those that the texts describe.
///
/// # Errors
/// [`ConfigError::Setting`], for the first text that is wrong.
pub(super) fn read(texts: &[String]) -> Result<Packages, ConfigError> {
    let mut packages = Packages::default();
    for text in texts {
        let wrong = |(part, wanted): Wrong<'_>| ConfigError::Setting {
            name: "package",
            value: text.clone(),
            part: part.to_owned(),
            wanted,
        };
        let package = describe(text).map_err(wrong)?;
        let name = package.name.clone();
        packages.add(package).map_err(|error| match error {
            PackageError::Exists => wrong((&name, "there is a package of this name already".to_owned())),
            PackageError::TooMany => {
                wrong((&name, format!("there may be {} packages beside those of the module", Packages::MOST_OWN)))
            }
        })?;
    }
    Ok(packages)
}

fn describe(text: &str) -> Result<OwnPackage, Wrong<'_>> {
    let (name, settings) = text.split_once(':').ok_or_else(|| (text, form()))?;
    let name = name.trim();
    if !is_event_type(name) {
        let wanted = "an event type must be a token, perhaps with templates behind dots, such as presence.winfo";
        return Err((name, format!("{wanted}, of at most {MOST_NAME} bytes")));
    }
    let (mut accept, mut forking) = (Vec::new(), None);
    for setting in settings.split(';').map(str::trim).filter(|setting| !setting.is_empty()) {
        let (key, value) = setting.split_once('=').ok_or_else(|| (setting, form()))?;
        match key.trim() {
            ACCEPT if accept.is_empty() => accept = types(value)?,
            FORKING if forking.is_none() => {
                let word = Some(value.trim()).filter(|word| *word != "package").and_then(Forking::parse);
                forking = Some(word.ok_or_else(|| (setting, format!("{FORKING} must be first or all")))?);
            }
            ACCEPT | FORKING => return Err((setting, "each key may be there once".to_owned())),
            _ => return Err((setting, form())),
        }
    }
    if accept.is_empty() {
        return Err((settings.trim(), format!("{ACCEPT} is missing; {}", form())));
    }
    Ok(OwnPackage { name: name.to_owned(), accept, forking: forking.unwrap_or(Forking::First) })
}

/// event-type of RFC 6665 §8.4.
fn is_event_type(name: &str) -> bool {
    name.len() <= MOST_NAME && name.split('.').all(|part| is_token(part.as_bytes()))
}

/// Media types, compared without case later on: they are kept and sent as they are written here.
fn types(list: &str) -> Result<Vec<String>, Wrong<'_>> {
    let types: Vec<&str> = list.split(',').map(str::trim).collect();
    if let Some(bad) = types.iter().find(|kind| !is_media_type(kind)) {
        let wanted = "a body type must be type/subtype, such as application/x-as-feature-event+xml, without wildcards";
        return Err((bad, format!("{wanted}, of at most {MOST_TYPE} bytes")));
    }
    if types.len() > MOST_TYPES {
        return Err((list, format!("a package may have {MOST_TYPES} body types")));
    }
    Ok(types.into_iter().map(str::to_owned).collect())
}

fn is_media_type(text: &str) -> bool {
    let is_part = |part: &str| is_token(part.as_bytes()) && !part.contains('*');
    text.len() <= MOST_TYPE && text.split_once('/').is_some_and(|(kind, subtype)| is_part(kind) && is_part(subtype))
}

fn form() -> String {
    format!(
        "it must be \"name: {ACCEPT}=type/subtype, type/subtype; {FORKING}=first\", where {FORKING} is first or all and may be \
         omitted"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_all(texts: &[&str]) -> Result<Packages, String> {
        let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
        read(&texts).map_err(|error| error.to_string())
    }

    #[test]
    fn packages_are_those_of_every_server_and_the_own() {
        let packages = read_all(&[
            "as-feature-event: accept=application/x-as-feature-event+xml; forking=first",
            " conference.x-template:forking = all;accept=Application/conference-info+xml , text/plain;",
            "x: accept=a/b",
        ])
        .expect("packages");
        let own: Vec<_> = packages.iter().skip(5).map(|one| (one.name, one.accept, one.forks)).collect();
        let wanted: [(&str, &[&str], bool); 3] = [
            ("as-feature-event", &["application/x-as-feature-event+xml"], false),
            ("conference.x-template", &["Application/conference-info+xml", "text/plain"], true),
            ("x", &["a/b"], false),
        ];
        assert_eq!(own, wanted);
        for package in packages.iter() {
            assert_eq!(packages.find(package.name.as_bytes()), Some(package));
            assert_eq!(packages.get(package.number), package);
        }
        for unknown in ["", "X", "as-feature-event ", "conference"] {
            assert_eq!(packages.find(unknown.as_bytes()), None, "{unknown}");
        }
        assert!(packages.names().ends_with(", message-summary, as-feature-event, conference.x-template, x"));
    }

    #[test]
    fn what_is_wrong_is_named_with_what_is_allowed() {
        let long = |length: usize| "x".repeat(length);
        for (text, part, wanted) in [
            ("x", "\"x\" is wrong", "it must be \"name: accept="),
            ("x: a/b", "\"a/b\" is wrong", "it must be \"name: accept="),
            (": accept=a/b", "\"\" is wrong", "an event type must be a token"),
            ("x y: accept=a/b", "\"x y\" is wrong", "an event type must be a token"),
            ("x.: accept=a/b", "\"x.\" is wrong", "templates behind dots"),
            (".x: accept=a/b", "\".x\" is wrong", "templates behind dots"),
            ("x..y: accept=a/b", "\"x..y\" is wrong", "templates behind dots"),
            ("x\r\ny: accept=a/b", "x\r\ny", "an event type must be a token"),
            (&format!("{}: accept=a/b", long(65)), "is wrong", "at most 64 bytes"),
            ("x:", "\"\" is wrong", "accept is missing"),
            ("x: forking=all", "\"forking=all\" is wrong", "accept is missing"),
            ("x: accept=", "\"\" is wrong", "type/subtype"),
            ("x: accept=a/b,,c/d", "\"\" is wrong", "type/subtype"),
            ("x: accept=a", "\"a\" is wrong", "type/subtype"),
            ("x: accept=a/b/c", "\"a/b/c\" is wrong", "type/subtype"),
            ("x: accept=a/b, */*", "\"*/*\" is wrong", "without wildcards"),
            ("x: accept=a/*", "\"a/*\" is wrong", "without wildcards"),
            ("x: accept=a/b c", "\"a/b c\" is wrong", "type/subtype"),
            ("x: accept=a/b;q=0.5", "\"q=0.5\" is wrong", "it must be"),
            (&format!("x: accept=a/{}", long(126)), "is wrong", "at most 127 bytes"),
            (&format!("x: accept=a/b{}", ", a/b".repeat(16)), "is wrong", "a package may have 16 body types"),
            ("x: accept=a/b; forking=package", "\"forking=package\" is wrong", "first or all"),
            ("x: accept=a/b; forking=", "\"forking=\" is wrong", "first or all"),
            ("x: accept=a/b; accept=c/d", "\"accept=c/d\" is wrong", "once"),
            ("x: accept=a/b; supported=y", "\"supported=y\" is wrong", "it must be"),
            ("presence: accept=a/b", "\"presence\" is wrong", "there is a package of this name already"),
            ("own: accept=a/b", "\"own\" is wrong", "there is a package of this name already"),
        ] {
            let error = read_all(&["own: accept=a/b", text]).expect_err(text);
            for part in ["modparam package is ", &format!("\"{text}\""), part, wanted] {
                assert!(error.contains(part), "{error} lacks {part}");
            }
        }
        let many: Vec<String> = (0..33).map(|number| format!("x{number}: accept=a/b")).collect();
        assert!(read(&many[..32]).is_ok());
        let error = read(&many).expect_err("too many").to_string();
        assert!(error.contains("\"x32\" is wrong: there may be 32 packages beside"), "{error}");
    }
}
