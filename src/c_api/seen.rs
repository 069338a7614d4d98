//! Documents as a C module sees them, held against the values that they show.

use std::ffi::c_int;

use super::document::DocumentFace;
use super::document_types::{
    CDialog, CDialogSide, CDialogs, CDocument, CEntity, CExtension, CNote, CPair, CPresentity, CRegistrations,
    CRpidElement, CWaiting, CWatchers, List,
};
use super::text::Str;
use crate::document::Document;

/// All that is in a document, in the order of the header.
#[derive(Default)]
pub struct Seen {
    pub texts: Vec<String>,
    pub numbers: Vec<i64>,
}

impl Seen {
    fn text(&mut self, said: Str) {
        assert!(!said.s.is_null());
        let length = usize::try_from(said.len).expect("a length");
        // SAFETY: so many bytes, as long as the document lives.
        let bytes = unsafe { std::slice::from_raw_parts(said.s.cast::<u8>(), length) };
        self.texts.push(str::from_utf8(bytes).expect("UTF-8").to_owned());
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

/// What C sees of a body, and the kind of the document; none if C gets no document.
pub fn read(content_type: &[u8], body: &[u8]) -> Option<(c_int, Seen)> {
    let document = DocumentFace::read(content_type, body)?;
    // It is looked at where it ends up.
    let moved = Box::new((0, document));
    // SAFETY: the face lives as long as what it was obtained from.
    let face = unsafe { &*moved.1.face() };
    assert_eq!(face.size as usize, size_of::<CDocument>());
    assert_eq!(moved.1.presentity().is_some(), face.kind == 1);
    Some((face.kind, Seen::of(face)))
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
        let (inside, behind) = after.split_at(end.expect("an end"));
        texts.push(format!("\"{inside}\""));
        rest = &behind[1..];
    }
    texts.retain(|text| text != "\"\"");
    texts.sort();
    texts
}

/// C gets a document if, and only if, there is one, and sees each of its texts once.
pub fn shows_all_texts(content_type: &[u8], body: &[u8]) {
    let document = Document::read(content_type, body, body.len());
    let face = read(content_type, body);
    assert_eq!(document.is_some(), face.is_some());
    if let (Some(document), Some((_, seen))) = (document, face) {
        let mut texts: Vec<_> =
            seen.texts.iter().filter(|text| !text.is_empty()).map(|text| format!("{text:?}")).collect();
        texts.sort();
        assert_eq!(texts, quoted(&format!("{document:?}")));
    }
}
