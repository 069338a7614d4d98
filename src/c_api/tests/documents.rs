//! Documents as C sees them, held against the values that they show.

use std::ffi::c_int;

use proptest::prelude::*;

use super::text;
use crate::c_api::document::DocumentFace;
use crate::c_api::document_types::{
    CDialog, CDialogSide, CDialogs, CDocument, CEntity, CExtension, CNote, CPair, CPresentity, CRegistrations,
    CRpidElement, CWaiting, CWatchers, List,
};
use crate::c_api::types::Str;
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

/// All that is in a document, in the order of the header.
#[derive(Default)]
struct Seen {
    texts: Vec<String>,
    numbers: Vec<i64>,
}

impl Seen {
    fn text(&mut self, said: Str) {
        self.texts.push(text(said));
    }

    fn all(&mut self, said: &[Str]) {
        said.iter().for_each(|each| self.text(*each));
    }

    fn number(&mut self, number: impl Into<i64>) {
        self.numbers.push(number.into());
    }

    fn numbers<N: Copy + Into<i64>>(&mut self, numbers: &[N]) {
        numbers.iter().for_each(|each| self.number(*each));
    }

    fn list<T>(&mut self, list: &List<T>, each: impl Fn(&mut Self, &T)) {
        self.number(list.number);
        assert_eq!(list.items.is_null(), list.number == 0);
        if list.number > 0 {
            // SAFETY: so many items, as long as the document lives.
            let items = unsafe { std::slice::from_raw_parts(list.items, list.number as usize) };
            items.iter().for_each(|item| each(self, item));
        }
    }

    fn note(&mut self, note: &CNote) {
        self.all(&[note.lang, note.text]);
    }

    fn extension(&mut self, extension: &CExtension) {
        self.all(&[extension.ns, extension.name, extension.xml]);
    }

    fn pair(&mut self, pair: &CPair) {
        self.all(&[pair.name, pair.value]);
    }

    fn rpid(&mut self, element: &CRpidElement) {
        self.number(element.kind);
        self.list(&element.values, |seen, value| seen.text(*value));
        self.all(&[element.from, element.until]);
    }

    fn entity(&mut self, entity: &CEntity) {
        self.all(&[entity.id, entity.device_id, entity.timestamp]);
        self.list(&entity.rpid, Self::rpid);
        self.list(&entity.notes, Self::note);
    }

    fn presence(&mut self, document: &CPresentity) {
        self.text(document.entity);
        self.list(&document.tuples, |seen, tuple| {
            seen.all(&[tuple.id, tuple.contact.uri, tuple.timestamp]);
            seen.numbers(&[tuple.basic, tuple.has_contact, tuple.contact.priority]);
            seen.list(&tuple.notes, Self::note);
            seen.list(&tuple.status_extensions, Self::extension);
            seen.list(&tuple.extensions, Self::extension);
        });
        self.list(&document.notes, Self::note);
        self.list(&document.extensions, Self::extension);
        assert_eq!(document.services.number, document.tuples.number);
        self.list(&document.services, |seen, service| {
            seen.text(service.device_id);
            seen.list(&service.rpid, Self::rpid);
        });
        self.list(&document.persons, Self::entity);
        self.list(&document.devices, Self::entity);
    }

    fn side(&mut self, side: &CDialogSide) {
        self.all(&[side.identity.uri, side.identity.display, side.target, side.session_type, side.session]);
        self.list(&side.params, Self::pair);
        self.number(side.cseq);
    }

    fn dialogs(&mut self, document: &CDialogs) {
        self.number(document.place.version);
        self.number(document.place.is_full);
        self.text(document.entity);
        self.list(&document.dialogs, |seen, dialog| {
            seen.all(&[dialog.id, dialog.call_id, dialog.local_tag, dialog.remote_tag, dialog.direction, dialog.state]);
            seen.all(&[dialog.event, dialog.replaces_call_id, dialog.replaces_local_tag, dialog.replaces_remote_tag]);
            seen.all(&[dialog.referred_by.uri, dialog.referred_by.display]);
            seen.numbers(&[i64::from(dialog.code), i64::from(dialog.has_replaces), dialog.duration]);
            seen.list(&dialog.route_set, |seen, hop| seen.text(*hop));
            seen.side(&dialog.local);
            seen.side(&dialog.remote);
        });
        let ahead = || (document.lamp.addr() - document.dialogs.items.addr()) / size_of::<CDialog>();
        self.number(if document.lamp.is_null() { -1 } else { ahead() as i64 });
    }

