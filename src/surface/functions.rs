//! The script functions as they are declared: the tables that the server reads, the check of constant parameters and the test of
//! the pages are made of these. Uses nothing of the module, so that the tests can read it as well.

use std::ffi::CStr;

/// The kind of a script function's parameter.
#[derive(Clone, Copy, Debug)]
pub enum Constant {
    /// Record or subscriber.
    Uri,
    /// Record or subscriber; empty for any.
    AnyUri,
    /// Event package, perhaps with an id.
    Package,
    /// Flags of `b2b_subscribe`.
    Flags,
    /// Options of `b2b_subscribe`.
    Options,
    /// User name.
    Username,
    /// Password, which is not shown.
    Password,
}

use Constant::{AnyUri, Flags, Options, Package, Password, Uri, Username};

/// A script function.
#[derive(Debug)]
pub struct Function {
    /// Its name, in native and in KEMI scripts.
    pub name: &'static CStr,
    /// All its parameters.
    pub parameters: &'static [Constant],
    /// How many of them a native script has to give.
    pub least: usize,
    /// How many a KEMI script gives.
    pub kemi: usize,
    /// Whether a native script may call it in any route; elsewhere only where requests are routed.
    pub anywhere: bool,
}

/// Answers a NOTIFY.
pub const HANDLE_NOTIFY: Function =
    Function { name: c"handle_notify", parameters: &[], least: 0, kemi: 0, anywhere: false };

/// Tells that a connection is closed.
pub const FLOW_LOST: Function = Function { name: c"b2b_flow_lost", parameters: &[], least: 0, kemi: 0, anywhere: true };

/// Subscribes.
pub const SUBSCRIBE: Function = Function {
    name: c"b2b_subscribe",
    parameters: &[Uri, Uri, Package, Flags, Options],
    least: 2,
    kemi: 4,
    anywhere: true,
};

/// Subscribes with options, which KEMI needs a name of its own for.
pub const SUBSCRIBE_WITH: Function = Function { name: c"b2b_subscribe_with", least: 5, kemi: 5, ..SUBSCRIBE };

/// Ends a subscription.
pub const UNSUBSCRIBE: Function =
    Function { name: c"b2b_unsubscribe", parameters: &[Uri, Uri, Package], least: 2, kemi: 3, anywhere: true };

/// Gives a subscription credentials.
pub const CREDENTIALS: Function = Function {
    name: c"b2b_credentials",
    parameters: &[Uri, Uri, Package, Username, Password],
    least: 5,
    kemi: 5,
    anywhere: true,
};

/// Makes a state current.
pub const STATE: Function =
    Function { name: c"b2b_state", parameters: &[Uri, AnyUri, Package], least: 1, kemi: 3, anywhere: true };

/// All functions.
pub const FUNCTIONS: [&Function; 7] =
    [&HANDLE_NOTIFY, &FLOW_LOST, &SUBSCRIBE, &SUBSCRIBE_WITH, &UNSUBSCRIBE, &CREDENTIALS, &STATE];

/// The most parameters that a function has.
pub const MOST_PARAMETERS: usize = 5;
