//! Callbacks of other languages: three numbers behind one, so that they fit into the place of a single number.

use allocator_api2::alloc::Allocator;
use allocator_api2::vec::Vec;

use super::error::QsaError;
use crate::memory::OutOfMemory;

/// Two functions and a value that only the C module understands.
pub type Foreign = [usize; 3];

const INDEX_BITS: u32 = 16;

/// The table of kept callbacks. A number that is no longer valid finds nothing.
pub(super) struct CallbackTable<A: Allocator> {
    rows: Vec<Option<(usize, Foreign)>, A>,
    serial: usize,
}

impl<A: Allocator + Clone> CallbackTable<A> {
    pub(super) fn new(alloc: A) -> Self {
        Self { rows: Vec::new_in(alloc), serial: 0 }
    }

    pub(super) fn keep(&mut self, foreign: Foreign) -> Result<usize, QsaError> {
        let free = self.rows.iter().position(Option::is_none);
        let index = match free {
            Some(index) => index,
            None if self.rows.len() >> INDEX_BITS != 0 => return Err(QsaError::Exhausted),
            None => {
                self.rows.try_reserve(1).map_err(|_| OutOfMemory)?;
                self.rows.push(None);
                self.rows.len() - 1
            }
        };
        self.serial = (self.serial + 1) & (usize::MAX >> INDEX_BITS);
        let number = self.serial << INDEX_BITS | index;
        if let Some(row) = self.rows.get_mut(index) {
            *row = Some((number, foreign));
        }
        Ok(number)
    }

    pub(super) fn get(&self, number: usize) -> Option<Foreign> {
        let (kept, foreign) = (*self.rows.get(index(number))?)?;
        (kept == number).then_some(foreign)
    }

    pub(super) fn forget(&mut self, number: usize) {
        if self.get(number).is_some() {
            if let Some(row) = self.rows.get_mut(index(number)) {
                *row = None;
            }
            while let Some(None) = self.rows.last() {
                self.rows.pop();
            }
            if self.rows.is_empty() {
                self.rows = Vec::new_in(self.rows.allocator().clone());
            }
        }
    }
}

fn index(number: usize) -> usize {
    number & ((1 << INDEX_BITS) - 1)
}
