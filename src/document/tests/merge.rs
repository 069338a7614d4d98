//! Whole documents from those that tell what has changed, by example.

use super::MAX_DOCUMENT;
use super::fields::shown;
use super::formats::{DIALOGS, MESSAGES, REGISTRATIONS, WATCHERS, read};
use crate::document::error::DocumentError;
use crate::document::{MergedDocument, merge};

pub(super) fn next(kept: Option<&MergedDocument>, media_type: &str, body: &str) -> MergedDocument {
    let merged = merge(media_type.as_bytes(), kept.map(MergedDocument::kept), body.as_bytes(), MAX_DOCUMENT);
    merged.unwrap_or_else(|error| panic!("{error}: {body}"))
}

/// A field with all its values after each document, and whether the state is whole.
fn course(media_type: &str, field: &str, bodies: &[&str]) -> Vec<String> {
    let mut kept: Option<MergedDocument> = None;
    let step = |body: &&str| {
        let merged = next(kept.as_ref(), media_type, body);
        let document = read(merged.content_type.unwrap(), &merged.document).unwrap();
        let values = (0..document.count(field)).map(|at| shown(&document, field, Some(at)).unwrap_or_default());
        let is_whole = merged.is_whole;
        kept = Some(merged);
        format!("{} {}", values.collect::<Vec<_>>().join(","), if is_whole { "whole" } else { "gap" })
    };
    bodies.iter().map(step).collect()
}

fn dialogs(version: &str, state: &str, inside: &str) -> String {
    format!(
        "<dialog-info xmlns='urn:ietf:params:xml:ns:dialog-info' version='{version}' state='{state}' entity='sip:a@b'>{inside}</dialog-info>"
    )
}

fn dialog(id: &str, state: &str) -> String {
    format!("<dialog id='{id}'><state>{state}</state></dialog>")
}

#[test]
fn what_has_ended_is_shown_once() {
    let bodies = [
        dialogs("1", "full", &[dialog("1", "early"), dialog("2", "trying")].concat()),
        dialogs("2", "partial", &dialog("1", "confirmed")),
        dialogs("3", "partial", &[dialog("2", " Terminated "), dialog("3", "early")].concat()),
        dialogs("4", "partial", ""),
        dialogs("5", "partial", &dialog("2", "trying")),
    ];
    let found = course(DIALOGS, "dialog_state", &bodies.each_ref().map(String::as_str));
    let expected = [
        "early,trying whole",
        "confirmed,trying whole",
        "confirmed,terminated,early whole",
        "confirmed,early whole",
        "confirmed,early,trying whole",
    ];
    assert_eq!(found, expected);
}

/// CSeq says what is newer: a version that goes back is a new count, and nothing is lost but the certainty.
#[test]
fn versions_only_find_gaps() {
    let partial = |version, state| dialogs(version, "partial", &dialog("1", state));
    let bodies = [
        partial("7", "trying"),
        dialogs("8", "full", ""),
        partial("9", "trying"),
        partial("11", "early"),
        partial("12", "confirmed"),
        dialogs("0", "full", &dialog("1", "early")),
        partial("1", "confirmed"),
        partial("1", "early"),
        dialogs("4294967295", "full", ""),
        partial("0", "early"),
        partial("", "confirmed"),
        partial("1", "early"),
        dialogs("", "full", &dialog("2", "early")),
        partial("2", "trying"),
    ];
    let found = course(DIALOGS, "dialog_state", &bodies.each_ref().map(String::as_str));
    let expected = [
        "trying gap",
        " whole",
        "trying whole",
        "early gap",
        "confirmed gap",
        "early whole",
        "confirmed whole",
        "early gap",
        " whole",
        "early whole",
        "confirmed whole",
        "early whole",
        "early whole",
        "early,trying gap",
    ];
    assert_eq!(found, expected);
}

#[test]
fn contacts_are_merged_inside_their_registrations() {
    let document = |version: u32, state: &str, inside: &str| {
        format!(
            "<r:reginfo xmlns:r='urn:ietf:params:xml:ns:reginfo' xmlns:g='urn:ietf:params:xml:ns:gruuinfo' version='{version}' state='{state}'>{inside}</r:reginfo>"
        )
    };
    let contact = |id: &str, state: &str| {
        format!(
            "<r:contact id='{id}' state='{state}' event='e'><r:uri>sip:{id}</r:uri><g:pub-gruu uri='{id}'/></r:contact>"
        )
    };
    let registration = |id: &str, state: &str, inside: &str| {
        format!("<r:registration id='{id}' aor='sip:{id}' state='{state}'>{inside}</r:registration>")
    };
    let bodies = [
        document(
            0,
            "full",
            &[registration("a", "active", &contact("1", "active")), registration("b", "init", "")].concat(),
        ),
        document(1, "partial", &registration("a", "active", &contact("2", "active"))),
        document(
            2,
            "partial",
            &[
                registration("b", "active", &contact("1", "active")),
                registration("a", "active", &contact("1", "terminated")),
            ]
            .concat(),
        ),
        document(3, "partial", &registration("b", "terminated", &contact("1", "terminated"))),
        document(4, "partial", ""),
    ];
    let bodies = bodies.each_ref().map(String::as_str);
    let expected = ["1 whole", "1,2 whole", "1,2,1 whole", "2,1 whole", "2 whole"];
    assert_eq!(course(REGISTRATIONS, "pub_gruu", &bodies), expected);
    let expected =
        ["active,init whole", "active,init whole", "active,active whole", "active,terminated whole", "active whole"];
    assert_eq!(course(REGISTRATIONS, "reg_state", &bodies), expected);
}

