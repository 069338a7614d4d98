//! The clock and the sources of randomness, for those who may not have their own (law L9).

use std::cell::Cell;

/// Milliseconds on the monotonic clock, which all processes of the machine share.
#[must_use]
pub fn now_millis() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a valid timespec to write to; the clock exists on every Linux.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut time) };
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let millis = u64::try_from(time.tv_nsec / 1_000_000).unwrap_or(0);
    seconds.saturating_mul(1000).saturating_add(millis)
}

/// `N` unguessable bytes from the kernel.
#[must_use]
pub fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0u8; N];
    let mut filled = 0;
    while filled < N {
        let rest = bytes.get_mut(filled..).unwrap_or_default();
        // SAFETY: `rest` is writable for its length. The call fails only when interrupted, then it is repeated.
        let got = unsafe { libc::getrandom(rest.as_mut_ptr().cast(), rest.len(), 0) };
        filled += usize::try_from(got).unwrap_or(0);
    }
    bytes
}

thread_local! {
    /// Process number and state of the generator: a forked child notices that the state is its parent's.
    static SPREAD: Cell<(i32, u64)> = const { Cell::new((0, 0)) };
}

/// A cheap random number to spread work over time; no secret may depend on it.
#[must_use]
pub fn spread() -> u64 {
    // SAFETY: getpid has no preconditions.
    let pid = unsafe { libc::getpid() };
    SPREAD.with(|cell| {
        let (owner, state) = cell.get();
        let state = if owner == pid { state } else { u64::from_ne_bytes(random_bytes()) };
        // SplitMix64 (Steele, Lea, Flood 2014).
        let state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        cell.set((pid, state));
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    })
}
