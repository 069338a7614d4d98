//! Every parameter: name, type, unit, default, range.
#![forbid(unsafe_code)]

mod filter;
mod headers;
mod package_policy;

use crate::grammar::Transport;
pub use crate::subscription::{Concealed, Credential, CredentialError, DomainList, Domains, RealmName};
use crate::subscription::{Forking, MOST_PROXIES, Policy};
pub use filter::Filter;
use std::ffi::CStr;
use std::time::Duration;

/// The longest time a parameter may name: 68 years, what fits a signed 32-bit integer of seconds, is cut to ten.
const TEN_YEARS: i32 = 315_360_000;

/// Why the module does not start.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// An integer outside its range.
    #[error("modparam {name} is {value}, but must be {least} to {most}{unit}")]
    Range {
        /// Name of the parameter.
        name: &'static str,
        /// The value that was set.
        value: i32,
        /// Smallest value allowed.
        least: i32,
        /// Largest value allowed.
        most: i32,
        /// Its unit, after a space; empty for plain numbers.
        unit: &'static str,
    },
    /// The number of shards must be a power of two.
    #[error("modparam shards is {0}, but must be a power of two from 1 to 256")]
    Shards(i32),
    /// A text that is not what it must be.
    #[error("modparam {name} is \"{value}\", but must be {wanted}")]
    Text {
        /// Name of the parameter.
        name: &'static str,
        /// The value that was set.
        value: String,
        /// What is wanted instead.
        wanted: &'static str,
    },
    /// A filter that is none.
    #[error("modparam filter is \"{value}\", but {problem}")]
    Filter {
        /// The value that was set.
        value: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A policy of a package that is none.
    #[error("modparam package_policy is \"{value}\", but \"{part}\" is wrong: {wanted}")]
    PackagePolicy {
        /// The value that was set.
        value: String,
        /// What of it is wrong.
        part: String,
        /// What is wanted instead.
        wanted: String,
    },
    /// A credential that is none. It is not shown, because it holds a secret.
    #[error("modparam credential number {number} is malformed: {problem}")]
    Credential {
        /// Which of them, from 1 on.
        number: usize,
        /// What is wrong with it.
        problem: CredentialError,
    },
    /// A header that is written anyway.
    #[error(
        "modparam additional_presence_headers has a header {0}, which the module or the server writes itself: remove it"
    )]
    OwnHeader(String),
    /// A database without a table. Its URL is not shown, because it may hold a password.
    #[error(
        "modparam db_url is set, but credentials_table, the table to read from it, is not: set it, or remove db_url"
    )]
    NoTable,
    /// A table without a database.
    #[error("modparam credentials_table is \"{0}\", but db_url, the database it is in, is not set")]
    NoDatabase(String),
}

/// An integer parameter.
#[derive(Clone, Copy, Debug)]
pub struct IntegerParameter {
    /// Its name in `modparam`.
    pub name: &'static CStr,
    /// Its value unless set.
    pub default: i32,
    /// Smallest value allowed.
    pub least: i32,
    /// Largest value allowed.
    pub most: i32,
    /// Its unit, after a space; empty for plain numbers.
    pub unit: &'static str,
}

impl IntegerParameter {
    fn name(&self) -> &'static str {
        self.name.to_str().unwrap_or_default()
    }

    fn allows(&self, value: i32) -> bool {
        (self.least..=self.most).contains(&value)
    }
}

const fn seconds(name: &'static CStr, default: i32, least: i32, most: i32) -> IntegerParameter {
    IntegerParameter { name, default, least, most, unit: " seconds" }
}

const fn number(name: &'static CStr, default: i32, least: i32, most: i32) -> IntegerParameter {
    IntegerParameter { name, default, least, most, unit: "" }
}

const fn bytes(name: &'static CStr, default: i32, least: i32, most: i32) -> IntegerParameter {
    IntegerParameter { name, default, least, most, unit: " bytes" }
}

const fn megabytes(name: &'static CStr, default: i32, least: i32, most: i32) -> IntegerParameter {
    IntegerParameter { name, default, least, most, unit: " megabytes" }
}

