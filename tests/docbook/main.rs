//! `make docbook`: the pages as a book of DocBook and as a README, in the form that Kamailio's own tree has.

mod book;
mod make;
mod markdown;

use std::env;
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let folder = env::args().nth(1).unwrap_or_else(|| "target/docbook".to_owned());
    match make::make(Path::new(env!("CARGO_MANIFEST_DIR")), Path::new(&folder)) {
        Ok(readme) => {
            println!("{}", readme.display());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("docbook: {error}");
            ExitCode::FAILURE
        }
    }
}
