//! Is this well-formed XML, within the caps? One pass, no allocation, no recursion.
//!
//! Checks XML 1.0 well-formedness and Namespaces in XML, and refuses any document type
//! declaration, so that no entity exists but the five predefined ones (conformance: no DTD, no
//! external entities, depth and size caps, no quadratic parse). What passes here is accepted by
//! the tree parser too; a property test holds the two against each other.

use super::cursor::Cursor;
use super::name::{QName, same_value, take_qname, value_hash};
use super::short::Short;

/// Deepest nesting of elements.
pub(super) const MAX_DEPTH: usize = 64;
/// Most attributes on one element, namespace declarations not counted.
pub(super) const MAX_ATTRIBUTES: usize = 32;
/// Most namespace declarations in scope at one element.
pub(super) const MAX_NAMESPACES: usize = 32;
/// Most elements, comments and processing instructions in one document.
pub(super) const MAX_NODES: usize = 8192;

const XML_NAMESPACE: &str = "http://www.w3.org/XML/1998/namespace";
const XMLNS_NAMESPACE: &str = "http://www.w3.org/2000/xmlns/";

/// What is wrong with a document, without a copy of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// A document type declaration.
    Dtd,
    /// More of `what` than the cap allows.
    Limit {
        what: &'static str,
        limit: usize,
    },
    Malformed {
        offset: usize,
        problem: &'static str,
    },
}

/// What a scan found at the top of a document.
#[derive(Clone, Copy, Debug)]
pub(super) struct Root<'a> {
    /// The root element's name.
    pub(super) name: QName<'a>,
    /// Its namespace as written (see [`same_value`]); empty when it has none.
    pub(super) namespace: &'a str,
    /// Where the document starts, behind its XML declaration.
    pub(super) start: usize,
}

/// One attribute of a start tag, its value as written between the quotes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Attribute<'a> {
    pub(super) name: QName<'a>,
    pub(super) value: &'a str,
    pub(super) offset: usize,
}

impl<'a> Attribute<'a> {
    /// The prefix that this attribute declares: `Some("")` for `xmlns`, `None` if it is no
    /// namespace declaration.
    pub(super) fn declares(&self) -> Option<&'a str> {
        match (self.name.prefix, self.name.local) {
            ("", "xmlns") => Some(""),
            ("xmlns", prefix) => Some(prefix),
            _ => None,
        }
    }
}

/// A namespace declaration in scope. Equal namespaces have equal identities.
#[derive(Clone, Copy, Default)]
struct Binding<'a> {
    prefix: &'a str,
    namespace: &'a str,
    hash: u64,
    identity: usize,
}

/// An element that is open, and how many bindings were in scope before it.
#[derive(Clone, Copy, Default)]
struct Open<'a> {
    name: &'a str,
    bindings: usize,
}

struct Scanner<'a> {
    cursor: Cursor<'a>,
    open: Short<Open<'a>, MAX_DEPTH>,
    bindings: Short<Binding<'a>, MAX_NAMESPACES>,
    /// The attributes of the tag at hand. Here and not in a local variable, for filling them with
    /// defaults for each tag would cost more than all the rest.
    attributes: Short<Attribute<'a>, MAX_ATTRIBUTES>,
    /// Their names, as far as they were found to be distinct.
    distinct: Short<(Option<usize>, &'a str), MAX_ATTRIBUTES>,
    nodes: usize,
}

/// Scans a whole document, as [`super::encoding::decode`] returns it.
pub(super) fn scan(text: &str) -> Result<Root<'_>, Fault> {
    let mut scanner = Scanner {
        cursor: Cursor { text, at: 0 },
        open: Short::new(),
        bindings: Short::new(),
        attributes: Short::new(),
        distinct: Short::new(),
        nodes: 0,
    };
    scanner.document()
}

/// The attributes of the start tag at the start of `element`, which has passed [`scan`].
pub(super) fn attributes(element: &str) -> impl Iterator<Item = Attribute<'_>> {
    let name = element.get(1..).and_then(take_qname).unwrap_or_default();
    let mut cursor = Cursor { text: element, at: 1 + name.whole.len() };
    std::iter::from_fn(move || cursor.attribute().ok().flatten())
}

