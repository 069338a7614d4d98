//! The parameters as they are declared: name, unit, range, default. The table that the server reads, the check of the ranges and
//! the test of the pages are made of these. Uses nothing of the module, so that the tests can read it as well.

use std::ffi::CStr;
use std::sync::atomic::{AtomicI32, Ordering};

/// The longest time a parameter may name: 68 years, what fits a signed 32-bit integer of seconds, is cut to ten.
const TEN_YEARS: i32 = 315_360_000;

/// The largest number of an id (see `Handle::id` of the registry).
const MOST_SUBSCRIPTIONS: i32 = (1 << 22) - 1;

/// The range and default of an integer parameter.
#[derive(Clone, Copy, Debug)]
pub struct Integer {
    /// Its value unless set.
    pub default: i32,
    /// Smallest value allowed.
    pub least: i32,
    /// Largest value allowed.
    pub most: i32,
    /// Its unit, after a space; empty for plain numbers.
    pub unit: &'static str,
    /// Whether it can be changed while the server runs.
    pub changes: bool,
}

impl Integer {
    const fn new(default: i32, least: i32, most: i32) -> Self {
        Self { default, least, most, unit: "", changes: false }
    }

    /// One that can be changed while the server runs: what acts by it reads it from `Live`.
    const fn changes(self) -> Self {
        Self { changes: true, ..self }
    }

    const fn seconds(default: i32, least: i32, most: i32) -> Self {
        Self { unit: " seconds", ..Self::new(default, least, most) }
    }

    const fn milliseconds(default: i32, least: i32, most: i32) -> Self {
        Self { unit: " milliseconds", ..Self::new(default, least, most) }
    }

    const fn bytes(default: i32, least: i32, most: i32) -> Self {
        Self { unit: " bytes", ..Self::new(default, least, most) }
    }

    const fn megabytes(default: i32, least: i32, most: i32) -> Self {
        Self { unit: " megabytes", ..Self::new(default, least, most) }
    }

    const fn percent(default: i32, least: i32, most: i32) -> Self {
        Self { unit: " percent", ..Self::new(default, least, most) }
    }

    /// Whether this value is within the range.
    #[must_use]
    pub fn allows(&self, value: i32) -> bool {
        (self.least..=self.most).contains(&value)
    }
}

