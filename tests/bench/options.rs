//! The options of the benchmark: `QUICK=1`, `ONLY=P1,P5`, and for P10 `ROWS=1000000` and `DATABASE=postgres`.

/// All that there is to show, in the order in which it is shown.
pub const ALL: [&str; 15] =
    ["P1", "P2", "P3", "P4", "P5", "P6", "P7", "P8", "P9", "P10", "P11", "P12", "P13", "P14", "P15"];

/// Where subscriptions are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DatabaseKind {
    /// A file of SQLite.
    Sqlite,
    /// A server of PostgreSQL.
    Postgres,
}

/// How much is measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Less of everything, for a look in between.
    pub quick: bool,
    /// The goals to show.
    pub only: Vec<&'static str>,
    /// Stored subscriptions of P10, if that is said: then nothing else of P10 is measured but what they show.
    pub rows: Option<usize>,
    /// Where these are.
    pub database: DatabaseKind,
}

impl Options {
    /// From the values of the variables, by their names; says what is wrong with them.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Options, String> {
        let [quick, only, rows, database] =
            ["QUICK", "ONLY", "ROWS", "DATABASE"].map(|name| variable(name).unwrap_or_default());
        let named = only.split([',', ' ']).filter(|name| !name.is_empty());
        let known = |name: &str| {
            let found = ALL.iter().find(|known| known.eq_ignore_ascii_case(name));
            found.copied().ok_or_else(|| format!("ONLY names {name}, but there are {}", ALL.join(" ")))
        };
        let mut only = named.map(known).collect::<Result<Vec<_>, _>>()?;
        if only.is_empty() {
            only = ALL.to_vec();
        }
        let rows = match rows.as_str() {
            "" => None,
            text => Some(
                text.parse()
                    .ok()
                    .filter(|rows| *rows >= 1000)
                    .ok_or(format!("ROWS is {text}, not a number from 1000 on"))?,
            ),
        };
        let database = match database.as_str() {
            "" | "sqlite" => DatabaseKind::Sqlite,
            "postgres" => DatabaseKind::Postgres,
            other => return Err(format!("DATABASE is {other}, but there are sqlite and postgres")),
        };
        Ok(Options { quick: !matches!(quick.as_str(), "" | "0"), only, rows, database })
    }

    /// Whether this is to be shown.
    pub fn wants(&self, id: &str) -> bool {
        self.only.contains(&id)
    }

    /// Rounds of each thing compared.
    pub fn rounds(&self) -> usize {
        if self.quick { 2 } else { 5 }
    }

    /// NOTIFYs of one round.
    pub fn notifies(&self) -> usize {
        if self.quick { 20_000 } else { 60_000 }
    }

    /// Subscriptions that are alive during the measurement.
    pub fn subscriptions(&self) -> usize {
        if self.quick { 20_000 } else { 1_000_000 }
    }

    /// Shared memory of the server that has them, in megabytes.
    pub fn shm_megabytes(&self) -> u32 {
        if self.quick { 1000 } else { 4000 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// With these variables.
    fn read(variables: &[(&str, &str)]) -> Result<Options, String> {
        Options::read(|name| variables.iter().find(|(given, _)| *given == name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn all_unless_told() {
        let options = read(&[]).expect("options");
        assert!(!options.quick && options.wants("P1") && options.wants("P10"));
        assert!(!read(&[("QUICK", "0"), ("ONLY", "")]).expect("options").quick);
    }

    #[test]
    fn only_what_is_named() {
        let options = read(&[("QUICK", "1"), ("ONLY", "p5, P1")]).expect("options");
        assert!(options.quick && options.wants("P1") && options.wants("P5") && !options.wants("P2"));
        let refused = read(&[("ONLY", "P99")]).expect_err("there is no P99");
        assert!(refused.contains("P99") && refused.contains("P10"), "{refused}");
    }

    #[test]
    fn stored_subscriptions() {
        let options = read(&[("ROWS", "1000000"), ("DATABASE", "postgres")]).expect("options");
        assert_eq!((options.rows, options.database), (Some(1_000_000), DatabaseKind::Postgres));
        assert!(read(&[("ROWS", "many")]).is_err() && read(&[("DATABASE", "paper")]).is_err());
    }
}
