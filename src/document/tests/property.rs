//! Properties that hold for any input.

use proptest::prelude::*;

use super::samples::{element, presence_document, rich_document};
use crate::document::block::{BLOCK, Tail, Text};
use crate::document::bytes;
use crate::document::scan::{scan, scan_bytes};
use crate::document::{ContentType, MAX_DOCUMENT, PIDF_XML, PidfSummary, Presentity, check_body};

/// Pieces from which documents that are nearly well-formed are put together.
const PIECES: [&str; 58] = [
    "<presence>",
    "</presence>",
    "<presence xmlns='urn:ietf:params:xml:ns:pidf'>",
    "<tuple id='a'>",
    "</tuple>",
    "<status>",
    "</status>",
    "<basic>open</basic>",
    "<a",
    "<b:a",
    " xmlns:b='u'",
    " xmlns:c=\"u\"",
    " xmlns='v'",
    " xmlns=''",
    " xmlns:b=''",
    " b:d='1'",
    " c:d='2'",
    " d='&amp;\n'",
    "/>",
    ">",
    "</a>",
    "</b:a>",
    "<!--",
    "-->",
    "-",
    "<![CDATA[",
    "]]>",
    "]",
    "<?",
    "?>",
    "xml ",
    "&#x41;",
    "&lt;",
    "&",
    ";",
    "text",
    "\r\n",
    "\u{E9}\u{1F600}",
    "<note xml:lang='en'>hi</note>",
    "<!DOCTYPE a [<!ENTITY x 'y'>]>",
    // Longer than the words and groups in which the scanner looks at a text.
    "<a_name-that.goes1On ",
    "</a_name-that.goes1On>",
    "a text of more than sixteen bytes, and more than thirty-two of them",
    " b:a-long-attribute='and a long value &gt; in it'",
    "\u{FFFD}\u{FF0C}",
    "\u{FFFE}",
    "\u{B}",
    "\u{1F}",
    "<\u{E9}t\u{E9}\u{B7}>",
    "</\u{E9}t\u{E9}\u{B7}>",
    // Pieces that are special to namespaces and values.
    " xmlns:b='&#117;'",
    " xmlns:c='u\r\nv' xmlns:b='u v'",
    " xmlns:xml='http://www.w3.org/XML/1998/namespace'",
    " xmlns:d='http://www.w3.org/2000/xmlns/'",
    " xml:lang = 'e'",
    "&#000000000000000000000000000065;",
    "&#x110000;",
    ":",
];

fn pieces() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(&PIECES[..]), 0..24).prop_map(|pieces| pieces.concat())
}

fn check(body: &[u8]) -> bool {
    let content_type = ContentType::parse(PIDF_XML.as_bytes()).unwrap();
    check_body(&content_type, body, MAX_DOCUMENT, true).is_ok()
}

/// Reads a body in all ways; says whether check and parse agree.
fn agree(body: &[u8]) -> bool {
    let whole = Presentity::parse(body, None, MAX_DOCUMENT);
    let shown = whole.map(|whole| PidfSummary { basic: whole.basic(), note: whole.note().map(str::to_owned) });
    body.is_empty() || check(body) == shown.is_ok() && shown == PidfSummary::read(body, None, MAX_DOCUMENT)
}