const fn percent(name: &'static CStr, default: i32, least: i32, most: i32) -> IntegerParameter {
    IntegerParameter { name, default, least, most, unit: " percent" }
}

/// All integer parameters, in the order of [`Integers`].
pub const INTEGERS: &[IntegerParameter] = &[
    seconds(c"default_expiration", 3600, 1, TEN_YEARS),
    seconds(c"on_error_retry_time", 120, 1, TEN_YEARS),
    seconds(c"wait_for_term_notify", 30, 0, TEN_YEARS),
    seconds(c"resubscribe_delta", 30, 0, TEN_YEARS),
    seconds(c"min_resubscribe_time", 30, 0, TEN_YEARS),
    number(c"handle_presence_subscriptions", 1, i32::MIN, i32::MAX),
    seconds(c"max_subscribe_delay", 0, 0, TEN_YEARS),
    number(c"workers", 2, 1, 64),
    number(c"resolvers", 2, 2, 64),
    number(c"max_subscriptions", 0, 0, MOST_SUBSCRIPTIONS),
    seconds(c"failure_backoff_max", 3600, 1, TEN_YEARS),
    number(c"shards", 64, 1, 256),
    number(c"queue_limit", 10_000, 1, 1_000_000),
    percent(c"refresh_jitter", 10, 0, 50),
    number(c"timer_n_on_refresh", 0, 0, 1),
    number(c"stateless_answers", 1, 0, 1),
    number(c"check_bodies", 1, 0, 1),
    number(c"refresh_on_flow_loss", 1, 0, 1),
    number(c"auth_require_qop", 0, 0, 1),
    number(c"auth_allow_md5", 1, 0, 1),
    number(c"destination_rate", 1000, 0, 1_000_000),
    number(c"total_rate", 5000, 0, 1_000_000),
    number(c"breaker_failures", 10, 0, 1_000_000),
    seconds(c"breaker_time", 30, 1, TEN_YEARS),
    seconds(c"destination_hold_max", 300, 1, 86_400),
    bytes(c"queue_bytes", 8_388_608, 524_288, i32::MAX),
    bytes(c"subscription_queue_bytes", 1_048_576, 4096, i32::MAX),
    bytes(c"fork_bytes", 32_768, 8192, 1_048_576),
    megabytes(c"max_memory", 0, 0, 1_048_576),
];

/// What an id can name (see [`crate::registry::Handle::id`]).
const MOST_SUBSCRIPTIONS: i32 = (1 << 22) - 1;

/// The values of [`INTEGERS`] as they were set, in the same order.
pub type Integers = [i32; INTEGERS.len()];

/// Parameters as they stand in the configuration file, not yet checked.
#[derive(Clone, Debug, Default)]
pub struct Raw {
    /// Values of [`INTEGERS`].
    pub integers: Integers,
    /// `presence_route`: Route header put into SUBSCRIBEs that open a dialog; empty for none.
    pub presence_route: String,
    /// `additional_presence_headers`: whole header lines put into every SUBSCRIBE; empty for none.
    pub additional_presence_headers: String,
    /// `presence_outbound_proxy`: URIs where all SUBSCRIBEs are sent, the first one if possible; empty for none.
    pub presence_outbound_proxy: String,
    /// `event_callback`: name of the KEMI function for QSA messages; empty for the native event route.
    pub event_callback: String,
    /// `filter`, as often as it was set: `name=/path`.
    pub filters: Vec<String>,
    /// `package_policy`, as often as it was set: `package: key=value; …`.
    pub package_policies: Vec<String>,
    /// `forking`: package, first or all; empty for package.
    pub forking: String,
    /// `credential`, as often as it was set: `username:realm:password`.
    pub credentials: Vec<Concealed<Vec<u8>>>,
    /// `credential_domain`, as often as it was set: `realm=domain,domain`.
    pub credential_domains: Vec<String>,
    /// `db_url`: the database; may hold a password.
    pub db_url: Concealed<String>,
    /// `credentials_table`: name of the table with more credentials; empty for none.
    pub credentials_table: String,
}

