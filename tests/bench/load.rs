//! The load: NOTIFYs in the dialogs that a notifier has learnt, or requests about its records, as many as the server takes or so many a second.

use std::io;
use std::net::{SocketAddr, SocketAddrV4, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};

use crate::asker::Asker;
use crate::dialogs::Dialogs;
use crate::message::{branch_number, status};
use crate::net::{self, Batch};
use crate::notifier::Desk;
use crate::signals;
use crate::writer::Writer;

/// Sockets that the load comes from.
const SOCKETS: usize = 4;
/// Requests of each socket that are in flight: together some milliseconds of work, so that the server never waits for the
/// load.
const WINDOW: usize = net::BATCH;
/// How long an answer may take before the request counts as lost.
const LOST: Duration = Duration::from_secs(2);
/// How long the load rests between two looks: it must not be what wakes up for each answer.
const REST: Duration = Duration::from_micros(100);
/// The step through the records, prime, so that no two NOTIFYs in a row are of neighbours.
const STEP: usize = 7_368_787;

/// What came of some NOTIFYs.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Answered with 2xx.
    pub accepted: usize,
    /// Answered otherwise.
    pub refused: usize,
    /// Not answered.
    pub lost: usize,
    /// From the first request to the last answer.
    pub took: Duration,
    /// How long each answer took, in seconds, if that was asked for.
    pub latencies: Vec<f64>,
}

impl Outcome {
    /// The sentence that says what went wrong, if anything did.
    pub fn problem(&self) -> Option<String> {
        (self.refused + self.lost > 0).then(|| format!("{} refused, {} lost", self.refused, self.lost))
    }
}

/// Sends NOTIFYs, or other requests.
pub struct Load {
    lines: Vec<Line>,
    inbox: Batch,
    next_id: u64,
    next_record: usize,
}

/// A socket, and what goes through it.
struct Line {
    socket: UdpSocket,
    requests: Requests,
    outbox: Batch,
    in_flight: usize,
}

/// The requests that a socket sends.
enum Requests {
    /// NOTIFYs.
    Notifies(Writer),
    /// Requests about records.
    Questions(Asker),
}

impl Requests {
    fn push(&mut self, batch: &mut Batch, dialogs: &mut Dialogs, to: SocketAddrV4, record: usize, id: u64) -> bool {
        match self {
            Requests::Notifies(writer) => writer.push(batch, dialogs, to, record, id),
            Requests::Questions(asker) => {
                asker.push(batch, to, record, id);
                true
            }
        }
    }

    fn stamp(&mut self, mark: &str, stamp: &str) {
        match self {
            Requests::Notifies(writer) => writer.stamp(mark, stamp),
            Requests::Questions(_) => {}
        }
    }
}

impl Load {
    /// In the dialogs of `desk`.
    pub fn new(desk: &Desk) -> io::Result<Load> {
        Load::with(desk, |addr| Requests::Notifies(desk.writer(addr)))
    }

    /// About the records of `desk`, whose numbers have so many digits.
    pub fn asking(desk: &Desk, width: usize) -> io::Result<Load> {
        let host = desk.addr.ip().to_string();
        Load::with(desk, |addr| Requests::Questions(Asker::new(addr, host.clone(), width)))
    }

    fn with(desk: &Desk, requests: impl Fn(SocketAddrV4) -> Requests) -> io::Result<Load> {
        let line = |_| {
            let socket = net::socket(SocketAddrV4::new(*desk.addr.ip(), 0))?;
            let SocketAddr::V4(addr) = socket.local_addr()? else { return Err(io::Error::other("not an IPv4 socket")) };
            Ok(Line { socket, requests: requests(addr), outbox: Batch::default(), in_flight: 0 })
        };
        let lines = (0..SOCKETS).map(line).collect::<io::Result<_>>()?;
        Ok(Load { lines, inbox: Batch::default(), next_id: 0, next_record: 0 })
    }

