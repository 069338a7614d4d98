//! The hub, on ordinary memory and `parking_lot`'s lock.

mod known;
mod memory;
mod model;
mod queues;
mod share_races;
mod share_storm;
mod shares;
mod subscriptions;
mod support;
mod threads;
mod unsolicited;
