//! Kamailio for the rest of the module: thin safe wrappers around the server's functions.
//!
//! Nothing here knows what a subscription is. Callbacks from the server are taken here, behind the panic guard, and handed
//! on as plain function calls.

pub mod bindings;
pub mod blocks;
pub mod clock;
pub mod connection;
pub mod database;
pub mod dialog;
pub mod guard;
pub mod limits;
pub mod lock;
pub mod log;
pub mod message;
#[cfg(feature = "meter_locks")]
pub mod meter;
mod module_params;
pub mod names;
pub mod notify_headers;
mod pool;
pub mod presence;
pub mod process;
pub mod prom;
pub mod pv;
pub mod reply_headers;
pub mod route;
pub mod rpc;
pub mod runtime;
mod shared_bytes;
pub mod shared_lock;
pub mod shm;
pub mod socket;
pub mod stateless;
pub mod statistics;
pub mod text;
pub mod transaction;
mod transport;
pub mod uri;
pub mod usrloc;
