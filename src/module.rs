//! The server's view of the module: symbols, tables, start and stop. Each entry has a guard.
#![allow(non_upper_case_globals, reason = "the names are the server's")]

mod c_api;
mod commands;
mod functions;
mod parameters;
mod runtime;
mod variables;

use std::ffi::{CStr, c_char, c_int, c_uint, c_void};
use std::ptr::null_mut;

use crate::config::{Config, ConfigError};
use crate::engine::{self, EngineError};
use crate::host::bindings::{self as ks, FLAGS_CSTR, VERSION_CSTR};
use crate::host::database::{Database, DatabaseError};
use crate::host::guard::guard;
use crate::host::presence::{self, NoPresence};
use crate::host::process::{self, ProcessError};
use crate::host::route::NoEngine;
use crate::host::runtime::NotDeclared;
use crate::host::transaction::{self, NoTm};
use crate::host::usrloc::{self, UsrlocError};
use crate::host::{connection, dialog, log, names, stateless};
use crate::notifier;
use crate::surface::stored::{self, OpenedStore, StoredError};
use crate::surface::tables::{self, TableReader};
use crate::surface::{event, metrics, statistics, ties};

/// A C table or string that the server reads: built at compile time, from then on its own.
#[repr(transparent)]
pub struct Exported<T>(T);

// SAFETY: the server's processes are single-threaded, and nothing on the Rust side reads these after they are built.
unsafe impl<T> Sync for Exported<T> {}

const NO_TEXT: ks::str_ = ks::str_ { s: null_mut(), len: 0 };

/// A text as the server's tables have it.
const fn text(text: &'static CStr) -> ks::str_ {
    ks::str_ { s: text.as_ptr().cast_mut(), len: text.count_bytes() as c_int }
}

/// The server that the module was built for, as that names itself.
const BUILT_FOR: &CStr = VERSION_CSTR;

/// Must equal the server's own version string, or it refuses the module.
#[unsafe(no_mangle)]
pub static module_version: Exported<*const c_char> = Exported(VERSION_CSTR.as_ptr());

/// Must equal the flags the server was compiled with.
#[unsafe(no_mangle)]
pub static module_flags: Exported<*const c_char> = Exported(FLAGS_CSTR.as_ptr());

/// Exported by convention.
#[unsafe(no_mangle)]
pub static module_interface_ver: c_uint = ks::MODULE_INTERFACE_VER;

/// The module as the server sees it. The server writes into it, hence `mut`.
#[unsafe(no_mangle)]
pub static mut exports: Exported<ks::module_exports_t> = Exported(ks::module_exports_t {
    name: c"presence_b2b".as_ptr().cast_mut(),
    dlflags: ks::DEFAULT_DLFLAGS,
    cmds: (&raw mut functions::COMMANDS).cast(),
    params: (&raw mut parameters::TABLE).cast(),
    rpc_methods: (&raw mut commands::RPC).cast(),
    pv_items: (&raw mut variables::TABLE).cast(),
    response_f: None,
    init_mod_f: Some(mod_init),
    init_child_f: Some(child_init),
    destroy_mod_f: None,
});

/// Called when the module is loaded: what KEMI scripts can call.
#[unsafe(no_mangle)]
pub extern "C" fn mod_register(
    _path: *mut c_char,
    _dlflags: *mut c_int,
    _first: *mut c_void,
    _second: *mut c_void,
) -> c_int {
    // SAFETY: the table ends with an empty entry and stays where it is.
    unsafe { ks::sr_kemi_modules_add((&raw mut functions::KEMI).cast()) }
}

