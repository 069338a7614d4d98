//! Fields that few subscriptions need: kept apart, because each byte of the record costs 1 MB for a million
//! subscriptions.

use allocator_api2::alloc::Allocator;
use allocator_api2::boxed::Box;
use allocator_api2::vec::Vec;

use super::super::brief::Brief;
use super::super::digest::Sessions;
use super::super::output::{Output, Untold};
use super::super::reason::{LastReason, Wording};
use super::super::redirect::Targets;
use super::early::Early;
use super::left::Left;
use super::{Subscription, Terms};
use crate::memory::{OutOfMemory, Packed, PackedSecrets, SharedAlloc};
use crate::time::PackedMillis;

/// The values that few subscriptions have.
#[cfg_attr(test, derive(Clone))]
pub(super) struct Extras<A: Allocator + Clone> {
    /// Where a redirected attempt goes.
    pub(super) targets: Option<Box<Targets<A>, A>>,
    /// The host that a redirection has led this dialog to.
    pub(super) led_to: Option<Packed<1, A>>,
    /// The realms that have challenged.
    pub(super) sessions: Option<Box<Sessions<A>, A>>,
    /// The Expires requested when it was made, if there was one.
    pub(super) own_terms: Option<OwnTerms>,
    /// The texts that were asked for with them, if any were.
    own_texts: Option<OwnTexts<A>>,
    /// URI of where the newest NOTIFY of the dialog came from, where requests go there.
    pub(super) source: Option<Packed<1, A>>,
    /// User name and secret of this subscription alone.
    pub(super) own_credentials: Option<PackedSecrets<2, A>>,
    /// The longest Min-Expires ever told and obeyed.
    pub(super) min_expires: u32,
    /// Refreshes that refused NOTIFYs have brought.
    pub(super) early: Early,
    /// It was restored, and its SUBSCRIBE may have left before that: see [`Subscription::try_restored`].
    pub(super) in_grace: bool,
    /// A dialog that the attempt has left behind.
    pub(super) left: Option<Left>,
    /// How many connections have been lost, one after the other, each before the next SUBSCRIBE.
    losses: u8,
    /// How many Contacts there were that cannot be a target.
    bad_contacts: u16,
    /// Forks that have ended before any dialog was made.
    pub(super) ended_forks: Vec<EndedFork<A>, A>,
    /// NOTIFYs that were not told, by [reason](Untold::ALL).
    untold: [u32; Untold::ALL.len()],
    /// Event `id` parameter.
    event_id: Option<Packed<1, A>>,
    /// The newest reason, where it is in a peer's words.
    peer_reason: Brief,
}

/// A fork that has ended before any dialog was made: what its NOTIFY said.
#[cfg_attr(test, derive(Clone))]
pub(super) struct EndedFork<A: Allocator> {
    /// Its tag, and its reason; empty for none.
    pub(super) tag_and_reason: Packed<2, A>,
    pub(super) retry_after: Option<u32>,
}

/// Texts of options: the header lines, and the URI of the outbound proxy.
type OwnTexts<A> = Packed<2, A>;

/// Where [`OwnTexts`] has the header lines.
const HEADER: usize = 0;

/// Where it has the outbound proxy.
const OUTBOUND: usize = 1;

/// The options that are kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct OwnTerms {
    pub(super) terms: Terms,
    /// The deadline of a fetch that has started.
    pub(super) until: PackedMillis,
}

impl<A: Allocator + Clone> Extras<A> {
    fn none(alloc: A) -> Self {
        Self {
            targets: None,
            led_to: None,
            sessions: None,
            own_terms: None,
            own_texts: None,
            source: None,
            own_credentials: None,
            min_expires: 0,
            losses: 0,
            early: Early::default(),
            in_grace: false,
            left: None,
            bad_contacts: 0,
            ended_forks: Vec::new_in(alloc),
            untold: [0; Untold::ALL.len()],
            event_id: None,
            peer_reason: Brief::default(),
        }
    }

    /// Event `id` parameter; empty when there is none.
    pub(super) fn event_id(&self) -> &[u8] {
        self.event_id.as_ref().map_or(&[], |id| id.get(0))
    }

    /// Bytes of its memory.
    pub(super) fn bytes(&self) -> usize {
        let boxed = [
            self.targets.as_deref().map_or(0, Targets::bytes),
            self.sessions.as_deref().map_or(0, Sessions::bytes),
            self.led_to.as_ref().map_or(0, Packed::size),
            self.own_credentials.as_ref().map_or(0, PackedSecrets::size),
            self.event_id.as_ref().map_or(0, Packed::size),
            self.own_texts.as_ref().map_or(0, Packed::size),
            self.source.as_ref().map_or(0, Packed::size),
        ];
        let gone =
            self.ended_forks.iter().map(|fork| size_of::<EndedFork<A>>().saturating_add(fork.tag_and_reason.size()));
        boxed.into_iter().chain(gone).fold(size_of::<Self>(), usize::saturating_add)
    }

