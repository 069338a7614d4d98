//! Texts that come through the gate, and texts that do not.

use proptest::prelude::*;

use super::super::route::LONGEST_ROUTE_SET;
use super::super::tag::{LONGEST_ENTITY_TAG, LONGEST_TAG};
use super::super::uri::LONGEST_URI;
use super::super::*;

#[test]
fn uris_that_requests_can_go_to() {
    for good in [
        "sip:alice@192.0.2.20:5060",
        "sip:alice@192.0.2.20",
        "SIP:host.example.com",
        "sip:host.example.com.",
        "sip:my_container-1:5080",
        "sip:3f2a9c:5060",
        "sips:alice@example.com;transport=tcp",
        "sip:[2001:db8::9:1]:5061;transport=TLS",
        "sip:alice:secret@[::1]",
        "sip:a%40b;x=1/2?@example.com",
        "sip:#100@example.com",
        "sip:a@example.com;ob;lr;x=y==;gr=urn:uuid:f81d4fae-7dec",
        "sip:a@example.com;maddr=192.0.2.7;ttl=1;transport=udp",
        "sip:a@example.com;alias=192.0.2.7~5060~2",
        "sip:a@example.com:65535;",
        "sip:a@b",
    ] {
        let uri = PeerUri::judge(good.as_bytes());
        assert_eq!(uri.map(PeerUri::text), Some(good.as_bytes()), "{good}");
        assert_eq!(uri.map(PeerUri::is_sips), Some(good.starts_with("sips")), "{good}");
    }
    let longest = format!("sip:a@example.com;x={}", "y".repeat(LONGEST_URI - "sip:a@example.com;x=".len()));
    assert!(PeerUri::judge(longest.as_bytes()).is_some());
}

/// Some of each kind that is met, and each byte that must not be in a line.
#[test]
fn uris_that_no_request_can_go_to() {
    for bad in [
        "",
        "*",
        "sip:",
        "sips:",
        "sip",
        "alice@example.com",
        "tel:+15550100",
        "mailto:alice@example.com",
        "sip:2001:db8::55:4060;transport=udp",
        "sip:alice@2001:db8::55",
        "sip:alice@[2001:db8::55",
        "sip:alice@[2001:db8::zz]",
        "sip:alice@[fe80::1%eth0]",
        "sip:alice@[]",
        "sip:alice@[::]",
        "sip:alice@[ff02::1]",
        "sip:alice@192.0.2.20:99999",
        "sip:alice@192.0.2.20:0",
        "sip:alice@192.0.2.20:",
        "sip:alice@192.0.2.20:+80",
        "sip:alice@192.0.2.20:005060",
        "sip:alice@192.0.2.300",
        "sip:alice@192.0.2",
        "sip:alice@0.0.0.0",
        "sip:alice@255.255.255.255",
        "sip:alice@224.0.1.75",
        "sip:@example.com",
        "sip:alice@",
        "sip:alice@-x",
        "sip:alice@x-",
        "sip:alice@a..b",
        "sip:alice@.",
        "sip:a@b@example.com",
        "sip:a%4@example.com",
        "sip:a%zz@example.com",
        "sip:a@example.com;%",
        "sip:a@example.com;=x",
        "sip:a@example.com;x=a@b",
        "sip:a@example.com;transport=carrier-pigeon",
        "sip:a@example.com;transport=",
        "sip:a@example.com;maddr=0.0.0.0",
        "sips:a@example.com;transport=udp",
        "sip:a{b}@example.com",
        "sip:a\\b@example.com",
        "sip:a@example.com?Subject=x",
        "sip:a@example.com;method=BYE",
        "sip:a@example.com;x=1\r\n ;y=2",
        " sip:a@example.com",
        "sip:a@example.com ",
        "<sip:a@example.com>",
        "sip:J\u{e4}rg@example.com",
        &format!("sip:a@{}", "a".repeat(64)),
        &format!("sip:a@{}b", "a.".repeat(127)),
        &format!("sip:a@example.com;x={}", "y".repeat(LONGEST_URI)),
    ] {
        assert_eq!(PeerUri::judge(bad.as_bytes()), None, "{bad}");
    }
    for byte in (0..=b' ').chain([0x7f]).chain(0x80..=0xff).chain(*b"\"<>") {
        for (before, after) in [("sip:a", "b@example.com"), ("sip:a@exa", "mple.com"), ("sip:a@example.com;x", "y")] {
            let uri = [before.as_bytes(), &[byte], after.as_bytes()].concat();
            assert!(PeerUri::judge(&uri).is_none() && Target::judge(&uri).is_none(), "{byte}");
        }
        assert!(Target::judge(&[b"sip:a@x?h=", &[byte][..], b"z"].concat()).is_none(), "{byte}");
    }
}