/// The errors that keep the module from starting.
#[derive(Debug, thiserror::Error)]
enum StartError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Runtime(#[from] NotDeclared),
    #[error(transparent)]
    Tm(#[from] NoTm),
    #[error("modparam publish_out_of_reach is set, but {0}")]
    Presence(NoPresence),
    #[error("modparam unsolicited has publish, but {0}")]
    Unsolicited(NoPresence),
    #[error("modparam credentials_table: {0}")]
    Credentials(#[from] DatabaseError),
    #[error("modparam provision_table: {0}")]
    ProvisionTable(DatabaseError),
    #[error("modparam db_mode is 1, but {0}")]
    Store(#[from] StoredError),
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error(transparent)]
    Route(#[from] NoEngine),
    #[error(transparent)]
    Process(#[from] ProcessError),
    #[error("out of private memory: there is no message for the event route; enlarge it with the server's option -M")]
    FakedMessage,
}

unsafe extern "C" fn mod_init() -> c_int {
    guard("mod_init", -1, || match start() {
        Ok(()) => 0,
        Err(error) => {
            log::error(&error.to_string());
            -1
        }
    })
}

fn start() -> Result<(), StartError> {
    let mut config = Config::check(parameters::as_set(), &parameters::HostSyntax)?;
    runtime::declare(&config)?;
    transaction::bind(engine::on_reply)?;
    if !dialog::bind(ties::on_call_end) {
        log::debug(|| "the module dialog is not loaded: no subscription can be bound to a call".into());
    }
    config.has_sl = stateless::bind();
    if !config.has_sl {
        log::debug(|| "the module sl is not loaded: every NOTIFY is answered in a transaction".into());
    }
    match presence::bind() {
        Err(missing) if config.publish_out_of_reach.is_some() => return Err(StartError::Presence(missing)),
        Err(missing) if config.unsolicited.iter().any(|one| one.publish.is_some()) => {
            return Err(StartError::Unsolicited(missing));
        }
        Err(missing) => log::debug(|| format!("no subscription can publish its state: {missing}")),
        Ok(()) => {}
    }
    event::find_route(&config.event_callback)?;
    let credentials = tables::credentials::read(&config)?;
    if !config.provision_table.is_empty() {
        Database::check(&config.db_url.0).map_err(StartError::ProvisionTable)?;
    }
    if !statistics::make(&config.packages) {
        log::warn("the server takes no counters of the module: $stat() and stats.fetch do not show them");
    }
    let stored = OpenedStore::open(&config)?;
    let others = u16::from(config.has_tables()) + u16::from(stored.is_some());
    process::announce(config.workers + config.resolvers + others)?;
    names::watch();
    let has_local_users = !config.local_domains.is_empty();
    engine::create(config, notifier::sip::register, stored.as_ref().map(|opened| opened.key))?;
    if let Some(engine) = engine::engine() {
        engine.take_credentials(&credentials).map_err(EngineError::from)?;
        stored.map_or(Ok(()), |opened| stored::restore(engine, opened))?;
        if !metrics::make(engine) {
            log::warn("the module xhttp_prom refuses metrics with labels: there are only the plain counters");
        }
    }
    if has_local_users && !notifier::calls::listen() {
        log::debug(|| "the module dialog is not loaded: the calls of local users are not known".into());
    }
    // SAFETY: needed once before event routes run; mod_init is the place.
    if unsafe { ks::faked_msg_init() } < 0 {
        return Err(StartError::FakedMessage);
    }
    log::info(&format!("version {}, built for {}", env!("CARGO_PKG_VERSION"), BUILT_FOR.to_string_lossy()));
    Ok(())
}

/// Before the fork, when every module has had its `mod_init`.
fn before_fork(engine: &engine::Engine) {
    event::warn_without_consumer(engine);
    bind_usrloc(engine);
    stored::restore_local(engine);
    runtime::say_body_limit(engine.live.max_body());
    runtime::take_changes();
    if engine.config.refresh_on_flow_loss && !connection::listen(engine::on_flow_lost) {
        log::warn(
            "another module listens to closed connections, such as tcpops: call b2b_flow_lost() in event_route[tcp:closed], \
             so that subscriptions are refreshed when their connection is lost",
        );
    }
}

/// Registrations of local users are known from now on, if the location service is there. Whoever needs them and finds none is told so when
/// they are asked for.
fn bind_usrloc(engine: &engine::Engine) {
    let is_wanted = !engine.config.local_domains.is_empty();
    match usrloc::bind(engine::on_contact, is_wanted) {
        Ok(()) => {}
        Err(UsrlocError::Failed) => log::error(&UsrlocError::Failed.to_string()),
        Err(_) if !is_wanted => {}
        Err(error) => {
            log::warn(&format!("modparam local_domains: the package reg is refused for local users: {error}"))
        }
    }
}

unsafe extern "C" fn child_init(rank: c_int) -> c_int {
    if rank == ks::PROC_INIT {
        return guard("child_init", -1, || {
            if let Some(engine) = engine::engine() {
                before_fork(engine);
            }
            0
        });
    }
    process::take_parameters();
    if rank == ks::PROC_SIPINIT as c_int {
        // By now usrloc has read its database here, and says nothing of what it has found.
        return guard("child_init", -1, || {
            if let Some(engine) = engine::engine() {
                engine.read_registrations_again();
                stored::restore_ties(engine);
            }
            0
        });
    }
    guard("child_init", -1, || match (rank == ks::PROC_MAIN as c_int, engine::engine()) {
        (true, Some(engine)) => {
            if let Err(error) = fork_processes(engine) {
                log::error(&error.to_string());
                return -1;
            }
            0
        }
        _ => 0,
    })
}

/// The work of a worker beside deadlines and messages; whether there was any.
fn work_beside(engine: &engine::Engine, worker: usize) -> bool {
    let told = notifier::work(engine, worker);
    metrics::work(engine, worker) || told
}

fn fork_processes(engine: &'static engine::Engine) -> Result<(), ProcessError> {
    engine.fork_workers(event::on_message, event::on_unsolicited, work_beside)?;
    engine.fork_resolvers()?;
    engine.fork_store()?;
    let mut reader = TableReader::of(&engine.config);
    engine.fork_tables(move |engine| reader.round(engine))
}
