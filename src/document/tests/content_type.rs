use crate::document::ContentType;
use crate::document::error::DocumentError;

fn parse(value: &str) -> ContentType<'_> {
    ContentType::parse(value.as_bytes()).unwrap()
}

fn problem(value: &[u8]) -> String {
    ContentType::parse(value).unwrap_err().to_string()
}

#[test]
fn essence_compares_without_regard_to_case_and_white_space() {
    for value in [
        "application/pidf+xml",
        "Application/PIDF+XML",
        "  application / pidf+xml  ",
        "application\r\n / \tpidf+xml;charset=utf-8",
    ] {
        let parsed = parse(value);
        assert!(parsed.is("application/pidf+xml"), "{value:?}");
    }
    assert!(!parse("application/pidf+xml").is("application/pidf-diff+xml"));
    assert!(!parse("application/pidf+xml").is("application"));
    assert!(parse("application/pidf+xml;x=y").is("application/pidf+xml"));
}

#[test]
fn parameters_in_order_quoted_folded_escaped() {
    let value = "multipart/related;type=\"application/rlmi+xml\" ;\r\n start=\"<a@b>\";Boundary = \"x;\\\"y\\\\\"";
    let parsed = parse(value);
    let names: Vec<_> = parsed.parameters().map(|each| each.name).collect();
    assert_eq!(names, ["type", "start", "Boundary"]);
    let boundary = parsed.parameter("boundary").unwrap();
    assert_eq!(boundary.to_string(), "x;\"y\\");
    assert_eq!(boundary.as_sent(), "x;\\\"y\\\\");
    assert_eq!(parsed.parameter("TYPE").unwrap().to_string(), "application/rlmi+xml");
    assert_eq!(parsed.parameter("start").unwrap().to_string(), "<a@b>");
    assert!(parsed.parameter("charset").is_none());
}

#[test]
fn the_first_of_two_equal_names_counts() {
    let parsed = parse("a/b;x=1;X=2");
    assert_eq!(parsed.parameter("x").unwrap().to_string(), "1");
    assert_eq!(parsed.parameters().count(), 2);
}

#[test]
fn lenient_forms() {
    let parsed = parse("multipart/related;;type=application/rlmi+xml;boundary=--=_a:b;flag; ;");
    assert_eq!(parsed.parameter("type").unwrap().to_string(), "application/rlmi+xml");
    assert_eq!(parsed.parameter("boundary").unwrap().to_string(), "--=_a:b");
    assert_eq!(parsed.parameter("flag").unwrap().to_string(), "");
    assert_eq!(parsed.parameters().count(), 3);
    // A backslash outside quotes would be no escape, and is refused.
    assert!(ContentType::parse(b"a/b;c=d\\e").is_err());
}

#[test]
fn errors_name_the_value_and_the_problem() {
    for (value, wanted) in [
        (&b""[..], "has no type"),
        (b"/xml", "has no type"),
        (b"application", "has no \"/\""),
        (b"application pidf+xml", "has no \"/\""),
        (b"application/", "has no subtype"),
        (b"application/;x=y", "has no subtype"),
        (b"a/b c", "other than \";\""),
        (b"a/b, c/d", "other than \";\""),
        (b"a/b;=c", "without a name"),
        (b"a/b;c=\"d", "not closed"),
        (b"a/b;c=\"d\\\"", "not closed"),
        (b"a/b;c=\"d\"e", "other than \";\""),
        (b"a/b;c=d\"e\"", "quote inside"),
        (b"a/b;c=\"\x01\"", "control character"),
        (b"a/b;c=\xFF", "not UTF-8"),
        (b"a\0/b", "has no \"/\""),
    ] {
        let message = problem(value);
        assert!(message.contains(wanted), "{value:?}: {message}");
    }
    let long = [b'a'; 5000];
    assert!(problem(&long).len() < 200);
    assert!(problem(b"a\r\nb").contains(r"a\r\nb"));
    let error = ContentType::parse(b"x").unwrap_err();
    assert!(matches!(error, DocumentError::ContentType { .. }));
    assert_eq!(error.sip_status(), 400);
}

#[test]
fn every_prefix_of_a_value_is_an_error_or_fine() {
    let value = b"multipart/related;type=\"application/rlmi+xml\";start=\"<a\\\"@b>\"; boundary=x";
    for end in 0..value.len() {
        if let Ok(parsed) = ContentType::parse(&value[..end]) {
            parsed.parameters().for_each(drop);
        }
    }
}

/// A script may write it into a header: what is no fold would begin another one there.
#[test]
fn line_ends_are_folds() {
    for value in ["a/b;c=\"d\re\"", "a/b;c=\"d\r\ne\"", "a/b;\rc=d", "a/b;\nc=d", "a/b;c=d\r", "a/b\r\n\r\n ;c=d"] {
        assert!(ContentType::parse(value.as_bytes()).is_err(), "{value:?}");
    }
    for value in ["a/b;c=\"d\r\n e\"", "a/b;c=\"d\n\te\"", "a/b;\r\n c=d", "a/b\n ;c=d"] {
        assert!(ContentType::parse(value.as_bytes()).is_ok(), "{value:?}");
    }
}
