//! What is made from the headers: the version strings, the shim, the bindings.

use std::panic;
use std::path::Path;

use crate::Failure;
use crate::server::Compiled;

type Defines = [(String, Option<String>)];

/// What the C compiler needs to read Kamailio's headers; they are full of harmless warnings.
const C_OPTIONS: &[&str] = &["-std=gnu99", "-fPIC", "-w"];

/// Everything the module may touch of Kamailio. Without a list bindgen would walk into the C library, and meet constants
/// that are defined twice.
const TYPES: &[&str] = &[
    "module_exports_t|cmd_export_t|param_export_t|rpc_export_t|rpc_t|pv_export_t|pv_(spec|param|value)_t|sr_kemi_t|fparam_t",
    "str|sip_msg_t|hdr_field_t|_hdr_types_t|to_body_t|event_t|contact_t|param_t|rr_t|sip_uri_t|request_method|sip_protos",
    "sr_event_param_t|socket_info_t|gen_lock_t|tm_binds|tm_xapi_t|sl_api_t|uac_req_t|dlg_t|dlg_seq_t|dlg_id_t|dlg_state_t|cell|tmcb_params",
    "dlg_binds|dlg_cell|dlg_cb_params|db_func_t|db1_con_t|db1_res_t|db_key_t|usrloc_api_t|ucontact_t|urecord_t|cfg_def_t",
];

const FUNCTIONS: &[&str] = &[
    "pb2b_.*",
    "sr_event_register_cb|register_procs|fork_process|cfg_register_child|cfg_child_init|cfg_declare",
    "parse_uri|parse_rr_body|free_rr|faked_msg_init|lookup_local_socket|counter_register|sr_kemi_modules_add|unlink_lump_rpl",
    "pv_get_(null|strval|uintval|spec_index)|pv_parse_(index|format)|pv_printf_s|pv_elem_free_all",
    "fixup_(free_)?spve_all|get_str_fparam|get_ticks_raw",
];

const VARIABLES: &[&str] = &[
    "PB2B_.*",
    "TMCB_(LOCAL_COMPLETED|REQUEST_SENT)|DLGCB_.*|DLG_STATE_.*|PROC_(INIT|MAIN|SIPINIT|RPC)|SREV_TCP_CLOSED|SR_KEMI(P_(NONE|INT|STR)|_PARAMS_MAX)|L_(ERR|WARN|NOTICE|INFO|DBG)|METHOD_NOTIFY",
    "PARAM_(INT|STR)|NO_SCRIPT|E_(OUT_OF_MEM|NO_SOCKET)|(REQUEST|ANY)_ROUTE|PVT_OTHER|PV_NAME_(INTSTR|OTHER)|PV_IDX_.*",
    "CFG_VAR_(INT|STRING)|HDR_.*_T|MODULE_INTERFACE_VER|DEFAULT_DLFLAGS|UL_CONTACT_(INSERT|UPDATE|DELETE|EXPIRE)|DB_ONLY|CNT_F_NO_RESET",
];

/// Lets the preprocessor put the two strings together and reads them from its output.
pub fn preprocess_version(headers: &Path, defines: &Defines, out: &Path) -> Result<Compiled, Failure> {
    let source = out.join("version_probe.c");
    std::fs::write(&source, "#include \"core/ver_defs.h\"\n@version SER_FULL_VERSION\n@flags SER_COMPILE_FLAGS\n")
        .map_err(|e| format!("{} cannot be written ({e}): make the target folder writable.", source.display()))?;
    let expanded = compiler(headers, defines)
        .file(&source)
        .try_expand()
        .map_err(|e| format!("the C compiler cannot read Kamailio's headers ({e}): run 'make setup' to install gcc and the C library's headers."))?;
    let expanded = String::from_utf8_lossy(&expanded);
    let read = |marker: &str| -> Result<String, Failure> {
        // The value may be spread over lines: it ends where the next marker begins.
        let text = expanded.split_once(marker).map(|(_, rest)| rest.split('@').next().unwrap_or(""));
        let text = text
            .ok_or("Kamailio's headers do not define a version: fetch them again (remove kamailio-headers/cache).")?;
        let lines: String = text.lines().filter(|l| !l.starts_with('#')).collect();
        // Adjacent string literals: what is between odd and even quotes.
        Ok(lines.split('"').skip(1).step_by(2).collect())
    };
    Ok(Compiled { version: read("@version")?, flags: read("@flags")? })
}

