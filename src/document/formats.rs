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
    /// Whether the root says of each document where it belongs in the sequence (see [`Version`](super::Version)).
    pub(super) has_versions: bool,
    /// Reads a document; none when the module looks at its root only.
    pub(super) read: Option<ReadDocument>,
}

/// Reads a document whose text and root have passed [`XmlFormat::check`]; the last value is how many bytes its body may have.
pub(super) type ReadDocument = fn(&str, &RootElement<'_>, usize) -> Result<Document, DocumentError>;

const PRESENCE: XmlFormat = XmlFormat {
    root: "presence",
    namespace: PIDF,
    has_versions: false,
    read: Some(|text, root, max_bytes| Presentity::of(text, root, max_bytes).map(Document::Presence)),
};

static ALL: [Format; 5] = [
    Format { media_type: PIDF_XML, syntax: FormatSyntax::Xml(PRESENCE) },
    Format {
        media_type: "application/dialog-info+xml",
        syntax: FormatSyntax::Xml(XmlFormat {
            root: "dialog-info",
            namespace: DIALOG_INFO,
            has_versions: true,
            read: Some(|text, root, _| Ok(Document::Dialogs(DialogInfo::read(text, root)))),
        }),
    },
    Format {
        media_type: "application/reginfo+xml",
        syntax: FormatSyntax::Xml(XmlFormat {
            root: "reginfo",
            namespace: REGINFO,
            has_versions: true,
            read: Some(|text, root, _| Ok(Document::Registrations(RegInfo::read(text, root)))),
        }),
    },
    Format {
        media_type: "application/watcherinfo+xml",
        syntax: FormatSyntax::Xml(XmlFormat {
            root: "watcherinfo",
            namespace: WATCHERINFO,
            has_versions: true,
            read: Some(|text, root, _| Ok(Document::Watchers(WatcherInfo::read(text, root)))),
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
        root.may_be(self.root, self.namespace)
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
