use proptest::prelude::*;

use super::samples;
use crate::document::{PublishedPackage, RehomeError};

const HOME: &str = "sip:desk@local.example";
const PIDF: &[u8] = b"application/pidf+xml";
const DIALOGS: &[u8] = b"application/dialog-info+xml;charset=utf-8";
const SUMMARY: &[u8] = b"application/simple-message-summary";

fn moved(package: PublishedPackage, content_type: &[u8], body: &[u8]) -> Result<String, RehomeError> {
    let moved = package.rehome(content_type, body, HOME, 65536)?;
    Ok(String::from_utf8(moved.document).unwrap())
}

#[test]
fn only_the_entity_changes() {
    let before = "<?xml version='1.0'?>\n<!-- a > b -->\n<p:presence  xmlns:p=\"urn:ietf:params:xml:ns:pidf\" entity = 'pres:a@x' \
                  p:entity=\"other\" >\n <p:tuple id='1'><p:note entity=\"x\">a&#233;<![CDATA[<]]></p:note></p:tuple></p:presence><!--e-->";
    let after = before.replace("'pres:a@x'", "'sip:desk@local.example'");
    assert_eq!(moved(PublishedPackage::Presence, PIDF, before.as_bytes()).unwrap(), after);
    let before = "<dialog-info xmlns=\"urn:ietf:params:xml:ns:dialog-info\" version=\"7\" state=\"full\" entity=\"sip:a@x\">\
                  <dialog id=\"1\"><state>early</state></dialog></dialog-info>";
    let after = before.replace("sip:a@x", HOME);
    assert_eq!(moved(PublishedPackage::Dialog, DIALOGS, before.as_bytes()).unwrap(), after);
}

/// Its presence server takes the dialogs out of their document.
#[test]
fn a_dialog_declares_the_namespaces_that_it_uses() {
    let dialogs = |root: &str, children: &str| {
        let text = format!("<{root} entity='sip:desk@local.example'>{children}</{}>", root.split(' ').next().unwrap());
        let once = moved(PublishedPackage::Dialog, DIALOGS, text.as_bytes()).unwrap();
        assert_eq!(moved(PublishedPackage::Dialog, DIALOGS, once.as_bytes()).unwrap(), once);
        once.replace(&text[..text.find('>').unwrap()], "").replace("</dialog-info>", "").split_off(1)
    };
    let usual = "dialog-info xmlns='urn:ietf:params:xml:ns:dialog-info' xmlns:sa='urn:sa' xmlns:xsi='urn:xsi'";
    assert_eq!(
        dialogs(usual, "\n<dialog id='1'><sa:a b='c'/></dialog> <dialog id='2'/><!--e-->"),
        "\n<dialog xmlns:sa=\"urn:sa\" id='1'><sa:a b='c'/></dialog> <dialog id='2'/><!--e-->"
    );
    let own = "<dialog xmlns:sa='urn:other' id='1' sa:x='1'/>";
    assert_eq!(dialogs(usual, own), own);
    let prefixed =
        "d:dialog-info xmlns:d='urn:ietf:params:xml:ns:dialog-info' xmlns='urn:ietf:params:xml:ns:dialog-info'";
    assert_eq!(
        dialogs(prefixed, "<d:dialog id='1'/><dialog id='2'/>").replace("</d:dialog-info>", ""),
        "<d:dialog xmlns:d=\"urn:ietf:params:xml:ns:dialog-info\" id='1'/><dialog id='2'/>"
    );
    assert_eq!(dialogs("dialog-info", "<dialog id='1'/>"), "<dialog id='1'/>");
}

/// What the declarations come to is bounded.
#[test]
fn declarations_do_not_multiply_a_document() {
    let dialogs: String = (0..500).map(|id| format!("<dialog id='{id}'><a:b/></dialog>")).collect();
    let text = format!(
        "<dialog-info xmlns='urn:ietf:params:xml:ns:dialog-info' xmlns:a='urn:{}' entity='sip:a@x'>{dialogs}</dialog-info>",
        "a".repeat(30_000)
    );
    let moved = moved(PublishedPackage::Dialog, DIALOGS, text.as_bytes());
    assert!(matches!(moved, Err(RehomeError::Document(_))), "{moved:?}");
}

#[test]
fn a_missing_entity_is_added_and_special_characters_are_escaped() {
    let body = b"<dialog-info xmlns='urn:ietf:params:xml:ns:dialog-info' version='0' state='full'/>";
    let uri = "sip:a&b'\"@x";
    let moved = PublishedPackage::Dialog.rehome(DIALOGS, body, uri, 65536).unwrap();
    let text = String::from_utf8(moved.document).unwrap();
    assert!(text.starts_with("<dialog-info entity=\"sip:a&amp;b&apos;&quot;@x\" xmlns="), "{text}");
    for empty in [PublishedPackage::Presence, PublishedPackage::Dialog] {
        for document in [empty.unknown(uri), empty.ended(uri)] {
            let kind = if empty == PublishedPackage::Dialog { DIALOGS } else { PIDF };
            assert_eq!(empty.rehome(kind, &document, uri, 65536).unwrap().document, document);
        }
    }
}

