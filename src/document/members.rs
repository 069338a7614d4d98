//! The elements of a document that tells only what has changed, by the attributes that name them.
//!
//! A newer document replaces elements by their names and adds others. Elements that have no name are those of the newest document that has any.
//! Linear in the length of both documents.

use std::collections::HashMap;

use super::element::Element;
use super::error::DocumentError;
use super::formats::{EndOfElement, KeyedElements};
use super::name::as_text;
use super::reader::Reader;
use super::stand_alone::StandAlone;

/// The elements inside one element.
#[derive(Default)]
pub(super) struct KeyedMembers<'a> {
    named: Vec<NamedMember<'a>>,
    /// Where each name is.
    places: HashMap<String, usize>,
    others: Vec<StandAlone<'a>>,
}

struct NamedMember<'a> {
    name: String,
    has_ended: bool,
    content: MemberContent<'a>,
}

enum MemberContent<'a> {
    Whole(StandAlone<'a>),
    /// An element whose members are told one by one: its start tag, its name, and they.
    Parent(StandAlone<'a>, &'a str, KeyedMembers<'a>),
}

impl<'a> KeyedMembers<'a> {
    /// The members of `parent`, an element that has just started. `namespace` is that of the format.
    pub(super) fn read(
        reader: &mut Reader<'a>,
        parent: &Element<'a>,
        keyed: &'static KeyedElements,
        namespace: &str,
    ) -> Self {
        let mut members = Self::default();
        while let Some(element) = reader.child(parent) {
            if element.may_be(keyed.local, namespace) {
                members.put(NamedMember::read(reader, &element, keyed, namespace));
            } else {
                members.others.push(StandAlone::read(reader, &element));
            }
        }
        members
    }

    /// Takes over what newer members tell.
    pub(super) fn apply(&mut self, newer: Self) {
        if !newer.others.is_empty() {
            self.others = newer.others;
        }
        newer.named.into_iter().for_each(|member| self.put(member));
    }

    /// Leaves out what has ended.
    pub(super) fn forget_ended(&mut self) {
        self.named.retain(|member| !member.has_ended);
        self.places.clear();
        for (place, member) in self.named.iter_mut().enumerate() {
            self.places.insert(member.name.clone(), place);
            if let MemberContent::Parent(_, _, members) = &mut member.content {
                members.forget_ended();
            }
        }
    }

    fn put(&mut self, member: NamedMember<'a>) {
        let place = *self.places.entry(member.name.clone()).or_insert(self.named.len());
        match self.named.get_mut(place) {
            Some(known) => known.renew(member),
            None => self.named.push(member),
        }
    }

    /// Writes all, where `inside` is the default namespace.
    ///
    /// # Errors
    /// When there are more than `max_bytes` then.
    pub(super) fn write(&self, to: &mut String, inside: &[u8], max_bytes: usize) -> Result<(), DocumentError> {
        for member in &self.named {
            to.push('\n');
            match &member.content {
                MemberContent::Whole(element) => element.write(to, inside),
                MemberContent::Parent(tag, name, members) => {
                    tag.write(to, inside);
                    to.push('>');
                    members.write(to, tag.inside(), max_bytes)?;
                    to.push_str("</");
                    to.push_str(name);
                    to.push('>');
                }
            }
            is_within(to, max_bytes)?;
        }
        for element in &self.others {
            to.push('\n');
            element.write(to, inside);
            is_within(to, max_bytes)?;
        }
        Ok(())
    }
}

impl<'a> NamedMember<'a> {
    fn read(reader: &mut Reader<'a>, element: &Element<'a>, keyed: &'static KeyedElements, namespace: &str) -> Self {
        let (content, tells_end) = match keyed.inside {
            Some(inside) => {
                let tag = StandAlone::read_tag(reader, element);
                let members = KeyedMembers::read(reader, element, inside, namespace);
                (MemberContent::Parent(tag, as_text(element.name.whole), members), false)
            }
            None => {
                let tells_end = tells_end(reader, element, keyed, namespace);
                (MemberContent::Whole(StandAlone::read(reader, element)), tells_end)
            }
        };
        let has_ended = match keyed.ended {
            EndOfElement::Attribute(name) => element.attribute(name).is_some_and(|value| is_end(&value)),
            EndOfElement::Child(_) => tells_end,
            EndOfElement::Never => false,
        };
        Self { name: name(element, keyed), has_ended, content }
    }

    fn renew(&mut self, newer: Self) {
        self.has_ended = newer.has_ended;
        match (&mut self.content, newer.content) {
            (MemberContent::Parent(tag, name, members), MemberContent::Parent(new_tag, new_name, new_members)) => {
                (*tag, *name) = (new_tag, new_name);
                members.apply(new_members);
            }
            (known, newer) => *known = newer,
        }
    }
}

/// What names an element. A character that XML does not have parts the values.
fn name(element: &Element<'_>, keyed: &KeyedElements) -> String {
    let values = keyed.keys.iter().map(|key| element.attribute(key).unwrap_or_default());
    let trimmed: Vec<String> = values.map(|value| value.trim().to_owned()).collect();
    trimmed.join("\0")
}

/// Whether the first child that says something of the state says that the element has ended.
fn tells_end<'a>(reader: &mut Reader<'a>, element: &Element<'a>, keyed: &KeyedElements, namespace: &str) -> bool {
    let EndOfElement::Child(state) = keyed.ended else { return false };
    while let Some(child) = reader.child(element) {
        if child.may_be(state, namespace) {
            let text = reader.text(&child);
            if !text.trim().is_empty() {
                return is_end(&text);
            }
        }
    }
    false
}

fn is_end(word: &str) -> bool {
    word.trim().eq_ignore_ascii_case("terminated")
}

fn is_within(text: &str, max_bytes: usize) -> Result<(), DocumentError> {
    if text.len() > max_bytes {
        return Err(DocumentError::TooLarge { size: text.len(), limit: max_bytes });
    }
    Ok(())
}
