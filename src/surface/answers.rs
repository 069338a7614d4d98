//! The answers of `presence_b2b.trace`, `.list` and `.show`, as they are declared: a declared field must be filled, and the
//! tests compare the pages with the names. Uses nothing of the module, so that the tests can read it as well.

use std::ffi::CStr;

/// A value in the answer of `presence_b2b.list` and `.show`.
#[derive(Clone, Copy, Debug)]
pub enum FieldValue<'a> {
    /// A number.
    Number(u32),
    /// A text.
    Text(&'a str),
    /// The answer does not have the field.
    Absent,
}

impl<'a> FieldValue<'a> {
    /// The text, unless it is empty.
    pub fn unless_empty(text: &'a str) -> Self {
        if text.is_empty() { Self::Absent } else { Self::Text(text) }
    }

    /// The number, if there is one.
    pub fn or_absent(number: Option<u32>) -> Self {
        number.map_or(Self::Absent, Self::Number)
    }
}

const fn name(ended: &'static str) -> &'static CStr {
    match CStr::from_bytes_with_nul(ended.as_bytes()) {
        Ok(name) => name,
        Err(_) => c"",
    }
}

/// A structure with a member for each field of an answer, in the order of the answer.
macro_rules! answer {
    ($(#[$doc:meta])* pub struct $answer:ident $(<$life:lifetime>)?: $type:ty { $($(#[$meaning:meta])* $name:ident,)* }) => {
        $(#[$doc])*
        pub struct $answer $(<$life>)? {
            $($(#[$meaning])* pub $name: $type,)*
        }

        impl $(<$life>)? $answer $(<$life>)? {
            /// The names of the fields.
            pub const NAMES: [&'static CStr; [$(stringify!($name)),*].len()] =
                [$(name(concat!(stringify!($name), "\0"))),*];

            /// The fields, in the order of the answer.
            pub fn into_fields(self) -> impl Iterator<Item = (&'static CStr, $type)> {
                Self::NAMES.into_iter().zip([$(self.$name),*])
            }
        }
    };
}

answer! {
    /// The statistics of `presence_b2b.trace`.
    pub struct Statistics: u64 {
        /// Subscriptions now, with those that are being ended.
        subscriptions,
        /// Subscriptions made since the start.
        created,
        /// Subscriptions ended and forgotten.
        destroyed,
        /// Messages for all queues, also those of C modules.
        received,
        /// Messages that the event route or a C module took.
        delivered,
        /// Messages that a newer one of the same subscription replaced.
        merged,
        /// Messages lost.
        dropped,
        /// Messages that wait.
        queued,
        /// Bytes of the messages that wait.
        queued_bytes,
        /// Bytes that may wait in each queue.
        queue_bytes,
        /// Bytes of one subscription that may wait in a queue.
        subscription_queue_bytes,
        /// Bytes of shared memory that the module has.
        memory,
        /// Bytes of shared memory that the module may have; 0 for no limit.
        max_memory,
        /// States that are kept at hand.
        kept_states,
        /// Bytes that they take.
        kept_bytes,
        /// Resources of lists that are remembered.
        list_resources,
        /// How often a resource of a list was told that is not remembered.
        list_resources_lost,
        /// Users whose registrations are followed here.
        followed_users,
        /// Users whose state is that of a subscription.
        publications,
        /// Updates that the presence server has taken.
        published,
        /// Updates that the presence server has refused.
        publish_failed,
        /// Documents that could not be published.
        publish_unfit,
        /// Calls of local users that are followed.
        calls,
        /// Bytes that they take.
        call_bytes,
        /// Calls of local users that there was no room for.
        calls_untracked,
        /// Contacts of notifiers that cannot be a target.
        bad_contacts,
        /// NOTIFYs refused.
        notifies_refused,
        /// NOTIFYs whose CSeq was too low.
        notifies_stale,
        /// NOTIFYs that repeated an accepted one.
        notifies_repeated,
        /// Messages of NOTIFYs that a newer one replaced.
        notifies_merged,
        /// Messages of NOTIFYs lost.
        notifies_dropped,
        /// NOTIFYs accepted that nobody subscribed to.
        unsolicited,
        /// NOTIFYs of no subscription that were not accepted.
        unsolicited_refused,
        /// NOTIFYs accepted that nobody subscribed to, and not told yet.
        unsolicited_queued,
        /// Small blocks of shared memory in use.
        small_blocks,
        /// Bytes of these blocks.
        small_bytes,
    }
}

answer! {
    /// The fields of a subscription in `presence_b2b.list` and `.show`.
    pub struct SubscriptionFields<'a>: FieldValue<'a> {
        /// Id.
        id,
        /// URI of the record.
        record,
        /// URI of the subscriber.
        subscriber,
        /// Event package.
        package,
        /// One of the nine states.
        state,
        /// Status of the newest message to the subscriber.
        status,
        /// Event id; absent if there is none.
        event_id,
        /// The options that it was made with, as text; absent if there are none.
        options,
        /// Seconds until the granted time ends; absent while nothing is granted.
        expires_in,
        /// Seconds until the next SUBSCRIBE, or until the module stops waiting.
        next_action_in,
        /// Call-ID of the dialog.
        call_id,
        /// This side's tag.
        local_tag,
        /// The notifier's tag.
        remote_tag,
        /// CSeq of the newest SUBSCRIBE.
        local_cseq,
        /// CSeq of the newest NOTIFY.
        remote_cseq,
        /// URI that the next SUBSCRIBE of the dialog goes to.
        remote_target,
        /// URI of where the newest NOTIFY came from, if requests may go there; otherwise absent.
        source,
        /// Where the newest SUBSCRIBE went, or is held for; absent if that is not known.
        destination,
        /// Failures since the last success.
        retries,
        /// Code of the newest final reply.
        last_reply,
        /// Its phrase, or the reason of the newest failure or termination.
        last_reason,
        /// NOTIFYs accepted.
        notifies,
        /// Bytes of its messages that wait in queues.
        queued_bytes,
        /// Bytes of its shared memory.
        bytes,
        /// Bytes of the states that are kept of it at hand; absent if none are.
        kept_bytes,
        /// Contacts that cannot be a target.
        bad_contacts,
        /// NOTIFYs refused.
        refused,
        /// NOTIFYs whose CSeq was too low.
        stale,
        /// NOTIFYs that repeated an accepted one.
        repeated,
        /// Messages that a newer one replaced.
        merged,
        /// Messages lost.
        dropped,
        /// 1 if a row of `provision_table` has made it; otherwise absent.
        provisioned,
        /// Number of the fork; 0 for a subscription.
        fork,
        /// Id of the fork's subscription; absent for a subscription.
        fork_of,
    }
}

answer! {
    /// The fields of the answer of `presence_b2b.history`, before the events.
    pub struct HistoryFields<'a>: FieldValue<'a> {
        /// Id.
        id,
        /// URI of the record.
        record,
        /// URI of the subscriber.
        subscriber,
        /// Event package.
        package,
        /// How many events there were in all.
        total,
    }
}

answer! {
    /// The fields of an event in the answer of `presence_b2b.history`.
    pub struct HistoryEventFields<'a>: FieldValue<'a> {
        /// When it was.
        at,
        /// out, in or none.
        direction,
        /// What it was.
        event,
        /// Which kind of it; absent if there is only one.
        kind,
        /// Code of the reply, or of the answer to a NOTIFY; absent if there is none.
        code,
        /// Seconds asked for, granted or told; absent if there are none.
        expires,
        /// Why; absent if nobody has said it.
        reason,
        /// The state since.
        state,
    }
}

answer! {
    /// The fields of the answer of `presence_b2b.reload` and `.provisioning`.
    pub struct ProvisioningFields<'a>: FieldValue<'a> {
        /// never, reading, done or failed.
        state,
        /// Rows read.
        rows,
        /// Rows that have made a subscription.
        added,
        /// Rows whose subscription was replaced.
        changed,
        /// Rows whose subscription stays.
        kept,
        /// Subscriptions without a row that have ended.
        ended,
        /// Rows that are disabled.
        disabled,
        /// Rows that cannot be used.
        skipped,
        /// Credentials read.
        credentials,
        /// Milliseconds that the reading has taken.
        took,
        /// Subscriptions that rows have made.
        subscriptions,
        /// Bytes that it takes to remember which ones these are.
        bytes,
        /// Why the reading has failed; absent if it has not.
        reason,
    }
}

/// The counters of the store, which the server shows beside the statistics of `presence_b2b.trace`.
pub const STORE_COUNTERS: [&CStr; 5] =
    [c"store_rows", c"store_waiting", c"store_lag_ms", c"store_written", c"store_failures"];

answer! {
    /// Counters of the server that `presence_b2b.trace` does not have. Behind them come `state_` and the name of each state, and `package_` and
    /// that of each package.
    pub struct LiveCounters: u64 {
        /// Subscriptions whose last attempt has failed.
        failing,
        /// SUBSCRIBEs that opened a dialog.
        subscribes_new,
        /// SUBSCRIBEs that refreshed a subscription.
        subscribes_refresh,
        /// SUBSCRIBEs that ended a subscription.
        subscribes_end,
        /// SUBSCRIBEs after an attempt that had failed.
        subscribes_retry,
        /// Replies to SUBSCRIBEs: successes.
        replies_2xx,
        /// Redirections.
        replies_3xx,
        /// Request failures and challenges.
        replies_4xx,
        /// Server failures.
        replies_5xx,
        /// Global failures.
        replies_6xx,
        /// SUBSCRIBEs without a reply.
        replies_none,
        /// NOTIFYs accepted.
        notifies_accepted,
        /// NOTIFYs accepted that repeated another one.
        notifies_discarded_repeated,
        /// NOTIFYs accepted whose message a newer one replaced.
        notifies_discarded_merged,
        /// NOTIFYs accepted whose message was lost.
        notifies_discarded_dropped,
        /// Last NOTIFYs accepted without their body.
        notifies_discarded_body,
        /// NOTIFYs answered 500 for their CSeq.
        notifies_refused_stale,
        /// NOTIFYs answered 400.
        notifies_refused_malformed,
        /// NOTIFYs answered 489.
        notifies_refused_event,
        /// NOTIFYs answered 415.
        notifies_refused_type,
        /// NOTIFYs answered 413.
        notifies_refused_size,
        /// NOTIFYs answered 420.
        notifies_refused_extension,
        /// NOTIFYs answered 503.
        notifies_refused_room,
        /// NOTIFYs of forks that are not taken.
        notifies_refused_fork,
        /// Destinations whose breaker is not closed.
        breakers_open,
        /// How late the most overdue deadline is.
        deadline_lag_ms,
        /// Bytes of the records of subscriptions.
        memory_records,
        /// Bytes of messages that wait.
        memory_messages,
        /// Bytes of states that are kept.
        memory_states,
        /// Bytes of calls that are followed.
        memory_calls,
        /// Bytes of all else.
        memory_other,
    }
}

answer! {
    /// The fields of the answer of `presence_b2b.store`.
    pub struct StoreFields<'a>: FieldValue<'a> {
        /// off, good, slow or away.
        state,
        /// Rows in the table, as far as this server knows.
        rows,
        /// Changes that wait to be written.
        waiting,
        /// Milliseconds that the oldest of them has been waiting.
        lag_ms,
        /// Rows written since the start.
        written,
        /// Statements executed.
        writes,
        /// Attempts that have failed.
        failures,
        /// Rows that the database refuses for what they say.
        refused,
        /// Subscriptions that were restored at the start.
        restored,
        /// Rows that were left out then.
        skipped,
        /// Milliseconds that this took.
        restore_took,
        /// Subscriptions of C modules that wait for their module.
        orphans,
        /// Why the newest attempt has failed; absent if it has not.
        reason,
    }
}
