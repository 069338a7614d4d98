//! The worked examples of `docs/examples` at work: their own configurations in real servers, from the first REGISTER or call to
//! what a user sees.

mod broker;
mod federation;
mod lamps;
mod line;
mod mailboxes;
mod migration;
mod news;
mod prometheus;
mod registrations;
mod voicemail;

use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;

use tempfile::TempDir;

use crate::documentation::{blocks_in, text_of};
use crate::support::config::Builder;
use crate::support::kamailio::Server;
use crate::support::wait::{SOON, eventually};

/// The text tables that come with Kamailio.
const TABLES: &str = "/usr/share/kamailio/dbtext/kamailio";

/// The value that a configuration gives a name in a line of `#!substdef`, and the one that a test gives it.
type Definition<'a> = (&'a str, String);

/// A server with this file of `docs/examples`. Only values of `#!substdef` change: `THIS_IP`, or the name that comes first, becomes
/// the address of the server, and each name of `definitions` what stands there.
fn example(file: &str, own: &str, definitions: &[Definition<'_>]) -> Builder {
    example_of(&text_of(&format!("docs/examples/{file}")), own, definitions)
}

/// The same with the text of a file, changed as its page says.
fn example_of(text: &str, own: &str, definitions: &[Definition<'_>]) -> Builder {
    let builder = Server::builder();
    let mut text = text.to_owned();
    let own = [(own, builder.ip().to_string())];
    for (name, value) in own.iter().chain(definitions) {
        text = defined(&text, name, value);
    }
    builder.whole(&text)
}

/// The text with another value in the line of `#!substdef` that defines a name.
fn defined(text: &str, name: &str, value: &str) -> String {
    let begin = format!("#!substdef \"!{name}!");
    let (before, rest) = text.split_once(&begin).unwrap_or_else(|| panic!("{name} is not defined"));
    let (_, after) = rest.split_once("!g\"\n").expect("the end of a definition");
    format!("{before}{begin}{value}!g\"\n{after}")
}

/// An address as the value of a definition.
fn address(name: &str, ip: Ipv4Addr) -> Definition<'_> {
    (name, ip.to_string())
}

/// A copy of the text tables of Kamailio, which a server writes to.
fn tables() -> TempDir {
    let dir = TempDir::with_prefix("tables-").expect("a folder");
    for entry in fs::read_dir(TABLES).unwrap_or_else(|error| panic!("{TABLES}: {error}")) {
        let path = entry.expect("a table").path();
        fs::copy(&path, dir.path().join(Path::new(&path).file_name().expect("a name"))).expect("a copy");
    }
    dir
}

/// The PBX of the examples, which phones register at, and its tables.
fn pbx() -> (Server, TempDir) {
    let tables = tables();
    let folder = ("TABLES", tables.path().display().to_string());
    (example("foreign-pbx-lamps/pbx.cfg", "PBX_IP", &[folder]).start(), tables)
}

/// Waits until the last line of the script about a record, which comes first in it, is this one.
fn await_line(server: &Server, line: &str) {
    let (record, _) = line.split_once(": ").expect("a record");
    eventually(SOON, line, || {
        let text = server.log().text();
        let last = text.lines().rfind(|said| said.contains(&format!("{record}: ")))?;
        last.ends_with(line).then_some(())
    });
}

/// The names in a folder of the tree.
fn names_in(folder: &str) -> Vec<String> {
    let entries = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)).expect("a folder");
    entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect()
}

#[test]
fn every_file_is_run_and_every_page_is_named() {
    let tests: String =
        names_in("tests/examples").iter().map(|name| text_of(&format!("tests/examples/{name}"))).collect();
    let tests = tests + &text_of("tests/examples.rs");
    let mut configurations = 0;
    for folder in names_in("docs/examples") {
        let page = format!("docs/examples/{folder}/README.md");
        assert!(text_of("README.md").contains(&page) && text_of("docs/overview.md").contains(&page[5..]), "{page}");
        for file in names_in(&format!("docs/examples/{folder}")).iter().filter(|file| file.ends_with(".cfg")) {
            configurations += 1;
            assert!(text_of(&page).contains(&format!("]({file})")), "{page} does not name {file}");
            assert!(tests.contains(&format!("{folder}/{file}")), "no test starts {folder}/{file}");
        }
    }
    assert!(configurations >= 9, "{configurations}");
}

/// kamcmd and the rates of b2b-top work with every whole configuration that loads the module.
#[test]
fn every_configuration_has_doors_for_operators() {
    let mut configurations: Vec<(String, String)> = ["README.md", "docs/quick-start.md", "docs/migration.md"]
        .into_iter()
        .flat_map(|page| blocks_in(page, "kamailio").into_iter().map(move |block| (page.to_owned(), block)))
        .collect();
    for folder in names_in("docs/examples") {
        let files = names_in(&format!("docs/examples/{folder}")).into_iter().filter(|file| file.ends_with(".cfg"));
        configurations.extend(files.map(|file| format!("docs/examples/{folder}/{file}")).map(|file| {
            let text = text_of(&file);
            (file, text)
        }));
    }
    configurations.retain(|(_, text)| text.starts_with("#!KAMAILIO") && text.contains("presence_b2b.so"));
    assert!(configurations.len() >= 10, "{}", configurations.len());
    for (place, text) in configurations {
        for module in ["kex", "ctl", "jsonrpcs"] {
            assert!(text.contains(&format!("\nloadmodule \"{module}.so\"\n")), "{place} does not load {module}");
        }
    }
}
