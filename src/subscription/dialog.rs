//! The SIP dialog of a subscription (RFC 3261 §12, RFC 6665 §4.4.1), as this module keeps it.

mod kept;

use allocator_api2::alloc::Allocator;

use super::echo::Echo;
use super::fingerprint::Fingerprint;
use super::input::{Content, Flow, Notify, Socket};
use super::marks::{Heard, Marks, Stage};
use super::version::{Completeness, Versions};
use crate::grammar::{EntityTag, PeerUri, RouteSet, Tag};
use crate::memory::U48;
use crate::memory::{OutOfMemory, Packed};
use crate::time::{Millis, PackedMillis};

const CALL_ID: usize = 0;
const LOCAL_TAG: usize = 1;
const REMOTE_TAG: usize = 2;
const TARGET: usize = 3;
const ROUTE_SET: usize = 4;
const ENTITY_TAG: usize = 5;

/// A dialog, or the half of one that our first request began.
#[cfg_attr(test, derive(Clone))]
pub(super) struct Dialog<A: Allocator> {
    text: Packed<6, A>,
    /// Fingerprint of the newest NOTIFY that left the text as it is.
    fingerprint: Fingerprint,
    /// 0 while it is not known: dialogs are many.
    socket: U48,
    flow: Option<Flow>,
    expiry: PackedMillis,
    /// CSeq of the newest NOTIFY, once one has made the dialog.
    remote_cseq: u32,
    /// Which CSeqs below the newest were accepted: bit n is the one n + 1 below.
    accepted: u32,
    /// Version of its newest document.
    version: u32,
    /// Echo of the newest NOTIFY.
    echo: Echo,
    /// How many requests we have sent in it, but for the one that opened it; 255 for more.
    requests: u8,
    marks: Marks,
}

impl<A: Allocator + Clone> Dialog<A> {
    /// Bytes of memory of its texts.
    pub(super) fn text_bytes(&self) -> usize {
        self.text.size()
    }

    /// The dialog that a first request begins (RFC 3261 §8.1.1): no remote tag, no route set.
    pub(super) fn try_begin(call_id: &[u8], local_tag: &[u8], target: &[u8], alloc: A) -> Result<Self, OutOfMemory> {
        let text = Packed::try_new([call_id, local_tag, b"", target, b"", b""], alloc)?;
        Ok(Self {
            text,
            fingerprint: Fingerprint::NONE,
            socket: U48::default(),
            flow: None,
            expiry: PackedMillis::NONE,
            remote_cseq: 0,
            accepted: 0,
            version: 0,
            echo: Echo::default(),
            requests: 0,
            marks: Marks::default(),
        })
    }

    /// The dialog with another notifier that the same request opens (RFC 6665 §4.1.4): it goes to `target` till that
    /// notifier names another one.
    pub(super) fn try_fork(&self, target: &[u8], alloc: A) -> Result<Self, OutOfMemory> {
        let begun = Self::try_begin(self.call_id(), self.local_tag(), target, alloc)?;
        Ok(Self { socket: self.socket, flow: self.flow, ..begun })
    }

    /// Takes the remote side as a message tells it; a message without a Contact leaves the target as it is.
    pub(super) fn try_adopt(
        &mut self,
        remote_tag: Tag<'_>,
        contact: Option<PeerUri<'_>>,
        route_set: RouteSet<'_>,
        alloc: A,
    ) -> Result<(), OutOfMemory> {
        let (remote_tag, route_set) = (remote_tag.text(), route_set.text());
        let target = contact.map_or(self.target(), PeerUri::text);
        if remote_tag == self.remote_tag() && target == self.target() && route_set == self.route_set() {
            return Ok(());
        }
        let parts = [self.call_id(), self.local_tag(), remote_tag, target, route_set, self.entity_tag()];
        self.text = Packed::try_new(parts, alloc)?;
        self.fingerprint = Fingerprint::NONE;
        Ok(())
    }

