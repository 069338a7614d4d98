//! What the module writes, held against what it and a parser of XML read of it.

use proptest::prelude::*;
use roxmltree::Document as Tree;

use super::formats::{REGISTRATIONS, read};
use crate::document::reginfo::{RegInfo, RegisteredContact, Registration};
use crate::document::{Document, Version};

/// Texts of peers: markup, white space inside, characters that XML has not, and those beyond 16 bits.
pub(super) fn texts() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "sip:a@b",
        "<",
        ">",
        "&",
        "\"",
        "'",
        "]]>",
        "<!--",
        "&amp;",
        "\r\n",
        "\t",
        " ",
        "\u{0}",
        "\u{1F}",
        "\u{FFFE}",
        "\u{7F}",
        "\u{E9}",
        "\u{1F600}",
        "x",
    ]);
    prop::collection::vec(pieces, 0..6).prop_map(|pieces| pieces.concat())
}

pub(super) fn some<S: Strategy<Value: Clone>>(of: S) -> impl Strategy<Value = Option<S::Value>> {
    prop::option::of(of)
}

fn contacts() -> impl Strategy<Value = RegisteredContact> {
    let words = (texts(), texts(), texts(), texts());
    let numbers = (some(any::<u64>()), some(any::<u64>()), some(any::<u64>()), some(any::<u32>()));
    let others = (some(texts()), some(texts()), some(texts()), some(texts()));
    let params = prop::collection::vec((texts(), texts()), 0..3);
    (words, numbers, others, params, some((texts(), some(any::<u32>())))).prop_map(
        |(
            (id, state, event, uri),
            (duration_registered, expires, retry_after, cseq),
            others,
            unknown_params,
            temp_gruu,
        )| {
            let (q, call_id, display_name, pub_gruu) = others;
            RegisteredContact {
                id,
                state,
                event,
                uri,
                duration_registered,
                expires,
                retry_after,
                q,
                call_id,
                cseq,
                display_name,
                unknown_params,
                pub_gruu,
                temp_gruu,
            }
        },
    )
}

fn documents() -> impl Strategy<Value = RegInfo> {
    let registration = (texts(), texts(), texts(), prop::collection::vec(contacts(), 0..4))
        .prop_map(|(aor, id, state, contacts)| Registration { aor, id, state, contacts });
    (any::<(u32, bool)>(), prop::collection::vec(registration, 0..3)).prop_map(|((number, is_full), registrations)| {
        RegInfo { version: Some(Version { number, is_full }), registrations }
    })
}

/// A text as the reader gives it: without the white space around it, and without what XML cannot say.
pub(super) fn as_read(text: &str) -> String {
    text.replace(['\u{0}', '\u{1F}', '\u{FFFE}'], "\u{FFFD}").trim().to_owned()
}

fn all_as_read(mut info: RegInfo) -> RegInfo {
    for registration in &mut info.registrations {
        for text in [&mut registration.aor, &mut registration.id, &mut registration.state] {
            *text = as_read(text);
        }
        for contact in &mut registration.contacts {
            for text in [&mut contact.id, &mut contact.state, &mut contact.event, &mut contact.uri] {
                *text = as_read(text);
            }
            let others = [&mut contact.q, &mut contact.call_id, &mut contact.display_name, &mut contact.pub_gruu];
            others.into_iter().flatten().for_each(|text| *text = as_read(text));
            contact.temp_gruu.iter_mut().for_each(|(uri, _)| *uri = as_read(uri));
            contact.unknown_params.iter_mut().for_each(|(name, value)| {
                (*name, *value) = (as_read(name), as_read(value));
            });
        }
    }
    info
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(info in documents()) {
        let xml = info.to_xml();
        prop_assert!(Tree::parse(&xml).is_ok(), "{xml}");
        prop_assert_eq!(read(REGISTRATIONS, xml.as_bytes()), Some(Document::Registrations(all_as_read(info))), "{}", xml);
    }
}

#[test]
fn a_document_has_the_form_of_the_schema() {
    let contact = RegisteredContact {
        id: "c1".to_owned(),
        state: "active".to_owned(),
        event: "registered".to_owned(),
        uri: "sip:alice@192.0.2.1;a=\"<&\"".to_owned(),
        expires: Some(60),
        q: Some("0.5".to_owned()),
        unknown_params: vec![("+sip.instance".to_owned(), "\"<urn:uuid:1>\"".to_owned())],
        pub_gruu: Some("sip:alice@example.com;gr=1".to_owned()),
        ..RegisteredContact::default()
    };
    let registration = Registration {
        aor: "sip:alice@example.com".to_owned(),
        id: "r1".to_owned(),
        state: "active".to_owned(),
        contacts: vec![contact],
    };
    let info = RegInfo { version: Some(Version { number: 7, is_full: true }), registrations: vec![registration] };
    let written = concat!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n",
        "<reginfo xmlns=\"urn:ietf:params:xml:ns:reginfo\" xmlns:gr=\"urn:ietf:params:xml:ns:gruuinfo\" version=\"7\" state=\"full\">",
        "<registration aor=\"sip:alice@example.com\" id=\"r1\" state=\"active\">",
        "<contact id=\"c1\" state=\"active\" event=\"registered\" expires=\"60\" q=\"0.5\">",
        "<uri>sip:alice@192.0.2.1;a=&quot;&lt;&amp;&quot;</uri>",
        "<unknown-param name=\"+sip.instance\">&quot;&lt;urn:uuid:1&gt;&quot;</unknown-param>",
        "<gr:pub-gruu uri=\"sip:alice@example.com;gr=1\"/></contact></registration></reginfo>",
    );
    assert_eq!(info.to_xml(), written);
}
