//! The table of RPC commands, and the C functions that it names.

use std::ffi::{c_char, c_void};
use std::ptr::null_mut;

use super::{Exported, runtime};
use crate::host::bindings as ks;
use crate::host::guard::guard;
use crate::host::rpc::RpcContext;
use crate::surface::commands::{self as declared, Command};
use crate::surface::rpc;

/// The help for a command: a list of one text.
type Help = Exported<[*const c_char; 2]>;

type RpcHandler = unsafe extern "C" fn(*mut ks::rpc_t, *mut c_void);

/// Puts commands into the table; ends with an empty entry.
macro_rules! commands {
    ($($(#[$condition:meta])* $declared:ident: $run:expr;)*) => {
        pub static mut RPC: Exported<[ks::rpc_export_t; declared::COMMANDS.len() + 1]> = Exported([
            $($(#[$condition])* {
                static HELP: Help = Exported([declared::$declared.help.as_ptr(), null_mut()]);

                unsafe extern "C" fn run(functions: *mut ks::rpc_t, context: *mut c_void) {
                    // SAFETY: called by the server.
                    unsafe { call(&declared::$declared, functions, context, $run) }
                }

                entry(&declared::$declared, run, &HELP)
            },)*
            ks::rpc_export_t { name: null_mut(), function: None, doc_str: null_mut(), flags: 0 },
        ]);
    };
}

commands! {
    TRACE: rpc::trace;
    LIST: rpc::list;
    COUNT: rpc::count;
    FIND: rpc::find;
    AUDIT: rpc::audit;
    SHOW: rpc::show;
    HISTORY: rpc::history;
    SUBSCRIBE: rpc::subscribe;
    UNSUBSCRIBE: rpc::unsubscribe;
    UNSUBSCRIBE_ALL: rpc::unsubscribe_all;
    REFRESH: rpc::refresh;
    DESTINATIONS: rpc::destinations;
    LOOKUPS: rpc::lookups;
    VERSION: |call| rpc::version(call, super::BUILT_FOR);
    DESTINATION_RELEASE: rpc::destination_release;
    RELOAD: rpc::reload;
    CREDENTIALS_RELOAD: rpc::credentials_reload;
    QUEUES: rpc::queues;
    PACKAGES: rpc::packages;
    PROVISIONING: rpc::provisioning;
    STORE: rpc::store;
    #[cfg(feature = "meter_locks")]
    LOCKS: rpc::locks;
}

const fn entry(command: &Command, run: RpcHandler, help: &'static Help) -> ks::rpc_export_t {
    ks::rpc_export_t {
        name: command.name.as_ptr(),
        function: Some(run),
        doc_str: (&raw const help.0).cast_mut().cast(),
        flags: if command.is_list { ks::PB2B_RPC_RET_ARRAY } else { 0 },
    }
}

/// Runs a command.
///
/// # Safety
/// Both pointers must be what the server passes.
unsafe fn call(command: &Command, functions: *mut ks::rpc_t, context: *mut c_void, work: fn(&RpcContext)) {
    let name = command.name.to_str().unwrap_or_default();
    guard(name, (), || {
        // The server's RPC processes may take changes only when a command is done.
        runtime::take_changes();
        // SAFETY: by the caller's promise, for as long as the command runs.
        rpc::run(command, &unsafe { RpcContext::from_raw(functions, context) }, work);
    });
}
