//! The Debian package: what is in it, that the same sources make the same file, and that the server runs with the module in it.
//! `make test-deb` installs it into a Debian of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;
use tempfile::TempDir;

use crate::support::config::modules_dir;
use crate::support::kamailio::Server;
use crate::support::notifier::Notifier;
use crate::support::wait::SOON;

const NAME: &str = "kamailio-presence-b2b-module";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Runs a program to its end; what it writes.
fn run(program: &str, arguments: &[&str]) -> String {
    let done = Command::new(program).args(arguments).output().unwrap_or_else(|e| panic!("{program}: {e}"));
    let complaint = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{program} {arguments:?}: {complaint}");
    String::from_utf8_lossy(&done.stdout).trim().to_owned()
}

/// Makes the package in a folder. If lintian is installed, it has checked one.
fn make(dir: &Path, lintian: &str) -> PathBuf {
    let script = root().join("build/deb/make");
    let made = Command::new(script).arg(dir).env("LINTIAN", lintian).output().expect("bash");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    String::from_utf8_lossy(&made.stdout).trim().into()
}

fn folder() -> TempDir {
    TempDir::with_prefix("package-").expect("a folder")
}

fn field(deb: &Path, name: &str) -> String {
    run("dpkg-deb", &["-f", &deb.display().to_string(), name])
}

#[test]
fn the_package_is_complete_and_reproducible() {
    let (dir, again) = (folder(), folder());
    let deb = make(dir.path(), "lintian");
    assert_eq!(field(&deb, "Package"), NAME);
    let server = run("dpkg-query", &["-W", "-f=${Version}", "kamailio"]);
    let depends = field(&deb, "Depends");
    assert!(depends.starts_with(&format!("kamailio (= {server}), ")) && depends.contains("libc6 (>= "), "{depends}");

    let files = run("dpkg-deb", &["-c", &deb.display().to_string()]);
    let lacks_owner = |line: &&str| line.split_whitespace().nth(1) != Some("root/root");
    assert_eq!(files.lines().find(lacks_owner), None);
    let doc = format!("usr/share/doc/{NAME}");
    let module = modules_dir().join("presence_b2b.so").display().to_string();
    let mut wanted: Vec<String> = [
        "usr/include/kamailio/presence_b2b_api.h",
        "usr/include/kamailio/presence_b2b_documents.h",
        "usr/share/kamailio/db_sqlite/presence_b2b-create.sql",
        "usr/share/kamailio/mysql/presence_b2b-create.sql",
        "usr/share/kamailio/postgres/presence_b2b-create.sql",
        "usr/share/kamailio/dbtext/kamailio/presence_b2b_subscriptions",
        "usr/share/man/man7/presence_b2b.7.gz",
        &module[1..],
    ]
    .map(str::to_owned)
    .into();
    wanted.extend(
        [
            "README.md",
            "copyright",
            "crates.gz",
            "changelog.gz",
            "changelog.Debian.gz",
            "docs/parameters.md",
            "docs/grafana/presence_b2b.json",
            "docs/examples/external-voicemail/kamailio.cfg",
            "examples -> docs/examples",
        ]
        .map(|file| format!("{doc}/{file}")),
    );
    if root().join("target/release/b2b-top").is_file() {
        wanted.extend(["usr/bin/b2b-top", "usr/share/man/man1/b2b-top.1.gz"].map(str::to_owned));
    }
    for file in wanted {
        assert!(files.lines().any(|line| line.ends_with(&format!(" ./{file}"))), "{file} is missing:\n{files}");
    }

    let other = make(again.path(), "");
    assert_eq!(deb.file_name(), other.file_name());
    assert!(fs::read(&deb).expect("the package") == fs::read(&other).expect("the other"), "the packages differ");
}

/// Without root rights: unpacked, and loaded from there.
#[test]
fn the_server_runs_with_the_module_of_the_package() {
    let (dir, stored) = (folder(), folder());
    let deb = make(dir.path(), "");
    let unpacked = dir.path().join("unpacked");
    run("dpkg-deb", &["-x", &deb.display().to_string(), &unpacked.display().to_string()]);
    let below = |path: &Path| unpacked.join(path.strip_prefix("/").expect("an absolute path"));
    let manual =
        run("gzip", &["-dc", &below(Path::new("/usr/share/man/man7/presence_b2b.7.gz")).display().to_string()]);
    for heading in ["NAME", "Parameters", "RPC", "SEE ALSO"] {
        // Newer versions of lowdown write both in one line.
        let pairs = manual.lines().zip(manual.lines().skip(1));
        let found = pairs.clone().any(|(line, next)| line == ".SH" && next.contains(heading))
            || manual.lines().any(|line| line.starts_with(".SH ") && line.contains(heading));
        assert!(found, "{heading} is no section of the manual page");
    }

    let database = format!("sqlite:///{}/subscriptions.db", stored.path().display());
    let server = Server::b2b().b2b_at(below(&modules_dir()).join("presence_b2b.so")).module("db_sqlite");
    let server = server.b2b_param("db_url", database.as_str()).b2b_param("db_mode", 1).start();
    let notifier = Notifier::udp();
    let id = server.subscribe(&notifier.uri("alice"), &server.uri("watcher"));
    let mut dialog = notifier.activate(&notifier.expect_subscribe(SOON), 600);
    server.await_shown(id, "state", "confirmed");
    assert_eq!(server.rpc("presence_b2b.trace", json!([])).expect("the counters")["subscriptions"], json!(1));
    server.end(id, &mut dialog);
    server.stop();
}
