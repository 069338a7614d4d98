//! Selectors of patch operations: the part of XPath that RFC 5261 §4.1 allows.
//!
//! Steps by name, by prefix and name, or `*`; predicates by position, attribute, text of a child or of the element itself; at the end
//! an attribute, a namespace or a text. Not read: `id()`, comments and processing instructions.

use arrayvec::ArrayVec;

/// The most steps of a selector.
const MOST_STEPS: usize = 16;

/// The most predicates of one step.
pub(super) const MOST_PREDICATES: usize = 4;

/// What a patch operation is about.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Selector {
    /// From the root element on.
    pub(super) steps: ArrayVec<SelectorStep, MOST_STEPS>,
    pub(super) subject: PatchSubject,
}

/// Elements that match a name, if there is one, and all predicates.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct SelectorStep {
    pub(super) name: Option<ExpandedName>,
    pub(super) predicates: ArrayVec<Predicate, MOST_PREDICATES>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Predicate {
    /// The n-th of those that match so far, from 1.
    Position(usize),
    Attribute(ExpandedName, String),
    /// A child says this.
    Child(ExpandedName, String),
    /// The element itself says this.
    Own(String),
}

/// What of the element that the steps lead to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum PatchSubject {
    Element,
    Attribute(ExpandedName),
    /// The declaration of a prefix.
    Namespace(String),
    /// The n-th of its texts, or its only one.
    Text(Option<usize>),
}

/// A local name in a namespace; an empty one is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ExpandedName {
    pub(super) namespace: String,
    pub(super) local: String,
}

/// Finds the namespace of a prefix, or the default one.
pub(super) type Scope<'s> = &'s dyn Fn(&str) -> Option<String>;

impl Selector {
    /// Reads a selector, whose prefixes are those in scope where it is written.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn parse(text: &str, scope: Scope<'_>) -> Result<Self, &'static str> {
        let text = text.trim();
        let mut selector = Self { steps: ArrayVec::new(), subject: PatchSubject::Element };
        let mut rest = Some(text.strip_prefix('/').unwrap_or(text));
        while let Some(path) = rest {
            let (step, after) = split_outside(path, '/');
            rest = after;
            let step = step.trim();
            match (PatchSubject::parse(step, scope)?, rest) {
                (Some(subject), None) => selector.subject = subject,
                (Some(_), Some(_)) => return Err("a step follows what has none"),
                (None, _) => {
                    let step = SelectorStep::parse(step, scope)?;
                    selector.steps.try_push(step).map_err(|_| "too many steps")?;
                }
            }
        }
        if selector.steps.is_empty() { Err("no step leads to an element") } else { Ok(selector) }
    }
}

impl PatchSubject {
    /// None when the step is one to an element.
    pub(super) fn parse(step: &str, scope: Scope<'_>) -> Result<Option<Self>, &'static str> {
        if let Some(name) = step.strip_prefix('@') {
            return ExpandedName::of_attribute(name, scope).map(Self::Attribute).map(Some);
        }
        if let Some(prefix) = step.strip_prefix("namespace::") {
            return if is_name(prefix) { Ok(Some(Self::Namespace(prefix.to_owned()))) } else { Err("not a prefix") };
        }
        let Some(after) = step.strip_prefix("text()") else { return Ok(None) };
        let after = after.trim();
        if after.is_empty() {
            return Ok(Some(Self::Text(None)));
        }
        let position = after.strip_prefix('[').and_then(|after| after.strip_suffix(']'));
        let position = position.and_then(|inside| inside.trim().parse().ok()).filter(|position| *position > 0);
        position.map(|position| Some(Self::Text(Some(position)))).ok_or("text() can only have a position")
    }
}

impl SelectorStep {
    fn parse(step: &str, scope: Scope<'_>) -> Result<Self, &'static str> {
        let (name, mut rest) = match step.split_once('[') {
            Some((name, rest)) => (name, Some(rest)),
            None => (step, None),
        };
        let name = match name.trim() {
            "*" => None,
            name => Some(ExpandedName::of_element(name, scope)?),
        };
        let mut predicates = ArrayVec::new();
        while let Some(predicate) = rest {
            let (inside, after) = split_outside(predicate, ']');
            let after = after.ok_or("a predicate is not closed")?.trim();
            predicates.try_push(Predicate::parse(inside.trim(), scope)?).map_err(|_| "too many predicates")?;
            rest =
                if after.is_empty() { None } else { Some(after.strip_prefix('[').ok_or("text behind a predicate")?) };
        }
        Ok(Self { name, predicates })
    }
}

impl Predicate {
    fn parse(inside: &str, scope: Scope<'_>) -> Result<Self, &'static str> {
        if let Ok(position) = inside.parse() {
            return if position > 0 { Ok(Self::Position(position)) } else { Err("positions count from 1") };
        }
        let (name, value) = inside.split_once('=').ok_or("not a predicate")?;
        let (name, value) = (name.trim(), value.trim());
        let quoted = |quote| value.strip_prefix(quote)?.strip_suffix(quote).filter(|value| !value.contains(quote));
        let value = quoted('\'').or_else(|| quoted('"')).ok_or("a value is not quoted")?.to_owned();
        match name.strip_prefix('@') {
            Some(name) => Ok(Self::Attribute(ExpandedName::of_attribute(name, scope)?, value)),
            None if name == "." => Ok(Self::Own(value)),
            None => Ok(Self::Child(ExpandedName::of_element(name, scope)?, value)),
        }
    }
}

impl ExpandedName {
    /// Without a prefix it is in the default namespace.
    fn of_element(name: &str, scope: Scope<'_>) -> Result<Self, &'static str> {
        let (prefix, local) = name.split_once(':').unwrap_or(("", name));
        Self::of(prefix, local, scope)
    }

    /// Without a prefix it is in none.
    pub(super) fn of_attribute(name: &str, scope: Scope<'_>) -> Result<Self, &'static str> {
        match name.split_once(':') {
            Some((prefix, local)) => Self::of(prefix, local, scope),
            None => Self::of("", name, &|_| None),
        }
    }

    fn of(prefix: &str, local: &str, scope: Scope<'_>) -> Result<Self, &'static str> {
        if !is_name(local) {
            return Err("not a name");
        }
        let namespace = scope(prefix).or_else(|| prefix.is_empty().then(String::new));
        let namespace = namespace.ok_or("a prefix is not declared")?;
        Ok(Self { namespace, local: local.to_owned() })
    }
}

/// Splits at the first `mark` that is in no quotes and, unless it closes them, in no brackets.
fn split_outside(text: &str, mark: char) -> (&str, Option<&str>) {
    let (mut quote, mut depth) = (None, 0_usize);
    for (at, each) in text.char_indices() {
        match each {
            _ if quote.is_some() => quote = quote.filter(|quote| *quote != each),
            '\'' | '"' => quote = Some(each),
            _ if each == mark && depth == 0 => {
                return (text.get(..at).unwrap_or_default(), text.get(at + mark.len_utf8()..));
            }
            '[' => depth += 1,
            ']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    (text, None)
}

/// Whether it can be a name without a colon; what is none matches nothing, and is written nowhere.
fn is_name(text: &str) -> bool {
    let is_part = |each: char| each.is_alphanumeric() || matches!(each, '_' | '-' | '.' | '\u{B7}');
    text.starts_with(|first: char| first.is_alphabetic() || first == '_') && text.chars().all(is_part)
}
