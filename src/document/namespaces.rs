//! The namespaces in scope, and those of the attributes of a tag (Namespaces in XML §3, §6).

use arrayvec::ArrayVec;

use super::fault::XmlFault;
use super::name::{same_value, value_hash};

/// Most attributes on one element, namespace declarations not counted.
pub(super) const MAX_ATTRIBUTES: usize = 32;
/// Most namespace declarations in scope at one element.
pub(super) const MAX_NAMESPACES: usize = 32;

/// The namespace of the prefix `xml` (Namespaces in XML §3).
pub(super) const XML_NAMESPACE: &[u8] = b"http://www.w3.org/XML/1998/namespace";
const XMLNS_NAMESPACE: &[u8] = b"http://www.w3.org/2000/xmlns/";

/// In place of the index of a binding: the namespace of the prefix `xml`, which needs none.
const XML_BINDING: u8 = MAX_NAMESPACES as u8;

/// A namespace declaration in scope.
#[derive(Clone, Copy)]
struct Binding<'a> {
    /// Those bytes of a word that hold the prefix and its colon; none when they do not fit.
    mask: u64,
    /// The prefix and its colon there.
    word: u64,
    prefix: &'a [u8],
    namespace: &'a [u8],
    /// Hash of the namespace, once it was asked for.
    hash: Option<u64>,
}

/// The name of an attribute of the tag at hand, in places of the text.
#[derive(Clone, Copy)]
pub(super) struct Named {
    start: u32,
    /// Where its colon is; its end when it has none.
    colon: u32,
    end: u32,
    /// Index of its namespace's binding, once it was looked up; none without a prefix.
    binding: Option<u8>,
}

impl Named {
    /// Where it starts, where its colon is (where it ends, when there is none), and where it ends.
    #[inline(always)]
    pub(super) fn new(start: u32, colon: u32, end: u32) -> Self {
        Self { start, colon, end, binding: None }
    }

    #[inline(always)]
    pub(super) fn has_prefix(self) -> bool {
        self.colon < self.end
    }

    /// Its prefix and the rest.
    fn split(self, text: &[u8]) -> (&[u8], &[u8]) {
        let between = |start, end| text.get(start as usize..end as usize).unwrap_or_default();
        if !self.has_prefix() {
            return (&[], between(self.start, self.end));
        }
        (between(self.start, self.colon), between(self.colon + 1, self.end))
    }
}

/// All namespaces in scope, and the attributes of the tag at hand.
pub(super) struct Namespaces<'a> {
    bindings: ArrayVec<Binding<'a>, MAX_NAMESPACES>,
    attributes: ArrayVec<Named, MAX_ATTRIBUTES>,
    /// The mask and the word of the binding that was met last.
    recent: (u64, u64),
}

impl<'a> Namespaces<'a> {
    pub(super) fn new() -> Self {
        Self { bindings: ArrayVec::new(), attributes: ArrayVec::new(), recent: NO_WORD }
    }

    /// How many are in scope.
    #[inline(always)]
    pub(super) fn len(&self) -> usize {
        self.bindings.len()
    }

    /// Leaves an element before which so many were in scope.
    #[inline(always)]
    pub(super) fn leave(&mut self, outside: usize) {
        self.bindings.truncate(outside);
        self.recent = NO_WORD;
    }

    /// Begins a tag.
    #[inline(always)]
    pub(super) fn begin_tag(&mut self) {
        self.attributes.truncate(0);
    }

    /// Takes an attribute that is no namespace declaration.
    #[inline(always)]
    pub(super) fn take(&mut self, attribute: Named) -> Result<(), XmlFault> {
        push(&mut self.attributes, attribute, "attributes on one element")
    }

    /// Puts a namespace declaration in scope (Namespaces in XML §3). `outside` is how many were
    /// in scope before the element.
    pub(super) fn bind(
        &mut self,
        prefix: &'a [u8],
        namespace: &'a [u8],
        offset: usize,
        outside: usize,
    ) -> Result<(), XmlFault> {
        let is = |reserved| match namespace {
            // All characters of a value can be written as references, and the reserved ones start alike.
            [b'h' | b'&', ..] => same_value(namespace, reserved),
            _ => false,
        };
        let is_xml = is(XML_NAMESPACE);
        if prefix == b"xmlns" || is(XMLNS_NAMESPACE) || is_xml != (prefix == b"xml") {
            return Err(XmlFault::malformed(offset, "reserved namespace or prefix"));
        }
        let own = self.bindings.as_slice().get(outside..).unwrap_or_default();
        if own.iter().any(|each| each.prefix == prefix) {
            return Err(XmlFault::malformed(offset, "namespace declared twice"));
        }
        if is_xml {
            return Ok(());
        }
        let (mask, word) = prefix_word(prefix);
        push(&mut self.bindings, Binding { mask, word, prefix, namespace, hash: None }, "namespaces in scope")
    }