#[test]
fn headers_and_method_are_taken_off() {
    for (given, kept) in [
        ("sip:a@example.com", "sip:a@example.com"),
        ("sip:a@example.com?Route=%3Csip:evil%3E&body=x", "sip:a@example.com"),
        ("sip:a@example.com;method=INVITE", "sip:a@example.com"),
        ("sip:a@example.com;x=1;METHOD=BYE;y=2;method?Subject=x", "sip:a@example.com;x=1;y=2"),
        ("sip:a;method=x@example.com;lr?", "sip:a;method=x@example.com;lr"),
    ] {
        let target = Target::judge(given.as_bytes());
        assert_eq!(target.as_ref().map(|target| target.uri().text()), Some(kept.as_bytes()), "{given}");
    }
    let headers = format!("sip:a@example.com?x={}", "y".repeat(LONGEST_URI));
    assert!(Target::judge(headers.as_bytes()).is_some(), "only what is kept is counted");
}

#[test]
fn a_sips_record_is_left_for_no_sip_uri() {
    let judged = |text: &'static str| PeerUri::judge(text.as_bytes()).unwrap();
    for (uri, record, may) in [
        ("sips:a@x", "sips:a@x", true),
        ("SIPS:a@x", "sips:a@x", true),
        ("sip:a@x;transport=tls", "SIPS:a@x", false),
        ("sip:a@x", "sip:a@x", true),
        ("sips:a@x", "sip:a@x", true),
    ] {
        assert_eq!(judged(uri).is_as_secure_as(record.as_bytes()), may, "{uri} for {record}");
    }
}

fn uris(value: &str) -> Vec<Option<String>> {
    let text = |uri: &[u8]| String::from_utf8_lossy(uri).into_owned();
    Addresses::of(value.as_bytes()).map(|entry| entry.ok().map(|entry| text(entry.uri))).collect()
}

#[test]
fn what_is_readable_of_a_list_is_read() {
    let good = || Some("sip:a@x".to_owned());
    for (value, read) in [
        ("sip:a@x", vec![good()]),
        ("sip:a@x;q=1", vec![good()]),
        (" \r\n sip:a@x ;\r\n\tq=1 ", vec![good()]),
        ("<sip:a@x>;", vec![good()]),
        ("<sip:a@x>,", vec![good(), None]),
        (",<sip:a@x>", vec![None, good()]),
        ("<sip:a@x>, <sip:", vec![good(), None]),
        ("<sip:a@x>, \"b, <sip:b@x>", vec![good(), None]),
        ("\"A, <B> \\\"C\\\"\"\r\n <sip:a@x>;p=\",\", sip:b@x", vec![good(), Some("sip:b@x".to_owned())]),
        ("A B<sip:a@x> garbage", vec![good()]),
        ("<sip:a@x>;p=\"open", vec![good()]),
        ("*", vec![Some("*".to_owned())]),
        ("<>", vec![Some(String::new())]),
        ("<<>>", vec![Some("<".to_owned())]),
        ("", vec![None]),
        ("\"", vec![None]),
        ("<sip:a@x", vec![None]),
        ("\"a\" <sip:x@y", vec![None]),
    ] {
        assert_eq!(uris(value), read, "{value}");
    }
}

