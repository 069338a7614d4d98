//! The formats of documents that the module looks into, one row each.

use super::content_type::ContentType;
use super::error::DocumentError;
use super::presentity::Presentity;
use super::root::read_root;
use super::scan::RootElement;
use super::typed::Document;

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
    /// The root element of its documents, and the namespace that it is in.
    pub(super) root: &'static str,
    pub(super) namespace: &'static str,
    /// Whether the root says of each document where it belongs in the sequence (see [`Version`](super::Version)).
    pub(super) has_versions: bool,
    /// Reads a document; none when the module looks at its root only.
    pub(super) read: Option<ReadDocument>,
}

/// Reads a document whose text and root have passed [`Format::check`]; the last value is how many bytes its body may have.
pub(super) type ReadDocument = fn(&str, &RootElement<'_>, usize) -> Result<Document, DocumentError>;

const PRESENCE: Format = Format {
    media_type: PIDF_XML,
    root: "presence",
    namespace: PIDF,
    has_versions: false,
    read: Some(|text, root, max_bytes| Presentity::of(text, root, max_bytes).map(Document::Presence)),
};

static ALL: [Format; 4] = [
    PRESENCE,
    Format {
        media_type: "application/dialog-info+xml",
        root: "dialog-info",
        namespace: DIALOG_INFO,
        has_versions: true,
        read: None,
    },
    Format {
        media_type: "application/reginfo+xml",
        root: "reginfo",
        namespace: REGINFO,
        has_versions: true,
        read: None,
    },
    Format {
        media_type: "application/watcherinfo+xml",
        root: "watcherinfo",
        namespace: WATCHERINFO,
        has_versions: true,
        read: None,
    },
];

impl Format {
    /// The format that a Content-Type names, if it is known.
    #[inline]
    pub(super) fn find(content_type: &ContentType<'_>) -> Option<&'static Self> {
        ALL.iter().find(|each| content_type.is(each.media_type))
    }

    /// Scans a whole text and holds its root element against the format.
    ///
    /// # Errors
    /// When it is no well-formed XML within the caps, or another document.
    pub(super) fn check<'a>(&self, text: &'a str) -> Result<RootElement<'a>, DocumentError> {
        let root = read_root(text)?;
        if !root.may_be(self.root, self.namespace) {
            return Err(root.is_not(self.root, self.namespace));
        }
        Ok(root)
    }
}

/// Scans the text of a presence document and looks at its root.
///
/// # Errors
/// As [`Format::check`].
pub(super) fn check_presence(text: &str) -> Result<RootElement<'_>, DocumentError> {
    PRESENCE.check(text)
}
