//! What the server looks up in the module.
#![allow(non_upper_case_globals)] // the names are the server's

use crate::host::bindings::{self as ks, FLAGS_CSTR, VERSION_CSTR};
use std::ffi::{c_char, c_int, c_uint};
use std::ptr::null_mut;

/// A C table or string that the server reads: built at compile time, from then on its own.
#[repr(transparent)]
pub struct Exported<T>(T);

// SAFETY: the server's processes are single-threaded, and nothing on the Rust side reads these after they are built.
unsafe impl<T> Sync for Exported<T> {}

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
    cmds: null_mut(),
    params: null_mut(),
    rpc_methods: null_mut(),
    pv_items: null_mut(),
    response_f: None,
    init_mod_f: Some(mod_init),
    init_child_f: None,
    destroy_mod_f: None,
});

unsafe extern "C" fn mod_init() -> c_int {
    0
}
