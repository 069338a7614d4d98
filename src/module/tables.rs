//! The tables of functions, commands and variables, and the C functions they name.

use super::Exported;
use super::c_api::bind_presence_b2b;
use crate::host::bindings as ks;
use crate::host::guard::guard;
use crate::host::log;
use crate::host::message::Message;
use crate::host::pv;
use crate::host::rpc::Call;
use crate::host::text::bytes;
use crate::qsa::c_api::Api;
use crate::surface::script::Constant;
use crate::surface::{event, rpc, script};
use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr::null_mut;

type Function1 = unsafe extern "C" fn(*mut ks::sip_msg, *mut c_char, *mut c_char) -> c_int;
type Parameter = *mut c_char;

const NOBODY: ks::cmd_export_t =
    ks::cmd_export_t { name: null_mut(), function: None, param_no: 0, fixup: None, free_fixup: None, flags: 0 };

const fn command(name: &'static CStr, function: Function1, parameters: c_int) -> ks::cmd_export_t {
    let plain = parameters == 0;
    ks::cmd_export_t {
        name: name.as_ptr().cast_mut(),
        function: Some(function),
        param_no: parameters,
        fixup: if plain { None } else { Some(ks::fixup_spve_all) },
        free_fixup: if plain { None } else { Some(ks::fixup_free_spve_all) },
        flags: ks::REQUEST_ROUTE | if plain { 0 } else { ANYWHERE },
    }
}

/// The same whose constant parameters are judged as those of `b2b_subscribe`.
const fn subscribe_command(name: &'static CStr, function: Function1, parameters: c_int) -> ks::cmd_export_t {
    ks::cmd_export_t { fixup: Some(fixup_subscribe), ..command(name, function, parameters) }
}

/// As those of `b2b_unsubscribe`.
const fn unsubscribe_command(name: &'static CStr, function: Function1, parameters: c_int) -> ks::cmd_export_t {
    ks::cmd_export_t { fixup: Some(fixup_unsubscribe), ..command(name, function, parameters) }
}

/// As those of `b2b_credentials`.
const fn credentials_command(name: &'static CStr, function: Function1, parameters: c_int) -> ks::cmd_export_t {
    ks::cmd_export_t { fixup: Some(fixup_credentials), ..command(name, function, parameters) }
}

unsafe extern "C" fn fixup_subscribe(parameter: *mut *mut c_void, number: c_int) -> c_int {
    use Constant::{Flags, Options, Package, Uri};
    // SAFETY: as the server gives them.
    unsafe { fixup("b2b_subscribe", &[Uri, Uri, Package, Flags, Options], parameter, number) }
}

unsafe extern "C" fn fixup_unsubscribe(parameter: *mut *mut c_void, number: c_int) -> c_int {
    use Constant::{Package, Uri};
    // SAFETY: as the server gives them.
    unsafe { fixup("b2b_unsubscribe", &[Uri, Uri, Package], parameter, number) }
}

unsafe extern "C" fn fixup_credentials(parameter: *mut *mut c_void, number: c_int) -> c_int {
    use Constant::{Package, Password, Uri, Username};
    // SAFETY: as the server gives them.
    unsafe { fixup("b2b_credentials", &[Uri, Uri, Package, Username, Password], parameter, number) }
}

/// Judges the parameter with this number, if it is constant, and prepares it. A bad one refuses the start.
///
/// # Safety
/// `parameter` leads to the parameter's text, as the server gives it to a fixup.
unsafe fn fixup(name: &'static str, kinds: &[Constant], parameter: *mut *mut c_void, number: c_int) -> c_int {
    let judged = guard(name, -1, || {
        // SAFETY: the server gives a pointer to a text that ends in NUL.
        let text = match unsafe { parameter.as_ref() } {
            // SAFETY: as above.
            Some(text) if !text.is_null() => unsafe { CStr::from_ptr(text.cast()) }.to_bytes(),
            Some(_) | None => return 0,
        };
        let place = usize::try_from(number).unwrap_or(0).wrapping_sub(1);
        // What has a pseudo-variable is known when the function is called.
        let Some(kind) = kinds.get(place).filter(|_| !text.contains(&b'$')) else { return 0 };
        match script::judge(*kind, text) {
            Ok(()) => 0,
            Err(error) => {
                log::error(&format!("{name}, parameter {number}: {error}"));
                -1
            }
        }
    });
    // SAFETY: it is the server's own fixup.
    if judged < 0 { judged } else { unsafe { ks::fixup_spve_all(parameter, number) } }
}

