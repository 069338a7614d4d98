//! A NOTIFY has come: `handle_notify()`.

mod unsolicited;

use std::time::Duration;

use super::{Engine, Lack, answer, contact};
use crate::document::{ContentType, PIDF_XML, Version, check_body, is_list, only_document};
use crate::grammar::{Routes, Tag};
use crate::host::log;
use crate::host::message::{Malformed, SipMessage};
use crate::host::notify_headers::{DialogIds, NotifyHeaders, OptionTags};
use crate::host::stateless;
use crate::host::transaction::{self, Transaction};
use crate::memory::OutOfMemory;
use crate::registry::{Arrived, InsertError};
use crate::subscription::{Content, Echo, Input, ListContent, Notify, Package, StateValue, SubscriptionState};

pub use unsolicited::UnsolicitedNotifies;

/// Whether a NOTIFY was one of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handled {
    /// Found and answered.
    Yes,
    /// No subscription of ours; nothing was answered.
    No,
}

impl Engine {
    /// Takes a NOTIFY: finds its subscription, answers it, queues its news.
    pub fn handle_notify(&self, message: SipMessage<'_>) -> Handled {
        if !message.is_notify() || message.parse().is_err() {
            return Handled::No;
        }
        let headers = NotifyHeaders::of(message);
        let Ok(ids) = headers.dialog_ids() else { return self.handle_unsolicited(message, &headers) };
        let mode = self.answer_mode();
        match self.take(message, &headers, &ids, mode) {
            // A subscription that has ended does not know its NOTIFYs any more, but the last one was answered by tm.
            Ok(Handled::No) if !transaction::is_made() && transaction::is_repeated(message) => Handled::Yes,
            Ok(handled) => handled,
            Err(Refusal::Malformed(Malformed(header))) => {
                self.refuse(message, &ids, mode, 400, &format!("Malformed {header}"), answer::SOON.as_bytes())
            }
            Err(Refusal::BadExtension(tags)) => {
                self.refuse(message, &ids, mode, 420, "Bad Extension", &answer::of_bad_extension(&tags))
            }
            Err(Refusal::OutOfMemory) => {
                self.lacks(Lack::Notify);
                self.refuse(message, &ids, mode, 503, "Service Unavailable", RETRY)
            }
            Err(Refusal::Full { limit }) => {
                log::warn(&format!(
                    "a NOTIFY of another fork got 503, because there are {limit} subscriptions already: raise modparam \
                     max_subscriptions, or set forking to first"
                ));
                self.refuse(message, &ids, mode, 503, "Service Unavailable", RETRY)
            }
        }
    }

    /// A transaction that the script has made is used.
    fn answer_mode(&self) -> AnswerMode {
        if self.config.has_sl && self.live.stateless_answers() && !transaction::is_made() {
            AnswerMode::Stateless
        } else {
            AnswerMode::Stateful
        }
    }

