//! The Subscription-State header, and the packages.

use proptest::prelude::*;

use super::*;

/// State, reason, expires, retry-after.
type Read = (StateValue, Option<String>, Option<u32>, Option<u32>);

fn parse(text: &str) -> Option<Read> {
    SubscriptionState::parse(text.as_bytes()).map(|state| {
        let reason = state.reason.map(|reason| String::from_utf8(reason.to_vec()).unwrap());
        (state.value, reason, state.expires, state.retry_after)
    })
}

#[test]
fn the_grammar() {
    use StateValue::{Active, Other, Pending, Terminated};
    let cases = [
        ("active", (Active, None, None, None)),
        ("ACTIVE", (Active, None, None, None)),
        (" \t active \r\n ", (Active, None, None, None)),
        ("pending;expires=60", (Pending, None, Some(60), None)),
        ("active ; expires = 60", (Active, None, Some(60), None)),
        ("active\r\n ;\r\n\texpires\r\n =\r\n 60", (Active, None, Some(60), None)),
        ("Terminated;Reason=TimeOut;Retry-After=5", (Terminated, Some("TimeOut"), None, Some(5))),
        ("terminated;reason=\"giveup\"", (Terminated, Some("giveup"), None, None)),
        ("active;reason=terminated", (Active, Some("terminated"), None, None)),
        ("active;x=terminated;terminated;y=\"a;terminated;expires=7\"", (Active, None, None, None)),
        ("active;x=\"\\\";expires=7\";expires=8", (Active, None, Some(8), None)),
        ("active;x=\"open;expires=7", (Active, None, None, None)),
        ("active;max-rate=1;adaptive-min-rate=[2001:db8::1];expires=9", (Active, None, Some(9), None)),
        ("activeterminated", (Other, None, None, None)),
        ("x-new;expires=3", (Other, None, Some(3), None)),
        ("active;expires=4294967295", (Active, None, Some(u32::MAX), None)),
        ("active;expires=4294967296", (Active, None, Some(u32::MAX), None)),
        ("active;expires=99999999999999999999999999", (Active, None, Some(u32::MAX), None)),
        ("active;expires=", (Active, None, None, None)),
        ("active;expires", (Active, None, None, None)),
        ("active;expires=-1;retry-after=1.5;reason=", (Active, None, None, None)),
        ("active;expires=6 0;reason=two words", (Active, None, None, None)),
        ("active;expires=soon;expires=5;expires=6", (Active, None, Some(5), None)),
        ("active;expires=\"60\"", (Active, None, Some(60), None)),
        ("active;;expires=60;", (Active, None, Some(60), None)),
        ("active;=60;xexpires=60;expiresx=60", (Active, None, None, None)),
        // Met in the field.
        ("active, 3600", (Active, None, None, None)),
        ("active,", (Active, None, None, None)),
        ("active expires=600", (Active, None, Some(600), None)),
        ("active , expires=600;reason=x", (Active, Some("x"), Some(600), None)),
        ("terminated reason=timeout", (Terminated, Some("timeout"), None, None)),
        ("active pending", (Active, None, None, None)),
        ("terminated\r\n ,\tretry-after = 7", (Terminated, None, None, Some(7))),
    ];
    for (text, (value, reason, expires, retry_after)) in cases {
        assert_eq!(parse(text), Some((value, reason.map(str::to_owned), expires, retry_after)), "{text:?}");
    }
    for text in ["", " ", ";", ";expires=60", ",", ", active", "=", "\"active\"", "act\u{e9}", "a=b", "(active) active"]
    {
        assert_eq!(parse(text), None, "{text:?}");
    }
}

proptest! {
    #[test]
    fn no_header_panics(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
        let _ = SubscriptionState::parse(&bytes);
    }

    #[test]
    fn near_headers_do_not_panic(
        text in "(active|pending|terminated|x)?([;= \"\\\\\r\n]|expires|reason|retry-after|[0-9]{1,11}|[a-z]){0,12}",
    ) {
        let _ = SubscriptionState::parse(text.as_bytes());
    }

    #[test]
    fn parameters_never_change_the_state(params in "(;[a-z]{1,9}(=[a-z;]{0,9})?){0,4}") {
        let text = format!("pending{params};terminated;active");
        prop_assert_eq!(SubscriptionState::parse(text.as_bytes()).unwrap().value, StateValue::Pending);
    }

    #[test]
    fn numbers_are_read(expires in any::<u32>(), retry_after in any::<u32>()) {
        let text = format!("terminated;expires={expires};retry-after={retry_after}");
        let state = SubscriptionState::parse(text.as_bytes()).unwrap();
        prop_assert_eq!((state.expires, state.retry_after), (Some(expires), Some(retry_after)));
    }
}

#[test]
fn packages_are_found_by_their_exact_name() {
    for package in package::ALL {
        assert_eq!(package::find(package.name.as_bytes()), Some(package));
        assert!(!package.accept.is_empty() && package.supported.is_empty());
    }
    for name in [&b""[..], b"Presence", b"presence ", b"presence.winf", b"conference"] {
        assert_eq!(package::find(name), None);
    }
}

/// The peer's text is kept up to a bound.
#[test]
fn a_reason_is_not_too_long() {
    for (bytes, is_taken) in [(255, true), (256, false), (60_000, false)] {
        let text = format!("terminated;reason={};retry-after=7", "r".repeat(bytes));
        let state = SubscriptionState::parse(text.as_bytes()).unwrap();
        assert_eq!((state.reason.is_some(), state.retry_after), (is_taken, Some(7)), "{bytes}");
    }
}