    fn is_empty(&self) -> bool {
        let Self {
            targets,
            led_to,
            sessions,
            own_terms,
            own_texts,
            source,
            own_credentials,
            min_expires,
            early,
            in_grace,
            left,
            losses,
            bad_contacts,
            ended_forks,
            untold,
            event_id,
            peer_reason,
        } = self;
        targets.is_none()
            && led_to.is_none()
            && sessions.is_none()
            && own_terms.is_none()
            && own_texts.is_none()
            && source.is_none()
            && own_credentials.is_none()
            && *min_expires == 0
            && *losses == 0
            && *early == Early::default()
            && !*in_grace
            && left.is_none()
            && *bad_contacts == 0
            && ended_forks.is_empty()
            && *untold == [0; Untold::ALL.len()]
            && event_id.is_none()
            && *peer_reason == Brief::default()
    }
}

impl<A: SharedAlloc> Subscription<A> {
    /// Room for what few have. It goes after the input if nothing was put there.
    pub(super) fn extras_mut(&mut self) -> Result<&mut Extras<A>, OutOfMemory> {
        let extras = match self.extras.take() {
            Some(extras) => extras,
            None => Box::try_new_in(Extras::none(self.alloc.clone()), self.alloc.clone()).map_err(|_| OutOfMemory)?,
        };
        Ok(self.extras.insert(extras))
    }

    /// Unused extras need no memory.
    pub(super) fn tidy(&mut self) {
        if self.extras.as_deref().is_some_and(Extras::is_empty) {
            self.extras = None;
        }
    }

    pub(super) fn targets(&self) -> Option<&Targets<A>> {
        self.extras.as_deref()?.targets.as_deref()
    }

    pub(super) fn targets_mut(&mut self) -> Option<&mut Targets<A>> {
        self.extras.as_deref_mut()?.targets.as_deref_mut()
    }

    /// The host that a redirection has led this dialog to.
    pub(super) fn led_to(&self) -> Option<&[u8]> {
        Some(self.extras.as_deref()?.led_to.as_ref()?.get(0))
    }

    pub(super) fn set_led_to(&mut self, led_to: Option<Packed<1, A>>) -> Result<(), OutOfMemory> {
        match (&mut self.extras, led_to) {
            (Some(extras), led_to) => extras.led_to = led_to,
            (None, Some(led_to)) => self.extras_mut()?.led_to = Some(led_to),
            (None, None) => {}
        }
        Ok(())
    }

    pub(super) fn forget_targets(&mut self) {
        if let Some(extras) = self.extras.as_deref_mut() {
            extras.targets = None;
        }
    }

    pub(super) fn sessions(&self) -> Option<&Sessions<A>> {
        self.extras.as_deref()?.sessions.as_deref()
    }

    pub(super) fn sessions_mut(&mut self) -> Option<&mut Sessions<A>> {
        self.extras.as_deref_mut()?.sessions.as_deref_mut()
    }

    pub(super) fn forget_sessions(&mut self) {
        if let Some(extras) = self.extras.as_deref_mut() {
            extras.sessions = None;
        }
    }

    pub(super) fn own_credentials(&self) -> Option<&PackedSecrets<2, A>> {
        self.extras.as_deref()?.own_credentials.as_ref()
    }

    /// The longest Min-Expires ever told and obeyed; 0 before the first.
    pub(super) fn min_expires(&self) -> u32 {
        self.extras.as_deref().map_or(0, |extras| extras.min_expires)
    }

    /// A Min-Expires is obeyed from now on. The caller has reserved memory for it.
    pub(super) fn obey_min_expires(&mut self, seconds: u32) {
        if let Some(extras) = self.extras.as_deref_mut() {
            extras.min_expires = seconds;
        }
    }

    /// How many connections have been lost in a row.
    pub(super) fn losses(&self) -> u8 {
        self.extras.as_deref().map_or(0, |extras| extras.losses)
    }

    /// Counts lost connections. The caller has tried to reserve memory for it.
    pub(super) fn set_losses(&mut self, losses: u8) {
        if let Some(extras) = self.extras.as_deref_mut() {
            extras.losses = losses;
        }
    }

    /// Counts a Contact that cannot be a target; without memory it is not counted.
    pub(super) fn count_bad_contact(&mut self) {
        if let Ok(extras) = self.extras_mut() {
            extras.bad_contacts = extras.bad_contacts.saturating_add(1);
        }
    }

