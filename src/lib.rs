//! The presence B2B user agent as a Kamailio module.
//!
//! The rooms, from the core outwards; each may use those before it (a test scans the `use` lines):
//!
//! - `memory`: ground; texts, lists and numbers in memory that processes share.
//! - `time`: ground; milliseconds, as values.
//! - `grammar`: pure; SIP's tokens.
//! - `subscription`: pure; one subscription's life.
//! - `document`: pure; bodies.
//! - `registry`: all subscriptions, in shared memory.
//! - `gate`: what keeps the module from hammering a destination, in shared memory.
//! - `lookup`: the line for names and connections, in shared memory.
//! - `latest`: the latest news of subscriptions, at hand for the request route, in shared memory.
//! - `bridge`: which states are published as those of users of the presence server, in shared memory.
//! - `qsa`: the Query Status API: subscribers, notifiers, and the queues between them.
//! - `store`: pure; the rows of a database that subscriptions outlive the server in.
//! - `provision`: the subscriptions of a table's rows, in shared memory.
//! - `calls`: the calls of local users, in shared memory.
//! - `lists`: lists of resources: one message for each resource.
//! - `registrations`: addresses of record whose registrations somebody follows, in shared memory.
//! - `c_api`: its C face.
//! - `engine`: drives; an event of the host becomes an input, an output becomes work for the host.
//! - `notifier`: the QSA notifiers that come with the module.
//! - `surface`: the users' side: functions, RPC, event route, pseudo-variables.
//! - `module`: the server's side: symbols, tables, start.
//!
//! Beside them are `host` (Kamailio, as the others see it) and `config` (the parameters).
// The other lints are in Cargo.toml; the tests need no documentation. What files use of each other is documented (clippy.toml).
#![cfg_attr(not(test), deny(clippy::missing_docs_in_private_items))]
// Unit tests hold all rooms. Their executable is linked without the server's symbols: a test that reaches one is not linked.

mod bridge;
mod c_api;
mod calls;
mod config;
mod document;
mod gate;
mod grammar;
mod latest;
mod lists;
mod lookup;
mod memory;
mod provision;
mod qsa;
mod registrations;
mod registry;
mod store;
mod subscription;
mod time;

mod engine;
mod host;
mod module;
mod notifier;
mod surface;
#[cfg(test)]
mod testing;
