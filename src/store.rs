//! PURE. Subscriptions that outlive the server: rows of a database, the text of statements, and the decisions of the one process that
//! writes them.
//!
//! * [`StoredRow`] is a row: made of a subscription, and judged when it is read again (law L11).
//! * [`ClockMap`] and [`cseq`] carry instants and CSeqs from one run of the server to the next.
//! * [`statements`] are the texts for SQLite, PostgreSQL and MySQL.
//! * [`Outbox`] decides which rows are written next, and what happens after a failure.
//! * [`Orphans`] are restored subscriptions that wait for a module of the server to subscribe to the same again. They are in shared memory.
//!
//! Each row says which statement has written it last ([`Written`]), and no statement changes a row that a later one has written. Each
//! statement says which run of the server it is of ([`Run`]), and does nothing once another run has begun. So it does no harm if the
//! database carries out a statement late, twice or never.
#![forbid(unsafe_code)]

mod clock;
mod columns;
pub mod cseq;
mod fault;
mod life;
mod node;
mod orphans;
mod outbox;
mod read;
mod row;
pub mod schema;
pub mod statements;
#[cfg(test)]
mod tests;

#[cfg(test)]
use columns::COLUMN_COUNT;

pub use clock::{ClockMap, Restart};
pub use columns::{COLUMNS, MOST_EPOCH, NODES as NODES_TABLE, SqlValue, TABLE};
pub use fault::{BadRow, Unstorable};
pub use life::RowTexts;
pub use node::NodeRow;
pub use orphans::Orphans;
pub use outbox::{Outbox, RowBatch, RowChange, WriteFailure};
pub use row::{RowOrigin, RowState, Run, StoredRow, Written};
pub use statements::SqlDialect;
