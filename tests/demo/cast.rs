//! The persons, and the states that they publish. Notes are short: they have to fit into the picture on 80 columns.

/// The watched person.
pub const USERS: [&str; 6] = ["alice", "bob", "carol", "dave", "erin", "frank"];

/// A state that a person publishes.
pub type State = (&'static str, &'static str, Option<&'static str>);

/// Published before anybody watches.
pub const FIRST: [State; 4] = [
    ("alice", "open", Some("at the desk")),
    ("bob", "closed", Some("on holiday")),
    ("carol", "open", None),
    ("dave", "closed", None),
];

/// Published while the watcher watches.
pub const CHANGES: [State; 12] = [
    ("erin", "open", Some("just arrived")),
    ("bob", "open", Some("back at work")),
    ("alice", "closed", Some("in a meeting")),
    ("frank", "open", None),
    ("dave", "open", Some("on call")),
    ("carol", "closed", Some("at lunch")),
    ("frank", "closed", Some("on the train")),
    ("alice", "open", Some("meeting over")),
    ("erin", "closed", Some("in a call")),
    ("carol", "open", Some("at the café")),
    ("dave", "closed", None),
    ("bob", "closed", Some("good night")),
];

/// Published while the server with the module is not there.
pub const WHILE_AWAY: State = ("erin", "open", Some("back again"));

/// Whose subscriptions are refreshed.
pub const REFRESHED: [&str; 2] = ["alice", "frank"];
