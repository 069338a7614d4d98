//! The calls of local users as a notifier: package `dialog`, without SIP.
//!
//! The dialog module's callbacks only note how far a call is. A b2b worker tells all calls of a user, the whole state each time, as a
//! document of RFC 4235 to those who follow the user.

use super::local::{self, LocalPackage};
use crate::calls::{CallFollower, CallState, CallTexts, Party, SeenCall, SeenEnd, UserCalls};
use crate::document::{DialogEntry, DialogIdentity, DialogInfo, DialogSide, Version};
use crate::engine::{self, Engine, Lack, NO_MEMORY};
use crate::grammar::{Aor, quoted, unescaped};
use crate::host::dialog::{self, CallListener, CallProgress, DialogView};
use crate::memory::OutOfMemory;
use crate::qsa::{Refused, SubscriptionId, Wanted};
use crate::registry::Handle;
use crate::subscription::Options;

/// How many users a worker looks at before it looks at other work.
const BATCH: usize = 32;

/// Type of the documents.
const CONTENT_TYPE: &str = "application/dialog-info+xml";

/// The most bytes of a URI and of a Call-ID; longer ones are not told.
const MOST_URI: usize = 512;

/// The most bytes of a tag and of a display name; longer ones are not told.
const MOST_WORD: usize = 128;

/// Follows the calls of the dialog module from now on; call once, in `mod_init`, if there are local domains. `false` if that module is not
/// loaded.
pub fn listen() -> bool {
    dialog::listen(CallListener { on_begin, on_change, on_gone })
}

/// Starts a subscription to the calls of a local user.
///
/// # Errors
/// Why not, for the operator; nothing is left behind.
pub(super) fn start(
    engine: &Engine,
    id: SubscriptionId,
    wanted: &Wanted<'_>,
    options: &Options,
    aor: &Aor,
) -> Result<Handle, Refused> {
    if !dialog::is_bound() {
        return Err(Refused::new("the calls of local users are not known: load the module dialog before presence_b2b"));
    }
    let handle = engine.start_local(id, wanted, options)?;
    match engine.calls.follow(&aor.text(), handle.to_u64()) {
        Ok(worker) => {
            engine.ring_for_calls([worker, None]);
            Ok(handle)
        }
        Err(OutOfMemory) => {
            engine.end(handle);
            Err(NO_MEMORY)
        }
    }
}

/// An internal subscription has ended: nobody follows for it any more, if it was one to calls of a local user.
pub(super) fn leave(engine: &Engine, subscription: SubscriptionId, handle: Handle) {
    if engine.config.local_domains.is_empty() {
        return;
    }
    let user = engine.hub.with_subscription(subscription, |wanted| local::user_of(engine, &wanted)).flatten();
    if let Some(Ok((LocalPackage::Calls, aor))) = user {
        engine.calls.unfollow(&aor.text(), handle.to_u64());
    }
}

/// Tells what has happened, as far as this worker looks after it; whether there was anything.
pub(super) fn work(engine: &Engine, worker: usize) -> bool {
    for done in 0..BATCH {
        let Some(collected) = engine.calls.next_marked(worker) else { return done > 0 };
        for follower in &collected.followers {
            if tell(engine, &collected, follower).is_err() {
                // It is tried again, but not at once.
                engine.calls.tell_again(&collected.aor, follower.handle);
                engine.lacks(Lack::Calls);
                return false;
            }
        }
    }
    true
}

/// Tells one follower. The documents of all differ in version and entity only.
fn tell(engine: &Engine, collected: &UserCalls, follower: &CallFollower) -> Result<(), OutOfMemory> {
    let handle = Handle::from_u64(follower.handle);
    let record = handle.and_then(|handle| engine.registry.view(handle, |made, _| made.record().to_vec()));
    let wants_more = match handle.zip(record) {
        Some((handle, record)) => {
            let document = document(&record, follower.version, &collected.calls);
            engine.tell_local(handle, follower.version, CONTENT_TYPE.as_bytes(), document.as_bytes())?
        }
        None => false,
    };
    if !wants_more {
        engine.calls.unfollow(&collected.aor, follower.handle);
    }
    Ok(())
}

/// All calls of a user.
fn document(record: &[u8], version: u32, calls: &[SeenCall]) -> String {
    let version = Some(Version { number: version, is_full: true });
    DialogInfo { version, entity: text(record), dialogs: calls.iter().map(entry).collect() }.to_xml()
}

