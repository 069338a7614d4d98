//! Shared memory that the server needs beside the subscriptions that come back.

use allocator_api2::vec::Vec;

use crate::host::shm::Shm;

/// How many bytes are kept free, the most that there are room for.
const KEPT: [usize; 3] = [4 << 20, 2 << 20, 1 << 20];

/// Memory that is kept free while subscriptions come back: the server would not start without any.
pub struct KeptRoom {
    _block: Vec<u8, Shm>,
}

impl KeptRoom {
    /// Takes it; none if there is no room at all, or the module may not have as much.
    pub fn take() -> Self {
        let mut block = Vec::new_in(Shm);
        let _ = KEPT.into_iter().find(|most| block.try_reserve_exact(*most).is_ok());
        Self { _block: block }
    }
}
