//! The flags of a dialog in one byte: each byte costs 1 MB for a million dialogs.

use super::version::Completeness;

/// How far NOTIFYs have made the dialog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// None has.
    Begun,
    /// One has.
    Made,
    /// One has, and has named the target.
    Told,
}

/// The news of NOTIFYs since the newest request left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(test, derive(Hash))]
pub(super) enum Heard {
    /// None has come.
    #[default]
    Nothing,
    /// One has, and was refused.
    Refused,
    /// One has, with a CSeq too low to be a late one.
    Stale,
    /// One was accepted.
    Told,
    /// One was accepted that said how long the subscription lasts.
    Dated,
}

/// Stage in two bits, what is known of the documents in two, what has been heard in three, and in the last whether the newest
/// request was accepted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Marks(u8);

const KNOWN: u8 = 2;
const HEARD: u8 = 4;
const ACCEPTED: u8 = 7;

impl Marks {
    pub(super) fn stage(self) -> Stage {
        match self.bits(0, 3) {
            0 => Stage::Begun,
            1 => Stage::Made,
            _ => Stage::Told,
        }
    }

    pub(super) fn set_stage(&mut self, stage: Stage) {
        self.set(0, 3, stage as u8);
    }

    pub(super) fn known(self) -> Completeness {
        match self.bits(KNOWN, 3) {
            0 => Completeness::Nothing,
            1 => Completeness::Whole,
            2 => Completeness::Missing,
            _ => Completeness::Asked,
        }
    }

    pub(super) fn set_known(&mut self, known: Completeness) {
        self.set(KNOWN, 3, known as u8);
    }

    pub(super) fn heard(self) -> Heard {
        match self.bits(HEARD, 7) {
            0 => Heard::Nothing,
            1 => Heard::Refused,
            2 => Heard::Stale,
            3 => Heard::Told,
            _ => Heard::Dated,
        }
    }

    pub(super) fn set_heard(&mut self, heard: Heard) {
        self.set(HEARD, 7, heard as u8);
    }

    pub(super) fn is_accepted(self) -> bool {
        self.bits(ACCEPTED, 1) == 1
    }

    pub(super) fn set_accepted(&mut self, accepted: bool) {
        self.set(ACCEPTED, 1, accepted.into());
    }

    fn bits(self, at: u8, mask: u8) -> u8 {
        self.0 >> at & mask
    }

    fn set(&mut self, at: u8, mask: u8, bits: u8) {
        self.0 = self.0 & !(mask << at) | (bits & mask) << at;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_mark_keeps_what_it_is_given_and_leaves_the_others() {
        let mut marks = Marks::default();
        for stage in [Stage::Told, Stage::Made, Stage::Begun] {
            for known in [Completeness::Asked, Completeness::Missing, Completeness::Whole, Completeness::Nothing] {
                for heard in [Heard::Dated, Heard::Told, Heard::Stale, Heard::Refused, Heard::Nothing] {
                    for accepted in [true, false] {
                        marks.set_stage(stage);
                        marks.set_known(known);
                        marks.set_heard(heard);
                        marks.set_accepted(accepted);
                        let kept = (marks.stage(), marks.known(), marks.heard(), marks.is_accepted());
                        assert_eq!(kept, (stage, known, heard, accepted));
                    }
                }
            }
        }
    }
}
