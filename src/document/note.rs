//! Notes and other text of a presence document's tree.

use roxmltree::Node;

use super::presentity::Note;

const XML_NAMESPACE: &str = "http://www.w3.org/XML/1998/namespace";

impl Note {
    /// Reads a `note` element.
    pub(super) fn read(node: Node<'_, '_>) -> Self {
        Self { lang: node.attribute((XML_NAMESPACE, "lang")).map(str::to_owned), text: text_of(node) }
    }
}

/// The notes of a person: its own ones, then those of its elements, such as the rpid activities
/// (RFC 4479 §3.2, RFC 4480 §3.2). Whose namespace they are in does not matter.
pub(super) fn notes_of_person(person: Node<'_, '_>) -> Vec<Note> {
    if person.tag_name().name() != "person" {
        return Vec::new();
    }
    let is_note = |node: &Node<'_, '_>| node.is_element() && node.tag_name().name() == "note";
    let own = person.children().filter(is_note);
    let others = person.children().filter(|node| !is_note(node));
    own.chain(others.flat_map(|node| node.children().filter(is_note))).map(Note::read).collect()
}

/// All text inside an element; comments and tags in between leave no trace.
pub(super) fn text_of(node: Node<'_, '_>) -> String {
    node.descendants().filter(Node::is_text).filter_map(|text| text.text()).collect()
}
