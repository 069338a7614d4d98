//! What it takes to read the bodies of each format, and to merge one that tells what has changed (P12), and to tell the updates of a list (P14),
//! by callgrind. The readers run without a server ([`BODIES`]), beside other readers of XML.

use std::env;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::instructions::{has_valgrind, total};
use crate::compare::Failure;
use crate::options::Options;
use crate::report::Report;
use crate::statistics::Sample;
use crate::table::{Row, number};

/// The executable beside this one that reads.
const BODIES: &str = "bodies";
/// Its function at whose calls callgrind dumps.
const MARK: &str = "*between_readings*";

/// Instructions of something that was done.
struct Reading {
    what: String,
    how: String,
    /// Bytes, or resources of a list.
    size: f64,
    instructions: f64,
}

pub fn run(options: &Options, report: &mut Report) -> Result<(), Failure> {
    if !options.wants("P12") && !options.wants("P14") {
        return Ok(());
    }
    if !has_valgrind() {
        for id in ["P12", "P14"].into_iter().filter(|id| options.wants(id)) {
            report.open(id, "bodies in instructions", "not measurable here: valgrind is not installed");
        }
        return Ok(());
    }
    report.say("bodies of each format, beside other readers");
    let readings = readings()?;
    for reading in &readings {
        if let Some(row) = row(reading, &readings).filter(|row| options.wants(row.id)) {
            report.row(row);
        }
    }
    Ok(())
}

fn row(reading: &Reading, all: &[Reading]) -> Option<Row> {
    let Reading { what, how, size, instructions } = reading;
    let each = Some(Sample::single(instructions / size));
    let thousands = Some(Sample::single(instructions / size / 1e3));
    let row = match how.as_str() {
        "parse" => {
            let beside = |how: &str| all.iter().find(|other| other.what == *what && other.how == how);
            let over = |other: &Reading| Sample::single(instructions / other.instructions);
            let said =
                |how: &str| beside(how).map(|other| format!("{how} {}", number(other.instructions / other.size)));
            let remark = ["quick-xml", "roxmltree"].iter().filter_map(|how| said(how)).collect::<Vec<_>>().join(", ");
            let row = Row::figure("P12", format!("{what}, {size} bytes, is read"), "instr./B", each);
            row.ratio(beside("quick-xml").map(over)).remark(remark)
        }
        "merge" => Row::figure("P12", format!("{what}, {size} bytes with what changes, is merged"), "instr./B", each),
        "whole" => Row::figure("P14", format!("{what} resources, told as a whole: a resource"), "k instr.", thousands),
        "update" => Row::figure("P14", format!("{what} resources: an update of one"), "k instr.", thousands),
        _ => return None,
    };
    Some(row)
}

fn readings() -> Result<Vec<Reading>, Failure> {
    let folder = TempDir::with_prefix("callgrind-")?;
    let out = folder.path().join("out");
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "-q", &format!("--dump-before={MARK}")])
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(env::current_exe()?.with_file_name(BODIES))
        .stderr(Stdio::inherit())
        .output()?;
    if !output.status.success() {
        return Err(format!("{BODIES} under callgrind: {}", output.status).into());
    }
    let lines = String::from_utf8(output.stdout)?;
    let read = lines.lines().enumerate().map(|(at, line)| {
        // Before each there is one dump of what is not counted.
        let dump = out.with_extension((2 * at + 2).to_string());
        let mut fields = line.split('\t');
        let mut field = || fields.next().ok_or("a line without its fields");
        let (what, how, size, times) = (field()?.to_owned(), field()?.to_owned(), field()?, field()?);
        let [size, times] = [size, times].map(str::parse::<f64>);
        Ok(Reading { what, how, size: size?, instructions: total(&dump)? / times? })
    });
    read.collect()
}
