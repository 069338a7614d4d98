//! On what the figures were taken: the head of the table.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread::available_parallelism;

use crate::options::Options;

/// Lines of the machine, the versions and how much was measured.
pub fn describe(options: &Options) -> String {
    let rounds = format!(
        "{}{} rounds of {} NOTIFYs, {} subscriptions",
        if options.quick { "QUICK=1: " } else { "" },
        options.rounds(),
        options.notifies(),
        options.subscriptions()
    );
    let lines = [
        ("machine", format!("{} x {}, {}", available_parallelism().map_or(0, usize::from), processor(), memory())),
        ("system", format!("{}, Linux {}", system(), read("/proc/sys/kernel/osrelease"))),
        ("pages", format!("huge pages for shared memory: {}", huge_pages())),
        ("server", format!("{}, allocator tlsf unless a line says otherwise", server())),
        ("module", format!("{}, {}", env!("CARGO_PKG_VERSION"), commit())),
        ("load", format!("{} before the start", busy())),
        ("extent", rounds),
    ];
    lines.map(|(name, value)| format!("{name:<8} {value}\n")).concat()
}

fn read(file: &str) -> String {
    fs::read_to_string(file).map(|text| text.trim().to_owned()).unwrap_or_default()
}

/// The value in the first line that begins with `name`.
fn value(file: &str, name: &str, separator: char) -> Option<String> {
    let text = read(file);
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(separator)?.1.trim().trim_matches('"').to_owned())
}

fn processor() -> String {
    value("/proc/cpuinfo", "model name", ':').unwrap_or_else(|| std::env::consts::ARCH.to_owned())
}

fn memory() -> String {
    let kilobytes =
        value("/proc/meminfo", "MemTotal", ':').and_then(|size| size.split(' ').next()?.parse::<f64>().ok());
    kilobytes.map_or_else(String::new, |size| format!("{:.0} GB", size / 1024.0 / 1024.0))
}

fn system() -> String {
    value("/etc/os-release", "PRETTY_NAME", '=').unwrap_or_else(|| "unknown".to_owned())
}

/// What the kernel is told to do, the word in brackets.
fn huge_pages() -> String {
    let words = read("/sys/kernel/mm/transparent_hugepage/shmem_enabled");
    let chosen = words.split_once('[').and_then(|(_, rest)| rest.split_once(']'));
    chosen.map_or("not known", |(word, _)| word).to_owned()
}

/// The average number of processes that wanted a processor in the minute before.
fn busy() -> String {
    read("/proc/loadavg").split(' ').next().unwrap_or_default().to_owned()
}

fn server() -> String {
    let binary = std::env::var_os("KAMAILIO_BIN").unwrap_or_else(|| "/usr/sbin/kamailio".into());
    let said = said(Command::new(binary).arg("-v"));
    said.as_deref()
        .and_then(|text| text.lines().next()?.strip_prefix("version: ").map(|text| text.trim().to_owned()))
        .unwrap_or_default()
}

/// The commit of the sources, and whether they differ from it.
fn commit() -> String {
    let git = |arguments: &[&str]| {
        said(Command::new("git").arg("-C").arg(Path::new(env!("CARGO_MANIFEST_DIR"))).args(arguments))
    };
    let Some(commit) = git(&["log", "-1", "--format=commit %h of %cs"]) else { return "commit unknown".to_owned() };
    let changed = git(&["status", "--porcelain", "--untracked-files=no"]).is_some_and(|changes| !changes.is_empty());
    format!("{commit}{}", if changed { ", with changes" } else { "" })
}

/// What a program says, if it can be run and ends well.
fn said(command: &mut Command) -> Option<String> {
    let output = command.output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
