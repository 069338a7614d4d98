//! Documents as C sees them, held against the values that they show.

use std::ffi::c_int;

use proptest::prelude::*;

use crate::c_api::seen::{read, shows_all_texts};
use crate::document::{Document, FieldText};

const RICH: &str = r#"<presence xmlns="urn:ietf:params:xml:ns:pidf" xmlns:d="urn:ietf:params:xml:ns:pidf:data-model"
 xmlns:r="urn:ietf:params:xml:ns:pidf:rpid" xmlns:x="urn:x" entity="sip:a@h"><tuple id="t"><status><basic>open</basic><x:in/></status>
<r:class>mobile</r:class><d:deviceID>mac:1</d:deviceID><contact priority="0.5">sip:a@c</contact><note xml:lang="en">here</note></tuple>
<d:person id="p"><r:activities from="1" until="2"><r:away/><r:busy/></r:activities><d:note>out</d:note><d:timestamp>3</d:timestamp></d:person>
<d:device id="v"><d:deviceID>mac:1</d:deviceID><r:user-input last-input="4">idle</r:user-input></d:device><x:more/></presence>"#;
const CALLS: &str = r#"<dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" version="2" state="partial" entity="sip:a@h">
<dialog id="1"><state>early</state></dialog><dialog id="2" call-id="c" local-tag="l" remote-tag="r" direction="recipient">
<state event="replaced" code="200">confirmed</state><duration>274</duration><replaces call-id="o" local-tag="3" remote-tag="4"/>
<referred-by display="Ref">sip:ref@h</referred-by><route-set><hop>sip:p1</hop><hop>sip:p2</hop></route-set>
<local><identity display="A">sip:a@h</identity><target uri="sip:a@c"><param pname="x" pval="y"/></target><cseq>7</cseq></local>
<remote><identity>sip:b@h</identity><session-description type="application/sdp">v=0</session-description></remote></dialog></dialog-info>"#;
const CONTACTS: &str = r#"<reginfo xmlns="urn:ietf:params:xml:ns:reginfo" xmlns:g="urn:ietf:params:xml:ns:gruuinfo" version="9" state="full">
<registration aor="sip:a@h" id="r" state="active"><contact id="k" state="active" event="registered" duration-registered="5" expires="3600"
 retry-after="6" q="0.8" callid="c" cseq="12"><uri>sip:a@c</uri><display-name>A</display-name><unknown-param name="n">v</unknown-param>
<g:pub-gruu uri="sip:pub"/><g:temp-gruu uri="sip:temp" first-cseq="11"/></contact></registration><registration aor="sip:b@h"/></reginfo>"#;
const WATCHING: &str = r#"<watcherinfo xmlns="urn:ietf:params:xml:ns:watcherinfo" version="0" state="full">
<watcher-list resource="sip:a@h" package="presence"><watcher id="w" event="subscribe" status="pending" display-name="W" xml:lang="de"
 expiration="600" duration-subscribed="18446744073709551615">sip:w@h</watcher></watcher-list></watcherinfo>"#;
const VOICE: &str = "Messages-Waiting: yes\r\nMessage-Account: sip:a@h\r\nVoice-Message: 2/8 (0/2)\r\nFax-Message: 1\r\n\r\nTo: b\r\nSubject: s\r\n";

const SAMPLES: [(c_int, &str, &str); 5] = [
    (1, "application/pidf+xml", RICH),
    (2, "application/dialog-info+xml", CALLS),
    (3, "application/reginfo+xml", CONTACTS),
    (4, "application/watcherinfo+xml", WATCHING),
    (5, "application/simple-message-summary", VOICE),
];

#[test]
fn every_kind_says_what_its_document_says() {
    let numbers: [&[i64]; 5] = [
        // Open, with a contact of 500; a note, 1 and 2 extensions; none and one around; a class; a person that is away and busy; a device.
        &[1, 1, 1, 500, 1, 1, 2, 0, 3, 1, 1, 8, 1, 1, 1, 1, 2, 1, 1, 1, 9, 1, 0],
        &[2, 0, 2, -1, 0, -1, 0, 0, -1, 0, -1, 200, 1, 274, 2, 1, 7, 0, -1, 1],
        &[9, 1, 2, 1, 12, 5, 3600, 6, 11, 1, 0],
        &[0, 1, 1, 1, 600, i64::MAX],
        &[1, 2, 2, 8, 0, 2, 1, -1, -1, -1, 1, 2],
    ];
    for ((kind, media_type, body), numbers) in SAMPLES.into_iter().zip(numbers) {
        let (found, seen) = read(media_type.as_bytes(), body.as_bytes()).unwrap();
        assert_eq!((found, seen.numbers.as_slice()), (kind, numbers), "{media_type}");
    }
    let [_, calls, contacts, ..] =
        SAMPLES.map(|(_, media_type, body)| read(media_type.as_bytes(), body.as_bytes()).unwrap().1);
    let call = "2 c l r recipient confirmed replaced o 3 4 sip:ref@h Ref sip:p1 sip:p2 sip:a@h A sip:a@c   x y sip:b@h   \
                application/sdp v=0";
    assert!(calls.texts.join(" ").ends_with(call), "{:?}", calls.texts);
    let contact = "sip:a@h r active k active registered sip:a@c A 0.8 c sip:pub sip:temp n v sip:b@h  ";
    assert_eq!(contacts.texts.join(" "), contact);
}