    fn take(
        &self,
        message: SipMessage<'_>,
        headers: &NotifyHeaders<'_>,
        ids: &DialogIds<'_>,
        mode: AnswerMode,
    ) -> Result<Handled, Refusal> {
        let cseq = message.cseq(b"NOTIFY")?;
        if let Some(tags) = headers.unsupported(|tag| self.supports(tag) || self.supports_for(ids, tag))? {
            return Err(Refusal::BadExtension(tags));
        }
        let event = headers.event()?;
        let remote_tag = ids.remote_tag?;
        let contact = headers.contact();
        let routes = headers.routes()?;
        let content_type = headers.content_type();
        let body = message.body()?;
        let package = self.config.packages.find(event.package);
        let Judged { content, texts } = self.judge(package, ids, content_type, headers.is_encoded(), body);
        let state = headers.subscription_state().and_then(SubscriptionState::parse);
        let is_last = state.is_some_and(|state| state.value == StateValue::Terminated);
        let (prepared, content) = match Self::prepare(texts.0, texts.1) {
            Ok(prepared) => (prepared, content),
            // The end counts more than its body: it is not sent again.
            Err(OutOfMemory) if is_last => {
                self.lacks(Lack::LastBody);
                (Self::prepare(&[], &[])?, Content::TooLarge)
            }
            Err(error) => return Err(error.into()),
        };
        let notify = Notify {
            cseq,
            remote_tag,
            contact: None,
            has_bad_contact: false,
            route_set: routes.as_ref().map(Routes::set).unwrap_or_default(),
            event: event.package,
            event_id: event.id,
            state,
            entity_tag: headers.entity_tag(),
            content,
            echo: Echo::of(headers.subscription_state(), content_type.map(<[u8]>::len), body, headers.branch()),
        };
        let arrived = Arrived { call_id: ids.call_id, local_tag: ids.local_tag, contact, notify };
        let judge = |notify| {
            let offered = contact.and_then(|header| contact::offered(header, message));
            Notify { contact: offered, has_bad_contact: contact.is_some() && offered.is_none(), ..notify }
        };
        let mut gone = None;
        let deliver = self.deliver_notify(prepared, content, &mut gone);
        let step = self.registry.step_notify(arrived, judge, &self.at(Self::now()).env(), deliver)?;
        drop(gone);
        let Some(stepped) = step else { return Ok(Handled::No) };
        Self::trace(&stepped);
        self.say_turn(stepped.handle, stepped.owner.subscription, &stepped.output);
        if let Some(header) = contact {
            self.count_bad_contact(stepped.handle, stepped.owner.subscription, stepped.output.bad_contacts, header);
        }
        self.note_untold(stepped.handle, &stepped.output, (content_type, body));
        self.keep_up(&stepped);
        self.see_to_unsaved(&stepped);
        self.settle(stepped.wake, stepped.delivered);
        if stepped.output.wants_source
            && let Some((address, transport)) = message.source()
        {
            self.apply(stepped.handle, Input::Source { cseq, address, transport });
        }
        let Some(answered) = stepped.output.answer else { return Ok(Handled::No) };
        let (code, phrase) = answered.code_and_phrase();
        // The record may be gone now: tm recognises the retransmissions of a last NOTIFY.
        let mode = if is_last { AnswerMode::Stateful } else { mode };
        self.answer(
            message,
            mode,
            code,
            phrase,
            &self.extra_headers(answered, message, (stepped.handle, stepped.output.socket), package),
        );
        Ok(Handled::Yes)
    }

