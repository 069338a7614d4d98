//! The memory of the messages that C has taken: that of the last one freed serves the next one.

use std::mem::MaybeUninit;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, Ordering};

/// Memory for one value of a type that [fits](place).
type Block = MaybeUninit<[usize; 48]>;

/// A free block, or null. Each process has its own: a consumer mostly frees a message before it takes the next one.
static SPARE: AtomicPtr<Block> = AtomicPtr::new(null_mut());

/// Moves a value into a block.
pub(super) fn place<T>(value: T) -> *mut T {
    // With a type that does not fit, these are no numbers, and the module is not built.
    let _fits = const { [size_of::<Block>() - size_of::<T>(), align_of::<Block>() - align_of::<T>()] };
    let spare = SPARE.swap(null_mut(), Ordering::Acquire);
    let block = if spare.is_null() { Box::into_raw(Box::new(Block::uninit())) } else { spare };
    let at = block.cast::<T>();
    // SAFETY: a block has room for it, see above, and this one is nobody else's.
    unsafe { at.write(value) };
    at
}

/// Drops a value and keeps its block, or frees it if there is one already.
///
/// # Safety
/// `at` came from [`place`], with this very type, and is not used any more.
pub(super) unsafe fn displace<T>(at: *mut T) {
    // SAFETY: the caller's promise.
    unsafe { at.drop_in_place() };
    let other = SPARE.swap(at.cast::<Block>(), Ordering::AcqRel);
    if !other.is_null() {
        // SAFETY: blocks come from `Box::into_raw` in `place`, and this one is nobody else's now.
        drop(unsafe { Box::from_raw(other) });
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;

    #[test]
    fn values_have_blocks_of_their_own_and_are_dropped_once() {
        let owner = Rc::new(());
        for round in 1..5 {
            let placed: Vec<_> = (0..round).map(|number| place((number, Rc::clone(&owner)))).collect();
            assert_eq!(Rc::strong_count(&owner), 1 + round);
            // SAFETY: placed above, and not displaced yet.
            assert!(placed.iter().enumerate().all(|(number, at)| unsafe { (**at).0 } == number));
            // SAFETY: placed above; each once.
            placed.into_iter().for_each(|at| unsafe { displace(at) });
            assert_eq!(Rc::strong_count(&owner), 1);
        }
    }
}
