//! NOTIFYs that nobody subscribed to: `package: from=address/bits, address`.

use std::net::IpAddr;

use super::ConfigError;
use super::package_policy::Wrong;
use crate::subscription::{PackageNumber, Packages};

/// The most addresses and networks of one package.
const MOST_SOURCES: usize = 256;

const FROM: &str = "from";

/// A package whose NOTIFYs are taken without a subscription, and from whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsolicited {
    /// The package.
    pub package: PackageNumber,
    from: Vec<Network>,
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
            Some(other) => other.from.extend(one.from),
            None => all.push(one),
        }
    }
    Ok(all)
}

fn describe<'t>(text: &'t str, known: &Packages) -> Result<Unsolicited, Wrong<'t>> {
    let (name, setting) = text.split_once(':').ok_or_else(|| (text, form()))?;
    let (name, setting) = (name.trim(), setting.trim());
    let unknown = || (name, format!("the package must be one of {}", known.names()));
    let package = known.find(name.as_bytes()).ok_or_else(unknown)?.number;
    let (key, list) = setting.split_once('=').ok_or_else(|| (setting, form()))?;
    if key.trim() != FROM {
        return Err((setting, form()));
    }
    let parse = |source: &'t str| {
        let source = source.trim();
        Network::parse(source)
            .ok_or_else(|| (source, "it must be an address, or a network such as 192.0.2.0/24".to_owned()))
    };
    let from = list.split(',').map(parse).collect::<Result<Vec<_>, _>>()?;
    if from.len() > MOST_SOURCES {
        return Err((list, format!("there may be {MOST_SOURCES} addresses and networks")));
    }
    Ok(Unsolicited { package, from })
}

fn form() -> String {
    format!(
        "it must be \"package: {FROM}=address, network/bits\", such as \"message-summary: {FROM}=192.0.2.7, 2001:db8::/32\""
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
        ] {
            let error = read_all(&[text]).expect_err(text);
            for part in ["modparam unsolicited is ", part, wanted] {
                assert!(error.contains(part), "{part} is not in {error}");
            }
        }
    }
}
