//! Conditions for a subscription to be shown or ended.

use memchr::memmem;

use super::answer::{Fault, lossy};
use super::parameters::split;
use crate::engine::{Destination, Engine, Owner};
use crate::host::shm::Shm;
use crate::subscription::{PackageNumber, State, Status, Subscription};
use crate::surface::subscriptions::known_package;

/// The keys of filters.
const KEYS: [&str; 8] = ["record", "subscriber", "package", "state", "status", "domain", "destination", "failing"];

/// What a text must be; a star at its end or beginning stands for anything.
enum TextPattern<'c> {
    Is(&'c [u8]),
    Begins(&'c [u8]),
    Ends(&'c [u8]),
    Holds(&'c [u8]),
}

impl<'c> TextPattern<'c> {
    fn read(text: &'c [u8]) -> Self {
        match (text.strip_prefix(b"*"), text.strip_suffix(b"*")) {
            (Some(rest), Some(_)) => Self::Holds(rest.strip_suffix(b"*").unwrap_or_default()),
            (Some(end), None) => Self::Ends(end),
            (None, Some(begin)) => Self::Begins(begin),
            (None, None) => Self::Is(text),
        }
    }

    fn suits(&self, text: &[u8]) -> bool {
        match self {
            Self::Is(whole) => text == *whole,
            Self::Begins(begin) => text.starts_with(begin),
            Self::Ends(end) => text.ends_with(end),
            Self::Holds(part) => memmem::find(text, part).is_some(),
        }
    }
}

/// One condition.
enum RowFilter<'c> {
    Record(TextPattern<'c>),
    Subscriber(TextPattern<'c>),
    Package(PackageNumber),
    State(&'static str),
    Status(&'static str),
    Domain(&'c [u8]),
    Destination(Destination),
    Failing(bool),
}

impl<'c> RowFilter<'c> {
    /// Reads a name and a value.
    fn read(engine: &Engine, text: &'c [u8]) -> Result<Self, Fault> {
        let (name, value) = split(text);
        let known = KEYS.into_iter().find(|key| key.as_bytes() == name);
        let Some((key, value)) = known.zip(value.filter(|value| !value.is_empty())) else {
            let text = match known {
                Some(key) => format!("the filter {key} has no value: write {key}= and what the {key} must be"),
                None => {
                    let [others @ .., last] = KEYS;
                    let others = others.map(|key| format!("{key}=")).join(", ");
                    format!("\"{}\" is no filter: it must be {others} or {last}=", lossy(text))
                }
            };
            return Err(Fault(400, text));
        };
        Ok(match key {
            "record" => Self::Record(TextPattern::read(value)),
            "subscriber" => Self::Subscriber(TextPattern::read(value)),
            "package" => Self::Package(known_package(engine, value)?.number),
            "state" => Self::State(one_of("state", value, &State::names())?),
            "status" => Self::Status(one_of("status", value, &Status::NAMES)?),
            "domain" => Self::Domain(value),
            "destination" => Self::Destination(engine.gate.find(value).ok_or_else(|| unknown_destination(value))?),
            _ => Self::Failing(one_of("failing", value, &["0", "1"])? == "1"),
        })
    }

    fn suits(&self, subscription: &Subscription<Shm>, owner: &Owner) -> bool {
        match self {
            Self::Record(record) => record.suits(subscription.record()),
            Self::Subscriber(subscriber) => subscriber.suits(subscription.subscriber()),
            Self::Package(package) => subscription.package() == *package,
            Self::State(state) => subscription.state().name() == *state,
            Self::Status(status) => subscription.status().map_or(Status::NONE, Status::name) == *status,
            Self::Domain(domain) => subscription.record_host().is_some_and(|host| host.eq_ignore_ascii_case(domain)),
            Self::Destination(destination) => owner.sent_to.is(*destination),
            Self::Failing(failing) => subscription.standing().is_failing() == *failing,
        }
    }
}

/// The one of these names that is the value.
pub(super) fn one_of(what: &str, value: &[u8], names: &[&'static str]) -> Result<&'static str, Fault> {
    let found = names.iter().copied().find(|name| name.as_bytes() == value);
    found.ok_or_else(|| Fault(400, format!("\"{}\" is no {what}: {}", lossy(value), names.join(", "))))
}

/// The fault for a destination that there is no entry of.
pub(super) fn unknown_destination(address: &[u8]) -> Fault {
    let text = "is not known: presence_b2b.destinations lists the known ones";
    Fault(404, format!("the destination \"{}\" {text}", lossy(address)))
}

/// Conditions that are all to be met.
#[derive(Default)]
pub(super) struct RowFilters<'c>(Vec<RowFilter<'c>>);

impl<'c> RowFilters<'c> {
    /// Adds the condition that a text names.
    pub(super) fn add(&mut self, engine: &Engine, text: &'c [u8]) -> Result<(), Fault> {
        self.0.push(RowFilter::read(engine, text)?);
        Ok(())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The one record whose subscriptions can meet them, if there is only one.
    pub(super) fn record(&self) -> Option<&'c [u8]> {
        self.0.iter().find_map(|filter| match filter {
            RowFilter::Record(TextPattern::Is(record)) => Some(*record),
            _ => None,
        })
    }

    /// Whether a subscription meets them.
    pub(super) fn suit(&self, subscription: &Subscription<Shm>, owner: &Owner) -> bool {
        self.0.iter().all(|filter| filter.suits(subscription, owner))
    }
}

#[cfg(test)]
mod tests {
    use super::TextPattern;

    #[test]
    fn a_star_at_an_end_stands_for_anything() {
        let text = b"sip:*97@example.com";
        for (pattern, suits) in [
            ("sip:*97@example.com", true),
            ("sip:*97@example.co", false),
            ("sip:*97*", true),
            ("sip:98*", false),
            ("*@example.com", true),
            ("*@example.org", false),
            ("*97@ex*", true),
            ("*98@ex*", false),
            ("*", true),
            ("**", true),
            ("sip:9*7@example.com", false),
        ] {
            assert_eq!(TextPattern::read(pattern.as_bytes()).suits(text), suits, "{pattern}");
        }
    }
}
