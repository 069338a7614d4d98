//! The files of the book, checked, and the README that comes of them as in Kamailio's tree: by xsltproc and lynx.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::book::{MODULE, files, pictures};

/// The stylesheet of Kamailio's `doc/docbook/txt.xsl`, and what it sets.
const STYLESHEET: &str = "http://docbook.sourceforge.net/release/xsl/current/xhtml/docbook.xsl";
const SETTINGS: [(&str, &str); 4] = [
    ("section.autolabel", "1"),
    ("toc.section.depth", "4"),
    ("generate.section.toc.level", "1"),
    ("css.decoration", "0"),
];

/// Makes `doc/` and `README` in this folder; the README.
pub fn make(root: &Path, folder: &Path) -> Result<PathBuf, String> {
    let doc = folder.join("doc");
    let written = |error: io::Error| format!("{}: {error}", doc.display());
    fs::create_dir_all(&doc).map_err(written)?;
    for (name, text) in files(root) {
        fs::write(doc.join(name), text).map_err(written)?;
    }
    for picture in pictures(root) {
        let name = picture.file_name().unwrap_or_default();
        fs::copy(&picture, doc.join(name)).map_err(|error| format!("{}: {error}", picture.display()))?;
    }
    let book = doc.join(format!("{MODULE}.xml"));
    run(Command::new("xmllint").args(["--nonet", "--xinclude", "--postvalid", "--noout"]).arg(&book))?;
    let mut html = Command::new("xsltproc");
    html.args(["--nonet", "--xinclude"]);
    for (name, value) in SETTINGS {
        html.args(["--stringparam", name, value]);
    }
    let mut html = html
        .arg(STYLESHEET)
        .arg(&book)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("xsltproc: {error}"))?;
    let mut text = Command::new("lynx");
    // Without a locale lynx writes each letter beyond ASCII as several.
    text.args(["-nolist", "-stdin", "-dump", "-assume_charset=utf-8", "-display_charset=utf-8"])
        .env("LC_ALL", "C.UTF-8");
    let output = html.stdout.take().ok_or("xsltproc has no output")?;
    let text = run(text.stdin(output))?;
    let ended = html.wait().map_err(|error| format!("xsltproc: {error}"))?;
    if !ended.success() {
        return Err(format!("xsltproc: {ended}"));
    }
    let readme = folder.join("README");
    fs::write(&readme, text).map_err(written)?;
    Ok(readme)
}

/// What a program writes.
fn run(command: &mut Command) -> Result<Vec<u8>, String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|error| format!("{name}: {error}: run 'make setup'"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.success() { Ok(output.stdout) } else { Err(format!("{name}: {}\n{said}", output.status)) }
}
