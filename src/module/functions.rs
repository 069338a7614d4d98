//! The script functions: the tables of native and of KEMI scripts, and the C functions that they name.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::mem::transmute;
use std::ptr::null_mut;

use super::c_api::bind_presence_b2b;
use super::{Exported, NO_TEXT, text};
use crate::c_api::Api;
use crate::host::bindings as ks;
use crate::host::guard::guard;
use crate::host::log;
use crate::host::message::SipMessage;
use crate::host::text::bytes;
use crate::surface::functions::{self as declared, Function, MOST_PARAMETERS};
use crate::surface::script;
use crate::surface::state;

/// The values of a function's parameters; empty where one is not given.
type Values<'v> = [&'v [u8]; MOST_PARAMETERS];

/// A function as it is declared, and what it does.
trait ScriptFunction {
    const DECLARED: Function;

    fn run(message: SipMessage<'_>, values: Values<'_>) -> c_int;

    /// Its name in errors.
    fn name() -> &'static str {
        // Judged when the module is built: each call asks for it.
        const {
            match Self::DECLARED.name.to_str() {
                Ok(name) => name,
                Err(_) => "",
            }
        }
    }
}

/// Puts functions into both tables.
macro_rules! functions {
    ($($function:ident = $declared:ident: $run:expr;)*) => {
        $(
            struct $function;

            impl ScriptFunction for $function {
                const DECLARED: Function = declared::$declared;

                fn run(message: SipMessage<'_>, values: Values<'_>) -> c_int {
                    let run: fn(SipMessage<'_>, Values<'_>) -> c_int = $run;
                    run(message, values)
                }
            }
        )*

        /// Native script functions; ends with an empty entry.
        pub static mut COMMANDS: Exported<[ks::cmd_export_t; COMMANDS_LENGTH]> = Exported({
            let mut table = [NOTHING; COMMANDS_LENGTH];
            table[0] = BIND;
            let mut at = 1;
            $(at = add_native::<$function>(&mut table, at);)*
            table[at] = NOTHING;
            table
        });

        /// KEMI functions; ends with an empty entry.
        pub static mut KEMI: Exported<[ks::sr_kemi_t; declared::FUNCTIONS.len() + 1]> =
            Exported([$(kemi_entry::<$function>(),)* NO_KEMI]);
    };
}

functions! {
    HandleNotify = HANDLE_NOTIFY: |message, _| script::handle_notify(message);
    FlowLost = FLOW_LOST: |message, _| script::flow_lost(message);
    Subscribe = SUBSCRIBE: |message, [record, subscriber, package, flags, options]| {
        script::subscribe(message, record, subscriber, package, flags, options)
    };
    SubscribeWith = SUBSCRIBE_WITH: |message, [record, subscriber, package, flags, options]| {
        script::subscribe(message, record, subscriber, package, flags, options)
    };
    Unsubscribe = UNSUBSCRIBE: |_, [record, subscriber, package, _, _]| script::unsubscribe(record, subscriber, package);
    Credentials = CREDENTIALS: |_, [record, subscriber, package, username, password]| {
        script::credentials(record, subscriber, package, username, password)
    };
    State = STATE: |message, [record, subscriber, package, _, _]| state::make_current(message, record, subscriber, package);
}

// -------------------------------------------------------------------------------------------------------------- native

type Parameter = *mut c_char;
type Native = unsafe extern "C" fn(*mut ks::sip_msg, Parameter, Parameter) -> c_int;
type Native3 = unsafe extern "C" fn(*mut ks::sip_msg, Parameter, Parameter, Parameter) -> c_int;
type Native4 = unsafe extern "C" fn(*mut ks::sip_msg, Parameter, Parameter, Parameter, Parameter) -> c_int;
type Native5 = unsafe extern "C" fn(*mut ks::sip_msg, Parameter, Parameter, Parameter, Parameter, Parameter) -> c_int;
type Bind = unsafe extern "C" fn(*mut Api) -> c_int;

const NOTHING: ks::cmd_export_t =
    ks::cmd_export_t { name: null_mut(), function: None, param_no: 0, fixup: None, free_fixup: None, flags: 0 };

/// For other modules, which ask for it by this name; no script can call it.
const BIND: ks::cmd_export_t = ks::cmd_export_t {
    name: c"bind_presence_b2b".as_ptr().cast_mut(),
    // SAFETY: a module that asks for it calls it with the one argument that the public header names.
    function: Some(unsafe { transmute::<Bind, Native>(bind_presence_b2b) }),
    param_no: ks::NO_SCRIPT,
    ..NOTHING
};

