//! The dialogs of a user for C.

use std::ffi::{c_int, c_uint};

use super::document_types::{CDialog, CDialogSide, CDialogs, CIdentity};
use super::pinned::{Pinned, number_or_none, place, text, text_or_none};
use crate::document::{DialogEntry, DialogIdentity, DialogInfo, DialogSide};

/// The face of a document of RFC 4235.
pub(super) fn face(pinned: &mut Pinned, info: &DialogInfo) -> *const CDialogs {
    let dialogs = info.dialogs.iter().map(|each| dialog(pinned, each)).collect();
    let dialogs = pinned.list(dialogs);
    let shown = info.lamp().and_then(|lamp| info.dialogs.iter().position(|each| std::ptr::eq(each, lamp)));
    let face = CDialogs {
        size: size_of::<CDialogs>() as c_uint,
        place: place(info.version),
        entity: text(&info.entity),
        lamp: shown.map_or(std::ptr::null(), |index| dialogs.items.wrapping_add(index)),
        dialogs,
    };
    pinned.one(face)
}

fn dialog(pinned: &mut Pinned, dialog: &DialogEntry) -> CDialog {
    let replaces = dialog.replaces.as_ref();
    CDialog {
        id: text(&dialog.id),
        call_id: text_or_none(dialog.call_id.as_ref()),
        local_tag: text_or_none(dialog.local_tag.as_ref()),
        remote_tag: text_or_none(dialog.remote_tag.as_ref()),
        direction: text_or_none(dialog.direction.as_ref()),
        state: text(&dialog.state),
        event: text_or_none(dialog.event.as_ref()),
        code: dialog.code.map_or(-1, c_int::from),
        has_replaces: replaces.is_some().into(),
        duration: number_or_none(dialog.duration),
        replaces_call_id: text_or_none(replaces.map(|each| &each.call_id)),
        replaces_local_tag: text_or_none(replaces.map(|each| &each.local_tag)),
        replaces_remote_tag: text_or_none(replaces.map(|each| &each.remote_tag)),
        referred_by: identity(dialog.referred_by.as_ref()),
        route_set: pinned.texts(&dialog.route_set),
        local: side(pinned, &dialog.local),
        remote: side(pinned, &dialog.remote),
    }
}

fn side(pinned: &mut Pinned, side: &DialogSide) -> CDialogSide {
    let session = side.session.as_ref();
    let params = side.params.iter().map(|(name, value)| (name.as_str(), value.as_deref().unwrap_or_default()));
    CDialogSide {
        identity: identity(side.identity.as_ref()),
        target: text_or_none(side.target.as_ref()),
        params: pinned.pairs(params),
        session_type: text_or_none(session.and_then(|(media_type, _)| media_type.as_ref())),
        session: text_or_none(session.map(|(_, description)| description)),
        cseq: number_or_none(side.cseq),
    }
}

fn identity(identity: Option<&DialogIdentity>) -> CIdentity {
    CIdentity {
        uri: text_or_none(identity.map(|each| &each.uri)),
        display: text_or_none(identity.and_then(|each| each.display.as_ref())),
    }
}