    /// Whether the prefix of the tag that starts with these eight bytes is surely declared.
    #[inline(always)]
    pub(super) fn declares(&mut self, start: u64) -> bool {
        let (mask, word) = self.recent;
        start & mask == word || self.finds(start)
    }

    #[inline(always)]
    fn finds(&mut self, start: u64) -> bool {
        let found = self.bindings.iter().rev().find(|each| start & each.mask == each.word);
        self.recent = found.map_or(NO_WORD, |found| (found.mask, found.word));
        found.is_some()
    }

    /// The namespace that `prefix` stands for, as written; empty when there is none.
    pub(super) fn namespace(&self, prefix: &[u8]) -> &'a [u8] {
        match self.find(prefix) {
            Some(XML_BINDING) => XML_NAMESPACE,
            Some(index) => self.bindings.get(usize::from(index)).map_or(&[][..], |binding| binding.namespace),
            None => &[],
        }
    }

    /// The index of the binding of `prefix`: none for no prefix, or an error.
    pub(super) fn resolve(&self, prefix: &[u8], offset: usize) -> Result<Option<u8>, XmlFault> {
        if prefix.is_empty() {
            return Ok(None);
        }
        match self.find(prefix) {
            None => Err(XmlFault::malformed(offset, "namespace prefix is not declared")),
            found => Ok(found),
        }
    }

    fn find(&self, prefix: &[u8]) -> Option<u8> {
        let bound = self.bindings.iter().rposition(|each| each.prefix == prefix);
        bound.map(|index| index as u8).or((prefix == b"xml").then_some(XML_BINDING))
    }

    /// Whether the attributes of the tag, which is in `text`, have prefixes that are declared, and no two of them the
    /// same namespace and name.
    pub(super) fn check_attributes(&mut self, text: &[u8]) -> Result<(), XmlFault> {
        match self.attributes.as_slice() {
            [] => Ok(()),
            [only] => self.check_attribute(text, *only),
            _ => self.check_distinct(text),
        }
    }

    /// Whether an attribute that is alone has a prefix that is declared, or none.
    pub(super) fn check_attribute(&self, text: &[u8], only: Named) -> Result<(), XmlFault> {
        self.resolve(only.split(text).0, only.start as usize).map(|_| ())
    }

    fn check_distinct(&mut self, text: &[u8]) -> Result<(), XmlFault> {
        for at in 0..self.attributes.len() {
            let Some(&named) = self.attributes.get(at) else { break };
            let (prefix, local) = named.split(text);
            // An attribute without a prefix is in no namespace.
            let binding = self.resolve(prefix, named.start as usize)?;
            for earlier in 0..at {
                let Some(&other) = self.attributes.get(earlier) else { break };
                if other.split(text).1 == local && self.is_same_namespace(other.binding, binding) {
                    return Err(XmlFault::malformed(named.start as usize, "attribute given twice"));
                }
            }
            if let Some(attribute) = self.attributes.get_mut(at) {
                attribute.binding = binding;
            }
        }
        Ok(())
    }

    /// The hash spares long comparisons, which is what keeps the whole scan cheap. Hardly any
    /// document needs it.
    fn is_same_namespace(&mut self, one: Option<u8>, other: Option<u8>) -> bool {
        let (Some(one), Some(other)) = (one, other) else { return one == other };
        if one == other || one == XML_BINDING || other == XML_BINDING {
            return one == other;
        }
        match (self.hashed(one), self.hashed(other)) {
            (Some(one), Some(other)) => one.hash == other.hash && same_value(one.namespace, other.namespace),
            _ => false,
        }
    }

    fn hashed(&mut self, index: u8) -> Option<Binding<'a>> {
        let binding = self.bindings.get_mut(usize::from(index))?;
        binding.hash.get_or_insert_with(|| value_hash(binding.namespace));
        Some(*binding)
    }
}

/// A mask and a word that no word is equal to.
const NO_WORD: (u64, u64) = (0, u64::MAX);

/// The bytes of a word that a tag takes up to the colon behind its prefix, and these bytes. [`NO_WORD`] when they do not
/// fit, or there is no prefix.
fn prefix_word(prefix: &[u8]) -> (u64, u64) {
    if prefix.is_empty() || prefix.len() > 6 {
        return NO_WORD;
    }
    let written = prefix.iter().rev().fold(u64::from(b':'), |word, byte| word << 8 | u64::from(*byte));
    let unused = 48 - 8 * prefix.len() as u32;
    (u64::MAX >> unused, written << 8 | u64::from(b'<'))
}

/// Appends `item`, or says that there are more of `what` than fit.
#[inline(always)]
fn push<T, const N: usize>(to: &mut ArrayVec<T, N>, item: T, what: &'static str) -> Result<(), XmlFault> {
    to.try_push(item).map_err(|_| XmlFault::Limit { what, limit: N })
}
