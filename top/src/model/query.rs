//! Which subscriptions are wanted, and in which order the server is asked for them.

/// Which subscriptions are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// Filters that all of them fulfil.
    pub filters: Vec<String>,
    /// What was typed: a part of the record or of the subscriber, or an id. Empty: the failing ones, then all.
    pub search: String,
}

/// One part of a query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Phase {
    /// One subscription.
    Id(u64),
    /// All with these filters.
    Find(Vec<String>),
}

impl Query {
    /// The parts, the most wanted first. The same subscription may come in several of them.
    pub fn phases(&self) -> Vec<Phase> {
        let with = |filter: String| Phase::Find(self.filters.iter().cloned().chain([filter]).collect());
        let search = self.search.trim();
        if search.is_empty() {
            return vec![with("failing=1".into()), Phase::Find(self.filters.clone())];
        }
        if search.contains('*') {
            return vec![with(format!("record={search}")), with(format!("subscriber={search}"))];
        }
        let mut phases = Vec::new();
        // A telephone number is no id.
        let is_id = |id: &u64| *id <= i32::MAX as u64 && search.bytes().all(|byte| byte.is_ascii_digit());
        phases.extend(search.parse().ok().filter(is_id).map(Phase::Id));
        // The server finds a whole URI without looking through all of them.
        phases.extend(search.contains(':').then(|| with(format!("record={search}"))));
        phases.extend([with(format!("record=*{search}*")), with(format!("subscriber=*{search}*"))]);
        phases
    }
}
