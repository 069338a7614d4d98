//! Elements that PIDF does not define, kept as text that is complete by itself.

use std::borrow::Cow;

use roxmltree::{Namespace, Node};

use super::cursor::attributes;
use super::error::DocumentError;
use super::note::notes_of_person;
use super::presentity::Extension;

/// Makes extensions, as long as they take no more room together than allowed. Without this a
/// long namespace declared once could be copied into thousands of short elements.
pub(super) struct Extensions<'a> {
    text: &'a str,
    limit: usize,
    left: usize,
}

impl<'a> Extensions<'a> {
    /// For the elements of `text`, with `limit` bytes for all together.
    pub(super) fn new(text: &'a str, limit: usize) -> Self {
        Self { text, limit, left: limit }
    }

    /// Copies `node`, an element of the text, so that it is complete by itself.
    pub(super) fn keep(&mut self, node: Node<'_, '_>) -> Result<Extension, DocumentError> {
        let source = self.text.get(node.range()).unwrap_or_default();
        let missing = missing_declarations(node, source);
        let namespace = node.tag_name().namespace().unwrap_or_default();
        let name = node.tag_name().name();
        let size = source.len() + namespace.len() + name.len() + written_size(&missing);
        self.left = self.left.checked_sub(size).ok_or(DocumentError::ExtensionsTooLarge { limit: self.limit })?;
        Ok(Extension {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            xml: stand_alone(source, &missing),
            notes: notes_of_person(node),
        })
    }
}

/// What `source` uses from outside: the declarations in scope which the element does not make
/// itself and whose prefix occurs in it. A prefix counts wherever `prefix:` occurs, so that
/// qualified names in attribute values and text keep their meaning.
fn missing_declarations<'a>(node: Node<'a, '_>, source: &str) -> Vec<&'a Namespace<'a>> {
    let uses = |prefix: &str| {
        let mut pieces = source.split(prefix).skip(1);
        prefix.is_empty() || pieces.any(|after| after.starts_with(':'))
    };
    let own = |prefix: &str| attributes(source).any(|each| each.declares() == Some(prefix.as_bytes()));
    node.namespaces()
        .filter(|each| {
            let prefix = each.name().unwrap_or_default();
            prefix != "xml" && uses(prefix) && !own(prefix)
        })
        // A default namespace that was taken back needs no word when there is none outside.
        .filter(|each| each.name().is_some() || !each.uri().is_empty())
        .collect()
}

fn written_size(declarations: &[&Namespace<'_>]) -> usize {
    declarations.iter().map(|each| escaped(each.uri()).len() + each.name().unwrap_or_default().len() + 10).sum()
}

fn stand_alone(source: &str, declarations: &[&Namespace<'_>]) -> String {
    let name_end = source.find([' ', '\t', '\r', '\n', '/', '>']).unwrap_or(source.len());
    let (name, rest) = source.split_at_checked(name_end).unwrap_or((source, ""));
    let mut xml = String::with_capacity(source.len() + written_size(declarations));
    xml.push_str(name);
    for declaration in declarations {
        xml.push_str(" xmlns");
        if let Some(prefix) = declaration.name() {
            xml.push(':');
            xml.push_str(prefix);
        }
        xml.push_str("=\"");
        xml.push_str(&escaped(declaration.uri()));
        xml.push('"');
    }
    xml.push_str(rest);
    xml
}

/// An attribute value as it can be written between double quotes (XML 1.0 §3.3.3).
fn escaped(value: &str) -> Cow<'_, str> {
    if !value.contains(['&', '<', '"', '\t', '\n', '\r']) {
        return Cow::Borrowed(value);
    }
    let mut out = String::with_capacity(value.len() + 16);
    for each in value.chars() {
        match each {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '"' => out.push_str("&quot;"),
            '\t' => out.push_str("&#9;"),
            '\n' => out.push_str("&#10;"),
            '\r' => out.push_str("&#13;"),
            other => out.push(other),
        }
    }
    Cow::Owned(out)
}
