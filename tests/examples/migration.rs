//! `docs/migration.md`: the configurations before and after do the same for lamps, and what the page names of pua is there.

use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use super::line::Line;
use crate::documentation::{between, blocks_in, section, text_of};
use crate::kamcmd::kamcmd;
use crate::support::config::modules_dir;
use crate::support::kamailio::Server;
use crate::support::phone::Phone;

const PAGE: &str = "docs/migration.md";

/// The configurations of the page: with pua, and with the module.
fn configurations() -> [String; 2] {
    let whole: Vec<String> =
        blocks_in(PAGE, "kamailio").into_iter().filter(|block| block.starts_with("#!KAMAILIO")).collect();
    whole.try_into().expect("two configurations")
}

/// Where the page has pua's tables.
const TABLES: &str = "/var/lib/kamailio/tables";

/// The page's tables in a folder, made as it says.
fn make_tables(folder: &Path) {
    let commands = blocks_in(PAGE, "sh").concat().replace(TABLES, &folder.to_string_lossy());
    let copy: String = commands.lines().filter(|line| !line.starts_with("chown ")).collect();
    assert!(copy.starts_with("cp -r "), "{commands}");
    assert!(Command::new("sh").args(["-c", &copy]).status().expect("sh").success(), "{copy}");
}

#[test]
fn lamps_are_the_same_before_and_after() {
    let dir = TempDir::with_prefix("tables-").expect("a folder");
    let tables = dir.path().join("tables");
    make_tables(&tables);
    for configuration in configurations() {
        let text = configuration.replace(TABLES, &tables.to_string_lossy());
        let server = Server::builder().whole(&text).start();
        let [caller, callee] = ["102", "101"].map(|user| Line::of(&server.uri(user), server.addr()));
        caller.register(600);
        callee.register(600);
        let mut lamp = Phone::watch(server.addr(), &callee.uri, "dialog");
        for _ in 0..2 {
            let call = caller.call(&callee.uri);
            let invite = callee.rings();
            let document = lamp.await_lamp("early");
            assert!(document.contains(&format!("entity=\"{}\"", callee.uri)), "{document}");
            let call = call.taken_by(&callee, &invite);
            lamp.await_lamp("confirmed");
            call.hang_up(&callee);
            lamp.await_lamp("off");
        }
        lamp.hang_up();
        // The page compares both by kamcmd.
        let is_new = configuration.contains("presence_b2b.so");
        let said = kamcmd(&server, &["presence_b2b.list"]);
        assert_eq!((said.contains(&callee.uri), said.contains("error:")), (is_new, !is_new), "{said}");
        let said = kamcmd(&server, &["presence.presentity_list"]);
        assert!(!said.contains("error:"), "{said}");
        server.stop();
    }
}

/// What the page names of pua's modules is in the modules of this server.
#[test]
fn what_is_named_of_pua_is_there() {
    let page = text_of(PAGE);
    let rows = ["What corresponds", "What has no counterpart"].map(|part| section(&page, part)).concat();
    let is_module = |name: &&str| *name == "rls" || name.starts_with("pua") && !name.contains(['(', '.']);
    let mut count = 0;
    for cell in rows.lines().filter_map(|line| line.strip_prefix("| ")?.split(" | ").next()) {
        let quoted = between(cell, "`", "`");
        let (modules, names): (Vec<&str>, Vec<&str>) = quoted.into_iter().partition(is_module);
        let modules = if modules.is_empty() { vec!["pua", "pua_rpc", "pua_usrloc"] } else { modules };
        let binaries: Vec<Vec<u8>> =
            modules.iter().filter_map(|module| fs::read(modules_dir().join(format!("{module}.so"))).ok()).collect();
        // What a user is said to be is no name.
        for name in names.iter().map(|name| name.trim_end_matches("()")).filter(|name| *name != "open") {
            count += 1;
            let is_there = |binary: &Vec<u8>| binary.windows(name.len()).any(|bytes| bytes == name.as_bytes());
            assert!(binaries.iter().any(is_there), "{name} of {modules:?}");
        }
    }
    assert!(count > 15, "{count}");
}