    /// `count` requests of the first `records` records, as many at once as the server takes.
    pub fn saturate(&mut self, desk: &Desk, to: SocketAddrV4, records: usize, count: usize) -> io::Result<Outcome> {
        let begun = Instant::now();
        let mut outcome = Outcome::default();
        let (mut sent, mut last_answer) = (0, Instant::now());
        self.lines.iter_mut().for_each(|line| line.in_flight = 0);
        while signals::came().is_none() {
            let before = sent;
            for line in 0..SOCKETS {
                let free = WINDOW.saturating_sub(self.lines[line].in_flight);
                // A few at a time would cost a system call for each.
                if free < WINDOW / 2 || sent == count {
                    continue;
                }
                let mut dialogs = desk.dialogs();
                for _ in 0..free.min(count - sent) {
                    sent += usize::from(self.push(line, &mut dialogs, to, records));
                }
                drop(dialogs);
                self.lines[line].flush()?;
            }
            let answers = self.take(&mut outcome, None)?;
            if answers > 0 {
                last_answer = Instant::now();
            }
            if outcome.accepted + outcome.refused >= count {
                break;
            }
            if last_answer.elapsed() > LOST {
                outcome.lost = sent - outcome.accepted - outcome.refused;
                break;
            }
            if answers < net::BATCH / 2 && sent == before {
                thread::sleep(REST);
            }
        }
        outcome.took = begun.elapsed();
        Ok(outcome)
    }

    /// NOTIFYs of the first `records` records at `rate` a second for as long as `until` says, whether or not the server
    /// keeps up; each tells when it was sent, in its body after `sent at `.
    pub fn pace(
        &mut self,
        desk: &Desk,
        to: SocketAddrV4,
        records: usize,
        rate: f64,
        mut until: impl FnMut(Duration) -> bool,
    ) -> io::Result<Outcome> {
        let begun = Instant::now();
        let mut outcome = Outcome::default();
        let mut times = Vec::new();
        let first_id = self.next_id;
        while signals::came().is_none() && !until(begun.elapsed()) {
            let due = (begun.elapsed().as_secs_f64() * rate) as usize;
            for line in (0..SOCKETS).cycle() {
                if times.len() >= due || self.lines[line].outbox.is_full() {
                    break;
                }
                self.lines[line].requests.stamp("sent at ", &format!("{:020}", monotonic()));
                if !self.push(line, &mut desk.dialogs(), to, records) {
                    return Err(io::Error::other("no dialog to send a NOTIFY in"));
                }
                times.push(Instant::now());
            }
            self.lines.iter_mut().try_for_each(Line::flush)?;
            if self.take(&mut outcome, Some((&times, first_id)))? == 0 {
                thread::sleep(REST / 2);
            }
        }
        let end = Instant::now();
        while outcome.accepted + outcome.refused < times.len() && end.elapsed() < LOST {
            self.take(&mut outcome, Some((&times, first_id)))?;
            thread::sleep(REST);
        }
        outcome.lost = times.len() - outcome.accepted - outcome.refused;
        outcome.took = end - begun;
        Ok(outcome)
    }

    /// What the NOTIFYs say from now on of how long their subscription lasts.
    pub fn expires(&mut self, seconds: i64) {
        for line in &mut self.lines {
            line.requests.stamp("active;expires=", &format!("{seconds:04}"));
        }
    }

    fn push(&mut self, line: usize, dialogs: &mut Dialogs, to: SocketAddrV4, records: usize) -> bool {
        self.next_record = (self.next_record + STEP) % records;
        let line = &mut self.lines[line];
        let pushed = line.requests.push(&mut line.outbox, dialogs, to, self.next_record, self.next_id);
        self.next_id += u64::from(pushed);
        pushed
    }

    fn take(&mut self, outcome: &mut Outcome, times: Option<(&[Instant], u64)>) -> io::Result<usize> {
        let mut count = 0;
        for line in &mut self.lines {
            let received = self.inbox.receive(&line.socket)?;
            let now = Instant::now();
            line.in_flight = line.in_flight.saturating_sub(received);
            count += received;
            for (message, _) in self.inbox.iter() {
                match status(message) {
                    Some(200..=299) => outcome.accepted += 1,
                    Some(300..) => outcome.refused += 1,
                    _ => continue,
                }
                let sent = times.and_then(|(times, first)| {
                    let number = branch_number(message)?.checked_sub(first)?;
                    times.get(usize::try_from(number).ok()?)
                });
                outcome.latencies.extend(sent.map(|sent| (now - *sent).as_secs_f64()));
            }
        }
        Ok(count)
    }
}

impl Line {
    fn flush(&mut self) -> io::Result<()> {
        self.in_flight += self.outbox.len();
        self.outbox.send(&self.socket)
    }
}

/// Nanoseconds of the clock that all processes share.
fn monotonic() -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: one valid timespec, which outlives the call.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut now) };
    now.tv_sec.unsigned_abs() * 1_000_000_000 + now.tv_nsec.unsigned_abs()
}
