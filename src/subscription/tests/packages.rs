//! The event packages are those of the pages.

use crate::subscription::package::{ALL, Package};

/// The cells of the rows under a heading of the overview that begin with a name.
fn rows() -> Vec<Vec<&'static str>> {
    let page = include_str!("../../../docs/overview.md");
    let (_, section) = page.split_once("\n## Packages\n").expect("the heading");
    let section = section.split("\n## ").next().unwrap_or_default();
    section
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| line.split('|').map(str::trim).collect())
        .collect()
}

#[test]
fn the_overview_has_each_with_its_body_types() {
    let described = |package: &Package| (format!("`{}`", package.name), package.accept.join(", "));
    let of_page = |row: &Vec<&str>| (row[1].replace(" (the default)", ""), row[2].to_owned());
    assert_eq!(rows().iter().map(of_page).collect::<Vec<_>>(), ALL.map(described));
}

#[test]
fn the_page_on_forking_has_each() {
    let page = include_str!("../../../docs/parameters.md");
    let row = page.lines().find_map(|line| line.strip_prefix("| `package` | As the RFC of the package says: "));
    let (one, several) = row.and_then(|row| row.split_once(" have one dialog; ")).expect("the sentence");
    let names = |text: &'static str| text.split('`').skip(1).step_by(2).collect::<Vec<_>>();
    let ours = |forks: bool| ALL.into_iter().filter(move |package| package.forks == forks).map(|package| package.name);
    assert_eq!(names(one), ours(false).collect::<Vec<_>>());
    assert_eq!(names(several), ours(true).collect::<Vec<_>>());
}
