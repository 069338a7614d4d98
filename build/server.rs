//! The installed server: what it was compiled with, and which module it accepts.
//!
//! The defines are not a matter of taste. They change the layout of structures that are shared with the server
//! (`USE_MCAST`, `USE_DNS_FAILOVER`, …) and the signature of its allocator (`DBG_SR_MEMORY`), and the server compares the
//! string made from them with its own before it loads a module. So they are read from the server that is installed.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Failure;

/// The Kamailio to build for.
pub struct Server {
    pub binary: PathBuf,
    /// An installed module: the strings in it are those the server accepts.
    pub tm: PathBuf,
    version: Version,
    flags: Vec<String>,
    adaptive_wait_loops: Option<String>,
}

/// `version: kamailio 5.6.3 (x86_64/linux)`, taken apart.
struct Version {
    name: String,
    number: String,
    arch: String,
    os: String,
}

/// The two strings the server compares, as our own compilation makes them.
pub struct Compiled {
    pub version: String,
    pub flags: String,
}

/// Not printed by `kamailio -v`, but set in every Linux build of it: without the first three, statistics become no-ops,
/// futex locks silently turn into spin locks of another layout, and the resolver's header does not compile.
const UNPRINTED: &[&str] = &[
    "STATISTICS",
    "CC_GCC_LIKE_ASM",
    "HAVE_GETHOSTBYNAME2",
    "USE_CORE_STATS",
    "HAVE_ALLOCA_H",
    "HAVE_SCHED_YIELD",
    "HAVE_UNION_SEMUN",
    "HAVE_MSG_NOSIGNAL",
    "HAVE_MSGHDR_MSG_CONTROL",
    "HAVE_IP_MREQN",
    "HAVE_TIMEGM",
    "HAVE_SCHED_SETSCHEDULER",
    "HAVE_EPOLL",
    "HAVE_SELECT",
    "WITH_XAVP",
];

/// 6.1 prints these although its modules are compiled without them.
const PRINTED_BUT_UNSET: &[&str] = &["DBG_QM_MALLOC", "DBG_F_MALLOC", "DBG_TLSF_MALLOC"];

impl Server {
    /// Asks the installed server (or the one named by KAMAILIO_BIN) about itself.
    pub fn installed() -> Result<Self, Failure> {
        let binary = find_binary()?;
        let shown = run(&binary, "-v")?;
        let unclear = || {
            format!(
                "'{} -v' does not print what a Kamailio server prints: set KAMAILIO_BIN to the kamailio binary.",
                binary.display()
            )
        };
        let version =
            shown.lines().find_map(|l| l.strip_prefix("version: ")).and_then(Version::parse).ok_or_else(unclear)?;
        let flags = shown.lines().find_map(|l| l.strip_prefix("flags: ")).ok_or_else(unclear)?;
        let adaptive_wait_loops = shown
            .split([',', '\n'])
            .find_map(|field| field.trim().strip_prefix("ADAPTIVE_WAIT_LOOPS "))
            .map(|n| n.trim().to_owned());
        let flags = flags.split(',').map(|f| f.trim().to_owned()).filter(|f| !f.is_empty()).collect();
        let tm = find_tm(&binary)?;
        Ok(Self { binary, tm, version, flags, adaptive_wait_loops })
    }

    /// The `-D` options this server was compiled with, as name and value.
    pub fn defines(&self) -> Vec<(String, Option<String>)> {
        let quoted = |text: &str| Some(format!("\"{text}\""));
        let v = &self.version;
        let mut all: Vec<(String, Option<String>)> = vec![
            ("NAME".into(), quoted(&v.name)),
            ("VERSION".into(), quoted(&v.number)),
            ("ARCH".into(), quoted(&v.arch)),
            ("OS".into(), Some(format!("{}_", v.os))),
            ("OS_QUOTED".into(), quoted(&v.os)),
            ("COMPILER".into(), quoted("gcc")),
            (format!("__CPU_{}", v.arch), None),
            // The headers test the small spelling; 6.1 prints a capital one.
            (format!("__OS_{}", v.os.to_lowercase()), None),
            ("VERSIONVAL".into(), Some(v.as_number().to_string())),
            ("MOD_NAME".into(), quoted("presence_b2b")),
        ];
        let mut set = |name: &str| {
            if !all.iter().any(|(known, _)| known == name) {
                all.push((name.to_owned(), None));
            }
        };
        UNPRINTED.iter().for_each(|name| set(name));
        let strange_flags = self.version.as_number() >= 6_001_000;
        for flag in &self.flags {
            match flag.as_str() {
                "TLS_PTHREAD_MUTEX_SHARED" => set("KSR_PTHREAD_MUTEX_SHARED"),
                // FAST_LOCK-ADAPTIVE_WAIT-NOSMP and its parts.
                lock if lock.starts_with("FAST_LOCK") => lock.split('-').for_each(&mut set),
                known if strange_flags && PRINTED_BUT_UNSET.contains(&known) => {}
                // "-NOSMP" can also follow other flags.
                other => other.split('-').for_each(&mut set),
            }
        }
        if let Some(loops) = &self.adaptive_wait_loops {
            all.push(("ADAPTIVE_WAIT_LOOPS".into(), Some(loops.clone())));
        }
        all
    }

