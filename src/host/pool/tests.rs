//! Blocks of all sizes, in all orders and from several threads.

use proptest::prelude::*;

use super::*;
use crate::testing::Accounted;

type Tested = Pool<Accounted, parking_lot::RawMutex>;

fn give_back(pool: &Tested, block: NonNull<u8>, size: usize) {
    // SAFETY: it came from this pool with this size, and no test uses it any more.
    unsafe { pool.deallocate(block, size) };
}

fn fill(block: NonNull<u8>, size: usize, mark: u8) {
    // SAFETY: the block has so many bytes.
    unsafe { block.as_ptr().write_bytes(mark, size) };
}

fn holds(block: NonNull<u8>, size: usize, mark: u8) -> bool {
    // SAFETY: the block has so many bytes, all written.
    unsafe { std::slice::from_raw_parts(block.as_ptr(), size) }.iter().all(|byte| *byte == mark)
}

proptest! {
    /// Blocks come and go in any order: none overlaps another, and all memory goes back.
    #[test]
    fn blocks_are_apart(steps in prop::collection::vec((1..=LARGEST, any::<usize>(), 0u8..3), 1..3000)) {
        let account = Accounted::new();
        let pool = Tested::new(account.clone());
        let mut live: Vec<(NonNull<u8>, usize, u8)> = Vec::new();
        for (number, (size, which, kind)) in steps.into_iter().enumerate() {
            if kind > 0 || live.is_empty() {
                let block = pool.allocate(size).unwrap();
                prop_assert_eq!(block.as_ptr().addr() % ALIGN, 0);
                let mark = number as u8;
                fill(block, size, mark);
                live.push((block, size, mark));
            } else {
                let (block, size, mark) = live.swap_remove(which % live.len());
                prop_assert!(holds(block, size, mark));
                give_back(&pool, block, size);
            }
            let bytes = live.iter().map(|(_, size, _)| size.next_multiple_of(ALIGN)).sum();
            prop_assert_eq!(pool.used(), Used { blocks: live.len(), bytes });
        }
        for (block, size, mark) in live {
            prop_assert!(holds(block, size, mark));
            give_back(&pool, block, size);
        }
        prop_assert_eq!((account.out(), pool.used()), (0, Used::default()));
    }
}

#[test]
fn little_is_lost() {
    for size in [16, 40, 72, 136, 200, LARGEST] {
        let account = Accounted::new();
        let pool = Tested::new(account.clone());
        let blocks: Vec<_> = (0..100_000).map(|_| pool.allocate(size).unwrap()).collect();
        let each = account.out() as f64 / 100_000.0;
        assert!(each < size as f64 * 1.12 + 4.0, "{each} bytes for {size}");
        for block in blocks {
            give_back(&pool, block, size);
        }
        assert_eq!(account.out(), 0);
    }
}

#[test]
fn without_memory_there_is_none() {
    let account = Accounted::new();
    let pool = Tested::new(account.clone());
    account.allow(1);
    let mut blocks = Vec::new();
    while let Ok(block) = pool.allocate(LARGEST) {
        blocks.push(block);
    }
    let in_page = PAGE / LARGEST;
    assert!(blocks.len() >= 60 * in_page, "{}", blocks.len());
    assert!(pool.allocate(8).is_err());
    blocks.drain(..in_page).for_each(|block| give_back(&pool, block, LARGEST));
    let small = pool.allocate(8).unwrap();
    give_back(&pool, small, 8);
    blocks.drain(..).for_each(|block| give_back(&pool, block, LARGEST));
    assert_eq!((account.out(), pool.used()), (0, Used::default()));
}

#[test]
fn threads_share_it() {
    let account = Accounted::new();
    let pool = Tested::new(account.clone());
    std::thread::scope(|scope| {
        for mark in 0..4u8 {
            let pool = &pool;
            scope.spawn(move || {
                let mut live = Vec::new();
                for round in 0..20_000usize {
                    let size = 1 + (round * 37 + usize::from(mark)) % LARGEST;
                    let block = pool.allocate(size).unwrap();
                    fill(block, size, mark);
                    live.push((block, size));
                    if live.len() > 100 {
                        let (block, size) = live.swap_remove(round % 100);
                        assert!(holds(block, size, mark));
                        give_back(pool, block, size);
                    }
                }
                for (block, size) in live {
                    give_back(pool, block, size);
                }
            });
        }
    });
    assert_eq!(account.out(), 0);
}
