//! Documents made at random, for the properties.

use proptest::prelude::*;

/// A well-formed element with whatever inside.
pub(super) fn element() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        "[a-z <>&\u{E9}]{0,8}".prop_map(|text| {
            let text = text.replace('&', "&amp;");
            text.replace('<', "&lt;").replace('>', "&gt;")
        }),
        Just("<!-- c - c -->".to_owned()),
        Just("<?pi pi?>".to_owned()),
        Just("<![CDATA[<&]]>".to_owned()),
    ];
    leaf.prop_recursive(6, 48, 5, |inner| {
        let name = prop::sample::select(vec!["a", "p:b", "note", "tuple", "status", "person"]);
        let attributes =
            prop::sample::select(vec!["", " x='1'", " xmlns:q='u' q:x=\"2\" x='3'", " xmlns='w'", " xmlns:p='other'"]);
        (name, attributes, prop::collection::vec(inner, 0..5))
            .prop_map(|(name, attributes, inside)| format!("<{name}{attributes}>{}</{name}>", inside.concat()))
    })
}

/// A presence document with what matters for its state and note, also where it does not belong.
pub(super) fn presence_document() -> impl Strategy<Value = String> {
    let words = vec![
        "open",
        " Closed\r\n",
        "&#111;pen",
        "<![CDATA[closed]]>",
        "",
        "hi\r\n &lt;you&gt;",
        "a\rb&#13;",
        "<!-- open -->",
        "<?pi open?>",
        "<![CDATA[\r\n<&\r]]>",
        "<basic>open</basic>",
        "<p:basic>closed</p:basic>",
        "<status><basic>open</basic></status>",
        "<p:tuple><p:status><p:basic>open</p:basic></p:status></p:tuple>",
        "<o:x p:mustUnderstand='1'/>",
        "<d:y p:mustUnderstand='1'/>",
        "<p:z p:mustUnderstand='true'/>",
    ];
    let inside = prop::sample::select(words).prop_map(str::to_owned).prop_recursive(6, 60, 5, |inner| {
        let names = vec![
            "tuple",
            "status",
            "basic",
            "note",
            "person",
            "contact",
            "activities",
            "p:tuple",
            "p:status",
            "p:basic",
            "p:note",
            "d:person",
            "d:note",
            "o:note",
            "o:basic",
            "o:tuple",
            "o:x",
        ];
        let attributes = vec![
            "",
            "",
            "",
            " p:mustUnderstand='true'",
            " p:mustUnderstand=' &#49; '",
            " p:mustUnderstand='0'",
            " mustUnderstand='1'",
            " o:mustUnderstand='1'",
            " xmlns='urn:other'",
            " xmlns=''",
            " xmlns:o='urn:ietf:params:xml:ns:pid&#102;' o:mustUnderstand='1'",
            " xmlns:p='urn:other'",
        ];
        let content = prop::collection::vec(inner, 0..5);
        (prop::sample::select(names), prop::sample::select(attributes), content).prop_map(
            |(name, attributes, inside)| match inside.concat() {
                empty if empty.is_empty() => format!("<{name}{attributes}/>"),
                inside => format!("<{name}{attributes}>{inside}</{name} >"),
            },
        )
    });
    let defaults = prop::sample::select(vec!["", " xmlns='urn:ietf:params:xml:ns:pidf'"]);
    (defaults, prop::collection::vec(inside, 0..8)).prop_map(|(default, inside)| {
        format!(
            "<presence{default} xmlns:p='urn:ietf:params:xml:ns:pidf' xmlns:d='urn:ietf:params:xml:ns:pidf:data-model' \
             xmlns:o='urn:o'>{}</presence>",
            inside.concat()
        )
    })
}
