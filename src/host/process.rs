//! The module's own processes: the b2b workers, and how they are woken.

use std::cell::Cell;
use std::ffi::CString;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use super::bindings as ks;
use super::guard::guard;
use super::log;

thread_local! {
    /// Whether this process is one of ours.
    static OURS: Cell<bool> = const { Cell::new(false) };
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
    #[error("the server takes no more processes: lower modparam workers or resolvers")]
    Register,
    /// `fork_process` failed.
    #[error("a b2b worker process cannot be forked: raise the system's limit on processes, or free memory")]
    Fork,
    /// No pipe.
    #[error("no pipe for waking the b2b workers: raise the limit on open files")]
    Pipe,
}

/// What a process does before it ends.
#[derive(Clone, Copy)]
pub struct LastWords {
    /// Whether there is anything to do. A signal handler asks: it may read atomic numbers and nothing else.
    pub is_wanted: fn() -> bool,
    /// Does it.
    pub say: fn(),
    /// How many seconds it may take, whole ones begun; then the process is ended.
    pub seconds: u32,
}

/// That of this process.
static LAST_WORDS: OnceLock<LastWords> = OnceLock::new();

/// Forks one worker that runs `round` for ever; call in `child_init(PROC_MAIN)`. A round waits when there is nothing to do.
///
/// # Errors
/// When the fork fails.
pub fn fork(name: &str, farewell: Option<LastWords>, round: impl Fn()) -> Result<(), ProcessError> {
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
    if let Some(farewell) = farewell {
        let _ = LAST_WORDS.set(farewell);
    }
    // SAFETY: this is the child; the host wants this call once before parameters are read.
    if unsafe { ks::cfg_child_init() } < 0 {
        log::error(
            "a b2b worker cannot register for run-time parameters (cfg framework), and the server will stop: the line before says why",
        );
        // SAFETY: ends the child without running anybody's destructors, as the host's own children end.
        unsafe { libc::_exit(1) };
    }
    put_off_ending();
    loop {
        end_if_asked();
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

/// From here on what ends this process ends it where it waits, and otherwise when it has finished what it does. A process that
/// ended inside a lock or an allocator would leave it locked, and the server could not stop.
fn put_off_ending() {
    for signal in ENDING {
        handle(signal, on_ending);
    }
    handle(libc::SIGALRM, on_overdue);
}

/// The server ends its children with the first; Ctrl-C at a terminal sends the second.
const ENDING: [libc::c_int; 2] = [libc::SIGTERM, libc::SIGINT];

/// Whether this process is to end.
static IS_TO_END: AtomicBool = AtomicBool::new(false);

/// Whether it does nothing but wait.
static IS_WAITING: AtomicBool = AtomicBool::new(false);

/// How often it was seen that this process is to end and does not.
static OVERDUE: AtomicU32 = AtomicU32::new(0);

fn handle(signal: libc::c_int, handler: extern "C" fn(libc::c_int)) {
    // SAFETY: the action is ours and written before it is used; the handlers call nothing that a handler may not. System calls that
    // they interrupt go on.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handler as libc::sighandler_t;
        action.sa_flags = libc::SA_RESTART;
        libc::sigfillset(&mut action.sa_mask);
        libc::sigaction(signal, &action, std::ptr::null_mut());
    }
}

extern "C" fn on_ending(_: libc::c_int) {
    let was_to_end = IS_TO_END.swap(true, Ordering::SeqCst);
    // Otherwise it stops waiting.
    if IS_WAITING.load(Ordering::SeqCst) && !are_last_words_wanted() {
        end();
    }
    // A second signal does not postpone it.
    if was_to_end {
        return;
    }
    let second = libc::timeval { tv_sec: 1, tv_usec: 0 };
    let time = libc::itimerval { it_interval: second, it_value: second };
    // SAFETY: a system call on a value of ours.
    unsafe { libc::setitimer(libc::ITIMER_REAL, &time, std::ptr::null_mut()) };
}

/// This process was to end a second ago, or two, or as long as its last words may take. By then it waits for something that does not come: a lock that a killed process has
/// left locked, a name server, a connection, the script. Whatever is done in a lock or an allocator takes far less.
///
/// The host's own limits are no help. They count the ticks of its timer, which has ended by now.
extern "C" fn on_overdue(_: libc::c_int) {
    // A timer that the script has set is no reason.
    let patience = LAST_WORDS.get().map_or(1, |last_words| last_words.seconds);
    if IS_TO_END.load(Ordering::SeqCst) && OVERDUE.fetch_add(1, Ordering::Relaxed) >= patience {
        end();
    }
}

/// Ends this process as the host's own children end: no destructors run.
fn end() -> ! {
    // SAFETY: does not return.
    unsafe { libc::_exit(0) }
}

/// Ends this process if it is to end; called where it holds nothing, now and then in long work. Says its last words before.
pub fn end_if_asked() {
    if IS_TO_END.load(Ordering::SeqCst) {
        if let Some(last_words) = LAST_WORDS.get().filter(|_| are_last_words_wanted()) {
            guard("the end of a b2b worker", (), last_words.say);
        }
        end();
    }
}

fn are_last_words_wanted() -> bool {
    LAST_WORDS.get().is_some_and(|last_words| (last_words.is_wanted)())
}

/// Waits for a descriptor; less than 1 when nothing came. What ends the process does so here.
fn wait_for(watched: &mut libc::pollfd, limit: Duration) -> i32 {
    let time = libc::timespec {
        tv_sec: libc::time_t::try_from(limit.as_secs()).unwrap_or(libc::time_t::MAX),
        tv_nsec: libc::c_long::from(limit.subsec_nanos()),
    };
    // In this order: a signal is seen here, or sees that this process waits.
    IS_WAITING.store(true, Ordering::SeqCst);
    if IS_TO_END.load(Ordering::SeqCst) {
        if are_last_words_wanted() {
            IS_WAITING.store(false, Ordering::SeqCst);
            return 0;
        }
        end();
    }
    // SAFETY: one entry; it and the time live as long as the call.
    let came = unsafe { libc::ppoll(watched, 1, &time, std::ptr::null()) };
    IS_WAITING.store(false, Ordering::SeqCst);
    came
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
        if wait_for(&mut watch, limit) <= 0 {
            return;
        }
        let mut rung = [0u8; 64];
        // SAFETY: at most as many bytes as there is room for; the pipe does not block.
        unsafe { libc::read(self.read, rung.as_mut_ptr().cast(), rung.len()) };
    }
}
