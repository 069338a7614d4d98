//! The room's only error type, and how text from the network is shown in it.

use thiserror::Error;

use super::fault::XmlFault;

/// Why a body or its Content-Type cannot be used.
///
/// Messages name the value that was wrong, shortened and escaped, so that they can be logged as
/// they are.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum DocumentError {
    /// The body is larger than the caller allows.
    #[error("body of {size} bytes is larger than the limit of {limit}")]
    TooLarge {
        /// Size of the body in bytes.
        size: usize,
        /// The limit it was held against.
        limit: usize,
    },
    /// The extensions of a document, each with its own namespaces, take more room than allowed.
    #[error("extensions take more than {limit} bytes once each stands alone")]
    ExtensionsTooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// Well-formed as far as it was read, but beyond a fixed cap (depth, attributes, …).
    #[error("more than {limit} {what}")]
    TooComplex {
        /// The part that exceeds its limit.
        what: &'static str,
        /// The cap.
        limit: usize,
    },
    /// There is no document in the body.
    #[error("body is empty")]
    Empty,
    /// A Content-Type header value that the grammar of RFC 3261 §25.1 does not allow.
    #[error("Content-Type \"{value}\": {problem}")]
    ContentType {
        /// The header value.
        value: String,
        /// Its fault.
        problem: &'static str,
    },
    /// A multipart body that cannot be taken apart (RFC 2046 §5.1).
    #[error("multipart body: {problem}")]
    Multipart {
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The Content-Type names a charset that this module does not hand on.
    #[error("charset \"{name}\" is not one of UTF-8, ISO-8859-1, US-ASCII")]
    Charset {
        /// Value of the parameter.
        name: String,
    },
    /// A body that does not tell the states of a list as it must (RFC 4662 §5).
    #[error("list of resources: {problem}")]
    List {
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The document is in an encoding that this module does not read.
    #[error("encoding \"{name}\" is not one of UTF-8, UTF-16, ISO-8859-1, US-ASCII")]
    Encoding {
        /// Name given by the charset parameter or the XML declaration.
        name: String,
    },
    /// The bytes are not what the encoding says they are.
    #[error("byte {offset} of the body is not valid {encoding}")]
    Undecodable {
        /// The encoding that applies.
        encoding: &'static str,
        /// Offset of the first wrong byte in the body.
        offset: usize,
    },
    /// A document type declaration: refused, with all entities it might define.
    #[error("document type declaration (DTD) is not accepted")]
    Dtd,
    /// Not well-formed XML, or not well-formed with regard to namespaces.
    #[error("line {line}, column {column}, at \"{near}\": {problem}")]
    Malformed {
        /// Line of the fault, from 1.
        line: usize,
        /// Column of the fault in characters, from 1.
        column: usize,
        /// The text at the fault.
        near: String,
        /// The fault.
        problem: &'static str,
    },
    /// A patch operation that does not fit the document that was told before.
    #[error("patch operation {operation}: {problem}")]
    Patch {
        /// Which one, from 1.
        operation: usize,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// Well-formed XML, but not a document of its type.
    #[error("root element is \"{root}\", not {wanted} in {namespace}")]
    WrongRoot {
        /// The root element as `{namespace}name`.
        root: String,
        /// The name it should have.
        wanted: &'static str,
        /// The namespace it should be in.
        namespace: &'static str,
    },
}

impl DocumentError {
    /// The answer to the NOTIFY that carried the body: 413 when it is too large, 415 when its
    /// charset is not accepted, 400 otherwise (RFC 3261 §21.4.1, §21.4.11, §21.4.13).
    pub fn sip_status(&self) -> u16 {
        match self {
            Self::TooLarge { .. } | Self::ExtensionsTooLarge { .. } => 413,
            Self::Charset { .. } => 415,
            Self::TooComplex { .. }
            | Self::Empty
            | Self::ContentType { .. }
            | Self::Multipart { .. }
            | Self::List { .. }
            | Self::Encoding { .. }
            | Self::Undecodable { .. }
            | Self::Dtd
            | Self::Malformed { .. }
            | Self::Patch { .. }
            | Self::WrongRoot { .. } => 400,
        }
    }

    /// Turns what the scanner found in `text` into a message with a place.
    pub(super) fn from_fault(fault: XmlFault, text: &str) -> Self {
        match fault {
            XmlFault::Dtd => Self::Dtd,
            XmlFault::Limit { what, limit } => Self::TooComplex { what, limit },
            XmlFault::Malformed { offset, problem } => {
                let (before, after) = text.split_at_checked(offset).unwrap_or((text, ""));
                let last_line = before.rsplit('\n').next().unwrap_or(before);
                Self::Malformed {
                    line: before.bytes().filter(|byte| *byte == b'\n').count() + 1,
                    column: last_line.chars().count() + 1,
                    near: shown(after, 24),
                    problem,
                }
            }
        }
    }
}

/// At most `limit` characters of `text`, escaped so that one log line stays one log line.
pub(super) fn shown(text: &str, limit: usize) -> String {
    text.chars().take(limit).flat_map(char::escape_debug).collect()
}
