//! An element as text that is complete by itself.

use super::element::Element;
use super::reader::{Declaration, Reader};

/// An element as written, and the declarations it needs from outside.
pub(super) struct StandAlone<'a> {
    /// The element as written.
    source: &'a str,
    missing: Vec<Declaration<'a>>,
}

impl<'a> StandAlone<'a> {
    /// Of an element that is open or ended last; skips to its end.
    pub(super) fn read(reader: &mut Reader<'a>, element: &Element<'a>) -> Self {
        let source = reader.whole(element);
        let around = reader.around(element);
        let missing = around.iter().enumerate().filter(|(at, each)| {
            let hidden = around.iter().skip(at + 1).any(|inner| inner.prefix == each.prefix);
            let own = element.attributes().any(|attribute| attribute.declares() == Some(each.prefix));
            // A default namespace that was taken back needs no word when there is none outside.
            !hidden && !own && !each.namespace.is_empty() && each.prefix != b"xml" && uses(source, each.prefix)
        });
        Self { source, missing: missing.map(|(_, each)| *each).collect() }
    }

    /// How many bytes it takes as text.
    pub(super) fn size(&self) -> usize {
        let declarations = self.missing.iter();
        let declarations = declarations.map(|each| " xmlns:=\"\"".len() + each.prefix.len() + each.namespace.len());
        self.source.len() + declarations.sum::<usize>()
    }

    /// The element with all the declarations it needs.
    pub(super) fn to_xml(&self) -> String {
        let name_end = self.source.find([' ', '\t', '\r', '\n', '/', '>']).unwrap_or(self.source.len());
        let (name, rest) = self.source.split_at_checked(name_end).unwrap_or((self.source, ""));
        let mut xml = String::with_capacity(self.size());
        xml.push_str(name);
        for declaration in &self.missing {
            xml.push_str(" xmlns");
            if !declaration.prefix.is_empty() {
                xml.push(':');
                xml.push_str(declaration.prefix());
            }
            // A value is written with one of the quotes around it and has none of that kind in it.
            let quote = if declaration.namespace.contains(&b'"') { '\'' } else { '"' };
            xml.push('=');
            xml.push(quote);
            xml.push_str(declaration.namespace());
            xml.push(quote);
        }
        xml.push_str(rest);
        xml
    }
}

/// Whether an element uses a prefix. It counts wherever `prefix:` occurs, so that qualified names in attribute values and
/// text keep their meaning; no prefix is always used.
fn uses(source: &str, prefix: &[u8]) -> bool {
    prefix.is_empty()
        || memchr::memmem::find_iter(source.as_bytes(), prefix)
            .any(|at| source.as_bytes().get(at + prefix.len()) == Some(&b':'))
}
