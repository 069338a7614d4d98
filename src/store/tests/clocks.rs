//! Instants and CSeqs from one run to the next.

use std::time::Duration;

use super::*;

const HOUR: u64 = 3_600_000;

fn later(span: u64) -> ClockMap {
    // Another run: its monotonic clock has begun again.
    ClockMap { unix_ms: NOW.unix_ms + span, mono: Millis(1_000) }
}

#[test]
fn an_instant_goes_there_and_back() {
    assert_eq!((NOW.to_unix(None), NOW.to_mono(0, NOW.unix_ms)), (0, None));
    for instant in [0, 1, 4_999_999, 5_000_000, 5_000_001, 9_000_000] {
        let unix = NOW.to_unix(Some(Millis(instant)));
        assert_eq!(NOW.to_mono(unix, NOW.unix_ms), Some(Millis(instant)));
    }
    let unix = NOW.to_unix(Some(Millis(5_600_000)));
    assert_eq!(later(200_000).to_mono(unix, NOW.unix_ms), Some(Millis(401_000)));
    // Before the monotonic clock began.
    assert_eq!(later(700_000).to_mono(unix, NOW.unix_ms), Some(Millis(0)));
    assert_eq!(NOW.to_unix(Some(Millis(u64::MAX))), i64::MAX as u64);
    assert_eq!(ClockMap { unix_ms: 5, ..NOW }.to_unix(Some(Millis(0))), 1);
}

#[test]
fn what_was_an_hour_away_is_an_hour_away_when_the_clock_goes_back() {
    let back = ClockMap { unix_ms: NOW.unix_ms - 24 * HOUR, mono: Millis(1_000) };
    let unix = NOW.to_unix(Some(NOW.mono.after(Duration::from_millis(HOUR))));
    assert_eq!(back.to_mono(unix, NOW.unix_ms), Some(Millis(1_000 + HOUR)));
    assert_eq!((back.went_back(NOW.unix_ms), NOW.went_back(NOW.unix_ms - 1)), (24 * HOUR, 0));
    let written = row();
    let restored = written.life(None, &Restart { clock: back, ..NEXT });
    assert_eq!(restored.expiry, Some(Millis(1_000 + 1_000_000)));
}

#[test]
fn nothing_lasts_longer_than_was_asked_for() {
    let by_hand = StoredRow { expires_at: u64::MAX >> 1, next_at: u64::MAX >> 1, sent_at: u64::MAX >> 1, ..row() };
    let restored = by_hand.life(None, &NEXT);
    assert_eq!(restored.expiry, Some(NOW.mono.after(Duration::from_secs(3600))));
    assert!(restored.next.unwrap() <= NOW.mono.after(Duration::from_secs(25 * 3600)));
    assert_eq!(restored.last_sent, Some(NOW.mono));
    let unasked = StoredRow { requested: 0, ..by_hand };
    assert_eq!(unasked.life(None, &NEXT).expiry, Some(NOW.mono.after(Duration::from_secs(3600))));
}

#[test]
fn a_cseq_goes_on_above_all_that_may_have_been_used() {
    let updated = NOW.unix_ms;
    assert_eq!(cseq::stored(17), 81);
    assert_eq!(cseq::resumed(81, RUN, updated, &NEXT), Some(81));
    assert_eq!(cseq::resumed(81, RUN, updated, &Restart { clock: later(10_999), ..NEXT }), Some(81 + 40));
    // A backup of last week.
    assert_eq!(
        cseq::resumed(81, RUN, updated, &Restart { clock: later(7 * 24 * HOUR), ..NEXT }),
        Some(81 + 4 * 7 * 24 * 3600)
    );
    // Three runs that have not written it, each with requests.
    let fourth = Run { epoch: RUN.epoch + 4, ..RUN };
    assert_eq!(cseq::resumed(81, RUN, updated, &Restart { run: fourth, ..NEXT }), Some(81 + 3 * 64));
    // A clock that went back counts nothing, nor do runs, but what an earlier run has seen does.
    assert_eq!(cseq::resumed(81, fourth, updated, &NEXT), Some(81));
    assert_eq!(cseq::resumed(81, RUN, updated + HOUR, &NEXT), Some(81));
    assert_eq!(cseq::resumed(81, RUN, updated, &Restart { seen: updated + 2_000, ..NEXT }), Some(81 + 8));
}

#[test]
fn a_dialog_without_numbers_left_is_given_up() {
    assert_eq!(cseq::stored(u32::MAX), cseq::LARGEST);
    assert_eq!(cseq::resumed(cseq::LARGEST, RUN, NOW.unix_ms, &NEXT), None);
    assert_eq!(cseq::resumed(81, RUN, 1, &NEXT), None);
    for (state, phase) in [
        (RowState::Confirmed, StoredPhase::Waiting),
        (RowState::Unconfirmed, StoredPhase::Waiting),
        (RowState::Ending, StoredPhase::Ending),
    ] {
        let old = StoredRow { state, local_cseq: cseq::LARGEST, ..row() };
        let restored = old.life(None, &NEXT);
        assert_eq!((restored.dialog, restored.phase, restored.local_cseq), (None, phase, 0));
    }
}

/// The number waits to be written, and as many requests may leave while it is written.
#[test]
fn the_headroom_covers_what_is_not_written() {
    assert_eq!(cseq::HEADROOM, 2 * crate::subscription::CSEQS_UNWRITTEN);
}