/// An entry for each number of parameters that a function takes, that for other modules, and the empty one.
const COMMANDS_LENGTH: usize = {
    let (mut length, mut index) = (2, 0);
    while index < declared::FUNCTIONS.len() {
        let Function { parameters, least, .. } = declared::FUNCTIONS[index];
        length += parameters.len() + 1 - *least;
        index += 1;
    }
    length
};

/// Adds the entries of a function; gives the place behind them.
const fn add_native<F: ScriptFunction>(table: &mut [ks::cmd_export_t], at: usize) -> usize {
    let (mut at, mut count) = (at, F::DECLARED.least);
    while count <= F::DECLARED.parameters.len() {
        table[at] = native_entry::<F>(count);
        at += 1;
        count += 1;
    }
    at
}

const fn native_entry<F: ScriptFunction>(count: usize) -> ks::cmd_export_t {
    // SAFETY: the server calls a function with as many parameters as its entry says; it keeps them all in one pointer type.
    let function = unsafe {
        match count {
            0 => native0::<F>,
            1 => native1::<F>,
            2 => native2::<F>,
            3 => transmute::<Native3, Native>(native3::<F>),
            4 => transmute::<Native4, Native>(native4::<F>),
            _ => transmute::<Native5, Native>(native5::<F>),
        }
    };
    ks::cmd_export_t {
        name: F::DECLARED.name.as_ptr().cast_mut(),
        function: Some(function),
        param_no: count as c_int,
        fixup: if count == 0 { None } else { Some(fixup::<F>) },
        free_fixup: if count == 0 { None } else { Some(ks::fixup_free_spve_all) },
        flags: if F::DECLARED.anywhere { ks::ANY_ROUTE } else { ks::REQUEST_ROUTE },
    }
}

