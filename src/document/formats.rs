//! The formats of documents that the module looks into, one row each.

use super::content_type::ContentType;
use super::dialog_info::DialogInfo;
use super::error::DocumentError;
use super::message_summary::{MESSAGE_SUMMARY, MessageSummary};
use super::presentity::Presentity;
use super::reginfo::RegInfo;
use super::root::read_root;
use super::scan::RootElement;
use super::typed::Document;
use super::version::Version;
use super::watcherinfo::WatcherInfo;

/// The media type of presence documents (RFC 3863 §5).
pub const PIDF_XML: &str = "application/pidf+xml";

/// Namespace of presence documents (RFC 3863 §4.1.1).
pub(super) const PIDF: &str = "urn:ietf:params:xml:ns:pidf";

/// Namespace of watcherinfo documents (RFC 3858 §4.1).
pub(super) const WATCHERINFO: &str = "urn:ietf:params:xml:ns:watcherinfo";

/// Namespace of registration documents (RFC 3680 §5.1).
pub(super) const REGINFO: &str = "urn:ietf:params:xml:ns:reginfo";

/// Namespace of dialog documents (RFC 4235 §4.1).
pub(super) const DIALOG_INFO: &str = "urn:ietf:params:xml:ns:dialog-info";

/// Namespace of presence documents that tell what has changed (RFC 5262 §3).
pub(super) const PIDF_DIFF: &str = "urn:ietf:params:xml:ns:pidf-diff";

/// The root of those that tell all.
const FULL_PRESENCE: &str = "pidf-full";

/// A format of documents.
pub(super) struct Format {
    /// The media type that a Content-Type names.
    pub(super) media_type: &'static str,
    pub(super) syntax: FormatSyntax,
}

/// How documents of a format are written.
pub(super) enum FormatSyntax {
    Xml(XmlFormat),
    /// Lines of text. There is none that cannot be read: what is unknown is skipped.
    Plain(fn(&str) -> Document),
}

/// A format of XML documents.
pub(super) struct XmlFormat {
    /// The root element of its documents, and the namespace that it is in.
    pub(super) root: &'static str,
    pub(super) namespace: &'static str,
    /// Whether the root says of each document where it belongs in the sequence (see [`Version`]).
    pub(super) has_versions: bool,
    /// Reads a document; none when the module looks at its root only.
    pub(super) read: Option<ReadDocument>,
    pub(super) changes: DocumentChanges,
}

