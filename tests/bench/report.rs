//! Where the results go: the terminal, and files for programs.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::compare::Measured;
use crate::plots;
use crate::table::{self, Row};

/// A line of a plot.
pub struct Curve {
    /// What it shows.
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

/// Collects the results.
pub struct Report {
    begun: Instant,
    rows: Vec<Row>,
    folder: PathBuf,
    growth: Vec<Curve>,
    latency: Vec<Curve>,
}

impl Report {
    /// With files in `target/bench`.
    pub fn new() -> io::Result<Report> {
        Ok(Report {
            begun: Instant::now(),
            rows: Vec::new(),
            folder: folder()?,
            growth: Vec::new(),
            latency: Vec::new(),
        })
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

    /// What a NOTIFY costs as subscriptions grow in number.
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

    /// Prints the table and writes the files.
    pub fn finish(&mut self) -> io::Result<()> {
        self.rows.sort_by_key(|row| row.id.trim_start_matches('P').parse().unwrap_or(u32::MAX));
        fs::write(self.folder.join("results.tsv"), table::tsv(&self.rows))?;
        plots::costs(&self.folder.join("costs.png"), &self.rows).map_err(io::Error::other)?;
        plots::growth(&self.folder.join("growth.png"), &self.growth).map_err(io::Error::other)?;
        plots::latency(&self.folder.join("latency.png"), &self.latency).map_err(io::Error::other)?;
        let mut out = io::stdout().lock();
        out.write_all(table::aligned(&self.rows).as_bytes())?;
        writeln!(out, "\nresults.tsv and plots are in {}", self.folder.display())
    }
}
