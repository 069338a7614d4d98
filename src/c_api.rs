//! The C face of the hub: the functions behind `cshim/presence_b2b_api.h`, which says what each does, and the documents of
//! `cshim/presence_b2b_documents.h`.
//!
//! Its `unsafe` relies on the demands of the header on its caller: pointers are null
//! or point to what their type says, functions are of their type and valid in every process, and a message is given back
//! as it was obtained, once. Everything else (stale numbers, unknown states, strings of negative length) is checked.

mod blocks;
mod convert;
mod dialogs;
mod document;
mod document_types;
mod guard;
mod lists;
mod messages;
mod notifiers;
mod pinned;
mod presentity;
mod registrations;
#[cfg(test)]
pub(crate) mod seen;
mod subscribers;
mod table;
#[cfg(test)]
mod tests;
mod text;
mod types;
mod waiting;
mod watchers;

use parking_lot::lock_api::RawMutex;

use crate::lists::Rosters;
use crate::memory::SharedAlloc;
use crate::qsa::Hub;

pub use table::{Api, bind};

/// How the C face finds the hub and reports a defect. Implemented once, by the module.
pub trait Wiring: 'static {
    /// The hub's allocator.
    type Alloc: SharedAlloc + 'static;
    /// The hub's lock.
    type Lock: RawMutex + 'static;

    /// The hub; `None` before it is made and after its end.
    fn hub() -> Option<&'static Hub<Self::Alloc, Self::Lock>>;

    /// What is remembered of lists; `None` before it is made and after its end.
    fn rosters() -> Option<&'static Rosters<Self::Alloc, Self::Lock>>;

    /// Logs that `function` has panicked. Its caller gets the error `QSA_E_INTERNAL`.
    fn panicked(function: &'static str, message: &str);
}
