//! The table of results: what it holds and how it looks.

use std::fmt::Write as _;

use super::statistics::Sample;

/// Whether a goal is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The goal is reached.
    Met,
    /// It is not.
    Missed,
    /// There is a goal, but nothing to measure yet, or no way to measure it on this machine.
    Open,
    /// A figure for comparison, without a goal.
    Figure,
}

impl Verdict {
    /// The word in the table.
    pub fn word(self) -> &'static str {
        match self {
            Verdict::Met => "met",
            Verdict::Missed => "MISSED",
            Verdict::Open => "open",
            Verdict::Figure => "",
        }
    }

    /// The number of its colour on a terminal.
    fn colour(self) -> Option<u8> {
        match self {
            Verdict::Met => Some(32),
            Verdict::Missed => Some(31),
            Verdict::Open => Some(33),
            Verdict::Figure => None,
        }
    }
}

/// The goal: a ratio, or a value if there is no ratio.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Goal {
    /// At most this much.
    AtMost(f64),
    /// At least this much.
    AtLeast(f64),
}

impl Goal {
    /// Whether `value` reaches the goal.
    pub fn judge(self, value: f64) -> Verdict {
        let met = match self {
            Goal::AtMost(most) => value <= most,
            Goal::AtLeast(least) => value >= least,
        };
        if met { Verdict::Met } else { Verdict::Missed }
    }

    fn text(self) -> String {
        match self {
            Goal::AtMost(most) => format!("<= {}", number(most)),
            Goal::AtLeast(least) => format!(">= {}", number(least)),
        }
    }
}

/// One line of the table.
#[derive(Clone, Debug)]
pub struct Row {
    /// Which of the goals it belongs to: `P1`.
    pub id: &'static str,
    /// The measured value.
    pub name: String,
    /// The unit of the value.
    pub unit: &'static str,
    /// The value.
    pub value: Option<Sample>,
    /// How many a second there were, by the clock on the wall: thousands.
    pub rate: Option<f64>,
    /// Its ratio to what it is compared with.
    pub ratio: Option<Sample>,
    /// The goal, which is the ratio's if there is one, else the value's.
    pub goal: Option<Goal>,
    /// Anything to add, such as why there is no value.
    pub remark: String,
}

impl Row {
    /// A figure for comparison.
    pub fn figure(id: &'static str, name: impl Into<String>, unit: &'static str, value: Option<Sample>) -> Row {
        Row { id, name: name.into(), unit, value, rate: None, ratio: None, goal: None, remark: String::new() }
    }

    /// With the messages a second, if they are known.
    pub fn rate(mut self, per_second: Option<f64>) -> Row {
        self.rate = per_second.map(|rate| rate / 1e3);
        self
    }

    /// With a ratio.
    pub fn ratio(mut self, ratio: Option<Sample>) -> Row {
        self.ratio = ratio;
        self
    }

    /// With a goal.
    pub fn goal(mut self, goal: Goal) -> Row {
        self.goal = Some(goal);
        self
    }

    /// With a remark; several are joined.
    pub fn remark(mut self, remark: impl AsRef<str>) -> Row {
        if !self.remark.is_empty() && !remark.as_ref().is_empty() {
            self.remark += "; ";
        }
        self.remark += remark.as_ref();
        self
    }

    /// Whether the goal is reached.
    pub fn verdict(&self) -> Verdict {
        match (self.goal, self.ratio.or(self.value)) {
            (_, None) => Verdict::Open,
            (None, Some(_)) => Verdict::Figure,
            (Some(goal), Some(reached)) => goal.judge(reached.median),
        }
    }

    fn cells(&self) -> [String; COLUMNS] {
        let spread = |sample: &Sample| format!("{}-{}", number(sample.min), number(sample.max));
        [
            self.id.to_owned(),
            self.name.clone(),
            self.value.map_or_else(|| "-".into(), |sample| format!("{} {}", number(sample.median), self.unit)),
            self.value.filter(|sample| sample.min < sample.max).as_ref().map(spread).unwrap_or_default(),
            self.rate.map(|rate| format!("{rate:.1} k")).unwrap_or_default(),
            self.ratio.map(|sample| format!("{:.2}", sample.median)).unwrap_or_default(),
            self.goal.map(Goal::text).unwrap_or_default(),
            self.verdict().word().to_owned(),
            self.remark.clone(),
        ]
    }
}

const COLUMNS: usize = 9;
const HEAD: [&str; COLUMNS] = ["", "what", "median", "min-max", "a second", "ratio", "goal", "verdict", ""];
/// The column of verdicts.
const VERDICT: usize = 7;

