//! `make docbook`: the book and the README of Kamailio's tree have all that the pages have.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use super::answers::{LiveCounters, STORE_COUNTERS, Statistics};
use super::commands::COMMANDS;
use super::functions::FUNCTIONS;
use super::{headings, integers, named, pages, root, text_of, texts};

#[path = "../docbook/book.rs"]
mod book;
#[path = "../docbook/make.rs"]
mod make;
#[path = "../docbook/markdown.rs"]
mod markdown;

/// The book in a folder of its own: the admin guide, the developer guide, the README. `make` lets xmllint hold it to the DTD.
fn made() -> [String; 3] {
    let folder = TempDir::with_prefix("docbook-").expect("a folder");
    let readme = make::make(root(), folder.path()).unwrap_or_else(|error| panic!("{error}"));
    let text = |file: &Path| fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let doc = folder.path().join("doc");
    assert!(doc.join("Makefile").is_file() && doc.join("presence_b2b.xml").is_file());
    [text(&doc.join("presence_b2b_admin.xml")), text(&doc.join("presence_b2b_devel.xml")), text(&readme)]
}

#[test]
fn the_book_has_all_that_is_exported() {
    let [admin, devel, readme] = made();
    let parameters = integers().map(|(name, _)| name).chain(texts()).map(|name| ("p", name));
    let functions = FUNCTIONS.iter().map(|function| ("f", named(function.name)));
    let commands = COMMANDS.iter().map(|command| ("r", named(command.name).trim_start_matches("presence_b2b.")));
    let mut count = 0;
    for (kind, name) in parameters.chain(functions).chain(commands).chain([("ert", "qsa.notify")]) {
        count += 1;
        let element = format!("<section id=\"presence_b2b.{kind}.{name}\">");
        assert_eq!(admin.matches(&element).count(), 1, "{element}");
    }
    assert!(count > 60, "{count}");
    for name in Statistics::NAMES.into_iter().chain(STORE_COUNTERS).chain(LiveCounters::NAMES).map(named) {
        assert!(admin.contains(&format!("<literal>{name}</literal>")), "{name}");
    }
    // The README is the same text, without its marks.
    for name in ["default_expiration (integer)", "handle_notify()", "presence_b2b.trace", "event_route[qsa:notify]"] {
        assert!(readme.lines().any(|line| line.trim_start_matches(|c: char| !c.is_alphabetic()) == name), "{name}");
    }
    for part in ["Chapter 1. Admin Guide", "Chapter 2. Developer Guide", "List of Examples", "Set db_url parameter"] {
        assert!(readme.contains(part), "{part}");
    }
    assert!(devel.contains("presence_b2b_api.h") && readme.contains("load_presence_b2b_api()"));
}

#[test]
fn every_page_is_in_the_book_or_left_out_for_a_reason() {
    let [admin, devel, _] = made();
    for (name, text) in pages().into_iter().filter(|(name, _)| !name.starts_with("docs/examples/")) {
        let title = &headings(&text)[0];
        let short = name.trim_start_matches("docs/").trim_end_matches(".md");
        let is_in =
            [&admin, &devel].iter().any(|guide| guide.contains(&format!("<section id=\"presence_b2b.{short}\">")));
        let is_out = name == "CHANGELOG.md" || book::OUT.contains(&name.as_str());
        assert_eq!(is_in, !is_out, "{name} ({title})");
    }
}

/// What the pages write arrives as the same words.
#[test]
fn words_and_marks_become_elements() {
    struct Nowhere;
    impl markdown::Place for Nowhere {
        fn target(&self, link: &str) -> markdown::Target {
            match link {
                "https://example.com/?a&b" => markdown::Target::Url(link.to_owned()),
                "#here" => markdown::Target::Id("here".to_owned()),
                _ => markdown::Target::Nowhere,
            }
        }

        fn example(&self) -> Option<String> {
            None
        }
    }
    for (text, wanted) in [
        ("a < b & c", "<para>a &lt; b &amp; c</para>\n"),
        (
            "`<sip:a>` **is** *so*",
            "<para><literal>&lt;sip:a&gt;</literal> <emphasis role=\"bold\">is</emphasis> <emphasis>so</emphasis></para>\n",
        ),
        ("[x](https://example.com/?a&b)", "<para><ulink url=\"https://example.com/?a&amp;b\">x</ulink></para>\n"),
        ("[x](#here) [y](away.md)", "<para><link linkend=\"here\">x</link> y</para>\n"),
        (
            "* a `b`\n* c\n",
            "<itemizedlist>\n<listitem><para>a <literal>b</literal></para>\n</listitem>\n<listitem><para>c</para>\n</listitem>\n</itemizedlist>\n",
        ),
        ("2. a", "<orderedlist continuation=\"continues\">\n<listitem><para>a</para>\n</listitem>\n</orderedlist>\n"),
        ("```text\n<a>\n```\n", "<programlisting format=\"linespecific\">&lt;a&gt;</programlisting>\n"),
        (
            "| A |\n|---|\n| b |\n",
            "<informaltable frame=\"all\">\n<tgroup cols=\"1\">\n<thead>\n<row>\n<entry>A</entry>\n</row>\n</thead>\n<tbody>\n<row>\n\
             <entry>b</entry>\n</row>\n</tbody>\n</tgroup>\n</informaltable>\n",
        ),
    ] {
        assert_eq!(markdown::blocks(text, &Nowhere), wanted, "{text}");
    }
    assert_eq!(markdown::title("`a` < b"), "<literal>a</literal> &lt; b");
    assert!(text_of("docs/overview.md").starts_with("# "));
}
