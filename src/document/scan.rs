//! Is this well-formed XML, within the caps? One pass, no allocation, no recursion.
//!
//! Checks XML 1.0 well-formedness and Namespaces in XML, and refuses any document type
//! declaration, so that no entity exists but the five predefined ones (conformance: no DTD, no
//! external entities, depth and size caps, no quadratic parse). What passes here is accepted by
//! another parser of XML too; a property test holds the two against each other.

use arrayvec::ArrayVec;

use super::bytes::same_start;
use super::cursor::{Attribute, Cursor};
use super::fault::XmlFault;
use super::name::{QName, same_value, value_hash};
use super::prescan::is_suspicious;

/// Deepest nesting of elements.
pub(super) const MAX_DEPTH: usize = 64;
/// Most attributes on one element, namespace declarations not counted.
pub(super) const MAX_ATTRIBUTES: usize = 32;
/// Most namespace declarations in scope at one element.
pub(super) const MAX_NAMESPACES: usize = 32;
/// Most elements, comments and processing instructions in one document.
pub(super) const MAX_NODES: usize = 8192;

/// What the prefix `xml` is bound to (Namespaces in XML §3).
pub(super) const XML_NAMESPACE: &[u8] = b"http://www.w3.org/XML/1998/namespace";
const XMLNS_NAMESPACE: &[u8] = b"http://www.w3.org/2000/xmlns/";

/// The result of a scan: the top of a document.
#[derive(Clone, Copy, Debug)]
pub(super) struct RootElement<'a> {
    /// The root element's name.
    pub(super) name: QName<'a>,
    /// Its namespace as written (see [`same_value`]); empty when it has none.
    pub(super) namespace: &'a [u8],
    /// Where the root's start tag starts.
    pub(super) tag: usize,
}

/// A namespace declaration in scope.
#[derive(Clone, Copy)]
struct Binding<'a> {
    prefix: &'a [u8],
    namespace: &'a [u8],
    /// Hash of the namespace, once it was asked for.
    hash: Option<u64>,
}

/// An element that is open: where its name is, and how many bindings were in scope before it.
#[derive(Clone, Copy, Default)]
struct Open {
    name: usize,
    name_length: usize,
    bindings: usize,
}

/// The name of an attribute of the tag at hand.
#[derive(Clone, Copy)]
struct Named<'a> {
    prefix: &'a [u8],
    local: &'a [u8],
    offset: usize,
    /// Index of its namespace's binding, once it was looked up; none without a prefix.
    binding: Option<usize>,
}

/// In place of the index of a binding: the namespace of the prefix `xml`, which needs none.
const XML_BINDING: usize = MAX_NAMESPACES;

struct Scanner<'a> {
    text: &'a [u8],
    cursor: Cursor<'a>,
    open: ArrayVec<Open, MAX_DEPTH>,
    bindings: ArrayVec<Binding<'a>, MAX_NAMESPACES>,
    /// The attributes of the tag at hand.
    attributes: ArrayVec<Named<'a>, MAX_ATTRIBUTES>,
    nodes: usize,
}

/// Scans a whole document, as [`super::encoding::decode`] returns it.
pub(super) fn scan(text: &str) -> Result<RootElement<'_>, XmlFault> {
    let text = text.as_bytes();
    let mut scanner = Scanner {
        text,
        cursor: Cursor::new(text, is_suspicious(text)),
        open: ArrayVec::new(),
        bindings: ArrayVec::new(),
        attributes: ArrayVec::new(),
        nodes: 0,
    };
    scanner.document()
}

