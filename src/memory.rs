//! GROUND. Memory that processes may share: texts, lists and numbers in few bytes, and slots.
//!
//! Everything here is generic over the allocator, and always fallible. Nothing knows of the host or of subscriptions.
#![forbid(unsafe_code)]

mod alloc;
mod chunks;
mod cut_text;
mod defects;
mod hash_key;
mod ledger;
mod packed;
mod seldom;
mod slots;
mod u48;

pub use alloc::{OutOfMemory, SharedAlloc};
pub use chunks::Chunks;
pub use cut_text::CutText;
pub use defects::{Defect, Defects, found, on_defect};
pub use hash_key::HashKey;
pub use ledger::{Ledger, Usage};
pub use packed::{Packed, PackedSecrets, SharedTexts};
pub use seldom::Seldom;
pub use slots::{Occupant, SLOTS_ADDED, Slots};
pub use u48::U48;
