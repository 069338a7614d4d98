//! In which options two subscriptions to the same differ.

use super::{HEADER, Options, PublishAs, Terms};
use crate::subscription::rates::Rates;

impl Options {
    /// The names of the options that are not the same in both, but for `id` and `share`. Filters are compared by their numbers.
    #[must_use]
    pub fn differences(&self, other: &Self) -> Vec<&'static str> {
        let Self { id: _, filter: _, header, outbound, share: _, publish, terms } = self;
        let Terms { expires, fetch, rates, follows_source, list, lenient, filter, keep, merged } = terms;
        let Rates { max, min, adaptive_min } = rates;
        let same = [
            ("expires", *expires == other.terms.expires),
            ("fetch", *fetch == other.terms.fetch),
            ("max-rate", *max == other.terms.rates.max),
            ("min-rate", *min == other.terms.rates.min),
            ("adaptive-min-rate", *adaptive_min == other.terms.rates.adaptive_min),
            ("filter", *filter == other.terms.filter),
            (HEADER, *header == other.header),
            ("outbound", *outbound == other.outbound),
            ("target", *follows_source == other.terms.follows_source),
            ("list", *list == other.terms.list),
            ("lenient", *lenient == other.terms.lenient),
            ("keep", *keep == other.terms.keep),
            ("merged", *merged == other.terms.merged),
            (publish.as_ref().or(other.publish.as_ref()).map_or("", PublishAs::name), *publish == other.publish),
        ];
        same.into_iter().filter(|(_, is_same)| !is_same).map(|(name, _)| name).collect()
    }
}
