//! The text of options, and what becomes of a subscription that has some.

use proptest::prelude::*;

use super::*;
use crate::testing::uris;

fn parse(text: &str) -> Options {
    Options::parse(text.as_bytes()).unwrap_or_else(|error| panic!("{text:?}: {error}"))
}

fn refused(text: &str) -> String {
    match Options::parse(text.as_bytes()) {
        Ok(options) => panic!("{text:?} is {options:?}"),
        Err(error) => error.to_string(),
    }
}

fn terms(text: &str) -> Terms {
    parse(text).terms
}

#[test]
fn the_grammar() {
    for none in ["", " ", "\r\n "] {
        assert_eq!(parse(none), Options::default());
    }
    for same in [
        "id=desk;expires=60",
        "EXPIRES=60;Id=desk",
        " id = desk ;\r\n expires\t= 60 ",
        "id=\"desk\";expires=\"60\"",
        "id=\"d\\e\\sk\";expires=060",
    ] {
        let options = parse(same);
        assert_eq!((options.id.as_str(), options.terms.expires), ("desk", Some(60)), "{same}");
        assert_eq!(options.to_string(), "id=desk;expires=60");
    }
    assert_eq!(parse("id=a-.!%*_+`'~9").id, "a-.!%*_+`'~9");
    for (text, seconds) in [("fetch", 32), (" Fetch ", 32), ("fetch=1", 1), ("fetch=\"3600\"", 3600)] {
        assert_eq!(parse(text).to_string(), format!("fetch={seconds}"));
    }
    assert_eq!(parse("expires=315360000").terms.expires, Some(315_360_000));
}

#[test]
fn whose_state_it_becomes() {
    assert_eq!(parse("publish").publish, Some(PublishAs::Record));
    let uri = "sip:desk@example.com;transport=tcp";
    for text in [
        format!("publish_as=\"{uri}\""),
        format!("publish;Publish_As=\"{uri}\""),
        format!("publish_as=\"{uri}\";publish"),
    ] {
        assert_eq!(parse(&text).publish, Some(PublishAs::Uri(uri.to_owned())), "{text}");
        assert!(parse(&text).terms.keep, "{text}");
    }
    for (text, why) in [
        ("publish=1", "option publish is \"1\", but must be without a value"),
        ("publish_as", "option publish_as is \"\", but must be a SIP URI with a user"),
        ("publish_as=sip:example.com", "option publish_as is \"sip:example.com\", but must be a SIP URI with a user"),
        ("publish_as=desk", "option publish_as is \"desk\""),
        ("publish_as=\"sip:a\\\"b@example.com\"", "must be a SIP URI with a user"),
        ("publish;fetch", "option publish is \"\", but must be omitted if option fetch is given"),
        ("publish_as=sip:a@b;list", "option publish_as is \"sip:a@b\", but must be omitted if option list is given"),
        ("share;publish", "option publish is \"\", but must be omitted if option share is given"),
    ] {
        assert!(refused(text).contains(why), "{text}: {}", refused(text));
    }
}

