//! Documents that have the shape of an earlier one.

use proptest::prelude::*;

use super::samples::{element, presence_document, rich_document};
use crate::document::block::{Tail, Text};
use crate::document::formats::{Format, XmlFormat};
use crate::document::scan::scan_bytes;
use crate::document::shape::Shape;
use crate::document::shapes::{Comparison, Shapes};
use crate::document::{ContentType, Version};

fn format(media_type: &str) -> &'static XmlFormat {
    Format::find(&ContentType::parse(media_type.as_bytes()).unwrap()).and_then(Format::xml).unwrap()
}

/// The version, if it is a document of the format.
fn scanned(text: &[u8], format: &XmlFormat) -> Option<Option<Version>> {
    let root = scan_bytes(text).ok().filter(|root| format.is_root(root))?;
    Some(format.version(text, &root))
}

/// The shape of a document of any format.
fn shape(text: &str, format: &XmlFormat) -> Shape {
    let mut shape = Shape::NONE;
    let root = scan_bytes(text.as_bytes()).unwrap();
    shape.take(text.as_bytes(), format.has_versions.then_some(root.tag));
    shape
}

fn fits(shape: &Shape, text: &str) -> Option<Option<Version>> {
    shape.fits(Text::new(text.as_bytes(), &Tail::of(text.as_bytes())).unwrap())
}

#[test]
fn texts_and_values_may_differ() {
    let format = format("application/pidf+xml");
    let document = |entity: &str, basic: &str, note: &str| {
        format!("<presence xmlns='u' entity=\"{entity}\"><basic>{basic}</basic>\r\n <note>{note}</note></presence>")
    };
    let shape = shape(&document("a", "open", ""), format);
    let fits = |entity, basic, note| fits(&shape, &document(entity, basic, note)).is_some();
    assert!(fits("a", "open", "") && fits("", "", ""));
    assert!(fits("sip:somebody-else@example.com", "closed", "a note\r\n\tof more than sixteen > bytes"));
    assert!(fits("it's", "\"", "'"));
    for odd in ["&amp;", "<a/>", "\u{E9}", "\u{1}", "\u{7F}\u{80}"] {
        assert!(!fits("a", "open", odd) && !fits(odd, "open", ""), "{odd:?}");
    }
    assert!(fits("]", "open", "") && !fits("a", "open", "]"));
    assert!(!fits("a\" b=\"", "open", "") && !fits("a\tb", "open", ""));
}

#[test]
fn markup_may_not_differ() {
    let format = format("application/pidf+xml");
    let text = "<presence xmlns='u' a='1'><x/> <y b='2'>t</y><!-- c --><![CDATA[d]]>&lt;<z>\u{E9}</z></presence>";
    let shape = shape(text, format);
    assert!(fits(&shape, text).is_some());
    assert!(fits(&shape, &text.replace("'1'", "'3'").replace(">t<", ">u<")).is_some());
    for (from, to) in [
        ("'u'", "'v'"),
        ("<x", "<w"),
        ("> <", ">  <"),
        (" c ", " e "),
        ("[d]", "[e]"),
        ("&lt;", "&gt;"),
        ("\u{E9}", "e"),
        ("b=", "c="),
        ("='2'", "=\"2\""),
        ("</y>", "</x>"),
        ("</presence>", "</presence> "),
        ("</presence>", ""),
        ("<presence", " <presence"),
    ] {
        assert!(text.contains(from) && fits(&shape, &text.replace(from, to)).is_none(), "{to}");
    }
    for end in 0..text.len() {
        assert!(text.get(..end).is_none_or(|text| fits(&shape, text).is_none()), "{end}");
    }
}

#[test]
fn a_shape_tells_the_version() {
    let document = |attributes: &str| format!("<reginfo xmlns='urn:ietf:params:xml:ns:reginfo' {attributes}/>");
    let of = shape(&document("version='1' state='full'"), format("application/reginfo+xml"));
    let version = |number, is_full| Some(Some(Version { number, is_full }));
    assert_eq!(fits(&of, &document("version='1' state='full'")), version(1, true));
    assert_eq!(fits(&of, &document("version=' 27 ' state='partial '")), version(27, false));
    assert_eq!(fits(&of, &document("version='x' state='partial'")), Some(None));
    // Of a version that is written in another way nothing is kept.
    let odd = document("version='&#49;'");
    assert_eq!(fits(&shape(&odd, format("application/reginfo+xml")), &odd), None);
    // Not every format has versions, and only the root's counts.
    let presence = "<presence version='1'><a version='2'/></presence>";
    assert_eq!(fits(&shape(presence, format("application/pidf+xml")), presence), Some(None));
    let inner = document("state='full'").replace("/>", "><a version='2'/></reginfo>");
    assert_eq!(fits(&shape(&inner, format("application/reginfo+xml")), &inner), Some(None));
}

