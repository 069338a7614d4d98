//! A vector of fixed capacity, so that scanning needs no memory but the stack.

use super::fault::Fault;

/// A vector that lives on the stack.
pub(super) struct Short<T, const N: usize> {
    items: [T; N],
    len: usize,
}

impl<T: Copy + Default, const N: usize> Short<T, N> {
    #[inline(always)]
    pub(super) fn new() -> Self {
        Self { items: [T::default(); N], len: 0 }
    }

    /// Appends `item`, or says that there are more of `what` than fit.
    #[inline(always)]
    pub(super) fn push(&mut self, item: T, what: &'static str) -> Result<(), Fault> {
        let slot = self.items.get_mut(self.len).ok_or(Fault::Limit { what, limit: N })?;
        *slot = item;
        self.len += 1;
        Ok(())
    }

    #[inline(always)]
    pub(super) fn pop(&mut self) -> Option<T> {
        self.len = self.len.checked_sub(1)?;
        self.items.get(self.len).copied()
    }

    #[inline(always)]
    pub(super) fn len(&self) -> usize {
        self.len
    }

    #[inline(always)]
    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Drops all but the first `len` items.
    #[inline(always)]
    pub(super) fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }

    #[inline(always)]
    pub(super) fn as_slice(&self) -> &[T] {
        self.items.get(..self.len).unwrap_or_default()
    }

    #[inline(always)]
    pub(super) fn get_mut(&mut self, at: usize) -> Option<&mut T> {
        self.items.get_mut(..self.len)?.get_mut(at)
    }
}
