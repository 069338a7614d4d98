//! Lists of resources.

mod rosters;
