//! One state and one note for a whole presentity: what `$qsa(basic)` and `$qsa(note)` show.

use super::presentity::{Basic, Note, Presentity};
use super::typed::{FieldText, NamedValues};

impl Presentity {
    /// The state of the presentity as a whole: open if any tuple is open, else closed if any is
    /// closed, else unknown. RFC 3863 leaves it to the watcher how the tuples sum up.
    pub fn basic(&self) -> Basic {
        let any = |wanted| self.tuples.iter().any(|tuple| tuple.basic == wanted);
        if any(Basic::Open) {
            Basic::Open
        } else if any(Basic::Closed) {
            Basic::Closed
        } else {
            Basic::Unknown
        }
    }

    /// The first note that says something: of the presentity (RFC 3863 §4.1.6), else of a tuple,
    /// else of a person (RFC 4479 §3.2); without the white space around it.
    pub fn note(&self) -> Option<&str> {
        let of_tuples = self.tuples.iter().flat_map(|tuple| &tuple.notes);
        let of_persons = self.persons.iter().flat_map(|person| &person.notes);
        self.notes.iter().chain(of_tuples).chain(of_persons).map(Note::trimmed).find(|text| !text.is_empty())
    }
}

impl Note {
    fn trimmed(&self) -> &str {
        self.text.trim()
    }
}

impl NamedValues for Presentity {
    fn value(&self, field: &str, index: Option<usize>) -> Option<FieldText<'_>> {
        match (field, index) {
            ("basic", None) => Some(FieldText::text(self.basic().as_str())),
            ("note", None) => self.note().map(FieldText::text),
            _ => None,
        }
    }

    fn count(&self, _field: &str) -> usize {
        0
    }
}
