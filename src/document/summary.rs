//! One state and one note for a whole presentity, and its fields by name.

use super::presentity::{Basic, Note, Presentity, Rpid, RpidElement, Tuple};
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
        self.notes_by_weight().next()
    }

    /// All notes that say something, in the order of [`Self::note`].
    fn notes_by_weight(&self) -> impl Iterator<Item = &str> {
        let of_tuples = self.tuples.iter().flat_map(|tuple| &tuple.notes);
        let of_persons = self.persons.iter().flat_map(|person| &person.notes);
        self.notes.iter().chain(of_tuples).chain(of_persons).map(Note::trimmed).filter(|text| !text.is_empty())
    }

    /// The values of one kind of rich presence: those of persons first, then those of tuples.
    pub fn rich(&self, kind: Rpid) -> impl Iterator<Item = &str> {
        let of_persons = self.persons.iter().flat_map(|person| &person.rpid);
        let all = of_persons.chain(self.tuples.iter().flat_map(|tuple| &tuple.rpid));
        all.filter(move |element| element.kind == kind).flat_map(RpidElement::texts)
    }

    /// The tuple that [`Self::basic`] is taken from, or one in document order.
    fn tuple(&self, index: Option<usize>) -> Option<&Tuple> {
        let deciding = || {
            let basic = self.basic();
            self.tuples.iter().find(|tuple| tuple.basic == basic)
        };
        index.map_or_else(deciding, |index| self.tuples.get(index))
    }
}

impl Note {
    fn trimmed(&self) -> &str {
        self.text.trim()
    }
}

impl RpidElement {
    fn texts(&self) -> impl Iterator<Item = &str> {
        self.values.iter().map(String::as_str)
    }
}

impl NamedValues for Presentity {
    fn value(&self, field: &str, index: Option<usize>) -> Option<FieldText<'_>> {
        let at = index.unwrap_or_default();
        let text = match field {
            "basic" => (at == 0).then(|| self.basic().as_str()),
            "note" => index.map_or_else(|| self.note(), |at| self.notes_by_weight().nth(at)),
            "activity" => self.rich(Rpid::Activity).nth(at),
            "mood" => self.rich(Rpid::Mood).nth(at),
            "entity" => Some(self.entity.as_str()).filter(|entity| at == 0 && !entity.is_empty()),
            "contact" => self.tuple(index)?.contact.as_ref().map(|contact| contact.uri.as_str()),
            "tuple_id" => self.tuple(index).map(|tuple| tuple.id.as_str()),
            "tuple_basic" => self.tuple(index).map(|tuple| tuple.basic.as_str()),
            _ => None,
        };
        text.map(FieldText::text)
    }

    fn count(&self, field: &str) -> usize {
        match field {
            "basic" => 1,
            "note" => self.notes_by_weight().count(),
            "activity" => self.rich(Rpid::Activity).count(),
            "mood" => self.rich(Rpid::Mood).count(),
            "entity" => usize::from(!self.entity.is_empty()),
            "contact" | "tuple_id" | "tuple_basic" => self.tuples.len(),
            _ => 0,
        }
    }
    fn values(&self, field: &str) -> Vec<Option<FieldText<'_>>> {
        let shown = |text| Some(FieldText::text(text));
        match field {
            "note" => self.notes_by_weight().map(shown).collect(),
            "activity" => self.rich(Rpid::Activity).map(shown).collect(),
            "mood" => self.rich(Rpid::Mood).map(shown).collect(),
            _ => (0..self.count(field)).map(|index| self.value(field, Some(index))).collect(),
        }
    }
}
