//! Waiting messages (RFC 3842): a few lines of plain text.
//!
//! Lenient in what it takes: names and `yes` in any case, lines that end with CRLF or LF alone, folded lines, white space around the colon,
//! and lines in any order. A line that says nothing is skipped; counts may be missing from the end on. Linear in the length of the text.

use super::typed::{FieldText, NamedValues};
use crate::grammar::delta_seconds;

/// The media type of these documents (RFC 3842 §3).
pub(super) const MESSAGE_SUMMARY: &str = "application/simple-message-summary";

/// The most lines that are taken; further ones are skipped.
const MOST_LINES: usize = 1024;

/// What is known of an account's messages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MessageSummary {
    /// `Messages-Waiting`, if it says `yes` or `no`.
    pub waiting: Option<bool>,
    /// `Message-Account`: a URI.
    pub account: Option<String>,
    /// The counts, in the order of their lines.
    pub classes: Vec<MessageClass>,
    /// The headers of new messages, name and value: those of each message behind an empty line.
    pub messages: Vec<Vec<(String, String)>>,
}

/// The messages of one class (RFC 3458 §6.2), such as `voice-message`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MessageClass {
    /// Its name in lower case.
    pub name: String,
    /// New messages. A count that is missing or no number is none; one beyond 32 bits is the largest.
    pub new: Option<u32>,
    /// Old messages.
    pub old: Option<u32>,
    /// New messages that are urgent.
    pub urgent_new: Option<u32>,
    /// Old messages that are urgent.
    pub urgent_old: Option<u32>,
}

impl MessageSummary {
    /// Reads a text.
    pub(super) fn read(text: &str) -> Self {
        let mut summary = Self::default();
        // Empty lines in front of everything part nothing.
        for line in unfolded(text.trim_start()).take(MOST_LINES) {
            let pair = line.split_once(':').map(|(name, value)| (name.trim(), value.trim()));
            match (pair, summary.messages.last_mut()) {
                (None, _) if line.trim().is_empty() => summary.messages.push(Vec::new()),
                (None, _) => {}
                (Some((name, value)), Some(message)) => message.push((name.to_owned(), value.to_owned())),
                (Some((name, value)), None) => summary.take(name, value),
            }
        }
        summary.messages.retain(|message| !message.is_empty());
        summary
    }

    /// Takes a line; the first of its name counts.
    fn take(&mut self, name: &str, value: &str) {
        if name.eq_ignore_ascii_case("Messages-Waiting") {
            self.waiting = self.waiting.or_else(|| yes_or_no(value));
        } else if name.eq_ignore_ascii_case("Message-Account") {
            if self.account.is_none() && !value.is_empty() {
                self.account = Some(value.to_owned());
            }
        } else if let Some(class) = MessageClass::read(name, value)
            && !self.classes.iter().any(|known| known.name == class.name)
        {
            self.classes.push(class);
        }
    }

    /// Whether messages wait. If the document does not say so, new ones do.
    #[must_use]
    pub fn is_waiting(&self) -> Option<bool> {
        let counts: Vec<u32> = self.classes.iter().filter_map(|class| class.new).collect();
        let counted = || (!counts.is_empty()).then(|| counts.iter().any(|count| *count > 0));
        self.waiting.or_else(counted)
    }

    /// A count by its field, such as `voice_urgent_new`.
    fn counted(&self, field: &str) -> Option<u32> {
        let (short, count) = field.split_once('_')?;
        let is_named = |class: &&MessageClass| class.name.strip_suffix("-message").unwrap_or(&class.name) == short;
        let class = self.classes.iter().find(is_named)?;
        match count {
            "new" => class.new,
            "old" => class.old,
            "urgent_new" => class.urgent_new,
            "urgent_old" => class.urgent_old,
            _ => None,
        }
    }
}

impl MessageClass {
    /// Reads `2/8 (0/2)`; none when there is no count at all.
    fn read(name: &str, value: &str) -> Option<Self> {
        let (all, urgent) = value.split_once('(').unwrap_or((value, ""));
        let (new, old) = pair(all);
        let (urgent_new, urgent_old) = pair(urgent.split_once(')').map_or(urgent, |(inside, _)| inside));
        let is_counted = new.is_some() || old.is_some();
        is_counted.then(|| Self { name: name.to_ascii_lowercase(), new, old, urgent_new, urgent_old })
    }
}

fn pair(counts: &str) -> (Option<u32>, Option<u32>) {
    let (new, old) = counts.split_once('/').unwrap_or((counts, ""));
    let count = |text: &str| delta_seconds(text.trim().as_bytes());
    (count(new), count(old))
}

fn yes_or_no(value: &str) -> Option<bool> {
    let is = |word: &str| value.eq_ignore_ascii_case(word);
    (is("yes") || is("no")).then(|| is("yes"))
}

/// Lines, each with those that go on with it (RFC 3261 §7.3.1).
fn unfolded(text: &str) -> impl Iterator<Item = String> {
    let mut lines = text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line)).peekable();
    std::iter::from_fn(move || {
        let mut line = lines.next()?.to_owned();
        while let Some(more) = lines.next_if(|next| next.starts_with([' ', '\t']) && !next.trim().is_empty()) {
            line.push(' ');
            line.push_str(more.trim());
        }
        Some(line)
    })
}

impl NamedValues for MessageSummary {
    fn value(&self, field: &str, index: Option<usize>) -> Option<FieldText<'_>> {
        if index.unwrap_or_default() > 0 {
            return None;
        }
        match field {
            "waiting" => self.is_waiting().map(|waiting| FieldText::text(if waiting { "yes" } else { "no" })),
            "account" => self.account.as_deref().map(FieldText::text),
            _ => self.counted(field).map(FieldText::number),
        }
    }

    fn count(&self, field: &str) -> usize {
        usize::from(self.value(field, None).is_some())
    }
}
