//! The options of one subscription, given when it is made: a text of SIP parameters (RFC 3261 §25.1, generic-param).

mod difference;
mod header;
mod publish;

use std::borrow::Cow;

use self::publish::{A_USER, PUBLISH, PUBLISH_AS};
use super::near::nearest;
use super::rates::{Rate, Rates};
use crate::grammar::{PeerUri, is_token, number, quoted, split_unquoted, unescaped};
use crate::memory::{Defect, found};

pub use header::WRITTEN as WRITTEN_HEADERS;
pub use publish::PublishAs;

/// The longest time an option may name: ten years.
const LONGEST: u32 = 315_360_000;

/// How long a fetch waits unless told, in seconds: as Timer N (RFC 6665 §4.1.2.4).
const FETCH: u32 = 32;

/// The longest that a fetch may wait, in seconds.
const LONGEST_FETCH: u32 = 3600;

/// Every option there is.
const NAMES: [&str; 17] = [
    "id",
    "expires",
    "fetch",
    "share",
    "max-rate",
    "min-rate",
    "adaptive-min-rate",
    "filter",
    HEADER,
    "outbound",
    "target",
    "list",
    "lenient",
    "keep",
    "merged",
    PUBLISH,
    PUBLISH_AS,
];

/// The option that may be given several times.
const HEADER: &str = "header";

/// The options of one subscription, checked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// `id`: parameter of the Event header (RFC 6665 §8.2.1), a part of the subscription's name; empty for none.
    pub id: String,
    /// `filter`: name of a filter document (RFC 4660); empty for none.
    pub filter: String,
    /// `header`: header lines for every SUBSCRIBE, each with its CRLF; empty for none.
    pub header: String,
    /// `outbound`: URI of the proxy that each SUBSCRIBE goes through; empty for none.
    pub outbound: String,
    /// `share`: one dialog for all subscriptions that ask for the same.
    pub share: bool,
    /// `publish` and `publish_as`: the state becomes that of a user of the presence server.
    pub publish: Option<PublishAs>,
    /// The part that the subscription keeps.
    pub terms: Terms,
}

/// The options that decide on the life of a subscription. The default is those of a subscription without options.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// `expires`: seconds asked for in place of `default_expiration`, 1 to 315360000.
    pub expires: Option<u32>,
    /// `fetch`: the state is asked for once (RFC 6665 §4.4.3), and awaited for so many seconds, 1 to 3600.
    pub fetch: Option<u32>,
    /// `max-rate`, `min-rate` and `adaptive-min-rate` (RFC 6446).
    pub rates: Rates,
    /// `target`: requests in a dialog go to where its NOTIFYs come from.
    pub follows_source: bool,
    /// `list`: the record may be a list of resources (RFC 4662).
    pub list: bool,
    /// `lenient`: faults of notifiers are borne that break no rule of security.
    pub lenient: bool,
    /// The filter document: a number its owner understands. It means nothing here.
    pub filter: Option<u16>,
    /// `keep`: its newest state is kept at hand.
    pub keep: bool,
    /// `merged`: the subscriber gets the whole state in the place of documents that tell only what has changed; implies `keep`.
    pub merged: bool,
}

impl Terms {
    /// Those of a subscription without options.
    #[cfg(test)]
    pub const NONE: Self = Self {
        expires: None,
        fetch: None,
        rates: Rates::NONE,
        follows_source: false,
        list: false,
        lenient: false,
        filter: None,
        keep: false,
        merged: false,
    };
}

impl Terms {
    /// Refuses terms that contradict each other.
    fn consistent(&self) -> Result<(), OptionError> {
        if let Self { expires: Some(seconds), fetch: Some(_), .. } = self {
            let wanted = "omitted if option fetch is given".into();
            return Err(OptionError::Value { name: "expires", value: seconds.to_string(), wanted });
        }
        let Some(max) = self.rates.max else { return Ok(()) };
        match self.rates.parameters().find(|(_, rate)| *rate > max) {
            Some((name, rate)) => {
                Err(OptionError::Value { name, value: rate.to_string(), wanted: "no more than option max-rate".into() })
            }
            None => Ok(()),
        }
    }
}

/// The fault of a text of options.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OptionError {
    /// No such option.
    #[error("unknown option \"{name}\": {}", meant(name))]
    Unknown {
        /// The name that was given.
        name: String,
    },
    /// An option that is given more than once.
    #[error("option {name} is given again, as \"{value}\", but may be given once")]
    Repeated {
        /// Its name.
        name: &'static str,
        /// The later value.
        value: String,
    },
    /// A value that is not what it must be.
    #[error("option {name} is \"{value}\", but must be {wanted}")]
    Value {
        /// Name of the option.
        name: &'static str,
        /// The value that was given.
        value: String,
        /// A correct value.
        wanted: Cow<'static, str>,
    },
}

