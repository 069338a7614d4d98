//! C files of `tests/cmodule`, compiled as the server was.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Compiles a C file of `tests/cmodule` to a shared object of that name, which is also the name of the module in it.
pub fn shared_object(name: &str, source: &str, libraries: &[&str]) -> PathBuf {
    let module = Path::new(option_env!("CARGO_TARGET_TMPDIR").unwrap_or(env!("OUT_DIR"))).join(name);
    let word = module.file_stem().expect("a name").to_string_lossy().into_owned();
    fs::create_dir_all(module.parent().expect("a folder")).expect("its folder");
    let fresh = module.with_extension(format!("{}.so", std::process::id()));
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cmodule").join(source);
    let options = format!("@{}", Path::new(env!("OUT_DIR")).join("cflags").display());
    let mut compiler = Command::new(std::env::var_os("CC").unwrap_or_else(|| "cc".into()));
    compiler.arg(options).arg(format!("-DMOD_NAME=\"{word}\"")).args(["-O1", "-shared", "-o"]).arg(&fresh).arg(&source);
    assert!(compiler.args(libraries).status().expect("a C compiler").success(), "{} does not build", source.display());
    // The server of another test run may be loading it.
    fs::rename(&fresh, &module).expect("its name");
    module
}