/// Checked parameters.
#[derive(Clone, Debug)]
pub struct Config {
    /// What the life of a subscription depends on.
    pub policy: Policy,
    /// Whether the SIP user agent answers internal subscriptions (`handle_presence_subscriptions`).
    pub handle_presence_subscriptions: bool,
    /// b2b worker processes.
    pub workers: u16,
    /// Processes that look up names and make connections.
    pub resolvers: u16,
    /// Most subscriptions at a time; 0 = as many as the memory holds.
    pub max_subscriptions: u32,
    /// Shards of the registry.
    pub shards: usize,
    /// Most messages waiting for the event route, for each worker.
    pub queue_limit: u32,
    /// Most bytes of messages waiting in one queue.
    pub queue_bytes: usize,
    /// Most bytes of messages of one subscription waiting in its queue.
    pub subscription_queue_bytes: usize,
    /// Most bytes of shared memory for the module; 0 = no limit.
    pub max_memory: usize,
    /// Whether a NOTIFY for which the script has made no transaction is answered without one.
    pub stateless_answers: bool,
    /// Whether a presence document is looked into before its NOTIFY is answered.
    pub check_bodies: bool,
    /// Whether the loss of its connection brings a subscription's refresh forward.
    pub refresh_on_flow_loss: bool,
    /// SUBSCRIBEs a second to one destination; 0 = unlimited.
    pub destination_rate: u32,
    /// SUBSCRIBEs a second to all; 0 = unlimited.
    pub total_rate: u32,
    /// Failures in a row after which a destination is left alone; 0 = never.
    pub breaker_failures: u32,
    /// For how long, the first time.
    pub breaker_time: Duration,
    /// The longest that a Retry-After holds a destination without a probe.
    pub destination_hold_max: Duration,
    /// See [`Raw::presence_route`].
    pub presence_route: String,
    /// See [`Raw::additional_presence_headers`]; empty or ending in CRLF.
    pub additional_presence_headers: String,
    /// Body types that the Accept lines of `additional_presence_headers` invite beside those of the package.
    pub invited_types: Vec<String>,
    /// Option tags that its Supported lines name.
    pub supported_tags: Vec<String>,
    /// See [`Raw::presence_outbound_proxy`].
    pub presence_outbound_proxies: Vec<String>,
    /// See [`Raw::event_callback`].
    pub event_callback: String,
    /// User names and secrets for realms, [sorted](Credential::sort).
    pub credentials: Vec<Credential>,
    /// The domains of the credentials of a realm, where they are not those of the record.
    pub credential_domains: Vec<(RealmName, Domains)>,
    /// Filter documents; subscriptions know them by their place here.
    pub filters: Vec<Filter>,
    /// See [`Raw::db_url`].
    pub db_url: Concealed<String>,
    /// See [`Raw::credentials_table`].
    pub credentials_table: String,
}

/// Syntax only the host can judge.
pub trait Syntax {
    /// Whether this is a SIP or SIPS URI.
    fn is_sip_uri(&self, text: &str) -> bool;
    /// Whether this is the value of a Route header: a list of name-addrs.
    fn is_route(&self, text: &str) -> bool;
}