#[test]
fn long_documents_have_no_shape() {
    let format = format("application/pidf+xml");
    for inside in ["<a>b</a>".repeat(97), "<a-long-name/>".repeat(200)] {
        let text = format!("<presence>{inside}</presence>");
        assert_eq!(fits(&shape(&text, format), &text), None);
    }
    let text = format!("<presence>{}</presence>", "<a>b</a>".repeat(96));
    assert!(fits(&shape(&text, format), &text).is_some());
}

/// What became of a document, which is learned if it is worth it.
fn compare(shapes: &mut Shapes, text: &str, format: &'static XmlFormat) -> char {
    match shapes.compare(text.as_bytes(), format) {
        Comparison::Known(_) => 'k',
        Comparison::Unknown => 'u',
        Comparison::New => {
            shapes.learn(text.as_bytes(), format, &scan_bytes(text.as_bytes()).unwrap());
            'n'
        }
    }
}

#[test]
fn the_shapes_met_last_are_kept() {
    let pidf = format("application/pidf+xml");
    let documents = ["a", "b", "c", "d", "e"].map(|name| format!("<presence><{name}/></presence>"));
    let mut shapes = Shapes::new();
    let mut seen = |which: &[usize]| -> String {
        which.iter().map(|index| compare(&mut shapes, &documents[*index], pidf)).collect()
    };
    assert_eq!(seen(&[0, 1, 2, 3]), "nnnn");
    assert_eq!(seen(&[0, 3, 1, 2, 0]), "kkkkk");
    // All places are taken: one in eight is learned, in the place of the fourth.
    assert_eq!(seen(&[4, 4, 4, 4]), "uuun");
    assert_eq!(seen(&[4, 0, 1, 2, 3]), "kkkku");
    // A shape is one of a format.
    let reginfo = "<reginfo><a/></reginfo>";
    let mut shapes = Shapes::new();
    assert_eq!(compare(&mut shapes, reginfo, format("application/reginfo+xml")), 'n');
    assert_eq!(compare(&mut shapes, reginfo, pidf), 'n');
    assert_eq!(compare(&mut shapes, reginfo, format("application/reginfo+xml")), 'k');
}

#[test]
fn documents_that_are_not_alike_are_seldom_compared() {
    let pidf = format("application/pidf+xml");
    let mut shapes = Shapes::new();
    let mut seen = |count: u32| -> String {
        (0..count).map(|number| compare(&mut shapes, &format!("<presence><a{number}/></presence>"), pidf)).collect()
    };
    let learned = |seen: &str| seen.matches('n').count();
    assert_eq!(learned(&seen(32)), 8);
    // One in 65 from now on.
    assert_eq!(learned(&seen(650)), 10);
    // When they are alike again, it takes one of these to find out.
    let same = |shapes: &mut Shapes| compare(shapes, "<presence/>", pidf);
    let found: String = (0..200).map(|_| same(&mut shapes)).collect();
    assert_eq!((found.matches('n').count(), found.matches('k').count()), (1, 200 - 2 * 65 + 1), "{found}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    /// What has the shape of a document that was accepted would be accepted, and has the same version.
    #[test]
    fn what_fits_passes_the_scan(
        text in prop_oneof![
            presence_document(),
            rich_document(),
            prop::collection::vec(element(), 0..4).prop_map(|inside| {
                format!("<reginfo xmlns:p='u' state='full' version='1'>{}</reginfo>", inside.concat())
            }),
        ],
        changes in prop::collection::vec((any::<prop::sample::Index>(), 0..6_usize, "[ -~\u{E9}\t\n]{0,20}", "[ -~]{0,1}"), 0..4),
    ) {
        let format = format(if text.contains("<reginfo") { "application/reginfo+xml" } else { "application/pidf+xml" });
        prop_assume!(scanned(text.as_bytes(), format).is_some());
        let shape = shape(&text, format);
        let mut changed = text;
        for (at, remove, plain, any) in changes {
            let start = changed.floor_char_boundary(at.index(changed.len() + 1));
            let end = changed.ceil_char_boundary((start + remove).min(changed.len()));
            let is_inside = remove % 2 == 0;
            let insert = if is_inside { plain.replace(['<', '&', '\'', '"'], "") } else { any };
            // Behind a quote or a `>` is where texts and values are.
            let start = if is_inside { changed[..start].rfind(['>', '\'', '"']).map_or(start, |place| place + 1) } else { start };
            changed.replace_range(start..if is_inside { start } else { end }, &insert);
        }
        if let Some(version) = fits(&shape, &changed) {
            prop_assert_eq!(scanned(changed.as_bytes(), format), Some(version), "{}", changed);
        }
    }

    #[test]
    fn a_document_has_its_own_shape(inside in prop::collection::vec(element(), 0..4), attributes in "( (a|xml:lang)='[a-z]{0,20}')?") {
        let text = format!("<presence xmlns:p='u'{attributes}>{}</presence>", inside.concat());
        let format = format("application/pidf+xml");
        let shape = shape(&text, format);
        prop_assert!(text.len() > 600 || fits(&shape, &text) == Some(None), "{}", text);
    }
}
