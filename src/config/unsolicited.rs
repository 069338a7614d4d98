//! NOTIFYs that nobody subscribed to: `package: from=address/bits, address; publish=seconds`.

use std::net::IpAddr;
use std::time::Duration;

use super::ConfigError;
use super::package_policy::Wrong;
use crate::document::PublishedPackage;
use crate::subscription::{PackageNumber, Packages};

/// The most addresses and networks of one package.
const MOST_SOURCES: usize = 256;

const FROM: &str = "from";
const PUBLISH: &str = "publish";

/// How long a published state lives unless the operator says so: a day.
const LIVES: u64 = 86_400;

/// The longest that it may live: ten years.
const LONGEST: u64 = 315_360_000;

/// The shortest.
const SHORTEST: u64 = 60;

/// A package whose NOTIFYs are taken without a subscription, and from whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsolicited {
    /// The package.
    pub package: PackageNumber,
    from: Vec<Network>,
    /// Its states become those of the users that they are sent to, for so long.
    pub publish: Option<(PublishedPackage, Duration)>,
}

impl Unsolicited {
    /// Whether a NOTIFY from this address is taken.
    #[must_use]
    pub fn trusts(&self, address: IpAddr) -> bool {
        self.from.iter().any(|network| network.holds(address))
    }
}

/// An address, or a network of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Network {
    address: IpAddr,
    /// How many bits of the address count.
    bits: u32,
}

impl Network {
    fn parse(text: &str) -> Option<Self> {
        let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
        let address: IpAddr = address.trim_matches(['[', ']']).parse().ok()?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let is_number = |bits: &str| !bits.is_empty() && bits.bytes().all(|byte| byte.is_ascii_digit());
        let bits = bits.map_or(Some(most), |bits| Some(bits).filter(|bits| is_number(bits))?.parse().ok())?;
        (bits <= most).then_some(Self { address, bits })
    }

    fn holds(&self, address: IpAddr) -> bool {
        let (own, other, length) = match (self.address, address.to_canonical()) {
            (IpAddr::V4(own), IpAddr::V4(other)) => (u128::from(own.to_bits()), u128::from(other.to_bits()), 32u32),
            (IpAddr::V6(own), IpAddr::V6(other)) => (own.to_bits(), other.to_bits(), 128),
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => return false,
        };
        (own ^ other).checked_shr(length.saturating_sub(self.bits)).unwrap_or(0) == 0
    }
}

/// What all texts say; of one package, that of all its texts.
///
/// # Errors
/// [`ConfigError::Setting`], for the first text that is wrong.
pub(super) fn read(texts: &[String], known: &Packages) -> Result<Vec<Unsolicited>, ConfigError> {
    let mut all: Vec<Unsolicited> = Vec::new();
    for text in texts {
        let wrong = |(part, wanted): Wrong<'_>| ConfigError::Setting {
            name: "unsolicited",
            value: text.clone(),
            part: part.to_owned(),
            wanted,
        };
        let one = describe(text, known).map_err(wrong)?;
        match all.iter_mut().find(|other| other.package == one.package) {
            Some(other) => {
                other.from.extend(one.from);
                other.publish = one.publish.or(other.publish);
            }
            None => all.push(one),
        }
    }
    Ok(all)
}

fn describe<'t>(text: &'t str, known: &Packages) -> Result<Unsolicited, Wrong<'t>> {
    let (name, settings) = text.split_once(':').ok_or_else(|| (text, form()))?;
    let name = name.trim();
    let unknown = || (name, format!("the package must be one of {}", known.names()));
    let package = known.find(name.as_bytes()).ok_or_else(unknown)?.number;
    let (mut from, mut publish) = (None, None);
    for setting in settings.split(';').map(str::trim).filter(|setting| !setting.is_empty()) {
        let (key, value) =
            setting.split_once('=').map_or((setting, None), |(key, value)| (key.trim(), Some(value.trim())));
        match (key, value) {
            (FROM, Some(list)) if from.is_none() => from = Some(sources(list)?),
            (PUBLISH, seconds) if publish.is_none() => publish = Some(published(name, setting, seconds)?),
            _ => return Err((setting, form())),
        }
    }
    let from = from.ok_or_else(|| (settings.trim(), form()))?;
    Ok(Unsolicited { package, from, publish })
}

fn published<'t>(
    name: &'t str,
    setting: &'t str,
    seconds: Option<&str>,
) -> Result<(PublishedPackage, Duration), Wrong<'t>> {
    let package = PublishedPackage::find(name);
    let package = package.ok_or_else(|| {
        (setting, "only the packages presence, dialog and message-summary can be published".to_owned())
    })?;
    let seconds = seconds.map_or(Some(LIVES), |seconds| seconds.parse().ok());
    let seconds = seconds.filter(|seconds| (SHORTEST..=LONGEST).contains(seconds));
    let seconds = seconds.ok_or_else(|| (setting, format!("{PUBLISH} must be {SHORTEST} to {LONGEST} seconds")))?;
    Ok((package, Duration::from_secs(seconds)))
}

