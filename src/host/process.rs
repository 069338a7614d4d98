//! Processes of our own: the b2b workers, and how they are woken.

use super::bindings as ks;
use super::guard::guard;
use super::log;
use std::cell::Cell;
use std::ffi::CString;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

thread_local! {
    /// Whether this process is one of ours.
    static OURS: Cell<bool> = const { Cell::new(false) };

    /// The signals of a process of ours that are blocked while it waits: those that end it are not among them.
    static WAITING: Cell<Option<libc::sigset_t>> = const { Cell::new(None) };
}

/// Whether this process is one that [`fork`] has made: it is never in the middle of a message of the host's.
#[must_use]
pub fn is_ours() -> bool {
    OURS.get()
}

/// Whether the server destroys its modules. From then on no lock may be taken: its children are gone, and one that was
/// killed may have held it.
#[must_use]
pub fn is_ending() -> bool {
    // SAFETY: reads a flag of the server.
    unsafe { ks::pb2b_is_ending() != 0 }
}

/// Announces `count` extra processes; call in `mod_init`.
///
/// # Errors
/// When the host refuses.
pub fn announce(count: u16) -> Result<(), ProcessError> {
    // SAFETY: plain numbers; mod_init is the time for both.
    unsafe {
        if ks::register_procs(i32::from(count)) < 0 {
            return Err(ProcessError::Register);
        }
        ks::cfg_register_child(i32::from(count));
    }
    Ok(())
}

/// Why there is no worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProcessError {
    /// `register_procs` failed.
    #[error("the server takes no more processes: lower modparam workers")]
    Register,
    /// `fork_process` failed.
    #[error("a b2b worker process cannot be forked: see the system's limits on processes and memory")]
    Fork,
    /// No pipe.
    #[error("no pipe for waking the b2b workers: raise the limit on open files")]
    Pipe,
}

/// Forks one worker that runs `round` for ever; call in `child_init(PROC_MAIN)`. A round waits when there is nothing to do.
///
/// # Errors
/// When the fork fails.
pub fn fork(name: &str, round: impl Fn()) -> Result<(), ProcessError> {
    let Ok(mut name) = CString::new(name).map(CString::into_bytes_with_nul) else { return Err(ProcessError::Fork) };
    // SAFETY: the name is copied by the host.
    let pid = unsafe { ks::fork_process(ks::PROC_RPC, name.as_mut_ptr().cast(), 1) };
    if pid < 0 {
        return Err(ProcessError::Fork);
    }
    if pid > 0 {
        return Ok(());
    }
    OURS.set(true);
    // SAFETY: this is the child; the host wants this call once before parameters are read.
    if unsafe { ks::cfg_child_init() } < 0 {
        log::error("a b2b worker cannot take part in run-time parameters; the server will stop");
        // SAFETY: ends the child without running anybody's destructors, as the host's own children end.
        unsafe { libc::_exit(1) };
    }
    block_ending();
    loop {
        take_ending();
        // SAFETY: takes over changed parameters of the host; the process's own loop is the place.
        unsafe { ks::pb2b_cfg_update() };
        let whole = guard("a b2b worker", false, || {
            round();
            true
        });
        if !whole {
            // The same work may panic again: neither the processor nor the log should be filled with it.
            std::thread::sleep(PAUSE_AFTER_PANIC);
        }
    }
}

/// Takes the host's run-time parameters for this process, unless it is the main one; call in `child_init`.
///
/// The host does so under a lock when a process first has work, and again in its SIGTERM handler if that never came. A
/// process that is interrupted by SIGTERM just then ends with the lock held, and the server never stops (seen in one of a
/// hundred stops of 5.6.3). Once taken, nothing is left to do at the end.
pub fn take_parameters() {
    // SAFETY: this the host shares its parameters before it initialises processes; no callback runs.
    unsafe { ks::pb2b_take_cfg() };
}

/// From here on what ends this process is held back, but while it waits. A process that ended inside a lock or an allocator
/// would leave it locked, and the server could not stop.
fn block_ending() {
    let mut ending = std::mem::MaybeUninit::<libc::sigset_t>::uninit();
    let mut before = std::mem::MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: the sets are ours, and written before they are read.
    let mut before = unsafe {
        libc::sigemptyset(ending.as_mut_ptr());
        ENDING.iter().for_each(|signal| _ = libc::sigaddset(ending.as_mut_ptr(), *signal));
        if libc::pthread_sigmask(libc::SIG_BLOCK, ending.as_ptr(), before.as_mut_ptr()) != 0 {
            return;
        }
        before.assume_init()
    };
    // SAFETY: a set of ours, which is initialised.
    ENDING.iter().for_each(|signal| _ = unsafe { libc::sigdelset(&mut before, *signal) });
    WAITING.set(Some(before));
}

