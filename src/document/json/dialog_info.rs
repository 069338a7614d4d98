//! The dialogs of a user agent as JSON.

use serde_json::Value;

use super::Members;
use crate::document::dialog_info::{DialogEntry, DialogIdentity, DialogInfo, DialogSide, ReplacedDialog};

pub(super) fn of(info: &DialogInfo) -> Value {
    Members::versioned("dialog-info", info.version)
        .text("entity", info.entity.as_str())
        .list("dialogs", info.dialogs.iter().map(dialog))
        .into()
}

fn dialog(dialog: &DialogEntry) -> Members {
    Members::default()
        .text("id", dialog.id.as_str())
        .text("call_id", dialog.call_id.as_deref())
        .text("local_tag", dialog.local_tag.as_deref())
        .text("remote_tag", dialog.remote_tag.as_deref())
        .text("direction", dialog.direction.as_deref())
        .text("state", dialog.state.as_str())
        .text("event", dialog.event.as_deref())
        .number("code", dialog.code)
        .number("duration", dialog.duration)
        .object("replaces", dialog.replaces.as_ref().map(replaces))
        .object("referred_by", dialog.referred_by.as_ref().map(identity))
        .list_if_any("route_set", dialog.route_set.iter().map(String::as_str))
        .object("local", Some(side(&dialog.local)))
        .object("remote", Some(side(&dialog.remote)))
}

fn replaces(dialog: &ReplacedDialog) -> Members {
    Members::default()
        .text("call_id", dialog.call_id.as_str())
        .text("local_tag", dialog.local_tag.as_str())
        .text("remote_tag", dialog.remote_tag.as_str())
}

fn side(side: &DialogSide) -> Members {
    let param = |(name, value): &(String, Option<String>)| {
        Members::default().text("name", name.as_str()).text("value", value.as_deref())
    };
    let session = side.session.as_ref().map(|(media_type, description)| {
        Members::default().text("type", media_type.as_deref()).text("description", description.as_str())
    });
    Members::default()
        .object("identity", side.identity.as_ref().map(identity))
        .text("target", side.target.as_deref())
        .list_if_any("params", side.params.iter().map(param))
        .object("session", session)
        .number("cseq", side.cseq)
}

fn identity(identity: &DialogIdentity) -> Members {
    Members::default().text("uri", identity.uri.as_str()).text("display", identity.display.as_deref())
}
