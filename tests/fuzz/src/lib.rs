//! The readers of bodies for the fuzz targets: the module's own source, without the server.

mod entries;

/// The source of the module, of which these rooms need nothing else.
#[allow(dead_code, unused_imports, reason = "the module uses the rest")]
#[path = "../../../src"]
mod rooms {
    pub mod document;
    pub mod grammar;

    /// What C sees of documents.
    pub mod c_api {
        mod dialogs;
        mod document;
        mod document_types;
        mod pinned;
        mod presentity;
        mod registrations;
        pub mod seen;
        mod text;
        mod waiting;
        mod watchers;
    }
}

use rooms::{c_api, document, grammar};

/// Gives bytes to the reader of this name.
pub fn run(name: &str, input: &[u8]) {
    let entry = entries::ENTRIES.into_iter().find(|(each, _)| *each == name);
    let (_, entry) = entry.unwrap_or_else(|| panic!("no reader is called {name}"));
    entry(input);
}
