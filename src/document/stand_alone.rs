//! An element as text that is complete by itself.

use super::element::Element;
use super::name::same_value;
use super::reader::{Declaration, Reader};

/// An element as written, and the declarations it needs from outside.
pub(super) struct StandAlone<'a> {
    /// The element as written.
    source: &'a str,
    /// The default namespace around it; empty for none.
    around: &'a [u8],
    /// The default namespace that it declares itself.
    own: Option<&'a [u8]>,
    /// The declarations with a prefix.
    missing: Vec<Declaration<'a>>,
}

impl<'a> StandAlone<'a> {
    /// Of an element that is open or ended last; skips to its end.
    pub(super) fn read(reader: &mut Reader<'a>, element: &Element<'a>) -> Self {
        let source = reader.whole(element);
        Self::of(source, reader, element)
    }

    /// The start tag only, without its `>` or `/>`, of an element that has just started.
    pub(super) fn read_tag(reader: &Reader<'a>, element: &Element<'a>) -> Self {
        Self::of(reader.start_tag(element), reader, element)
    }

    fn of(source: &'a str, reader: &Reader<'a>, element: &Element<'a>) -> Self {
        let around = reader.around(element);
        let own = |prefix| element.attributes().find(|attribute| attribute.declares() == Some(prefix));
        let missing = around.iter().enumerate().filter(|(at, each)| {
            let hidden = around.iter().skip(at + 1).any(|inner| inner.prefix == each.prefix);
            let is_plain = each.prefix.is_empty() || each.prefix == b"xml";
            !is_plain
                && !hidden
                && !each.namespace.is_empty()
                && uses(source, each.prefix)
                && own(each.prefix).is_none()
        });
        let missing = missing.map(|(_, each)| *each).collect();
        let default = around.iter().rev().find(|each| each.prefix.is_empty());
        let default = default.map_or(&[][..], |each| each.namespace);
        Self { source, around: default, own: own(b"").map(|own| own.value), missing }
    }

    /// The most bytes it takes as text that stands in no other element.
    pub(super) fn size(&self) -> usize {
        let namespaces =
            self.missing.iter().map(|each| each.prefix.len() + each.namespace.len()).chain([self.around.len()]);
        self.source.len() + namespaces.map(|length| " xmlns:=\"\"".len() + length).sum::<usize>()
    }

    /// The element with all the declarations it needs.
    pub(super) fn to_xml(&self) -> String {
        let mut xml = String::with_capacity(self.size());
        self.write(&mut xml, b"");
        xml
    }

    /// Writes the element, with the declarations it needs where `inside` is the default namespace.
    pub(super) fn write(&self, to: &mut String, inside: &[u8]) {
        let name_end = self.source.find([' ', '\t', '\r', '\n', '/', '>']).unwrap_or(self.source.len());
        let (name, rest) = self.source.split_at_checked(name_end).unwrap_or((self.source, ""));
        to.push_str(name);
        if self.own.is_none() && !same_value(self.around, inside) {
            write_declaration(to, &Declaration { prefix: b"", namespace: self.around });
        }
        self.missing.iter().for_each(|each| write_declaration(to, each));
        to.push_str(rest);
    }

    /// The default namespace inside it; empty for none.
    pub(super) fn inside(&self) -> &'a [u8] {
        self.own.unwrap_or(self.around)
    }
}

fn write_declaration(to: &mut String, declaration: &Declaration<'_>) {
    let colon = if declaration.prefix.is_empty() { "" } else { ":" };
    write_attribute(to, &["xmlns", colon, declaration.prefix()], declaration.namespace());
}

/// Writes an attribute whose value is as it was written elsewhere.
pub(super) fn write_attribute(to: &mut String, name: &[&str], value: &str) {
    // A value is written with one of the quotes around it and has none of that kind in it.
    let quote = if value.contains('"') { '\'' } else { '"' };
    to.push(' ');
    name.iter().for_each(|part| to.push_str(part));
    to.push('=');
    to.push(quote);
    to.push_str(value);
    to.push(quote);
}

/// Whether an element uses a prefix. It counts wherever `prefix:` occurs, so that qualified names in attribute values and
/// text keep their meaning.
fn uses(source: &str, prefix: &[u8]) -> bool {
    memchr::memmem::find_iter(source.as_bytes(), prefix)
        .any(|at| source.as_bytes().get(at + prefix.len()) == Some(&b':'))
}
