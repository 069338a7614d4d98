//! The root element of a document, which says what the document is.

use super::error::{DocumentError, shown};
use super::name::{as_text, same_value};
use super::scan::{MAX_NODES, RootElement, scan_within};

/// Scans `text`; its root element.
///
/// # Errors
/// When it is no well-formed XML within the caps.
pub(super) fn read_root(text: &str) -> Result<RootElement<'_>, DocumentError> {
    read_root_within(text, MAX_NODES)
}

/// As [`read_root`], with another cap on elements, comments and processing instructions.
///
/// # Errors
/// As [`read_root`].
pub(super) fn read_root_within(text: &str, most_nodes: usize) -> Result<RootElement<'_>, DocumentError> {
    scan_within(text, most_nodes).map_err(|fault| DocumentError::from_fault(fault, text))
}

impl RootElement<'_> {
    /// Whether this is the element `local` of `namespace`.
    pub(super) fn is(&self, local: &str, namespace: &str) -> bool {
        let namespace = namespace.as_bytes();
        self.name.local == local.as_bytes() && (self.namespace == namespace || same_value(self.namespace, namespace))
    }

    /// Whether this is the element `local` of `namespace`, or one of that name in no namespace.
    pub(super) fn may_be(&self, local: &str, namespace: &str) -> bool {
        self.is(local, if self.namespace.is_empty() { "" } else { namespace })
    }

    /// The error of a document whose root is not the element `wanted` of `namespace`.
    pub(super) fn is_not(&self, wanted: &'static str, namespace: &'static str) -> DocumentError {
        let part = |part| shown(as_text(part), 64);
        let root = format!("{{{}}}{}", part(self.namespace), part(self.name.local));
        DocumentError::WrongRoot { root, wanted, namespace }
    }
}
