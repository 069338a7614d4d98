//! Rows, and what they are judged by.

use super::*;
use crate::subscription::Options;

fn place(column: &str) -> usize {
    COLUMNS.iter().position(|each| each.name == column).unwrap()
}

/// What is said of the row with another value in this column.
fn said(column: &str, value: Option<&[u8]>) -> String {
    let mut values = stored(&row());
    values[place(column)] = value.map(<[u8]>::to_vec);
    match StoredRow::read(&values) {
        Ok(read) => format!("{:?}", read.map(|row| row.id)),
        Err(bad) => bad.to_string(),
    }
}

#[test]
fn a_row_is_read_as_it_was_written() {
    let written = row();
    let read = StoredRow::read(&stored(&written)).unwrap().unwrap();
    assert_eq!(read, written);
    let again = read.life(Some(Socket(5)), &NEXT);
    assert_eq!(again, StoredLife { local_cseq: 17 + cseq::HEADROOM, ..life() });
}

#[test]
fn a_subscription_without_dialog_has_empty_columns() {
    for phase in [StoredPhase::Waiting, StoredPhase::Ending, StoredPhase::Local] {
        let life = StoredLife { dialog: None, phase, ..life() };
        let row = StoredRow::of(&RowTexts { socket: b"", ..texts() }, &life, (RUN, Written::default()), NOW).unwrap();
        let read = StoredRow::read(&stored(&row)).unwrap().unwrap();
        let restored = read.life(None, &NEXT);
        assert_eq!((restored.dialog, restored.phase), (None, phase));
    }
}

#[test]
fn every_mark_survives() {
    for (known, awaits, requests, remote_cseq) in (0..4u8).flat_map(|known| {
        StoredAwaits::ALL.into_iter().flat_map(move |awaits| {
            [(known, awaits, 0u8, None), (known, awaits, 255, Some(0)), (known, awaits, 1, Some(u32::MAX))]
        })
    }) {
        let dialog = StoredDialog { known, requests, remote_cseq, is_target_told: known == 1, ..dialog() };
        let life = StoredLife { dialog: Some(dialog), phase: StoredPhase::Confirmed(awaits), ..life() };
        let row = StoredRow::of(&texts(), &life, (RUN, Written::default()), NOW).unwrap();
        let read = StoredRow::read(&stored(&row)).unwrap().unwrap();
        let restored = read.life(Some(Socket(5)), &NEXT);
        assert_eq!((restored.dialog, restored.phase), (life.dialog, life.phase));
    }
}

#[test]
fn handles_of_all_generations_fit() {
    for id in [1 << 32, u64::MAX, 1 << 63 | 5] {
        let row = StoredRow { id, ..row() };
        assert_eq!(StoredRow::read(&stored(&row)).unwrap().unwrap().id, id);
    }
}

#[test]
fn null_is_named_wherever_it_is() {
    for column in COLUMNS {
        let text = said(column.name, None);
        let name = column.name;
        assert!(text.contains(&format!("column {name} is NULL, and must have a value; correct it")), "{text}");
    }
    let none = [const { None }; COLUMN_COUNT];
    let bad = StoredRow::read(&none).unwrap_err();
    assert_eq!(
        bad.to_string(),
        "table presence_b2b_subscriptions: the row with id '' is skipped: column id is NULL, and must have a value; correct it, or delete \
         the row"
    );
}

#[test]
fn nothing_that_could_leave_its_header_is_read() {
    let texts = [
        "record",
        "subscriber",
        "package",
        "options",
        "tie",
        "call_id",
        "local_tag",
        "remote_tag",
        "target",
        "route_set",
    ];
    for column in texts.into_iter().chain(["entity_tag", "source", "led_to", "socket", "origin", "state", "status"]) {
        let values = stored(&row());
        let good = values[place(column)].clone().unwrap();
        for bad in ["\r\nX: y", "\n", "\r", "\0", "\x7f", "\x01", "\u{85}"] {
            for value in [[&good, bad.as_bytes()].concat(), [bad.as_bytes(), &good].concat(), bad.as_bytes().to_vec()] {
                let text = said(column, Some(&value));
                assert!(
                    text.contains(&format!("column {column} is '")) && !text.contains(['\r', '\n', '\0']),
                    "{text}"
                );
            }
        }
        assert!(said(column, Some(b"\xff\xfe")).contains("is '"), "{column}");
    }
}

#[test]
fn grammars_are_those_of_the_wire() {
    for (column, value) in [
        ("target", "http://x"),
        ("target", "sip:a@0.0.0.0"),
        ("target", "sip:a@x?Subject=y"),
        ("source", "sip:a b@x"),
        ("route_set", "sip:192.0.2.7"),
        ("route_set", "<sip:192.0.2.7;lr>,<sip:192.0.2.8;lr>"),
        ("entity_tag", "a b"),
        ("call_id", "a b"),
        ("call_id", "a,b"),
        ("local_tag", "a;b"),
        ("remote_tag", "<a>"),
        ("led_to", "a b"),
        ("package", "a b"),
        ("record", "alice"),
        ("record", "sip:a b@x"),
        ("record", "sip:a@x>;evil"),
        ("socket", "udp:192.0.2.1"),
        ("socket", "udp:192.0.2.1:0"),
        ("socket", "icq:192.0.2.1:5060"),
        ("socket", "udp::5060"),
        ("state", "Confirmed"),
        ("state", "sleeping"),
        ("status", "busy"),
        ("origin", "moon"),
    ] {
        let text = said(column, Some(value.as_bytes()));
        assert!(text.contains(&format!("column {column} is '{value}', and must be ")), "{text}");
    }
    for (column, value) in
        [("socket", "tls:[2001:db8::1]:5061"), ("socket", ""), ("entity_tag", ""), ("record", "tel:+49")]
    {
        assert_eq!(said(column, Some(value.as_bytes())), format!("Some({ID})"), "{column} {value}");
    }
}

