//! The search can fail: it finds each of these flaws.

use super::super::*;
use super::FETCH;
use super::challenges::as_old;
use super::search::explore;
use super::world::Book;
use crate::memory::OutOfMemory;
use crate::testing::tag;

/// A subscription with something wrong about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    None,
    /// A NOTIFY that ends the subscription is answered and forgotten (the original did so while confirmed).
    IgnoresTermination,
    /// A NOTIFY that comes again is delivered again.
    DeliversTwice,
    /// NOTIFYs of another fork are taken for the dialog's own.
    MixesForks,
    /// Sends as soon as it is asked to end.
    SendsAtOnce,
    /// Keeps the target of the first NOTIFY.
    NeverMoves,
    /// Tries again at once after every failure.
    Hammers,
    /// Still sends messages after unsubscribe.
    TalksOn,
    /// Loses its deadline when a reply is overdue.
    Sleeps,
    /// Waits for more after a pending NOTIFY, although it is a fetch.
    StaysOn,
    /// Waits another 30 s after every NOTIFY, even after unsubscribe.
    NeverEnds,
    /// Takes every challenge for one of an old nonce.
    TriesAgain,
}

impl Flaw {
    /// The output of a subscription with this flaw.
    pub fn handle(
        self,
        subscription: &mut Subscription<Accounted>,
        input: Input<'_>,
        env: &Env<'_>,
    ) -> Result<Output, OutOfMemory> {
        let mut input = input;
        let told = match &input {
            Input::Notify(notify, _) => notify.state.map(|state| state.value),
            _ => None,
        };
        let is_failure = matches!(&input, Input::Reply(reply) if reply.code >= 400);
        let is_unsubscribe = matches!(input, Input::Unsubscribe);
        let made = match (&input, &subscription.dialog) {
            (Input::Notify(notify, _), Some(dialog)) => {
                dialog.is_made() && dialog.remote_tag() != notify.remote_tag.text()
            }
            _ => false,
        };
        let mut policy = env.policy.clone();
        match (self, &mut input) {
            (Self::IgnoresTermination, Input::Notify(..)) if told == Some(StateValue::Terminated) => {
                return Ok(Output { answer: Some(Answer::Ok), ..Output::default() });
            }
            (Self::StaysOn, Input::Notify(..))
                if told == Some(StateValue::Pending) && subscription.fetch_until().is_some() =>
            {
                return Ok(Output { answer: Some(Answer::Ok), ..Output::default() });
            }
            (Self::MixesForks, Input::Notify(notify, _)) if made => {
                notify.remote_tag = if notify.remote_tag == tag(b"A") { tag(b"B") } else { tag(b"A") };
            }
            (Self::NeverMoves, Input::Notify(notify, _)) => {
                notify.contact = notify.contact.filter(|uri| !uri.unjudged().ends_with(b"moved"))
            }
            (Self::Hammers, _) if is_failure => {
                (policy.on_error_retry_time, policy.min_resubscribe_time) = (secs(0), secs(0))
            }
            (Self::TriesAgain, Input::Reply(reply)) => reply.challenges = as_old(reply.challenges),
            (Self::NeverEnds, Input::Unsubscribe) => return Ok(Output::default()),
            _ => {}
        }
        let env = Env { policy: &policy, ..*env };
        let mut output = subscription.handle(input, &env)?;
        let news = News { with_body: true, ..News::new(Status::Active, Brief::default()) };
        match self {
            Self::DeliversTwice if told == Some(StateValue::Active) && output.answer == Some(Answer::Ok) => {
                output.news = output.news.or(Some(news));
            }
            Self::TalksOn if told == Some(StateValue::Active) => output.news = output.news.or(Some(news)),
            Self::SendsAtOnce if is_unsubscribe => output.send = Some(Box::default()),
            Self::Sleeps if output.send.is_some() => output.forget = true,
            _ => {}
        }
        Ok(output)
    }
}

/// The search finds the flaw, and the observer reports this text.
fn assert_found(flaw: Flaw, mishaps: u8, says: &str) {
    let found = explore(mishaps, flaw, Book::Rfc, Terms::default());
    let found = found.and_then(|_| explore(mishaps, flaw, Book::Rfc, FETCH)).expect_err("the flaw is found");
    assert!(found.contains(says), "{flaw:?}: {found}");
}

#[test]
fn flaws_are_found() {
    assert_found(Flaw::IgnoresTermination, 1, "an accepted NOTIFY is delivered once");
    assert_found(Flaw::DeliversTwice, 1, "has been delivered");
    assert_found(Flaw::MixesForks, 1, "a second dialog beside");
    assert_found(Flaw::SendsAtOnce, 0, "only the deadline sends");
    assert_found(Flaw::NeverMoves, 1, "the newest confirmed is");
    assert_found(Flaw::Hammers, 2, "too close together");
    assert_found(Flaw::TalksOn, 0, "an accepted NOTIFY is delivered once");
    assert_found(Flaw::Sleeps, 0, "forget once");
    assert_found(Flaw::StaysOn, 1, "an accepted NOTIFY is delivered once");
    assert_found(Flaw::NeverEnds, 0, "nobody wants it");
}
