//! The shapes of the documents that this process has accepted last.
//!
//! A notifier writes one document like the other. Where notifiers do not, comparing and learning would cost more than it
//! spares; most documents are then not compared at all.

use std::cell::RefCell;

use super::block::{Tail, Text};
use super::formats::{DocumentChanges, XmlFormat};
use super::scan::RootElement;
use super::shape::Shape;
use super::version::Version;

/// How many shapes are kept.
const MOST: usize = 4;
/// Of the documents without a known shape, one in so many is learned once all places are taken.
const LEARNED: u32 = 8;
/// So many more documents without a known shape than with one end the comparing.
const PATIENCE: u32 = 32;
/// After that, one document in so many is compared.
const REST: u32 = 64;

thread_local! {
    static SHAPES: RefCell<Shapes> = const { RefCell::new(Shapes::new()) };
}

/// Some shapes, each with the format of its document.
pub(super) struct Shapes {
    kept: [(Option<&'static XmlFormat>, Shape); MOST],
    /// Their places, the one met last first.
    order: [u8; MOST],
    /// How many more documents may be compared in vain.
    patience: u32,
    /// How many documents are still not to be compared.
    rest: u32,
    /// How many have been compared in vain.
    misses: u32,
}

/// Whether a document has a known shape.
pub(super) enum Comparison {
    /// It has: it is one of the format, with this version if it has one that can be read.
    Known(Option<Version>),
    /// It has none.
    Unknown,
    /// It has none, and is worth learning.
    New,
}

/// Gives the shapes of this process to `look`.
#[inline(always)]
pub(super) fn with_shapes<R>(look: impl FnOnce(&mut Shapes) -> R) -> R {
    SHAPES.with_borrow_mut(look)
}

impl Shapes {
    pub(super) const fn new() -> Self {
        Self { kept: [(None, Shape::NONE); MOST], order: [0, 1, 2, 3], patience: PATIENCE, rest: 0, misses: 0 }
    }

    /// Compares a document of `format` with the shapes.
    #[inline(always)]
    pub(super) fn compare(&mut self, text: &[u8], format: &'static XmlFormat) -> Comparison {
        if self.rest > 0 {
            self.rest -= 1;
            return Comparison::Unknown;
        }
        let tail = Tail::of(text);
        let Some(places) = Text::new(text, &tail) else { return Comparison::Unknown };
        for rank in 0..MOST {
            let kept = self.order.get(rank).and_then(|place| self.kept.get(usize::from(*place)));
            let Some((Some(of), shape)) = kept else { continue };
            if std::ptr::eq(*of, format)
                && let Some(version) = shape.fits(places)
            {
                if rank > 0 {
                    self.move_up(rank);
                }
                self.patience = (self.patience + 1).min(PATIENCE);
                return Comparison::Known(version);
            }
        }
        self.miss()
    }

    /// Puts the shape with this rank first.
    #[cold]
    fn move_up(&mut self, rank: usize) {
        if let Some(ranks) = self.order.get_mut(..=rank) {
            ranks.rotate_right(1);
        }
    }

    #[cold]
    fn miss(&mut self) -> Comparison {
        self.misses = self.misses.wrapping_add(1);
        let is_full = self.kept.iter().all(|(format, _)| format.is_some());
        let is_new = !is_full || self.misses.is_multiple_of(LEARNED) || self.patience == 0;
        self.patience = self.patience.saturating_sub(1);
        if self.patience == 0 {
            self.rest = REST;
        }
        if is_new { Comparison::New } else { Comparison::Unknown }
    }

    /// Keeps the shape of a document of `format` that has been accepted, in place of the one that was met longest ago.
    #[cold]
    pub(super) fn learn(&mut self, text: &[u8], format: &'static XmlFormat, root: &RootElement<'_>) {
        // The name of their root, which is no part of a shape, says whether they tell everything.
        if matches!(format.changes, DocumentChanges::Patches { .. }) {
            return;
        }
        self.move_up(MOST - 1);
        let first = self.order.first().and_then(|place| self.kept.get_mut(usize::from(*place)));
        if let Some((of, shape)) = first {
            *of = Some(format);
            shape.take(text, format.has_versions.then_some(root.tag));
        }
    }
}
