//! The values that decide the life of a subscription.

use std::time::Duration;

use super::package::{Package, PackageNumber};

/// Parameters of the module as the core sees them, and the protocol's own times.
#[derive(Clone, Debug)]
pub struct Policy {
    /// `default_expiration`: Expires asked for.
    pub default_expiration: Duration,
    /// `on_error_retry_time`: time until the first retry, unless a reply or a NOTIFY gives another.
    pub on_error_retry_time: Duration,
    /// `failure_backoff_max`: cap of the exponential back-off.
    pub failure_backoff_max: Duration,
    /// `wait_for_term_notify`: how long the terminating NOTIFY is awaited after an unsubscribe was accepted.
    pub wait_for_term_notify: Duration,
    /// `resubscribe_delta`: how long before expiry to refresh.
    pub resubscribe_delta: Duration,
    /// `min_resubscribe_time`: least time between two consecutive SUBSCRIBEs of a subscription.
    pub min_resubscribe_time: Duration,
    /// `refresh_jitter`: how much earlier than planned a refresh may come, in percent of the time until then.
    pub refresh_jitter: u8,
    /// `max_subscribe_delay`: first SUBSCRIBEs are spread evenly over this span.
    pub max_subscribe_delay: Duration,
    /// Timer N (RFC 6665 §4.1.2.4): how long the first NOTIFY is awaited after a SUBSCRIBE.
    pub timer_n: Duration,
    /// `timer_n_on_refresh`: whether Timer N applies to refreshes too, as RFC 6665 §4.1.2.4 has it.
    pub timer_n_on_refresh: bool,
    /// `timer_n` of `package_policy`: whether the first NOTIFY of a dialog is awaited until Timer N, or without end: there
    /// are notifiers that send none before something changes.
    pub timer_n_on_first: bool,
    /// `keep_route_set` of `package_policy`: whether the route set of the 2xx stays where the NOTIFY that makes the dialog
    /// brings none: there are proxies that put themselves into the route of the SUBSCRIBE alone.
    pub keep_route_set: bool,
    /// `fork_bytes`: what the forks of one subscription may take together.
    pub fork_bytes: usize,
    /// `keep_state`: whether the newest state of each subscription is kept at hand.
    pub keep_state: bool,
    /// `auth_require_qop`: whether a challenge without quality of protection is refused.
    pub require_qop: bool,
    /// `auth_allow_md5`: whether a challenge for MD5 is answered.
    pub allow_md5: bool,
    /// `db_mode`: whether a database keeps the subscriptions. A SUBSCRIBE that opens a dialog waits for the subscription's row then.
    pub stores: bool,
    /// How long it waits for that: a database that is away stops nothing.
    pub save_patience: Duration,
    /// SUBSCRIBEs that are overdue at the start of the server are spread evenly over this span.
    pub restore_span: Duration,
    /// How long to wait for the transaction layer's word before the request is taken for lost.
    pub watchdog: Duration,
    /// How many redirections are followed for one attempt.
    pub max_redirects: u8,
    /// `presence_outbound_proxy`: how many there are, 0 to [`MOST_PROXIES`](super::MOST_PROXIES); 0 = each request goes
    /// where its routes or its target lead.
    pub proxies: u8,
    /// `forking`: whether NOTIFYs of other forks are accepted.
    pub forking: Forking,
    /// `package_policy`: actions after failures that differ from the RFCs. The last that fits counts.
    pub overrides: Vec<Override>,
    /// `package_policy`: the policies of the packages that have one of their own.
    pub packages: Vec<(PackageNumber, Policy)>,
}

impl Policy {
    /// The policy for subscriptions of this package.
    #[must_use]
    pub fn of(&self, package: PackageNumber) -> &Self {
        self.packages.iter().find(|(number, _)| *number == package).map_or(self, |(_, own)| own)
    }

    /// The policy that unit tests begin with.
    #[cfg(test)]
    pub const FOR_TESTS: Self = Self {
        default_expiration: Duration::from_secs(3600),
        on_error_retry_time: Duration::from_secs(120),
        failure_backoff_max: Duration::from_secs(3600),
        wait_for_term_notify: Duration::from_secs(30),
        resubscribe_delta: Duration::from_secs(30),
        min_resubscribe_time: Duration::from_secs(30),
        refresh_jitter: 0,
        max_subscribe_delay: Duration::ZERO,
        timer_n: Duration::from_secs(32),
        timer_n_on_refresh: false,
        timer_n_on_first: true,
        keep_route_set: false,
        fork_bytes: 32_768,
        keep_state: false,
        require_qop: false,
        allow_md5: true,
        stores: false,
        save_patience: Duration::from_secs(2),
        restore_span: Duration::from_secs(10),
        watchdog: Duration::from_secs(60),
        max_redirects: 3,
        proxies: 0,
        overrides: Vec::new(),
        packages: Vec::new(),
        forking: Forking::Package,
    };
}

/// The action after a failure, in place of that of the tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    /// The failure.
    pub after: After,
    /// The action.
    pub action: Action,
}

/// A failure that can be overridden.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum After {
    /// A final reply with a code from the first to the last, both included, 300 to 699.
    Codes(u16, u16),
    /// A NOTIFY that ends the subscription for this reason (RFC 6665 §4.1.3), compared without case; `None`: without one.
    Reason(Option<String>),
}

/// The actions after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// A new attempt as soon as `min_resubscribe_time` allows; repeated, it backs off.
    AtOnce,
    /// A new attempt after Retry-After, or else after the back-off.
    BackOff,
    /// No new attempt.
    Never,
}

/// How NOTIFYs are treated that come from another notifier than the one that made the dialog: the SUBSCRIBE was forked on its
/// way (RFC 6665 §4.1.4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Forking {
    /// As the RFC of the package says ([`Package::forks`]).
    #[default]
    Package,
    /// It is refused: the first NOTIFY's dialog is the only one.
    First,
    /// It makes a dialog of its own.
    All,
}

impl Forking {
    /// Reads the parameter; `None` when it is none of the words.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "package" => Some(Self::Package),
            "first" => Some(Self::First),
            "all" => Some(Self::All),
            _ => None,
        }
    }

    /// Whether a subscription of this package may have several dialogs.
    #[must_use]
    pub fn allows(self, package: &Package) -> bool {
        match self {
            Self::Package => package.forks,
            Self::First => false,
            Self::All => true,
        }
    }
}
