//! The base of the integration tests: a real Kamailio, a real presence server, and SIP peers that do as they are told.
//!
//! A test starts what it needs, talks to it, and stops it with [`kamailio::Server::stop`], which fails the test when the
//! server logged something that must never happen. Each server and each endpoint has a loopback address of its own, so
//! all tests run side by side. Nothing sleeps for a fixed time: see [`wait::eventually`].

pub mod address;
pub mod b2b;
pub mod call;
pub mod captured;
pub mod compiled;
pub mod config;
pub mod database;
pub mod destination;
pub mod digest;
pub mod dns;
pub mod endpoint;
pub mod example;
pub mod exception;
pub mod hang;
pub mod kamailio;
pub mod lamp_wall;
pub mod leaks;
pub mod log;
pub mod mariadb;
pub mod news;
pub mod notifier;
pub mod pbx;
pub mod phone;
pub mod pidf;
pub mod place;
pub mod postgres;
pub mod presence_server;
pub mod process;
pub mod registrar;
pub mod route;
pub mod rpc;
pub mod server_user;
pub mod setting;
pub mod shm;
pub mod side;
pub mod sip;
pub mod states;
pub mod terminal;
pub mod tls;
pub mod wait;
pub mod watch;
pub mod web;
pub mod whole_lines;
