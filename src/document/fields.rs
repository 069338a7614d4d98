//! The fields of documents as they are declared. Uses nothing of the module, so that the tests can read it as well.

/// A field of the documents of one format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DocumentField {
    /// The media type of the documents that have it.
    pub format: &'static str,
    /// Its name.
    pub name: &'static str,
    /// What it says, without an index; with an index it is the n-th in document order where there are several.
    pub meaning: &'static str,
}

/// All fields, by format.
pub const FIELDS: &[DocumentField] = &[
    presence("basic", "`open` if any tuple is open, else `closed` if any is closed, else `unknown`"),
    presence("note", "the first note that says something: of the presentity, else of a tuple, else of a person"),
    presence("activity", "the first activity of a person, else of a tuple, such as `away`"),
    presence("mood", "the first mood of a person, else of a tuple, such as `happy`"),
    presence("entity", "the URI of the presentity"),
    presence("contact", "the contact of the tuple that `basic` is taken from"),
    presence("tuple_id", "the id of the tuple that `basic` is taken from"),
    presence("tuple_basic", "the state of the tuple that `basic` is taken from"),
];

const fn presence(name: &'static str, meaning: &'static str) -> DocumentField {
    DocumentField { format: "application/pidf+xml", name, meaning }
}
