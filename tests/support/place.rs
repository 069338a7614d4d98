//! Where the modules are.

use std::path::{Path, PathBuf};
use std::{env, fs};

/// The module under test: `PRESENCE_B2B_SO`, else what the build leaves in `target/release`.
pub fn module_under_test() -> PathBuf {
    let built = || Path::new(env!("CARGO_MANIFEST_DIR")).join("target/release/presence_b2b.so");
    let path = env::var_os("PRESENCE_B2B_SO").map_or_else(built, PathBuf::from);
    assert!(
        path.is_file(),
        "the module under test is not at {}: run `make` first, or name it with PRESENCE_B2B_SO",
        path.display()
    );
    path
}

/// The program b2b-top: `B2B_TOP`, else beside the module under test.
pub fn b2b_top() -> PathBuf {
    let beside = || module_under_test().with_file_name("b2b-top");
    let path = env::var_os("B2B_TOP").map_or_else(beside, PathBuf::from);
    assert!(path.is_file(), "{} is missing: run `make`, or `cargo build --package b2b-top`", path.display());
    path
}

/// Where Kamailio's own modules are: `KAMAILIO_MODULES`, else the first usual folder that has them.
pub fn modules_dir() -> PathBuf {
    if let Some(named) = env::var_os("KAMAILIO_MODULES") {
        return named.into();
    }
    let multiarch = fs::read_dir("/usr/lib").into_iter().flatten().flatten().map(|entry| entry.path());
    let usual = ["/usr/lib", "/usr/lib64", "/usr/local/lib", "/usr/local/lib64"].map(PathBuf::from);
    multiarch
        .chain(usual)
        .map(|base| base.join("kamailio/modules"))
        .find(|dir| dir.join("tm.so").is_file())
        .expect("Kamailio's modules are in no usual folder: install Kamailio, or name it with KAMAILIO_MODULES")
}
