//! One order of imports: the standard library, crates, our own, then what is exported again; an empty line between.

use syn::spanned::Spanned;
use syn::{Item, ItemMod, ItemUse, UseTree, Visibility};

use super::{files_in, none, text_of};

/// Where an import belongs, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Group {
    Std,
    Crates,
    Own,
    Exported,
}

fn group_of(import: &ItemUse, modules: &[String]) -> Group {
    let first = match &import.tree {
        UseTree::Path(path) => path.ident.to_string(),
        UseTree::Name(name) => name.ident.to_string(),
        UseTree::Rename(name) => name.ident.to_string(),
        _ => String::new(),
    };
    match first.as_str() {
        _ if !matches!(import.vis, Visibility::Inherited) => Group::Exported,
        "std" | "core" | "alloc" => Group::Std,
        "crate" | "super" | "self" => Group::Own,
        _ if modules.contains(&first) => Group::Own,
        _ => Group::Crates,
    }
}

/// The lines of imports that are out of order, or not parted from the group before.
fn disordered(text: &str) -> Vec<usize> {
    let file = syn::parse_file(text).expect("the compiler has read it");
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    look(&file.items, &lines, &mut found);
    found
}

fn look(items: &[Item], lines: &[&str], found: &mut Vec<usize>) {
    let module = |item: &Item| if let Item::Mod(module) = item { Some(module.ident.to_string()) } else { None };
    let modules: Vec<String> = items.iter().filter_map(module).collect();
    for pair in items.windows(2) {
        let [Item::Use(before), Item::Use(import)] = pair else { continue };
        let groups = [before, import].map(|import| group_of(import, &modules));
        let (end, start) = (before.span().end().line, import.span().start().line);
        let is_parted = lines[end..start - 1].iter().any(|line| line.is_empty());
        let is_well = if groups[0] == groups[1] {
            !is_parted || groups[0] == Group::Exported
        } else {
            groups[0] < groups[1] && is_parted
        };
        found.extend((!is_well).then_some(start));
    }
    for item in items {
        if let Item::Mod(ItemMod { content: Some((_, items)), .. }) = item {
            look(items, lines, found);
        }
    }
}

#[test]
fn imports_have_one_order() {
    let files = ["src", "tests", "build", "top"].into_iter().flat_map(files_in).filter(|file| file.ends_with(".rs"));
    let lines = |file: String| disordered(&text_of(&file)).into_iter().map(move |line| format!("{file}:{line}"));
    none("imports: std, crates, our own, exports", files.chain(["build.rs".to_owned()]).flat_map(lines).collect());
}

/// The scan finds what it is there to find, and nothing else.
#[test]
fn an_order_is_seen() {
    let good = "mod a;\n\nuse std::x;\n\nuse syn::y;\n\nuse super::z;\nuse a::b;\n\npub use a::c;\n";
    assert_eq!(disordered(good), Vec::<usize>::new());
    assert_eq!(disordered("use super::z;\n\nuse std::x;\n"), [3]);
    assert_eq!(disordered("use std::x;\nuse syn::y;\n"), [2]);
    assert_eq!(disordered("use std::x;\n\nuse std::y;\n"), [3]);
    assert_eq!(disordered("mod m {\n    use syn::y;\n    use super::z;\n}\n"), [3]);
}