impl<'a> Scanner<'a> {
    fn document(&mut self) -> Result<RootElement<'a>, XmlFault> {
        self.cursor.declaration()?;
        self.misc()?;
        match self.cursor.rest {
            [b'<', b'!', b'D', b'O', b'C', b'T', b'Y', b'P', b'E', ..] => return Err(XmlFault::Dtd),
            [b'<', ..] => {}
            _ => return Err(self.cursor.fault("no root element")),
        }
        let root = self.root()?;
        while !self.open.is_empty() {
            self.content()?;
        }
        self.misc()?;
        if !self.cursor.rest.is_empty() {
            return Err(self.cursor.fault("something follows the root element"));
        }
        Ok(root)
    }

    /// Misc of XML 1.0 §2.8: what may surround the root element.
    fn misc(&mut self) -> Result<(), XmlFault> {
        loop {
            self.cursor.skip_space();
            match self.cursor.rest {
                [b'<', b'!', b'-', b'-', ..] => self.comment()?,
                [b'<', b'?', ..] => self.instruction()?,
                _ => return Ok(()),
            }
        }
    }

    /// One step inside an element: text, and one piece of markup.
    #[inline(always)]
    fn content(&mut self) -> Result<(), XmlFault> {
        self.cursor.text()?;
        let [b'<', markup @ ..] = self.cursor.rest else {
            return Err(self.cursor.fault("document ends inside an element"));
        };
        match markup {
            [b'/', after @ ..] => self.end_tag(after),
            [b'!', b'-', b'-', ..] => self.comment(),
            [b'!', b'[', b'C', b'D', b'A', b'T', b'A', b'[', ..] => self.cursor.cdata(),
            [b'?', ..] => self.instruction(),
            _ => self.start_tag(),
        }
    }

    fn comment(&mut self) -> Result<(), XmlFault> {
        self.count()?;
        self.cursor.comment()
    }

    fn instruction(&mut self) -> Result<(), XmlFault> {
        self.count()?;
        self.cursor.instruction()
    }

    #[inline(always)]
    fn count(&mut self) -> Result<(), XmlFault> {
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            return Err(XmlFault::Limit { what: "elements, comments and processing instructions", limit: MAX_NODES });
        }
        Ok(())
    }

    /// The start tag, or empty element, of the root.
    fn root(&mut self) -> Result<RootElement<'a>, XmlFault> {
        let offset = self.cursor.offset();
        let name = self.tag_name()?;
        self.attributes(name, offset)?;
        // Nothing more is in scope than what the root declares, though it may be closed already.
        let namespace = match self.find_binding(name.prefix) {
            Some(XML_BINDING) => XML_NAMESPACE,
            Some(index) => self.bindings.as_slice().get(index).map_or(&[][..], |binding| binding.namespace),
            None => &[],
        };
        self.close_tag(name, offset, 0)?;
        Ok(RootElement { name, namespace, tag: offset })
    }

    /// A start tag or an empty element.
    #[inline(always)]
    fn start_tag(&mut self) -> Result<(), XmlFault> {
        let offset = self.cursor.offset();
        let outside = self.bindings.len();
        let name = self.tag_name()?;
        if let [b'>', ..] | [b'/', b'>', ..] = self.cursor.rest {
            self.resolve(name.prefix, offset)?;
        } else {
            self.attributes(name, offset)?;
        }
        self.close_tag(name, offset, outside)
    }

    #[inline(always)]
    fn tag_name(&mut self) -> Result<QName<'a>, XmlFault> {
        self.count()?;
        self.cursor.skip(1);
        self.cursor.qname("not an element name")
    }

    /// A start tag from behind its `name` up to its end, which is left to [`Self::close_tag`].
    /// `offset` is where the tag starts.
    fn attributes(&mut self, name: QName<'a>, offset: usize) -> Result<(), XmlFault> {
        let outside = self.bindings.len();
        self.attributes.truncate(0);
        while let Some(attribute) = self.cursor.attribute()? {
            let Attribute { name: QName { prefix, local, .. }, value, offset } = attribute;
            match attribute.declares() {
                Some(prefix) => self.bind(prefix, value, offset, outside)?,
                None => {
                    let named = Named { prefix, local, offset, binding: None };
                    push(&mut self.attributes, named, "attributes on one element")?;
                }
            }
        }
        self.resolve(name.prefix, offset)?;
        match self.attributes.as_slice() {
            [] => Ok(()),
            [only] => self.resolve(only.prefix, only.offset).map(|_| ()),
            _ => self.check_distinct(),
        }
    }

    /// The end of a start tag: `>` or `/>`. `offset` is where the tag starts, and `outside` how many
    /// bindings were in scope before it.
    #[inline(always)]
    fn close_tag(&mut self, name: QName<'a>, offset: usize, outside: usize) -> Result<(), XmlFault> {
        if let [b'/', ..] = self.cursor.rest {
            self.cursor.skip(2);
            self.bindings.truncate(outside);
            return Ok(());
        }
        self.cursor.skip(1);
        let open = Open { name: offset + 1, name_length: name.whole.len(), bindings: outside };
        push(&mut self.open, open, "elements nested in each other")
    }

    /// The end tag of the innermost element; `after` begins behind its `</`.
    #[inline(always)]
    fn end_tag(&mut self, after: &'a [u8]) -> Result<(), XmlFault> {
        let open = self.open.pop().unwrap_or_default();
        let name = self.text.get(open.name..).unwrap_or_default();
        match after.get(open.name_length..) {
            Some([b'>', rest @ ..]) if same_start(after, name, open.name_length) => self.cursor.rest = rest,
            _ => self.other_end_tag(name.get(..open.name_length).unwrap_or_default())?,
        }
        self.bindings.truncate(open.bindings);
        Ok(())
    }

    /// An end tag of the element `open` that has white space in it, or something wrong.
    #[cold]
    fn other_end_tag(&mut self, open: &[u8]) -> Result<(), XmlFault> {
        let offset = self.cursor.offset();
        self.cursor.skip(2);
        let name = self.cursor.qname("not an element name")?;
        self.cursor.skip_space();
        let [b'>', rest @ ..] = self.cursor.rest else {
            return Err(self.cursor.fault("end tag is not closed"));
        };
        self.cursor.rest = rest;
        if open != name.whole {
            return Err(XmlFault::malformed(offset, "end tag does not match the open element"));
        }
        Ok(())
    }

    /// Puts a namespace declaration in scope (Namespaces in XML §3). `outside` is how many were
    /// in scope before the element.
    fn bind(&mut self, prefix: &'a [u8], namespace: &'a [u8], offset: usize, outside: usize) -> Result<(), XmlFault> {
        let is_xml = same_value(namespace, XML_NAMESPACE);
        if prefix == b"xmlns" || same_value(namespace, XMLNS_NAMESPACE) || is_xml != (prefix == b"xml") {
            return Err(XmlFault::malformed(offset, "reserved namespace or prefix"));
        }
        let own = self.bindings.as_slice().get(outside..).unwrap_or_default();
        if own.iter().any(|each| each.prefix == prefix) {
            return Err(XmlFault::malformed(offset, "namespace declared twice"));
        }
        if is_xml {
            return Ok(());
        }
        push(&mut self.bindings, Binding { prefix, namespace, hash: None }, "namespaces in scope")
    }

    /// The index of what `prefix` is bound to: none for no prefix, or an error.
    #[inline(always)]
    fn resolve(&self, prefix: &[u8], offset: usize) -> Result<Option<usize>, XmlFault> {
        if prefix.is_empty() {
            return Ok(None);
        }
        match self.find_binding(prefix) {
            None => Err(XmlFault::malformed(offset, "namespace prefix is not declared")),
            found => Ok(found),
        }
    }

    #[inline]
    fn find_binding(&self, prefix: &[u8]) -> Option<usize> {
        let bound = self.bindings.as_slice().iter().rposition(|each| each.prefix == prefix);
        bound.or((prefix == b"xml").then_some(XML_BINDING))
    }

    /// No two attributes of one element have the same namespace and name.
    fn check_distinct(&mut self) -> Result<(), XmlFault> {
        for at in 0..self.attributes.len() {
            let Some(&Named { prefix, local, offset, .. }) = self.attributes.as_slice().get(at) else { break };
            // An attribute without a prefix is in no namespace.
            let binding = self.resolve(prefix, offset)?;
            for earlier in 0..at {
                let Some(&Named { local: other, binding: its, .. }) = self.attributes.as_slice().get(earlier) else {
                    break;
                };
                if other == local && self.is_same_namespace(its, binding) {
                    return Err(XmlFault::malformed(offset, "attribute given twice"));
                }
            }
            if binding.is_some()
                && let Some(attribute) = self.attributes.get_mut(at)
            {
                attribute.binding = binding;
            }
        }
        Ok(())
    }

    /// The hash spares long comparisons, which is what keeps the whole scan cheap. Hardly any
    /// document needs it.
    fn is_same_namespace(&mut self, one: Option<usize>, other: Option<usize>) -> bool {
        let (Some(one), Some(other)) = (one, other) else { return one == other };
        if one == other || one == XML_BINDING || other == XML_BINDING {
            return one == other;
        }
        match (self.hashed(one), self.hashed(other)) {
            (Some(one), Some(other)) => one.hash == other.hash && same_value(one.namespace, other.namespace),
            _ => false,
        }
    }

    fn hashed(&mut self, index: usize) -> Option<Binding<'a>> {
        let binding = self.bindings.get_mut(index)?;
        binding.hash.get_or_insert_with(|| value_hash(binding.namespace));
        Some(*binding)
    }
}

/// Appends `item`, or says that there are more of `what` than fit.
#[inline(always)]
fn push<T, const N: usize>(to: &mut ArrayVec<T, N>, item: T, what: &'static str) -> Result<(), XmlFault> {
    to.try_push(item).map_err(|_| XmlFault::Limit { what, limit: N })
}