fn sources(list: &str) -> Result<Vec<Network>, Wrong<'_>> {
    fn parse(source: &str) -> Result<Network, Wrong<'_>> {
        let source = source.trim();
        Network::parse(source)
            .ok_or_else(|| (source, "it must be an address, or a network such as 192.0.2.0/24".to_owned()))
    }
    let from = list.split(',').map(parse).collect::<Result<Vec<_>, _>>()?;
    if from.len() > MOST_SOURCES {
        return Err((list, format!("there may be {MOST_SOURCES} addresses and networks")));
    }
    Ok(from)
}

fn form() -> String {
    format!(
        "it must be \"package: {FROM}=address, network/bits; {PUBLISH}=seconds\", where {PUBLISH} may be omitted, such as \
         \"message-summary: {FROM}=192.0.2.7, 2001:db8::/32\""
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::subscription::package;

    fn read_all(texts: &[&str]) -> Result<Vec<Unsolicited>, String> {
        let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
        read(&texts, &Packages::default()).map_err(|error| error.to_string())
    }

    #[test]
    fn addresses_and_networks_are_trusted() {
        let all = read_all(&[
            "message-summary: from=192.0.2.7, 198.51.100.0/25 ,2001:db8::/33",
            "presence:from=0.0.0.0/0",
            " message-summary : from = [2001:db9::1]",
        ])
        .unwrap();
        let [mwi, presence] = &all[..] else { panic!("{all:?}") };
        assert_eq!((mwi.package, presence.package), (package::MESSAGE_SUMMARY.number, package::PRESENCE.number));
        for (address, is_trusted) in [
            ("192.0.2.7", true),
            ("::ffff:192.0.2.7", true),
            ("192.0.2.6", false),
            ("198.51.100.127", true),
            ("198.51.100.128", false),
            ("2001:db8:7fff::1", true),
            ("2001:db8:8000::1", false),
            ("2001:db9::1", true),
            ("2001:db9::2", false),
        ] {
            assert_eq!(mwi.trusts(address.parse().unwrap()), is_trusted, "{address}");
        }
        assert!(presence.trusts("203.0.113.9".parse().unwrap()) && !presence.trusts("::1".parse().unwrap()));
    }

    #[test]
    fn states_may_be_published() {
        let lives = |text| read_all(&[text]).unwrap()[0].publish.map(|(package, lives)| (package, lives.as_secs()));
        assert_eq!(lives("presence: from=::1"), None);
        assert_eq!(lives("presence: from=::1; publish"), Some((PublishedPackage::Presence, 86_400)));
        assert_eq!(lives("dialog:publish = 60;from=::1;"), Some((PublishedPackage::Dialog, 60)));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, part, wanted) in [
            ("message-summary", "\"message-summary\" is wrong", "it must be \"package: from="),
            ("nonsense: from=192.0.2.7", "\"nonsense\" is wrong", "the package must be one of presence"),
            ("presence: 192.0.2.7", "\"192.0.2.7\" is wrong", "it must be \"package: from="),
            ("presence: to=192.0.2.7", "\"to=192.0.2.7\" is wrong", "it must be \"package: from="),
            ("presence: from=", "\"\" is wrong", "it must be an address"),
            ("presence: from=192.0.2.7,", "\"\" is wrong", "it must be an address"),
            ("presence: from=example.org", "\"example.org\" is wrong", "it must be an address"),
            ("presence: from=192.0.2.0/33", "\"192.0.2.0/33\" is wrong", "a network such as"),
            ("presence: from=192.0.2.0/+8", "\"192.0.2.0/+8\" is wrong", "a network such as"),
            ("presence: from=2001:db8::/129", "\"2001:db8::/129\" is wrong", "a network such as"),
            ("presence: publish", "\"publish\" is wrong", "it must be \"package: from="),
            ("presence: from=::1; from=::2", "\"from=::2\" is wrong", "it must be \"package: from="),
            ("presence: from=::1; publish=59", "\"publish=59\" is wrong", "publish must be 60 to 315360000 seconds"),
            ("presence: from=::1; publish=", "\"publish=\" is wrong", "publish must be 60 to"),
            ("reg: publish; from=::1", "\"publish\" is wrong", "only the packages presence, dialog"),
        ] {
            let error = read_all(&[text]).expect_err(text);
            for part in ["modparam unsolicited is ", part, wanted] {
                assert!(error.contains(part), "{part} is not in {error}");
            }
        }
    }
}
