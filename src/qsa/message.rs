//! The messages to a subscriber.

use std::ops::Range;

use super::cached_data::CachedSubscriberData;
use super::ids::SubscriptionId;
use crate::memory::{OutOfMemory, SharedAlloc, SharedTexts};
use crate::subscription::{Brief, News, Status};

/// Content type and body; none where both are empty. Messages that say the same to many have the same memory.
pub(super) type MessageTexts<A> = Option<SharedTexts<2, A>>;

/// The texts of a message in memory already, so that nothing can fail once the subscription's state has changed.
pub struct Prepared<A: SharedAlloc> {
    text: MessageTexts<A>,
}

impl<A: SharedAlloc> Prepared<A> {
    /// With texts that another message has as well.
    pub(super) fn with(text: MessageTexts<A>) -> Self {
        Self { text }
    }

    /// The same texts, for another owner; none if both are empty.
    pub fn texts(&self) -> Option<SharedTexts<2, A>> {
        self.text.clone()
    }

    /// The message that tells `news` of `subscription`.
    ///
    /// With the subscriber's value as the notifier was given it, it is taken from the queue without a look at the
    /// subscription. Only for a notifier that stays registered, and queues nothing more once it has refused the subscription
    /// or its [`UnsubscribeCallback`](super::notifier::UnsubscribeCallback) has returned.
    #[must_use]
    pub fn complete(self, subscription: SubscriptionId, cached: CachedSubscriberData, news: &News) -> Message<A> {
        Message { subscription, cached, news: *news, text: self.text, data: None }
    }

    pub(super) fn complete_with_data(self, subscription: SubscriptionId, news: &News, data: Data) -> Message<A> {
        Message { data: Some(data), ..self.complete(subscription, CachedSubscriberData::NOTHING, news) }
    }
}

/// One piece of news on its way to the subscriber.
pub struct Message<A: SharedAlloc> {
    subscription: SubscriptionId,
    cached: CachedSubscriberData,
    news: News,
    text: MessageTexts<A>,
    data: Option<Data>,
}

impl<A: SharedAlloc> Message<A> {
    /// Copies content type and body into one allocation, before the state is touched (law L5).
    ///
    /// # Errors
    /// [`OutOfMemory`].
    pub fn prepare(content_type: &[u8], body: &[u8], alloc: &A) -> Result<Prepared<A>, OutOfMemory> {
        if content_type.is_empty() && body.is_empty() {
            return Ok(Prepared { text: None });
        }
        Ok(Prepared { text: Some(SharedTexts::try_new([content_type, body], alloc)?) })
    }

    /// Its texts, to be told to others as well.
    pub(super) fn texts(&self) -> MessageTexts<A> {
        self.text.clone()
    }

    /// Content type and body, for another owner; none if there is no body.
    #[must_use]
    pub fn document(&self) -> Option<SharedTexts<2, A>> {
        self.text.clone().filter(|_| self.news.with_body && self.data.is_none())
    }

    /// Tells something else.
    pub(super) fn set_texts(&mut self, texts: SharedTexts<2, A>) {
        self.text = Some(texts);
    }

    /// How many bytes its texts take.
    pub(super) fn text_len(&self) -> usize {
        self.text.as_ref().map_or(0, SharedTexts::size)
    }

    /// Whether its texts are in the same memory as those of another one.
    pub(super) fn shares_texts_with(&self, other: &Self) -> bool {
        matches!((&self.text, &other.text), (Some(one), Some(other)) if one.is_same(other))
    }

    /// Takes its body away, where there is no room for it.
    pub(super) fn strip(&mut self) {
        self.text = None;
        self.news.with_body &= self.data.is_some();
    }

    /// Takes over the body of the message it replaces when it has none itself: news of a failed refresh, say, must not
    /// take the newest state away. What ends the subscription ends its state as well.
    pub(super) fn inherit(&mut self, older: &mut Self) {
        let goes_on = matches!(self.news.status, Status::Active | Status::Pending);
        if goes_on && !self.news.with_body && older.news.with_body {
            std::mem::swap(&mut self.text, &mut older.text);
            std::mem::swap(&mut self.data, &mut older.data);
            self.news.with_body = true;
        }
    }

    /// Another message with the same texts, which tells `news` of a resource of its list. It carries no value.
    #[must_use]
    pub fn about_resource(&self, news: News) -> Self {
        Self { subscription: self.subscription, cached: self.cached, news, text: self.text.clone(), data: None }
    }

    /// The same without its body.
    #[must_use]
    pub fn without_body(mut self) -> Self {
        self.strip();
        self
    }

    /// The subscription it belongs to.
    #[must_use]
    pub fn subscription(&self) -> SubscriptionId {
        self.subscription
    }

    /// The notifier's knowledge of the subscriber.
    pub(super) fn cached(&self) -> CachedSubscriberData {
        self.cached
    }

    /// All that is told beside the body.
    #[must_use]
    pub fn news(&self) -> &News {
        &self.news
    }

    /// The subscription's status from now on.
    #[must_use]
    pub fn status(&self) -> Status {
        self.news.status
    }