impl<'a> Scanner<'a> {
    fn document(&mut self) -> Result<Root<'a>, Fault> {
        self.cursor.declaration()?;
        let start = self.cursor.at;
        self.misc()?;
        if self.cursor.rest().starts_with("<!DOCTYPE") {
            return Err(Fault::Dtd);
        }
        if !self.cursor.rest().starts_with('<') {
            return Err(self.cursor.fault("no root element"));
        }
        let root = self.start_tag(start)?;
        while !self.open.is_empty() {
            self.content()?;
        }
        self.misc()?;
        if !self.cursor.rest().is_empty() {
            return Err(self.cursor.fault("something follows the root element"));
        }
        Ok(root)
    }

    /// Misc of XML 1.0 §2.8: what may surround the root element.
    fn misc(&mut self) -> Result<(), Fault> {
        loop {
            self.cursor.skip_space();
            if self.cursor.rest().starts_with("<!--") {
                self.count()?;
                self.cursor.comment()?;
            } else if self.cursor.rest().starts_with("<?") {
                self.count()?;
                self.cursor.instruction()?;
            } else {
                return Ok(());
            }
        }
    }

    /// One step inside an element: text, a reference or one piece of markup.
    fn content(&mut self) -> Result<(), Fault> {
        self.cursor.text()?;
        let rest = self.cursor.rest();
        if rest.is_empty() {
            Err(self.cursor.fault("document ends inside an element"))
        } else if rest.starts_with("</") {
            self.end_tag()
        } else if rest.starts_with("<!--") {
            self.count()?;
            self.cursor.comment()
        } else if rest.starts_with("<![CDATA[") {
            self.cursor.cdata()
        } else if rest.starts_with("<?") {
            self.count()?;
            self.cursor.instruction()
        } else {
            self.start_tag(0).map(|_| ())
        }
    }

    fn count(&mut self) -> Result<(), Fault> {
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            return Err(Fault::Limit { what: "elements, comments and processing instructions", limit: MAX_NODES });
        }
        Ok(())
    }

    /// A start tag or an empty element; `start` is passed through to the root.
    fn start_tag(&mut self, start: usize) -> Result<Root<'a>, Fault> {
        self.count()?;
        let offset = self.cursor.at;
        let outside = self.bindings.len();
        self.cursor.skip(1);
        let name = self.cursor.qname("not an element name")?;
        self.attributes.truncate(0);
        while let Some(attribute) = self.cursor.attribute()? {
            match attribute.declares() {
                Some(prefix) => self.bind(prefix, &attribute, outside)?,
                None => self.attributes.push(attribute, "attributes on one element")?,
            }
        }
        let namespace = self.resolve(name.prefix, offset)?;
        self.check_distinct()?;
        if self.cursor.rest().starts_with("/>") {
            self.cursor.skip(2);
            self.bindings.truncate(outside);
        } else {
            self.cursor.skip(1);
            let open = Open { name: name.whole, bindings: outside };
            self.open.push(open, "elements nested in each other")?;
        }
        Ok(Root { name, namespace: namespace.namespace, start })
    }

    fn end_tag(&mut self) -> Result<(), Fault> {
        let offset = self.cursor.at;
        self.cursor.skip(2);
        let name = self.cursor.qname("not an element name")?;
        self.cursor.skip_space();
        if !self.cursor.rest().starts_with('>') {
            return Err(self.cursor.fault("end tag is not closed"));
        }
        self.cursor.skip(1);
        let open = self.open.pop().unwrap_or_default();
        if open.name != name.whole {
            return Err(malformed(offset, "end tag does not match the open element"));
        }
        self.bindings.truncate(open.bindings);
        Ok(())
    }

    /// Puts a namespace declaration in scope (Namespaces in XML §3). `outside` is how many were
    /// in scope before the element.
    fn bind(&mut self, prefix: &'a str, attribute: &Attribute<'a>, outside: usize) -> Result<(), Fault> {
        let namespace = attribute.value;
        let is_xml = same_value(namespace, XML_NAMESPACE);
        if prefix == "xmlns" || same_value(namespace, XMLNS_NAMESPACE) || is_xml != (prefix == "xml") {
            return Err(malformed(attribute.offset, "reserved namespace or prefix"));
        }
        let bindings = self.bindings.as_slice();
        let own = bindings.get(outside..).unwrap_or_default();
        if own.iter().any(|each| each.prefix == prefix) {
            return Err(malformed(attribute.offset, "namespace declared twice"));
        }
        if is_xml {
            return Ok(());
        }
        // The hash spares long comparisons, which is what keeps the whole scan cheap.
        let hash = value_hash(namespace);
        let identity = bindings
            .iter()
            .find(|each| each.hash == hash && same_value(each.namespace, namespace))
            .map_or(bindings.len(), |each| each.identity);
        let binding = Binding { prefix, namespace, hash, identity };
        self.bindings.push(binding, "namespaces in scope")
    }

    fn resolve(&self, prefix: &str, offset: usize) -> Result<Binding<'a>, Fault> {
        let bound = self.bindings.as_slice();
        match bound.iter().rev().find(|each| each.prefix == prefix) {
            Some(binding) => Ok(*binding),
            None if prefix.is_empty() => Ok(Binding::default()),
            None if prefix == "xml" => {
                Ok(Binding { prefix: "xml", namespace: XML_NAMESPACE, hash: 0, identity: MAX_NAMESPACES })
            }
            None => Err(malformed(offset, "namespace prefix is not declared")),
        }
    }

    /// No two attributes of one element have the same namespace and name.
    fn check_distinct(&mut self) -> Result<(), Fault> {
        self.distinct.truncate(0);
        for attribute in self.attributes.as_slice() {
            let QName { prefix, local, .. } = attribute.name;
            // An attribute without a prefix is in no namespace.
            let identity = match prefix {
                "" => None,
                prefix => Some(self.resolve(prefix, attribute.offset)?.identity),
            };
            let name = (identity, local);
            if self.distinct.as_slice().contains(&name) {
                return Err(malformed(attribute.offset, "attribute given twice"));
            }
            self.distinct.push(name, "attributes on one element")?;
        }
        Ok(())
    }
}

fn malformed(offset: usize, problem: &'static str) -> Fault {
    Fault::Malformed { offset, problem }
}