#[test]
fn preferences_are_read_as_decimals() {
    for (parameters, q) in [
        ("", 1000),
        (";expires=3", 1000),
        (";q=0.5", 500),
        ("; Q = 0.25 ;x", 250),
        (";q=1", 1000),
        (";q=1.000", 1000),
        (";q=0", 0),
        (";q=0.", 0),
        (";x=\";q=0.1\";q=0.001", 1),
        (";q", -1),
        (";q=", -1),
        (";q=2", -1),
        (";q=1.001", -1),
        (";q=0.1234", -1),
        (";q=-0.5", -1),
        (";q=\"0.5\"", -1),
    ] {
        assert_eq!(preference(parameters.as_bytes()), q, "{parameters}");
    }
}

fn routes(values: &[&str]) -> Option<String> {
    let routes = Routes::judge(values.iter().map(|value| value.as_bytes())).ok()?;
    Some(String::from_utf8(routes.set().text().to_vec()).unwrap())
}

#[test]
fn route_sets_are_taken_as_they_are_written() {
    assert_eq!(routes(&[]).as_deref(), Some(""));
    let three = ["<sip:192.0.2.1;lr;x=1>, <sip:b@p.example>", "\"C, of three\" <sips:[::1]:5061;lr>;p=v;q"];
    assert_eq!(routes(&three), Some(three.join(", ")));
    let reversed = Routes::judge_reversed(three.iter().map(|value| value.as_bytes())).unwrap();
    let wanted = "\"C, of three\" <sips:[::1]:5061;lr>;p=v;q, <sip:b@p.example>, <sip:192.0.2.1;lr;x=1>";
    assert_eq!((reversed.set().text(), reversed.set().is_sips()), (wanted.as_bytes(), false));
    assert!(Routes::judge([&b"<sips:p>"[..]].into_iter()).unwrap().set().is_sips());
    assert_eq!(routes(&["<sip:p;lr>;"]).as_deref(), Some("<sip:p;lr>"));
    // Folds, and names that no line can hold, are not part of it.
    assert_eq!(routes(&["\"J\u{e4}rg\"\r\n <sip:p;lr> ;\r\n\tx = \"y z\""]).as_deref(), Some("<sip:p;lr>;x=\"y z\""));
    assert_eq!(routes(&["\"a\r\n b\" <sip:p;lr>"]).as_deref(), Some("<sip:p;lr>"));
}

#[test]
fn one_bad_route_spoils_the_set() {
    for bad in [
        "",
        "sip",
        "sip:p;lr",
        "<sip:",
        "\"x",
        "<sip:a;lr>,",
        "<sip:a;lr>, <",
        "<sip:a;lr>, <tel:1>",
        "<sip:a;lr\r\n >",
        "<sip:a;lr?x=y>",
        "<sip:a:0;lr>",
        "<sip:a;lr> garbage",
        "<sip:a;lr>;x=\"\r\n y\"",
        "<sip:a;lr>;x=\"\u{1}\"",
        "<sip:a;lr>;x=y\rz",
        "<sip:a;lr>;x\ry=z",
        "<sip:a;lr>;x=\"open",
    ] {
        assert_eq!(routes(&["<sip:good;lr>", bad]), None, "{bad:?}");
    }
    let long = format!("<sip:{}.example;lr>", "a".repeat(50));
    assert!(
        routes(&[&long].repeat(LONGEST_ROUTE_SET / (long.len() + 2)).iter().map(|it| it.as_str()).collect::<Vec<_>>())
            .is_some()
    );
    assert!(
        routes(&[&long].repeat(LONGEST_ROUTE_SET / long.len() + 1).iter().map(|it| it.as_str()).collect::<Vec<_>>())
            .is_none()
    );
}

