//! A presence document (RFC 3863) read into a [`Presentity`].
//!
//! Lenient in what it takes. Elements come in any order; an unknown `basic` is
//! [`Basic::Unknown`]; a tuple's id may be any string or missing; any prefix will do, and elements
//! in no namespace at all are taken for PIDF's; persons and devices (RFC 4479), rpid elements
//! (RFC 4480) and all unknown elements are kept as extensions.
//!
//! # mustUnderstand
//!
//! An element with `pidf:mustUnderstand` "true" or "1" has to be understood by a reader that processes
//! the element around it (RFC 3863 §4.2.3 and the schema in §4.4). When it is not, what that
//! enclosing element says about the state cannot be relied on. Nothing is thrown away, because
//! the reader may understand more than this module; but the state becomes
//! [`Basic::Unknown`]: that of the tuple for a child of `tuple` or `status`, that of every tuple
//! for a child of `presence`. Elements of RFC 4479 and RFC 4480 count as understood. Inside an
//! extension the attribute concerns that extension only.

use roxmltree::{Node, ParsingOptions};

use super::check::check_size;
use super::encoding::decode;
use super::error::{DocumentError, shown};
use super::extension::Extensions;
use super::formats::{PIDF, check_presence};
use super::note::text_of;
use super::presentity::{Basic, Contact, Note, Presentity, Tuple};
use super::scan::{MAX_NODES, RootElement};
use crate::grammar::thousandths;

/// RFC 4479 §3 and RFC 4480 §3.
pub(super) const UNDERSTOOD: [&str; 2] = ["urn:ietf:params:xml:ns:pidf:data-model", "urn:ietf:params:xml:ns:pidf:rpid"];

impl Presentity {
    /// Reads a presence document of at most `max_bytes`.
    ///
    /// `charset` is the parameter of that name of the Content-Type, if there was one; a byte order
    /// mark wins over it, and it wins over the XML declaration (RFC 7303 §3). All extensions
    /// together, each with the namespace declarations it needs, may take four times `max_bytes`.
    pub fn parse(body: &[u8], charset: Option<&str>, max_bytes: usize) -> Result<Self, DocumentError> {
        check_size(body, max_bytes)?;
        let text = decode(body, charset)?;
        Self::of(&text, &check_presence(&text)?, max_bytes)
    }

    /// Reads a presence document that has passed its check.
    pub(super) fn of(text: &str, root: &RootElement<'_>, max_bytes: usize) -> Result<Self, DocumentError> {
        let text = text.get(root.start..).unwrap_or_default();
        let options = ParsingOptions {
            allow_dtd: false,
            // Between any two nodes that the scanner counts there is at most one text.
            nodes_limit: 2 * MAX_NODES as u32 + 2,
            ..ParsingOptions::default()
        };
        let document = roxmltree::Document::parse_with_options(text, options).map_err(|error| {
            // Not met: what the scanner accepts, the tree parser accepts.
            DocumentError::Malformed {
                line: error.pos().row as usize,
                column: error.pos().col as usize,
                near: shown(&error.to_string(), 120),
                problem: "refused by the tree parser",
            }
        })?;
        let mut extensions = Extensions::new(text, max_bytes.saturating_mul(4));
        Self::read(document.root_element(), &mut extensions)
    }

    fn read(root: Node<'_, '_>, kept: &mut Extensions<'_>) -> Result<Self, DocumentError> {
        let mut presentity =
            Self { entity: root.attribute("entity").unwrap_or_default().to_owned(), ..Self::default() };
        let mut understood = true;
        for node in root.children().filter(Node::is_element) {
            match pidf_name(node) {
                Some("tuple") => presentity.tuples.push(Tuple::read(node, kept)?),
                Some("note") => presentity.notes.push(Note::read(node)),
                _ => {
                    understood &= may_be_skipped(node);
                    presentity.extensions.push(kept.keep(node)?);
                }
            }
        }
        if !understood {
            for tuple in &mut presentity.tuples {
                tuple.basic = Basic::Unknown;
            }
        }
        Ok(presentity)
    }
}

impl Tuple {
    fn read(node: Node<'_, '_>, kept: &mut Extensions<'_>) -> Result<Self, DocumentError> {
        let mut tuple = Self { id: node.attribute("id").unwrap_or_default().to_owned(), ..Self::default() };
        let mut understood = true;
        for node in node.children().filter(Node::is_element) {
            match pidf_name(node) {
                Some("status") => understood &= tuple.read_status(node, kept)?,
                Some("basic") => tuple.read_basic(node),
                Some("contact") if tuple.contact.is_none() => {
                    tuple.contact = Some(Contact::read(node));
                }
                Some("note") => tuple.notes.push(Note::read(node)),
                Some("timestamp") if tuple.timestamp.is_none() => {
                    tuple.timestamp = Some(text_of(node).trim().to_owned());
                }
                Some("contact" | "timestamp") => {}
                _ => {
                    understood &= may_be_skipped(node);
                    tuple.extensions.push(kept.keep(node)?);
                }
            }
        }
        if !understood {
            tuple.basic = Basic::Unknown;
        }
        Ok(tuple)
    }

    /// Reads a `status`; says whether everything in it that has to be understood is.
    fn read_status(&mut self, node: Node<'_, '_>, kept: &mut Extensions<'_>) -> Result<bool, DocumentError> {
        let mut understood = true;
        for node in node.children().filter(Node::is_element) {
            match pidf_name(node) {
                Some("basic") => self.read_basic(node),
                // Where the schema has no note, but some put it.
                Some("note") => self.notes.push(Note::read(node)),
                _ => {
                    understood &= may_be_skipped(node);
                    self.status_extensions.push(kept.keep(node)?);
                }
            }
        }
        Ok(understood)
    }

    /// The first value that is known counts.
    fn read_basic(&mut self, node: Node<'_, '_>) {
        if self.basic == Basic::Unknown {
            self.basic = Basic::from_text(&text_of(node));
        }
    }
}

impl Basic {
    pub(super) fn from_text(text: &str) -> Self {
        match text.trim() {
            open if open.eq_ignore_ascii_case("open") => Self::Open,
            closed if closed.eq_ignore_ascii_case("closed") => Self::Closed,
            _ => Self::Unknown,
        }
    }
}

impl Contact {
    fn read(node: Node<'_, '_>) -> Self {
        Self { uri: text_of(node).trim().to_owned(), priority: node.attribute("priority").and_then(read_priority) }
    }
}

/// qvalue of the schema in RFC 3863 §4.4, in thousandths; further digits do not count, and what is
/// above one is one.
fn read_priority(value: &str) -> Option<u16> {
    let (whole, fraction) = value.trim().split_once('.').unwrap_or((value.trim(), ""));
    if whole.len() + fraction.len() == 0 || !whole.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let decimals = thousandths(fraction.as_bytes())?;
    Some(if whole.bytes().any(|byte| byte != b'0') { 1000 } else { decimals })
}

/// The local name of an element of PIDF, or of one in no namespace.
fn pidf_name<'a>(node: Node<'a, '_>) -> Option<&'a str> {
    match node.tag_name().namespace() {
        None | Some("" | PIDF) => Some(node.tag_name().name()),
        Some(_) => None,
    }
}

/// Whether an element that PIDF does not define may be left aside by who does not know it.
fn may_be_skipped(node: Node<'_, '_>) -> bool {
    let namespace = node.tag_name().namespace().unwrap_or_default();
    let marked = node.attribute((PIDF, "mustUnderstand")).is_some_and(|value| matches!(value.trim(), "true" | "1"));
    !marked || UNDERSTOOD.contains(&namespace)
}
