//! Where the script's copies of values are.

use std::collections::BTreeMap;

use crate::host::pv::PvIndex;
use crate::host::text::HeldText;

/// The text of each value that the script was given: a copy that it may write to, in place until the route has ended.
#[derive(Debug, Default)]
pub struct ValueCopies(BTreeMap<(i32, PvIndex), HeldText>);

impl ValueCopies {
    /// None yet.
    pub const fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// The place of a value by its field's number and index.
    pub fn place(&mut self, field: i32, index: PvIndex) -> &mut HeldText {
        self.0.entry((field, index)).or_default()
    }
}
