//! How often a subscriber wants to be notified (RFC 6446).

/// Decimals of a rate.
const DECIMALS: usize = 10;

/// Notifications per second: more than 0, less than 100, with at most ten decimals (RFC 6446 §9).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rate(u64);

impl Rate {
    /// Reads `1*2DIGIT ["." 1*10DIGIT]`; `None` for anything else, and for 0.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok()?;
        let (whole, decimals) = text.split_once('.').map_or((text, None), |(whole, rest)| (whole, Some(rest)));
        let are_digits = |text: &str, most: usize| {
            (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
        };
        if !are_digits(whole, 2) || !decimals.is_none_or(|decimals| are_digits(decimals, DECIMALS)) {
            return None;
        }
        let digits = format!("{whole}{:0<DECIMALS$}", decimals.unwrap_or_default());
        digits.parse().ok().filter(|rate| *rate > 0).map(Self)
    }
}

impl std::fmt::Display for Rate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let one = 10u64.pow(10);
        let decimals = format!("{:0>DECIMALS$}", self.0 % one);
        match decimals.trim_end_matches('0') {
            "" => write!(f, "{}", self.0 / one),
            decimals => write!(f, "{}.{decimals}", self.0 / one),
        }
    }
}

/// The rates of one subscription, as far as any are wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rates {
    /// `max-rate`: no more than this.
    pub max: Option<Rate>,
    /// `min-rate`: at least this, even if nothing changes.
    pub min: Option<Rate>,
    /// `adaptive-min-rate`: at least this on average.
    pub adaptive_min: Option<Rate>,
}

impl Rates {
    /// No rates.
    #[cfg(test)]
    pub const NONE: Self = Self { max: None, min: None, adaptive_min: None };

    /// Parameters of the Event header, by name.
    pub fn parameters(self) -> impl Iterator<Item = (&'static str, Rate)> {
        let all = [("max-rate", self.max), ("min-rate", self.min), ("adaptive-min-rate", self.adaptive_min)];
        all.into_iter().filter_map(|(name, rate)| Some((name, rate?)))
    }
}