#[test]
fn bounds_are_those_of_the_core() {
    for (column, most) in
        [("record", 1024), ("subscriber", 1024), ("options", 4500), ("target", 1024), ("call_id", 255)]
    {
        let long = [b"sip:a@x.".as_slice(), &vec![b'a'; 4600]].concat();
        let text = said(column, Some(&long));
        assert!(text.contains(&format!("column {column} has more than {most} bytes")), "{text}");
    }
    assert_eq!(said("options", Some(&[b'a'; 4500])), format!("Some({ID})"));
}

/// A subscriber's options of 2,048 bytes at most are longer as the module writes them: where quotes and backslashes have no quotes around them.
#[test]
fn options_that_grow_have_room() {
    let given = format!("header=X: {}; header=Y: {}; filter={}", "\\".repeat(500), "\\".repeat(500), "f".repeat(256));
    assert!(given.len() < 2048);
    let written = Options::parse(given.as_bytes()).unwrap().to_string();
    assert!(written.len() > 2048, "{}", written.len());
    assert_eq!(said("options", Some(written.as_bytes())), format!("Some({ID})"));
}

#[test]
fn numbers_out_of_range_are_said() {
    for (column, value, most) in [
        ("local_cseq", "2147483648", i64::from(i32::MAX)),
        ("local_cseq", "-1", i64::from(i32::MAX)),
        ("retries", "65536", 65535),
        ("proxy", "8", 7),
        ("fork", "256", 255),
        ("has_flow", "2", 1),
        ("version", "4294967296", i64::from(u32::MAX)),
        ("expires_at", "9223372036854775808", i64::MAX),
        ("updated", "", i64::MAX),
        ("node", "1.5", 65535),
        ("epoch", "x", 1_000_000_000),
        ("marks", " 1", 65535),
    ] {
        let text = said(column, Some(value.as_bytes()));
        let right = format!("column {column} is '{value}', and must be a number from 0 to {most};");
        assert!(text.contains(&right), "{text}");
    }
    let awaits_five = (5u16 << 3).to_string();
    assert!(said("marks", Some(awaits_five.as_bytes())).contains("column marks has a number that is never written"));
    assert!(said("marks", Some(b"128")).contains("column marks has a number that is never written"));
}

#[test]
fn rows_that_contradict_themselves_are_not_used() {
    let base = row();
    let empty = String::new;
    for (row, what) in [
        (StoredRow { call_id: empty(), ..base.clone() }, "column call_id is empty"),
        (StoredRow { call_id: empty(), state: RowState::Waiting, ..base.clone() }, "one is empty and the other is not"),
        (StoredRow { local_tag: empty(), ..base.clone() }, "one is empty and the other is not"),
        (StoredRow { target: empty(), ..base.clone() }, "column target is empty"),
        (StoredRow { state: RowState::Local, ..base.clone() }, "its state is local"),
        (StoredRow { remote_tag: empty(), ..base.clone() }, "column remote_tag is empty"),
        (StoredRow { id: 5, ..base.clone() }, "no generation"),
        (StoredRow { fork: 1, ..base.clone() }, "whether it is a fork"),
        (StoredRow { root: ID, ..base.clone() }, "whether it is a fork"),
        (StoredRow { origin: RowOrigin::Fork, ..base.clone() }, "whether it is a fork"),
        (StoredRow { record: "sips:a@x".into(), ..base.clone() }, "its record is a SIPS URI"),
    ] {
        let bad = StoredRow::read(&stored(&row)).unwrap_err().to_string();
        assert!(bad.contains(what), "{what}: {bad}");
    }
}

#[test]
fn a_tombstone_is_no_subscription() {
    let mut values = COLUMNS.map(|column| match column.nothing() {
        SqlValue::Number(number) => Some(number.to_string().into_bytes()),
        SqlValue::Text(text) => Some(text.as_bytes().to_vec()),
    });
    values[place("state")] = Some(b"ended".to_vec());
    assert_eq!(StoredRow::read(&values), Ok(None));
}

#[test]
fn what_no_database_keeps_is_not_written() {
    for bad in [&b"sip:\0@x"[..], b"sip:\xff@x"] {
        let texts = RowTexts { record: bad, ..texts() };
        let refused = StoredRow::of(&texts, &life(), (RUN, Written::default()), NOW);
        assert_eq!(refused, Err(Unstorable("record")));
    }
    assert!(Unstorable("record").to_string().starts_with("column record cannot have a text with NUL"));
}

/// Any bytes in any columns: never a panic, and what is read is written the same.
#[test]
fn any_bytes_are_judged() {
    use proptest::prelude::*;
    proptest!(|(changes in proptest::collection::vec((0..COLUMN_COUNT, proptest::option::of(".{0,40}")), 1..6))| {
        let mut values = stored(&row());
        for (place, value) in changes {
            values[place] = value.map(String::into_bytes);
        }
        if let Ok(Some(read)) = StoredRow::read(&values) {
            let again = StoredRow::read(&stored(&read)).unwrap().unwrap();
            prop_assert_eq!(&again, &read);
            for text in [&again.call_id, &again.target, &again.route_set, &again.entity_tag, &again.record, &again.options] {
                prop_assert!(!text.contains(['\r', '\n', '\0']));
            }
        }
    });
}