const A_RATE: &str = "notifications per second, more than 0 and less than 100, with at most 10 decimals, such as 0.5";

/// The target that is no Contact.
const SOURCE: &str = "source";

const A_TOKEN: &str = "a token: 1 to 256 letters, digits and any of - . ! % * _ + ` ' ~";

const A_PROXY: &str =
    "a SIP URI, such as \"sip:proxy.example.com;transport=tcp\"; a transport is one of udp, tcp, tls, sctp, ws, wss";

/// The most bytes of a token.
const MOST_TOKEN: usize = 256;

impl Options {
    /// Reads `name=value;name=value`: names in any case, values also as quoted strings, white space around both; an
    /// empty text is no options.
    ///
    /// # Errors
    /// The first option that is unknown, given twice or malformed, with its value and what is allowed.
    pub fn parse(text: &[u8]) -> Result<Self, OptionError> {
        let mut options = Self::default();
        let mut given = Vec::new();
        let mut rest = Some(text).filter(|text| !text.trim_ascii().is_empty());
        while let Some(params) = rest {
            let (param, after) = split_unquoted(params, b';');
            let (name, value) = named(param)?;
            if given.contains(&name) && name != HEADER {
                return Err(OptionError::Repeated { name, value: shown(value.as_deref().unwrap_or_default()) });
            }
            given.push(name);
            options.take(name, value.as_deref())?;
            rest = after;
        }
        if options.share && options.terms.fetch.is_some() {
            return Err(OptionError::Value {
                name: "share",
                value: String::new(),
                wanted: "omitted if option fetch is given".into(),
            });
        }
        options.publishes_alone()?;
        options.terms.consistent()?;
        Ok(options)
    }

    /// The id in options that the module has written.
    #[must_use]
    pub fn id_in(written: &[u8]) -> String {
        Self::parse(written).map_or_else(|_| found(Defect::Options), |options| options.id)
    }

    /// Finds the filter document among those with these names.
    ///
    /// # Errors
    /// When none of them has the name.
    pub fn find_filter<'a>(&mut self, names: impl Iterator<Item = &'a str> + Clone) -> Result<(), OptionError> {
        if self.filter.is_empty() {
            return Ok(());
        }
        let place = names.clone().position(|name| name == self.filter);
        self.terms.filter = place.and_then(|place| u16::try_from(place).ok());
        if self.terms.filter.is_some() {
            return Ok(());
        }
        let known = names.collect::<Vec<_>>().join(", ");
        let known = if known.is_empty() { "none".to_owned() } else { known };
        let wanted = format!("the name of a modparam filter: known are {known}").into();
        Err(OptionError::Value { name: "filter", value: self.filter.clone(), wanted })
    }

    fn take(&mut self, name: &'static str, given: Option<&[u8]>) -> Result<(), OptionError> {
        let value = given.unwrap_or_default();
        let wrong = |wanted: &'static str| OptionError::Value { name, value: shown(value), wanted: wanted.into() };
        match name {
            "id" => self.id = token(value).ok_or_else(|| wrong(A_TOKEN))?,
            "filter" => self.filter = token(value).ok_or_else(|| wrong(A_TOKEN))?,
            HEADER => {
                let wrong = |wanted: String| OptionError::Value { name, value: shown(value), wanted: wanted.into() };
                header::add(&mut self.header, value).map_err(wrong)?;
            }
            "outbound" => self.outbound = proxy(value).ok_or_else(|| wrong(A_PROXY))?,
            "target" => {
                let is = |word: &str| value.eq_ignore_ascii_case(word.as_bytes());
                let known = is(SOURCE) || is("contact");
                self.terms.follows_source = known.then(|| is(SOURCE)).ok_or_else(|| wrong("contact or source"))?;
            }
            "share" | "list" | "lenient" | "keep" | "merged" | PUBLISH if given.is_some() => {
                return Err(wrong("without a value"));
            }
            "list" => self.terms.list = true,
            "lenient" => self.terms.lenient = true,
            "share" => self.share = true,
            "keep" => self.terms.keep = true,
            "merged" => self.terms.merged = true,
            PUBLISH => self.publish = self.publish.take().or(Some(PublishAs::Record)),
            PUBLISH_AS => self.publish = Some(PublishAs::read(value).ok_or_else(|| wrong(A_USER))?),
            "fetch" => {
                let seconds = given.map_or(Some(FETCH), |value| number_within(value, 1, LONGEST_FETCH));
                self.terms.fetch = Some(seconds.ok_or_else(|| wrong("1 to 3600 seconds, or without a value"))?);
            }
            "max-rate" | "min-rate" | "adaptive-min-rate" => {
                let rate = Rate::parse(value).ok_or_else(|| wrong(A_RATE))?;
                let Rates { max, min, adaptive_min } = &mut self.terms.rates;
                let place = match name {
                    "max-rate" => max,
                    "min-rate" => min,
                    _ => adaptive_min,
                };
                *place = Some(rate);
            }
            _ => {
                let seconds = number_within(value, 1, LONGEST).ok_or_else(|| wrong("1 to 315360000 seconds"))?;
                self.terms.expires = Some(seconds);
            }
        }
        Ok(())
    }
}

