//! PURE. One subscription's life: state, dialog, policy, packages, digest authentication.
//!
//! [`Subscription::handle`] takes what happened and the time, and says what is to be done. Nothing here reads a clock,
//! a random number or a parameter, sends, locks or logs. Memory comes from the allocator `A` (Kamailio's shared memory
//! in the server), always fallibly and before any state changes.
#![forbid(unsafe_code)]

mod brief;
mod dialog;
pub mod digest;
mod echo;
mod failure;
mod fingerprint;
mod history;
mod input;
mod machine;
mod marks;
mod near;
mod options;
mod output;
pub mod package;
mod policy;
mod proxies;
mod rates;
mod reason;
mod redirect;
mod schedule;
mod snapshot;
mod state;
mod stored;
mod substate;
#[cfg(test)]
mod tests;
mod trace;
mod version;

pub use brief::Brief;
pub use digest::{
    Challenge, Challenger, Concealed, Credential, CredentialError, DomainList, Domains, KnownCredentials, RealmName,
    Secret,
};
pub use echo::Echo;
pub use fingerprint::Fingerprint;
pub use history::{Happened, HistoryEvent};
pub use input::{Content, Flow, Fresh, HeldBy, Input, ListContent, ListJudgement, Notify, Reply, Socket};
pub use machine::{Env, SharedUris, Subject, Subscription};
pub use near::nearest;
pub use options::{OptionError, Options, PublishAs, WRITTEN_HEADERS};
pub use output::{Answer, News, Output, Request, RequestKind, Status, Turn, Untold};
pub use package::{OwnPackage, Package, PackageError, PackageNumber, Packages};
pub use policy::{Action, After, Forking, Override, Policy};
pub use proxies::MOST_PROXIES;
pub use reason::Reason;
pub use snapshot::Snapshot;
pub use state::{Standing, State};
#[cfg(test)]
pub use stored::CSEQS_UNWRITTEN;
pub use stored::{StoredAwaits, StoredDialog, StoredLife, StoredPhase};
pub use substate::{StateValue, SubscriptionState};
