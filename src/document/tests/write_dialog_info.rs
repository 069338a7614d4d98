//! What the module writes of dialogs, held against what it and a parser of XML read of it.

use proptest::prelude::*;
use roxmltree::Document as Tree;

use super::formats::{DIALOGS, read};
use super::write_reginfo::{as_read, some, texts};
use crate::document::dialog_info::{DialogEntry, DialogIdentity, DialogInfo, DialogSide, ReplacedDialog};
use crate::document::{Document, Version};

fn identities() -> impl Strategy<Value = DialogIdentity> {
    (texts(), some(texts())).prop_map(|(uri, display)| DialogIdentity { uri, display })
}

fn sides() -> impl Strategy<Value = DialogSide> {
    let params = prop::collection::vec((texts(), some(texts())), 0..3);
    (some(identities()), some(texts()), params, some((some(texts()), texts())), some(any::<u32>())).prop_map(
        |(identity, target, params, session, cseq)| {
            // Parameters are those of a target.
            let params = if target.is_some() { params } else { Vec::new() };
            DialogSide { identity, target, params, session, cseq }
        },
    )
}

fn dialogs() -> impl Strategy<Value = DialogEntry> {
    let replaces = (texts(), texts(), texts()).prop_map(|(call_id, local_tag, remote_tag)| ReplacedDialog {
        call_id,
        local_tag,
        remote_tag,
    });
    let names = (texts(), some(texts()), some(texts()), some(texts()), some(texts()));
    let state = (texts(), some(texts()), some(any::<u16>()), some(any::<u64>()));
    let others = (some(replaces), some(identities()), prop::collection::vec(texts(), 0..3));
    (names, state, others, sides(), sides()).prop_map(|(names, state, others, local, remote)| {
        let (id, call_id, local_tag, remote_tag, direction) = names;
        let (state, event, code, duration) = state;
        let (replaces, referred_by, route_set) = others;
        DialogEntry {
            id,
            call_id,
            local_tag,
            remote_tag,
            direction,
            state,
            event,
            code,
            duration,
            replaces,
            referred_by,
            route_set,
            local,
            remote,
        }
    })
}

fn documents() -> impl Strategy<Value = DialogInfo> {
    (any::<(u32, bool)>(), texts(), prop::collection::vec(dialogs(), 0..3)).prop_map(
        |((number, is_full), entity, dialogs)| DialogInfo {
            version: Some(Version { number, is_full }),
            entity,
            dialogs,
        },
    )
}

fn read_side(side: &mut DialogSide) {
    if let Some(identity) = &mut side.identity {
        read_identity(identity);
    }
    side.target.iter_mut().for_each(|target| *target = as_read(target));
    for (name, value) in &mut side.params {
        *name = as_read(name);
        value.iter_mut().for_each(|value| *value = as_read(value));
    }
    if let Some((kind, description)) = &mut side.session {
        kind.iter_mut().for_each(|kind| *kind = as_read(kind));
        *description = as_read(description);
    }
}

fn read_identity(identity: &mut DialogIdentity) {
    identity.uri = as_read(&identity.uri);
    identity.display.iter_mut().for_each(|display| *display = as_read(display));
}

fn all_as_read(mut info: DialogInfo) -> DialogInfo {
    info.entity = as_read(&info.entity);
    for dialog in &mut info.dialogs {
        let DialogEntry { id, call_id, local_tag, remote_tag, direction, state, event, .. } = dialog;
        [id, state].into_iter().for_each(|text| *text = as_read(text));
        let optional = [call_id, local_tag, remote_tag, direction, event];
        optional.into_iter().flatten().for_each(|text| *text = as_read(text));
        if let Some(ReplacedDialog { call_id, local_tag, remote_tag }) = &mut dialog.replaces {
            [call_id, local_tag, remote_tag].into_iter().for_each(|text| *text = as_read(text));
        }
        dialog.referred_by.iter_mut().for_each(read_identity);
        dialog.route_set.iter_mut().for_each(|hop| *hop = as_read(hop));
        read_side(&mut dialog.local);
        read_side(&mut dialog.remote);
    }
    info
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(info in documents()) {
        let xml = info.to_xml();
        prop_assert!(Tree::parse(&xml).is_ok(), "{xml}");
        prop_assert_eq!(read(DIALOGS, xml.as_bytes()), Some(Document::Dialogs(all_as_read(info))), "{}", xml);
    }
}

#[test]
fn a_document_has_the_form_of_the_schema() {
    let side = |display: Option<&str>, uri: &str, target: &str| DialogSide {
        identity: Some(DialogIdentity { uri: uri.to_owned(), display: display.map(str::to_owned) }),
        target: Some(target.to_owned()),
        ..DialogSide::default()
    };
    let dialog = DialogEntry {
        id: "d1".to_owned(),
        call_id: Some("a&b".to_owned()),
        direction: Some("initiator".to_owned()),
        state: "early".to_owned(),
        local: side(Some("Al <ice>"), "sip:alice@example.com", "sip:alice@192.0.2.1"),
        ..DialogEntry::default()
    };
    let version = Some(Version { number: 3, is_full: true });
    let info = DialogInfo { version, entity: "sip:alice@example.com".to_owned(), dialogs: vec![dialog] };
    let written = concat!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n",
        "<dialog-info xmlns=\"urn:ietf:params:xml:ns:dialog-info\" version=\"3\" state=\"full\" entity=\"sip:alice@example.com\">",
        "<dialog id=\"d1\" call-id=\"a&amp;b\" direction=\"initiator\"><state>early</state>",
        "<local><identity display=\"Al &lt;ice&gt;\">sip:alice@example.com</identity><target uri=\"sip:alice@192.0.2.1\"/></local>",
        "</dialog></dialog-info>",
    );
    assert_eq!(info.to_xml(), written);
}