    /// How many Contacts there were that cannot be a target.
    #[must_use]
    pub fn bad_contacts(&self) -> u16 {
        self.extras.as_deref().map_or(0, |extras| extras.bad_contacts)
    }

    /// Counts a NOTIFY that is not told; the output says whether it is the first for this reason. Without memory it is not
    /// counted here, and is none of the first.
    pub(super) fn not_told(&mut self, why: Untold) -> Output {
        let mut is_first = false;
        if let Ok(extras) = self.extras_mut()
            && let Some(count) = extras.untold.get_mut(why as usize)
        {
            is_first = *count == 0;
            *count = count.saturating_add(1);
        }
        Output { untold: Some((why, is_first)), ..Output::default() }
    }

    /// How many NOTIFYs were not told, by [reason](Untold::ALL).
    pub(in super::super) fn untold(&self) -> [u32; Untold::ALL.len()] {
        self.extras.as_deref().map(|extras| extras.untold).unwrap_or_default()
    }

    /// The forks that have ended before any dialog was made.
    pub(super) fn ended_forks(&self) -> &[EndedFork<A>] {
        self.extras.as_deref().map_or(&[], |extras| &extras.ended_forks)
    }

    /// Their contents do not count any more.
    pub(super) fn forget_ended_forks(&mut self) {
        if let Some(extras) = self.extras.as_deref_mut() {
            extras.ended_forks = Vec::new_in(self.alloc.clone());
        }
    }

    /// Gives it its event id, for good.
    pub(super) fn set_event_id(&mut self, id: &[u8]) -> Result<(), OutOfMemory> {
        if !id.is_empty() {
            let id = Packed::try_new([id], self.alloc.clone())?;
            self.extras_mut()?.event_id = Some(id);
        }
        Ok(())
    }

    /// Nothing is needed any more, but its names.
    pub(super) fn forget_extras(&mut self) {
        if let Some(extras) = self.extras.as_deref_mut() {
            *extras = Extras { event_id: extras.event_id.take(), ..Extras::none(self.alloc.clone()) };
        }
        self.tidy();
        if self.last_reason == LastReason::Peer {
            self.last_reason = LastReason::NOTHING;
        }
    }

    pub(super) fn forget_credentials(&mut self) {
        if let Some(extras) = self.extras.as_deref_mut() {
            extras.own_credentials = None;
        }
    }

    pub(super) fn own_terms(&self) -> Option<&OwnTerms> {
        self.extras.as_deref()?.own_terms.as_ref()
    }

    pub(super) fn own_terms_mut(&mut self) -> Option<&mut OwnTerms> {
        self.extras.as_deref_mut()?.own_terms.as_mut()
    }

    /// Header lines for every request, each with its CRLF.
    pub(super) fn header_lines(&self) -> &[u8] {
        self.own_texts().map_or(&[], |texts| texts.get(HEADER))
    }

    /// URI of its own outbound proxy; empty for none.
    pub(super) fn outbound(&self) -> &[u8] {
        self.own_texts().map_or(&[], |texts| texts.get(OUTBOUND))
    }

    fn own_texts(&self) -> Option<&OwnTexts<A>> {
        self.extras.as_deref()?.own_texts.as_ref()
    }

    /// Gives it texts of its own, for good.
    pub(super) fn set_own_texts(&mut self, texts: [&[u8]; 2]) -> Result<(), OutOfMemory> {
        if texts.iter().any(|text| !text.is_empty()) {
            let texts = Packed::try_new(texts, self.alloc.clone())?;
            self.extras_mut()?.own_texts = Some(texts);
        }
        Ok(())
    }

    /// The texts of another subscription.
    pub(super) fn copy_own_texts(&mut self, other: &Self) -> Result<(), OutOfMemory> {
        other.own_texts().map_or(Ok(()), |texts| self.set_own_texts(texts.all()))
    }

    /// The newest reason phrase, or reason of a failure or termination.
    pub(in super::super) fn last_reason(&self) -> Brief {
        match self.last_reason {
            LastReason::Known(reason) => reason.into(),
            LastReason::Peer => self.extras.as_deref().map(|extras| extras.peer_reason).unwrap_or_default(),
        }
    }

    /// Keeps a reason for operators to read. The words of a peer need memory: without, none are kept.
    pub(super) fn set_last_reason(&mut self, reason: Wording<'_>) {
        let known = reason.known();
        let words = if known.is_some() { Brief::default() } else { reason.into() };
        self.last_reason = known.map_or(LastReason::Peer, LastReason::Known);
        match &mut self.extras {
            Some(extras) => extras.peer_reason = words,
            None if known.is_none() => match self.extras_mut() {
                Ok(extras) => extras.peer_reason = words,
                Err(OutOfMemory) => self.last_reason = LastReason::NOTHING,
            },
            None => {}
        }
    }
}
