//! The queue of states that nobody subscribed to.

use parking_lot::RawMutex;

use crate::qsa::{NotQueued, UnsolicitedQueue};
use crate::testing::Accounted;

fn texts(body: &[u8]) -> [&[u8]; 4] {
    [b"sip:a@x", b"message-summary", b"a/b", body]
}

fn queue(most: usize, most_bytes: usize) -> (Accounted, UnsolicitedQueue<Accounted, RawMutex>) {
    let account = Accounted::new();
    (account.clone(), UnsolicitedQueue::new(most, most_bytes, account))
}

#[test]
fn states_come_in_their_order() {
    let (account, queue) = queue(1000, 1 << 20);
    let (mut pushed, mut popped) = (0u32, 0u32);
    for round in 1..40u32 {
        for _ in 0..round % 7 {
            queue.push(texts(&pushed.to_be_bytes())).unwrap();
            pushed += 1;
        }
        for _ in 0..round % 5 {
            if let Some(state) = queue.pop() {
                assert_eq!(state.all(), texts(&popped.to_be_bytes()));
                popped += 1;
            }
        }
        assert_eq!(queue.len(), u64::from(pushed - popped));
    }
    while let Some(state) = queue.pop() {
        assert_eq!(state.get(3), popped.to_be_bytes());
        popped += 1;
    }
    assert_eq!((pushed, account.out()), (popped, 0), "nothing is kept");
}

#[test]
fn a_full_queue_and_one_without_memory_take_nothing() {
    let (_, few) = queue(2, 1 << 20);
    assert_eq!([0, 1, 2].map(|_| few.push(texts(b""))), [Ok(()), Ok(()), Err(NotQueued::Full)]);
    assert!(few.pop().is_some() && few.push(texts(b"")).is_ok());
    let (account, small) = queue(100, 200);
    assert_eq!(small.push(texts(&[0; 300])), Err(NotQueued::Full));
    assert_eq!([0, 1].map(|_| small.push(texts(&[0; 100]))), [Ok(()), Err(NotQueued::Full)]);
    assert!(small.pop().is_some() && account.out() == 0);
    for allowed in 0..2 {
        account.allow(allowed);
        assert_eq!((small.push(texts(b"x")), small.len()), (Err(NotQueued::OutOfMemory), 0));
    }
    account.allow_all();
    assert_eq!((small.push(texts(b"x")), small.len()), (Ok(()), 1));
}