/// Routes that functions other than `handle_notify()` may be called from.
const ANYWHERE: u32 = ks::ANY_ROUTE;

/// Native script functions; ends with an empty entry.
pub static mut COMMANDS: Exported<[ks::cmd_export_t; 12]> = Exported([
    command(c"handle_notify", handle_notify, 0),
    ks::cmd_export_t { flags: ANYWHERE, ..command(c"b2b_flow_lost", flow_lost, 0) },
    subscribe_command(c"b2b_subscribe", subscribe2, 2),
    // SAFETY: the server calls a function of three or four parameters with as many; it keeps them all in one pointer type.
    subscribe_command(c"b2b_subscribe", unsafe { std::mem::transmute::<Function3, Function1>(subscribe3) }, 3),
    // SAFETY: as above.
    subscribe_command(c"b2b_subscribe", unsafe { std::mem::transmute::<Function4, Function1>(subscribe4) }, 4),
    // SAFETY: as above, with five.
    subscribe_command(c"b2b_subscribe", unsafe { std::mem::transmute::<Function5, Function1>(subscribe5) }, 5),
    // SAFETY: as above.
    subscribe_command(c"b2b_subscribe_with", unsafe { std::mem::transmute::<Function5, Function1>(subscribe5) }, 5),
    unsubscribe_command(c"b2b_unsubscribe", unsubscribe2, 2),
    // SAFETY: as above.
    unsubscribe_command(c"b2b_unsubscribe", unsafe { std::mem::transmute::<Function3, Function1>(unsubscribe3) }, 3),
    // SAFETY: as above, with five.
    credentials_command(c"b2b_credentials", unsafe { std::mem::transmute::<Function5, Function1>(credentials) }, 5),
    // For other modules, which ask for it by this name; no script can call it.
    ks::cmd_export_t {
        name: c"bind_presence_b2b".as_ptr().cast_mut(),
        // SAFETY: who asks for it calls it with the one argument that the public header says.
        function: Some(unsafe { std::mem::transmute::<Bind, Function1>(bind_presence_b2b) }),
        param_no: ks::NO_SCRIPT,
        ..NOBODY
    },
    NOBODY,
]);

type Bind = unsafe extern "C" fn(*mut Api) -> c_int;
type Function3 = unsafe extern "C" fn(*mut ks::sip_msg, Parameter, Parameter, Parameter) -> c_int;
type Function4 = unsafe extern "C" fn(*mut ks::sip_msg, Parameter, Parameter, Parameter, Parameter) -> c_int;

type Function5 = unsafe extern "C" fn(*mut ks::sip_msg, Parameter, Parameter, Parameter, Parameter, Parameter) -> c_int;