/// However a notifier ends its lines, texts have them as XML 1.0 §2.11 says, and are those of the script's fields.
#[test]
fn line_ends_are_those_of_xml() {
    let note = "two<!-- in one -->\nlines, <![CDATA[three\n]]>and a &#13;&#10;reference";
    let presence = RICH.replace(">here<", &format!(">{note}<")).replace(">out<", ">o\nut<");
    let calls = CALLS.replace("v=0", "v=0\no=-\n").replace("display=\"A\"", "display=\"A\nB\"");
    let contacts = CONTACTS.replace(">A<", ">A\nB<");
    let watching = WATCHING.replace("sip:w@h", "\nsip:w@h\n");
    let texts = [presence.as_str(), &calls, &contacts, &watching];
    for ((kind, media_type, _), text) in SAMPLES.into_iter().zip(texts) {
        let (_, wanted) = read(media_type.as_bytes(), text.as_bytes()).unwrap();
        for line_end in ["\r\n", "\r"] {
            let (found, seen) = read(media_type.as_bytes(), text.replace('\n', line_end).as_bytes()).unwrap();
            // An extension is as it was written.
            let texts = seen.texts.into_iter();
            let texts = texts.map(|text| if text.starts_with('<') { text.replace(line_end, "\n") } else { text });
            assert_eq!((found, seen.numbers), (kind, wanted.numbers.clone()), "{text}");
            assert_eq!(texts.collect::<Vec<_>>(), wanted.texts, "{text}");
        }
    }
    for (field, text, media_type) in [("note", &presence, SAMPLES[0].1), ("remote_uri", &calls, SAMPLES[1].1)] {
        let body = text.replace('\n', "\r\n");
        let document = Document::read(media_type.as_bytes(), body.as_bytes(), body.len()).unwrap();
        let Some(FieldText::Text(of_script)) = document.value(field, None) else { panic!("no {field}") };
        let (_, seen) = read(media_type.as_bytes(), body.as_bytes()).unwrap();
        assert!(seen.texts.iter().any(|text| *text == of_script), "{of_script:?} in {:?}", seen.texts);
    }
    let (_, seen) = read(SAMPLES[0].1.as_bytes(), presence.replace('\n', "\r\n").as_bytes()).unwrap();
    assert!(seen.texts.iter().any(|text| text == "two\nlines, three\nand a \r\nreference"), "{:?}", seen.texts);
}

#[test]
fn what_is_no_document_is_none() {
    for (media_type, body) in
        [("text/plain", "x"), ("application/pidf+xml", ""), ("", ""), ("application/reginfo+xml", RICH)]
    {
        assert!(read(media_type.as_bytes(), body.as_bytes()).is_none(), "{media_type}");
    }
}

proptest! {
    /// Whatever a body has become: the kind is that of its Content-Type, and each text of the document is there once.
    #[test]
    fn no_text_is_lost_or_made_up(
        sample in prop::sample::select(&SAMPLES[..]),
        media_type in prop::option::weighted(0.1, prop::sample::select(&SAMPLES[..])),
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0_usize..40, prop::sample::select(
            &["", "<", ">", "\"", "&amp;", "&", "confirmed", "</dialog>", "<state>early</state>", "\r\n", "\0", "é", "99999999999"][..]
        )), 0..4),
        cut in prop::option::weighted(0.2, any::<prop::sample::Index>()),
    ) {
        let mut body = sample.2.as_bytes().to_vec();
        for (at, gone, new) in edits {
            let at = at.index(body.len() + 1);
            let end = body.len().min(at + gone * usize::from(gone < 20));
            body.splice(at..end, new.bytes());
        }
        if let Some(cut) = cut {
            body.truncate(cut.index(body.len() + 1));
        }
        let media_type = media_type.unwrap_or(sample);
        shows_all_texts(media_type.1.as_bytes(), &body);
        let face = read(media_type.1.as_bytes(), &body);
        prop_assert!(face.is_none_or(|(kind, _)| kind == media_type.0));
    }
}
