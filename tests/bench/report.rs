//! Where the results go: the terminal, and files for programs.

use std::fs;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::compare::Measured;
use crate::plots;
use crate::table::{self, Row};

/// A line of a plot.
pub struct Curve {
    /// The goals that it shows.
    pub name: String,
    /// Its points, from left to right.
    pub points: Vec<(f64, f64)>,
}

/// Where all that the benchmark writes goes; it is made if there is none.
pub fn folder() -> io::Result<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench");
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// The folder in it for what callgrind wrote.
pub const CALLGRIND: &str = "callgrind";

/// Collects the results.
pub struct Report {
    begun: Instant,
    head: String,
    rows: Vec<Row>,
    folder: PathBuf,
    growth: Vec<Curve>,
    latency: Vec<Curve>,
}

impl Report {
    /// With files in `target/bench`; `head` is above the table. Files of callgrind from an earlier run are removed.
    pub fn new(head: String) -> io::Result<Report> {
        let folder = folder()?;
        match fs::remove_dir_all(folder.join(CALLGRIND)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        Ok(Report { begun: Instant::now(), head, rows: Vec::new(), folder, growth: Vec::new(), latency: Vec::new() })
    }

    /// The progress, for a waiting person.
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

    /// The cost of a NOTIFY as subscriptions grow in number.
    pub fn keep_growth(&mut self, curves: Vec<Curve>) {
        self.growth = curves;
    }

    /// The right ends of these curves.
    pub fn keep_growth_end(&mut self, count: f64, ends: &[&Measured]) {
        for (curve, end) in self.growth.iter_mut().zip(ends) {
            curve.points.extend(end.value().map(|sample| (count, sample.median)));
        }
    }

    /// The part of NOTIFYs, in percent, that had got so far within so many µs.
    pub fn keep_latency(&mut self, curves: Vec<Curve>) {
        self.latency = curves;
    }

    /// Prints the table.
    pub fn print(&mut self) -> io::Result<()> {
        self.rows.sort_by_key(|row| row.id.trim_start_matches('P').parse().unwrap_or(u32::MAX));
        let mut out = io::stdout().lock();
        let took = self.begun.elapsed().as_secs();
        let table = table::aligned(&self.rows, out.is_terminal());
        write!(out, "{}took     {} min {:02} s\n\n{table}", self.head, took / 60, took % 60)
    }

    /// Writes the files: of a whole run, so that half of one does not replace what there is.
    pub fn write(&self) -> io::Result<()> {
        fs::write(self.folder.join("results.tsv"), table::tsv(&self.rows))?;
        plots::costs(&self.folder.join("costs.png"), &self.rows).map_err(io::Error::other)?;
        plots::growth(&self.folder.join("growth.png"), &self.growth).map_err(io::Error::other)?;
        plots::latency(&self.folder.join("latency.png"), &self.latency).map_err(io::Error::other)?;
        writeln!(io::stdout(), "\nresults.tsv and plots are in {}", self.folder.display())
    }
}