    /// Whether the body is one the package's subscriber can be given.
    fn judge<'m>(
        &self,
        package: Option<&'static Package>,
        ids: &DialogIds<'_>,
        content_type: Option<&'m [u8]>,
        is_encoded: bool,
        body: &'m [u8],
    ) -> Judged<'m> {
        if body.is_empty() {
            return Content::Empty.into();
        }
        if body.len() > self.live.max_body() {
            return Content::TooLarge.into();
        }
        if is_encoded {
            return Content::Encoded.into();
        }
        // Nothing to parse in what nearly all send.
        if !self.live.check_bodies()
            && content_type == Some(PIDF_XML.as_bytes())
            && package.is_some_and(|package| package.accept.contains(&PIDF_XML))
        {
            return Judged { content: Content::Acceptable, texts: (PIDF_XML.as_bytes(), body) };
        }
        let sent = content_type.unwrap_or_default();
        let Ok(content_type) = ContentType::parse(sent) else { return Judged::of(Content::Malformed, (sent, body)) };
        // An unknown package is refused by the core, whatever its body.
        let accepts = |kind: &ContentType<'_>| {
            package.is_some_and(|package| {
                package.accept.iter().any(|accept| kind.is(accept))
                    || package.partial.iter().any(|partial| kind.is(partial)) && self.asks_for_changes(ids)
            }) || self.config.invited_types.iter().any(|accept| kind.is(accept))
        };
        let is_accepted = accepts(&content_type);
        // What does not say what it is may be a list or have one document: it is a list where a part names resources.
        let part = if is_accepted { None } else { only_document(&content_type, body, accepts) };
        if let Some((kind, Ok(of_part), part)) = part.map(|(kind, part)| (kind, ContentType::parse(kind), part)) {
            return Judged::of(self.check(&of_part, part), (kind, part));
        }
        if is_list(&content_type) {
            let asked = self.judge_list(&content_type, body);
            return Judged::of(Content::List(ListContent { asked, is_invited: is_accepted }), (sent, body));
        }
        if is_accepted {
            return Judged::of(self.check(&content_type, body), (sent, body));
        }
        Judged::of(Content::Unsupported, (sent, body))
    }

    /// Whether a body of an accepted type is what its type says.
    fn check(&self, content_type: &ContentType<'_>, body: &[u8]) -> Content {
        match check_body(content_type, body, self.live.max_body(), self.live.check_bodies())
            .map_err(|error| error.sip_status())
        {
            Ok(None) => Content::Acceptable,
            Ok(Some(Version { number, is_full })) => Content::Versioned { version: number, is_full },
            Err(413) => Content::TooLarge,
            Err(415) => Content::Unsupported,
            Err(_) => Content::Malformed,
        }
    }

    /// Whether the module, or the operator in `additional_presence_headers`, has said that this extension is supported.
    fn supports(&self, tag: &[u8]) -> bool {
        self.config.supported_tags.iter().any(|known| known.as_bytes().eq_ignore_ascii_case(tag))
    }

    /// Refuses a NOTIFY for a subscription of the module. A NOTIFY for any other subscription is left to the script.
    fn refuse(
        &self,
        message: SipMessage<'_>,
        ids: &DialogIds<'_>,
        mode: AnswerMode,
        code: u16,
        phrase: &str,
        headers: &[u8],
    ) -> Handled {
        let remote_tag = ids.remote_tag.map_or(&b""[..], Tag::text);
        let Some(handle) = self.registry.find_dialog(ids.call_id, ids.local_tag, remote_tag) else {
            return Handled::No;
        };
        self.count_refused(handle, remote_tag, (code == 503).then_some(RETRY_PAUSE), (code, phrase));
        self.answer(message, mode, code, phrase, headers);
        Handled::Yes
    }

    fn answer(&self, message: SipMessage<'_>, mode: AnswerMode, code: u16, phrase: &str, headers: &[u8]) {
        if mode == AnswerMode::Stateless {
            if !stateless::reply(message, code, phrase, headers) {
                self.lacks(Lack::Answer);
            }
            return;
        }
        match transaction::ensure(message) {
            Transaction::Ready => {
                if !transaction::reply(message, code, phrase, headers) {
                    self.lacks(Lack::Answer);
                }
            }
            // tm has repeated the answer it gave before.
            Transaction::Repeated => {}
            Transaction::None => {
                self.lacks(Lack::Answer);
            }
        }
    }
}

/// The judgement of a body.
struct Judged<'m> {
    content: Content,
    /// Content-Type and body of what may be handed on; empty when nothing is.
    texts: (&'m [u8], &'m [u8]),
}

impl<'m> Judged<'m> {
    fn of(content: Content, texts: (&'m [u8], &'m [u8])) -> Self {
        match content.may_be_document() {
            // A part without anything.
            true if texts.1.is_empty() => Content::Empty.into(),
            true => Self { content, texts },
            false => content.into(),
        }
    }
}

impl From<Content> for Judged<'_> {
    fn from(content: Content) -> Self {
        Self { content, texts: (&[], &[]) }
    }
}

/// How a NOTIFY is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AnswerMode {
    /// In a transaction of tm, which absorbs retransmissions.
    Stateful,
    /// Without one: the subscription knows what it has accepted, and its answers to all else do not change.
    Stateless,
}

/// How long a NOTIFY is put off for want of memory.
const RETRY_PAUSE: Duration = Duration::from_secs(30);

/// The same, as its notifier is told.
const RETRY: &[u8] = b"Retry-After: 30\r\n";

/// Why a NOTIFY was not taken.
enum Refusal {
    Malformed(Malformed),
    /// It requires extensions that are not supported.
    BadExtension(OptionTags),
    OutOfMemory,
    /// It would have made a fork beyond the limit.
    Full {
        limit: u32,
    },
}

impl From<InsertError> for Refusal {
    fn from(error: InsertError) -> Self {
        match error {
            InsertError::Full { limit } => Self::Full { limit },
            InsertError::OutOfMemory(OutOfMemory) => Self::OutOfMemory,
        }
    }
}

impl From<Malformed> for Refusal {
    fn from(malformed: Malformed) -> Self {
        Self::Malformed(malformed)
    }
}

impl From<OutOfMemory> for Refusal {
    fn from(_: OutOfMemory) -> Self {
        Self::OutOfMemory
    }
}
