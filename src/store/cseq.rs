//! CSeqs that never go back, although the database lags behind.
//!
//! A row has a number above the newest that was used ([`stored`]), so the requests of the last moments before a crash are covered. Another
//! run goes on above it, the higher the older the row is ([`resumed`]): so a backup of last week, or a database that was away for an hour
//! before the crash, is covered too. A subscription sends far fewer than four requests a second. Each run since the row was written has a
//! headroom of its own: it may have sent requests and crashed before it wrote the row.

use super::clock::Restart;
use super::row::Run;

/// How far the number in a row is above the newest that was used: twice what a subscription sends at most until its row is due at once.
pub const HEADROOM: u32 = 64;

/// How many numbers are skipped for each second since the row was written.
pub const SKIPPED_A_SECOND: u64 = 4;

/// The largest CSeq (RFC 3261 §8.1.1.5).
pub const LARGEST: u32 = (1 << 31) - 1;

/// The number for a row of a subscription whose newest request had this CSeq.
#[must_use]
pub fn stored(newest: u32) -> u32 {
    newest.saturating_add(HEADROOM).min(LARGEST)
}

/// The number behind which a run goes on, of a row that `writer` wrote at `updated`; `None` if there is none left: it opens a new dialog.
///
/// Time goes by [`Restart::latest`]: it does not go back between two runs of which the first has sent requests, and has not written the row.
#[must_use]
pub fn resumed(stored: u32, writer: Run, updated: u64, restart: &Restart) -> Option<u32> {
    let between = u64::from(restart.run.epoch.saturating_sub(writer.epoch).saturating_sub(1));
    let skipped = (restart.latest().saturating_sub(updated) / 1000).saturating_mul(SKIPPED_A_SECOND);
    let number = u64::from(stored).saturating_add(between.saturating_mul(HEADROOM.into())).saturating_add(skipped);
    // At least one request has to fit behind it, and the headroom of its row.
    u32::try_from(number).ok().filter(|number| *number < LARGEST - HEADROOM)
}
