//! What is made from the headers: the version strings, the shim, the bindings.

use crate::Failure;
use crate::server::Compiled;
use std::panic;
use std::path::Path;

type Defines = [(String, Option<String>)];

/// What the C compiler needs to read Kamailio's headers; they are full of harmless warnings.
const C_OPTIONS: &[&str] = &["-std=gnu99", "-fPIC", "-w"];

/// Everything the module may touch of Kamailio. Without a list bindgen would walk into the C library, and meet constants
/// that are defined twice.
const TYPES: &[&str] = &[
    // module interface
    "module_exports_t|cmd_export_t|param_export_t|rpc_export_t|rpc_t|rpc_delayed_ctx_t|rpc_flags|pv_export_t|sr_kemi_t",
    "sr_kemi_xval_t|sr_kemi_dict_item_t|sr_kemi_eng_t|stat_export_t|stat_var|counter_.*|fparam_t|action_u_t|run_act_ctx_t",
    "pv_.*_t|pv_value_t|pv_type_t|cfg_def_t",
    // messages
    "str|sip_msg_t|hdr_field_t|_hdr_types_t|to_body_t|to_param|cseq_body|event_t|exp_body_t|contact_t|contact_body_t|param_t",
    "rr_t|sip_uri_t|via_body|receive_info_t|request_method|msg_start",
    // network
    "socket_info_t|dest_info_t|ip_addr_t|sockaddr_union|sip_protos|advertise_info",
    // tm
    "tm_binds|tm_api_t|uac_req_t|dlg_t|dlg_seq_t|dlg_id_t|dlg_state_t|dlg_hooks_t|cell|tm_cell_t|tmcb_params|transaction_cb",
    // other modules
    "dlg_binds|dlg_cell|dlg_cb_params|dialog_cb|presence_api_t|dmq_api_t|dmq_peer_t|dmq_node_t|peer_response_t|dmq_resp_cback_t",
    "db_func_t|db1_con_t|db1_res_t|db_row_t|db_val_t|db_key_t|db_op_t|db_type_t|db1_.*|db_.*_t|db_func",
    // the rest
    "gen_lock_t|mem_info|sr_shm_api_t|route_list|process_table|ksr_.*_t|ticks_t",
];

const FUNCTIONS: &[&str] = &[
    "pb2b_.*",
    "register_procs|fork_process|my_pid|get_max_procs|cfg_register_child|cfg_child_init|cfg_declare|cfg_get_.*",
    "get_ticks|get_ticks_raw|register_timer|fork_.*timer|register_.*_timers?|sr_instance_.*|ksr_module_set_flag",
    "parse_headers|parse_uri|parse_from_header|parse_to_header|parse_contact|parse_rr|parse_rr_body|free_rr|contact_iterator",
    "parse_event|event_parser|free_event|parse_expires|parse_content_type_hdr|parse_via_header|get_body|free_sip_msg",
    "parse_from_uri|parse_to_uri|parse_contacts|free_contacts",
    "faked_msg_.*|route_lookup|route_get|run_top_route",
    "sr_kemi_modules_add|sr_kemi_eng_get|sr_kemi_route|sr_kemi_ctx_route|sr_kemi_act_ctx_.*|sr_kemi_xval_null|sr_kemi_xval_free",
    "pv_get_.*|pv_parse_.*|pv_printf_s|pv_spec_free|pv_elem_free_all|pv_set_spec_value|register_pvars_mod|pv_eval_str",
    "fixup_.*|fix_param_types|fix_param|get_str_fparam|get_int_fparam|mod_fix_get_fixup_free|find_export|find_mod_export",
    "ksr_find_export|module_loaded|find_module_by_name|find_param_export|set_mod_param.*",
    "lookup_local_socket|ksr_get_socket_by_name|get_send_socket2|si_get_signaling_data|get_first_socket|grep_sock_info|check_self",
    "register_module_stats|register_stat|counter_register.*|counter_get_val|counter_reset",
    "rpc_register.*|db_bind_mod|db_check_table_version|add_lump_rpl2|check_transaction_quadruple",
    "uuid_.*|sruid_.*|get_debug_level",
];

const VARIABLES: &[&str] = &[
    "PB2B_.*",
    "process_no|process_count|pt|route_type|event_rt|default_core_cfg|server_id|log_stderr|ksr_.*",
    "TMCB_.*|PROC_.*|SR_KEMIP?_.*|L_(MIN|ALERT|BUG|CRIT2?|ERR|WARN|NOTICE|INFO|DBG|MAX)|METHOD_.*|PARAM_(STRING|INT|STR|VAR)",
    "NO_SCRIPT|VAR_PARAM_NO|FPARAM_.*|FIXUP_.*|DLGCB_.*|[A-Z_]+_ROUTE|LUMP_RPL_.*|PVT_.*|PV_.*|STAT_.*|[A-Z]+_R_F|HDR_.*_T",
    "SIP_REQUEST|SIP_REPLY|RET_ARRAY|RPC_.*|MODULE_INTERFACE_VER|DEFAULT_DLFLAGS|TICKS_HZ|TIMER_TICKS_HZ|CFG_.*|DB_.*|DB1_.*",
    "T_BR_UNDEFINED|FL_.*|SND_F_.*|URI_.*",
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