impl Config {
    /// Checks every parameter.
    ///
    /// # Errors
    /// The first parameter that is out of range or malformed, with its name, value and what is allowed.
    pub fn check(raw: Raw, syntax: &impl Syntax) -> Result<Self, ConfigError> {
        for (parameter, &value) in INTEGERS.iter().zip(&raw.integers) {
            if !parameter.allows(value) {
                let IntegerParameter { least, most, unit, .. } = *parameter;
                let name = parameter.name();
                return Err(ConfigError::Range { name, value, least, most, unit });
            }
        }
        let value = |name: &str| integer(&raw.integers, name);
        if !value("shards").unsigned_abs().is_power_of_two() {
            return Err(ConfigError::Shards(value("shards")));
        }
        let is_route = syntax.is_route(&raw.presence_route) && transports_exist(&raw.presence_route);
        if !raw.presence_route.is_empty() && !is_route {
            return Err(ConfigError::Text {
                name: "presence_route",
                value: raw.presence_route,
                wanted: "the value of a Route header, such as <sip:proxy.example.com;lr>",
            });
        }
        let proxies: Vec<String> = raw.presence_outbound_proxy.split_ascii_whitespace().map(str::to_owned).collect();
        let is_reached = |proxy: &String| syntax.is_sip_uri(proxy) && transports_exist(proxy);
        if proxies.len() > usize::from(MOST_PROXIES) || !proxies.iter().all(is_reached) {
            return Err(ConfigError::Text {
                name: "presence_outbound_proxy",
                value: raw.presence_outbound_proxy,
                wanted: "a SIP URI, such as sip:proxy.example.com;transport=tcp, or up to 8 with white space between them; \
                         a transport is one of udp, tcp, tls, sctp, ws, wss",
            });
        }
        let forking = forking(raw.forking)?;
        let count = u8::try_from(proxies.len()).unwrap_or(MOST_PROXIES);
        let mut packages = package_policy::read(&raw.package_policies, &raw.integers, forking)?;
        packages.iter_mut().for_each(|(_, own)| own.proxies = count);
        let additional_presence_headers = headers::header_lines(raw.additional_presence_headers)?;
        let credentials = raw.credentials.iter().zip(1..);
        let mut credentials = credentials
            .map(|(text, number)| {
                Credential::parse(&text.0).map_err(|problem| ConfigError::Credential { number, problem })
            })
            .collect::<Result<Vec<_>, _>>()?;
        Credential::sort(&mut credentials);
        let credential_domains = credential_domains(raw.credential_domains, &proxies)?;
        set_domains(&mut credentials, &credential_domains);
        if !raw.credentials_table.is_empty() && raw.db_url.0.is_empty() {
            return Err(ConfigError::NoDatabase(raw.credentials_table));
        }
        if raw.credentials_table.is_empty() && !raw.db_url.0.is_empty() {
            return Err(ConfigError::NoTable);
        }
        Ok(Self {
            policy: Policy { packages, forking, proxies: count, ..policy(&raw.integers) },
            handle_presence_subscriptions: value("handle_presence_subscriptions") != 0,
            workers: u16::try_from(value("workers")).unwrap_or(1),
            resolvers: u16::try_from(value("resolvers")).unwrap_or(2),
            max_subscriptions: value("max_subscriptions").unsigned_abs(),
            shards: value("shards").unsigned_abs() as usize,
            queue_limit: value("queue_limit").unsigned_abs(),
            queue_bytes: value("queue_bytes").unsigned_abs() as usize,
            subscription_queue_bytes: value("subscription_queue_bytes").unsigned_abs() as usize,
            max_memory: (value("max_memory").unsigned_abs() as usize) << 20,
            stateless_answers: value("stateless_answers") != 0,
            check_bodies: value("check_bodies") != 0,
            refresh_on_flow_loss: value("refresh_on_flow_loss") != 0,
            destination_rate: value("destination_rate").unsigned_abs(),
            total_rate: value("total_rate").unsigned_abs(),
            breaker_failures: value("breaker_failures").unsigned_abs(),
            breaker_time: duration(value("breaker_time")),
            destination_hold_max: duration(value("destination_hold_max")),
            invited_types: headers::invited_types(&additional_presence_headers),
            supported_tags: headers::listed(&additional_presence_headers, &["Supported", "k"]).collect(),
            additional_presence_headers,
            presence_route: raw.presence_route,
            presence_outbound_proxies: proxies,
            event_callback: raw.event_callback,
            credentials,
            credential_domains,
            filters: filter::read(&raw.filters)?,
            db_url: raw.db_url,
            credentials_table: raw.credentials_table,
        })
    }
}

