//! A document of any format that has a reader, as typed values.

use std::borrow::Cow;

use super::check::check_size;
use super::content_type::ContentType;
use super::error::DocumentError;
use super::formats::{Format, ReadDocument};
use super::presentity::Presentity;

/// What a document says.
#[derive(Clone, Debug, PartialEq)]
pub enum Document {
    /// A presence document (RFC 3863).
    Presence(Presentity),
}

/// The value of a field of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FieldText<'a> {
    /// A text, as the document says it.
    Text(Cow<'a, str>),
    /// A number.
    Number(i64),
}

/// Values that have names, by format.
pub(super) trait NamedValues {
    /// The value of a field; `None` when the document does not say it, or there is no such field. `index` counts from 0
    /// in document order; without one it is the value that matters most.
    fn value(&self, field: &str, index: Option<usize>) -> Option<FieldText<'_>>;

    /// How many values a field has by index.
    fn count(&self, field: &str) -> usize;
}

impl Document {
    /// Reads a body of at most `max_bytes`; `None` when its Content-Type is none that has a reader, or when it cannot
    /// be read.
    pub fn read(content_type: &[u8], body: &[u8], max_bytes: usize) -> Option<Self> {
        let content_type = ContentType::parse(content_type).ok()?;
        let format = Format::find(&content_type)?;
        Self::read_as(format, format.read?, &content_type, body, max_bytes).ok()
    }

    fn read_as(
        format: &Format,
        read: ReadDocument,
        content_type: &ContentType<'_>,
        body: &[u8],
        max_bytes: usize,
    ) -> Result<Self, DocumentError> {
        check_size(body, max_bytes)?;
        let text = content_type.text_of(body)?;
        read(&text, &format.check(&text)?, max_bytes)
    }

    /// The value of a field; `None` when the document does not say it, or its format has no such field. `index` counts
    /// from 0 in document order; without one it is the value that matters most.
    pub fn value(&self, field: &str, index: Option<usize>) -> Option<FieldText<'_>> {
        self.fields().value(field, index)
    }

    /// How many values a field has by index.
    pub fn count(&self, field: &str) -> usize {
        self.fields().count(field)
    }

    fn fields(&self) -> &dyn NamedValues {
        match self {
            Self::Presence(presentity) => presentity,
        }
    }
}

impl<'a> FieldText<'a> {
    /// A text, not copied.
    pub(super) fn text(text: &'a str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }
}
