//! Bodies that tell the states of a list's resources (RFC 4662 §5): a document that names the resources, and a part for each state.
//!
//! A part may be such a body again: the list in the list. Its resources come in the place of the instance that names it. A part contains its
//! inner parts, so that there are no loops; a list that two instances name is opened once.

use std::collections::HashMap;
use std::ops::Range;

use super::check::check_size;
use super::content_type::ContentType;
use super::encoding::decode;
use super::error::DocumentError;
use super::multipart::{Part, Parts};
use super::rlmi::{RLMI_XML, Rlmi, RlmiResource};
use super::version::Version;

/// What the document comes in, with the states (RFC 2387).
const RELATED: &str = "multipart/related";

/// The types of such bodies (RFC 4662 §4.3).
pub const LIST_TYPES: [&str; 2] = [RLMI_XML, RELATED];

/// The most lists inside one another.
const MOST_LISTS: usize = 8;

/// All states together have at most so many times the size of the body: more, and its parts are named again and again.
const MOST_TOLD: usize = 8;

/// What the body of one NOTIFY tells of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListUpdate {
    /// The list, and behind it the lists in it, in document order.
    pub lists: Vec<ListHead>,
    /// The resources of all of them.
    pub resources: Vec<ListResource>,
    /// What is told, in document order: one for each instance of a resource, and for each resource that has none.
    pub states: Vec<ListedState>,
}

/// A list (RFC 4662 §5.2).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListHead {
    /// Its URI.
    pub uri: String,
    /// Goes up by one with each document.
    pub version: Option<u32>,
    /// All resources of the list are named, not only those that have changed.
    pub is_full: bool,
}

/// A resource (RFC 4662 §5.3).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListResource {
    /// Its URI.
    pub uri: String,
    /// The first of its names.
    pub name: Option<String>,
}

/// The state of a resource.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListedState {
    /// Its list, by its place among them.
    pub list: usize,
    /// The resource, by its place among them; none for the state of the list as a whole.
    pub resource: Option<usize>,
    /// The instance; none when the notifier knows none.
    pub instance: Option<ListInstance>,
    /// Where its state is.
    pub part: Option<ListPart>,
    /// The resource is itself the list at this place, whose states come next.
    pub opened: Option<usize>,
}

/// An instance: one virtual subscription of the notifier (RFC 4662 §5.5).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListInstance {
    /// What names it.
    pub id: Option<String>,
    /// State of the virtual subscription.
    pub state: InstanceState,
    /// Why it has ended.
    pub reason: Option<String>,
}

/// The state of a virtual subscription.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum InstanceState {
    /// It is active.
    Active,
    /// It is not, or not yet.
    #[default]
    Pending,
    /// It has ended.
    Terminated,
}

/// A part of a body: where its Content-Type is (empty when it has none), and where its own body is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListPart {
    /// Its Content-Type.
    pub content_type: Range<usize>,
    /// Its body.
    pub body: Range<usize>,
}

/// Whether this is the type of a body that tells the states of a list. A missing `type` is met in the field.
#[must_use]
pub fn is_list(content_type: &ContentType<'_>) -> bool {
    let is_of_list =
        || content_type.parameter("type").is_none_or(|kind| kind.to_string().trim().eq_ignore_ascii_case(RLMI_XML));
    content_type.is(RLMI_XML) || content_type.is(RELATED) && is_of_list()
}

impl ListUpdate {
    /// Reads a body of a [type of lists](is_list). Time and memory are linear in its size.
    ///
    /// # Errors
    /// When it is too large, cannot be taken apart, does not name its resources as it must, or has too many lists inside one another.
    pub fn read(content_type: &ContentType<'_>, body: &[u8], max_bytes: usize) -> Result<Self, DocumentError> {
        check_size(body, max_bytes)?;
        let mut update = Self::default();
        let mut open = vec![update.open(content_type, body)?];
        let mut left = body.len().saturating_mul(MOST_TOLD);
        loop {
            let is_deepest = open.len() == MOST_LISTS;
            let Some(list) = open.last_mut() else { return Ok(update) };
            let Some(mut row) = list.rows.next() else {
                open.pop();
                continue;
            };
            let Some(named) = row.cid.and_then(|cid| list.parts.get_mut(cid.as_bytes())) else {
                update.states.push(row.state);
                continue;
            };
            let again = DocumentError::List { problem: "its parts are named again and again" };
            left = left.checked_sub(named.part.body.len()).ok_or(again)?;
            let inner = named.part.content_type.and_then(|kind| ContentType::parse(kind).ok()).filter(is_list);
            match inner {
                Some(kind) if row.state.resource.is_some() && !named.is_opened => {
                    (named.is_opened, row.state.opened) = (true, Some(update.lists.len()));
                    if is_deepest {
                        return Err(DocumentError::TooComplex { what: "lists inside one another", limit: MOST_LISTS });
                    }
                    let inside = named.part.body;
                    update.states.push(row.state);
                    open.push(update.open(&kind, inside)?);
                }
                Some(_) | None => {
                    row.state.part = ListPart::of(&named.part, body);
                    update.states.push(row.state);
                }
            }
        }
    }

