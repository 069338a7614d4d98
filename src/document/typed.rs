//! A document of any format that has a reader, as typed values.

use std::borrow::Cow;

use super::check::check_size;
use super::content_type::ContentType;
use super::dialog_info::DialogInfo;
use super::formats::{Format, FormatSyntax};
use super::message_summary::MessageSummary;
use super::presentity::Presentity;
use super::reginfo::RegInfo;
use super::watcherinfo::WatcherInfo;

/// What a document says.
#[derive(Clone, Debug, PartialEq)]
pub enum Document {
    /// A presence document (RFC 3863).
    Presence(Presentity),
    /// The dialogs of a user agent (RFC 4235).
    Dialogs(DialogInfo),
    /// The registrations of an address of record (RFC 3680).
    Registrations(RegInfo),
    /// The watchers of a resource (RFC 3858).
    Watchers(WatcherInfo),
    /// Waiting messages (RFC 3842).
    Messages(MessageSummary),
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

    /// All values of a field by index, in time linear in the document: to be given where a value by index has to be searched for.
    fn values(&self, field: &str) -> Vec<Option<FieldText<'_>>> {
        (0..self.count(field)).map(|index| self.value(field, Some(index))).collect()
    }
}

impl Document {
    /// Reads a body of at most `max_bytes`; `None` when its Content-Type is none that has a reader, or when it cannot
    /// be read.
    pub fn read(content_type: &[u8], body: &[u8], max_bytes: usize) -> Option<Self> {
        let content_type = ContentType::parse(content_type).ok()?;
        let format = Format::find(&content_type)?;
        check_size(body, max_bytes).ok()?;
        match &format.syntax {
            FormatSyntax::Xml(xml) => {
                let text = content_type.text_of(body).ok()?;
                let root = xml.check(&text).ok()?;
                xml.read?(&text, &root, max_bytes).ok()
            }
            FormatSyntax::Plain(read) => {
                // One byte that is none of the encoding spoils no line but its own.
                let text = content_type.text_of(body).unwrap_or_else(|_| String::from_utf8_lossy(body));
                Some(read(&text))
            }
        }
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

    /// All values of a field by index.
    pub fn values(&self, field: &str) -> Vec<Option<FieldText<'_>>> {
        self.fields().values(field)
    }

    fn fields(&self) -> &dyn NamedValues {
        match self {
            Self::Presence(presentity) => presentity,
            Self::Dialogs(dialogs) => dialogs,
            Self::Registrations(registrations) => registrations,
            Self::Watchers(watchers) => watchers,
            Self::Messages(messages) => messages,
        }
    }
}

impl<'a> FieldText<'a> {
    /// A text, not copied.
    pub(super) fn text(text: &'a str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }

    /// A number; one beyond 63 bits is the largest.
    pub(super) fn number(number: impl TryInto<i64>) -> Self {
        Self::Number(number.try_into().unwrap_or(i64::MAX))
    }
}