#[test]
fn what_is_wrong_is_named_with_what_is_allowed() {
    let seconds = "1 to 315360000 seconds";
    for (text, parts) in [
        ("exipres=60", ["unknown option \"exipres\": did you mean expires?", ""]),
        (";", ["unknown option \"\"", "known are"]),
        ("colour=60", ["unknown option \"colour\"", "known are id, expires, fetch, share, max-rate"]),
        ("expires=60;", ["unknown option \"\"", "known are"]),
        ("id=a;expires=6;ID=b", ["option id is given again, as \"b\"", "once"]),
        ("id", ["option id is \"\"", "a token"]),
        ("id=", ["option id is \"\"", "a token"]),
        ("id=a b", ["option id is \"a b\"", "a token"]),
        ("id=\"a;b\"", ["option id is \"a;b\"", "a token"]),
        ("id=\"a", ["option id is \"\\\"a\"", "a token"]),
        ("id=\"a\\\"", ["option id is", "a token"]),
        ("id=\"a\"b", ["option id is", "a token"]),
        ("id=\u{e4}", ["option id is \"\u{e4}\"", "a token"]),
        ("expires", ["option expires is \"\"", seconds]),
        ("expires=0", ["option expires is \"0\"", seconds]),
        ("expires=315360001", ["option expires is \"315360001\"", seconds]),
        ("expires=99999999999999999999", ["is \"99999999999999999999\"", seconds]),
        ("expires=-1", ["option expires is \"-1\"", seconds]),
        ("expires=+1", ["option expires is \"+1\"", seconds]),
        ("expires=6 0", ["option expires is \"6 0\"", seconds]),
        ("fetch=", ["option fetch is \"\"", "1 to 3600 seconds, or without a value"]),
        ("fetch=0", ["option fetch is \"0\"", "1 to 3600 seconds, or without a value"]),
        ("fetch=3601", ["option fetch is \"3601\"", "1 to 3600 seconds, or without a value"]),
        ("fetch;expires=60", ["option expires is \"60\"", "omitted if option fetch is given"]),
        ("expires=60;fetch", ["option expires is \"60\"", "omitted if option fetch is given"]),
        ("fetch;FETCH=3", ["option fetch is given again, as \"3\"", "once"]),
        ("max-rate", ["option max-rate is \"\"", "more than 0 and less than 100"]),
        ("max-rate=0", ["option max-rate is \"0\"", "more than 0 and less than 100"]),
        ("min-rate=0.0000000000", ["option min-rate is \"0.0000000000\"", "more than 0"]),
        ("min-rate=0.00000000001", ["option min-rate is \"0.00000000001\"", "at most 10 decimals"]),
        ("adaptive-min-rate=100", ["option adaptive-min-rate is \"100\"", "less than 100"]),
        ("max-rate=.5", ["option max-rate is \".5\"", "such as 0.5"]),
        ("max-rate=5.", ["option max-rate is \"5.\"", "such as 0.5"]),
        ("max-rate=1e1", ["option max-rate is \"1e1\"", "such as 0.5"]),
        ("max-rate=-1", ["option max-rate is \"-1\"", "such as 0.5"]),
        ("max-rate=1;min-rate=1.1", ["option min-rate is \"1.1\"", "no more than option max-rate"]),
        ("adaptive-min-rate=2;max-rate=1", ["option adaptive-min-rate is \"2\"", "no more than option max-rate"]),
        ("filter=", ["option filter is \"\"", "a token"]),
        ("filter=a/b", ["option filter is \"a/b\"", "a token"]),
        ("lenient=yes", ["option lenient is \"yes\"", "must be without a value"]),
        ("list=1", ["option list is \"1\"", "must be without a value"]),
        ("list;list", ["option list is given again", "once"]),
        ("target", ["option target is \"\"", "must be contact or source"]),
        ("target=sources", ["option target is \"sources\"", "must be contact or source"]),
        ("target=source;target=contact", ["option target is given again, as \"contact\"", "once"]),
        ("outbound", ["option outbound is \"\"", "a SIP URI, such as"]),
        ("outbound=proxy.example.com", ["option outbound is \"proxy.example.com\"", "a SIP URI"]),
        ("outbound=\"tel:+1\"", ["option outbound is \"tel:+1\"", "a SIP URI"]),
        ("outbound=\"sip:p;transport=quic\"", ["is \"sip:p;transport=quic\"", "one of udp, tcp, tls, sctp, ws, wss"]),
        ("outbound=\"sips:p;transport=udp\"", ["option outbound is", "a SIP URI"]),
        ("outbound=\"sip:p?X=y\"", ["option outbound is", "a SIP URI"]),
        ("outbound=\"sip:a sip:b\"", ["option outbound is", "a SIP URI"]),
        ("outbound=sip:0.0.0.0", ["option outbound is", "a SIP URI"]),
        ("outbound=sip:a;outbound=sip:b", ["option outbound is given again, as \"sip:b\"", "once"]),
        ("0=", ["unknown option \"0\": known are", ""]),
        (
            "outbound=sip:a;transport=tcp",
            ["unknown option \"transport\": put a value with semicolons in double quotes", "known are"],
        ),
        ("header", ["option header is \"\"", "one header line, such as \"X-Name: value\""]),
        ("header=X-A", ["option header is \"X-A\"", "one header line"]),
        ("header=\"X-A:\"", ["option header is \"X-A:\"", "one header line"]),
        ("header=\": b\"", ["option header is \": b\"", "one header line"]),
        ("header=\"X A: b\"", ["option header is \"X A: b\"", "one header line"]),
        ("header=\"X-A: b\r\nRoute: <sip:evil>\"", ["option header is", "without line ends and control characters"]),
        ("header=\"X-A: b\\\nX-B: c\"", ["option header is \"X-A: b\\nX-B: c\"", "without line ends"]),
        ("header=\"X-A: b\u{0}c\"", ["option header is", "without line ends and control characters"]),
        ("header=\"X-A: b\tc\"", ["option header is", "control characters"]),
        ("header=\"X-A: b\u{85}c\"", ["option header is", "control characters"]),
        (
            "header=\"cseq: 1 SUBSCRIBE\"",
            ["option header is", "than cseq, which the module or the server writes itself"],
        ),
        ("header=\"L : 5\"", ["option header is", "than L, which the module or the server writes itself"]),
        ("header=\"Accept: a/b\"", ["option header is", "than Accept: only modparam additional_presence_headers"]),
        ("header=\"E: gzip\"", ["option header is", "than E: only modparam additional_presence_headers can set"]),
        ("header=\"k: a\"", ["option header is", "than k: only modparam additional_presence_headers can set"]),
        ("expires=1\n2", ["option expires is \"1\\n2\"", seconds]),
    ] {
        let said = refused(text);
        assert!(parts.iter().all(|part| said.contains(part)), "{text:?}: {said}");
        assert!(!said.contains('\n'), "{said:?}");
    }
    assert!(refused(&"x".repeat(10_000)).len() < 300);
}

