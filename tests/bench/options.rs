//! The options of the benchmark: `QUICK=1`, `ONLY=P1,P5`.

/// All that there is to show, in the order in which it is shown.
pub const ALL: [&str; 14] = ["P1", "P2", "P3", "P4", "P5", "P6", "P7", "P8", "P9", "P10", "P11", "P12", "P13", "P14"];

/// How much is measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Less of everything, for a look in between.
    pub quick: bool,
    /// The goals to show.
    pub only: Vec<&'static str>,
}

impl Options {
    /// From the values of the variables `QUICK` and `ONLY`; says what is wrong with them.
    pub fn read(quick: Option<&str>, only: Option<&str>) -> Result<Options, String> {
        let named = only.unwrap_or_default().split([',', ' ']).filter(|name| !name.is_empty());
        let known = |name: &str| {
            let found = ALL.iter().find(|known| known.eq_ignore_ascii_case(name));
            found.copied().ok_or_else(|| format!("ONLY names {name}, but there are {}", ALL.join(" ")))
        };
        let mut only = named.map(known).collect::<Result<Vec<_>, _>>()?;
        if only.is_empty() {
            only = ALL.to_vec();
        }
        Ok(Options { quick: quick.is_some_and(|value| !matches!(value, "" | "0")), only })
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

    #[test]
    fn all_unless_told() {
        let options = Options::read(None, None).expect("options");
        assert!(!options.quick && options.wants("P1") && options.wants("P10"));
        assert!(!Options::read(Some("0"), Some("")).expect("options").quick);
    }

    #[test]
    fn only_what_is_named() {
        let options = Options::read(Some("1"), Some("p5, P1")).expect("options");
        assert!(options.quick && options.wants("P1") && options.wants("P5") && !options.wants("P2"));
        let refused = Options::read(None, Some("P99")).expect_err("there is no P99");
        assert!(refused.contains("P99") && refused.contains("P10"), "{refused}");
    }
}
