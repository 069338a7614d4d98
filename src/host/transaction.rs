//! tm: requests sent as a client, answers given as a server.

use std::cell::Cell;
use std::ffi::{c_char, c_int, c_void};
use std::num::NonZero;
use std::ptr::null_mut;
use std::sync::OnceLock;

use super::bindings as ks;
use super::connection::taken_to;
use super::guard::guard;
use super::message::SipMessage;
use super::process;
use super::socket::ListenSocket;
use super::text::lend;

/// tm's functions, and the listener for final replies. Set before the fork.
struct TmApi {
    tm: ks::tm_binds,
    more: ks::tm_xapi_t,
    on_reply: ReplyHandler,
}

// SAFETY: a table of functions, written once before the fork and only read afterwards.
unsafe impl Sync for TmApi {}
// SAFETY: as above.
unsafe impl Send for TmApi {}

static TM: OnceLock<TmApi> = OnceLock::new();

/// The function that hears of a request's end: the parameter given to [`send`], the CSeq of the request, and what came.
pub type ReplyHandler = fn(parameter: u64, cseq: u32, reply: Final<'_>);

/// How a transaction ended.
#[derive(Clone, Copy)]
pub enum Final<'m> {
    /// A final reply, not yet parsed.
    Reply(SipMessage<'m>),
    /// No reply: the code the host makes up for it (408).
    Local(u16),
    /// A reply with this code, for which there is no private memory.
    Unread(u16),
}

/// tm is not there.
#[derive(Debug, thiserror::Error)]
#[error("the module tm is needed: load it before presence_b2b (loadmodule \"tm.so\")")]
pub struct NoTm;

/// Binds to tm; call once, in `mod_init`.
///
/// # Errors
/// When tm is not loaded.
pub fn bind(on_reply: ReplyHandler) -> Result<(), NoTm> {
    let mut tm = ks::tm_binds::default();
    // SAFETY: fills our table.
    if unsafe { ks::pb2b_load_tm(&mut tm) } < 0 {
        return Err(NoTm);
    }
    let mut more = ks::tm_xapi_t::default();
    // SAFETY: as above.
    if unsafe { ks::pb2b_load_xtm(&mut more) } < 0 {
        return Err(NoTm);
    }
    TM.set(TmApi { tm, more, on_reply }).map_err(|_| NoTm)
}

/// tm's functions, for the shim; null before [`bind`].
pub(super) fn bound() -> *const ks::tm_binds {
    TM.get().map_or(std::ptr::null(), |bound| &raw const bound.tm)
}

/// A request as tm needs it.
#[derive(Clone, Copy, Debug)]
pub struct Outgoing<'a> {
    /// Method.
    pub method: &'a [u8],
    /// Request-URI.
    pub request_uri: &'a [u8],
    /// Where to send it.
    pub next_hop: &'a [u8],
    /// URI of the To header.
    pub to: &'a [u8],
    /// URI of the From header.
    pub from: &'a [u8],
    /// Call-ID.
    pub call_id: &'a [u8],
    /// From tag.
    pub local_tag: &'a [u8],
    /// To tag; empty for none.
    pub remote_tag: &'a [u8],
    /// CSeq number.
    pub cseq: u32,
    /// All further headers, each line ending in CRLF.
    pub headers: &'a [u8],
    /// Body; empty for none. Its Content-Type is one of the headers.
    pub body: &'a [u8],
    /// The socket to send from.
    pub socket: ListenSocket,
}

/// The outcome of a request given to tm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// There is a transaction; its end will be told. The script may have had the request leave through another socket
    /// (`$fs` in `event_route[tm:local-request]`).
    Yes {
        /// The socket.
        socket: ListenSocket,
        /// The connection it has taken, where the transport has connections. It may be lost by now.
        connection: Option<NonZero<u32>>,
    },
    /// The script dropped it (`event_route[tm:local-request]`); nothing will be told.
    Dropped,
    /// It could not be sent; nothing will be told.
    Failed,
    /// The same, and the destination has nothing to do with it: memory or a socket is lacking here.
    Impossible,
}

