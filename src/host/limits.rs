//! What the server itself can receive.

use super::bindings as ks;

/// The most bytes that a datagram has room for, beside the headers of IP and UDP.
const DATAGRAM: usize = 65_507;

/// The largest messages that the server takes, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MostReceived {
    /// Over UDP.
    pub datagram: usize,
    /// Over TCP and what is built on it; `None` when the server has none of them.
    pub stream: Option<usize>,
}

impl MostReceived {
    /// As the server is configured. Call after its configuration is complete, before the fork.
    #[must_use]
    pub fn of_server() -> Self {
        // SAFETY: reads two settings of the server.
        let stream = unsafe { ks::pb2b_most_over_tcp() } as usize;
        let most = of_any_transport();
        Self { datagram: DATAGRAM.min(most), stream: (stream > 0).then_some(stream.min(most)) }
    }

    /// The largest of any transport.
    #[must_use]
    pub fn best(&self) -> usize {
        self.stream.unwrap_or(0).max(self.datagram)
    }
}

/// The core parameter `msg_recv_max_size`, which 5.6 does not have.
fn of_any_transport() -> usize {
    // SAFETY: looks a symbol up by its name.
    let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"ksr_msg_recv_max_size".as_ptr()) };
    // SAFETY: where the server has this variable, it is an integer that lives as long as the server.
    let most = unsafe { found.cast::<u32>().as_ref() };
    // A message of exactly this size is too large.
    most.map_or(usize::MAX, |most| (*most as usize).saturating_sub(1))
}