#[test]
fn watchers_are_merged_inside_their_lists() {
    let document = |version: u32, state: &str, inside: &str| {
        format!(
            "<watcherinfo xmlns='urn:ietf:params:xml:ns:watcherinfo' version='{version}' state='{state}'>{inside}</watcherinfo>"
        )
    };
    let list = |package: &str, id: &str, status: &str| {
        format!(
            "<watcher-list resource='sip:a@b' package='{package}'><watcher id='{id}' event='e' status='{status}'>sip:{package}.{id}</watcher></watcher-list>"
        )
    };
    let bodies = [
        document(0, "full", &list("presence", "1", "active")),
        document(1, "partial", &list("dialog", "1", "pending")),
        document(2, "partial", &list("presence", "1", "terminated")),
        document(3, "partial", &list("presence", "2", "waiting")),
    ];
    let expected = [
        "sip:presence.1 whole",
        "sip:presence.1,sip:dialog.1 whole",
        "sip:presence.1,sip:dialog.1 whole",
        "sip:presence.2,sip:dialog.1 whole",
    ];
    assert_eq!(course(WATCHERS, "watcher", &bodies.each_ref().map(String::as_str)), expected);
}

#[test]
fn the_merged_document_is_whole_text() {
    let first = next(None, DIALOGS, &dialogs("1", "full", &dialog("1", "early")));
    let merged = next(
        Some(&first),
        DIALOGS,
        "<d:dialog-info xmlns:d='urn:ietf:params:xml:ns:dialog-info' version=\"2\" state='partial' entity='sip:\"a\"@b'><d:dialog id='2'><d:state>trying</d:state></d:dialog></d:dialog-info>",
    );
    assert_eq!(
        String::from_utf8(merged.document).unwrap(),
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<dialog-info xmlns=\"urn:ietf:params:xml:ns:dialog-info\" version=\"2\" \
         entity='sip:\"a\"@b' state=\"full\">\n<dialog id='1'><state>early</state></dialog>\n\
         <d:dialog xmlns=\"\" xmlns:d=\"urn:ietf:params:xml:ns:dialog-info\" id='2'><d:state>trying</d:state></d:dialog>\n</dialog-info>"
    );
    // Whatever it came in: it is kept in UTF-8.
    let body = dialogs("1", "full", "<dialog id='\u{E9}'/>");
    let utf16: Vec<u8> = format!("\u{FEFF}<?xml version='1.0' encoding='UTF-16'?>{body}")
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let found = merge(DIALOGS.as_bytes(), None, &utf16, MAX_DOCUMENT).unwrap();
    assert_eq!(
        String::from_utf8(found.document).unwrap(),
        format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{body}")
    );
    // Formats without versions are passed on.
    let found = next(Some(&first), MESSAGES, "Messages-Waiting: no\r\n");
    assert_eq!(
        (found.document.as_slice(), found.content_type, found.is_whole),
        (&b"Messages-Waiting: no\r\n"[..], None, true)
    );
}

#[test]
fn what_cannot_be_merged_is_refused() {
    let whole = next(None, DIALOGS, &dialogs("1", "full", &dialog("1", "early")));
    let refused =
        |body: &str, limit: usize| merge(DIALOGS.as_bytes(), Some(whole.kept()), body.as_bytes(), limit).unwrap_err();
    assert_eq!(refused("<dialog-info state='partial'>", MAX_DOCUMENT).sip_status(), 400);
    assert_eq!(refused("<reginfo/>", MAX_DOCUMENT).sip_status(), 400);
    let partial = dialogs("2", "partial", &dialog("2", "early"));
    for end in 0..partial.len() {
        assert_eq!(refused(&partial[..end], MAX_DOCUMENT).sip_status(), 400, "{end}");
    }
    assert!(matches!(refused(&partial, partial.len()), DocumentError::TooLarge { .. }), "they do not fit together");
    // More and more dialogs that never end.
    let mut kept = whole.clone();
    let error = (2..).find_map(|version: u32| {
        let many: String = (0..500).map(|each| dialog(&format!("{version}.{each}"), "early")).collect();
        let body = dialogs(&version.to_string(), "partial", &many);
        match merge(DIALOGS.as_bytes(), Some(kept.kept()), body.as_bytes(), MAX_DOCUMENT) {
            Ok(merged) => kept = merged,
            Err(error) => return Some(error),
        }
        None
    });
    assert_eq!(
        error,
        Some(DocumentError::TooComplex { what: "elements, comments and processing instructions", limit: 8192 })
    );
    // A long namespace is not copied without end.
    let namespace = "u".repeat(50_000);
    let inside: String = (0..4000).map(|each| format!("<dialog id='{each}' p:a=''/>")).collect();
    let body = dialogs("2", "partial", &inside).replace(" version", &format!(" xmlns:p='{namespace}' version"));
    assert!(matches!(refused(&body, MAX_DOCUMENT), DocumentError::TooLarge { .. }));
    // What was kept and is no document any more counts as nothing.
    let kept = MergedDocument { document: b"<dialog-info>".to_vec(), ..whole };
    let found = next(Some(&kept), DIALOGS, &partial);
    assert_eq!((found.is_whole, found.version), (false, Some(2)));
}
