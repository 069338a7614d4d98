//! The outcome of a request.

/// The outcome of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendOutcome {
    /// A final reply: the destination answers.
    Answered,
    /// 503, with the seconds of its Retry-After.
    Unavailable {
        /// Retry-After; `None` or 0 when it says nothing.
        retry_after: Option<u32>,
    },
    /// No reply at all, or it could not be sent.
    Silent,
    /// It was not sent, for a reason that says nothing of the destination.
    Unsent,
}

impl SendOutcome {
    /// The outcome that a received final reply means.
    #[must_use]
    pub fn of_answer(code: u16, retry_after: Option<u32>) -> Self {
        match code {
            503 => Self::Unavailable { retry_after },
            _ => Self::Answered,
        }
    }

    /// The outcome that a final reply of the transaction layer itself means.
    #[must_use]
    pub fn of_local(code: u16) -> Self {
        match code {
            408 => Self::Silent,
            503 => Self::Unavailable { retry_after: None },
            // It is unknown whether the destination is there.
            _ => Self::Unsent,
        }
    }
}
