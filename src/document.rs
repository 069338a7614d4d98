//! Bodies: what a NOTIFY carries, read without trusting the sender.
//!
//! A pure room: no clock, no I/O, no shared memory, no parameter read behind the caller's back.
//! Bytes and limits come in, values or a [`DocumentError`](error::DocumentError) go out.
//! The process remembers the shapes of a few documents (`shapes`), which decides how long a check takes, never what it finds.
//!
//! | file | what it does |
//! |---|---|
//! | `content_type` | the Content-Type header value as grammar (RFC 3261 §25.1) |
//! | `encoding` | bytes to text: BOM, charset parameter, XML declaration (RFC 7303 §3) |
//! | `scan` | XML well-formedness in linear time, without allocation, with every cap |
//! | `tags`, `namespaces` | `scan` at a tag; the namespaces in scope |
//! | `usual`, `block` | the markup of nearly all documents, read sixteen bytes at a time |
//! | `shape`, `shapes` | documents of the shape of an earlier one need no scan |
//! | `cursor` | the lexical half of `scan`, for all other markup |
//! | `prescan`, `bytes` | what `scan` need not look for in a text; searches eight bytes at a time |
//! | `fault` | what `scan` finds wrong |
//! | `name` | XML names and characters, as `scan` needs them |
//! | `reader` | the one reader of XML: walks over a scanned text, without a tree |
//! | `element` | an element as the reader shows it |
//! | `stand_alone` | an element as text that is complete by itself |
//! | `root` | the root element, which says what a document is |
//! | `formats` | the formats that the module looks into, one row each |
//! | `typed` | a document of any format with a reader as typed values, with fields by name |
//! | `fields` | the fields of documents by name |
//! | `json` | a document as a JSON object |
//! | `blanked` | texts of documents as scripts get them |
//! | `check` | what the NOTIFY path asks before it answers |
//! | `multipart` | the parts of a multipart body (RFC 2046 §5.1) |
//! | `mixed` | the one document of such a body |
//! | `list` | bodies that tell the states of a list's resources (RFC 4662 §5) |
//! | `rlmi` | the documents in them that name the resources |
//! | `presentity` | the structured presentity as values |
//! | `pidf` | the walk over a presence document (RFC 3863) |
//! | `presence` | a presence document read into it as a whole |
//! | `rpid` | persons, devices and rich presence (RFC 4479, RFC 4480) |
//! | `extension` | an unknown element as text that is complete by itself |
//! | `summary` | the one state and the one note of a presentity, and its other fields |
//! | `pidf_summary` | the same by a walk that takes nothing else |
//! | `dialog_info`, `reginfo`, `watcherinfo` | RFC 4235, RFC 3680 with RFC 5628, RFC 3858 as values |
//! | `message_summary` | RFC 3842 as values |
//! | `values` | how they take attributes and texts |
//! | `merge` | one whole document from those that tell what has changed |
//! | `pidf_diff` | the same for presence documents (RFC 5262) |
//! | `patch`, `locate`, `selector` | patch operations (RFC 5261), the places they are for, the selectors that name those |
//! | `rehome` | a document as the state of another user |
//! | `members` | the elements of such documents, by the attributes that name them |
//! | `write` | documents that the module writes itself |
//! | `version` | watcherinfo, reginfo and dialog-info: their place in the sequence of documents |
//! | `error` | the room's only error type |
//!
//! Every document passes `scan` before the reader walks over it. `scan` holds the caps (depth,
//! attributes and namespaces per element, number of nodes), so that the reader finds room for all
//! that is open and its look-ups stay short. No tree is built. The property tests hold both against
//! a parser of XML that builds one.
#![forbid(unsafe_code)]

mod blanked;
mod block;
mod bytes;
mod check;
mod content_type;
mod cursor;
mod dialog_info;
mod element;
mod encoding;
mod error;
mod extension;
mod fault;
mod fields;
mod formats;
mod json;
mod list;
mod locate;
mod members;
mod merge;
mod message_summary;
mod mixed;
mod multipart;
mod name;
mod namespaces;
mod patch;
mod pidf;
mod pidf_diff;
mod pidf_summary;
mod prescan;
mod presence;
mod presentity;
mod reader;
mod reginfo;
mod rehome;
mod rlmi;
mod root;
mod rpid;
mod scan;
mod selector;
mod shape;
mod shapes;
mod stand_alone;
mod summary;
mod tags;
#[cfg(test)]
mod tests;
mod typed;
mod usual;
mod values;
mod version;
mod watcherinfo;
mod write;

pub use blanked::blanked;
pub use check::{FILTER_XML, check_body, check_filter};
pub use content_type::ContentType;
pub use dialog_info::{DialogEntry, DialogIdentity, DialogInfo, DialogSide};
pub use fields::FIELDS;
pub use formats::PIDF_XML;
#[allow(unused_imports, reason = "for the consumers of lists")]
pub use list::{
    InstanceState, LIST_TYPES, ListHead, ListInstance, ListPart, ListResource, ListUpdate, ListedState, is_list,
};
pub use merge::{KeptDocument, MergedDocument, merge};
pub use message_summary::{MessageClass, MessageSummary};
pub use mixed::only_document;
#[cfg(test)]
pub use multipart::{Part, Parts};
pub use pidf_summary::PidfSummary;
pub use presentity::{Basic, Device, Extension, Note, Person, Presentity, Rpid, RpidElement, Tuple};
pub use reginfo::{RegInfo, RegisteredContact, Registration};
pub use rehome::{PublishedPackage, RehomeError, RehomedDocument};
pub use typed::{Document, FieldText};
pub use version::Version;
pub use watcherinfo::{Watcher, WatcherInfo, WatcherList};

/// The cap that tests hold the size of a body against, in bytes.
#[cfg(test)]
pub const MAX_DOCUMENT: usize = 256 * 1024;
