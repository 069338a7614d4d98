//! The clock and the sources of randomness, for rooms that may not have their own (law L9).

use std::cell::{Cell, RefCell};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use super::bindings as ks;
use crate::time::Millis;

/// Seconds and nanoseconds on the monotonic clock, which all processes of the machine share. It is never negative.
fn monotonic() -> (u64, u64) {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a valid timespec to write to; the clock exists on every Linux.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut time) };
    (time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs())
}

/// The time on the monotonic clock.
#[must_use]
pub fn now() -> Millis {
    let (seconds, nanos) = monotonic();
    Millis(seconds.saturating_mul(1000).saturating_add(nanos / 1_000_000))
}

/// How many [`ticks`] a second has.
pub const TICKS_A_SECOND: u32 = 16;

/// The host's own time, which it reads the clock for once a tick: cheap, and good for what is shown in seconds.
#[must_use]
pub fn ticks() -> u32 {
    // SAFETY: it only reads a number, which is there as long as the server.
    unsafe { ks::get_ticks_raw() }
}

/// Seconds since 1970, as the host counts the time at which things expire.
#[must_use]
pub fn unix_seconds() -> i64 {
    // SAFETY: without a place to write to it only gives the time.
    unsafe { libc::time(std::ptr::null_mut()) }
}

/// Milliseconds since 1970, by the clock of the day.
#[must_use]
pub fn unix_millis() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Nanoseconds on the monotonic clock.
#[cfg(feature = "meter_locks")]
#[must_use]
pub fn now_nanos() -> u64 {
    let (seconds, nanos) = monotonic();
    seconds.saturating_mul(1_000_000_000).saturating_add(nanos)
}

/// Counts the forks that led to this process, so that a child can tell what was its parent's. Not by its number: asking for
/// that costs as much as all else that is done here.
static FORKS: AtomicU32 = AtomicU32::new(0);

extern "C" fn on_fork() {
    FORKS.fetch_add(1, Ordering::Relaxed);
}

/// [`FORKS`]; `None` if they cannot be counted.
fn forks() -> Option<u32> {
    static COUNTED: OnceLock<bool> = OnceLock::new();
    // SAFETY: the function only adds to a number; it stays as long as the server, which never unloads modules before it ends.
    let counted = COUNTED.get_or_init(|| unsafe { libc::pthread_atfork(None, None, Some(on_fork)) } == 0);
    counted.then(|| FORKS.load(Ordering::Relaxed))
}

/// How many bytes are asked of the kernel at a time.
const POOL: usize = 1024;

/// Unguessable bytes.
struct RandomPool {
    /// [`FORKS`] when they were asked for.
    forks: Option<u32>,
    bytes: [u8; POOL],
    /// How many have been given away.
    used: usize,
}

thread_local! {
    static UNUSED: RefCell<RandomPool> = const { RefCell::new(RandomPool { forks: None, bytes: [0; POOL], used: POOL }) };
}

/// `N` unguessable bytes; no other caller gets them.
#[must_use]
pub fn random_bytes<const N: usize>() -> [u8; N] {
    let Some(forks) = forks().filter(|_| N <= POOL) else { return from_kernel() };
    UNUSED.with_borrow_mut(|pool| {
        if pool.forks != Some(forks) || POOL - pool.used < N {
            *pool = RandomPool { forks: Some(forks), bytes: from_kernel(), used: 0 };
        }
        let Some(unused) = pool.bytes.get_mut(pool.used..).and_then(<[u8]>::first_chunk_mut) else {
            return from_kernel();
        };
        pool.used += N;
        // Bytes that were given away cannot be read here any more.
        std::mem::replace(unused, [0; N])
    })
}

fn from_kernel<const N: usize>() -> [u8; N] {
    let mut bytes = [0u8; N];
    // It fails only where a kernel has no such source; then there is nothing to go on with.
    while getrandom::fill(&mut bytes).is_err() {}
    bytes
}

thread_local! {
    /// [`FORKS`] when it was begun, and the state of the generator.
    static SPREAD: Cell<(Option<u32>, u64)> = const { Cell::new((None, 0)) };
}

/// A cheap random number to spread work over time; no secret may depend on it.
#[must_use]
pub fn spread() -> u64 {
    let forks = forks();
    SPREAD.with(|cell| {
        let (begun, state) = cell.get();
        let is_ours = forks.is_some() && begun == forks;
        let state = if is_ours { state } else { u64::from_ne_bytes(random_bytes()) };
        // SplitMix64 (Steele, Lea, Flood 2014).
        let state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        cell.set((forks, state));
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    })
}
