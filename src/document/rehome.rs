//! A document as the state of another user: the URI that it is about is replaced, and all else stays as it is, byte for byte.
//!
//! Doing so twice gives the same document. A state that comes back in a circle of servers is recognised by that.

use super::check::check_size;
use super::content_type::ContentType;
use super::cursor::attributes;
use super::error::DocumentError;
use super::formats::{DIALOG_INFO, Format, PIDF_XML};
use super::merge::DECLARATION;
use super::message_summary::MESSAGE_SUMMARY;
use super::reader::Reader;
use super::scan::RootElement;
use super::stand_alone::StandAlone;

/// A package whose states can be those of another user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PublishedPackage {
    /// `presence`: PIDF.
    Presence,
    /// `dialog`: dialog-info.
    Dialog,
    /// `message-summary`: lines of text.
    MessageSummary,
}

/// Why a document cannot be published.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RehomeError {
    /// A document that cannot be read.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// Another kind of document.
    #[error("its Content-Type is not {0}")]
    Type(&'static str),
    /// What watchers would get is another document with the other states of the user, which needs the names.
    #[error("a {0} in it has no id")]
    NoId(&'static str),
    /// As above; a state that has been published by itself again and again in a circle of servers looks like this.
    #[error("the dialog {0} is in it twice: two servers publish each other's states of one user")]
    Twice(String),
    /// A zero byte.
    #[error("it has a zero byte")]
    Zero,
}

/// A document with the URI of its new user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RehomedDocument {
    /// The document.
    pub document: Vec<u8>,
    /// The same without what differs in each copy of it, its version.
    pub meaning: Vec<u8>,
}

impl RehomedDocument {
    /// One that is written for its user.
    #[must_use]
    pub fn of(document: Vec<u8>) -> Self {
        Self { meaning: document.clone(), document }
    }
}

impl PublishedPackage {
    /// The package with this name.
    #[must_use]
    pub fn find(name: &str) -> Option<Self> {
        [Self::Presence, Self::Dialog, Self::MessageSummary].into_iter().find(|package| package.name() == name)
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Presence => "presence",
            Self::Dialog => "dialog",
            Self::MessageSummary => "message-summary",
        }
    }

    /// The media type of its documents.
    fn media_type(self) -> &'static str {
        match self {
            Self::Presence => PIDF_XML,
            Self::Dialog => "application/dialog-info+xml",
            Self::MessageSummary => MESSAGE_SUMMARY,
        }
    }

    /// The document that came with this Content-Type as the state of `uri`, in UTF-8.
    ///
    /// # Errors
    /// [`RehomeError`]: no document of the package, or one that the modules behind could not use.
    pub fn rehome(
        self,
        content_type: &[u8],
        body: &[u8],
        uri: &str,
        max_bytes: usize,
    ) -> Result<RehomedDocument, RehomeError> {
        check_size(body, max_bytes)?;
        let content_type = ContentType::parse(content_type)?;
        if !content_type.is(self.media_type()) {
            return Err(RehomeError::Type(self.media_type()));
        }
        let text = content_type.text_of(body)?;
        if text.contains('\0') {
            return Err(RehomeError::Zero);
        }
        let Some(format) = Format::find(&content_type).and_then(Format::xml) else {
            let whole = std::str::from_utf8(body).ok().filter(|_| content_type.utf8_of(body).is_some());
            let text = whole.map_or(text, |whole| whole.trim_end_matches('\0').into());
            let document = with_account(&text, uri).into_bytes();
            return Ok(RehomedDocument::of(document));
        };
        let root = format.check(&text)?;
        self.check_names(&text, &root)?;
        let head = if says_utf8(&text) { text.get(..root.tag).unwrap_or_default() } else { DECLARATION };
        let element = text.get(root.tag..).unwrap_or_default();
        let mut document = with_entity(element, uri, root.name.whole.len());
        if self == Self::Dialog {
            document = with_namespaces(&document, max_bytes)?;
        }
        let meaning = without_version(&document).into_bytes();
        Ok(RehomedDocument { document: [head, &document].concat().into_bytes(), meaning })
    }

    /// Looks at the names of what the document lists.
    fn check_names(self, text: &str, root: &RootElement<'_>) -> Result<(), RehomeError> {
        let mut reader = Reader::new(text, root);
        let Some(root) = reader.root() else { return Ok(()) };
        let mut names = Vec::new();
        while let Some(child) = reader.child(&root) {
            let local = child.local();
            let id = child.attribute("id").filter(|id| !id.is_empty());
            match self {
                // A merge only looks at the name, in any case.
                Self::Presence if local.eq_ignore_ascii_case("tuple") && id.is_none() => {
                    return Err(RehomeError::NoId("tuple"));
                }
                Self::Dialog if local.eq_ignore_ascii_case("dialog") => names.extend(id),
                Self::Presence | Self::Dialog | Self::MessageSummary => {}
            }
        }
        names.sort_unstable();
        match names.windows(2).find_map(|pair| (pair.first() == pair.last()).then(|| pair.first()).flatten()) {
            Some(twice) => Err(RehomeError::Twice(super::error::shown(twice, 64))),
            None => Ok(()),
        }
    }

    /// A document that says that nothing is known of the user: no basic status, no dialogs, no messages.
    #[must_use]
    pub fn unknown(self, uri: &str) -> Vec<u8> {
        match self {
            Self::Presence => presence(uri, ""),
            Self::Dialog => no_dialogs(uri),
            Self::MessageSummary => no_messages(uri),
        }
    }

    /// A document without a state. The presence server makes the last one from it.
    #[must_use]
    pub fn ended(self, uri: &str) -> Vec<u8> {
        match self {
            Self::Presence => {
                presence(uri, "<tuple id=\"presence_b2b\"><status><basic>closed</basic></status></tuple>")
            }
            Self::Dialog => no_dialogs(uri),
            Self::MessageSummary => no_messages(uri),
        }
    }
}

