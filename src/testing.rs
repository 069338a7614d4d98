//! For unit tests of every room: an allocator that counts what is out and fails on demand.

use std::collections::BTreeMap;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use allocator_api2::alloc::{AllocError, Allocator, Global, Layout};
use allocator_api2::boxed::Box;
use allocator_api2::vec::Vec;

use crate::grammar::{EntityTag, OfferedUri, PeerUri, Tag};
use crate::memory::{OutOfMemory, SharedAlloc};
use crate::subscription::Credential;

/// The heap, with an account. Clones share the account.
#[derive(Clone, Debug)]
pub struct Accounted(Arc<Account>);

#[derive(Debug)]
struct Account {
    out: AtomicUsize,
    allowed: AtomicI64,
    /// Bytes that no block may hold when it is given back; none at first.
    secret: Mutex<std::vec::Vec<u8>>,
    has_leaked: AtomicBool,
}

impl Accounted {
    /// An account with nothing out and no end of memory.
    pub fn new() -> Self {
        Self(Arc::new(Account {
            out: AtomicUsize::new(0),
            allowed: AtomicI64::new(i64::MAX),
            secret: Mutex::default(),
            has_leaked: AtomicBool::new(false),
        }))
    }

    /// Bytes allocated and not given back.
    pub fn out(&self) -> usize {
        self.0.out.load(Ordering::SeqCst)
    }

    /// Lets `count` more allocations succeed; later ones fail.
    pub fn allow(&self, count: i64) {
        self.0.allowed.store(count, Ordering::SeqCst);
    }

    /// Has every block looked through for this text when it is given back.
    pub fn look_for(&self, secret: &[u8]) {
        *self.0.secret.lock().unwrap_or_else(PoisonError::into_inner) = secret.to_vec();
    }

    /// Whether a block has been given back with that text in it.
    pub fn has_leaked(&self) -> bool {
        self.0.has_leaked.load(Ordering::SeqCst)
    }

    /// Lets all allocations succeed again.
    pub fn allow_all(&self) {
        self.allow(i64::MAX);
    }
}

// SAFETY: blocks are the global allocator's; clones share one account and the same global allocator.
unsafe impl Allocator for Accounted {
    fn allocate(&self, layout: Layout) -> Result<NonNull<[u8]>, AllocError> {
        if layout.size() > 0 && self.0.allowed.fetch_sub(1, Ordering::SeqCst) <= 0 {
            return Err(AllocError);
        }
        // All of it can be read when it is given back.
        let block = Global.allocate_zeroed(layout)?;
        self.0.out.fetch_add(layout.size(), Ordering::SeqCst);
        Ok(block)
    }

    unsafe fn deallocate(&self, block: NonNull<u8>, layout: Layout) {
        self.0.out.fetch_sub(layout.size(), Ordering::SeqCst);
        let secret = self.0.secret.lock().unwrap_or_else(PoisonError::into_inner);
        if !secret.is_empty() {
            // SAFETY: a block of this size, of which each byte has been written, as zero at least.
            let bytes = unsafe { std::slice::from_raw_parts(block.as_ptr(), layout.size()) };
            let leaks = bytes.windows(secret.len()).any(|part| part == secret.as_slice());
            self.0.has_leaked.fetch_or(leaks, Ordering::SeqCst);
        }
        // SAFETY: the block came from `allocate` with this layout, by the contract of `deallocate`.
        unsafe { Global.deallocate(block, layout) }
    }
}

/// Bytes with several owners.
#[derive(Clone)]
pub struct Shared<A: Allocator>(Arc<Box<[u8], A>>);

impl<A: Allocator> AsRef<[u8]> for Shared<A> {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl<A: Allocator> Shared<A> {
    fn try_new(head: &[u8], parts: &[&[u8]], alloc: A) -> Result<Self, OutOfMemory> {
        let mut bytes = Vec::new_in(alloc);
        let all = [head, &parts.concat()].concat();
        bytes.try_reserve_exact(all.len()).map_err(|_| OutOfMemory)?;
        bytes.extend_from_slice(&all);
        Ok(Self(Arc::new(bytes.into_boxed_slice())))
    }
}

impl SharedAlloc for Accounted {
    type Shared = Shared<Self>;

    fn try_share(&self, head: &[u8], parts: &[&[u8]]) -> Result<Self::Shared, OutOfMemory> {
        Shared::try_new(head, parts, self.clone())
    }

    fn is_same(one: &Self::Shared, other: &Self::Shared) -> bool {
        Arc::ptr_eq(&one.0, &other.0)
    }
}

impl SharedAlloc for Global {
    type Shared = Shared<Self>;

    fn try_share(&self, head: &[u8], parts: &[&[u8]]) -> Result<Self::Shared, OutOfMemory> {
        Shared::try_new(head, parts, Self)
    }

    fn is_same(one: &Self::Shared, other: &Self::Shared) -> bool {
        Arc::ptr_eq(&one.0, &other.0)
    }
}

/// No user name and password for any realm.
pub const NO_CREDENTIALS: [Credential; 0] = [];

/// A URI that is known to be good.
pub fn uri(text: &[u8]) -> PeerUri<'_> {
    PeerUri::judge(text).unwrap()
}

/// The Contact that a NOTIFY offers.
pub fn offered(text: &[u8]) -> OfferedUri<'_> {
    OfferedUri::of(text)
}

/// A tag that is known to be good, or none.
pub fn tag(text: &[u8]) -> Tag<'_> {
    Tag::judge(text).unwrap()
}

/// An entity-tag that is known to be good.
pub fn etag(text: &[u8]) -> EntityTag<'_> {
    EntityTag::judge(text).unwrap()
}

/// URIs that are known to be good, for as long as the tests run.
pub fn uris(texts: &[&[u8]]) -> &'static [PeerUri<'static>] {
    static KNOWN: Mutex<BTreeMap<std::vec::Vec<std::vec::Vec<u8>>, &[PeerUri<'_>]>> = Mutex::new(BTreeMap::new());
    let key = texts.iter().map(|text| text.to_vec()).collect();
    let judge = || &*texts.iter().map(|text| uri(text.to_vec().leak())).collect::<std::vec::Vec<_>>().leak();
    KNOWN.lock().unwrap_or_else(PoisonError::into_inner).entry(key).or_insert_with(judge)
}

/// The CPU time that this thread has taken: other processes do not lengthen it, so that a bound holds on a busy machine too.
pub fn cpu_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the clock is one that every thread has, and the place is valid.
    assert_eq!(unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) }, 0);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}