#[test]
fn rates_are_decimals() {
    for (text, shown) in [
        ("1", "1"),
        ("99.9999999999", "99.9999999999"),
        ("0.0000000001", "0.0000000001"),
        ("05.50", "5.5"),
        ("10.0", "10"),
    ] {
        assert_eq!(Rate::parse(text.as_bytes()).map(|rate| rate.to_string()).as_deref(), Some(shown));
    }
    let options = parse("Max-Rate=1;min-rate=\"0.1\";adaptive-min-rate=1.0");
    assert_eq!(options.to_string(), "max-rate=1;min-rate=0.1;adaptive-min-rate=1");
    assert!(Rate::parse(b"0.10") < Rate::parse(b"0.2"));
}

#[test]
fn rates_are_in_every_request_and_harm_no_notify() {
    let mut life = Life::under(terms("max-rate=0.5;min-rate=0.1"), policy());
    life.give(Input::Start);
    let rates = life.subscription.terms().rates;
    for _ in 0..3 {
        life.due();
        assert_eq!(life.request().rates, rates);
        life.reply(200);
        assert_eq!(life.notify("active;min-rate=0.1").answer, Some(Answer::Ok));
    }
    life.give(Input::Unsubscribe);
    life.due();
    assert_eq!((life.request().expires, life.request().rates), (0, rates));
}

#[test]
fn a_target_is_one_of_two_words() {
    assert_eq!(parse("TARGET=Source").to_string(), "target=source");
    assert_eq!(parse("target=\"contact\""), Options::default());
}

#[test]
fn header_lines_are_bounded_and_said_as_they_are_read() {
    let options = parse("header=X-A: 1;HEADER=\"x-b :  \\\"a;b\\\\c\\\" \";id=d;header=\"X-A: \u{e4}\"");
    assert_eq!(options.header, "X-A: 1\r\nx-b: \"a;b\\c\"\r\nX-A: \u{e4}\r\n");
    assert_eq!(parse(&options.to_string()), options);
    let one = |value: &str| format!("header=\"X: {value}\"");
    assert!(Options::parse(vec![one("y"); 8].join(";").as_bytes()).is_ok());
    assert!(refused(&vec![one("y"); 9].join(";")).contains("at most 8 lines, which have 1024 bytes together"));
    assert!(Options::parse(one(&"y".repeat(1019)).as_bytes()).is_ok());
    assert!(refused(&one(&"y".repeat(1020))).contains("which have 1024 bytes together at most"));
    assert!(refused(&[one(&"y".repeat(1000)), one(&"z".repeat(30))].join(";")).contains("1024 bytes together"));
}

