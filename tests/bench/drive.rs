//! Set-ups in a closed loop: a message that has the script subscribe, the SUBSCRIBE it leads to, 200, NOTIFY, and the next.

use std::io;
use std::net::SocketAddrV4;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use crate::compare::{Failure, interrupted};
use crate::net::{BATCH, Batch};
use crate::notifier::{Desk, Notifier};
use crate::writer::Document;

/// Set-ups under way at a time.
const WINDOW: usize = 64;
/// How long nothing may come back.
const PATIENCE: Duration = Duration::from_secs(5);
const REST: Duration = Duration::from_micros(100);

/// What ends one set-up, and lets the next begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// The SUBSCRIBE has been answered.
    Answered,
    /// The NOTIFY that followed has been accepted.
    Notified,
    /// The message itself has been read: nothing else comes of it.
    Read,
}

/// A notifier that drives a server itself.
pub struct Drive {
    notifier: Notifier,
    outbox: Batch,
}

impl Drive {
    /// For records up to `count`; see [`Notifier::new`].
    pub fn new(count: usize, room: usize, document: Document) -> io::Result<Drive> {
        Ok(Drive { notifier: Notifier::new(count, room, document)?, outbox: Batch::default() })
    }

    /// What its notifier shares.
    pub fn desk(&self) -> &Arc<Desk> {
        self.notifier.desk()
    }

    /// Has the server at `to` set up `count` subscriptions, to the records from `first` on.
    pub fn run(&mut self, to: SocketAddrV4, first: usize, count: usize, until: Until) -> Result<(), Failure> {
        let desk = Arc::clone(self.desk());
        let done = || {
            let counts = &desk.counts;
            let counter = if until == Until::Answered { &counts.first } else { &counts.accepted };
            // Of what is only read, every BATCH-th is answered.
            counter.load(Ordering::Relaxed) as usize * if until == Until::Read { BATCH } else { 1 }
        };
        let before = done();
        let (mut sent, mut news) = (0, Instant::now());
        while done() - before < count {
            interrupted()?;
            let free = (before + WINDOW.max(2 * BATCH * usize::from(until == Until::Read)))
                .saturating_sub(before + sent - (done() - before).min(sent));
            for _ in 0..free.min(count - sent).min(BATCH) {
                sent += 1;
                let answered = until == Until::Read && sent % BATCH == 0;
                self.push(to, first + sent - 1, if answered { "INFO" } else { "OPTIONS" });
            }
            self.outbox.send(self.notifier.socket())?;
            match self.notifier.step()? {
                0 if news.elapsed() > PATIENCE => {
                    let [first, refused] =
                        [&desk.counts.first, &desk.counts.refused].map(|counter| counter.load(Ordering::Relaxed));
                    return Err(format!(
                        "{} of {count} set-ups, and no more come: {first} SUBSCRIBEs, {refused} NOTIFYs refused",
                        done() - before
                    )
                    .into());
                }
                0 => thread::sleep(REST),
                _ => news = Instant::now(),
            }
        }
        Ok(())
    }

    fn push(&mut self, to: SocketAddrV4, number: usize, method: &str) {
        let me = self.notifier.desk().addr;
        let message = format!(
            "{method} sip:r{number:07}@{} SIP/2.0\r\nVia: SIP/2.0/UDP {me};branch=z9hG4bKd{number}\r\n\
             From: <sip:w{number:07}@{}>;tag=d\r\nTo: <sip:r{number:07}@{}>\r\nCall-ID: d{number}\r\nCSeq: 1 {method}\r\n\
             Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n",
            me.ip(),
            to.ip(),
            me.ip()
        );
        self.outbox.push(to, &[message.as_bytes()]);
    }
}
