use proptest::prelude::*;

use crate::document::error::DocumentError;
use crate::document::{ContentType, Part, Parts};
use crate::testing::cpu_time;

fn parts<'a>(content_type: &str, body: &'a [u8]) -> Result<Vec<Part<'a>>, DocumentError> {
    let content_type = ContentType::parse(content_type.as_bytes())?;
    Parts::of(&content_type, body)?.collect()
}

/// The bodies of the parts between lines with the boundary `b`.
fn bodies(body: &str) -> Vec<String> {
    let parts = parts("multipart/mixed;boundary=b", body.as_bytes()).unwrap();
    parts.iter().map(|part| String::from_utf8_lossy(part.body).into_owned()).collect()
}

fn refusal(content_type: &str, body: &str) -> String {
    parts(content_type, body.as_bytes()).unwrap_err().to_string()
}

#[test]
fn headers_and_bodies_of_parts() {
    let body = "\r\n--a b\r\nContent-Type: application/rlmi+xml;\r\n charset=\"UTF-8\"\r\ncontent-id :  <x@y> \r\n\
                Content-Length: 4\r\nContent-ID: <second@y>\r\nnonsense\r\n\r\n<l>\n</l>\r\n\r\n--a b \t\r\n\
                CONTENT-TRANSFER-ENCODING:\tBinary\r\nContent-Encoding: identity\r\nContent-Disposition: render;handling=optional\
                \r\n\r\nText\r\n--a b\r\n\r\n--a b--\r\nafter the end\r\n--a b\r\n\r\nnone\r\n";
    let found = parts("Multipart/Related; Boundary=\"a b\"", body.as_bytes()).unwrap();
    let [list, text, empty] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!(list.content_type, Some(&b"application/rlmi+xml;\r\n charset=\"UTF-8\""[..]));
    assert_eq!((list.content_id, list.body), (Some(&b"x@y"[..]), &b"<l>\n</l>\r\n"[..]));
    assert_eq!((text.content_type, text.content_id), (None, None));
    assert_eq!(text.disposition, Some(&b"render;handling=optional"[..]));
    assert_eq!((text.body, text.is_plain()), (&b"Text"[..], true));
    assert_eq!(*empty, Part::default());
}

#[test]
fn only_what_leaves_a_part_as_it_is_is_plain() {
    for (headers, is_plain) in [
        ("", true),
        ("Content-Transfer-Encoding: 8BIT\n", true),
        ("Content-Transfer-Encoding: 7bit\n", true),
        ("Content-Transfer-Encoding: base64\n", false),
        ("Content-Transfer-Encoding: quoted-printable\n", false),
        ("Content-Encoding: gzip\n", false),
        ("Content-Encoding: identity, gzip\n", false),
    ] {
        let body = format!("--b\n{headers}\nx\n--b--");
        assert_eq!(parts("multipart/mixed;boundary=b", body.as_bytes()).unwrap()[0].is_plain(), is_plain, "{headers}");
    }
}

#[test]
fn what_senders_do() {
    // LF alone, in all lines or some.
    assert_eq!(bodies("--b\n\none\n--b\nA: b\n\ntwo\n--b--\n"), ["one", "two"]);
    assert_eq!(bodies("--b\r\n\none\r\n--b\n\r\ntwo\n--b--"), ["one", "two"]);
    // Text before and behind.
    assert_eq!(bodies("\r\n\r\n--b\r\n\r\none\r\n--b--\r\n\r\n"), ["one"]);
    assert_eq!(bodies("This is a message\r\n--b\r\n\r\none\r\n--b--\0"), ["one"]);
    // The last boundary is missing, or is none of the last.
    assert_eq!(bodies("--b\r\n\r\none\r\n--b\r\n\r\ntwo\r\n"), ["one", "two\r\n"]);
    assert_eq!(bodies("--b\r\n\r\none\r\n--b"), ["one", ""]);
    // Parts without headers, without a body, with nothing, and a body whose first line begins with a blank.
    assert_eq!(bodies("--b\r\n--b\r\nA: b\r\n--b\r\nA: b\r\n\r\n--b\r\n\r\n x\r\n--b--"), ["", "", "", " x"]);
    assert_eq!(bodies("--b--\r\n"), [""; 0]);
}

