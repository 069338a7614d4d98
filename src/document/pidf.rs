//! The walk over a presence document (RFC 3863): what each of its elements is. Who walks takes what it wants.
//!
//! Lenient in what it takes. Elements come in any order; an unknown `basic` is
//! [`Basic::Unknown`]; a tuple's id may be any string or missing; any prefix will do, and elements
//! in no namespace at all are taken for PIDF's.
//!
//! # mustUnderstand
//!
//! An element with `pidf:mustUnderstand` "true" or "1" has to be understood by a reader that processes
//! the element around it (RFC 3863 §4.2.3 and the schema in §4.4). When it is not, what that
//! enclosing element says about the state cannot be relied on. Nothing is thrown away, for who
//! gets the document may understand more than this module; but the state becomes
//! [`Basic::Unknown`]: that of the tuple for a child of `tuple` or `status`, that of every tuple
//! for a child of `presence`. Elements of RFC 4479 and RFC 4480 count as understood. Inside an
//! extension the attribute concerns that extension only.

use super::element::{Element, value};
use super::error::DocumentError;
use super::formats::PIDF;
use super::presentity::Basic;
use super::reader::Reader;
use super::rpid::{DATA_MODEL, RPID};

/// Where an element stands that PIDF does not define.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ExtensionPlace {
    /// Beside the tuples: persons, devices and others.
    Presence,
    /// In a tuple.
    Tuple,
    /// In the `status` of a tuple.
    Status,
}

/// What takes the elements of a presence document. An element that it does not read is skipped.
pub(super) trait PresenceVisitor<'a> {
    /// The root element.
    fn presence(&mut self, _root: &Element<'a>) {}

    /// A tuple starts.
    fn tuple(&mut self, _tuple: &Element<'a>) {}

    /// A tuple has ended, in this state.
    fn end_tuple(&mut self, basic: Basic);

    /// A note of the presentity, or of the tuple that started last.
    fn note(&mut self, reader: &mut Reader<'a>, note: &Element<'a>, is_of_tuple: bool);

    /// A contact of the tuple.
    fn contact(&mut self, _reader: &mut Reader<'a>, _contact: &Element<'a>) {}

    /// The timestamp of the tuple.
    fn timestamp(&mut self, _reader: &mut Reader<'a>, _timestamp: &Element<'a>) {}

    /// An element from outside PIDF.
    ///
    /// # Errors
    /// When there are more of them than the visitor may take.
    fn extension(
        &mut self,
        reader: &mut Reader<'a>,
        element: &Element<'a>,
        place: ExtensionPlace,
    ) -> Result<(), DocumentError>;

    /// The document has ended. Unless it is reliable, no state in it is.
    fn end(&mut self, is_reliable: bool);
}

/// Shows a whole document to a visitor.
///
/// # Errors
/// That of the visitor.
pub(super) fn visit<'a>(reader: &mut Reader<'a>, visitor: &mut impl PresenceVisitor<'a>) -> Result<(), DocumentError> {
    let Some(root) = reader.root() else { return Ok(()) };
    visitor.presence(&root);
    let mut is_reliable = true;
    while let Some(element) = reader.child(&root) {
        match pidf_name(&element) {
            b"tuple" => visit_tuple(reader, &element, visitor)?,
            b"note" => visitor.note(reader, &element, false),
            _ => {
                is_reliable &= may_be_skipped(reader, &element);
                visitor.extension(reader, &element, ExtensionPlace::Presence)?;
            }
        }
    }
    visitor.end(is_reliable);
    Ok(())
}

/// What a tuple says of its state so far.
struct TupleState {
    /// The first value that is known counts.
    basic: Basic,
    is_reliable: bool,
}

fn visit_tuple<'a>(
    reader: &mut Reader<'a>,
    tuple: &Element<'a>,
    visitor: &mut impl PresenceVisitor<'a>,
) -> Result<(), DocumentError> {
    visitor.tuple(tuple);
    let mut state = TupleState { basic: Basic::Unknown, is_reliable: true };
    while let Some(element) = reader.child(tuple) {
        match pidf_name(&element) {
            b"status" => visit_status(reader, &element, visitor, &mut state)?,
            b"basic" => state.read_basic(reader, &element),
            b"contact" => visitor.contact(reader, &element),
            b"note" => visitor.note(reader, &element, true),
            b"timestamp" => visitor.timestamp(reader, &element),
            _ => {
                state.is_reliable &= may_be_skipped(reader, &element);
                visitor.extension(reader, &element, ExtensionPlace::Tuple)?;
            }
        }
    }
    visitor.end_tuple(if state.is_reliable { state.basic } else { Basic::Unknown });
    Ok(())
}

fn visit_status<'a>(
    reader: &mut Reader<'a>,
    status: &Element<'a>,
    visitor: &mut impl PresenceVisitor<'a>,
    state: &mut TupleState,
) -> Result<(), DocumentError> {
    while let Some(element) = reader.child(status) {
        match pidf_name(&element) {
            b"basic" => state.read_basic(reader, &element),
            // Where the schema has no note, but some put it.
            b"note" => visitor.note(reader, &element, true),
            _ => {
                state.is_reliable &= may_be_skipped(reader, &element);
                visitor.extension(reader, &element, ExtensionPlace::Status)?;
            }
        }
    }
    Ok(())
}

impl TupleState {
    fn read_basic<'a>(&mut self, reader: &mut Reader<'a>, element: &Element<'a>) {
        if self.basic == Basic::Unknown {
            self.basic = Basic::from_text(&reader.text(element));
        }
    }
}

impl Basic {
    fn from_text(text: &str) -> Self {
        match text.trim() {
            open if open.eq_ignore_ascii_case("open") => Self::Open,
            closed if closed.eq_ignore_ascii_case("closed") => Self::Closed,
            _ => Self::Unknown,
        }
    }
}

/// The local name of an element of PIDF, or of one in no namespace; nothing for others.
#[inline]
fn pidf_name<'a>(element: &Element<'a>) -> &'a [u8] {
    if element.may_be_in(PIDF) { element.name.local } else { &[] }
}

/// Whether an element that PIDF does not define may be left aside by who does not know it.
fn may_be_skipped(reader: &Reader<'_>, element: &Element<'_>) -> bool {
    let marked = reader.attribute_in(element, "mustUnderstand", PIDF);
    !marked.is_some_and(|marked| matches!(value(marked).trim(), "true" | "1"))
        || element.is_in(DATA_MODEL)
        || element.is_in(RPID)
}
