//! Patch operations on a document (RFC 5261 §4): `add`, `replace` and `remove`.
//!
//! Each operation reads the document once and changes one place in it.

use super::element::{Element, value};
use super::locate::{Place, locate};
use super::reader::{Reader, XmlEvent};
use super::selector::{ExpandedName, PatchSubject, Selector};
use super::stand_alone::StandAlone;

/// A node that an operation brings.
enum PatchNode<'a> {
    Element(StandAlone<'a>),
    Text(String),
}

/// Carries out an operation that has just started, and reads it to its end. `document` begins with its root element. `left` is how many bytes
/// predicates may still look at.
///
/// # Errors
/// What is wrong with the operation; then the document has not changed. Whether it is well-formed with the operation, a check of the whole
/// has to say.
pub(super) fn apply<'a>(
    document: &mut String,
    reader: &mut Reader<'a>,
    operation: &Element<'a>,
    left: &mut usize,
) -> Result<(), &'static str> {
    let in_scope = reader.in_scope().to_vec();
    let scope = |prefix: &str| {
        let declared = in_scope.iter().rev().find(|each| each.prefix() == prefix);
        declared.map(|each| value(each.namespace).into_owned())
    };
    let selector = operation.attribute("sel").ok_or("it has no selector")?;
    let selector = Selector::parse(&selector, &scope)?;
    let place = locate(&mut Reader::of_root(document), document, &selector, left)?;
    let is_element = selector.subject == PatchSubject::Element;
    match operation.local() {
        "add" if !is_element => Err("only to an element something can be added"),
        "add" => match operation.attribute("type") {
            None => add_nodes(document, &place, operation.attribute("pos").as_deref(), &nodes(reader, operation)),
            Some(kind) => {
                let kind = (PatchSubject::parse(kind.trim(), &scope)?, kind.trim().trim_start_matches('@'));
                add_attribute(document, &place, kind, &reader.text(operation))
            }
        },
        "replace" if is_element => replace_element(document, &place, &nodes(reader, operation)),
        "replace" => {
            let text = reader.text(operation);
            replace_text(document, &place, matches!(selector.subject, PatchSubject::Text(_)), &text);
            Ok(())
        }
        "remove" => {
            remove(document, &place, &selector.subject, operation.attribute("ws").as_deref());
            Ok(())
        }
        _ => Err("it is not add, replace or remove"),
    }
}

fn nodes<'a>(reader: &mut Reader<'a>, operation: &Element<'a>) -> Vec<PatchNode<'a>> {
    let mut nodes = Vec::new();
    loop {
        match reader.next() {
            Some(XmlEvent::Start(element)) => nodes.push(PatchNode::Element(StandAlone::read(reader, &element))),
            Some(XmlEvent::Text(text)) => nodes.push(PatchNode::Text(text.to_owned())),
            Some(XmlEvent::Verbatim(text)) => nodes.push(PatchNode::Text(escaped(text))),
            Some(XmlEvent::End) | None => break,
        }
    }
    reader.skip(operation);
    nodes
}

fn written(nodes: &[PatchNode<'_>], default: &str) -> String {
    let mut xml = String::new();
    for node in nodes {
        match node {
            PatchNode::Element(element) => element.write(&mut xml, default.as_bytes()),
            PatchNode::Text(text) => xml.push_str(text),
        }
    }
    xml
}

fn add_nodes(
    document: &mut String,
    place: &Place,
    at: Option<&str>,
    nodes: &[PatchNode<'_>],
) -> Result<(), &'static str> {
    let is_inside = match at.map(str::trim) {
        None | Some("prepend") => true,
        Some("before" | "after") => false,
        Some(_) => return Err("its position is not prepend, before or after"),
    };
    let mut xml = written(nodes, if is_inside { &place.inside } else { &place.around });
    let tag = document.get(place.tag.clone()).unwrap_or_default();
    let whole = document.get(place.element.clone()).unwrap_or_default();
    let place = if is_inside && tag.ends_with("/>") {
        xml = [">", xml.as_str(), "</", place.name.as_str(), ">"].concat();
        place.tag.end - "/>".len()..place.tag.end
    } else {
        let before_end_tag = || place.element.start + whole.rfind("</").unwrap_or_default();
        let at = match at.map(str::trim) {
            Some("prepend") => place.tag.end,
            Some("before") => place.element.start,
            Some(_) => place.element.end,
            None => before_end_tag(),
        };
        at..at
    };
    document.replace_range(place, &xml);
    Ok(())
}

/// Adds an attribute or the declaration of a prefix; `kind` is what the operation says of it, and its name as written there.
fn add_attribute(
    document: &mut String,
    place: &Place,
    (kind, named): (Option<PatchSubject>, &str),
    text: &str,
) -> Result<(), &'static str> {
    let name = match kind {
        Some(PatchSubject::Attribute(name)) if name.namespace.is_empty() => name.local,
        Some(PatchSubject::Attribute(name)) => prefixed(place, &name, named)?,
        Some(PatchSubject::Namespace(prefix)) => format!("xmlns:{prefix}"),
        Some(PatchSubject::Element | PatchSubject::Text(_)) | None => {
            return Err("its type is not an attribute or a namespace");
        }
    };
    let behind_name = place.element.start + 1 + place.name.len();
    document.insert_str(behind_name, &format!(" {name}=\"{}\"", escaped(text.trim())));
    Ok(())
}