#[test]
fn the_boundary_in_the_text_ends_nothing() {
    let text = "one --b\r\n--bb\r\n--b x\r\n --b\r\n-b\r\n--b---";
    assert_eq!(bodies(&format!("--bb\r\n--b\r\n\r\n{text}\r\n--b--")), [text]);
}

#[test]
fn what_cannot_be_taken_apart() {
    let no_line = "multipart body: no line has its boundary";
    for body in ["", "x", "--", "--c\r\n\r\nx\r\n--c--", " --b\r\n\r\nx", "x --b\r\n", "--bx\r\n\r\n"] {
        assert_eq!(refusal("multipart/mixed;boundary=b", body), no_line, "{body:?}");
    }
    assert_eq!(refusal("multipart/mixed", "--b"), "multipart body: its Content-Type has no boundary");
    for boundary in ["", "\"  \"", "\"a\r\n b\"", "\"a\tb\"", &"x".repeat(257)] {
        let content_type = format!("multipart/mixed;boundary={boundary}");
        assert_eq!(
            refusal(&content_type, "--b"),
            "multipart body: its boundary is none that a line can have",
            "{boundary:?}"
        );
    }
    let headers = format!("--b\r\nA: {}\r\n\r\n", "x".repeat(8 * 1024));
    assert_eq!(refusal("multipart/mixed;boundary=b", &headers), "more than 8192 bytes of headers in one part");
    let folds = format!("--b\r\nA: b\r\n{}\r\n", " x\r\n".repeat(3000));
    assert_eq!(refusal("multipart/mixed;boundary=b", &folds), "more than 8192 bytes of headers in one part");
}

#[test]
fn as_many_parts_as_the_bound_and_no_more() {
    let content_type = ContentType::parse(b"multipart/mixed;boundary=b").unwrap();
    let many = |count: usize| "--b\n".repeat(count);
    let full = many(65_536);
    assert_eq!(Parts::of(&content_type, full.as_bytes()).unwrap().filter(Result::is_ok).count(), 65_536);
    let beyond = many(65_537);
    let mut parts = Parts::of(&content_type, beyond.as_bytes()).unwrap().skip(65_536);
    assert_eq!(parts.next().unwrap().unwrap_err().to_string(), "more than 65536 parts");
    assert!(parts.next().is_none());
}

/// What would be slow if anything was looked at again and again: 2 MB take a fraction of a second.
#[test]
fn hostile_bodies_take_linear_time() {
    const SIZE: usize = 2 << 20;
    let filled = |piece: &str| piece.repeat(SIZE / piece.len());
    let long = "-".repeat(255);
    let started = cpu_time();
    for (boundary, piece) in [
        ("b", "\n--b x"),
        ("b", "\n--b\t\t\t\t\t\t\tx"),
        ("b", "\r\n--bb"),
        ("b", "\n"),
        ("b", "\n--"),
        (long.as_str(), "-"),
        (long.as_str(), "\n---------------"),
    ] {
        let content_type = format!("multipart/mixed;boundary=\"{boundary}\"");
        let body = format!("--{boundary}\n\n{}", filled(piece));
        let found = parts(&content_type, body.as_bytes());
        assert!(found.is_ok_and(|parts| parts.len() == 1), "{piece:?}");
    }
    let blanks = format!("--b{}", filled(" "));
    assert_eq!(bodies(&blanks), [""]);
    let taken = cpu_time().saturating_sub(started);
    assert!(taken.as_secs() < 20, "{taken:?}");
}

