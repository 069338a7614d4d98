//! Elements that PIDF does not define, kept as text that is complete by itself.

use super::element::Element;
use super::error::DocumentError;
use super::presentity::Extension;
use super::reader::Reader;
use super::stand_alone::StandAlone;

/// Makes extensions, as long as they take no more room together than allowed. Without this a
/// long namespace declared once could be copied into thousands of short elements.
pub(super) struct Extensions {
    limit: usize,
    left: usize,
}

impl Extensions {
    /// With `limit` bytes for all together.
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, left: limit }
    }

    /// Copies an element that is open or ended last, so that it is complete by itself.
    ///
    /// # Errors
    /// When it takes more room than is left.
    pub(super) fn keep<'a>(
        &mut self,
        reader: &mut Reader<'a>,
        element: &Element<'a>,
    ) -> Result<Extension, DocumentError> {
        let alone = StandAlone::read(reader, element);
        let namespace = element.namespace();
        let name = element.local();
        let size = alone.size() + namespace.len() + name.len();
        self.left = self.left.checked_sub(size).ok_or(DocumentError::ExtensionsTooLarge { limit: self.limit })?;
        Ok(Extension { namespace: namespace.into_owned(), name: name.to_owned(), xml: alone.to_xml() })
    }
}