/// Sends a request; its end goes to the handler given to [`bind`], possibly in another process before this returns.
/// May block: names are looked up and TCP connections made here.
#[must_use]
pub fn send(request: &Outgoing<'_>, parameter: u64) -> Sent {
    let texts = [
        request.call_id,
        request.remote_tag,
        request.local_tag,
        request.from,
        request.to,
        request.request_uri,
        request.next_hop,
        request.method,
        request.headers,
        request.body,
    ];
    let sent = lend(texts, |texts| hand_over(request, texts, parameter));
    if process::is_ours() {
        // tm has run event_route[tm:local-request], and gives back most of what that has set, but not all.
        // SAFETY: this process is in the middle of no message.
        unsafe { ks::pb2b_forget_route() };
    }
    sent
}

/// Hands a request to tm, its texts as the host wants them.
fn hand_over(request: &Outgoing<'_>, texts: [ks::str_; 10], parameter: u64) -> Sent {
    let Some(bound) = TM.get() else { return Sent::Impossible };
    let [call_id, rem_tag, loc_tag, loc_uri, rem_uri, rem_target, dst_uri, mut method, mut headers, mut body] = texts;
    let mut dialog = ks::dlg_t {
        id: ks::dlg_id_t { call_id, rem_tag, loc_tag },
        // tm counts up before it sends.
        loc_seq: ks::dlg_seq_t { value: request.cseq.wrapping_sub(1), is_set: 1 },
        loc_uri,
        rem_uri,
        rem_target,
        dst_uri,
        state: ks::DLG_CONFIRMED,
        send_sock: request.socket.as_raw(),
        ..ks::dlg_t::default()
    };
    let mut uac = ks::uac_req_t {
        method: &mut method,
        headers: &mut headers,
        body: if request.body.is_empty() { null_mut() } else { &mut body },
        dialog: &mut dialog,
        cb_flags: (ks::TMCB_LOCAL_COMPLETED | ks::TMCB_REQUEST_SENT) as _, // int, or unsigned since 6.0
        cb: Some(on_final),
        cbp: null_mut::<c_void>().wrapping_byte_add(parameter as usize),
        ..ks::uac_req_t::default()
    };
    TAKEN.set(None);
    let Some(request_within) = bound.tm.t_request_within else { return Sent::Impossible };
    // SAFETY: all that `uac` points at outlives the call; tm copies what it keeps; the parameter is a plain number.
    match unsafe { request_within(&mut uac) } {
        1.. => Sent::Yes {
            socket: ListenSocket::from_raw(dialog.send_sock).unwrap_or(request.socket),
            connection: TAKEN.take(),
        },
        0 => Sent::Dropped,
        ks::E_OUT_OF_MEM | ks::E_NO_SOCKET => Sent::Impossible,
        _ => Sent::Failed,
    }
}

thread_local! {
    /// The connection that the newest request of this process has taken.
    static TAKEN: Cell<Option<NonZero<u32>>> = const { Cell::new(None) };
}

unsafe extern "C" fn on_final(cell: *mut ks::cell, kind: c_int, params: *mut ks::tmcb_params) {
    guard("the reply callback", (), || {
        if kind & ks::TMCB_REQUEST_SENT as c_int != 0 {
            // SAFETY: tm passes valid parameters, and with this kind the destination.
            let to = unsafe { params.as_ref() }.and_then(|params| unsafe { params.dst.as_ref() });
            TAKEN.set(to.and_then(taken_to));
            return;
        }
        // SAFETY: tm passes its transaction and valid parameters; `param` points at the number we gave.
        let (Some(bound), Some(params)) = (TM.get(), (unsafe { params.as_ref() })) else { return };
        // SAFETY: as above.
        let Some(parameter) = (unsafe { params.param.as_ref() }) else { return };
        let mut cseq = 0;
        // SAFETY: the transaction is valid, the output is ours.
        if unsafe { ks::pb2b_cell_cseq(cell, &mut cseq) } < 0 {
            return;
        }
        let code = u16::try_from(params.code).unwrap_or(408);
        // SAFETY: compares addresses only.
        let local = params.rpl.is_null() || unsafe { ks::pb2b_is_faked_reply(params.rpl) } != 0;
        if local {
            (bound.on_reply)(parameter.addr() as u64, cseq, Final::Local(code));
            return;
        }
        // SAFETY: a real reply is valid for as long as the callback runs, in this process or in shared memory.
        let message = unsafe { SipMessage::from_raw(params.rpl) };
        // In a message that all processes see, the parser's results would be in this process's memory and never freed.
        let copy = message.is_shared().then(|| message.copy(message.text()));
        let end = match &copy {
            None => Final::Reply(message),
            Some(Some(copy)) => Final::Reply(copy.message()),
            Some(None) => Final::Unread(message.status()),
        };
        (bound.on_reply)(parameter.addr() as u64, cseq, end);
    });
}

