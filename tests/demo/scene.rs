//! The words of an act that do not change while it is played.

/// What the views say around the news of an act.
pub struct Scene {
    /// What it shows.
    pub title: &'static str,
    /// How news come: places, and what goes on to the next.
    pub flow: &'static [(&'static str, &'static str)],
    /// Where they end.
    pub ends_in: &'static str,
    /// Over records, and over the messages between two servers.
    pub panes: [&'static str; 2],
    /// Over the columns of the table.
    pub columns: [&'static str; 3],
    /// How wide the second is.
    pub state: usize,
    /// Of a record that nobody has subscribed to.
    pub unwatched: &'static str,
    /// The other server.
    pub peer: &'static str,
    /// How the times are taken.
    pub legend: &'static str,
    /// The word before news in plain lines, and what it means.
    pub word: &'static str,
    /// The status that goes without saying.
    pub usual: &'static str,
    /// See [`Scene::word`].
    pub meaning: &'static str,
    /// What is counted.
    pub counted: &'static str,
    /// The event, in short.
    pub steps: &'static [&'static str],
}

/// States of persons come into the server.
pub const STATES: Scene = Scene {
    title: "presence states arrive inside Kamailio",
    flow: &[("people", "PUBLISH"), ("presence server", "NOTIFY"), ("presence_b2b", "event_route")],
    ends_in: "this table",
    panes: ["records and states", "SIP between the two"],
    columns: ["record", "state", "note"],
    state: 9,
    unwatched: "not watched",
    peer: "presence server",
    legend: "ms: from PUBLISH (or SUBSCRIBE) to event route.",
    word: "state",
    usual: "",
    meaning: "state lines what event_route[qsa:notify] tells about a record.",
    counted: "states published and arrived",
    steps: &[
        "two Kamailios start",
        "first states are published",
        "a watcher subscribes to everybody",
        "states change",
        "the server is killed, starts again",
        "subscriptions are refreshed",
        "presence server dies, comes back",
        "the watcher unsubscribes",
    ],
};

/// Calls at another server light lamps here.
pub const LAMPS: Scene = Scene {
    title: "local lamps follow calls at a remote PBX",
    flow: &[("phones", "INVITE"), ("PBX", "NOTIFY"), ("presence_b2b", "publish"), ("presence", "NOTIFY")],
    ends_in: "lamps",
    panes: ["local lamps", "SIP between PBX and module"],
    columns: ["lamp", "shows", "call"],
    state: 12,
    unwatched: "dark",
    peer: "remote PBX",
    legend: "ms: from the change at a phone to the lamp.",
    word: "lamp ",
    usual: "active",
    meaning: "lamp lines what a local watcher's lamp shows.",
    counted: "changes of lamps awaited and seen",
    steps: &[
        "a PBX and a Kamailio start",
        "calls are subscribed, lamps watch",
        "201 calls 202, who answers",
        "202 calls 201, who is busy",
        "the subscriptions end",
    ],
};
