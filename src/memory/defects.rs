//! Findings that mean corrupt memory or a defect of the module: work goes on with a harmless value, and the log says so once.
#![forbid(unsafe_code)]

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// The finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Defect {
    /// The lengths of texts are not those of the texts.
    Texts,
    /// A state that has a time is without it.
    State,
    /// The number of a package is none.
    Package,
    /// There is no dialog where the state says that there is one.
    Dialog,
    /// There is no queue at a place.
    Queue,
    /// The value of a subscription that is shared names no share.
    Share,
    /// A request has no next hop.
    Hop,
    /// Options that the module has written cannot be read.
    Options,
}

impl Defect {
    const ALL: [Self; 8] =
        [Self::Texts, Self::State, Self::Package, Self::Dialog, Self::Queue, Self::Share, Self::Hop, Self::Options];

    /// The text for the log.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::Texts => "texts do not have their lengths, and are read as empty",
            Self::State => "a subscription's state has lost its time, and is due at once",
            Self::Package => "a subscription has lost its event package, and counts as one of presence",
            Self::Dialog => "a subscription has lost its dialog, and begins again",
            Self::Queue => "a subscription has no queue, and its messages are lost",
            Self::Share => "the members of a shared subscription are not found, and miss a message",
            Self::Hop => "a SUBSCRIBE has no next hop, and is held for a second",
            Self::Options => "the options of a subscription cannot be read, and $qsa(event_id) is null",
        }
    }

    fn bit(self) -> u32 {
        1 << self as u32
    }
}

/// Which were found and which were told, in shared memory.
#[derive(Debug, Default)]
pub struct Defects {
    found: AtomicU32,
    told: AtomicU32,
}

impl Defects {
    /// Notes one.
    pub fn note(&self, defect: Defect) {
        self.found.fetch_or(defect.bit(), Relaxed);
    }

    /// One that was found and is to be told now: each once, and to one process.
    #[must_use]
    pub fn news(&self) -> Option<Defect> {
        let new = self.found.load(Relaxed) & !self.told.load(Relaxed);
        if new == 0 {
            return None;
        }
        let defect = Defect::ALL.into_iter().find(|defect| new & defect.bit() != 0)?;
        (self.told.fetch_or(defect.bit(), Relaxed) & defect.bit() == 0).then_some(defect)
    }
}

/// The function that notes them; set before the fork.
static NOTE: OnceLock<fn(Defect)> = OnceLock::new();

/// From now on `note` is told of each one that is found, with or without locks. The first call wins.
pub fn on_defect(note: fn(Defect)) {
    // One that is set already stays.
    let _ = NOTE.set(note);
}

/// One was found: gives the harmless value. In unit tests it is a failure.
#[cold]
pub fn found<T: Default>(defect: Defect) -> T {
    if let Some(note) = NOTE.get() {
        note(defect);
    }
    #[cfg(test)]
    tests::expect_none(defect);
    T::default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Unit tests look for what cannot be.
    pub(super) fn expect_none(defect: Defect) {
        panic!("{}", defect.text());
    }

    #[test]
    fn each_is_told_once() {
        let defects = Defects::default();
        assert_eq!(defects.news(), None);
        defects.note(Defect::State);
        defects.note(Defect::Texts);
        assert_eq!([(); 3].map(|()| defects.news()), [Some(Defect::Texts), Some(Defect::State), None]);
        defects.note(Defect::State);
        assert_eq!(defects.news(), None);
    }
}