/// Makes sure there is a server transaction for this request: the script's, or a new one.
/// `false` when there is none and none could be made; a repetition of an earlier request is absorbed by tm.
#[must_use]
pub fn ensure(message: SipMessage<'_>) -> Transaction {
    let Some(bound) = TM.get() else { return Transaction::None };
    if is_made() {
        return Transaction::Ready;
    }
    let Some(new_transaction) = bound.tm.t_newtran else { return Transaction::None };
    // SAFETY: the message is the one being processed.
    match unsafe { new_transaction(message.as_raw()) } {
        1.. => Transaction::Ready,
        0 => Transaction::Repeated,
        _ => Transaction::None,
    }
}

/// Whether there is a server transaction for the request being processed.
#[must_use]
pub fn is_made() -> bool {
    // SAFETY: asks tm for this process's current transaction.
    TM.get().is_some_and(|bound| !unsafe { ks::pb2b_current_transaction(&bound.tm) }.is_null())
}

/// Whether the script has given the request a final answer already, or has sent it on.
#[must_use]
pub fn is_answered(message: SipMessage<'_>) -> bool {
    // SAFETY: the message is the one being processed; reads what tm and sl have of it.
    TM.get().is_some_and(|bound| unsafe { ks::pb2b_is_answered(&bound.tm, message.as_raw()) } != 0)
}

/// Whether a request repeats one that has its transaction; tm has answered it again then. Makes none.
#[must_use]
pub fn is_repeated(message: SipMessage<'_>) -> bool {
    let Some(check) = TM.get().and_then(|bound| bound.more.t_check_trans) else { return false };
    // SAFETY: the message is the one being processed.
    unsafe { check(message.as_raw()) == 0 }
}

/// See [`ensure`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transaction {
    /// The request can be answered.
    Ready,
    /// It repeats one that has its transaction; tm has answered it again.
    Repeated,
    /// It cannot be answered (out of memory, broken Via).
    None,
}

/// Answers the request of the current transaction, with extra header lines (each ending in CRLF).
/// `false` when tm refused.
#[must_use]
pub fn reply(message: SipMessage<'_>, code: u16, phrase: &str, headers: &[u8]) -> bool {
    let Some(bound) = TM.get() else { return false };
    let Some(reply) = bound.tm.t_reply else { return false };
    with_phrase(message, phrase, headers, |phrase| {
        // SAFETY: the message is the one being processed; the phrase ends with NUL and is copied.
        unsafe { reply(message.as_raw(), u32::from(code), phrase) >= 0 }
    })
}

/// Lends header lines to the answer to come, and hands the phrase over as the host wants it. Gives what `answer` gives.
pub(super) fn with_phrase(
    message: SipMessage<'_>,
    phrase: &str,
    headers: &[u8],
    answer: impl FnOnce(*mut c_char) -> bool,
) -> bool {
    // The host wants it to end with NUL; phrases are short, and cut otherwise.
    let mut ended = [0; 64];
    let room = ended.len() - 1;
    for (to, from) in ended.iter_mut().take(room).zip(phrase.bytes()) {
        *to = from;
    }
    if headers.is_empty() {
        return answer(ended.as_mut_ptr().cast());
    }
    lend([headers], |[headers]| {
        let mut lump = ks::lump_rpl::default();
        // SAFETY: the message is the one being processed; text and entry live until they are taken back below.
        unsafe { ks::pb2b_lend_reply_header(message.as_raw(), &mut lump, &headers) };
        let answered = answer(ended.as_mut_ptr().cast());
        // SAFETY: the message is still the same; whether or not the entry is in its list.
        unsafe { ks::unlink_lump_rpl(message.as_raw(), &mut lump) };
        answered
    })
}
