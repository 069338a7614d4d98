//! The parts of the benchmark that need no server: their own tests run here. That the whole builds is seen by every build
//! of the tests; nothing here takes a time.

#![allow(dead_code, reason = "the benchmark uses the rest")]

#[path = "bench/asker.rs"]
mod asker;
#[path = "bench/dialogs.rs"]
mod dialogs;
#[path = "bench/message.rs"]
mod message;
#[path = "bench/net.rs"]
mod net;
#[path = "bench/options.rs"]
mod options;
#[path = "bench/statistics.rs"]
mod statistics;
#[path = "bench/table.rs"]
mod table;
#[path = "bench/writer.rs"]
mod writer;
