//! The one place in a text that a selector leads to.

use std::ops::Range;

use super::element::{Element, value};
use super::reader::{Reader, XmlEvent};
use super::selector::{ExpandedName, MOST_PREDICATES, PatchSubject, Predicate, Selector, SelectorStep};

/// The element that the steps lead to, and what of it is meant. All places are in the reader's text.
#[derive(Debug)]
pub(super) struct Place {
    /// The whole element.
    pub(super) element: Range<usize>,
    /// Its start tag, with `>` or `/>`.
    pub(super) tag: Range<usize>,
    /// Its name as written.
    pub(super) name: String,
    /// What is meant: the element, the attribute from its name to its quote, or the text.
    pub(super) subject: Range<usize>,
    /// The default namespace around it as written, and inside it.
    pub(super) around: String,
    pub(super) inside: String,
    /// The prefixes that are declared inside it, with their namespaces; the innermost last.
    pub(super) prefixes: Vec<(String, String)>,
}

/// Finds the place. Reads each element once, and those that a predicate looks into once more for each predicate; these take from `left`, the
/// bytes that predicates may still look at.
///
/// # Errors
/// When there is none, or more than one; or when nothing is left.
pub(super) fn locate(
    reader: &mut Reader<'_>,
    text: &str,
    selector: &Selector,
    left: &mut usize,
) -> Result<Place, &'static str> {
    let mut search = Search { text, subject: &selector.subject, found: Vec::new(), left };
    let (first, rest) = selector.steps.split_first().ok_or("no step leads to an element")?;
    if let Some(root) = reader.root()
        && first.matches(reader, &root, &mut [0; MOST_PREDICATES], search.left)
    {
        search.walk(reader, &root, rest);
    }
    if *search.left == 0 {
        return Err("its predicates look into the state again and again");
    }
    if search.found.len() > 1 {
        return Err("its selector is not unique");
    }
    search.found.pop().ok_or("its selector leads nowhere")
}

struct Search<'s> {
    text: &'s str,
    subject: &'s PatchSubject,
    found: Vec<Place>,
    /// How many bytes predicates may still look at.
    left: &'s mut usize,
}

impl Search<'_> {
    /// Goes on from an element that has just started, and that has matched all steps before. Not deeper than there are steps.
    fn walk<'a>(&mut self, reader: &mut Reader<'a>, element: &Element<'a>, steps: &[SelectorStep]) {
        let Some((step, rest)) = steps.split_first() else { return self.arrive(reader, element) };
        let mut counts = [0; MOST_PREDICATES];
        while let Some(child) = reader.child(element) {
            if step.matches(reader, &child, &mut counts, self.left) {
                self.walk(reader, &child, rest);
            }
            if self.found.len() > 1 || *self.left == 0 {
                return;
            }
        }
    }

    fn arrive<'a>(&mut self, reader: &mut Reader<'a>, element: &Element<'a>) {
        let tag = element.start..reader.offset();
        let scope = reader.in_scope();
        let default = scope.iter().rev().find(|each| each.prefix.is_empty()).map_or("", |each| each.namespace());
        let around = reader.around(element).iter().rev().find(|each| each.prefix.is_empty());
        let prefixes = scope.iter().filter(|each| !each.prefix.is_empty());
        let mut place = Place {
            element: tag.clone(),
            tag: tag.clone(),
            name: String::from_utf8_lossy(element.name.whole).into_owned(),
            subject: tag,
            around: around.map_or(String::new(), |each| each.namespace().to_owned()),
            inside: default.to_owned(),
            prefixes: prefixes.map(|each| (each.prefix().to_owned(), value(each.namespace).into_owned())).collect(),
        };
        let subject = match self.subject {
            PatchSubject::Element => Some(None),
            PatchSubject::Attribute(name) => self.attribute(element, attribute_of(reader, element, name)).map(Some),
            PatchSubject::Namespace(prefix) => {
                let declares = |written: &&[u8]| written.strip_prefix(b"xmlns:") == Some(prefix.as_bytes());
                let written = element.attributes().map(|each| each.name.whole).find(declares);
                self.attribute(element, written).map(Some)
            }
            PatchSubject::Text(position) => text_node(reader, element, *position).map(Some),
        };
        place.element.end = element.start + reader.whole(element).len();
        if let Some(subject) = subject {
            place.subject = subject.unwrap_or(place.element.clone());
            self.found.push(place);
        }
    }

    /// An attribute by its name as written, from the name to the quote behind its value.
    fn attribute(&self, element: &Element<'_>, written: Option<&[u8]>) -> Option<Range<usize>> {
        let found = element.attributes().find(|each| Some(each.name.whole) == written)?;
        let start = element.start + 1 + element.name.whole.len() + found.offset;
        let behind_name = start + found.name.whole.len();
        let quote = self.text.get(behind_name..)?.find(['"', '\''])?;
        Some(start..behind_name + quote + 1 + found.value.len() + 1)
    }
}

