//! The book: which pages it has, in the order of Kamailio's module books, and what its elements are called.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::markdown::{Place, Target, blocks, escaped, title};

pub const MODULE: &str = "presence_b2b";

/// The public identifier of the books in Kamailio's tree.
const DOCTYPE: &str = "-//OASIS//DTD DocBook XML V4.4//EN";
const DTD: &str = "http://www.oasis-open.org/docbook/xml/4.4/docbookx.dtd";

/// A page of the book.
struct Page {
    file: Cow<'static, str>,
    /// In place of its own heading.
    title: Option<&'static str>,
    /// Its parts; none: all of it.
    parts: &'static [&'static str],
}

const fn page(file: &'static str) -> Page {
    Page { file: Cow::Borrowed(file), title: None, parts: &[] }
}

/// The beginning of the admin guide. The other pages of `docs` follow by name.
const ADMIN: [Page; 24] = [
    page("docs/overview.md"),
    page("docs/quick-start.md"),
    page("docs/concepts.md"),
    page("docs/dependencies.md"),
    page("docs/parameters.md"),
    page("docs/functions.md"),
    Page { file: Cow::Borrowed("docs/rpc.md"), title: Some("RPC Commands"), parts: &[] },
    page("docs/event-routes.md"),
    page("docs/pseudo-variables.md"),
    page("docs/statistics.md"),
    page("docs/states.md"),
    page("docs/options.md"),
    page("docs/lists.md"),
    page("docs/local-users.md"),
    page("docs/publishing.md"),
    page("docs/provisioning.md"),
    page("docs/database.md"),
    page("docs/unsolicited.md"),
    page("docs/authentication.md"),
    page("docs/json.md"),
    page("docs/operations.md"),
    page("docs/b2b-top.md"),
    page("docs/troubleshooting.md"),
    page("docs/migration.md"),
];

/// Its end.
const INSTALLATION: Page = Page {
    file: Cow::Borrowed("README.md"),
    title: Some("Installation"),
    parts: &["Install", "A complete configuration", "A busy lamp", "Limits"],
};

/// The developer guide.
const DEVEL: [Page; 1] = [page("docs/c-api.md")];

/// Pages that are not for users of the module, or are too large for a README.
pub const OUT: [&str; 5] =
    ["docs/architecture.md", "docs/conformance.md", "docs/performance.md", "docs/safety.md", "docs/where-to-put-it.md"];

/// All pages of the admin guide.
fn admin(root: &Path) -> Vec<Page> {
    let entries = fs::read_dir(root.join("docs")).expect("the pages");
    let names = entries.map(|entry| format!("docs/{}", entry.expect("a page").file_name().to_string_lossy()));
    let is_other = |name: &String| {
        name.ends_with(".md")
            && !OUT.contains(&name.as_str())
            && !ADMIN.iter().chain(&DEVEL).any(|page| page.file == name.as_str())
    };
    let mut others: Vec<String> = names.filter(is_other).collect();
    others.sort();
    let others = others.into_iter().map(|name| Page { file: Cow::Owned(name), title: None, parts: &[] });
    ADMIN.into_iter().chain(others).chain([INSTALLATION]).collect()
}

/// The pictures that the pages show.
pub fn pictures(root: &Path) -> Vec<PathBuf> {
    let mut pictures = Vec::new();
    for page in admin(root).iter().chain(&DEVEL) {
        let folder = root.join(page.file.as_ref());
        let text: String = chosen(root, page).into_iter().map(|part| part.text).collect();
        for link in text.split("![").skip(1).filter_map(|rest| rest.split_once("](")?.1.split(')').next()) {
            pictures.push(folder.with_file_name(link));
        }
    }
    pictures
}

/// A heading and the text up to the next one.
struct Part {
    level: usize,
    heading: String,
    text: String,
}

