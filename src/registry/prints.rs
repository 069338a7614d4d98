//! What a record remembers of its places in the indexes, and a few bits of the hash of its record's URI.

/// Some bits of the hash of a record: those of different records are mostly different. Whoever looks for one record reads the texts
/// of few others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct RecordPrint(pub(super) u8);

/// In which indexes a record is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct IndexedIn(u8);

impl IndexedIn {
    /// In that of names.
    const NAMES: u8 = 1;
    /// In that of dialogs.
    const DIALOGS: u8 = 2;

    /// In no other than that of names, or in none.
    pub(super) fn names_only(named: bool) -> Self {
        Self(if named { Self::NAMES } else { 0 })
    }

    /// Whether it is in the index of names.
    pub(super) fn has_name(self) -> bool {
        self.0 & Self::NAMES != 0
    }

    /// Whether it is in the index of dialogs.
    pub(super) fn has_dialog(self) -> bool {
        self.0 & Self::DIALOGS != 0
    }

    /// It is not in the index of names any more; whether it was.
    pub(super) fn take_name(&mut self) -> bool {
        let had = self.has_name();
        self.0 &= !Self::NAMES;
        had
    }

    /// It is in the index of dialogs from now on, or not.
    pub(super) fn set_dialog(&mut self, is_in: bool) {
        self.0 = self.0 & !Self::DIALOGS | if is_in { Self::DIALOGS } else { 0 };
    }
}
