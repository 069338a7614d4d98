//! Documents made at random, for the properties.

use proptest::prelude::*;

#[allow(dead_code, reason = "the integration tests use the rest")]
#[path = "../../../tests/support/captured.rs"]
pub(super) mod captured;

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
            "timestamp",
            "d:device",
            "d:deviceID",
            "d:timestamp",
            "r:activities",
            "r:mood",
            "r:sphere",
            "r:user-input",
            "r:away",
            "r:other",
            "d:status",
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
            " xml:lang='de'",
            " id=' i ' from='f' until=' &#117;\n'",
            " last-input='l'",
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
             xmlns:r='urn:ietf:params:xml:ns:pidf:rpid' \
             xmlns:o='urn:o'>{}</presence>",
            inside.concat()
        )
    })
}

/// A presence document in which persons, devices and tuples have much that is theirs, some of it twice.
pub(super) fn rich_document() -> impl Strategy<Value = String> {
    let inside = vec![
        "<timestamp> 1 </timestamp>",
        "<d:timestamp>2</d:timestamp>",
        "<d:deviceID> 1 </d:deviceID>",
        "<d:deviceID><!-- 2 -->2</d:deviceID>",
        "<o:deviceID>3</o:deviceID>",
        "<d:note xml:lang='de'>a</d:note>",
        "<o:x><note>b</note></o:x>",
        "<r:activities from=' f ' until='u'><r:away/><r:note>c</r:note><r:other> at &#115;ea </r:other></r:activities>",
        "<r:activities><r:activity>away</r:activity><r:other/></r:activities>",
        "<o:activities><o:a/></o:activities>",
        "<r:mood>text<r:happy/>text</r:mood>",
        "<r:mood><![CDATA[ <sad> ]]><!-- --> a</r:mood>",
        "<r:mood><r:note>d</r:note>not its own</r:mood>",
        "<r:sphere/>",
        "<r:user-input last-input='l'>idle</r:user-input>",
        "<status><r:mood><r:sad/><note>e</note></r:mood><note>f</note><basic>open</basic></status>",
        "<status><basic>?</basic><basic>closed</basic><o:y/><r:sphere><r:work/></r:sphere><d:deviceID>4</d:deviceID></status>",
        "<contact priority='0.5'>sip:a</contact>",
        "<contact/>",
        "<o:y p:mustUnderstand='1'/>",
    ];
    let inside = prop::collection::vec(prop::sample::select(inside), 0..8);
    let around = prop::sample::select(vec!["tuple", "person", "d:person", "d:device", "o:device", "note", "status"]);
    let one = (around, inside).prop_map(|(name, inside)| format!("<{name} id=' i'>{}</{name}>", inside.concat()));
    prop::collection::vec(one, 0..5).prop_map(|all| {
        format!(
            "<presence entity='sip:a' xmlns:p='urn:ietf:params:xml:ns:pidf' xmlns:o='urn:o' \
             xmlns:d='urn:ietf:params:xml:ns:pidf:data-model' xmlns:r='urn:ietf:params:xml:ns:pidf:rpid'>{}</presence>",
            all.concat()
        )
    })
}