    /// SIP code of the reply that caused it; 0 for a NOTIFY or an inner event.
    #[must_use]
    pub fn code(&self) -> u16 {
        self.news.code
    }

    /// Why, when there is a reason to give.
    #[must_use]
    pub fn reason(&self) -> &str {
        self.news.reason.as_str()
    }

    /// Seconds until the next attempt after a failure or termination.
    #[must_use]
    pub fn next_attempt(&self) -> Option<u32> {
        self.news.next_attempt
    }

    /// Whether this is the last message of the subscription.
    #[must_use]
    pub fn is_last(&self) -> bool {
        self.news.last
    }

    /// The fork of the subscription it is about; 0 for the first dialog (and for notifiers without dialogs). `Terminated`
    /// or `Rejected` of another fork than 0 is the end of that fork alone.
    #[must_use]
    pub fn fork(&self) -> u8 {
        self.news.fork
    }

    /// Type of the body or of the data, and the body; empty where there is none.
    #[must_use]
    pub fn content(&self) -> [&[u8]; 2] {
        self.text.as_ref().filter(|_| self.news.with_body).map_or([&[]; 2], SharedTexts::all)
    }

    /// Type of the body or of the data; empty when there is neither.
    #[cfg(test)]
    #[must_use]
    pub fn content_type(&self) -> &[u8] {
        self.text_at(0)
    }

    /// The body; empty when there is none.
    #[cfg(test)]
    #[must_use]
    pub fn body(&self) -> &[u8] {
        self.text_at(1)
    }

    #[cfg(test)]
    fn text_at(&self, index: usize) -> &[u8] {
        self.text.as_ref().filter(|_| self.news.with_body).map_or(&[], |text| text.get(index))
    }

    /// The value carried instead of a body.
    #[must_use]
    pub fn data(&self) -> Option<usize> {
        self.data.as_ref().map(|data| data.value)
    }

    /// Takes the value out; from now on it is the caller's to destroy.
    pub fn take_data(&mut self) -> Option<usize> {
        self.data.take().map(Data::into_value)
    }
}

/// A message that a notifier sends by itself: of which subscription, and whether it has asked for lists, is not looked up.
pub(super) fn news(status: Status, reason: &[u8], with_body: bool) -> News {
    let last = matches!(status, Status::Terminated | Status::Rejected);
    News { with_body, last, list: true, ..News::new(status, Brief::new(reason)) }
}

/// How a carried value is destroyed.
#[derive(Clone, Copy, Debug)]
pub struct Destroy {
    /// Called with `user` and the value, never under a lock, in whichever process lets go of the message.
    pub f: fn(user: usize, value: usize),
    /// Handed to the function.
    pub user: usize,
}

/// A value that is destroyed exactly once, when its message goes.
#[derive(Debug)]
pub struct Data {
    value: usize,
    destroy: Option<Destroy>,
}

impl Data {
    /// Takes charge of `value`.
    #[must_use]
    pub fn new(value: usize, destroy: Option<Destroy>) -> Self {
        Self { value, destroy }
    }

    /// Gives the value back undestroyed.
    #[must_use]
    pub fn into_value(mut self) -> usize {
        self.destroy = None;
        self.value
    }
}

impl Drop for Data {
    fn drop(&mut self) {
        if let Some(destroy) = self.destroy.take() {
            (destroy.f)(destroy.user, self.value);
        }
    }
}

/// A message in its subscriber's hands.
pub struct Delivered<A: SharedAlloc> {
    /// The message.
    pub message: Message<A>,
    /// The subscriber's own value for the subscription.
    pub subscriber_data: usize,
    /// The resource that it is about, if its subscription is to a list and the body has been taken apart.
    pub listed: Option<Box<Listed>>,
}

/// A resource of a list, and where its state is in the body of the list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listed {
    /// The URI of the list.
    pub list: String,
    /// The URI of the resource.
    pub record: String,
    /// Its name.
    pub name: Option<String>,
    /// What names the instance.
    pub instance: Option<String>,
    /// Where the Content-Type of its state is; empty for none.
    pub content_type: Range<usize>,
    /// Where its state is; empty for none.
    pub body: Range<usize>,
    /// The body of the message is the state of this resource alone.
    pub is_alone: bool,
}

impl<A: SharedAlloc> Delivered<A> {
    /// Tells the whole state of its resource in the place of a document that says what has changed.
    pub fn tell_whole(&mut self, texts: SharedTexts<2, A>) {
        if let Some(listed) = &mut self.listed {
            listed.is_alone = true;
            self.message.set_texts(texts);
        }
    }

    /// Content type and body; those of the resource, if it is about one.
    #[must_use]
    pub fn content(&self) -> [&[u8]; 2] {
        let [content_type, body] = self.message.content();
        match &self.listed {
            None => [content_type, body],
            Some(listed) if listed.is_alone => [content_type, body],
            Some(listed) => {
                [&listed.content_type, &listed.body].map(|range| body.get(range.clone()).unwrap_or_default())
            }
        }
    }
}