/// The policy that these integers, which are in their ranges, make.
fn policy(values: &Integers) -> Policy {
    let value = |name: &str| integer(values, name);
    let time = |name: &str| duration(value(name));
    Policy {
        default_expiration: time("default_expiration"),
        on_error_retry_time: time("on_error_retry_time"),
        // A first retry later than the cap is the operator's word too: configurations older than the cap stay valid.
        failure_backoff_max: time("failure_backoff_max").max(time("on_error_retry_time")),
        wait_for_term_notify: time("wait_for_term_notify"),
        resubscribe_delta: time("resubscribe_delta"),
        min_resubscribe_time: time("min_resubscribe_time"),
        refresh_jitter: u8::try_from(value("refresh_jitter")).unwrap_or(0),
        max_subscribe_delay: time("max_subscribe_delay"),
        timer_n: TIMER_N,
        timer_n_on_refresh: value("timer_n_on_refresh") != 0,
        timer_n_on_first: true,
        keep_route_set: false,
        fork_bytes: value("fork_bytes").unsigned_abs() as usize,
        require_qop: value("auth_require_qop") != 0,
        allow_md5: value("auth_allow_md5") != 0,
        watchdog: WATCHDOG,
        max_redirects: MAX_REDIRECTS,
        proxies: 0,
        overrides: Vec::new(),
        packages: Vec::new(),
        forking: Forking::default(),
    }
}

impl Config {
    /// Adds credentials that are kept elsewhere; those of parameters go before them.
    pub fn add_credentials(&mut self, more: Vec<Credential>) {
        self.credentials.extend(more);
        Credential::sort(&mut self.credentials);
        set_domains(&mut self.credentials, &self.credential_domains);
    }
}