#[test]
fn the_account_is_replaced_wherever_it_is() {
    let before = "Messages-Waiting: yes\r\nMESSAGE-ACCOUNT :sip:a@x;\r\n  p=1\r\nVoice-Message: 2/8 (0/2)\r\n\r\nTo: <sip:a@x>\r\n\
                  Message-Account: kept\r\n";
    let after = "Messages-Waiting: yes\r\nMESSAGE-ACCOUNT : sip:desk@local.example\r\nVoice-Message: 2/8 (0/2)\r\n\r\nTo: <sip:a@x>\r\n\
                 Message-Account: kept\r\n";
    assert_eq!(moved(PublishedPackage::MessageSummary, SUMMARY, before.as_bytes()).unwrap(), after);
    let without = "Messages-Waiting: no\r\n";
    assert_eq!(moved(PublishedPackage::MessageSummary, SUMMARY, without.as_bytes()).unwrap(), without);
}

#[test]
fn the_version_says_nothing_of_the_state() {
    let document = |version: u32, state: &str| {
        format!(
            "<dialog-info xmlns='urn:ietf:params:xml:ns:dialog-info' version='{version}' state='full' entity='sip:a@x'>\
             <dialog id='1'><state>{state}</state></dialog></dialog-info>"
        )
    };
    let meaning = |version, state| {
        let document = document(version, state);
        PublishedPackage::Dialog.rehome(DIALOGS, document.as_bytes(), HOME, 65536).unwrap().meaning
    };
    assert_eq!(meaning(1, "early"), meaning(2, "early"));
    assert_ne!(meaning(1, "early"), meaning(1, "confirmed"));
}

#[test]
fn other_encodings_become_utf_8() {
    let body = b"<?xml version='1.0' encoding='ISO-8859-1'?><presence xmlns='urn:ietf:params:xml:ns:pidf' entity='a'><note>\xe9</note></presence>";
    let text = moved(PublishedPackage::Presence, PIDF, body).unwrap();
    assert!(
        text.starts_with("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<presence ") && text.contains("<note>é</note>"),
        "{text}"
    );
}

#[test]
fn what_the_modules_behind_could_not_use_is_refused() {
    let presence = |inside: &str| {
        let body = format!("<presence xmlns='urn:ietf:params:xml:ns:pidf' entity='a'>{inside}</presence>");
        moved(PublishedPackage::Presence, PIDF, body.as_bytes())
    };
    assert!(presence("<tuple id='1'/><tuple id='1'/>").is_ok());
    for nameless in ["<tuple/>", "<tuple id=''/>", "<x:Tuple xmlns:x='y'/>"] {
        assert_eq!(presence(nameless), Err(RehomeError::NoId("tuple")), "{nameless}");
    }
    let twice = "<dialog-info xmlns='urn:ietf:params:xml:ns:dialog-info' version='1' state='full' entity='a'><dialog id='1'/>\
                 <dialog id='2'/><dialog id='1'/></dialog-info>";
    assert_eq!(moved(PublishedPackage::Dialog, DIALOGS, twice.as_bytes()), Err(RehomeError::Twice("1".into())));
    assert!(matches!(moved(PublishedPackage::Dialog, PIDF, twice.as_bytes()), Err(RehomeError::Type(_))));
    assert!(matches!(moved(PublishedPackage::Dialog, DIALOGS, b"<!DOCTYPE a><a/>"), Err(RehomeError::Document(_))));
    assert!(matches!(moved(PublishedPackage::Dialog, DIALOGS, b""), Err(RehomeError::Document(_))));
    let zero = b"Messages-Waiting: \0 yes\r\n";
    assert_eq!(moved(PublishedPackage::MessageSummary, SUMMARY, zero), Err(RehomeError::Zero));
}

proptest! {
    #[test]
    fn once_is_enough(document in samples::presence_document(), uri in "sip:[a-z&'\"<]{1,8}@[a-z]{1,9}") {
        let once = PublishedPackage::Presence.rehome(PIDF, document.as_bytes(), &uri, 1 << 20);
        if let Ok(once) = once {
            let twice = PublishedPackage::Presence.rehome(PIDF, &once.document, &uri, 1 << 20).unwrap();
            prop_assert_eq!(twice, once);
        }
    }

    #[test]
    fn once_is_enough_for_lines(text in "[ -~\r\n]{0,200}") {
        if let Ok(once) = PublishedPackage::MessageSummary.rehome(SUMMARY, text.as_bytes(), HOME, 1 << 20) {
            prop_assert_eq!(PublishedPackage::MessageSummary.rehome(SUMMARY, &once.document, HOME, 1 << 20).unwrap(), once);
        }
    }
}