/// The parts of a page; those of the first level are its title and its beginning.
fn parts(text: &str) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        inside ^= line.trim_start().starts_with("```");
        let level = line.bytes().take_while(|byte| *byte == b'#').count();
        if !inside && (1..=4).contains(&level) && line[level..].starts_with(' ') {
            parts.push(Part { level, heading: line[level..].trim().to_owned(), text: String::new() });
        } else if let Some(part) = parts.last_mut() {
            part.text += line;
            part.text.push('\n');
        }
    }
    parts
}

/// The link to a heading, as GitHub makes it.
fn slug(heading: &str) -> String {
    let kept = heading.chars().filter(|letter| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_'));
    kept.map(|letter| if letter == ' ' { '-' } else { letter.to_ascii_lowercase() }).collect()
}

/// The name of a page in the names of its elements.
fn short(file: &str) -> &str {
    let name = file.rsplit('/').next().unwrap_or(file);
    name.strip_suffix(".md").unwrap_or(name)
}

/// What an element is called: as in Kamailio's books, where they have a form for it.
fn id(file: &str, part: &Part) -> String {
    let name = part.heading.split([' ', '(']).next().unwrap_or_default();
    let kind = match (file, part.level) {
        (_, 1) => return format!("{MODULE}.{}", short(file)),
        ("docs/parameters.md", 2) => "p",
        ("docs/functions.md", 2) if part.heading.contains('(') => "f",
        ("docs/rpc.md", 2) => {
            let name = name.trim_start_matches(MODULE).trim_start_matches('.');
            return format!("{MODULE}.r.{name}");
        }
        ("docs/event-routes.md", 2) if part.heading.starts_with("event_route[") => {
            let name = part.heading.trim_start_matches("event_route[").trim_end_matches(']');
            return format!("{MODULE}.ert.{}", name.replace(':', "."));
        }
        _ => {
            // An XML name has no other letters.
            let slug =
                slug(&part.heading).replace(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_', "-");
            return format!("{MODULE}.{}.{slug}", short(file));
        }
    };
    format!("{MODULE}.{kind}.{name}")
}

/// A title as Kamailio's books write it.
fn heading(file: &str, part: &Part) -> String {
    match (file, part.level, part.heading.split_once(' ')) {
        ("docs/parameters.md", 2, Some((name, kind))) => {
            format!("<varname>{}</varname> {}", escaped(name), escaped(kind))
        }
        ("docs/functions.md" | "docs/rpc.md", 2, _) if part.heading.contains(['(', '.']) => {
            format!("<function>{}</function>", escaped(&part.heading))
        }
        // The book counts its sections itself.
        _ => title(part.heading.trim_start_matches(|letter: char| letter.is_ascii_digit()).trim_start_matches(". ")),
    }
}

/// Where the links of a page lead: the names of all elements by page and heading.
struct Names {
    ids: HashMap<(String, String), String>,
}

struct Here<'n> {
    names: &'n Names,
    file: &'n str,
    example: Option<String>,
}

impl Place for Here<'_> {
    fn target(&self, link: &str) -> Target {
        if link.starts_with("http") {
            return Target::Url(link.to_owned());
        }
        let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
        let file = match path {
            "" => self.file.to_owned(),
            path => {
                let folder = Path::new(self.file).parent().unwrap_or(Path::new(""));
                folder.join(path).to_string_lossy().replace("docs/../", "")
            }
        };
        match self.names.ids.get(&(file, anchor.to_owned())) {
            Some(id) => Target::Id(id.clone()),
            None => Target::Nowhere,
        }
    }

    fn example(&self) -> Option<String> {
        self.example.clone()
    }
}

/// The parts of a page that the book has.
fn chosen(root: &Path, page: &Page) -> Vec<Part> {
    let text =
        fs::read_to_string(root.join(page.file.as_ref())).unwrap_or_else(|error| panic!("{}: {error}", page.file));
    let mut all = parts(&text);
    if let Some(title) = page.title {
        all[0].heading = title.to_owned();
    }
    if !page.parts.is_empty() {
        all[0].text.clear();
        all.retain(|part| part.level == 1 || page.parts.contains(&part.heading.as_str()));
    }
    all
}