/// The name as written of an attribute.
fn attribute_of<'a>(reader: &Reader<'a>, element: &Element<'a>, name: &ExpandedName) -> Option<&'a [u8]> {
    if name.namespace.is_empty() {
        return element.attributes().map(|each| each.name.whole).find(|whole| *whole == name.local.as_bytes());
    }
    reader.attribute_named(element, &name.local, &name.namespace).map(|found| found.name.whole)
}

/// A text of an element that has just started: character data and CDATA sections that nothing parts.
fn text_node<'a>(reader: &mut Reader<'a>, element: &Element<'a>, position: Option<usize>) -> Option<Range<usize>> {
    let mut nodes: Vec<Range<usize>> = Vec::new();
    loop {
        let range = match reader.next()? {
            XmlEvent::Text(text) => reader.offset() - text.len()..reader.offset(),
            XmlEvent::Verbatim(text) => {
                let length = "<![CDATA[".len() + text.len() + "]]>".len();
                reader.offset() - length..reader.offset()
            }
            XmlEvent::Start(inner) => {
                reader.skip(&inner);
                continue;
            }
            XmlEvent::End => break,
        };
        match nodes.last_mut() {
            Some(last) if last.end == range.start => last.end = range.end,
            Some(_) | None => nodes.push(range),
        }
    }
    reader.skip(element);
    match position {
        Some(position) => nodes.into_iter().nth(position.checked_sub(1)?),
        None if nodes.len() > 1 => None,
        None => nodes.pop(),
    }
}

impl SelectorStep {
    /// Whether an element that has just started matches. `counts` has, for each predicate, how many of its siblings have come so far. What
    /// predicates look at is taken from `left`; nothing matches without it.
    fn matches<'a>(
        &self,
        reader: &Reader<'a>,
        element: &Element<'a>,
        counts: &mut [usize; MOST_PREDICATES],
        left: &mut usize,
    ) -> bool {
        if self.name.as_ref().is_some_and(|name| !name.names(element)) {
            return false;
        }
        self.predicates.iter().zip(counts).all(|(predicate, count)| match predicate {
            Predicate::Position(position) => {
                *count += 1;
                count == position
            }
            Predicate::Attribute(name, wanted) => {
                let written = attribute_of(reader, element, name);
                let found = element.attributes().find(|each| Some(each.name.whole) == written);
                found.is_some_and(|found| value(found.value) == wanted.as_str())
            }
            Predicate::Own(wanted) => look_ahead(reader, left, |ahead| ahead.text(element) == wanted.as_str()),
            Predicate::Child(name, wanted) => look_ahead(reader, left, |ahead| {
                while let Some(child) = ahead.child(element) {
                    if name.names(&child) && ahead.text(&child) == wanted.as_str() {
                        return true;
                    }
                }
                false
            }),
        })
    }
}

/// What a copy of the reader finds; what it reads is taken from `left`.
fn look_ahead<'a>(reader: &Reader<'a>, left: &mut usize, look: impl FnOnce(&mut Reader<'a>) -> bool) -> bool {
    let mut ahead = reader.clone();
    let found = look(&mut ahead);
    *left = left.saturating_sub(ahead.offset().saturating_sub(reader.offset()));
    found && *left > 0
}

impl ExpandedName {
    fn names(&self, element: &Element<'_>) -> bool {
        element.is(&self.local, &self.namespace)
    }
}