    /// Holds what we compiled against what the installed modules hold: the server would refuse to load anything else.
    pub fn accepts(&self, ours: &Compiled) -> Result<(), Failure> {
        let image = std::fs::read(&self.tm).map_err(|e| {
            format!("{} cannot be read ({e}): set KAMAILIO_MODULES to the server's module folder.", self.tm.display())
        })?;
        for (what, string) in [("version", &ours.version), ("compile flags", &ours.flags)] {
            if !holds(&image, string) {
                return Err(format!(
                    "the installed server would refuse this module: its {what} would be '{string}', which {} does not hold; \
                     make the server ({}), its modules and the headers one version, or name them with KAMAILIO_BIN, \
                     KAMAILIO_MODULES and KAMAILIO_SRC.",
                    self.tm.display(),
                    self.binary.display(),
                ));
            }
        }
        Ok(())
    }
}

impl Version {
    fn parse(line: &str) -> Option<Self> {
        let (name, rest) = line.trim().split_once(' ')?;
        let (number, place) = rest.split_once(" (")?;
        let (arch, os) = place.strip_suffix(')')?.split_once('/')?;
        Some(Self { name: name.into(), number: number.into(), arch: arch.into(), os: os.into() })
    }

    /// 5.6.3 as 5006003.
    fn as_number(&self) -> u32 {
        let mut parts = self.number.split(['.', '-']).map(|p| p.parse().unwrap_or(0));
        let mut next = || parts.next().unwrap_or(0u32);
        next() * 1_000_000 + next() * 1000 + next()
    }
}

impl Compiled {
    /// The strings as Rust constants: symbols exported by C objects do not survive in a Rust library.
    pub fn write_rust(&self, out: &Path) -> Result<(), Failure> {
        let text = format!(
            "/// The server version this module was built for.\npub const VERSION_CSTR: &core::ffi::CStr = c{:?};\n\
             /// The compile flags of that server.\npub const FLAGS_CSTR: &core::ffi::CStr = c{:?};\n",
            self.version, self.flags
        );
        std::fs::write(out.join("version.rs"), text)
            .map_err(|e| format!("version.rs cannot be written ({e}): make the target folder writable."))
    }
}

/// Whether a file holds exactly this C string, and not a longer one that begins with it.
fn holds(image: &[u8], string: &str) -> bool {
    let mut needle = vec![0];
    needle.extend_from_slice(string.as_bytes());
    needle.push(0);
    image.windows(needle.len()).any(|part| part == needle)
}

fn find_binary() -> Result<PathBuf, Failure> {
    if let Some(named) = std::env::var_os("KAMAILIO_BIN") {
        let path = PathBuf::from(named);
        return if path.is_file() {
            Ok(path)
        } else {
            Err(format!("KAMAILIO_BIN={} is not a file: set it to the kamailio binary, or unset it.", path.display()))
        };
    }
    // Not every user has the sbin folders in the path.
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from))
        .map(|dir| dir.join("kamailio"))
        .find(|file| file.is_file())
        .ok_or_else(|| {
            "kamailio is not installed: run 'make setup', or set KAMAILIO_BIN to the server's binary.".into()
        })
}

/// The folder with the server's modules: KAMAILIO_MODULES, or the one the server itself searches.
fn find_tm(binary: &Path) -> Result<PathBuf, Failure> {
    let folders = match std::env::var("KAMAILIO_MODULES") {
        Ok(named) => named,
        Err(_) => run(binary, "-I")?
            .lines()
            .find_map(|l| l.trim().strip_prefix("Default paths to modules:"))
            .unwrap_or_default()
            .trim()
            .to_owned(),
    };
    folders.split(':').map(|dir| Path::new(dir).join("tm.so")).find(|file| file.is_file()).ok_or_else(|| {
        format!("there is no tm.so in '{folders}': set KAMAILIO_MODULES to the folder that holds the server's modules.")
    })
}

fn run(binary: &Path, option: &str) -> Result<String, Failure> {
    let done = Command::new(binary)
        .arg(option)
        .output()
        .map_err(|e| format!("{} cannot be run ({e}): set KAMAILIO_BIN to the kamailio binary.", binary.display()))?;
    Ok(String::from_utf8_lossy(&done.stdout).into_owned())
}
