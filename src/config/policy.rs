//! The parameters that decide the life of a subscription.

use std::time::Duration;

use super::{ConfigError, Integers, as_texts, duration, package_policy};
use crate::subscription::{Forking, MOST_PROXIES, Packages, Policy};

/// Timer N, 64 × T1 with RFC 3261's T1 of 500 ms (RFC 6665 §4.1.2.4).
const TIMER_N: Duration = Duration::from_secs(32);

/// tm gives up after its `fr_timer` (30 s unless set); later than this its word has been lost.
const WATCHDOG: Duration = Duration::from_secs(60);

/// A database that takes longer than this for a row is as good as none.
const SAVE_PATIENCE: Duration = Duration::from_secs(2);

/// Long enough that the rates of requests have room for others, and short beside what notifiers grant.
const RESTORE_SPAN: Duration = Duration::from_secs(10);

/// Enough for every honest chain of servers, few enough to stop a circle.
const MAX_REDIRECTS: u8 = 5;

/// What the policy is made of, beside the integers.
#[derive(Clone, Debug)]
pub struct PolicyTexts {
    forking: Forking,
    packages: Vec<package_policy::OfPackage>,
    proxies: u8,
}

impl PolicyTexts {
    /// Reads it.
    ///
    /// # Errors
    /// [`ConfigError::Text`] for `forking`, [`ConfigError::Setting`] for a policy of a package.
    pub(super) fn read(
        forking: String,
        packages: &[Vec<u8>],
        known: &Packages,
        proxies: usize,
    ) -> Result<Self, ConfigError> {
        let forking = self::forking(forking)?;
        let proxies = u8::try_from(proxies).unwrap_or(MOST_PROXIES);
        Ok(Self { forking, packages: package_policy::read(&as_texts(packages), known, forking)?, proxies })
    }

    /// The policy of all packages, with those of their own, while the integers, which are in their ranges, are these.
    #[must_use]
    pub fn with(&self, values: &Integers) -> Policy {
        let Self { forking, packages, proxies } = self;
        let (forking, proxies) = (*forking, *proxies);
        let packages = packages.iter().map(|one| one.policy(values));
        let packages = packages.map(|(number, own)| (number, Policy { proxies, ..own })).collect();
        Policy { packages, forking, proxies, ..of(values) }
    }
}

/// The policy that these integers, which are in their ranges, make.
pub(super) fn of(values: &Integers) -> Policy {
    Policy {
        default_expiration: duration(values.default_expiration),
        on_error_retry_time: duration(values.on_error_retry_time),
        // A first retry later than the cap is the operator's word too: configurations older than the cap stay valid.
        failure_backoff_max: duration(values.failure_backoff_max).max(duration(values.on_error_retry_time)),
        wait_for_term_notify: duration(values.wait_for_term_notify),
        resubscribe_delta: duration(values.resubscribe_delta),
        min_resubscribe_time: duration(values.min_resubscribe_time),
        refresh_jitter: u8::try_from(values.refresh_jitter).unwrap_or(0),
        max_subscribe_delay: duration(values.max_subscribe_delay),
        timer_n: TIMER_N,
        timer_n_on_refresh: values.timer_n_on_refresh != 0,
        timer_n_on_first: true,
        keep_route_set: false,
        fork_bytes: values.fork_bytes.unsigned_abs() as usize,
        keep_state: values.keep_state != 0,
        require_qop: values.auth_require_qop != 0,
        allow_md5: values.auth_allow_md5 != 0,
        stores: values.db_mode != 0,
        save_patience: SAVE_PATIENCE,
        restore_span: RESTORE_SPAN,
        watchdog: WATCHDOG,
        max_redirects: MAX_REDIRECTS,
        proxies: 0,
        overrides: Vec::new(),
        packages: Vec::new(),
        forking: Forking::default(),
    }
}

fn forking(value: String) -> Result<Forking, ConfigError> {
    if value.is_empty() {
        return Ok(Forking::default());
    }
    Forking::parse(&value).ok_or(ConfigError::Text { name: "forking", value, wanted: "package, first or all" })
}
