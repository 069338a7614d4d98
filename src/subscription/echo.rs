//! What tells a NOTIFY that comes again from another one with the same CSeq.

/// Hashes of what a NOTIFY says (its Subscription-State and its body) and of the branch of its Via. A dialog keeps those of the
/// newest NOTIFY it has accepted. A later one with the same CSeq is the same again if either is the same; otherwise its
/// notifier has used a CSeq twice (RFC 3261 §12.2.1.1). Two different ones are taken for the same once in 2 to the power of 15.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(test, derive(Hash))]
pub struct Echo {
    text: u16,
    /// 0 for none.
    branch: u16,
}

impl Echo {
    /// From the hashes of what is said and of the branch; `None` where there is no branch.
    #[must_use]
    #[allow(clippy::cast_possible_truncation, reason = "a part of the hash")]
    pub fn of_hashes(text: u64, branch: Option<u64>) -> Self {
        Self { text: text as u16, branch: branch.map_or(0, |branch| (branch as u16).max(1)) }
    }

    /// Whether one that has the same CSeq is the same NOTIFY.
    #[must_use]
    pub fn is_again(self, newest: Self) -> bool {
        self.text == newest.text || self.branch != 0 && self.branch == newest.branch
    }
}