    /// Takes what a NOTIFY tells. The first one makes the dialog, with its tag and route set (RFC 6665 §4.4.1); later ones
    /// refresh the target. Its SIP-ETag names the state it tells (RFC 5839 §5.2): without one, that state has no name; so has
    /// a state which is not known, as documents are missing.
    /// `contact` is its Contact, judged, if that brings a target; `fingerprint` is kept to know the next one by.
    pub(super) fn try_hear(
        &mut self,
        notify: &Notify<'_>,
        fingerprint: Fingerprint,
        contact: Option<PeerUri<'_>>,
        keeps_route_set: bool,
        alloc: A,
    ) -> Result<(), OutOfMemory> {
        let is_known = self.versions().is_whole_with(notify.content);
        if is_known && self.recalls(fingerprint) {
            return Ok(());
        }
        let have = self.text.all();
        let [call_id, local_tag, remote_tag, target, route_set, _] = have;
        let (remote_tag, route_set) = match self.is_made() {
            true => (remote_tag, route_set),
            false if keeps_route_set && notify.route_set.is_none() && notify.remote_tag.text() == remote_tag => {
                (remote_tag, route_set)
            }
            false => (notify.remote_tag.text(), notify.route_set.text()),
        };
        let entity_tag = notify.entity_tag.filter(|_| is_known).map_or(&b""[..], EntityTag::text);
        let target = contact.map_or(target, PeerUri::text);
        let parts = [call_id, local_tag, remote_tag, target, route_set, entity_tag];
        if parts != have {
            self.text = Packed::try_new(parts, alloc)?;
        }
        self.fingerprint = if is_known { fingerprint } else { Fingerprint::NONE };
        Ok(())
    }

    /// Takes over the target of a 2xx, if it has one, and its route set, unless empty, into a dialog that a NOTIFY has made.
    pub(super) fn try_complete(
        &mut self,
        contact: Option<PeerUri<'_>>,
        route_set: RouteSet<'_>,
        alloc: A,
    ) -> Result<(), OutOfMemory> {
        if route_set.is_none() {
            return self.try_retarget(contact, alloc);
        }
        let (target, route_set) = (contact.map_or(self.target(), PeerUri::text), route_set.text());
        let parts = [self.call_id(), self.local_tag(), self.remote_tag(), target, route_set, self.entity_tag()];
        self.text = Packed::try_new(parts, alloc)?;
        self.fingerprint = Fingerprint::NONE;
        Ok(())
    }

    /// Target refresh (RFC 3261 §12.2.1.2, RFC 6665 §3.2). The route set stays for the dialog's life.
    pub(super) fn try_retarget(&mut self, contact: Option<PeerUri<'_>>, alloc: A) -> Result<(), OutOfMemory> {
        let contact = contact.map(PeerUri::text).filter(|contact| *contact != self.target());
        let Some(contact) = contact else { return Ok(()) };
        let parts = [self.call_id(), self.local_tag(), self.remote_tag(), contact, self.route_set(), self.entity_tag()];
        self.text = Packed::try_new(parts, alloc)?;
        self.fingerprint = Fingerprint::NONE;
        Ok(())
    }
}

impl<A: Allocator> Dialog<A> {
    /// Call-ID, local tag and remote tag.
    pub(super) fn ids(&self) -> [&[u8]; 3] {
        let [call_id, local_tag, remote_tag, ..] = self.text.all();
        [call_id, local_tag, remote_tag]
    }

    /// Whether the NOTIFY with this fingerprint belongs into this dialog, which NOTIFYs have made, and says the same of it as the newest: known at a
    /// glance, and never wrongly so, but not always.
    pub(super) fn recalls(&self, fingerprint: Fingerprint) -> bool {
        self.fingerprint.is_of_the_same(fingerprint)
    }

    /// The fingerprint of the newest NOTIFY, as it is kept.
    pub(super) fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// Whether the NOTIFY comes from another notifier than those before it (RFC 6665 §4.1.4).
    pub(super) fn is_from_other_fork(&self, notify: &Notify<'_>, fingerprint: Fingerprint) -> bool {
        self.is_made() && !self.recalls(fingerprint) && notify.remote_tag.text() != self.remote_tag()
    }