fn presence(uri: &str, tuples: &str) -> Vec<u8> {
    let entity = escaped(uri);
    format!("{DECLARATION}<presence xmlns=\"urn:ietf:params:xml:ns:pidf\" entity=\"{entity}\">{tuples}</presence>")
        .into_bytes()
}

fn no_dialogs(uri: &str) -> Vec<u8> {
    let entity = escaped(uri);
    format!(
        "{DECLARATION}<dialog-info xmlns=\"urn:ietf:params:xml:ns:dialog-info\" version=\"0\" state=\"full\" \
         entity=\"{entity}\"></dialog-info>"
    )
    .into_bytes()
}

fn no_messages(uri: &str) -> Vec<u8> {
    format!("Messages-Waiting: no\r\nMessage-Account: {uri}\r\n").into_bytes()
}

/// Whether a document, which is in UTF-8, says nothing else of itself.
fn says_utf8(text: &str) -> bool {
    let declaration = text.split_once("?>").filter(|(head, _)| head.starts_with("<?xml"));
    declaration.is_none_or(|(head, _)| {
        let head = head.to_ascii_lowercase();
        !head.contains("encoding") || head.contains("utf-8")
    })
}

/// A document, which begins with its root element, with another `entity`.
fn with_entity(element: &str, uri: &str, name_len: usize) -> String {
    let entity = escaped(uri);
    match attributes(element.as_bytes()).find(|each| each.name.whole == b"entity") {
        Some(found) => replaced(element, found.offset, found.value.len(), &entity),
        None => {
            let (name, rest) = element.split_at_checked(name_len + 1).unwrap_or((element, ""));
            format!("{name} entity=\"{entity}\"{rest}")
        }
    }
}

/// A document of dialogs in which each one declares the namespaces that it uses: the presence server moves it into another document, and
/// leaves the root's declarations behind. Nothing of what uses none changes.
fn with_namespaces(document: &str, max_bytes: usize) -> Result<String, DocumentError> {
    let mut reader = Reader::of_root(document);
    let Some(root) = reader.root() else { return Ok(document.to_owned()) };
    // One without a namespace is taken for the usual one.
    let inside = if root.namespace.is_empty() { "" } else { DIALOG_INFO };
    let limit = max_bytes.max(document.len());
    let (mut whole, mut done) = (String::with_capacity(document.len()), 0);
    while let Some(child) = reader.child(&root) {
        whole.push_str(document.get(done..child.start).unwrap_or_default());
        StandAlone::read(&mut reader, &child).write(&mut whole, inside.as_bytes());
        done = reader.offset();
        check_size(whole.as_bytes(), limit)?;
    }
    whole.push_str(document.get(done..).unwrap_or_default());
    Ok(whole)
}

/// The same with an empty `version`, if it has one.
fn without_version(element: &str) -> String {
    match attributes(element.as_bytes()).find(|each| each.name.whole == b"version") {
        Some(found) => replaced(element, found.offset, found.value.len(), ""),
        None => element.to_owned(),
    }
}

/// With another value, of any text for both quotes, in place of one of `len` bytes of the attribute at `offset`.
fn replaced(element: &str, offset: usize, len: usize, value: &str) -> String {
    let opens = |rest: &str| rest.find(['"', '\'']).map(|quote| offset + quote + 1);
    let at = element.get(offset..).and_then(opens).unwrap_or(element.len());
    let parts = element.get(..at).zip(element.get(at + len..));
    parts.map_or_else(|| element.to_owned(), |(before, after)| [before, value, after].concat())
}

/// A URI as a value between quotes of either kind.
fn escaped(uri: &str) -> String {
    uri.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;").replace('\'', "&apos;")
}

/// A text of lines with another account, if it names one.
fn with_account(text: &str, uri: &str) -> String {
    let (mut is_account, mut is_over, mut is_begun) = (false, false, false);
    let mut document = String::with_capacity(text.len() + uri.len());
    for line in text.split_inclusive('\n') {
        // Headers of messages follow behind an empty line.
        is_over |= is_begun && line.trim().is_empty();
        is_begun |= !line.trim().is_empty();
        // Folded lines of the account's header go with it.
        if is_account && !is_over && line.starts_with([' ', '\t']) {
            continue;
        }
        let name = line.split_once(':').map_or("", |(name, _)| name.trim());
        is_account = !is_over && name.eq_ignore_ascii_case("Message-Account");
        if is_account {
            let end = if line.ends_with("\r\n") || !line.ends_with('\n') { "\r\n" } else { "\n" };
            let before = line.split_once(':').map_or("", |(before, _)| before);
            document.push_str(&format!("{before}: {uri}{end}"));
        } else {
            document.push_str(line);
        }
    }
    document
}