const fn name(ended: &'static str) -> &'static CStr {
    match CStr::from_bytes_with_nul(ended.as_bytes()) {
        Ok(name) => name,
        Err(_) => c"",
    }
}

/// A structure with a field for each parameter, and their names in the same order; where the parameters have facts, those too.
macro_rules! parameters {
    ($(#[$doc:meta])* $values:ident: $type:ty { $($name:ident: $facts:expr,)* }) => {
        parameters!($(#[$doc])* $values: $type { $(#[doc = "See docs/parameters.md."] $name,)* });

        /// The same as all processes see them.
        #[derive(Debug)]
        pub struct SharedIntegers {
            $(#[doc = "See docs/parameters.md."] pub $name: AtomicI32,)*
        }

        impl SharedIntegers {
            /// With these values, in the order of the names.
            #[must_use]
            pub fn new([$($name),*]: [i32; $values::COUNT]) -> Self {
                Self { $($name: AtomicI32::new($name)),* }
            }

            /// The values, in the order of the names.
            #[must_use]
            pub fn load(&self) -> [i32; $values::COUNT] {
                [$(self.$name.load(Ordering::Relaxed)),*]
            }

            /// Takes the values, in the order of the names.
            pub fn store(&self, [$($name),*]: [i32; $values::COUNT]) {
                $(self.$name.store($name, Ordering::Relaxed);)*
            }
        }

        impl $values {
            /// The range and default of each.
            pub const FACTS: [Integer; Self::COUNT] = [$($facts),*];

            /// The one with this name.
            pub fn get_mut(&mut self, name: &str) -> Option<&mut $type> {
                match name {
                    $(stringify!($name) => Some(&mut self.$name),)*
                    _ => None,
                }
            }
        }
    };
    ($(#[$doc:meta])* $values:ident: $type:ty { $($(#[$of:meta])* $name:ident,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Default)]
        pub struct $values {
            $($(#[$of])* pub $name: $type,)*
        }

        impl $values {
            /// The names in `modparam`.
            pub const NAMES: [&CStr; Self::COUNT] = [$(name(concat!(stringify!($name), "\0"))),*];

            /// How many there are.
            pub const COUNT: usize = [$(stringify!($name)),*].len();

            /// Takes the values in the order of the names.
            #[must_use]
            pub fn of([$($name),*]: [$type; Self::COUNT]) -> Self {
                Self { $($name),* }
            }
        }
    };
}

parameters! {
    /// Values of the integer parameters.
    Integers: i32 {
        default_expiration: Integer::seconds(3600, 1, TEN_YEARS).changes(),
        on_error_retry_time: Integer::seconds(120, 1, TEN_YEARS).changes(),
        wait_for_term_notify: Integer::seconds(30, 0, TEN_YEARS).changes(),
        resubscribe_delta: Integer::seconds(30, 0, TEN_YEARS).changes(),
        min_resubscribe_time: Integer::seconds(30, 0, TEN_YEARS).changes(),
        handle_presence_subscriptions: Integer::new(1, i32::MIN, i32::MAX).changes(),
        max_subscribe_delay: Integer::seconds(0, 0, TEN_YEARS).changes(),
        workers: Integer::new(2, 1, 64),
        resolvers: Integer::new(2, 2, 64),
        max_subscriptions: Integer::new(0, 0, MOST_SUBSCRIPTIONS).changes(),
        failure_backoff_max: Integer::seconds(3600, 1, TEN_YEARS).changes(),
        shards: Integer::new(64, 1, 256),
        queue_limit: Integer::new(10_000, 1, 1_000_000).changes(),
        refresh_jitter: Integer::percent(10, 0, 50).changes(),
        timer_n_on_refresh: Integer::new(0, 0, 1).changes(),
        stateless_answers: Integer::new(1, 0, 1).changes(),
        check_bodies: Integer::new(1, 0, 1).changes(),
        refresh_on_flow_loss: Integer::new(1, 0, 1),
        keep_state: Integer::new(0, 0, 1),
        auth_require_qop: Integer::new(0, 0, 1).changes(),
        auth_allow_md5: Integer::new(1, 0, 1).changes(),
        destination_rate: Integer::new(1000, 0, 1_000_000).changes(),
        total_rate: Integer::new(5000, 0, 1_000_000).changes(),
        breaker_failures: Integer::new(10, 0, 1_000_000).changes(),
        breaker_time: Integer::seconds(30, 1, TEN_YEARS).changes(),
        destination_hold_max: Integer::seconds(300, 1, 86_400).changes(),
        queue_bytes: Integer::bytes(8_388_608, 524_288, i32::MAX).changes(),
        subscription_queue_bytes: Integer::bytes(1_048_576, 4096, i32::MAX).changes(),
        max_body: Integer::bytes(262_144, 1024, 16_777_216).changes(),
        fork_bytes: Integer::bytes(32_768, 8192, 1_048_576).changes(),
        max_memory: Integer::megabytes(0, 0, 1_048_576).changes(),
        publish_expires: Integer::seconds(3600, 10, 86_400).changes(),
        db_mode: Integer::new(0, 0, 1),
        db_flush_interval: Integer::milliseconds(100, 10, 60_000).changes(),
        db_batch: Integer::new(500, 1, 1000).changes(),
        adoption_time: Integer::seconds(60, 1, 86_400).changes(),
        history: Integer::new(8, 0, 64),
        rpc_read_only: Integer::new(0, 0, 1),
    }
}

parameters! {
    /// Values of the texts, as they were set; empty when not set.
    Texts: String {
        /// Route header put into SUBSCRIBEs that open a dialog.
        presence_route,
        /// Whole header lines put into every SUBSCRIBE.
        additional_presence_headers,
        /// URIs where all SUBSCRIBEs are sent, the first one if possible.
        presence_outbound_proxy,
        /// Name of the KEMI function for QSA messages; empty for the native event route.
        event_callback,
        /// package, first or all; empty for package.
        forking,
        /// The database; may hold a password.
        db_url,
        /// Name of the table with more credentials.
        credentials_table,
        /// Name of the table with subscriptions.
        provision_table,
        /// unknown or keep; empty for unknown.
        publish_out_of_reach,
        /// keep or unsubscribe; empty for keep.
        on_shutdown,
    }
}

parameters! {
    /// Values of the texts that can be set many times, in the order in which they were set.
    Lists: Vec<Vec<u8>> {
        /// `username:realm:password`.
        credential,
        /// `realm=domain,domain`.
        credential_domain,
        /// `package: key=value; …`.
        package_policy,
        /// `name: accept=type/subtype; forking=first`.
        package,
        /// `name=/path`.
        filter,
        /// `domain,domain`.
        local_domains,
        /// `package: from=address, network/bits`.
        unsolicited,
    }
}
