//! What the tests of this room share.

mod clocks;
mod machine;
mod orphans;
mod outbox;
mod rows;
mod schema;
mod statements;

use super::*;
use crate::subscription::{Socket, Status, StoredAwaits, StoredDialog, StoredLife, StoredPhase};
use crate::time::Millis;

const RUN: Run = Run { node: 1, epoch: 7 };
const NOW: ClockMap = ClockMap { unix_ms: 1_790_000_000_000, mono: Millis(5_000_000) };
/// The run after it, at the same moment.
const NEXT: Restart = Restart { run: Run { node: 1, epoch: 8 }, clock: NOW, seen: 0 };
const ID: u64 = 9 << 32 | 3;

fn texts() -> RowTexts<'static> {
    RowTexts {
        id: ID,
        origin: RowOrigin::Script,
        record: b"sip:alice@example.com",
        subscriber: b"sip:me@example.org",
        package: b"presence",
        options: b"id=4;header=\"X: it's a \\ b\"",
        tie: b"",
        socket: b"udp:192.0.2.1:5060",
        root: 0,
    }
}

fn dialog() -> StoredDialog<'static> {
    StoredDialog {
        call_id: b"0123456789abcdefghij",
        local_tag: b"abcdefgh",
        remote_tag: b"r1",
        target: b"sip:alice@192.0.2.9:5070;transport=tcp",
        route_set: b"<sip:192.0.2.7;lr>, <sip:192.0.2.8;lr>",
        entity_tag: b"e1",
        source: b"sip:192.0.2.9:5071",
        led_to: b"example.net",
        socket: Some(Socket(5)),
        has_flow: true,
        remote_cseq: Some(0),
        version: 6,
        known: 3,
        is_target_told: true,
        requests: 200,
    }
}

fn life() -> StoredLife<'static> {
    StoredLife {
        dialog: Some(dialog()),
        phase: StoredPhase::Confirmed(StoredAwaits::Retry),
        status: Some(Status::Active),
        local_cseq: 17,
        requested_expires: 3600,
        min_expires: 60,
        retries: 2,
        proxy: 7,
        next: Some(Millis(5_600_000)),
        last_sent: Some(Millis(4_000_000)),
        opened: Some(Millis(3_000_000)),
        expiry: Some(Millis(6_000_000)),
        notify_by: None,
        fork: 0,
    }
}

fn row() -> StoredRow {
    StoredRow::of(&texts(), &life(), (RUN, Written::new(RUN, 5)), NOW).unwrap()
}

/// The row as a database gives it.
fn stored(row: &StoredRow) -> [Option<Vec<u8>>; COLUMN_COUNT] {
    row.values().map(|value| {
        Some(match value {
            SqlValue::Number(number) => number.to_string().into_bytes(),
            SqlValue::Text(text) => text.as_bytes().to_vec(),
        })
    })
}