fn entry(call: &SeenCall) -> DialogEntry {
    let [local, remote] = &call.ends;
    DialogEntry {
        // One who calls himself has both sides.
        id: format!("{:x}-{}", call.number, call.side.direction()),
        call_id: known(&call.call_id),
        local_tag: known(&local.tag),
        remote_tag: known(&remote.tag),
        direction: Some(call.side.direction().to_owned()),
        state: call.state.name().to_owned(),
        local: side(local),
        remote: side(remote),
        ..DialogEntry::default()
    }
}

fn side(end: &SeenEnd) -> DialogSide {
    let identity = known(&end.identity).map(|uri| DialogIdentity { uri, display: known(&end.display) });
    DialogSide { identity, target: known(&end.target), ..DialogSide::default() }
}

fn known(bytes: &[u8]) -> Option<String> {
    (!bytes.is_empty()).then(|| text(bytes))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A text, or nothing if it is too long.
fn within(text: &[u8], most: usize) -> &[u8] {
    if text.len() > most { &[] } else { text }
}

/// The address of record of a local user; nobody can follow one that is too long.
fn local_aor(engine: &Engine, uri: &[u8]) -> Option<Vec<u8>> {
    let aor = Aor::read(uri)?;
    let is_local = !aor.user.is_empty() && engine.config.local_domains.hold(&aor.host);
    Some(aor.text()).filter(|text| is_local && text.len() <= Wanted::MOST_URI)
}

/// The URI of a party; where it is too long, that of its address of record says who it is.
fn identity(uri: &[u8], aor: &[u8]) -> Vec<u8> {
    match within(uri, MOST_URI) {
        [] if !aor.is_empty() => [b"sip:", aor].concat(),
        uri => uri.to_vec(),
    }
}

fn state_of(call: &DialogView<'_>) -> CallState {
    match call.progress() {
        CallProgress::Begun => CallState::Trying,
        CallProgress::Early => CallState::Early,
        CallProgress::Answered => CallState::Confirmed,
        CallProgress::Over => CallState::Terminated,
    }
}

fn texts_of<'a>(call: &DialogView<'a>) -> CallTexts<'a> {
    CallTexts {
        call_id: within(call.call_id(), MOST_URI),
        tags: call.tags().map(|tag| within(tag, MOST_WORD)),
        targets: call.contacts().map(|contact| within(contact, MOST_URI)),
    }
}

/// A display name without its quotes.
fn display(name: &[u8]) -> Vec<u8> {
    let name = name.trim_ascii();
    within(&quoted(name).and_then(unescaped).unwrap_or_else(|| name.to_vec()), MOST_WORD).to_vec()
}

/// The caller is the user of From. The callee is the user of the Request-URI, or of To if that one is not local: the script may have
/// looked up the location already.
fn on_begin(call: &DialogView<'_>) -> Option<u64> {
    let engine = engine::engine()?;
    let [from, to, request] = call.uris();
    let caller = local_aor(engine, from);
    let (called, callee) = match local_aor(engine, request) {
        Some(aor) => (request, Some(aor)),
        None => (to, local_aor(engine, to)),
    };
    if caller.is_none() && callee.is_none() {
        return None;
    }
    let names = call.displays().map(display);
    let [from_name, to_name] = names.each_ref().map(Vec::as_slice);
    let party = |aor: &'_ Option<Vec<u8>>| aor.clone().unwrap_or_default();
    let aors = [party(&caller), party(&callee)];
    let [caller_aor, callee_aor] = aors.each_ref().map(Vec::as_slice);
    let identities = [identity(from, caller_aor), identity(called, callee_aor)];
    let [caller_identity, callee_identity] = identities.each_ref().map(Vec::as_slice);
    let parties = [
        Party { aor: caller_aor, identity: caller_identity, display: from_name },
        Party { aor: callee_aor, identity: callee_identity, display: to_name },
    ];
    match engine.calls.begin(&parties, &texts_of(call), state_of(call)) {
        Ok((number, workers)) => {
            engine.ring_for_calls(workers);
            Some(number)
        }
        Err(OutOfMemory) => {
            engine.untracked_call(if caller_aor.is_empty() { callee_aor } else { caller_aor });
            None
        }
    }
}

fn on_change(number: u64, call: &DialogView<'_>) {
    let Some(engine) = engine::engine() else { return };
    let texts = call.has_new_texts().then(|| texts_of(call));
    engine.ring_for_calls(engine.calls.change(number, texts.as_ref(), || state_of(call)));
}

fn on_gone(number: u64) {
    if let Some(engine) = engine::engine() {
        engine.ring_for_calls(engine.calls.end(number));
    }
}
