//! Pages as DocBook: what Markdown the pages use, and nothing else.

use std::fmt::Write as _;

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

/// Where a link of a page leads.
pub enum Target {
    /// An element of the book.
    Id(String),
    /// A page of the web.
    Url(String),
    /// Something that the book does not have: only the words stay.
    Nowhere,
}

/// What the text around a page decides.
pub trait Place {
    /// Where a link leads.
    fn target(&self, link: &str) -> Target;

    /// How the examples of this part are called; `None` where they have no title.
    fn example(&self) -> Option<String>;
}

pub fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// A text in quotes as the value of an attribute.
fn attribute(text: &str) -> String {
    escaped(text).replace('"', "&quot;")
}

/// The blocks below a heading as DocBook; the text has no headings.
pub fn blocks(text: &str, place: &impl Place) -> String {
    let mut writer = Writer { place, out: String::new(), ends: Vec::new(), loose: false };
    for event in Parser::new_ext(text, Options::ENABLE_TABLES) {
        writer.event(event);
    }
    writer.out
}

struct Writer<'p, P: Place> {
    place: &'p P,
    out: String,
    /// How the open links end.
    ends: Vec<&'static str>,
    /// Inside an item whose words are in no paragraph of their own.
    loose: bool,
}

impl<P: Place> Writer<'_, P> {
    fn put(&mut self, text: &str) {
        self.out += text;
    }

    /// Words of a tight list are in no paragraph, which DocBook wants.
    fn words(&mut self) {
        if self.out.ends_with("<listitem>") {
            self.put("<para>");
            self.loose = true;
        }
    }

    /// Before a block, and at the end of an item.
    fn close_words(&mut self) {
        if std::mem::take(&mut self.loose) {
            self.put("</para>\n");
        }
    }

    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Start(tag) => self.start(tag),
            Event::End(tag) => self.end(tag),
            Event::Text(text) => {
                self.words();
                self.put(&escaped(&text));
            }
            Event::Code(text) => {
                self.words();
                self.put(&format!("<literal>{}</literal>", escaped(&text)));
            }
            Event::SoftBreak | Event::HardBreak => self.put("\n"),
            other => panic!("the pages have no {other:?}"),
        }
    }

    fn start(&mut self, tag: Tag<'_>) {
        match tag {
            Tag::Paragraph => self.put("<para>"),
            Tag::List(first) => {
                self.close_words();
                self.put(match first {
                    None => "<itemizedlist>\n",
                    Some(1) => "<orderedlist>\n",
                    // A block between the steps divides them.
                    Some(_) => "<orderedlist continuation=\"continues\">\n",
                });
            }
            Tag::Item => self.put("<listitem>"),
            Tag::CodeBlock(CodeBlockKind::Fenced(_)) => {
                self.close_words();
                if let Some(title) = self.place.example() {
                    self.put(&format!("<example>\n<title>{title}</title>\n"));
                }
                self.put("<programlisting format=\"linespecific\">");
            }
            Tag::Table(columns) => {
                self.put(&format!("<informaltable frame=\"all\">\n<tgroup cols=\"{}\">\n", columns.len()))
            }
            Tag::TableHead => self.put("<thead>\n<row>\n"),
            Tag::TableRow => self.put("<row>\n"),
            Tag::TableCell => self.put("<entry>"),
            Tag::Emphasis => {
                self.words();
                self.put("<emphasis>");
            }
            Tag::Strong => {
                self.words();
                self.put("<emphasis role=\"bold\">");
            }
            Tag::Link { dest_url, .. } => {
                self.words();
                let end = match self.place.target(&dest_url) {
                    Target::Id(id) => {
                        self.put(&format!("<link linkend=\"{id}\">"));
                        "</link>"
                    }
                    Target::Url(url) => {
                        self.put(&format!("<ulink url=\"{}\">", attribute(&url)));
                        "</ulink>"
                    }
                    Target::Nowhere => "",
                };
                self.ends.push(end);
            }
            Tag::Image { dest_url, .. } => {
                let format = dest_url.rsplit('.').next().unwrap_or_default().to_uppercase();
                // All pictures are beside the book.
                let file = attribute(dest_url.rsplit('/').next().unwrap_or_default());
                let object = format!("<imageobject><imagedata fileref=\"{file}\" format=\"{format}\"/></imageobject>");
                self.put(&format!("<inlinemediaobject>{object}<textobject><phrase>"));
            }
            other => panic!("the pages have no {other:?}"),
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Paragraph => self.put("</para>\n"),
            TagEnd::List(is_ordered) => self.put(if is_ordered { "</orderedlist>\n" } else { "</itemizedlist>\n" }),
            TagEnd::Item => {
                self.close_words();
                self.put("</listitem>\n");
            }
            TagEnd::CodeBlock => {
                // As Kamailio's stylesheets do: the README has no empty line for it.
                self.out.truncate(self.out.trim_end().len());
                self.put("</programlisting>\n");
                if self.place.example().is_some() {
                    self.put("</example>\n");
                }
            }
            TagEnd::Table => self.put("</tbody>\n</tgroup>\n</informaltable>\n"),
            TagEnd::TableHead => self.put("</row>\n</thead>\n<tbody>\n"),
            TagEnd::TableRow => self.put("</row>\n"),
            TagEnd::TableCell => self.put("</entry>\n"),
            TagEnd::Emphasis | TagEnd::Strong => self.put("</emphasis>"),
            TagEnd::Link => {
                let end = self.ends.pop().unwrap_or_default();
                self.put(end);
            }
            TagEnd::Image => self.put("</phrase></textobject></inlinemediaobject>"),
            other => panic!("the pages have no {other:?}"),
        }
    }
}

/// The words of a heading as a title.
pub fn title(heading: &str) -> String {
    let mut title = String::new();
    for (n, part) in heading.split('`').enumerate() {
        let part = escaped(part);
        let _ = if n % 2 == 1 { write!(title, "<literal>{part}</literal>") } else { write!(title, "{part}") };
    }
    title
}