/// The rows as lines with aligned columns; on a terminal, verdicts have colours.
pub fn aligned(rows: &[Row], coloured: bool) -> String {
    let head = (HEAD.map(str::to_owned), Verdict::Figure);
    let cells: Vec<([String; COLUMNS], Verdict)> =
        [head].into_iter().chain(rows.iter().map(|row| (row.cells(), row.verdict()))).collect();
    let width = |column: usize| cells.iter().map(|(row, _)| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..COLUMNS).map(width).collect();
    let mut text = String::new();
    for (row, verdict) in &cells {
        let mut line = String::new();
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            let _ = match (column, verdict.colour().filter(|_| coloured)) {
                (2..=5, _) => write!(line, "{cell:>width$}  "),
                (VERDICT, Some(colour)) => write!(line, "\x1b[{colour}m{cell:<width$}\x1b[0m  "),
                _ => write!(line, "{cell:<width$}  "),
            };
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// The rows as tab-separated values, one line each.
pub fn tsv(rows: &[Row]) -> String {
    let mut text =
        "id\twhat\tunit\tmedian\tmin\tmax\tper_second\tratio\tratio_min\tratio_max\tgoal\tverdict\tremark\n".to_owned();
    for row in rows {
        let parts = |sample: Option<Sample>| match sample {
            Some(Sample { median, min, max }) => format!("{median}\t{min}\t{max}"),
            None => "\t\t".to_owned(),
        };
        let goal = row.goal.map(Goal::text).unwrap_or_default();
        let rate = row.rate.map(|rate| format!("{:.0}", rate * 1e3)).unwrap_or_default();
        let (value, ratio, verdict) = (parts(row.value), parts(row.ratio), row.verdict().word());
        let _ = writeln!(
            text,
            "{}\t{}\t{}\t{value}\t{rate}\t{ratio}\t{goal}\t{verdict}\t{}",
            row.id, row.name, row.unit, row.remark
        );
    }
    text
}

/// A number with as many digits as it deserves.
pub fn number(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 || value.fract() == 0.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(ratio: Option<f64>) -> Row {
        let value = Sample { median: 12.345, min: 11.0, max: 130.4 };
        Row::figure("P1", "handle_notify", "µs", Some(value)).ratio(ratio.map(Sample::single)).goal(Goal::AtMost(1.2))
    }

    #[test]
    fn verdicts_follow_the_goal() {
        assert_eq!(row(Some(1.2)).verdict(), Verdict::Met);
        assert_eq!(row(Some(1.21)).verdict(), Verdict::Missed);
        assert_eq!(row(None).verdict(), Verdict::Missed, "the goal is the value's when there is no ratio");
        let none = Row { value: None, ..row(None) };
        assert_eq!(none.verdict(), Verdict::Open);
        assert_eq!(Row { goal: None, ..row(None) }.verdict(), Verdict::Figure);
        assert_eq!(Goal::AtLeast(0.95).judge(0.9), Verdict::Missed);
    }

    #[test]
    fn columns_are_aligned() {
        let rows = [row(Some(1.234)), Row::figure("P10", "restart", "", None).remark("not built yet")];
        let text = aligned(&rows, false);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 3);
        assert!(lines[1].contains("12.3 µs") && lines[1].contains("11-130") && lines[1].contains("1.23"), "{text}");
        let places: Vec<usize> =
            lines[..2].iter().map(|line| line.chars().take_while(|letter| *letter != '<').count()).collect();
        assert_eq!(lines[0].find("goal"), Some(places[1] - lines[1].matches('µ').count() + 1), "{text}");
        assert!(lines[2].ends_with("not built yet"), "{text}");
        let tsv = tsv(&rows);
        assert!(tsv.lines().all(|line| line.matches('\t').count() == 12), "{tsv}");
    }

    #[test]
    fn verdicts_have_colours_on_a_terminal_only() {
        let rows = [row(Some(1.0)), row(Some(2.0)), Row { goal: None, ..row(None) }];
        assert!(!aligned(&rows, false).contains('\x1b'));
        let text = aligned(&rows, true);
        assert!(text.contains("\x1b[32mmet") && text.contains("\x1b[31mMISSED"), "{text}");
        assert_eq!(text.matches("\x1b[0m").count(), 2, "{text}");
    }

    #[test]
    fn remarks_are_joined() {
        assert_eq!(row(None).remark("one").remark("").remark("two").remark, "one; two");
    }
}