/// Judges the parameter with this number, if it is constant, and prepares it. A bad one refuses the start.
unsafe extern "C" fn fixup<F: ScriptFunction>(parameter: *mut *mut c_void, number: c_int) -> c_int {
    let name = F::name();
    let judged = guard(name, -1, || {
        // SAFETY: the server gives a pointer to a text that ends in NUL.
        let text = match unsafe { parameter.as_ref() } {
            // SAFETY: as above.
            Some(text) if !text.is_null() => unsafe { CStr::from_ptr(text.cast()) }.to_bytes(),
            Some(_) | None => return 0,
        };
        let place = usize::try_from(number).unwrap_or(0).wrapping_sub(1);
        // A text with a pseudo-variable is known only when the function is called.
        let kind = F::DECLARED.parameters.get(place).filter(|_| !text.contains(&b'$'));
        let Some(kind) = kind else { return 0 };
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

/// Runs a function with its parameters evaluated.
fn native<F: ScriptFunction, const N: usize>(message: *mut ks::sip_msg, parameters: [Parameter; N]) -> c_int {
    guard(F::name(), script::FALSE, || {
        let mut values: Values<'_> = [&[]; MOST_PARAMETERS];
        for (value, parameter) in values.iter_mut().zip(parameters) {
            let mut text = ks::str_::default();
            // SAFETY: the fixup has made an fparam of the parameter; the text lives while the function runs.
            if unsafe { ks::get_str_fparam(&mut text, message, parameter.cast()) } < 0 {
                log::error(&format!("{}: a parameter has no value", F::name()));
                return script::FALSE;
            }
            // SAFETY: as above.
            *value = unsafe { bytes(&text) };
        }
        // SAFETY: the server's message lives while the function runs.
        F::run(unsafe { SipMessage::from_raw(message) }, values)
    })
}

unsafe extern "C" fn native0<F: ScriptFunction>(message: *mut ks::sip_msg, _: Parameter, _: Parameter) -> c_int {
    native::<F, 0>(message, [])
}

unsafe extern "C" fn native1<F: ScriptFunction>(message: *mut ks::sip_msg, a: Parameter, _: Parameter) -> c_int {
    native::<F, 1>(message, [a])
}

unsafe extern "C" fn native2<F: ScriptFunction>(message: *mut ks::sip_msg, a: Parameter, b: Parameter) -> c_int {
    native::<F, 2>(message, [a, b])
}

unsafe extern "C" fn native3<F: ScriptFunction>(
    message: *mut ks::sip_msg,
    a: Parameter,
    b: Parameter,
    c: Parameter,
) -> c_int {
    native::<F, 3>(message, [a, b, c])
}

unsafe extern "C" fn native4<F: ScriptFunction>(
    message: *mut ks::sip_msg,
    a: Parameter,
    b: Parameter,
    c: Parameter,
    d: Parameter,
) -> c_int {
    native::<F, 4>(message, [a, b, c, d])
}

unsafe extern "C" fn native5<F: ScriptFunction>(
    message: *mut ks::sip_msg,
    a: Parameter,
    b: Parameter,
    c: Parameter,
    d: Parameter,
    e: Parameter,
) -> c_int {
    native::<F, 5>(message, [a, b, c, d, e])
}

// ---------------------------------------------------------------------------------------------------------------- KEMI

type KemiText = *mut ks::str_;

const NO_KEMI: ks::sr_kemi_t = ks::sr_kemi_t {
    mname: NO_TEXT,
    fname: NO_TEXT,
    rtype: 0,
    func: null_mut(),
    ptypes: [0; ks::SR_KEMI_PARAMS_MAX as usize],
};

const fn kemi_entry<F: ScriptFunction>() -> ks::sr_kemi_t {
    let count = F::DECLARED.kemi;
    let mut ptypes = [ks::SR_KEMIP_NONE as c_int; ks::SR_KEMI_PARAMS_MAX as usize];
    let mut index = 0;
    while index < count {
        ptypes[index] = ks::SR_KEMIP_STR as c_int;
        index += 1;
    }
    let func = match count {
        0 => kemi0::<F> as *mut c_void,
        3 => kemi3::<F> as *mut c_void,
        4 => kemi4::<F> as *mut c_void,
        _ => kemi5::<F> as *mut c_void,
    };
    let (mname, fname) = (text(c"presence_b2b"), text(F::DECLARED.name));
    ks::sr_kemi_t { mname, fname, rtype: ks::SR_KEMIP_INT as c_int, func, ptypes }
}

/// Runs a function that KEMI has evaluated the parameters of.
fn kemi<F: ScriptFunction, const N: usize>(message: *mut ks::sip_msg, parameters: [KemiText; N]) -> c_int {
    guard(F::name(), script::FALSE, || {
        let mut values: Values<'_> = [&[]; MOST_PARAMETERS];
        for (value, parameter) in values.iter_mut().zip(parameters) {
            // SAFETY: null or valid while the function runs, as the server passes it.
            *value = unsafe { parameter.as_ref().map_or(&[][..], |text| bytes(text)) };
        }
        // SAFETY: the server's message lives while the function runs.
        F::run(unsafe { SipMessage::from_raw(message) }, values)
    })
}

unsafe extern "C" fn kemi0<F: ScriptFunction>(message: *mut ks::sip_msg) -> c_int {
    kemi::<F, 0>(message, [])
}

unsafe extern "C" fn kemi3<F: ScriptFunction>(
    message: *mut ks::sip_msg,
    a: KemiText,
    b: KemiText,
    c: KemiText,
) -> c_int {
    kemi::<F, 3>(message, [a, b, c])
}

unsafe extern "C" fn kemi4<F: ScriptFunction>(
    message: *mut ks::sip_msg,
    a: KemiText,
    b: KemiText,
    c: KemiText,
    d: KemiText,
) -> c_int {
    kemi::<F, 4>(message, [a, b, c, d])
}

unsafe extern "C" fn kemi5<F: ScriptFunction>(
    message: *mut ks::sip_msg,
    a: KemiText,
    b: KemiText,
    c: KemiText,
    d: KemiText,
    e: KemiText,
) -> c_int {
    kemi::<F, 5>(message, [a, b, c, d, e])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Another number would be called with parameters that are not there.
    #[test]
    fn each_number_of_parameters_has_a_c_function() {
        for Function { name, parameters, least, kemi, .. } in declared::FUNCTIONS {
            let native: Vec<usize> = (*least..=parameters.len()).collect();
            assert!(native.iter().all(|count| [0, 1, 2, 3, 4, 5].contains(count)), "{name:?}: {native:?}");
            assert!([0, 3, 4, 5].contains(kemi), "{name:?}: {kemi} texts of KEMI");
        }
    }
}
