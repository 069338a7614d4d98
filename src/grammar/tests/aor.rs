use crate::grammar::Aor;

fn text(uri: &str) -> Option<String> {
    Aor::read(uri.as_bytes()).map(|aor| String::from_utf8_lossy(&aor.text()).into_owned())
}

#[test]
fn the_same_address_has_the_same_text() {
    for uri in [
        "sip:alice@example.com",
        "sips:alice@EXAMPLE.com",
        "SIP:alice:secret@example.com:5080;transport=tcp;x=a@b",
        "sip:%61lic%65@example.com?Subject=a",
    ] {
        assert_eq!(text(uri).as_deref(), Some("alice@example.com"), "{uri}");
    }
    assert_eq!(text("sip:Alice@example.com").as_deref(), Some("Alice@example.com"));
    assert_eq!(text("sip:alice@[2001:DB8::1]:5060;lr").as_deref(), Some("alice@[2001:db8::1]"));
    assert_eq!(text("sip:a;b=c@example.com").as_deref(), Some("a;b=c@example.com"));
    assert_eq!(text("sip:example.com;x").as_deref(), Some("@example.com"));
}

#[test]
fn the_user_as_it_is_written() {
    assert_eq!(Aor::user_as_written(b"sips:%61lice:secret@EXAMPLE.com:5061"), b"%61lice");
    assert_eq!(Aor::user_as_written(b"sip:example.com"), b"");
}

#[test]
fn what_is_no_address_of_record_is_refused() {
    for uri in [
        "",
        "alice@example.com",
        "tel:+123",
        "sip:",
        "sip:a@",
        "sip:a b@c",
        "sip:a%0a@c",
        "sip:a%4@c",
        "sip:a@b_c",
        "sip:a@[::1",
        "sip:@example.com",
    ] {
        assert_eq!(text(uri), None, "{uri}");
    }
}
