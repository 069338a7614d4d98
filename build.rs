//! Builds the C shim and the bindings against the headers of the installed Kamailio, and refuses to build a module that
//! this Kamailio would refuse to load.

#[path = "build/bind.rs"]
mod bind;
#[path = "build/headers.rs"]
mod headers;
#[path = "build/server.rs"]
mod server;

use std::path::PathBuf;

/// One sentence that says what is wrong and what to do about it.
type Failure = String;

fn main() {
    if let Err(sentence) = build() {
        // One line: cargo shows it as the error of this package and stops. With an exit status of our own it would
        // bury that line under everything this script has printed.
        println!("cargo::error={}", sentence.replace('\n', " "));
    }
}

fn build() -> Result<(), Failure> {
    for file in ["build.rs", "build/bind.rs", "build/headers.rs", "build/server.rs", "cshim", "kamailio-headers/fetch"]
    {
        println!("cargo::rerun-if-changed={file}");
    }
    for variable in ["KAMAILIO_SRC", "KAMAILIO_BIN", "KAMAILIO_MODULES"] {
        println!("cargo::rerun-if-env-changed={variable}");
    }
    let out = PathBuf::from(std::env::var_os("OUT_DIR").ok_or("OUT_DIR is not set: build with cargo.")?);

    let server = server::Server::installed()?;
    println!("cargo::rerun-if-changed={}", server.binary.display());
    println!("cargo::rerun-if-changed={}", server.tm.display());
    let headers = headers::fetch()?;
    let defines = server.defines();

    let compiled = bind::preprocess_version(&headers, &defines, &out)?;
    server.accepts(&compiled)?;
    compiled.write_rust(&out)?;
    bind::write_cflags(&headers, &defines, &out)?;
    bind::compile_shim(&headers, &defines)?;
    bind::generate(&headers, &defines, &out)
}
