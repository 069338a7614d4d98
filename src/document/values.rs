//! Values of elements, as the readers of formats take them.

use std::str::FromStr;

use super::element::Element;
use super::reader::Reader;
use crate::grammar;

/// An attribute without the white space around it.
pub(super) fn attribute(element: &Element<'_>, name: &str) -> Option<String> {
    element.attribute(name).map(|value| value.trim().to_owned())
}

/// A number in an attribute; none when it is anything else.
pub(super) fn number<N: FromStr>(element: &Element<'_>, name: &str) -> Option<N> {
    grammar::number(element.attribute(name)?.trim().as_bytes())
}

/// All text in an element, without the white space around it.
pub(super) fn text<'a>(reader: &mut Reader<'a>, element: &Element<'a>) -> String {
    reader.text(element).trim().to_owned()
}

/// Keeps the first value that is offered.
pub(super) fn first<T>(kept: &mut Option<T>, value: Option<T>) {
    if kept.is_none() {
        *kept = value;
    }
}
