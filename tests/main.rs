//! The integration tests: one file per behaviour, all against a real Kamailio.

#[allow(dead_code)] // a helper may wait for its first behaviour
mod support;

mod bad_input;
mod bad_replies;
mod bench_parts;
mod bodies;
mod c_api;
mod call;
mod conformance;
mod credentials_table;
mod demo_runs;
mod digest;
mod documentation;
mod early_notify;
mod ending;
mod failover;
mod failures;
mod fences;
mod flows;
mod forking;
mod framing;
mod gate;
mod harness;
mod install;
mod kamcmd;
mod kemi;
mod notify;
mod options;
mod overflow;
mod parameters;
mod policy;
mod processes;
mod real_presence;
mod redirect;
mod refresh;
mod request;
mod rpc;
mod script;
mod sharing;
mod stateless;
mod terminated;
mod timer_n;
mod transports;
mod transports_tls;
mod watch;