/// The same options as text that [`Options::parse`] reads.
impl std::fmt::Display for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The filter is known by its name.
        let Terms { expires, fetch, rates, follows_source, list, lenient, filter: _, keep, merged } = self.terms;
        let named = |name: &str, value: &String| (!value.is_empty()).then(|| format!("{name}={value}"));
        let (id, filter) = (named("id", &self.id), named("filter", &self.filter));
        let times = [("expires", expires), ("fetch", fetch)];
        let times = times.into_iter().filter_map(|(name, seconds)| Some(format!("{name}={}", seconds?)));
        let rates = rates.parameters().map(|(name, rate)| format!("{name}={rate}"));
        let header = header::as_options(&self.header);
        let outbound = (!self.outbound.is_empty()).then(|| format!("outbound={}", in_quotes(&self.outbound)));
        let target = follows_source.then(|| format!("target={SOURCE}"));
        let texts = id.into_iter().chain(times).chain(rates).chain(filter).chain(header).chain(outbound);
        let publish = self.publish.as_ref().map(PublishAs::to_string);
        let flags = [("list", list), ("lenient", lenient), ("keep", keep), ("merged", merged), ("share", self.share)];
        let flags = flags.into_iter().filter(|(_, is_set)| *is_set).map(|(name, _)| name.to_owned());
        let all = texts.chain(target).chain(flags).chain(publish);
        f.write_str(&all.collect::<Vec<_>>().join(";"))
    }
}

/// A text as a quoted string.
fn in_quotes(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// Parameters of a SIP URI that look like options if the URI has no quotes.
const URI_PARAMETERS: [&str; 6] = ["transport", "lr", "maddr", "user", "ttl", "method"];

/// The known name that was perhaps meant, or else all of them.
fn meant(name: &str) -> String {
    // What remains of a URI whose value ended at its semicolon.
    if URI_PARAMETERS.iter().any(|known| known.eq_ignore_ascii_case(name)) {
        return format!("put a value with semicolons in double quotes; known are {}", NAMES.join(", "));
    }
    match nearest(name, NAMES) {
        Some(known) => format!("did you mean {known}?"),
        None => format!("known are {}", NAMES.join(", ")),
    }
}

/// Name and value of one parameter; without an equals sign there is no value.
fn named(param: &[u8]) -> Result<(&'static str, Option<Vec<u8>>), OptionError> {
    let equals = param.iter().position(|byte| *byte == b'=').unwrap_or(param.len());
    let (name, value) = param.split_at_checked(equals).unwrap_or((param, &[]));
    let name = name.trim_ascii();
    let known = NAMES.into_iter().find(|known| known.as_bytes().eq_ignore_ascii_case(name));
    let known = known.ok_or_else(|| OptionError::Unknown { name: shown(name) })?;
    Ok((known, value.strip_prefix(b"=").map(|value| said(value.trim_ascii()))))
}

/// The value of a quoted string; any other text unchanged.
fn said(text: &[u8]) -> Vec<u8> {
    quoted(text).and_then(unescaped).unwrap_or_else(|| text.to_vec())
}

fn token(value: &[u8]) -> Option<String> {
    let fits = value.len() <= MOST_TOKEN && is_token(value);
    String::from_utf8(value.to_vec()).ok().filter(|_| fits)
}

/// A URI that a request can be sent to.
fn proxy(value: &[u8]) -> Option<String> {
    let uri = PeerUri::judge(value)?;
    String::from_utf8(uri.text().to_vec()).ok()
}

/// Digits and nothing else, within the range.
fn number_within(value: &[u8], least: u32, most: u32) -> Option<u32> {
    number(value).filter(|number| (least..=most).contains(number))
}

/// A text for a message of one line.
fn shown(text: &[u8]) -> String {
    String::from_utf8_lossy(text).chars().take(64).flat_map(char::escape_debug).collect()
}
