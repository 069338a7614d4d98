//! Fences around the shape of the source, read with `syn`: names of types, lengths of functions and files.

use std::collections::{BTreeMap, BTreeSet};

use syn::spanned::Spanned;
use syn::visit::{self, Visit};

use super::{files_in, none, sources, text_of};

/// The most lines a function may have, from its signature to its closing brace.
const MOST_LINES_OF_A_FUNCTION: usize = 80;

/// The most lines that half of the files may have.
const MEDIAN_OF_FILES: usize = 150;

/// The definitions of a file: types by name, and functions with their lengths.
#[derive(Default)]
struct Shape {
    types: Vec<String>,
    functions: Vec<(String, usize)>,
}

impl Shape {
    fn of(text: &str) -> Self {
        let file = syn::parse_file(text).expect("the compiler has read it");
        let mut shape = Self::default();
        shape.visit_file(&file);
        shape
    }

    fn function(&mut self, signature: &syn::Signature, end: proc_macro2::Span) {
        let lines = end.end().line.saturating_sub(signature.span().start().line).saturating_add(1);
        self.functions.push((signature.ident.to_string(), lines));
    }
}

fn is_for_tests(attributes: &[syn::Attribute]) -> bool {
    let is_test = |attribute: &syn::Attribute| {
        attribute.path().is_ident("cfg") && attribute.parse_args::<syn::Path>().is_ok_and(|path| path.is_ident("test"))
    };
    attributes.iter().any(is_test)
}

impl<'ast> Visit<'ast> for Shape {
    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        if !is_for_tests(&item.attrs) {
            visit::visit_item_mod(self, item);
        }
    }

    fn visit_item_struct(&mut self, item: &'ast syn::ItemStruct) {
        self.types.extend((!is_for_tests(&item.attrs)).then(|| item.ident.to_string()));
    }

    fn visit_item_enum(&mut self, item: &'ast syn::ItemEnum) {
        self.types.extend((!is_for_tests(&item.attrs)).then(|| item.ident.to_string()));
    }

    fn visit_item_union(&mut self, item: &'ast syn::ItemUnion) {
        self.types.push(item.ident.to_string());
    }

    fn visit_item_type(&mut self, item: &'ast syn::ItemType) {
        self.types.extend((!is_for_tests(&item.attrs)).then(|| item.ident.to_string()));
    }

    fn visit_item_trait(&mut self, item: &'ast syn::ItemTrait) {
        self.types.push(item.ident.to_string());
        visit::visit_item_trait(self, item);
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.function(&item.sig, item.block.span());
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.function(&item.sig, item.block.span());
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        self.function(&item.sig, item.span());
    }
}

/// The names that more than one file defines, with the files.
fn named_twice<'a>(shapes: impl Iterator<Item = (&'a str, &'a Shape)>) -> Vec<(String, Vec<String>)> {
    let mut places: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (file, shape) in shapes {
        for name in &shape.types {
            places.entry(name.clone()).or_default().insert(file.to_owned());
        }
    }
    let twice = places.into_iter().filter(|(_, files)| files.len() > 1);
    twice.map(|(name, files)| (name, files.into_iter().collect())).collect()
}

fn median(mut numbers: Vec<usize>) -> usize {
    numbers.sort_unstable();
    numbers.get(numbers.len() / 2).copied().unwrap_or(0)
}

#[test]
fn a_type_name_means_one_thing() {
    let shapes: Vec<(String, Shape)> =
        sources().iter().map(|source| (source.file.clone(), Shape::of(&source.text))).collect();
    let twice = named_twice(shapes.iter().map(|(file, shape)| (file.as_str(), shape)));
    let found = twice.into_iter().map(|(name, files)| format!("{name}: {}", files.join(", "))).collect();
    none("a type name with more than one definition", found);
}

#[test]
fn functions_are_not_long() {
    let mut found = Vec::new();
    let of_module = sources().iter().map(|source| (source.file.clone(), source.text.clone()));
    let of_top = files_in("top/src").into_iter().filter(|file| file.ends_with(".rs"));
    for (file, text) in of_module.chain(of_top.map(|file| (file.clone(), text_of(&file)))) {
        let long = Shape::of(&text).functions.into_iter().filter(|(_, lines)| *lines > MOST_LINES_OF_A_FUNCTION);
        found.extend(long.map(|(name, lines)| format!("{file}: {name} has {lines} lines")));
    }
    none("law L10", found);
}

#[test]
fn half_of_the_files_are_short() {
    let lengths = files_in("src").into_iter().filter(|file| file.ends_with(".rs"));
    let median = median(lengths.map(|file| text_of(&file).lines().count()).collect());
    assert!(median <= MEDIAN_OF_FILES, "law L10: the median is {median} lines");
}

/// The scans find what they are there to find, and nothing else.
#[test]
fn the_shape_is_seen() {
    let text = "
struct A; enum B {} type C = A; trait D { fn d() {} }
mod inner { struct E; impl E { fn e(&self) {
} } }
#[cfg(test)] struct F;
#[cfg(test)] mod tests { struct A; fn f() {} }
fn g(
    a: u8,
) {
    struct Local;
}
";
    let shape = Shape::of(text);
    assert_eq!(shape.types, ["A", "B", "C", "D", "E"]);
    let functions: Vec<_> = shape.functions.iter().map(|(name, lines)| (name.as_str(), *lines)).collect();
    assert_eq!(functions, [("d", 1), ("e", 2), ("g", 5)]);
    let other = Shape { types: vec!["B".into(), "X".into()], ..Shape::default() };
    let twice = named_twice([("a.rs", &shape), ("b.rs", &other)].into_iter());
    assert_eq!(twice, [("B".to_owned(), vec!["a.rs".to_owned(), "b.rs".to_owned()])]);
    assert_eq!((median(vec![3, 1, 2]), median(vec![])), (2, 0));
}