    fn registrations(&mut self, document: &CRegistrations) {
        self.number(document.place.version);
        self.number(document.place.is_full);
        self.list(&document.registrations, |seen, registration| {
            seen.all(&[registration.aor, registration.id, registration.state]);
            seen.list(&registration.contacts, |seen, contact| {
                seen.all(&[contact.id, contact.state, contact.event, contact.uri, contact.display, contact.q]);
                seen.all(&[contact.call_id, contact.pub_gruu, contact.temp_gruu]);
                seen.numbers(&[
                    contact.cseq,
                    contact.duration,
                    contact.expires,
                    contact.retry_after,
                    contact.first_cseq,
                ]);
                seen.list(&contact.params, Self::pair);
            });
        });
    }

    fn watchers(&mut self, document: &CWatchers) {
        self.number(document.place.version);
        self.number(document.place.is_full);
        self.list(&document.lists, |seen, list| {
            seen.all(&[list.resource, list.package]);
            seen.list(&list.watchers, |seen, watcher| {
                seen.all(&[watcher.id, watcher.status, watcher.event, watcher.uri, watcher.display, watcher.lang]);
                seen.numbers(&[watcher.expiration, watcher.duration]);
            });
        });
    }

    fn waiting(&mut self, document: &CWaiting) {
        self.number(document.waiting);
        self.text(document.account);
        self.list(&document.classes, |seen, class| {
            seen.text(class.name);
            seen.numbers(&[class.new, class.old, class.urgent_new, class.urgent_old]);
        });
        self.list(&document.messages, |seen, message| seen.list(&message.headers, Self::pair));
    }

    fn of(document: &CDocument) -> Self {
        let mut seen = Self::default();
        let at = document.document;
        // SAFETY: the kind says what it is.
        unsafe {
            match document.kind {
                1 => seen.presence(&*at.cast()),
                2 => seen.dialogs(&*at.cast()),
                3 => seen.registrations(&*at.cast()),
                4 => seen.watchers(&*at.cast()),
                5 => seen.waiting(&*at.cast()),
                other => panic!("kind {other}"),
            }
        }
        seen
    }
}

fn read(media_type: &str, body: &[u8]) -> Option<(c_int, Seen)> {
    let document = DocumentFace::read(media_type.as_bytes(), body)?;
    // It is looked at where it ends up.
    let moved = Box::new((0, document));
    // SAFETY: the face lives as long as what it was obtained from.
    let face = unsafe { &*moved.1.face() };
    assert_eq!(face.size as usize, size_of::<CDocument>());
    assert_eq!(moved.1.presentity().is_some(), face.kind == 1);
    Some((face.kind, Seen::of(face)))
}

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
        let (found, seen) = read(media_type, body.as_bytes()).unwrap();
        assert_eq!((found, seen.numbers.as_slice()), (kind, numbers), "{media_type}");
    }
    let [_, calls, contacts, ..] = SAMPLES.map(|(_, media_type, body)| read(media_type, body.as_bytes()).unwrap().1);
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
        let (_, wanted) = read(media_type, text.as_bytes()).unwrap();
        for line_end in ["\r\n", "\r"] {
            let (found, seen) = read(media_type, text.replace('\n', line_end).as_bytes()).unwrap();
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
        let (_, seen) = read(media_type, body.as_bytes()).unwrap();
        assert!(seen.texts.iter().any(|text| *text == of_script), "{of_script:?} in {:?}", seen.texts);
    }
    let (_, seen) = read(SAMPLES[0].1, presence.replace('\n', "\r\n").as_bytes()).unwrap();
    assert!(seen.texts.iter().any(|text| text == "two\nlines, three\nand a \r\nreference"), "{:?}", seen.texts);
}

#[test]
fn what_is_no_document_is_none() {
    for (media_type, body) in
        [("text/plain", "x"), ("application/pidf+xml", ""), ("", ""), ("application/reginfo+xml", RICH)]
    {
        assert!(read(media_type, body.as_bytes()).is_none(), "{media_type}");
    }
}

/// The texts in what `Debug` shows of a value.
fn quoted(shown: &str) -> Vec<String> {
    let mut texts = Vec::new();
    let mut rest = shown;
    while let Some((_, after)) = rest.split_once('"') {
        let mut escaped = false;
        let end = after.find(|letter| {
            let ends = letter == '"' && !escaped;
            escaped = letter == '\\' && !escaped;
            ends
        });
        let (inside, behind) = after.split_at(end.unwrap());
        texts.push(format!("\"{inside}\""));
        rest = &behind[1..];
    }
    texts.retain(|text| text != "\"\"");
    texts.sort();
    texts
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
        let document = Document::read(media_type.1.as_bytes(), &body, body.len());
        let face = read(media_type.1, &body);
        prop_assert_eq!(document.is_some(), face.is_some());
        if let (Some(document), Some((kind, seen))) = (document, face) {
            prop_assert_eq!(kind, media_type.0);
            let mut texts: Vec<_> = seen.texts.iter().filter(|text| !text.is_empty()).map(|text| format!("{text:?}")).collect();
            texts.sort();
            prop_assert_eq!(texts, quoted(&format!("{document:?}")));
        }
    }
}
