//! The RPC commands as they are declared: the table that the server reads and the test of the pages are made of these. Uses
//! nothing of the module, so that the tests can read it as well.

use std::ffi::CStr;

/// An RPC command.
#[derive(Debug)]
pub struct Command {
    /// Its name.
    pub name: &'static CStr,
    /// Its help in the server.
    pub help: &'static CStr,
    /// Whether it answers with an array.
    pub is_list: bool,
    /// Whether it changes something: `rpc_read_only` switches it off.
    pub changes: bool,
}

const fn answer(name: &'static CStr, help: &'static CStr) -> Command {
    Command { name, help, is_list: false, changes: false }
}

const fn list(name: &'static CStr, help: &'static CStr) -> Command {
    Command { name, help, is_list: true, changes: false }
}

const fn change(name: &'static CStr, help: &'static CStr) -> Command {
    Command { name, help, is_list: false, changes: true }
}

/// `presence_b2b.trace`.
pub const TRACE: Command =
    answer(c"presence_b2b.trace", c"Counts of subscriptions and messages. Parameters: [detailed]");

/// `presence_b2b.list`.
pub const LIST: Command =
    list(c"presence_b2b.list", c"A page of subscriptions. Parameters: [offset [limit [filter ...]]]");

/// `presence_b2b.count`.
pub const COUNT: Command =
    answer(c"presence_b2b.count", c"How many subscriptions there are: in all, failing, by state and by package.");

/// `presence_b2b.find`.
pub const FIND: Command =
    answer(c"presence_b2b.find", c"Subscriptions that meet filters. Parameters: [limit=N] [from=N] [filter ...]");

/// `presence_b2b.audit`.
pub const AUDIT: Command =
    answer(c"presence_b2b.audit", c"Subscriptions that nothing would bring on: none. Parameters: [limit=N] [from=N]");

/// `presence_b2b.show`.
pub const SHOW: Command = answer(c"presence_b2b.show", c"One subscription. Parameters: id");

/// `presence_b2b.history`.
pub const HISTORY: Command =
    answer(c"presence_b2b.history", c"The newest events of a subscription, the oldest of them first. Parameters: id");

/// `presence_b2b.subscribe`.
pub const SUBSCRIBE: Command = change(
    c"presence_b2b.subscribe",
    c"Subscribes and answers with the id. Parameters: record subscriber [package [options]]",
);

/// `presence_b2b.unsubscribe`.
pub const UNSUBSCRIBE: Command =
    change(c"presence_b2b.unsubscribe", c"Ends a subscription made by script or RPC. Parameters: id");

/// `presence_b2b.unsubscribe_all`.
pub const UNSUBSCRIBE_ALL: Command = change(
    c"presence_b2b.unsubscribe_all",
    c"Ends subscriptions that meet filters. Parameters: filter ... [dry_run=1] [limit=N] [from=N]",
);

/// `presence_b2b.refresh`.
pub const REFRESH: Command =
    change(c"presence_b2b.refresh", c"Refreshes a subscription, or retries it, as soon as allowed. Parameters: id");

/// `presence_b2b.destinations`.
pub const DESTINATIONS: Command = list(
    c"presence_b2b.destinations",
    c"A page of destinations: what holds them, what was sent. Parameters: [offset [limit]]",
);

/// `presence_b2b.lookups`.
pub const LOOKUPS: Command =
    list(c"presence_b2b.lookups", c"A page of names that SUBSCRIBEs wait or waited for. Parameters: [offset [limit]]");

/// `presence_b2b.version`.
pub const VERSION: Command =
    answer(c"presence_b2b.version", c"The versions of the module and of the server that it was built for.");

/// `presence_b2b.destination_release`.
pub const DESTINATION_RELEASE: Command = change(
    c"presence_b2b.destination_release",
    c"Lifts the hold of a destination and closes its breaker. Parameters: address",
);

/// `presence_b2b.reload`.
pub const RELOAD: Command =
    change(c"presence_b2b.reload", c"Reads the tables of db_url again and applies the difference.");

/// `presence_b2b.credentials_reload`.
pub const CREDENTIALS_RELOAD: Command =
    change(c"presence_b2b.credentials_reload", c"Reads the table of credentials again, and no other table.");

/// `presence_b2b.queues`.
pub const QUEUES: Command =
    list(c"presence_b2b.queues", c"The queues of messages: whose they are, what waits, their limits.");

/// `presence_b2b.packages`.
pub const PACKAGES: Command = list(c"presence_b2b.packages", c"The event packages that can be subscribed to.");

/// `presence_b2b.provisioning`.
pub const PROVISIONING: Command =
    answer(c"presence_b2b.provisioning", c"What came of the newest reading of the tables, or how far it is.");

/// `presence_b2b.store`.
pub const STORE: Command =
    answer(c"presence_b2b.store", c"How the database takes the subscriptions: rows, what waits, how long, failures.");

#[cfg(feature = "meter_locks")]
/// `presence_b2b.locks`.
pub const LOCKS: Command =
    list(c"presence_b2b.locks", c"How long locks were held and how often they were waited for, since the last time.");

/// All commands.
pub const COMMANDS: &[&Command] = &[
    &TRACE,
    &LIST,
    &COUNT,
    &FIND,
    &AUDIT,
    &SHOW,
    &HISTORY,
    &SUBSCRIBE,
    &UNSUBSCRIBE,
    &UNSUBSCRIBE_ALL,
    &REFRESH,
    &DESTINATIONS,
    &LOOKUPS,
    &VERSION,
    &DESTINATION_RELEASE,
    &RELOAD,
    &CREDENTIALS_RELOAD,
    &QUEUES,
    &PACKAGES,
    &PROVISIONING,
    &STORE,
    #[cfg(feature = "meter_locks")]
    &LOCKS,
];