fn names(root: &Path) -> Names {
    let mut ids = HashMap::new();
    for page in admin(root).iter().chain(&DEVEL) {
        for part in chosen(root, page) {
            let id = id(&page.file, &part);
            if part.level == 1 {
                ids.insert((page.file.to_string(), String::new()), id.clone());
            }
            ids.insert((page.file.to_string(), slug(&part.heading)), id);
        }
    }
    Names { ids }
}

/// A page as a section.
fn section(root: &Path, page: &Page, names: &Names) -> String {
    let mut out = String::new();
    let mut open: Vec<usize> = Vec::new();
    for part in chosen(root, page) {
        while open.last().is_some_and(|level| *level >= part.level) {
            open.pop();
            out += "</section>\n";
        }
        open.push(part.level);
        let heading = heading(&page.file, &part);
        let example = match (page.file.as_ref(), part.level) {
            ("docs/parameters.md", 2) => {
                Some(format!("Set {} parameter", heading.split(" (").next().unwrap_or_default()))
            }
            ("docs/functions.md", 2) => {
                let name = part.heading.split('(').next().unwrap_or_default();
                Some(format!("<function>{}</function> usage", escaped(name)))
            }
            _ => None,
        };
        let here = Here { names, file: &page.file, example };
        out += &format!("<section id=\"{}\">\n<title>{heading}</title>\n", id(&page.file, &part));
        out += &blocks(&part.text, &here);
    }
    out += &"</section>\n".repeat(open.len());
    out
}

/// The namespace of the includes, which the DTD does not know.
const DECLARED: &str = " [\n<!ATTLIST book xmlns:xi CDATA #FIXED \"http://www.w3.org/2001/XInclude\">\n]";

fn document(root_element: &str, declared: &str, inner: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!-- Made by `make docbook` from the pages in docs. -->\n\
         <!DOCTYPE {root_element} PUBLIC \"{DOCTYPE}\"\n\"{DTD}\"{declared}>\n\n{inner}"
    )
}

fn chapter(root: &Path, name: &str, pages: &[Page]) -> String {
    let names = names(root);
    let sections: String = pages.iter().map(|page| section(root, page, &names)).collect();
    document("chapter", "", &format!("<chapter>\n<title>{name}</title>\n{sections}</chapter>\n"))
}

fn book() -> String {
    let who = "The developers of presence_b2b";
    document(
        "book",
        DECLARED,
        &format!(
            "<book xmlns:xi=\"http://www.w3.org/2001/XInclude\">\n<bookinfo>\n<title>{MODULE} Module</title>\n\
             <productname class=\"trade\">Kamailio SIP Server Platform</productname>\n\
             <authorgroup>\n<corpauthor>{who}</corpauthor>\n</authorgroup>\n\
             <copyright>\n<year>2026</year>\n<holder>{who}</holder>\n</copyright>\n</bookinfo>\n<toc></toc>\n\
             <xi:include href=\"{MODULE}_admin.xml\"/>\n<xi:include href=\"{MODULE}_devel.xml\"/>\n</book>\n"
        ),
    )
}

/// What Kamailio's tree has in `doc/Makefile` of a module.
const MAKEFILE: &str =
    "docs = presence_b2b.xml\n\ndocbook_dir = ../../../../doc/docbook\ninclude $(docbook_dir)/Makefile.module\n";

/// The files of the folder `doc`, by name.
pub fn files(root: &Path) -> Vec<(String, String)> {
    vec![
        ("Makefile".to_owned(), MAKEFILE.to_owned()),
        (format!("{MODULE}.xml"), book()),
        (format!("{MODULE}_admin.xml"), chapter(root, "Admin Guide", &admin(root))),
        (format!("{MODULE}_devel.xml"), chapter(root, "Developer Guide", &DEVEL)),
    ]
}