    pub(super) fn call_id(&self) -> &[u8] {
        self.text.get(CALL_ID)
    }

    pub(super) fn local_tag(&self) -> &[u8] {
        self.text.get(LOCAL_TAG)
    }

    /// Empty until a notifier has answered.
    pub(super) fn remote_tag(&self) -> &[u8] {
        self.text.get(REMOTE_TAG)
    }

    pub(super) fn target(&self) -> &[u8] {
        self.text.get(TARGET)
    }

    pub(super) fn route_set(&self) -> &[u8] {
        self.text.get(ROUTE_SET)
    }

    /// Whether a NOTIFY has made the dialog (RFC 6665 §4.4.1); a 2xx alone gives a provisional one.
    pub(super) fn is_made(&self) -> bool {
        self.marks.stage() != Stage::Begun
    }

    /// CSeq of the newest NOTIFY.
    pub(super) fn remote_cseq(&self) -> Option<u32> {
        self.is_made().then_some(self.remote_cseq)
    }

    /// A NOTIFY with this CSeq was accepted: from now on the dialog is made.
    pub(super) fn accept(&mut self, cseq: u32, echo: Echo) {
        self.accepted = match self.remote_cseq().map(|newest| cseq.saturating_sub(newest)) {
            None | Some(33..) => 0,
            Some(0) => self.accepted,
            Some(ahead) => self.accepted.checked_shl(ahead).unwrap_or(0) | 1 << (ahead - 1),
        };
        (self.remote_cseq, self.echo) = (cseq, echo);
        if self.marks.stage() == Stage::Begun {
            self.marks.set_stage(Stage::Made);
        }
        if self.heard() != Heard::Dated {
            self.marks.set_heard(Heard::Told);
        }
    }

    /// The NOTIFY that was accepted last has said how long the subscription lasts.
    pub(super) fn dated(&mut self) {
        self.marks.set_heard(Heard::Dated);
    }

    /// A NOTIFY of this dialog was refused.
    pub(super) fn refused(&mut self) {
        if self.heard() == Heard::Nothing {
            self.marks.set_heard(Heard::Refused);
        }
    }

    /// A NOTIFY of this dialog had a CSeq that is too low. One that may have been on its way for long says nothing of the
    /// others.
    pub(super) fn stale(&mut self, cseq: u32) {
        if matches!(self.heard(), Heard::Nothing | Heard::Refused) && !self.may_be_late(cseq) {
            self.marks.set_heard(Heard::Stale);
        }
    }

    /// The news of NOTIFYs since the newest request left.
    pub(super) fn heard(&self) -> Heard {
        self.marks.heard()
    }

    /// The newest request was accepted, and a NOTIFY is to follow.
    pub(super) fn request_accepted(&mut self) {
        self.marks.set_accepted(true);
    }

    /// Whether the newest request was accepted and the NOTIFY that is to follow has not come yet.
    pub(super) fn is_owed_notify(&self) -> bool {
        self.marks.is_accepted() && !matches!(self.heard(), Heard::Told | Heard::Dated)
    }

    /// The outcome of the newest request so far, and how complete the documents are.
    pub(super) fn outcome(&self) -> (Heard, bool, Completeness) {
        (self.heard(), self.marks.is_accepted(), self.marks.known())
    }

    /// Another request is sent in the dialog: it is to be accepted yet, and NOTIFYs are to come yet. It asks for whatever
    /// documents are missing.
    pub(super) fn count_request(&mut self) {
        self.requests = self.requests.saturating_add(1);
        // The first NOTIFY is awaited still, and it has come.
        if self.is_made() || self.heard() != Heard::Refused {
            self.marks.set_heard(Heard::Nothing);
        }
        self.marks.set_accepted(false);
        if self.is_missing() {
            self.marks.set_known(Completeness::Asked);
        }
    }