/// Whether the tree parser takes what the scanner takes; it never sees the XML declaration.
fn tree_parser_follows(text: &str) -> bool {
    let document = text.strip_prefix("<?xml").filter(|rest| rest.starts_with([' ', '\t', '\r', '\n']));
    let document = document.and_then(|rest| rest.split_once("?>")).map_or(text, |(_, document)| document);
    scan(text).is_err() || roxmltree::Document::parse(document).is_ok()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes_do_no_harm(body in prop::collection::vec(any::<u8>(), 0..256)) {
        prop_assert!(agree(&body));
        if let Ok(content_type) = ContentType::parse(&body) {
            content_type.parameters().for_each(|each| drop(each.value.to_string()));
        }
    }

    #[test]
    fn a_summary_says_what_the_whole_document_says(text in prop_oneof![presence_document(), rich_document()]) {
        let whole = Presentity::parse(text.as_bytes(), None, MAX_DOCUMENT).unwrap();
        let seen = PidfSummary::read(text.as_bytes(), None, MAX_DOCUMENT).unwrap();
        prop_assert_eq!((seen.basic, seen.note.as_deref()), (whole.basic(), whole.note()));
    }

    #[test]
    fn what_the_scanner_takes_the_tree_parser_takes(text in pieces()) {
        prop_assert!(tree_parser_follows(&text));
        prop_assert!(agree(text.as_bytes()));
    }

    /// A fault is found at every place: the scanner looks at a text in words and groups.
    #[test]
    fn one_forbidden_character_at_any_place(
        before in "[ -~\u{E9}]{0,80}",
        bad in prop::sample::select(vec!["\u{0}", "\u{8}", "\u{B}", "\u{C}", "\u{E}", "\u{1F}", "\u{FFFE}", "\u{FFFF}", "]]>", "<", "&"]),
        after in "[ -~\u{E9}]{0,80}",
    ) {
        // Without `>` and `;`, what is bad does not become the start of something good.
        let plain = |text: &str| text.replace(['<', '>', '&', ';', ']', '\''], ".");
        let (before, after) = (plain(&before), plain(&after));
        let good = format!("<presence a='{before}'>{before}{after}</presence>");
        prop_assert!(check(good.as_bytes()), "{good}");
        let in_text = format!("<presence a='{before}'>{before}{bad}{after}</presence>");
        prop_assert!(!check(in_text.as_bytes()), "{in_text}");
        prop_assert!(agree(in_text.as_bytes()), "{in_text}");
        let in_value = format!("<presence a='{before}{bad}{after}'>{before}</presence>");
        prop_assert_eq!(check(in_value.as_bytes()), bad == "]]>", "{}", in_value);
        prop_assert!(tree_parser_follows(&in_value) && agree(in_value.as_bytes()), "{in_value}");
    }

    /// Names of any length, and end tags that are nearly the same.
    #[test]
    fn an_end_tag_matches_its_start_tag_only(name in "[a-z_][a-zA-Z0-9.-]{0,20}", at in any::<prop::sample::Index>(), space in 0..20_usize) {
        let document = |end: &str| format!("<presence><{name}>x</{end}>{}</presence>", " ".repeat(space));
        prop_assert!(check(document(&name).as_bytes()));
        let spaced = document(&[&name, " "].concat());
        prop_assert!(check(spaced.as_bytes()));
        let mut other = name.clone();
        other.insert(at.index(name.len()) + 1, '_');
        prop_assert!(!check(document(&other).as_bytes()), "{other}");
        let mut other = name.clone().into_bytes();
        let changed = at.index(name.len());
        other[changed] = if other[changed] == b'x' { b'y' } else { b'x' };
        prop_assert!(!check(document(std::str::from_utf8(&other).unwrap()).as_bytes()));
        prop_assert!(!check(document(&name[..changed]).as_bytes()));
    }

    #[test]
    fn searches_find_what_a_plain_loop_finds(text in prop::collection::vec(prop::sample::select(&b"ab<&\"]>\x3D\x80\xFF?`{z"[..]), 0..60), start in prop::collection::vec(prop::sample::select(&b"az"[..]), 0..30)) {
        let text = [start, text].concat();
        let first = |wanted: &[u8]| text.iter().position(|byte| wanted.contains(byte)).unwrap_or(text.len());
        prop_assert_eq!(bytes::until_either(&text, b'<', b'&'), first(b"<&"));
        prop_assert_eq!(bytes::until_any(&text, *b"\"<&"), first(b"\"<&"));
        prop_assert_eq!(bytes::find(&text, b"]>"), text.windows(2).position(|pair| pair == b"]>"));
        let letters = text.iter().take_while(|byte| byte.is_ascii_lowercase()).count();
        let found = bytes::letters(&text);
        prop_assert!(found == letters || found < letters && text.len() - found < 8, "{} of {}", found, letters);
    }

    /// A vector instruction sees in a text what a loop over its bytes sees, also over its end.
    #[test]
    fn blocks_mark_what_a_plain_loop_marks(
        text in prop::collection::vec(prop::sample::select(&b"azAZ@[`{-:<>&]\"'\r\n\t \0\x1F\x7F\x80\xC1\xFF"[..]), 0..40),
        place in 0..50_u32,
        other in 0..50_u32,
    ) {
        let tail = Tail::of(&text);
        let text = Text::new(&text, &tail).unwrap();
        let byte = |index| text.bytes().get((place + index) as usize).copied().unwrap_or(0);
        let block = text.block(place);
        prop_assert_eq!(block.word().to_le_bytes(), [0, 1, 2, 3, 4, 5, 6, 7].map(byte));
        let (letters, names) = block.letters();
        for index in 0..BLOCK {
            let each = byte(index);
            let is_odd = !(b' '..0x80).contains(&each) || each == b'&';
            let is_letter = each.is_ascii_alphabetic();
            let is_same = each == text.byte(other + index);
            prop_assert_eq!(block.marks(b'<').has(index), each == b'<');
            prop_assert_eq!(block.same(text.block(other)).has(index), is_same);
            prop_assert_eq!((letters.has(index), names.has(index)), (is_letter, is_letter || each == b'-'));
            prop_assert_eq!(block.odd_in_text().has(index), is_odd || each == b']');
            prop_assert_eq!(block.ends_value::<b'"'>().has(index), is_odd || matches!(each, b'<' | b'"'));
            prop_assert_eq!(block.line_ends().has(index), matches!(each, b'\r' | b'\n' | b'\t'));
        }
    }

    /// Bytes of which nothing is known are accepted if they are a text that is accepted.
    #[test]
    fn bytes_are_scanned_as_their_text_is(text in pieces(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        prop_assert_eq!(scan_bytes(text.as_bytes()).is_ok(), scan(&text).is_ok());
        let mut bytes = format!("<presence xmlns='v' xmlns:b='u'><a>\u{E9}</a>{text}</presence>").into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let as_text = std::str::from_utf8(&bytes);
        prop_assert_eq!(scan_bytes(&bytes).is_ok(), as_text.is_ok_and(|text| scan(text).is_ok()));
    }

    #[test]
    fn a_piece_too_many(
        inside in element(),
        at in any::<prop::sample::Index>(),
        piece in prop::sample::select(&PIECES[..]),
    ) {
        let mut text = format!("<presence xmlns:p='urn:p' xmlns:b='urn:b'>{inside}</presence>");
        text.insert_str(text.floor_char_boundary(at.index(text.len())), piece);
        prop_assert!(tree_parser_follows(&text), "{text}");
        prop_assert!(agree(text.as_bytes()), "{text}");
    }

    #[test]
    fn well_formed_documents_are_taken(inside in prop::collection::vec(element(), 0..4)) {
        let text = format!("<presence xmlns:p='urn:p'>{}</presence>", inside.concat());
        prop_assert!(roxmltree::Document::parse(&text).is_ok());
        let found = Presentity::parse(text.as_bytes(), None, MAX_DOCUMENT);
        prop_assert!(found.is_ok(), "{found:?}");
        for extension in found.unwrap().extensions {
            let alone = roxmltree::Document::parse(&extension.xml);
            prop_assert!(alone.is_ok(), "{}", extension.xml);
            let alone = alone.unwrap();
            let tag = alone.root_element().tag_name();
            prop_assert_eq!(tag.namespace().unwrap_or_default(), extension.namespace);
        }
    }

    #[test]
    fn one_changed_byte(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let text = "<?xml version='1.0'?><presence xmlns='urn:ietf:params:xml:ns:pidf' xmlns:d='u' entity='a'><!-- c --><tuple id=\"t\"><status><basic>open</basic></status><d:x y='&#65;'>1</d:x><note><![CDATA[x]]></note></tuple></presence>";
        let mut body = text.as_bytes().to_vec();
        let at = at.index(body.len());
        body[at] = byte;
        prop_assert!(agree(&body));
        if let Ok(text) = std::str::from_utf8(&body) {
            prop_assert!(tree_parser_follows(text));
        }
    }

    #[test]
    fn content_types_never_panic(text in "[a-z/;=\" \\\\\r\n]{0,40}") {
        if let Ok(content_type) = ContentType::parse(text.as_bytes()) {
            content_type.parameters().for_each(|each| drop(each.value.to_string()));
        }
    }
}