/// The name of an attribute with a prefix that means its namespace at the place; declared there if that has none.
fn prefixed(place: &Place, name: &ExpandedName, named: &str) -> Result<String, &'static str> {
    let declared = |prefix: &str| place.prefixes.iter().rev().find(|each| each.0 == prefix);
    let fits = |(prefix, namespace): &&(String, String)| {
        *namespace == name.namespace && declared(prefix).is_some_and(|each| each.1 == name.namespace)
    };
    if let Some((prefix, _)) = place.prefixes.iter().find(fits) {
        return Ok(format!("{prefix}:{}", name.local));
    }
    let prefix = named.split_once(':').map_or("", |(prefix, _)| prefix);
    if prefix == "xml" {
        return Ok(named.to_owned());
    }
    if declared(prefix).is_some() {
        return Err("its prefix means something else there");
    }
    Ok(format!("xmlns:{prefix}=\"{}\" {named}", escaped(&name.namespace)))
}

fn replace_element(document: &mut String, place: &Place, nodes: &[PatchNode<'_>]) -> Result<(), &'static str> {
    let mut elements = nodes.iter().filter_map(|node| match node {
        PatchNode::Element(element) => Some(element),
        PatchNode::Text(_) => None,
    });
    let (Some(element), None) = (elements.next(), elements.next()) else {
        return Err("an element is replaced by one element");
    };
    let mut xml = String::new();
    element.write(&mut xml, place.around.as_bytes());
    document.replace_range(place.subject.clone(), &xml);
    Ok(())
}

/// Replaces a text, or the value of an attribute.
fn replace_text(document: &mut String, place: &Place, is_text: bool, text: &str) {
    let before = document.get(place.subject.clone()).unwrap_or_default();
    let text = if is_text {
        escaped(text)
    } else {
        let name = before.split(['=', ' ', '\t', '\r', '\n']).next().unwrap_or_default();
        format!("{name}=\"{}\"", escaped(text.trim()))
    };
    document.replace_range(place.subject.clone(), &text);
}

fn remove(document: &mut String, place: &Place, subject: &PatchSubject, space: Option<&str>) {
    let (mut start, mut end) = (place.subject.start, place.subject.end);
    let blank = [' ', '\t', '\r', '\n'];
    let before = document.get(..start).unwrap_or_default().trim_end_matches(blank);
    let after = document.get(end..).unwrap_or_default().trim_start_matches(blank);
    if matches!(subject, PatchSubject::Attribute(_) | PatchSubject::Namespace(_)) {
        start = before.len();
    } else if *subject == PatchSubject::Element {
        // White space next to it that is all of a text.
        if matches!(space, Some("before" | "both")) && before.ends_with('>') {
            start = before.len();
        }
        if matches!(space, Some("after" | "both")) && after.starts_with('<') {
            end = document.len() - after.len();
        }
    }
    document.replace_range(start..end, "");
}

/// A text as it can be written in an element, and in a value between double quotes (XML 1.0 §2.4, §3.3.3).
fn escaped(text: &str) -> String {
    let mut xml = String::with_capacity(text.len());
    for each in text.chars() {
        match each {
            '&' => xml.push_str("&amp;"),
            '<' => xml.push_str("&lt;"),
            '>' => xml.push_str("&gt;"),
            '"' => xml.push_str("&quot;"),
            '\r' => xml.push_str("&#13;"),
            other => xml.push(other),
        }
    }
    xml
}
