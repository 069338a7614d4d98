//! `make install` puts the module, the headers for C modules and the tables where they belong, and can be repeated.

use std::path::Path;
use std::process::Command;

use crate::support::config::modules_dir;

#[test]
fn everything_is_installed_below_destdir() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let dest = tempfile::tempdir().expect("a directory");
    for _ in 0..2 {
        let made = Command::new("make")
            .args(["install", &format!("DESTDIR={}", dest.path().display())])
            // As for root after a build by another user: there is no cargo.
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .env("HOME", "/nonexistent")
            .current_dir(root)
            .output()
            .expect("make can be executed");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    }
    let below = |path: &Path| dest.path().join(path.strip_prefix("/").expect("an absolute path"));
    let module = below(&modules_dir()).join("presence_b2b.so");
    let size = |path: &Path| std::fs::metadata(path).expect("a module").len();
    let (built, installed) = (size(&root.join("target/release/presence_b2b.so")), size(&module));
    assert!(installed > 200_000 && installed < built, "{installed} bytes installed, {built} built");
    // The symbols that the server looks up are still there.
    let symbols = Command::new("nm").arg("-D").arg(&module).output().expect("nm can be executed").stdout;
    let symbols = String::from_utf8_lossy(&symbols);
    for name in ["exports", "module_version", "module_flags", "mod_register"] {
        assert!(symbols.lines().any(|line| line.ends_with(&format!(" {name}"))), "{name} is missing:\n{symbols}");
    }
    let top = below(Path::new("/usr/bin/b2b-top"));
    let said = Command::new(&top).arg("--version").output().expect("it can be executed").stdout;
    assert!(said.starts_with(b"b2b-top "), "{}", String::from_utf8_lossy(&said));
    for name in ["presence_b2b_api.h", "presence_b2b_documents.h"] {
        let header = below(&Path::new("/usr/include/kamailio").join(name));
        let source = std::fs::read(root.join("cshim").join(name)).expect("the header");
        assert!(std::fs::read(&header).expect("the installed header") == source, "{} differs", header.display());
    }
    for name in [
        "db_sqlite/presence_b2b-create.sql",
        "postgres/presence_b2b-create.sql",
        "mysql/presence_b2b-create.sql",
        "dbtext/kamailio/presence_b2b_subscriptions",
        "dbtext/kamailio/presence_b2b_nodes",
    ] {
        let file = below(&Path::new("/usr/share/kamailio").join(name));
        let source = std::fs::read(root.join("docs/schema").join(name)).expect("a table");
        assert!(std::fs::read(&file).expect("the installed table") == source, "{} differs", file.display());
    }
}
