//! The faults that the scanner finds in a text.

/// The fault of a document, without a copy of the document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum XmlFault {
    /// A document type declaration.
    Dtd,
    /// More of `what` than the cap allows.
    Limit {
        what: &'static str,
        limit: usize,
    },
    Malformed {
        offset: usize,
        problem: &'static str,
    },
}

impl XmlFault {
    /// Not well-formed at `offset`.
    pub(super) fn malformed(offset: usize, problem: &'static str) -> Self {
        Self::Malformed { offset, problem }
    }
}