/// Each option is compared, except for the id, the name of the filter and `share`.
#[test]
fn options_that_differ_are_named() {
    let rates = "max-rate=2;min-rate=1;adaptive-min-rate=1";
    for (text, names) in [
        ("", &[][..]),
        ("id=a;share;filter=any", &[]),
        ("expires=60;list", &["expires", "list"]),
        ("fetch", &["fetch"]),
        (rates, &["max-rate", "min-rate", "adaptive-min-rate"]),
        ("outbound=sip:proxy.example.com;target=source", &["outbound", "target"]),
        ("header=\"X-A: 1\";lenient;keep;merged", &["header", "lenient", "keep", "merged"]),
    ] {
        let options = parse(text);
        assert_eq!(options.differences(&Options::default()), names, "{text}");
        assert_eq!(Options::default().differences(&options), names, "{text}");
        assert!(options.differences(&options).is_empty(), "{text}");
    }
    let with_filter = |filter| Options { terms: Terms { filter, ..Terms::NONE }, ..Options::default() };
    assert_eq!(with_filter(Some(1)).differences(&with_filter(Some(2))), ["filter"]);
}

#[test]
fn header_lines_are_in_every_request() {
    let options = parse("header=\"X-A: 1\";header=\"X-B: 2\"");
    let mut life = Life::with(&options, policy());
    life.give(Input::Start);
    for _ in 0..3 {
        life.due();
        assert_eq!(life.request().header_lines, b"X-A: 1\r\nX-B: 2\r\n");
        life.reply(200);
        life.notify("active");
    }
    assert!(life.subscription.options().differences(&options).is_empty());
    assert_eq!(life.subscription.options().differences(&Options::default()), ["header"]);
    assert_eq!(life.snapshot().options, options);
    life.reply(481);
    life.due();
    assert_eq!(life.request().header_lines, options.header.as_bytes(), "a new dialog as well");
    life.reply(200);
    life.notify("active");
    life.give(Input::Unsubscribe);
    life.due();
    assert_eq!((life.request().expires, &life.request().header_lines[..]), (0, options.header.as_bytes()));
}

#[test]
fn a_filter_is_known_by_its_name() {
    let mut options = parse("filter=Open");
    options.find_filter(["open", "Open"].into_iter()).unwrap();
    assert_eq!((options.terms.filter, options.to_string().as_str()), (Some(1), "filter=Open"));
    let said = parse("filter=x").find_filter(["open", "Open"].into_iter()).unwrap_err().to_string();
    assert_eq!(said, "option filter is \"x\", but must be the name of a modparam filter: known are open, Open");
    let said = parse("filter=x").find_filter(std::iter::empty()).unwrap_err().to_string();
    assert!(said.ends_with("known are none"), "{said}");
    let mut none = parse("id=x");
    none.find_filter(std::iter::empty()).unwrap();
    assert_eq!(none.terms.filter, None);
}

#[test]
fn a_filter_goes_with_every_request_that_opens_a_dialog() {
    let mut life = Life::under(Terms { filter: Some(3), ..Terms::NONE }, policy());
    life.give(Input::Start);
    life.due();
    assert_eq!(life.request().filter, Some(3));
    life.reply_with(302, |reply| reply.redirect = uris(&[b"sip:a@x"]));
    life.due();
    assert_eq!(life.request().filter, Some(3), "the other target as well");
    life.reply(200);
    life.notify("active");
    life.due();
    assert_eq!(life.request().filter, None, "the dialog keeps it");
    life.reply(481);
    life.due();
    assert_eq!(life.request().filter, Some(3), "a new dialog does not");
    assert_eq!(told(&life.reply(488)).1, 488, "who refuses it is asked again later");
    assert_eq!(life.state(), "waiting");
}

