//! Documents that name the resources of a list and say where their states are (RLMI, RFC 4662 §5).
//!
//! Tolerated, because senders do it: no namespace, a missing `version`, a missing `fullState` (the document then counts as one that tells
//! what has changed), a state in any case or of an unknown name (taken for `pending`, the one that promises nothing), a `cid` in angle brackets.

use super::element::Element;
use super::error::DocumentError;
use super::list::{InstanceState, ListHead, ListInstance, without_brackets};
use super::reader::Reader;
use super::root::read_root_within;
use super::values::{attribute, number, text};

/// The media type of these documents (RFC 4662 §8.3).
pub(super) const RLMI_XML: &str = "application/rlmi+xml";

/// Their namespace (RFC 4662 §5.1).
const RLMI: &str = "urn:ietf:params:xml:ns:rlmi";

/// The most elements, comments and processing instructions: 65,536 resources with a name and an instance each.
const MOST_NODES: usize = 3 * 65_536 + 1;

/// The most bytes of a URI: what a record may have.
const MOST_URI: usize = 1024;

/// The most bytes of a name or of an id; what is longer is left out.
const MOST_NAME: usize = 1024;

/// What a document says.
pub(super) struct Rlmi {
    pub(super) list: ListHead,
    /// What names the part with the state of the list as a whole.
    pub(super) cid: Option<String>,
    pub(super) resources: Vec<RlmiResource>,
}

/// A resource of the list.
pub(super) struct RlmiResource {
    pub(super) uri: String,
    pub(super) name: Option<String>,
    /// Each with what names the part with its state.
    pub(super) instances: Vec<(ListInstance, Option<String>)>,
}

impl Rlmi {
    /// Reads a document.
    ///
    /// # Errors
    /// When it is no well-formed XML within the caps, no such document, or one with a URI that cannot be used.
    pub(super) fn read(document: &str) -> Result<Self, DocumentError> {
        let root = read_root_within(document, MOST_NODES)?;
        if !root.may_be("list", RLMI) {
            return Err(root.is_not("list", RLMI));
        }
        let refused = |problem| DocumentError::List { problem };
        let mut reader = Reader::new(document, &root);
        let root = reader.root().ok_or(refused("it has no root"))?;
        let list = ListHead {
            uri: uri_of(&root).ok_or(refused("the list has no URI, or one that cannot be used"))?,
            version: number(&root, "version"),
            is_full: is_true(&root, "fullState"),
        };
        let mut rlmi = Self { list, cid: cid_of(&root), resources: Vec::new() };
        while let Some(element) = reader.child(&root) {
            if element.may_be("resource", RLMI) {
                let uri = uri_of(&element).ok_or(refused("a resource has no URI, or one that cannot be used"))?;
                rlmi.resources.push(RlmiResource::read(uri, &mut reader, &element));
            }
        }
        Ok(rlmi)
    }
}

impl RlmiResource {
    fn read<'a>(uri: String, reader: &mut Reader<'a>, element: &Element<'a>) -> Self {
        let mut resource = Self { uri, name: None, instances: Vec::new() };
        while let Some(inner) = reader.child(element) {
            if inner.may_be("name", RLMI) && resource.name.is_none() {
                resource.name = short(text(reader, &inner));
            } else if inner.may_be("instance", RLMI) {
                resource.instances.push((ListInstance::of(&inner), cid_of(&inner)));
            }
        }
        resource
    }
}

impl ListInstance {
    fn of(element: &Element<'_>) -> Self {
        let state = match attribute(element, "state") {
            Some(state) if state.eq_ignore_ascii_case("active") => InstanceState::Active,
            Some(state) if state.eq_ignore_ascii_case("terminated") => InstanceState::Terminated,
            Some(_) | None => InstanceState::Pending,
        };
        let id = attribute(element, "id").and_then(short);
        Self { id, state, reason: attribute(element, "reason").and_then(short) }
    }
}

/// A text of one line: scripts write it into headers.
fn short(text: String) -> Option<String> {
    let text = if text.chars().any(char::is_control) { text.replace(char::is_control, " ") } else { text };
    Some(text).filter(|text| !text.is_empty() && text.len() <= MOST_NAME)
}

/// The URI of a list or of a resource.
fn uri_of(element: &Element<'_>) -> Option<String> {
    let is_usable = |uri: &String| !uri.is_empty() && uri.len() <= MOST_URI && !uri.chars().any(char::is_control);
    attribute(element, "uri").filter(is_usable)
}

/// A Content-ID as parts have it: without angle brackets.
fn cid_of(element: &Element<'_>) -> Option<String> {
    attribute(element, "cid").map(|cid| without_brackets(&cid).to_owned()).filter(|cid| !cid.is_empty())
}

/// A boolean of XML Schema; anything else is false.
fn is_true(element: &Element<'_>, name: &str) -> bool {
    attribute(element, name).is_some_and(|value| value == "1" || value.eq_ignore_ascii_case("true"))
}