    /// The newest has not left. One that would have opened the dialog was not counted.
    pub(super) fn uncount_request(&mut self, (heard, accepted, known): (Heard, bool, Completeness)) {
        self.requests = self.requests.saturating_sub(1);
        self.marks.set_heard(heard);
        self.marks.set_accepted(accepted);
        // The documents that it asked for are still to be asked for.
        if (self.marks.known(), known) == (Completeness::Asked, Completeness::Missing) {
            self.marks.set_known(known);
        }
    }

    /// How many have been sent, but for the one that opened it; 255 for more.
    pub(super) fn requests(&self) -> u8 {
        self.requests
    }

    /// Whether a NOTIFY with this CSeq, below the newest, was accepted; only the last 32 numbers are known.
    pub(super) fn has_accepted(&self, cseq: u32) -> bool {
        let behind = self.remote_cseq().and_then(|newest| newest.checked_sub(cseq));
        behind.and_then(|behind| behind.checked_sub(1)).is_some_and(|bit| bit < 32 && self.accepted >> bit & 1 == 1)
    }

    /// Whether a NOTIFY with this CSeq, which is not known, may be one that others have overtaken: below the newest of those
    /// that were accepted, and above another one.
    fn may_be_late(&self, cseq: u32) -> bool {
        let behind = self.remote_cseq().and_then(|newest| newest.checked_sub(cseq));
        behind.is_some_and(|behind| self.accepted.checked_shr(behind).is_some_and(|below| below != 0))
    }

    /// Whether a NOTIFY with the newest CSeq is the newest once more.
    pub(super) fn is_again(&self, echo: Echo) -> bool {
        !self.has_forgotten() && echo.is_again(self.echo)
    }

    /// Whether only the CSeq of the newest NOTIFY is known, as the dialog is [restored](Self::try_restored).
    pub(super) fn has_forgotten(&self) -> bool {
        self.echo == Echo::default()
    }

    /// Whether a NOTIFY has named the target, which then counts more than the 2xx to the first request, however late.
    pub(super) fn is_target_told(&self) -> bool {
        self.marks.stage() == Stage::Told
    }

    /// A NOTIFY that was accepted has named the target.
    pub(super) fn target_told(&mut self) {
        self.marks.set_stage(Stage::Told);
    }

    /// The entity-tag of the state told last (RFC 5839 §5.2); empty when it has none.
    pub(super) fn entity_tag(&self) -> &[u8] {
        self.text.get(ENTITY_TAG)
    }

    /// The versions of its documents.
    pub(super) fn versions(&self) -> Versions {
        Versions { newest: self.version, known: self.marks.known() }
    }

    /// A document has been told.
    pub(super) fn take_document(&mut self, content: Content) {
        let mut versions = self.versions();
        versions.take(content);
        self.version = versions.newest;
        self.marks.set_known(versions.known);
    }

    /// Whether a document is missing that no refresh has asked for.
    pub(super) fn is_missing(&self) -> bool {
        self.marks.known() == Completeness::Missing
    }

    /// Whether a document is missing, asked for or not.
    pub(super) fn has_gap(&self) -> bool {
        matches!(self.marks.known(), Completeness::Missing | Completeness::Asked)
    }

    pub(super) fn socket(&self) -> Option<Socket> {
        (self.socket != U48::default()).then_some(Socket(self.socket.get()))
    }

    /// Keeps the socket, unless its number is larger than any address in use.
    pub(super) fn set_socket(&mut self, socket: Socket) {
        let kept = U48::low_bits(socket.0);
        self.socket = if kept.get() == socket.0 { kept } else { U48::default() };
    }

    /// The connection the newest accepted request went over.
    pub(super) fn flow(&self) -> Option<Flow> {
        self.flow
    }

    pub(super) fn set_flow(&mut self, flow: Option<Flow>) {
        self.flow = flow;
    }

    /// When the granted time ends; `None` before anybody said so.
    pub(super) fn expiry(&self) -> Option<Millis> {
        self.expiry.get()
    }

    pub(super) fn set_expiry(&mut self, expiry: Millis) {
        self.expiry = expiry.into();
    }
}