/// How documents say what has changed since the one before.
#[derive(Clone, Copy)]
pub(super) enum DocumentChanges {
    /// Each document tells all.
    None,
    /// By elements with names.
    Keyed(&'static KeyedElements),
    /// By operations; documents that tell all have this root.
    Patches { full_root: &'static str },
}

/// Elements of which each has a name of its own in the documents of one subscription.
pub(super) struct KeyedElements {
    pub(super) local: &'static str,
    /// The attributes that name one.
    pub(super) keys: &'static [&'static str],
    pub(super) ended: EndOfElement,
    /// The elements inside, if those are told one by one as well.
    pub(super) inside: Option<&'static KeyedElements>,
}

/// What says that an element is told for the last time, by the word `terminated`.
pub(super) enum EndOfElement {
    Never,
    Attribute(&'static str),
    Child(&'static str),
}

/// Reads a document whose text and root have passed [`XmlFormat::check`]; the last value is how many bytes its body may have.
pub(super) type ReadDocument = fn(&str, &RootElement<'_>, usize) -> Result<Document, DocumentError>;

const PRESENCE: XmlFormat = XmlFormat {
    root: "presence",
    namespace: PIDF,
    has_versions: false,
    read: Some(|text, root, max_bytes| Presentity::of(text, root, max_bytes).map(Document::Presence)),
    changes: DocumentChanges::None,
};

/// RFC 4235 §4.3.
const DIALOGS: KeyedElements =
    KeyedElements { local: "dialog", keys: &["id"], ended: EndOfElement::Child("state"), inside: None };

/// RFC 3680 §5.1.
const REGISTRATIONS: KeyedElements = KeyedElements {
    local: "registration",
    keys: &["id"],
    ended: EndOfElement::Attribute("state"),
    inside: Some(&KeyedElements {
        local: "contact",
        keys: &["id"],
        ended: EndOfElement::Attribute("state"),
        inside: None,
    }),
};

/// RFC 3858 §4.5.
const WATCHER_LISTS: KeyedElements = KeyedElements {
    local: "watcher-list",
    keys: &["resource", "package"],
    ended: EndOfElement::Never,
    inside: Some(&KeyedElements {
        local: "watcher",
        keys: &["id"],
        ended: EndOfElement::Attribute("status"),
        inside: None,
    }),
};

static ALL: [Format; 6] = [
    Format { media_type: PIDF_XML, syntax: FormatSyntax::Xml(PRESENCE) },
    Format {
        media_type: "application/dialog-info+xml",
        syntax: FormatSyntax::Xml(XmlFormat {
            root: "dialog-info",
            namespace: DIALOG_INFO,
            has_versions: true,
            read: Some(|text, root, _| Ok(Document::Dialogs(DialogInfo::read(text, root)))),
            changes: DocumentChanges::Keyed(&DIALOGS),
        }),
    },
    Format {
        media_type: "application/reginfo+xml",
        syntax: FormatSyntax::Xml(XmlFormat {
            root: "reginfo",
            namespace: REGINFO,
            has_versions: true,
            read: Some(|text, root, _| Ok(Document::Registrations(RegInfo::read(text, root)))),
            changes: DocumentChanges::Keyed(&REGISTRATIONS),
        }),
    },
    Format {
        media_type: "application/watcherinfo+xml",
        syntax: FormatSyntax::Xml(XmlFormat {
            root: "watcherinfo",
            namespace: WATCHERINFO,
            has_versions: true,
            read: Some(|text, root, _| Ok(Document::Watchers(WatcherInfo::read(text, root)))),
            changes: DocumentChanges::Keyed(&WATCHER_LISTS),
        }),
    },
    Format {
        media_type: "application/pidf-diff+xml",
        syntax: FormatSyntax::Xml(XmlFormat {
            root: "pidf-diff",
            namespace: PIDF_DIFF,
            has_versions: true,
            read: Some(read_full_presence),
            changes: DocumentChanges::Patches { full_root: FULL_PRESENCE },
        }),
    },
    Format {
        media_type: MESSAGE_SUMMARY,
        syntax: FormatSyntax::Plain(|text| Document::Messages(MessageSummary::read(text))),
    },
];

impl Format {
    /// The format that a Content-Type names, if it is known.
    #[inline]
    pub(super) fn find(content_type: &ContentType<'_>) -> Option<&'static Self> {
        ALL.iter().find(|each| content_type.is(each.media_type))
    }

    /// What is special to XML, if its documents are XML.
    #[inline]
    pub(super) fn xml(&'static self) -> Option<&'static XmlFormat> {
        match &self.syntax {
            FormatSyntax::Xml(xml) => Some(xml),
            FormatSyntax::Plain(_) => None,
        }
    }
}

impl XmlFormat {
    /// Scans a whole text and holds its root element against the format.
    ///
    /// # Errors
    /// When it is no well-formed XML within the caps, or another document.
    pub(super) fn check<'a>(&self, text: &'a str) -> Result<RootElement<'a>, DocumentError> {
        let root = read_root(text)?;
        if !self.is_root(&root) {
            return Err(root.is_not(self.root, self.namespace));
        }
        Ok(root)
    }

    /// Whether its documents have this root.
    pub(super) fn is_root(&self, root: &RootElement<'_>) -> bool {
        let is_full = || match self.changes {
            DocumentChanges::Patches { full_root } => root.may_be(full_root, self.namespace),
            DocumentChanges::None | DocumentChanges::Keyed(_) => false,
        };
        root.may_be(self.root, self.namespace) || is_full()
    }

    /// The version of a document with this root, if the format has versions and this one can be read.
    pub(super) fn version(&self, text: &[u8], root: &RootElement<'_>) -> Option<Version> {
        if self.has_versions { Version::read(text, root) } else { None }
    }
}

/// Scans the text of a presence document and looks at its root.
///
/// # Errors
/// As [`XmlFormat::check`].
pub(super) fn check_presence(text: &str) -> Result<RootElement<'_>, DocumentError> {
    PRESENCE.check(text)
}

/// A presence document under another root. One with operations says nothing by itself.
fn read_full_presence(text: &str, root: &RootElement<'_>, max_bytes: usize) -> Result<Document, DocumentError> {
    if !root.may_be(FULL_PRESENCE, PIDF_DIFF) {
        return Err(root.is_not(FULL_PRESENCE, PIDF_DIFF));
    }
    Presentity::of(text, root, max_bytes).map(Document::Presence)
}
