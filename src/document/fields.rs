//! The fields of documents as they are declared. Uses nothing of the module, so that the tests can read it as well.

/// A field of the documents of one format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DocumentField {
    /// The media type of the documents that have it.
    pub format: &'static str,
    /// Its name.
    pub name: &'static str,
    /// What it says, without an index; with an index it is the n-th in document order where there are several.
    pub meaning: &'static str,
}

/// All fields, by format.
pub const FIELDS: &[DocumentField] = &[
    presence("basic", "`open` if any tuple is open, else `closed` if any is closed, else `unknown`"),
    presence("note", "the first note that says something: of the presentity, else of a tuple, else of a person"),
    presence("activity", "the first activity of a person, else of a tuple, such as `away`"),
    presence("mood", "the first mood of a person, else of a tuple, such as `happy`"),
    presence("entity", "the URI of the presentity"),
    presence("contact", "the contact of the tuple that `basic` is taken from"),
    presence("tuple_id", "the id of the tuple that `basic` is taken from"),
    presence("tuple_basic", "the state of the tuple that `basic` is taken from"),
    dialog(
        "dialog_state",
        "the state that a lamp shows: of the dialogs the one nearest to a conversation, `confirmed`, `early`, `proceeding`, `trying`, `terminated`; `terminated` if there is no dialog",
    ),
    dialog(
        "direction",
        "`initiator` or `recipient`: whether the user calls or is called, in the dialog of `dialog_state`",
    ),
    dialog("remote_uri", "the URI of the other side of that dialog"),
    dialog("remote_name", "the display name of the other side"),
    dialog("local_uri", "the URI of the user in that dialog"),
    dialog("call_id", "the Call-ID of that dialog"),
    dialog("dialog_id", "the id of that dialog in the documents"),
    dialog("local_tag", "the tag of the user's side"),
    dialog("remote_tag", "the tag of the other side"),
    dialog("dialogs", "the number of dialogs in the document"),
    registration("contacts", "the number of active contacts"),
    registration("contact", "the URI of the first active contact; if none is active, of the first contact"),
    registration("contact_event", "what happened to that contact, such as `registered` or `expired`"),
    registration("contact_state", "`active` or `terminated`: the state of that contact"),
    registration("aor", "the address of record that the contact belongs to; with an index, of the n-th registration"),
    registration(
        "reg_state",
        "`init`, `active` or `terminated`: the state of that registration; with an index, of the n-th registration",
    ),
    registration("pub_gruu", "the public GRUU of that contact"),
    registration("temp_gruu", "the temporary GRUU of that contact"),
    registration("expires", "the seconds until that contact expires"),
    watchers("watchers", "the number of watchers whose subscription has not ended"),
    watchers(
        "watcher",
        "the URI of the first watcher whose subscription has not ended; if all have ended, of the first watcher",
    ),
    watchers("watcher_status", "`pending`, `active`, `waiting` or `terminated`: the status of that watcher"),
    watchers("watcher_event", "what led to that status, such as `subscribe` or `timeout`"),
    messages("waiting", "`yes` or `no`: whether messages are waiting"),
    messages("account", "the URI of the account"),
    messages("voice_new", "the number of new voice messages"),
    messages("voice_old", "the number of old voice messages"),
    messages("voice_urgent_new", "the number of new voice messages that are urgent"),
    messages("voice_urgent_old", "the number of old voice messages that are urgent"),
    messages("fax_new", "the number of new faxes"),
    messages("fax_old", "the number of old faxes"),
    messages("fax_urgent_new", "the number of new faxes that are urgent"),
    messages("fax_urgent_old", "the number of old faxes that are urgent"),
    messages("pager_new", "the number of new pager messages"),
    messages("pager_old", "the number of old pager messages"),
    messages("pager_urgent_new", "the number of new pager messages that are urgent"),
    messages("pager_urgent_old", "the number of old pager messages that are urgent"),
    messages("multimedia_new", "the number of new multimedia messages"),
    messages("multimedia_old", "the number of old multimedia messages"),
    messages("multimedia_urgent_new", "the number of new multimedia messages that are urgent"),
    messages("multimedia_urgent_old", "the number of old multimedia messages that are urgent"),
    messages("text_new", "the number of new text messages"),
    messages("text_old", "the number of old text messages"),
    messages("text_urgent_new", "the number of new text messages that are urgent"),
    messages("text_urgent_old", "the number of old text messages that are urgent"),
    messages("video_new", "the number of new video messages"),
    messages("video_old", "the number of old video messages"),
    messages("video_urgent_new", "the number of new video messages that are urgent"),
    messages("video_urgent_old", "the number of old video messages that are urgent"),
    messages("none_new", "the number of new messages of class `none`"),
    messages("none_old", "the number of old messages of class `none`"),
    messages("none_urgent_new", "the number of new messages of class `none` that are urgent"),
    messages("none_urgent_old", "the number of old messages of class `none` that are urgent"),
];

const fn presence(name: &'static str, meaning: &'static str) -> DocumentField {
    DocumentField { format: "application/pidf+xml", name, meaning }
}

const fn dialog(name: &'static str, meaning: &'static str) -> DocumentField {
    DocumentField { format: "application/dialog-info+xml", name, meaning }
}

const fn registration(name: &'static str, meaning: &'static str) -> DocumentField {
    DocumentField { format: "application/reginfo+xml", name, meaning }
}

const fn watchers(name: &'static str, meaning: &'static str) -> DocumentField {
    DocumentField { format: "application/watcherinfo+xml", name, meaning }
}

const fn messages(name: &'static str, meaning: &'static str) -> DocumentField {
    DocumentField { format: "application/simple-message-summary", name, meaning }
}