/// Runs a script function: its message, and its parameters evaluated.
fn scripted<const N: usize>(
    name: &'static str,
    message: *mut ks::sip_msg,
    parameters: [Parameter; N],
    work: impl FnOnce(Message<'_>, [&[u8]; N]) -> c_int,
) -> c_int {
    guard(name, script::FALSE, || {
        let mut values: [&[u8]; N] = [&[]; N];
        for (value, parameter) in values.iter_mut().zip(parameters) {
            let mut text = ks::str_::default();
            // SAFETY: the fixup has made an fparam of the parameter; the text lives while the function runs.
            if unsafe { ks::get_str_fparam(&mut text, message, parameter.cast()) } < 0 {
                log::error(&format!("{name}: a parameter has no value"));
                return script::FALSE;
            }
            // SAFETY: as above.
            *value = unsafe { bytes(&text) };
        }
        // SAFETY: the server's message lives while the function runs.
        work(unsafe { Message::from_raw(message) }, values)
    })
}

unsafe extern "C" fn flow_lost(message: *mut ks::sip_msg, _: Parameter, _: Parameter) -> c_int {
    scripted("b2b_flow_lost", message, [], |message, []| script::flow_lost(message))
}

unsafe extern "C" fn handle_notify(message: *mut ks::sip_msg, _: Parameter, _: Parameter) -> c_int {
    scripted("handle_notify", message, [], |message, []| script::handle_notify(message))
}

unsafe extern "C" fn subscribe2(message: *mut ks::sip_msg, record: Parameter, subscriber: Parameter) -> c_int {
    scripted("b2b_subscribe", message, [record, subscriber], |message, [record, subscriber]| {
        script::subscribe(message, record, subscriber, b"", b"", b"")
    })
}

unsafe extern "C" fn subscribe3(
    message: *mut ks::sip_msg,
    record: Parameter,
    subscriber: Parameter,
    package: Parameter,
) -> c_int {
    scripted("b2b_subscribe", message, [record, subscriber, package], |message, [record, subscriber, package]| {
        script::subscribe(message, record, subscriber, package, b"", b"")
    })
}

unsafe extern "C" fn subscribe4(
    message: *mut ks::sip_msg,
    record: Parameter,
    subscriber: Parameter,
    package: Parameter,
    flags: Parameter,
) -> c_int {
    let parameters = [record, subscriber, package, flags];
    scripted("b2b_subscribe", message, parameters, |message, [record, subscriber, package, flags]| {
        script::subscribe(message, record, subscriber, package, flags, b"")
    })
}

unsafe extern "C" fn subscribe5(
    message: *mut ks::sip_msg,
    record: Parameter,
    subscriber: Parameter,
    package: Parameter,
    flags: Parameter,
    options: Parameter,
) -> c_int {
    let parameters = [record, subscriber, package, flags, options];
    scripted("b2b_subscribe", message, parameters, |message, [record, subscriber, package, flags, options]| {
        script::subscribe(message, record, subscriber, package, flags, options)
    })
}

unsafe extern "C" fn unsubscribe2(message: *mut ks::sip_msg, record: Parameter, subscriber: Parameter) -> c_int {
    scripted("b2b_unsubscribe", message, [record, subscriber], |_, [record, subscriber]| {
        script::unsubscribe(record, subscriber, b"")
    })
}

unsafe extern "C" fn unsubscribe3(
    message: *mut ks::sip_msg,
    record: Parameter,
    subscriber: Parameter,
    package: Parameter,
) -> c_int {
    scripted("b2b_unsubscribe", message, [record, subscriber, package], |_, [record, subscriber, package]| {
        script::unsubscribe(record, subscriber, package)
    })
}

unsafe extern "C" fn credentials(
    message: *mut ks::sip_msg,
    record: Parameter,
    subscriber: Parameter,
    package: Parameter,
    username: Parameter,
    password: Parameter,
) -> c_int {
    let parameters = [record, subscriber, package, username, password];
    scripted("b2b_credentials", message, parameters, |_, [record, subscriber, package, username, password]| {
        script::credentials(record, subscriber, package, username, password)
    })
}

/// KEMI functions; ends with an empty entry.
pub static mut KEMI: Exported<[ks::sr_kemi_t; 7]> = Exported([
    kemi(c"handle_notify", kemi_handle_notify as *mut c_void, 0),
    kemi(c"b2b_flow_lost", kemi_flow_lost as *mut c_void, 0),
    kemi(c"b2b_subscribe", kemi_subscribe as *mut c_void, 4),
    kemi(c"b2b_subscribe_with", kemi_subscribe_with as *mut c_void, 5),
    kemi(c"b2b_unsubscribe", kemi_unsubscribe as *mut c_void, 3),
    kemi(c"b2b_credentials", kemi_credentials as *mut c_void, 5),
    ks::sr_kemi_t {
        mname: NO_TEXT,
        fname: NO_TEXT,
        rtype: 0,
        func: null_mut(),
        ptypes: [0; ks::SR_KEMI_PARAMS_MAX as usize],
    },
]);

const NO_TEXT: ks::str_ = ks::str_ { s: null_mut(), len: 0 };

const fn text(text: &'static CStr) -> ks::str_ {
    ks::str_ { s: text.as_ptr().cast_mut(), len: text.count_bytes() as c_int }
}

const fn kemi(name: &'static CStr, function: *mut c_void, texts: usize) -> ks::sr_kemi_t {
    let mut ptypes = [ks::SR_KEMIP_NONE as c_int; ks::SR_KEMI_PARAMS_MAX as usize];
    let mut index = 0;
    while index < texts {
        ptypes[index] = ks::SR_KEMIP_STR as c_int;
        index += 1;
    }
    ks::sr_kemi_t {
        mname: text(c"presence_b2b"),
        fname: text(name),
        rtype: ks::SR_KEMIP_INT as c_int,
        func: function,
        ptypes,
    }
}

/// Runs a KEMI function.
///
/// # Safety
/// The message and the texts must be what the server passes.
unsafe fn kemi_call<const N: usize>(
    name: &'static str,
    message: *mut ks::sip_msg,
    parameters: [*mut ks::str_; N],
    work: impl FnOnce(Message<'_>, [&[u8]; N]) -> c_int,
) -> c_int {
    guard(name, script::FALSE, || {
        // SAFETY: null or valid while the function runs, by the caller's promise.
        let values = parameters.map(|text| unsafe { text.as_ref().map_or(&[][..], |text| bytes(text)) });
        // SAFETY: as above.
        work(unsafe { Message::from_raw(message) }, values)
    })
}

unsafe extern "C" fn kemi_flow_lost(message: *mut ks::sip_msg) -> c_int {
    // SAFETY: called by the server.
    unsafe { kemi_call("b2b_flow_lost", message, [], |message, []| script::flow_lost(message)) }
}

unsafe extern "C" fn kemi_handle_notify(message: *mut ks::sip_msg) -> c_int {
    // SAFETY: called by the server.
    unsafe { kemi_call("handle_notify", message, [], |message, []| script::handle_notify(message)) }
}

unsafe extern "C" fn kemi_subscribe(
    message: *mut ks::sip_msg,
    record: *mut ks::str_,
    subscriber: *mut ks::str_,
    package: *mut ks::str_,
    flags: *mut ks::str_,
) -> c_int {
    let parameters = [record, subscriber, package, flags];
    // SAFETY: called by the server.
    unsafe {
        kemi_call("b2b_subscribe", message, parameters, |message, [record, subscriber, package, flags]| {
            script::subscribe(message, record, subscriber, package, flags, b"")
        })
    }
}

unsafe extern "C" fn kemi_subscribe_with(
    message: *mut ks::sip_msg,
    record: *mut ks::str_,
    subscriber: *mut ks::str_,
    package: *mut ks::str_,
    flags: *mut ks::str_,
    options: *mut ks::str_,
) -> c_int {
    let parameters = [record, subscriber, package, flags, options];
    // SAFETY: called by the server.
    unsafe {
        kemi_call(
            "b2b_subscribe_with",
            message,
            parameters,
            |message, [record, subscriber, package, flags, options]| {
                script::subscribe(message, record, subscriber, package, flags, options)
            },
        )
    }
}

unsafe extern "C" fn kemi_unsubscribe(
    message: *mut ks::sip_msg,
    record: *mut ks::str_,
    subscriber: *mut ks::str_,
    package: *mut ks::str_,
) -> c_int {
    // SAFETY: called by the server.
    unsafe {
        kemi_call("b2b_unsubscribe", message, [record, subscriber, package], |_, [record, subscriber, package]| {
            script::unsubscribe(record, subscriber, package)
        })
    }
}

unsafe extern "C" fn kemi_credentials(
    message: *mut ks::sip_msg,
    record: *mut ks::str_,
    subscriber: *mut ks::str_,
    package: *mut ks::str_,
    username: *mut ks::str_,
    password: *mut ks::str_,
) -> c_int {
    let parameters = [record, subscriber, package, username, password];
    // SAFETY: called by the server.
    unsafe {
        kemi_call("b2b_credentials", message, parameters, |_, [record, subscriber, package, username, password]| {
            script::credentials(record, subscriber, package, username, password)
        })
    }
}

/// RPC commands; ends with an empty entry.
pub static mut RPC: Exported<[ks::rpc_export_t; 11 + cfg!(feature = "meter_locks") as usize]> = Exported([
    rpc_command(c"presence_b2b.trace", rpc_trace, &TRACE_HELP, 0),
    rpc_command(c"presence_b2b.list", rpc_list, &LIST_HELP, ks::PB2B_RPC_RET_ARRAY),
    rpc_command(c"presence_b2b.show", rpc_show, &SHOW_HELP, 0),
    rpc_command(c"presence_b2b.subscribe", rpc_subscribe, &SUBSCRIBE_HELP, 0),
    rpc_command(c"presence_b2b.unsubscribe", rpc_unsubscribe, &UNSUBSCRIBE_HELP, 0),
    rpc_command(c"presence_b2b.refresh", rpc_refresh, &REFRESH_HELP, 0),
    rpc_command(c"presence_b2b.destinations", rpc_destinations, &DESTINATIONS_HELP, ks::PB2B_RPC_RET_ARRAY),
    rpc_command(c"presence_b2b.lookups", rpc_lookups, &LOOKUPS_HELP, ks::PB2B_RPC_RET_ARRAY),
    rpc_command(c"presence_b2b.version", rpc_version, &VERSION_HELP, 0),
    rpc_command(c"presence_b2b.destination_release", rpc_destination_release, &RELEASE_HELP, 0),
    #[cfg(feature = "meter_locks")]
    rpc_command(c"presence_b2b.locks", rpc_locks, &LOCKS_HELP, ks::PB2B_RPC_RET_ARRAY),
    ks::rpc_export_t { name: null_mut(), function: None, doc_str: null_mut(), flags: 0 },
]);

type Help = Exported<[*const c_char; 2]>;

const fn help(text: &'static CStr) -> Help {
    Exported([text.as_ptr(), null_mut()])
}

static TRACE_HELP: Help = help(c"Counts of subscriptions and messages. Parameters: [detailed]");
static LIST_HELP: Help = help(c"A page of subscriptions. Parameters: [offset [limit [filter ...]]]");
static SHOW_HELP: Help = help(c"One subscription. Parameters: id");
static SUBSCRIBE_HELP: Help =
    help(c"Subscribes and answers with the id. Parameters: record subscriber [package [options]]");
static UNSUBSCRIBE_HELP: Help = help(c"Ends a subscription made by script or RPC. Parameters: id");
static REFRESH_HELP: Help = help(c"Refreshes a subscription, or retries it, as soon as allowed. Parameters: id");
static VERSION_HELP: Help = help(c"The versions of the module and of the server that it was built for.");
static DESTINATIONS_HELP: Help =
    help(c"A page of destinations: what holds them, what was sent. Parameters: [offset [limit]]");
static LOOKUPS_HELP: Help = help(c"A page of names that SUBSCRIBEs wait or waited for. Parameters: [offset [limit]]");
static RELEASE_HELP: Help = help(c"Lifts the hold of a destination and closes its breaker. Parameters: address");

#[cfg(feature = "meter_locks")]
static LOCKS_HELP: Help = help(c"How long locks were held and how often they were waited for, since the last time.");

type RpcFunction = unsafe extern "C" fn(*mut ks::rpc_t, *mut c_void);

const fn rpc_command(name: &'static CStr, function: RpcFunction, help: &'static Help, flags: u32) -> ks::rpc_export_t {
    ks::rpc_export_t {
        name: name.as_ptr(),
        function: Some(function),
        doc_str: (&raw const help.0).cast_mut().cast(),
        flags,
    }
}

/// Runs an RPC command.
///
/// # Safety
/// Both pointers must be what the server passes.
unsafe fn rpc_call(name: &'static str, functions: *mut ks::rpc_t, context: *mut c_void, work: fn(&Call)) {
    // SAFETY: by the caller's promise, for as long as the command runs.
    guard(name, (), || work(&unsafe { Call::from_raw(functions, context) }));
}

unsafe extern "C" fn rpc_trace(functions: *mut ks::rpc_t, context: *mut c_void) {
    // SAFETY: called by the server.
    unsafe { rpc_call("presence_b2b.trace", functions, context, rpc::trace) }
}

unsafe extern "C" fn rpc_list(functions: *mut ks::rpc_t, context: *mut c_void) {
    // SAFETY: called by the server.
    unsafe { rpc_call("presence_b2b.list", functions, context, rpc::list) }
}

unsafe extern "C" fn rpc_show(functions: *mut ks::rpc_t, context: *mut c_void) {
    // SAFETY: called by the server.
    unsafe { rpc_call("presence_b2b.show", functions, context, rpc::show) }
}

unsafe extern "C" fn rpc_subscribe(functions: *mut ks::rpc_t, context: *mut c_void) {
    // SAFETY: called by the server.
    unsafe { rpc_call("presence_b2b.subscribe", functions, context, rpc::subscribe) }
}

unsafe extern "C" fn rpc_unsubscribe(functions: *mut ks::rpc_t, context: *mut c_void) {
    // SAFETY: called by the server.
    unsafe { rpc_call("presence_b2b.unsubscribe", functions, context, rpc::unsubscribe) }
}

unsafe extern "C" fn rpc_refresh(functions: *mut ks::rpc_t, context: *mut c_void) {
    // SAFETY: called by the server.
    unsafe { rpc_call("presence_b2b.refresh", functions, context, rpc::refresh) }
}

unsafe extern "C" fn rpc_version(functions: *mut ks::rpc_t, context: *mut c_void) {
    // SAFETY: called by the server.
    unsafe { rpc_call("presence_b2b.version", functions, context, |call| rpc::version(call, super::BUILT_FOR)) }
}

unsafe extern "C" fn rpc_lookups(functions: *mut ks::rpc_t, context: *mut c_void) {
    // SAFETY: called by the server.
    unsafe { rpc_call("presence_b2b.lookups", functions, context, rpc::lookups) }
}

unsafe extern "C" fn rpc_destinations(functions: *mut ks::rpc_t, context: *mut c_void) {
    // SAFETY: called by the server.
    unsafe { rpc_call("presence_b2b.destinations", functions, context, rpc::destinations) }
}

unsafe extern "C" fn rpc_destination_release(functions: *mut ks::rpc_t, context: *mut c_void) {
    // SAFETY: called by the server.
    unsafe { rpc_call("presence_b2b.destination_release", functions, context, rpc::destination_release) }
}

#[cfg(feature = "meter_locks")]
unsafe extern "C" fn rpc_locks(functions: *mut ks::rpc_t, context: *mut c_void) {
    // SAFETY: called by the server.
    unsafe { rpc_call("presence_b2b.locks", functions, context, rpc::locks) }
}

/// Pseudo-variables; ends with an empty entry.
pub static mut PSEUDO_VARIABLES: Exported<[ks::pv_export_t; 2]> = Exported([
    ks::pv_export_t {
        name: text(c"qsa"),
        type_: ks::PVT_OTHER,
        getf: Some(pv_get),
        setf: None,
        parse_name: Some(pv_parse),
        parse_index: None,
        init_param: None,
        iparam: 0,
    },
    ks::pv_export_t {
        name: NO_TEXT,
        type_: 0,
        getf: None,
        setf: None,
        parse_name: None,
        parse_index: None,
        init_param: None,
        iparam: 0,
    },
]);

unsafe extern "C" fn pv_parse(spec: *mut ks::pv_spec_t, name: *mut ks::str_) -> c_int {
    // SAFETY: called by the server.
    guard("$qsa(…)", -1, || unsafe { pv::parse_name(spec, name, event::known_field) })
}

unsafe extern "C" fn pv_get(
    message: *mut ks::sip_msg_t,
    parameter: *mut ks::pv_param_t,
    result: *mut ks::pv_value_t,
) -> c_int {
    guard("$qsa(…)", -1, || {
        // SAFETY: called by the server.
        let field = unsafe { pv::field(parameter) }.unwrap_or(-1);
        // SAFETY: called by the server; each field has a place of its own until the event route has ended.
        event::with_value(field, |value, place| unsafe { pv::give(message, parameter, result, value, place) })
    })
}
