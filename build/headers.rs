//! Where the headers are: what `kamailio-headers/fetch` says.

use std::path::PathBuf;
use std::process::Command;

use crate::Failure;

/// Runs the fetch script, which is instant when the headers are there, and returns the folder that holds them.
pub fn fetch() -> Result<PathBuf, Failure> {
    let done = Command::new("kamailio-headers/fetch").output().map_err(|e| {
        format!("kamailio-headers/fetch cannot be run ({e}): install bash, and see that the file is executable.")
    })?;
    if !done.status.success() {
        // Its last line is the sentence; what comes before is progress.
        let text = String::from_utf8_lossy(&done.stderr);
        let last = text.lines().rfind(|l| !l.trim().is_empty()).unwrap_or("");
        let sentence = last.strip_prefix("kamailio-headers: ").unwrap_or(last);
        return Err(if sentence.is_empty() {
            "the Kamailio headers could not be fetched: run kamailio-headers/fetch by hand to see why.".into()
        } else {
            sentence.into()
        });
    }
    let path = PathBuf::from(String::from_utf8_lossy(&done.stdout).trim());
    // A fetched tree never changes, but it may be deleted.
    println!("cargo::rerun-if-changed={}", path.join("core/ver_defs.h").display());
    Ok(path)
}
