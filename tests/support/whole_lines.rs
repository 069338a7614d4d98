//! A server whose processes write whole lines to the log.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use super::compiled::shared_object;

/// From this version of glibc on, `fprintf` writes pieces to a stream without a buffer.
const IN_PIECES: (u32, u32) = (2, 37);

/// What is to be loaded before the C library, where it is needed.
pub fn library() -> Option<&'static Path> {
    static BUILT: OnceLock<Option<PathBuf>> = OnceLock::new();
    BUILT
        .get_or_init(|| {
            (glibc() >= IN_PIECES).then(|| shared_object("whole_lines.so", "whole_lines/whole_lines.c", &[]))
        })
        .as_deref()
}

fn glibc() -> (u32, u32) {
    let told = Command::new("getconf").arg("GNU_LIBC_VERSION").output().expect("getconf can be executed").stdout;
    let told = String::from_utf8_lossy(&told);
    let mut numbers = told.trim().trim_start_matches("glibc ").split('.').map_while(|part| part.parse().ok());
    numbers.next().zip(numbers.next()).unwrap_or_else(|| panic!("no version in {told:?}"))
}
