//! A child process in a group of its own that cannot outlive the test process.

use std::fmt;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus};
use std::sync::LazyLock;
use std::time::Duration;

use crossbeam_channel::{Sender, bounded, unbounded};

use super::hang::Left;
use super::wait::until;

type Order = (Command, Sender<io::Result<Child>>);

/// Linux sends the parent-death signal when the *thread* that forked ends, and tests are threads. Hence one thread
/// forks for all of them and ends with the process.
static SPAWNER: LazyLock<Sender<Order>> = LazyLock::new(|| {
    let (orders, inbox) = unbounded::<Order>();
    std::thread::Builder::new()
        .name("spawner".into())
        .spawn(move || {
            for (mut command, answer) in inbox {
                let _ = answer.send(command.spawn());
            }
        })
        .expect("a thread to spawn from");
    orders
});

/// A group that had to be killed.
#[derive(Debug)]
pub struct Unended {
    pub what: String,
    /// The processes that were left.
    pub left: Vec<Left>,
}

impl fmt::Display for Unended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let left: Vec<String> = self.left.iter().map(Left::to_string).collect();
        write!(f, "{}: {}", self.what, left.join("; "))
    }
}

/// The leader of a process group. Killed with all its group on drop, if it still runs.
pub struct Group {
    leader: Child,
    ended: Option<ExitStatus>,
}

impl Group {
    /// Starts `command` as the leader of a new group; it gets SIGTERM when the test process dies.
    pub fn spawn(mut command: Command) -> io::Result<Group> {
        command.process_group(0);
        // SAFETY: runs between fork and exec and does one async-signal-safe system call on plain numbers.
        unsafe {
            command.pre_exec(|| match libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM) {
                0 => Ok(()),
                _ => Err(io::Error::last_os_error()),
            });
        }
        let (answer, child) = bounded(1);
        SPAWNER.send((command, answer)).expect("the spawner lives as long as the process");
        let leader = child.recv().expect("the spawner answers")?;
        Ok(Group { leader, ended: None })
    }

    /// The process id of the leader, which is also the id of the group.
    pub fn id(&self) -> u32 {
        self.leader.id()
    }

    /// The exit status of the leader, if it has ended.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        if self.ended.is_none() {
            self.ended = self.leader.try_wait().expect("a child can be waited for");
        }
        self.ended
    }

    /// Sends SIGTERM to the leader and waits until the whole group is gone; kills what is left after `within`, and tells of it.
    pub fn terminate(&mut self, within: Duration) -> Result<ExitStatus, Unended> {
        if self.ended().is_none() {
            signal(self.id() as i32, libc::SIGTERM);
        }
        let ended = until(within, || self.ended());
        let gone =
            until(if ended.is_some() { within } else { Duration::ZERO }, || (!group_exists(self.id())).then_some(()));
        let status = match ended {
            Some(status) => status,
            None => return Err(self.unended(&format!("did not end within {within:?} after SIGTERM and was killed"))),
        };
        match gone {
            Some(()) => Ok(status),
            None => Err(self.unended("ended but left processes of its group behind, which were killed")),
        }
    }

    fn unended(&mut self, what: &str) -> Unended {
        let leader = self.id();
        let left = Left::of(leader, |pid| if pid == leader { "leader".into() } else { String::new() });
        self.kill();
        Unended { what: what.into(), left }
    }

    /// Sends a signal to all its processes.
    pub fn signal(&self, number: i32) {
        signal(-(self.id() as i32), number);
    }

    fn kill(&mut self) {
        signal(-(self.id() as i32), libc::SIGKILL);
        self.ended = self.ended.or_else(|| self.leader.wait().ok());
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if self.ended().is_none() {
            self.kill();
        }
    }
}

/// Whether any process of the group `id` is there.
pub fn group_exists(id: u32) -> bool {
    signal(-(id as i32), 0)
}

/// The processes of a group.
pub fn members(group: u32) -> Vec<u32> {
    running(|[_, of]| of == group)
}

/// The processes that this one has forked.
pub fn children(parent: u32) -> Vec<u32> {
    running(|[of, _]| of == parent)
}

/// The processes whose parent and group are as wanted.
fn running(wanted: impl Fn([u32; 2]) -> bool) -> Vec<u32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| {
        // The name, in brackets, may hold anything; state, parent and group follow it.
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let mut fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace();
        let is_zombie = fields.next() == Some("Z");
        let mut number = || fields.next().and_then(|field| field.parse().ok());
        !is_zombie && number().zip(number()).is_some_and(|(parent, group)| wanted([parent, group]))
    })
    .collect()
}

fn signal(pid: i32, number: i32) -> bool {
    // SAFETY: a plain system call; `pid` names a child of ours, or the group it leads.
    unsafe { libc::kill(pid, number) == 0 }
}