/// The server ends its children by the first, somebody at a terminal by the second.
const ENDING: [libc::c_int; 2] = [libc::SIGTERM, libc::SIGINT];

/// Waits for a descriptor, or for none; less than 1 when nothing came. What ends the process does so here.
fn wait_for(watched: &mut [libc::pollfd], limit: Duration) -> i32 {
    let time = libc::timespec {
        tv_sec: libc::time_t::try_from(limit.as_secs()).unwrap_or(libc::time_t::MAX),
        tv_nsec: libc::c_long::from(limit.subsec_nanos()),
    };
    let mask = WAITING.get();
    let mask = mask.as_ref().map_or(std::ptr::null(), |mask| &raw const *mask);
    // SAFETY: as many entries as said; time and mask live as long as the call.
    unsafe { libc::ppoll(watched.as_mut_ptr(), watched.len() as libc::nfds_t, &time, mask) }
}

/// A process that never waits, as there is always more to do, ends here.
fn take_ending() {
    wait_for(&mut [], Duration::ZERO);
}

/// How often in a row it was seen that this process is to end and does not.
static OVERDUE: AtomicU32 = AtomicU32::new(0);

/// Does what may wait inside the host for long: a process that is to end does so in the middle of it, once it was seen twice, a
/// second apart, that it has to. By then it waits: whatever is done in a lock or an allocator takes far less.
///
/// The host's own limits are no help at the end. They count the ticks of its timer, which has ended by then.
pub fn endable<R>(work: impl FnOnce() -> R) -> R {
    let _watch = EndWatch::begin();
    work()
}

/// Looks every second, until it is dropped.
struct EndWatch;

impl EndWatch {
    fn begin() -> Self {
        OVERDUE.store(0, Ordering::Relaxed);
        // SAFETY: the action is ours and written before it is used; its handler calls nothing that a handler may not. Children of the
        // host have no use for this signal.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = on_second as extern "C" fn(libc::c_int) as libc::sighandler_t;
            libc::sigaction(libc::SIGALRM, &action, std::ptr::null_mut());
        }
        Self::every(1);
        Self
    }

    fn every(seconds: libc::time_t) {
        let time = libc::timeval { tv_sec: seconds, tv_usec: 0 };
        // SAFETY: sets this process's timer from a value of ours.
        unsafe {
            libc::setitimer(
                libc::ITIMER_REAL,
                &libc::itimerval { it_interval: time, it_value: time },
                std::ptr::null_mut(),
            )
        };
    }
}

impl Drop for EndWatch {
    fn drop(&mut self) {
        Self::every(0);
    }
}

extern "C" fn on_second(_: libc::c_int) {
    let mut pending = std::mem::MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: the set is written before it is read; all of these may be called by a handler.
    unsafe {
        let is_read = libc::sigpending(pending.as_mut_ptr()) == 0;
        let is_overdue = is_read && ENDING.iter().any(|signal| libc::sigismember(pending.as_ptr(), *signal) == 1);
        if is_overdue && OVERDUE.fetch_add(1, Ordering::Relaxed) > 0 {
            libc::_exit(0);
        }
    }
}

const PAUSE_AFTER_PANIC: Duration = Duration::from_secs(1);

/// A pipe made before the fork: anybody rings, its worker wakes.
#[derive(Debug)]
pub struct Bell {
    read: i32,
    write: i32,
}

impl Bell {
    /// Makes the pipe; call in `mod_init`.
    ///
    /// # Errors
    /// When the system has none left.
    pub fn hung() -> Result<Self, ProcessError> {
        let mut ends = [-1; 2];
        // SAFETY: `ends` has room for two descriptors.
        if unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_NONBLOCK | libc::O_CLOEXEC) } < 0 {
            return Err(ProcessError::Pipe);
        }
        let [read, write] = ends;
        Ok(Self { read, write })
    }

    /// Wakes the worker. A full pipe means that it is being woken already.
    pub fn ring(&self) {
        let byte = 1u8;
        // SAFETY: writes one byte of ours; a bad or full descriptor only gives an error.
        unsafe { libc::write(self.write, (&raw const byte).cast(), 1) };
    }

    /// Waits until it is rung, `limit` at most. All that has been rung before counts as once.
    pub fn wait(&self, limit: Duration) {
        let mut watch = libc::pollfd { fd: self.read, events: libc::POLLIN, revents: 0 };
        if wait_for(std::slice::from_mut(&mut watch), limit) <= 0 {
            return;
        }
        let mut rung = [0u8; 64];
        // SAFETY: at most as many bytes as there is room for; the pipe does not block.
        unsafe { libc::read(self.read, rung.as_mut_ptr().cast(), rung.len()) };
    }
}