/// The same line by line, without any search: bodies and names of parts.
fn slow_parts(body: &[u8], boundary: &str) -> Vec<Vec<u8>> {
    let mut found: Vec<Vec<u8>> = Vec::new();
    let mut is_in_header = true;
    let mut line_end: &[u8] = b"";
    for line in body.split_inclusive(|byte| *byte == b'\n') {
        let (text, end) = match line {
            [text @ .., b'\r', b'\n'] => (text, &line[text.len()..]),
            [text @ .., b'\n'] => (text, &line[text.len()..]),
            [text @ .., b'\r'] => (text, &line[text.len()..]),
            text => (text, &b""[..]),
        };
        let shown = String::from_utf8_lossy(text);
        let ending = shown.strip_prefix("--").and_then(|rest| rest.strip_prefix(boundary));
        match ending.map(|rest| rest.trim_end_matches([' ', '\t'])) {
            Some("--") => return found,
            Some("") => {
                found.push(Vec::new());
                is_in_header = true;
                line_end = b"";
                continue;
            }
            _ => {}
        }
        let Some(part) = found.last_mut() else { continue };
        if is_in_header {
            is_in_header = !text.trim_ascii().is_empty();
        } else {
            part.extend([line_end, text].concat());
            line_end = end;
        }
    }
    // What no boundary ends keeps its line end.
    if let Some(part) = found.last_mut() {
        part.extend(line_end);
    }
    found
}

proptest! {
    #[test]
    fn any_body_is_read_as_line_by_line(pieces in prop::collection::vec(0_usize..14, 0..40)) {
        const PIECES: [&str; 14] = [
            "--b", "--b", "\r\n--b\r\n", "\n--b\n", "\r\n", "\n", "--", "-", "b", " ", "\t", "x", "\r\n\r\n", "A: <b>\r\n",
        ];
        let mut body = String::new();
        for piece in pieces {
            // A line of blanks behind a header goes on with it; line by line it would be the empty one.
            let is_blank = matches!(PIECES[piece], " " | "\t");
            body += if is_blank && body.ends_with('\n') { "x" } else { PIECES[piece] };
        }
        let expected = slow_parts(body.as_bytes(), "b");
        match parts("multipart/mixed;boundary=b", body.as_bytes()) {
            Ok(found) => {
                let found: Vec<&[u8]> = found.iter().map(|part| part.body).collect();
                prop_assert_eq!(found, expected, "{:?}", body);
            }
            Err(_) => prop_assert!(expected.is_empty(), "{:?}", body),
        }
    }

    #[test]
    fn any_bytes_do_no_harm(body in prop::collection::vec(any::<u8>(), 0..400), boundary in "[ -~]{0,8}") {
        let content_type = format!("multipart/mixed;boundary=\"{boundary}\"");
        let _ = parts(&content_type, &body);
    }

    #[test]
    fn what_was_put_in_comes_out(texts in prop::collection::vec("[a-z<>\r\n -]{0,60}", 1..6), line_end in 0_usize..2) {
        let line_end = ["\r\n", "\n"][line_end];
        let mut body = "preamble".to_owned();
        for (place, text) in texts.iter().enumerate() {
            body += &format!("{line_end}--B0undary{line_end}Content-ID: <{place}>{line_end}{line_end}{text}");
        }
        body += &format!("{line_end}--B0undary--");
        let found = parts("multipart/related;boundary=B0undary", body.as_bytes()).unwrap();
        prop_assert_eq!(found.len(), texts.len());
        for (place, (part, text)) in found.iter().zip(&texts).enumerate() {
            let id = place.to_string();
            prop_assert_eq!(part.content_id, Some(id.as_bytes()));
            // A line end of LF alone takes a CR before it along.
            let text = if line_end == "\n" { text.strip_suffix('\r').unwrap_or(text) } else { text };
            prop_assert_eq!(part.body, text.as_bytes());
        }
    }
}
