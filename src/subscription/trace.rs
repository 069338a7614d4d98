//! A step in words, to search for faults: the input and the output.

use std::fmt::{Display, Formatter, Result};

use super::input::{HeldBy, Input};
use super::output::Output;
use super::{StateValue, Turn, Untold};

impl Display for Input<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Start => f.write_str("start"),
            Self::Deadline(_) => f.write_str("deadline"),
            Self::Through { cseq, proxy } => write!(f, "SUBSCRIBE {cseq} goes through proxy {proxy}"),
            Self::Sent { cseq, .. } => write!(f, "SUBSCRIBE {cseq} is sent"),
            Self::Over { cseq, .. } => write!(f, "SUBSCRIBE {cseq} has a connection"),
            Self::SendFailed { cseq } => write!(f, "SUBSCRIBE {cseq} could not be sent"),
            Self::NoWay { cseq } => write!(f, "SUBSCRIBE {cseq} has no way to the target"),
            Self::Dropped { cseq } => write!(f, "SUBSCRIBE {cseq} was dropped by the script"),
            Self::Held { cseq, by, .. } => write!(f, "SUBSCRIBE {cseq} is held by {}", held_by(*by)),
            Self::Turn => f.write_str("turn in the line"),
            Self::Saved => f.write_str("row is in the database"),
            Self::Reply(reply) if reply.is_local => write!(f, "no reply to SUBSCRIBE {}: {}", reply.cseq, reply.code),
            Self::Reply(reply) => write!(f, "reply {} to SUBSCRIBE {}", reply.code, reply.cseq),
            Self::Notify(notify, _) => {
                let state = notify.state.map_or("no state", |state| state_name(state.value));
                write!(f, "NOTIFY {} with {state}", notify.cseq)
            }
            Self::Source { cseq, address, transport } => {
                write!(f, "NOTIFY {cseq} came from {address} over {}", transport.name())
            }
            Self::Untold(why) => write!(f, "a NOTIFY is not told: {}", why.name()),
            Self::PutOff(pause) => write!(f, "a NOTIFY is put off for {} s", pause.as_secs()),
            Self::NotForked => f.write_str("a NOTIFY opens no further fork"),
            Self::Refresh => f.write_str("refresh by an operator"),
            Self::Credentials { .. } => f.write_str("credentials"),
            Self::Told => f.write_str("state told by the server itself"),
            Self::FlowLost(_) => f.write_str("connection lost"),
            Self::Unsubscribe => f.write_str("unsubscribe"),
        }
    }
}

fn state_name(state: StateValue) -> &'static str {
    match state {
        StateValue::Active => "active",
        StateValue::Pending => "pending",
        StateValue::Terminated => "terminated",
        StateValue::Other => "another state",
    }
}

fn held_by(by: HeldBy) -> &'static str {
    match by {
        HeldBy::Rate => "a rate",
        HeldBy::RetryAfter => "a Retry-After",
        HeldBy::Breaker => "a destination that does not answer",
        HeldBy::Lookup => "a lookup",
        HeldBy::Unreached => "a long lookup",
    }
}

/// The output, in its order; `nothing` if there is none.
impl Display for Output {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let mut parts = Vec::new();
        if let Some(answer) = self.answer {
            parts.push(format!("answer {}", answer.code_and_phrase().0));
        }
        if let Some((why, _)) = self.untold {
            parts.push(format!("count as {}", Untold::name(why)));
        }
        if let Some(news) = &self.news {
            let with = if news.with_body { " with the body" } else { "" };
            let last = if news.last { ", the last" } else { "" };
            parts.push(match (news.code, news.reason.as_str()) {
                (0, "") => format!("tell {}{with}{last}", news.status.name()),
                (0, reason) => format!("tell {}{with} ({reason}){last}", news.status.name()),
                (code, reason) => format!("tell {}{with} ({code} {reason}){last}", news.status.name()),
            });
        }
        if let Some(request) = &self.send {
            parts.push(format!("SUBSCRIBE {} with Expires {}", request.cseq, request.expires));
        }
        match self.turn {
            Some(Turn::Failed) => parts.push("it begins to fail".to_owned()),
            Some(Turn::Recovered) => parts.push("it works again".to_owned()),
            None => {}
        }
        if self.unsaved {
            parts.push("its row is to be written".to_owned());
        }
        if self.forget {
            parts.push("the record is removed".to_owned());
        }
        if parts.is_empty() { f.write_str("nothing") } else { f.write_str(&parts.join(", ")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::subscription::{Answer, News, Reason, Reply, Request, Status};

    #[test]
    fn an_input_says_what_has_happened_and_no_secret() {
        let reply = Reply { cseq: 7, code: 401, ..Reply::default() };
        let secret = crate::subscription::Concealed(&b"do not show"[..]);
        for (input, text) in [
            (Input::Reply(reply), "reply 401 to SUBSCRIBE 7"),
            (Input::SendFailed { cseq: 3 }, "SUBSCRIBE 3 could not be sent"),
            (Input::Credentials { username: b"do not show", secret }, "credentials"),
            (Input::Untold(Untold::Stale), "a NOTIFY is not told: stale"),
        ] {
            assert_eq!(input.to_string(), text);
        }
    }

    #[test]
    fn an_output_says_what_goes_out() {
        assert_eq!(Output::default().to_string(), "nothing");
        let news = News { with_body: true, ..News::new(Status::Active, Reason::Nothing) };
        let output = Output { answer: Some(Answer::Ok), news: Some(news), ..Output::default() };
        assert_eq!(output.to_string(), "answer 200, tell active with the body");
        let news = News { code: 503, last: true, ..News::new(Status::Terminated, Reason::ServiceUnavailable) };
        let send = Some(Box::new(Request { cseq: 9, expires: 60, ..Request::default() }));
        let output = Output { news: Some(news), send, turn: Some(Turn::Failed), forget: true, ..Output::default() };
        assert_eq!(
            output.to_string(),
            "tell terminated (503 Service Unavailable), the last, SUBSCRIBE 9 with Expires 60, it begins to fail, the record is removed"
        );
    }
}
