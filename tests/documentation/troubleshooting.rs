//! What `docs/troubleshooting.md` says that one sees: lines of the log, reasons, commands and their fields are the module's.

use std::collections::BTreeSet;

use super::commands::COMMANDS;
use super::{assert_in_source, between, headings, named, section, text_of};

const PAGE: &str = "docs/troubleshooting.md";

/// The first cells of the tables with this head.
fn first_cells<'a>(page: &'a str, head: &str) -> Vec<&'a str> {
    let head = format!("| {head} | ");
    let tables = page.split(&head).skip(1).filter_map(|table| table.split("\n\n").next());
    let rows = tables.flat_map(|table| table.lines().skip(2));
    rows.filter_map(|row| row.strip_prefix("| ")?.split(" | ").next()).collect()
}

#[test]
fn quoted_lines_are_in_the_source() {
    let page = text_of(PAGE);
    let lines = first_cells(&page, "Log line");
    let lines: Vec<&str> = lines.into_iter().flat_map(|cell| between(cell, "`", "`")).collect();
    assert!(lines.len() > 12, "{lines:?}");
    assert_in_source(&lines);
    // Others are anywhere in the text, with the place of a value; this one is of a configuration.
    let quoted = page.split('`').skip(1).step_by(2).filter(|text| text.contains('…') && !text.starts_with("listen="));
    assert_in_source(&quoted.collect::<Vec<_>>());
}

#[test]
fn reasons_are_described() {
    let (page, states) = (text_of(PAGE), text_of("docs/states.md"));
    let reasons = first_cells(&page, "`last_reason`");
    assert!(reasons.len() > 10, "{reasons:?}");
    for reason in reasons {
        assert!(section(&states, "Reasons").contains(&format!("| {reason} |")), "{reason}");
    }
}

#[test]
fn commands_and_fields_are_there() {
    let (page, rpc) = (text_of(PAGE), text_of("docs/rpc.md"));
    let commands: Vec<&str> = COMMANDS.iter().map(|command| named(command.name)).collect();
    let mut named = BTreeSet::new();
    for text in page.split('`').skip(1).step_by(2).filter(|text| text.starts_with("presence_b2b.")) {
        let command = text.split(' ').next().expect("a word");
        assert!(commands.contains(&command), "{text}");
        named.insert(command);
    }
    assert!(named.len() > 5, "{named:?}");
    let fields = first_cells(&page, "It shows").concat() + &first_cells(&page, "`presence_b2b.trace` shows").concat();
    let fields: Vec<&str> = between(&fields, "`", "`");
    assert!(fields.len() > 8, "{fields:?}");
    for field in fields {
        let field = field.split(':').next().expect("a name");
        let is_value = rpc.contains(&format!("`{field}`"));
        assert!(is_value || text_of("docs/states.md").contains(&format!("`{field}`")), "{field}");
    }
}

/// The table at the top leads to every part.
#[test]
fn every_part_is_named_at_the_top() {
    let page = text_of(PAGE);
    let (top, rest) = page.split_once("\n## First look\n").expect("the parts");
    for heading in headings(rest).iter().filter(|heading| *heading != "Reporting a defect") {
        assert!(top.contains(&format!("[{heading}](#")), "{heading}");
    }
}
