//! Where the results go: the terminal, and files for programs.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::table::{self, Row};

/// Collects the results.
pub struct Report {
    begun: Instant,
    rows: Vec<Row>,
    folder: PathBuf,
}

impl Report {
    /// With files in `target/bench`.
    pub fn new() -> io::Result<Report> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench");
        fs::create_dir_all(&folder)?;
        Ok(Report { begun: Instant::now(), rows: Vec::new(), folder })
    }

    /// What goes on, for who waits.
    pub fn say(&self, what: &str) {
        let _ = writeln!(io::stderr(), "[{:4.0} s] {what}", self.begun.elapsed().as_secs_f64());
    }

    /// One more result.
    pub fn row(&mut self, row: Row) {
        self.rows.push(row);
    }

    /// A goal that cannot be judged, and why.
    pub fn open(&mut self, id: &'static str, what: &str, why: &str) {
        self.row(Row::figure(id, what, "", None).remark(why));
    }

    /// Prints the table and writes the files.
    pub fn finish(&mut self) -> io::Result<()> {
        self.rows.sort_by_key(|row| row.id.trim_start_matches('P').parse().unwrap_or(u32::MAX));
        fs::write(self.folder.join("results.tsv"), table::tsv(&self.rows))?;
        let mut out = io::stdout().lock();
        out.write_all(table::aligned(&self.rows).as_bytes())?;
        writeln!(out, "\nresults.tsv is in {}", self.folder.display())
    }
}