#[test]
fn its_own_expiry_goes_before_the_parameter() {
    let mut life = Life::under(terms("expires=77"), policy());
    life.give(Input::Start);
    life.due();
    assert_eq!(life.request().expires, 77);
    life.reply(200);
    life.notify("active");
    life.due();
    assert_eq!(life.request().expires, 77, "a refresh as well");
    life.reply_with(423, |reply| reply.min_expires = Some(90));
    life.due();
    assert_eq!(life.request().expires, 90, "a 423 goes before both");
}

#[test]
fn only_who_has_options_pays_for_them() {
    let account = Accounted::new();
    let subject = Subject { record: RECORD, subscriber: SUBSCRIBER, package: package::PRESENCE.number, event_id: b"" };
    let plain = Subscription::try_new(subject, account.clone()).unwrap();
    let out = account.out();
    let plain = plain.try_under(Terms::default()).unwrap();
    assert_eq!(account.out(), out);
    let mut life = Life::under(terms("expires=77"), policy());
    assert!(life.account.out() > out);
    life.give(Input::Start);
    life.give(Input::Unsubscribe);
    assert_eq!(life.account.out(), out, "the end leaves the names alone");
    drop(plain);
    account.allow(1);
    let made = Subscription::try_new(subject, account.clone()).and_then(|made| made.try_under(terms("expires=1")));
    assert!(made.is_err());
    assert_eq!(account.out(), 0);
}

fn any_options() -> impl Strategy<Value = Options> {
    let id = proptest::option::of("[a-zA-Z0-9.!%*_+`'~-]{1,12}").prop_map(Option::unwrap_or_default);
    let times = prop_oneof![
        Just((None, None)),
        (1u32..=315_360_000).prop_map(|expires| (Some(expires), None)),
        (1u32..=3600).prop_map(|fetch| (None, Some(fetch))),
    ];
    let rate = "[0-9]{1,2}(\\.[0-9]{1,10})?".prop_map(|text| Rate::parse(text.as_bytes()));
    let rates = [rate.clone(), rate.clone(), rate].prop_map(|[max, min, adaptive_min]| {
        let below = |one: Option<Rate>| one.filter(|one| max.is_none_or(|max| *one <= max));
        Rates { max, min: below(min), adaptive_min: below(adaptive_min) }
    });
    let filter = id.clone();
    let header =
        proptest::collection::vec("X-[a-z]{1,4}: [!-~]([ -~]{0,8}[!-~])?\r\n", 0..4).prop_map(|all| all.concat());
    let outbound = prop_oneof![Just(String::new()), "sips?:[a-z]{1,4}(;lr)?"];
    (id, times, rates, filter, header, outbound, any::<[bool; 6]>(), 0u8..3).prop_map(
        |(
            id,
            (expires, fetch),
            rates,
            filter,
            header,
            outbound,
            [share, follows_source, list, lenient, keep, merged],
            publish,
        )| {
            let share = share && fetch.is_none();
            let publish = match publish {
                _ if share || list || fetch.is_some() => None,
                0 => None,
                1 => Some(PublishAs::Record),
                _ => Some(PublishAs::Uri("sip:de%22sk@example.com;x=1".to_owned())),
            };
            let keep = keep || publish.is_some();
            let terms = Terms { expires, fetch, rates, follows_source, list, lenient, filter: None, keep, merged };
            Options { id, share, publish, filter, header, outbound, terms }
        },
    )
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in ".{0,80}", bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
        for text in [text.as_bytes(), &bytes] {
            if let Ok(options) = Options::parse(text) {
                prop_assert_eq!(parse(&options.to_string()), options);
            }
        }
    }

    #[test]
    fn what_looks_like_options_is_read_or_refused(text in "((id|expires|Fetch|max-rate|min-rate|header|x)[=; \"\\\\]{0,3}[0-9a.\" ]{0,6};?){0,5}") {
        if let Ok(options) = Options::parse(text.as_bytes()) {
            prop_assert_eq!(parse(&options.to_string()), options);
        }
    }

    #[test]
    fn options_are_read_as_they_are_written(options in any_options()) {
        prop_assert_eq!(parse(&options.to_string()), options);
    }
}
