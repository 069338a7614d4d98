//! Elements, attributes and texts as XML 1.0.

/// The replacement of a character that no XML document can have.
const REPLACEMENT: char = '\u{FFFD}';

/// A document in the making. Names are the module's own; values and texts may be anybody's.
pub(super) struct XmlWriter {
    xml: String,
    /// Whether a start tag waits for its `>`.
    is_in_tag: bool,
}

impl XmlWriter {
    /// An empty document with its declaration.
    pub(super) fn new() -> Self {
        Self { xml: "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_owned(), is_in_tag: false }
    }

    /// Begins an element: attributes may follow.
    pub(super) fn start(&mut self, name: &str) {
        self.end_tag();
        self.xml.push('<');
        self.xml.push_str(name);
        self.is_in_tag = true;
    }

    /// An attribute of the element that has just begun.
    pub(super) fn attribute(&mut self, name: &str, value: &str) {
        self.xml.push(' ');
        self.xml.push_str(name);
        self.xml.push_str("=\"");
        self.escape(value);
        self.xml.push('"');
    }

    /// As [`attribute`](Self::attribute), if there is a value.
    pub(super) fn optional(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.attribute(name, value);
        }
    }

    /// A number as an attribute, if there is one.
    pub(super) fn number(&mut self, name: &str, value: Option<impl Into<u64>>) {
        if let Some(value) = value {
            self.attribute(name, &value.into().to_string());
        }
    }

    /// Text in the element that is open.
    pub(super) fn text(&mut self, text: &str) {
        self.end_tag();
        self.escape(text);
    }

    /// Ends the element with this name, which was begun last.
    pub(super) fn end(&mut self, name: &str) {
        if std::mem::take(&mut self.is_in_tag) {
            self.xml.push_str("/>");
        } else {
            self.xml.push_str("</");
            self.xml.push_str(name);
            self.xml.push('>');
        }
    }

    /// An element that holds nothing but a text.
    pub(super) fn leaf(&mut self, name: &str, text: &str) {
        self.start(name);
        self.text(text);
        self.end(name);
    }

    /// The document.
    pub(super) fn finish(self) -> String {
        self.xml
    }

    fn end_tag(&mut self) {
        if std::mem::take(&mut self.is_in_tag) {
            self.xml.push('>');
        }
    }

    /// A text between quotes or tags. White space is written as references, because readers change it in values (XML 1.0 §3.3.3).
    fn escape(&mut self, text: &str) {
        for each in text.chars() {
            match each {
                '&' => self.xml.push_str("&amp;"),
                '<' => self.xml.push_str("&lt;"),
                '>' => self.xml.push_str("&gt;"),
                '"' => self.xml.push_str("&quot;"),
                '\t' => self.xml.push_str("&#9;"),
                '\n' => self.xml.push_str("&#10;"),
                '\r' => self.xml.push_str("&#13;"),
                '\0'..='\x1F' | '\u{FFFE}' | '\u{FFFF}' => self.xml.push(REPLACEMENT),
                other => self.xml.push(other),
            }
        }
    }
}
