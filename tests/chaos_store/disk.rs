//! A small disk of its own, which can be full: a file system in memory that only the processes started through it see.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::support::process::Group;
use super::support::wait::{SOON, eventually};

/// It is gone when this is dropped and the last process in it has ended.
pub struct Disk {
    holder: Group,
    dir: TempDir,
}

impl Disk {
    /// Whether it can be mounted.
    pub fn is_possible() -> bool {
        let mount = "mount -t tmpfs none /tmp";
        let tried = Command::new("unshare").args(["-m", "sh", "-c", mount]).stderr(Stdio::null()).status();
        tried.is_ok_and(|status| status.success())
    }

    /// A disk of so many megabytes; none where mounting is not allowed ([`limit`] is for that).
    pub fn small(megabytes: u32) -> Option<Disk> {
        if !Disk::is_possible() {
            return None;
        }
        let dir = TempDir::with_prefix("disk-").expect("a folder");
        let mount = format!("mount -t tmpfs -o size={megabytes}m,mode=777 none \"$0\" && exec sleep 100000");
        let mut holder = Command::new("unshare");
        holder.args(["-m", "sh", "-c", &mount]).arg(dir.path()).stdin(Stdio::null());
        let disk = Disk { holder: Group::spawn(holder).expect("unshare can be executed"), dir };
        let is_mounted = || {
            let mounts = fs::read_to_string(format!("/proc/{}/mounts", disk.holder.id())).unwrap_or_default();
            mounts.contains(&disk.path().display().to_string()).then_some(())
        };
        eventually(SOON, "the disk is mounted", is_mounted);
        Some(disk)
    }

    /// Its folder, for the processes in it.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Its folder, for everybody else.
    pub fn outside(&self) -> PathBuf {
        let inside = self.path().strip_prefix("/").expect("a whole path");
        Path::new("/proc").join(self.holder.id().to_string()).join("root").join(inside)
    }

    /// The words that start a program in it.
    pub fn enter(&self) -> Vec<String> {
        ["nsenter", "-t", &self.holder.id().to_string(), "-m", "--"].map(str::to_owned).to_vec()
    }

    /// Takes all the space that is left.
    pub fn fill(&self) {
        let mut ballast = File::create(self.outside().join("ballast")).expect("a file");
        for size in [1 << 16, 1 << 12] {
            while ballast.write_all(&vec![1; size]).is_ok() {}
        }
    }

    /// Gives the space back.
    pub fn free(&self) {
        fs::remove_file(self.outside().join("ballast")).expect("the ballast");
    }
}

/// Where nothing can be mounted: these processes can make no file longer than a byte, until they may.
pub fn limit(processes: &[u32], is_limited: bool) {
    let most = if is_limited { 1 } else { libc::RLIM_INFINITY };
    let limit = libc::rlimit { rlim_cur: most, rlim_max: libc::RLIM_INFINITY };
    for pid in processes {
        // SAFETY: the structure outlives the call, which writes nothing.
        let set = unsafe { libc::prlimit(*pid as i32, libc::RLIMIT_FSIZE, &raw const limit, std::ptr::null_mut()) };
        assert_eq!(set, 0, "{}", io::Error::last_os_error());
    }
}

/// The words that start a program which a file that is too long does not kill.
pub fn unkilled() -> Vec<String> {
    ["sh", "-c", "trap '' XFSZ; exec \"$@\"", "sh"].map(str::to_owned).to_vec()
}
