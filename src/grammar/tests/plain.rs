//! Headers as nearly all of them are.

use super::super::*;

#[test]
fn the_sets_are_those_of_the_grammar() {
    for byte in 0..=u8::MAX {
        let of_token = byte.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(&byte);
        assert_eq!(is_token(&[byte]), of_token, "{byte}");
        let is_uri = plain_uri(&[b'<', byte, b'>']).is_some();
        assert_eq!(is_uri, byte.is_ascii_graphic() && !b"<>\"".contains(&byte), "{byte}");
    }
    assert!(!is_token(b"") && is_token(b"a-1"));
    for len in 1..40 {
        let mut text = vec![b'a'; len];
        assert!(is_token(&text), "{len} bytes");
        for at in 0..len {
            text[at] = b' ';
            assert!(!is_token(&text), "{len} bytes, a space at {at}");
            text[at] = b'a';
        }
    }
}

#[test]
fn lists_are_taken_apart_and_only_tokens_are_joined_again() {
    let list = b"a , b,\r\n c,, ,\"d\",e;f";
    let items: Vec<_> = listed(list).collect();
    assert_eq!(items, [&b"a"[..], b"b", b"c", b"\"d\"", b"e;f"]);
    assert_eq!(joined_tokens(items.into_iter(), 100), b"a, b, c");
    let joined = |texts: &[&str], most| joined_tokens(texts.iter().map(|text| text.as_bytes()), most);
    assert_eq!(joined(&["a\r\nX: y", "b", ""], 100), b"b");
    assert_eq!(joined(&["a", "long", "bc"], 5), b"a, bc");
    assert_eq!(joined(&["abcdef"], 5), b"");
}

#[test]
fn what_is_plain_is_read_and_the_rest_is_left_to_the_parser() {
    assert_eq!(plain_uri(b"<sip:a@x;transport=tcp>"), Some(&b"sip:a@x;transport=tcp"[..]));
    for other in [&b"sip:a@x"[..], b"<>", b"", b"<sip:a@x>;q=1", b"A <sip:a@x>", b"<sip:a@x>, <sip:b@x>", b"< sip:a@x>"]
    {
        assert_eq!(plain_uri(other), None, "{other:?}");
    }
    assert_eq!(plain_tag(b"<sip:a@x>;tag=a.1-b"), Some(&b"a.1-b"[..]));
    for other in [
        &b"<sip:a@x>"[..],
        b"<sip:a@x>;tag=",
        b"<sip:a@x>;x=y;tag=a",
        b"<sip:a@x>;tag=a;x=y",
        b"<sip:a@x> ;tag=a",
        b"\"<b>;tag=c\" <sip:a@x>;tag=a",
        b"sip:a@x;tag=a",
        b"<sip:a@x>;TAG=a",
        b"<sip:a@x>;tag=a b",
    ] {
        assert_eq!(plain_tag(other), None, "{other:?}");
    }
}

#[test]
fn plain_sip_uris_are_told_from_all_others() {
    let plain = |host: &'static [u8], port| Some(PlainSipUri { host, port });
    assert_eq!(PlainSipUri::read(b"sip:+a.b-c_1@Host-1.example"), plain(b"Host-1.example", None));
    assert_eq!(PlainSipUri::read(b"sip:a@127.0.0.1:65535"), plain(b"127.0.0.1", Some(65535)));
    for other in [
        &b""[..],
        b"sip:",
        b"sip:x",
        b"sip:@x",
        b"sip:a@",
        b"sip:a@.x",
        b"sip:a@-x",
        b"sip:a@x_y",
        b"sip:a@x:",
        b"sip:a@x:0",
        b"sip:a@x:65536",
        b"sip:a@x:5060;transport=tcp",
        b"sip:a@x;lr",
        b"sip:a@x?y=z",
        b"sip:a:b@x",
        b"sip:a@b@x",
        b"sip:a@[::1]",
        b"sip:a@[::1]:5060",
        b"sip:a@x:5060:1",
        b"sip:a b@x",
        b"sip:a;x=y@x",
        b"sips:a@x",
        b"SIP:a@x",
        b"tel:+1",
        b" sip:a@x",
    ] {
        assert_eq!(PlainSipUri::read(other), None, "{other:?}");
    }
}

#[test]
fn the_terms_of_a_plain_answer_are_read() {
    let terms = |contact: &'static [u8], expires| Some(PlainTerms { contact: Some(contact), expires });
    let rest = b"Contact: <sip:a@x>\r\nExpires: 3600\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(PlainTerms::read(rest), terms(b"sip:a@x", Some(3600)));
    let rest = b"EXPIRES:60 \r\nm:<sip:a@x>\r\nserver: b, c: d\r\nl:\t3\r\n\r\n: x";
    assert_eq!(PlainTerms::read(rest), terms(b"sip:a@x", Some(60)));
    assert_eq!(PlainTerms::read(b"\r\n"), Some(PlainTerms::default()));
}

#[test]
fn what_a_plain_answer_does_not_have_is_left_to_the_parser() {
    for line in [
        "Record-Route: <sip:p;lr>",
        "Authentication-Info: nextnonce=\"1\"",
        "Contact: <sip:a@x>, <sip:b@x>",
        "Contact: <sip:a@x>\r\nContact: <sip:b@x>",
        "Contact: <sip:a@x>;q=0.5",
        "Contact: *",
        "Contact:",
        "Contact : <sip:a@x>",
        " Contact: <sip:a@x>",
        "Contact:\r\n <sip:a@x>",
        "Server: a\r\n Contact: <sip:a@x>",
        "Server: a\r\n\tb",
        "Expires: 1\r\nExpires: 2",
        "Expires: ",
        "Expires: -1",
        "Expires: +1",
        "Expires: 4294967296",
        "Expires: 00000000060",
        "Content-Length: 1x",
        "Retry-After: 1",
        "To: <sip:a@x>;tag=1",
        "Expires",
        "Server: a\nExpires: 1",
    ] {
        assert_eq!(PlainTerms::read(format!("{line}\r\n\r\n").as_bytes()), None, "{line}");
    }
    for cut in ["", "Expires: 1", "Expires: 1\r\n", "Expires: 1\r\n\r", "\n"] {
        assert_eq!(PlainTerms::read(cut.as_bytes()), None, "{cut:?}");
    }
}
