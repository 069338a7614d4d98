//! What came of the scenarios, as lines and as a table.

use std::collections::BTreeMap;

use super::judge::{Finding, Kind};
use super::scenario::Outcome;

/// How many findings of a kind are shown.
const SHOWN: usize = 3;

const HEAD: [&str; 8] =
    ["scenario", "database", "subscriptions", "kills", "SUBSCRIBEs", "findings", "half open", "time"];

/// The findings, a few of each kind.
pub fn findings(all: &[Finding]) -> String {
    let mut kinds: BTreeMap<Kind, Vec<&Finding>> = BTreeMap::new();
    all.iter().for_each(|finding| kinds.entry(finding.kind).or_default().push(finding));
    let lines = kinds.into_iter().map(|(kind, found)| {
        let shown: Vec<String> = found.iter().take(SHOWN).map(|finding| format!("      {}", finding.text)).collect();
        format!("    {kind:?}: {}\n{}\n", found.len(), shown.join("\n"))
    });
    lines.collect()
}

/// One scenario that is over.
pub fn lines(outcome: &Outcome) -> String {
    let (database, scenario) = (outcome.database.name(), outcome.scenario.name());
    format!("{database}: {scenario}: {} findings\n{}", outcome.counted(), findings(&outcome.findings))
}

/// One row for each scenario, all columns aligned.
pub fn table(outcomes: &[Outcome]) -> String {
    let rows = outcomes.iter().map(|outcome| {
        [
            outcome.scenario.name().to_owned(),
            outcome.database.name().to_owned(),
            outcome.subscriptions.to_string(),
            outcome.kills.to_string(),
            outcome.subscribes.to_string(),
            outcome.counted().to_string(),
            (outcome.findings.len() - outcome.counted()).to_string(),
            format!("{:.0} s", outcome.time.as_secs_f64()),
        ]
    });
    let all: Vec<[String; 8]> = std::iter::once(HEAD.map(str::to_owned)).chain(rows).collect();
    let width = |column: usize| all.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..HEAD.len()).map(width).collect();
    let line = |row: &[String; 8]| {
        let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, width))| match column {
            0 | 1 => format!("{cell:<width$}"),
            _ => format!("{cell:>width$}"),
        });
        cells.collect::<Vec<_>>().join("  ") + "\n"
    };
    all.iter().map(line).collect()
}
