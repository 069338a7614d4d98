//! The destinations of requests, as the module counts them.

use std::time::Duration;

use serde_json::Value;

use super::endpoint::Endpoint;
use super::kamailio::Server;
use super::wait::{SOON, eventually};

impl Server {
    /// The row of a destination in `presence_b2b.destinations`.
    pub fn destination(&self, address: &str) -> Option<Value> {
        self.rows("presence_b2b.destinations").into_iter().find(|row| row["address"] == address)
    }

    /// Waits until a destination's row looks as wanted.
    pub fn destination_when(&self, address: &str, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        eventually(SOON, what, || self.destination(address).filter(&wanted))
    }
}

impl Endpoint {
    /// The address of its row in `presence_b2b.destinations`.
    pub fn destination(&self) -> String {
        format!("{}:{}", self.transport().upper().to_ascii_lowercase(), self.addr())
    }

    /// How many SUBSCRIBEs have come that were not read, each transaction once; they are read now.
    pub fn asked(&self) -> usize {
        let mut count = 0;
        while self.wait_for(Duration::ZERO, |message| message.method() == "SUBSCRIBE").is_some() {
            count += 1;
        }
        count
    }
}
