//! Connections of the transports that have them, and the listener for their loss.

use std::ffi::c_int;
use std::num::NonZero;
use std::sync::OnceLock;

use super::bindings as ks;
use super::guard::guard;

/// The function that hears of a lost connection. Set before the fork.
static ON_LOSS: OnceLock<fn(NonZero<u32>)> = OnceLock::new();

/// Has `on_loss` called, in the server's TCP main process, with the number of every connection that the other side has
/// closed or that broke; not with those that the server has closed because they were idle. Call in `child_init(PROC_INIT)`: the server has
/// room for one listener, and a module that must be it (tcpops) asks in its `mod_init`. `false` when it has.
pub fn listen(on_loss: fn(NonZero<u32>)) -> bool {
    // SAFETY: the function is valid in every process; before the fork is the time.
    let taken = unsafe { ks::sr_event_register_cb(ks::SREV_TCP_CLOSED as c_int, Some(on_closed)) } < 0;
    !taken && ON_LOSS.set(on_loss).is_ok()
}

unsafe extern "C" fn on_closed(event: *mut ks::sr_event_param_t) -> c_int {
    guard("the connection callback", 0, || {
        // SAFETY: the server passes a valid event.
        let number = unsafe { ks::pb2b_closed_connection(event) };
        if let (Some(on_loss), Some(number)) = (ON_LOSS.get(), number_of(number)) {
            on_loss(number);
        }
        0
    })
}

/// Whether there is a connection with this number still. There is a server with connections if there is a number.
#[must_use]
pub fn is_there(number: NonZero<u32>) -> bool {
    // SAFETY: looks it up under the host's lock.
    c_int::try_from(number.get()).is_ok_and(|number| unsafe { ks::pb2b_has_connection(number) } != 0)
}

/// The number of every connection that was lost before the sender knew its own. The host's are smaller.
const LOST: NonZero<u32> = NonZero::<u32>::MAX;

/// The number of the connection that what has just been sent there has taken. It may be lost already; then [`is_there`]
/// says so. `None` where the transport has none. May block briefly where senders wait for connections (`tcp_async=no`).
pub(super) fn taken_to(to: &ks::dest_info) -> Option<NonZero<u32>> {
    // SAFETY: the destination is only read.
    match unsafe { ks::pb2b_connection_to(to) } {
        ..0 => Some(LOST),
        number => number_of(number),
    }
}

/// The host's number of a connection; 0 and less are none.
pub(super) fn number_of(number: c_int) -> Option<NonZero<u32>> {
    u32::try_from(number).ok().and_then(NonZero::new)
}