/// Compiles the C files of `cshim/` into the module.
pub fn compile_shim(headers: &Path, defines: &Defines) -> Result<(), Failure> {
    let mut sources: Vec<_> = std::fs::read_dir("cshim")
        .map_err(|e| format!("the folder cshim cannot be read ({e}): build from a complete copy of the project."))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|e| e == "c"))
        .collect();
    sources.sort();
    compiler(headers, defines)
        .files(sources)
        .try_compile("pb2b_shim")
        .map_err(|e| format!("the C part does not compile against these Kamailio headers: {e}"))
}

/// Writes `cflags`, with which the compiler (`cc @cflags`) makes a C module that the server accepts: the tests need one.
pub fn write_cflags(headers: &Path, defines: &Defines, out: &Path) -> Result<(), Failure> {
    let include = format!("-I{}", headers.display());
    let options = C_OPTIONS.iter().map(|option| (*option).to_owned()).chain([include]);
    let defines = defines.iter().filter(|(name, _)| name != "MOD_NAME").map(|(name, value)| match value {
        Some(value) => format!("-D{name}={value}"),
        None => format!("-D{name}"),
    });
    // The compiler takes a backslash before any character for that character.
    let quoted = |option: String| format!("\"{}\"\n", option.replace('\\', "\\\\").replace('"', "\\\""));
    let text: String = options.chain(defines).map(quoted).collect();
    let path = out.join("cflags");
    std::fs::write(&path, text)
        .map_err(|e| format!("{} cannot be written ({e}): make the target folder writable.", path.display()))
}

/// Writes `bindings.rs`.
pub fn generate(headers: &Path, defines: &Defines, out: &Path) -> Result<(), Failure> {
    let mut builder = bindgen::Builder::default()
        .header("cshim/shim.h")
        .clang_arg(format!("-I{}", headers.display()))
        .clang_args(C_OPTIONS)
        .clang_args(defines.iter().map(|(name, value)| match value {
            Some(value) => format!("-D{name}={value}"),
            None => format!("-D{name}"),
        }))
        .rust_target(bindgen::RustTarget::stable(85, 0).map_err(|e| format!("bindgen refuses the Rust version: {e}"))?)
        .rust_edition(bindgen::RustEdition::Edition2024)
        .wrap_unsafe_ops(true)
        .prepend_enum_name(false)
        .derive_default(true)
        .generate_comments(false)
        .layout_tests(false)
        .use_core();
    for pattern in TYPES {
        builder = builder.allowlist_type(pattern);
    }
    for pattern in FUNCTIONS {
        builder = builder.allowlist_function(pattern);
    }
    for pattern in VARIABLES {
        builder = builder.allowlist_var(pattern);
    }
    // bindgen panics where libclang is missing; the sentence is ours to make.
    panic::set_hook(Box::new(|_| {}));
    let made = panic::catch_unwind(panic::AssertUnwindSafe(|| builder.generate()));
    let _ = panic::take_hook();
    let bindings = match made {
        Ok(Ok(bindings)) => bindings,
        Ok(Err(e)) => {
            return Err(format!("the bindings to these Kamailio headers cannot be made: {e}"));
        }
        Err(_) => {
            return Err(
                "libclang is missing or cannot be loaded: run 'make setup', or install the package libclang-dev \
                        (LIBCLANG_PATH names the folder of one installed elsewhere)."
                    .into(),
            );
        }
    };
    bindings
        .write_to_file(out.join("bindings.rs"))
        .map_err(|e| format!("bindings.rs cannot be written ({e}): make the target folder writable."))
}

fn compiler(headers: &Path, defines: &Defines) -> cc::Build {
    let mut build = cc::Build::new();
    build.include(headers).warnings(false).cargo_warnings(false);
    // Inline functions of the headers log the file they are in: "modules/tm/ut.h", not where it lies on this machine.
    build.flag(format!("-fmacro-prefix-map={}/=", headers.display()));
    for option in C_OPTIONS {
        build.flag(option);
    }
    for (name, value) in defines {
        build.define(name, value.as_deref());
    }
    build
}
