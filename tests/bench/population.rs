//! A server with many subscriptions, all made through the C module and standing.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::compare::{Failure, rest};
use crate::measure::{COUNTED, shared_memory};
use crate::message::pidf;
use crate::notifier::{Desk, Notifier, Running};
use crate::support::config::Builder;
use crate::support::kamailio::Server;
use crate::writer::Document;

/// Subscriptions that are being made at a time.
const IN_FLIGHT: usize = 600;
/// How long nothing may happen while subscriptions are made.
const PATIENCE: Duration = Duration::from_secs(20);
/// The length of the URIs of records and subscribers.
const URI_LENGTH: usize = 30;
/// Bytes that a Call-ID and a tag of the module's take together.
const NAME_ROOM: usize = 64;

/// A server and the notifier of its subscriptions.
pub struct Population {
    /// The server.
    pub server: Server,
    /// How many subscriptions are active.
    pub count: usize,
    notifier: Running,
}

/// The document of all NOTIFYs here.
pub fn presence() -> Document {
    let note = format!("In a meeting until noon, sent at {:020}", 0);
    Document {
        event: "presence",
        content_type: "application/pidf+xml",
        text: pidf("sip:r0000000@notifier.invalid", "open", &note),
    }
}

impl Population {
    /// Starts the server; `most` subscriptions can be made.
    pub fn start(builder: Builder, most: usize) -> Result<Population, Failure> {
        let notifier = Notifier::new(most, NAME_ROOM, presence())?.spawn();
        Ok(Population { server: builder.start(), count: 0, notifier })
    }

    /// Stops its server, does something, and starts it again: the same subscriptions, if they are stored.
    pub fn restarted(
        self,
        builder: Builder,
        between: impl FnOnce() -> Result<(), Failure>,
    ) -> Result<Population, Failure> {
        let Population { server, count, notifier } = self;
        server.stop();
        between()?;
        Ok(Population { server: builder.start(), count, notifier })
    }

    /// The notifier's shared values.
    pub fn desk(&self) -> &Desk {
        &self.notifier.desk
    }

    /// Digits of the numbers of its records.
    pub fn width(&self) -> usize {
        URI_LENGTH.saturating_sub("sip:r@".len() + self.desk().addr.ip().to_string().len())
    }

    /// Makes subscriptions until there are `count`, and waits until all are active and have had their first NOTIFY.
    pub fn grow(&mut self, count: usize) -> Result<Duration, Failure> {
        let begun = Instant::now();
        let host = self.desk().addr.ip().to_string();
        let width = self.width();
        let counts = &self.notifier.desk.counts;
        let standing = || counts.accepted.load(Ordering::Relaxed) as usize;
        let mut asked = self.count;
        let (mut last, mut last_news) = (standing(), Instant::now());
        while standing() < count {
            let next = (count - asked).min(IN_FLIGHT / 4);
            if next > 0 && asked + next <= standing() + IN_FLIGHT {
                self.server.rpc("bench.subscribe", json!([asked, next, width, host])).map_err(|e| e.to_string())?;
                asked += next;
                continue;
            }
            rest(Duration::from_millis(2))?;
            if standing() > last {
                (last, last_news) = (standing(), Instant::now());
            } else if last_news.elapsed() > PATIENCE {
                let [first, refused] = [&counts.first, &counts.refused].map(|count| count.load(Ordering::Relaxed));
                return Err(format!(
                    "{last} subscriptions of {count} stand, and no more come: {first} SUBSCRIBEs, {refused} NOTIFYs refused"
                )
                .into());
            }
        }
        self.count = count;
        Ok(begun.elapsed())
    }

    /// Shared memory in use when no transaction is left.
    pub fn at_rest(&self) -> Result<u64, Failure> {
        let begun = Instant::now();
        loop {
            rest(Duration::from_millis(300))?;
            let statistics = self.server.rpc("tm.stats", json!([])).map_err(|error| error.to_string())?;
            if statistics["current"] == 0 {
                rest(COUNTED)?;
                return Ok(shared_memory(&self.server));
            }
            if begun.elapsed() > PATIENCE {
                return Err(format!("transactions do not end: {statistics}").into());
            }
        }
    }

    /// Messages that the C module has taken from its queue.
    pub fn taken(&self) -> Result<u64, Failure> {
        let counters = self.server.rpc("bench.counters", json!([])).map_err(|e| e.to_string())?;
        Ok(counters["taken"].as_u64().unwrap_or_default())
    }
}
