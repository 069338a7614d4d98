//! Every parameter: its declaration, and its value for the module.
#![forbid(unsafe_code)]

mod credentials;
mod error;
mod filter;
mod headers;
mod live;
mod local_domains;
mod next_hop;
mod package;
mod package_policy;
mod parameters;
mod policy;
mod publish;
mod store;
mod unsolicited;

use std::time::Duration;

use zeroize::{Zeroize, Zeroizing};

use crate::subscription::{Domains, Packages, Policy, RealmName};

pub use crate::subscription::{Concealed, Credential};
pub use error::ConfigError;
pub use filter::Filter;
pub use live::Live;
pub use local_domains::LocalDomains;
pub use parameters::{Integer, Integers, Lists, Texts};
pub use policy::PolicyTexts;
pub use publish::OutOfReach;
pub use store::OnShutdown;
pub use unsolicited::Unsolicited;

/// Parameters as they are in the configuration file, not yet checked.
#[derive(Clone)]
pub struct Raw {
    /// In the order of [`Integers::NAMES`].
    pub integers: [i32; Integers::COUNT],
    /// Those that are set once.
    pub texts: Texts,
    /// Those that can be set many times.
    pub lists: Lists,
}

impl Default for Raw {
    fn default() -> Self {
        let integers = Integers::FACTS.map(|integer| integer.default);
        Self { integers, texts: Texts::default(), lists: Lists::default() }
    }
}

/// Checked parameters. What can change while the server runs is in [`Live`].
#[derive(Clone, Debug)]
pub struct Config {
    /// The integers as they are at the start, in the order of [`Integers::NAMES`].
    pub integers: [i32; Integers::COUNT],
    /// The event packages.
    pub packages: Packages,
    /// The parameters that decide the life of a subscription, as they are at the start.
    pub policy: Policy,
    /// What the policy is made of again when a parameter changes.
    pub policy_texts: PolicyTexts,
    /// b2b worker processes.
    pub workers: u16,
    /// Processes that look up names and make connections.
    pub resolvers: u16,
    /// Shards of the registry.
    pub shards: usize,
    /// Whether the server can answer without a transaction (its module sl); [`Config::check`] takes it for granted.
    pub has_sl: bool,
    /// Whether the loss of its connection brings a subscription's refresh forward.
    pub refresh_on_flow_loss: bool,
    /// See [`Texts::presence_route`].
    pub presence_route: String,
    /// See [`Texts::additional_presence_headers`]; empty or ending in CRLF.
    pub additional_presence_headers: String,
    /// Body types that the Accept lines of `additional_presence_headers` invite beside those of the package.
    pub invited_types: Vec<String>,
    /// Option tags that its Supported lines name.
    pub supported_tags: Vec<String>,
    /// See [`Texts::presence_outbound_proxy`].
    pub presence_outbound_proxies: Vec<String>,
    /// See [`Texts::event_callback`].
    pub event_callback: String,
    /// User names and secrets for realms, those of the parameter `credential`.
    pub credentials: Vec<Credential>,
    /// The domains of the credentials of a realm, where they are not those of the record.
    pub credential_domains: Vec<(RealmName, Domains)>,
    /// Filter documents; subscriptions know them by their place here.
    pub filters: Vec<Filter>,
    /// The domains whose users are local.
    pub local_domains: LocalDomains,
    /// Packages whose NOTIFYs are taken without a subscription.
    pub unsolicited: Vec<Unsolicited>,
    /// See [`Texts::db_url`].
    pub db_url: Concealed<Zeroizing<String>>,
    /// See [`Texts::credentials_table`].
    pub credentials_table: String,
    /// See [`Texts::provision_table`].
    pub provision_table: String,
    /// Whether subscriptions are stored.
    pub stores: bool,
    /// Events of each subscription that are kept for operators; 0 = none.
    pub history: u32,
    /// Whether the RPC commands that change something are refused.
    pub rpc_read_only: bool,
    /// What becomes of the subscriptions when the server stops.
    pub on_shutdown: OnShutdown,
    /// What becomes of a published state while its notifier is out of reach, if the operator has said it.
    pub publish_out_of_reach: Option<OutOfReach>,
}