#[test]
fn tags_end_neither_a_parameter_nor_a_line() {
    for good in ["a", "a.1-b~", "a@b:1", "0x{1}", &"t".repeat(LONGEST_TAG)] {
        assert_eq!(Tag::judge(good.as_bytes()).map(Tag::text), Some(good.as_bytes()));
    }
    assert!(Tag::judge(b"").is_some_and(Tag::is_none) && !Tag::judge(b"a").unwrap().is_none());
    assert!(Tag::judge("t".repeat(LONGEST_TAG + 1).as_bytes()).is_none());
    for byte in (0..=b' ').chain(0x7f..=0xff).chain(*b"\"<>;,") {
        assert!(Tag::judge(&[b'a', byte, b'b']).is_none(), "{byte}");
        assert!(EntityTag::judge(&[b'a', byte, b'b']).is_none(), "{byte}");
    }
    assert!(EntityTag::judge(b"a.1").is_some() && EntityTag::judge(b"").is_none());
    assert!(EntityTag::judge("t".repeat(LONGEST_ENTITY_TAG + 1).as_bytes()).is_none());
}

/// Bytes as a peer in bad faith may mix them: anything, between what makes it look right.
fn hostile() -> impl Strategy<Value = Vec<u8>> {
    let pieces = prop_oneof![
        4 => prop::sample::select(vec![
            &b"sip:"[..], b"sips:", b"a", b"@", b"x.example", b"192.0.2.1", b"[::1]", b":5060", b";", b"lr", b"transport=tcp",
            b"method=BYE", b"?", b"x=y", b"<", b">", b"\"", b",", b", ", b"%41", b";tag=", b"*",
        ])
        .prop_map(<[u8]>::to_vec),
        1 => prop::sample::select(vec![&b"\r\n "[..], b"\r\n", b"\r", b"\n", b"\0", b"\x01", b" ", b"\t", b"\x7f", b"\xff"])
            .prop_map(<[u8]>::to_vec),
        1 => prop::collection::vec(any::<u8>(), 0..4),
    ];
    prop::collection::vec(pieces, 0..12).prop_map(|pieces| pieces.concat())
}

fn is_in_line(text: &[u8]) -> bool {
    text.iter().all(|byte| byte.is_ascii_graphic() || *byte == b' ')
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    /// Of random bytes, every accepted text can be in a request line and between angle brackets.
    #[test]
    fn whatever_comes_what_is_taken_is_one_word(bytes in hostile()) {
        for text in [bytes.clone(), [b"sip:a@", &bytes[..]].concat(), [&b"sip:a@x;p="[..], &bytes].concat()] {
            if let Some(target) = Target::judge(&text) {
                let uri = target.uri().text();
                prop_assert!(uri.iter().all(|byte| byte.is_ascii_graphic() && !b"\"<>?".contains(byte)) || uri.contains(&b'@'));
                prop_assert!(uri.iter().all(|byte| byte.is_ascii_graphic() && !b"\"<>".contains(byte)));
                prop_assert_eq!(PeerUri::judge(uri), Some(target.uri()));
            }
            if let Some(tag) = Tag::judge(&text) {
                prop_assert!(tag.text().iter().all(|byte| byte.is_ascii_graphic() && !b"\"<>;,".contains(byte)));
            }
            if let Some(tag) = EntityTag::judge(&text) {
                prop_assert!(is_token(tag.text()));
            }
        }
    }

    /// Of any Record-Route headers either nothing is taken or one line of as many entries as there were.
    #[test]
    fn whatever_routes_come_what_is_taken_is_one_line(values in prop::collection::vec(hostile(), 0..3)) {
        let values = values.iter().map(|bytes| [b"<sip:p;lr", &bytes[..], b">"].concat()).collect::<Vec<_>>();
        if let Ok(routes) = Routes::judge(values.iter().map(Vec::as_slice)) {
            prop_assert!(is_in_line(routes.set().text()) && routes.set().text().len() <= LONGEST_ROUTE_SET);
            let again = Routes::judge([routes.set().text()].into_iter().filter(|text| !text.is_empty()));
            prop_assert_eq!(again, Ok(routes));
        }
    }

    /// Any list of addresses can be read to its end.
    #[test]
    fn any_list_has_an_end(bytes in hostile()) {
        let entries = Addresses::of(&bytes).count();
        prop_assert!(entries <= bytes.len() + 1);
        for entry in Addresses::of(&bytes).flatten() {
            let q = preference(entry.parameters.unwrap_or_default());
            prop_assert!((-1..=1000).contains(&q));
        }
    }
}