    /// The version of the outermost list.
    #[must_use]
    pub fn version(&self) -> Option<Version> {
        let list = self.lists.first()?;
        list.version.map(|number| Version { number, is_full: list.is_full })
    }

    /// Reads which resources a list has, and finds its parts.
    fn open<'a>(&mut self, content_type: &ContentType<'a>, body: &'a [u8]) -> Result<OpenList<'a>, DocumentError> {
        let mut parts = HashMap::new();
        let text = if content_type.is(RLMI_XML) {
            content_type.text_of(body)?
        } else {
            let all: Vec<_> = Parts::of(content_type, body)?.collect::<Result<_, _>>()?;
            let document = document_of(content_type, &all)?;
            for part in all {
                // The document itself is no state.
                if let Some(id) = part.content_id.filter(|_| !std::ptr::eq(part.body, document.body)) {
                    parts.entry(id).or_insert(NamedPart { part, is_opened: false });
                }
            }
            let kind = document.content_type.map(ContentType::parse).transpose()?;
            kind.map_or_else(|| decode(document.body, None), |kind| kind.text_of(document.body))?
        };
        let rlmi = Rlmi::read(&text)?;
        let list = self.lists.len();
        self.lists.push(rlmi.list);
        let row = |resource, instance, cid| NamedState {
            state: ListedState { list, resource, instance, ..ListedState::default() },
            cid,
        };
        let mut rows: Vec<_> = rlmi.cid.into_iter().map(|cid| row(None, None, Some(cid))).collect();
        for RlmiResource { uri, name, instances } in rlmi.resources {
            let resource = Some(self.resources.len());
            self.resources.push(ListResource { uri, name });
            if instances.is_empty() {
                rows.push(row(resource, None, None));
            }
            rows.extend(instances.into_iter().map(|(instance, cid)| row(resource, Some(instance), cid)));
        }
        Ok(OpenList { rows: rows.into_iter(), parts })
    }
}

/// A list whose states are being gone through.
struct OpenList<'a> {
    rows: std::vec::IntoIter<NamedState>,
    /// The parts by their Content-ID.
    parts: HashMap<&'a [u8], NamedPart<'a>>,
}

/// A state, and the Content-ID of its part.
struct NamedState {
    state: ListedState,
    cid: Option<String>,
}

struct NamedPart<'a> {
    part: Part<'a>,
    /// It is a list, and its states have been told.
    is_opened: bool,
}

/// The part that names the resources: the one that `start` names, or else the first of its type.
fn document_of<'a>(content_type: &ContentType<'_>, parts: &[Part<'a>]) -> Result<Part<'a>, DocumentError> {
    let is_rlmi = |part: &&Part<'_>| {
        part.content_type.and_then(|kind| ContentType::parse(kind).ok()).is_some_and(|kind| kind.is(RLMI_XML))
    };
    let start = content_type.parameter("start").map(|start| start.to_string());
    let start = start.as_deref().map(|start| without_brackets(start.trim()).as_bytes());
    let named = parts.iter().find(|part| start.is_some() && part.content_id == start);
    let found =
        named.filter(|part| part.content_type.is_none() || is_rlmi(part)).or_else(|| parts.iter().find(is_rlmi));
    match found {
        Some(part) if part.is_plain() => Ok(*part),
        Some(_) => Err(DocumentError::List { problem: "the part that names its resources is encoded" }),
        None => Err(DocumentError::List { problem: "no part of type application/rlmi+xml names its resources" }),
    }
}

/// A Content-ID without the angle brackets around it.
pub(super) fn without_brackets(id: &str) -> &str {
    id.strip_prefix('<').and_then(|id| id.strip_suffix('>')).unwrap_or(id)
}

impl ListPart {
    /// Where a part of `whole` is; none if its body is encoded in a way that its Content-Type does not say.
    fn of(part: &Part<'_>, whole: &[u8]) -> Option<Self> {
        let place = |inner: &[u8]| {
            let start = inner.as_ptr().addr().checked_sub(whole.as_ptr().addr())?;
            Some(start..start.checked_add(inner.len())?)
        };
        let content_type = part.content_type.map_or(Some(0..0), place)?;
        Some(Self { content_type, body: place(part.body)? }).filter(|_| part.is_plain())
    }
}