/// Syntax only the host can judge.
pub trait Syntax {
    /// Whether this is a SIP or SIPS URI.
    fn is_sip_uri(&self, text: &str) -> bool;
    /// Whether this is the value of a Route header: a list of name-addrs.
    fn is_route(&self, text: &str) -> bool;
}

impl Config {
    /// The default of `max_body`.
    pub const USUAL_BODY: usize = 262_144;

    /// Checks every parameter.
    ///
    /// # Errors
    /// The first parameter that is out of range or malformed, with its name, value and what is allowed.
    pub fn check(raw: Raw, syntax: &impl Syntax) -> Result<Self, ConfigError> {
        let Raw { integers: values, texts, mut lists } = raw;
        let integers = in_range(values)?;
        let presence_route = next_hop::route(texts.presence_route, syntax)?;
        let presence_outbound_proxies = next_hop::proxies(texts.presence_outbound_proxy, syntax)?;
        let packages = package::read(&as_texts(&lists.package))?;
        let proxies = presence_outbound_proxies.len();
        let policy_texts = PolicyTexts::read(texts.forking, &lists.package_policy, &packages, proxies)?;
        let additional_presence_headers = headers::header_lines(texts.additional_presence_headers)?;
        let credential_domains = credentials::domains(lists.credential_domain, &presence_outbound_proxies)?;
        let credentials = credentials::read(&lists.credential)?;
        lists.credential.zeroize();
        let tables = [("credentials_table", &texts.credentials_table), ("provision_table", &texts.provision_table)];
        let stores = integers.db_mode != 0;
        credentials::check_database(&texts.db_url, tables, stores)?;
        let unsolicited = unsolicited::read(&as_texts(&lists.unsolicited), &packages)?;
        Ok(Self {
            unsolicited,
            packages,
            integers: values,
            policy: policy_texts.with(&integers),
            policy_texts,
            workers: u16::try_from(integers.workers).unwrap_or(1),
            resolvers: u16::try_from(integers.resolvers).unwrap_or(2),
            shards: integers.shards.unsigned_abs() as usize,
            has_sl: true,
            history: integers.history.unsigned_abs(),
            refresh_on_flow_loss: integers.refresh_on_flow_loss != 0,
            invited_types: headers::invited_types(&additional_presence_headers),
            supported_tags: headers::listed(&additional_presence_headers, &["Supported", "k"]).collect(),
            additional_presence_headers,
            presence_route,
            presence_outbound_proxies,
            event_callback: texts.event_callback,
            credentials,
            credential_domains,
            filters: filter::read(&as_texts(&lists.filter))?,
            local_domains: local_domains::read(&lists.local_domains)?,
            db_url: Concealed(texts.db_url.into()),
            credentials_table: texts.credentials_table,
            provision_table: texts.provision_table,
            stores,
            rpc_read_only: integers.rpc_read_only != 0,
            on_shutdown: store::on_shutdown(texts.on_shutdown)?,
            publish_out_of_reach: publish::out_of_reach(texts.publish_out_of_reach)?,
        })
    }

    /// Whether there are tables to read.
    #[must_use]
    pub fn has_tables(&self) -> bool {
        !self.provision_table.is_empty() || !self.credentials_table.is_empty()
    }
}

/// The integers, if each is in its range.
fn in_range(values: [i32; Integers::COUNT]) -> Result<Integers, ConfigError> {
    for ((name, facts), value) in Integers::NAMES.into_iter().zip(Integers::FACTS).zip(values) {
        if !facts.allows(value) {
            let name = name.to_str().unwrap_or_default();
            let Integer { least, most, unit, .. } = facts;
            return Err(ConfigError::Range { name, value, least, most, unit });
        }
    }
    let integers = Integers::of(values);
    if !integers.shards.unsigned_abs().is_power_of_two() {
        return Err(ConfigError::Shards(integers.shards));
    }
    Ok(integers)
}

fn as_texts(values: &[Vec<u8>]) -> Vec<String> {
    values.iter().map(|value| String::from_utf8_lossy(value).into_owned()).collect()
}

fn duration(seconds: i32) -> Duration {
    Duration::from_secs(u64::from(seconds.unsigned_abs()))
}

#[cfg(test)]
mod tests;