/// Reads `credential_domain`: of each realm all that is said.
fn credential_domains(texts: Vec<String>, proxies: &[String]) -> Result<Vec<(RealmName, Domains)>, ConfigError> {
    let mut all: Vec<(RealmName, DomainList)> = Vec::new();
    for text in texts {
        let Some((realm, domains)) = Domains::parse(text.as_bytes()) else {
            return Err(ConfigError::Text {
                name: "credential_domain",
                value: text,
                wanted: "realm=domain,domain; the realm * stands for all without credentials of their own, the domain * for all",
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

fn set_domains(credentials: &mut [Credential], all: &[(RealmName, Domains)]) {
    for credential in credentials {
        if let Some((_, domains)) = all.iter().find(|(realm, _)| *realm == credential.realm) {
            credential.domains = domains.clone();
        }
    }
}

/// Timer N, 64 × T1 with RFC 3261's T1 of 500 ms (RFC 6665 §4.1.2.4).
const TIMER_N: Duration = Duration::from_secs(32);

/// tm gives up after its `fr_timer` (30 s unless set); later than this its word has been lost.
const WATCHDOG: Duration = Duration::from_secs(60);

/// Enough for every honest chain of servers, few enough to stop a circle.
const MAX_REDIRECTS: u8 = 5;

/// The value of an integer parameter; 0 for a name that is none's (a test reads the sources for such).
fn integer(values: &Integers, name: &str) -> i32 {
    let place = INTEGERS.iter().position(|parameter| parameter.name.to_bytes() == name.as_bytes());
    place.and_then(|place| values.get(place)).copied().unwrap_or(0)
}

fn forking(value: String) -> Result<Forking, ConfigError> {
    if value.is_empty() {
        return Ok(Forking::default());
    }
    Forking::parse(&value).ok_or(ConfigError::Text { name: "forking", value, wanted: "package, first or all" })
}

fn duration(seconds: i32) -> Duration {
    Duration::from_secs(u64::from(seconds.unsigned_abs()))
}

/// Whether each transport that a URI, or a list of them, names is one.
fn transports_exist(text: &str) -> bool {
    let parameters = text.split([';', '?', '>', ',', ' ', '\t']).map(|part| part.trim().to_ascii_lowercase());
    let named = parameters.filter_map(|part| part.strip_prefix("transport=").map(str::to_owned));
    named.into_iter().all(|transport| Transport::find(transport.as_bytes()).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Any;

    impl Syntax for Any {
        fn is_sip_uri(&self, text: &str) -> bool {
            text.starts_with("sip:")
        }

        fn is_route(&self, text: &str) -> bool {
            text.starts_with('<')
        }
    }

    fn defaults() -> Raw {
        Raw { integers: std::array::from_fn(|index| INTEGERS[index].default), ..Raw::default() }
    }

    fn set(raw: &mut Raw, name: &str, value: i32) {
        let place = INTEGERS.iter().position(|parameter| parameter.name.to_bytes() == name.as_bytes());
        raw.integers[place.expect("a parameter")] = value;
    }

    #[test]
    fn every_name_asked_for_is_a_parameter() {
        let source = include_str!("config.rs");
        for call in ["value(\"", "time(\""] {
            for name in source.split(call).skip(1).filter_map(|rest| rest.split('"').next()) {
                let known = INTEGERS.iter().any(|parameter| parameter.name.to_bytes() == name.as_bytes());
                assert!(known || name.is_empty() || name.contains('\\'), "{name} is no integer parameter");
            }
        }
    }

    #[test]
    fn defaults_are_accepted() {
        let config = Config::check(defaults(), &Any).expect("defaults");
        assert_eq!(config.policy.default_expiration, Duration::from_secs(3600));
        assert!(config.handle_presence_subscriptions);
        assert_eq!(config.shards, 64);
    }

    #[test]
    fn each_range_is_checked_at_both_ends_and_the_message_says_all() {
        for (index, parameter) in INTEGERS.iter().enumerate() {
            for outside in [parameter.least.checked_sub(1), parameter.most.checked_add(1)].into_iter().flatten() {
                let mut raw = defaults();
                raw.integers[index] = outside;
                let error = Config::check(raw, &Any).expect_err("out of range").to_string();
                let name = parameter.name.to_str().expect("a name");
                for part in [name, &outside.to_string(), &parameter.least.to_string(), &parameter.most.to_string()] {
                    assert!(error.contains(part), "{error} lacks {part}");
                }
            }
        }
    }

    #[test]
    fn shards_are_a_power_of_two() {
        let mut raw = defaults();
        set(&mut raw, "shards", 48);
        assert_eq!(Config::check(raw, &Any).expect_err("48"), ConfigError::Shards(48));
    }

    #[test]
    fn a_cap_below_the_first_retry_is_raised_to_it() {
        let mut raw = defaults();
        set(&mut raw, "on_error_retry_time", 7200);
        let config = Config::check(raw, &Any).expect("an old configuration");
        assert_eq!(config.policy.failure_backoff_max, Duration::from_secs(7200));
    }

    #[test]
    fn forking_is_one_of_three_words() {
        for (word, meant) in
            [("", Forking::Package), ("package", Forking::Package), ("first", Forking::First), ("all", Forking::All)]
        {
            let config = Config::check(Raw { forking: word.into(), ..defaults() }, &Any).expect(word);
            assert_eq!(config.policy.forking, meant);
        }
        let error = Config::check(Raw { forking: "All".into(), ..defaults() }, &Any).expect_err("All").to_string();
        assert_eq!(error, "modparam forking is \"All\", but must be package, first or all");
    }

    #[test]
    fn each_policy_knows_how_many_proxies_there_are() {
        for (proxies, count) in [("", 0), ("sip:a", 1), (" sip:a\tsip:b  sip:c", 3)] {
            let raw = Raw {
                presence_outbound_proxy: proxies.into(),
                package_policies: vec!["reg: default_expiration=60".into()],
                ..defaults()
            };
            let policy = Config::check(raw, &Any).expect(proxies).policy;
            let all: Vec<u8> = policy.packages.iter().map(|(_, own)| own.proxies).chain([policy.proxies]).collect();
            assert_eq!(all, [count; 2]);
        }
    }

    #[test]
    fn a_transport_must_be_one() {
        for (text, exists) in [
            ("sip:a", true),
            ("sip:a;transport=TCP;lr", true),
            ("sip:a;transport=foo", false),
            ("sip:a;lr;Transport=", false),
            ("<sip:a;lr>, <sip:b;transport=bar;lr>", false),
        ] {
            assert_eq!(transports_exist(text), exists, "{text}");
        }
    }

    #[test]
    fn a_database_without_a_table_is_a_mistake() {
        let raw = Raw { db_url: Concealed("mysql://a:secret@x/y".into()), ..defaults() };
        let error = Config::check(raw, &Any).expect_err("no table").to_string();
        assert!(error.contains("credentials_table") && !error.contains("secret"), "{error}");
    }
}
