//! The location service (module usrloc), when it is loaded: the contacts of local users, and what happens to them.

use std::ffi::{CStr, c_int, c_void};
use std::ptr::null_mut;
use std::sync::OnceLock;

use super::bindings as ks;
use super::clock;
use super::guard::guard;
use super::module_params;
use super::text::{bytes, lend};

/// The table of contacts that the registrar fills unless its functions name another one.
const TABLE: &CStr = c"location";

/// Hears of what happens to a contact, while the location service has locked its address of record: copies what it needs, and calls
/// nothing of the host's.
pub type OnContact = fn(aor: &[u8], ContactChange, &LocatedContact<'_>);

/// What has happened to a contact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContactChange {
    /// It is new.
    Inserted,
    /// It was registered again.
    Updated,
    /// It is being taken away.
    Deleted,
    /// Its time is over. May be said more than once.
    Expired,
}

/// The location service's functions and settings. Set before the fork.
struct Usrloc {
    api: ks::usrloc_api_t,
    table: *mut ks::udomain,
    on_contact: OnContact,
    is_case_sensitive: bool,
    has_gruus: bool,
}

// SAFETY: each process has its copy and one thread; the table is in memory that all processes share, and is only handed back.
unsafe impl Sync for Usrloc {}
// SAFETY: as above.
unsafe impl Send for Usrloc {}

static USRLOC: OnceLock<Result<Usrloc, UsrlocError>> = OnceLock::new();

fn bound() -> Option<&'static Usrloc> {
    USRLOC.get().and_then(|bound| bound.as_ref().ok())
}

/// Why the registrations of local users are not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UsrlocError {
    /// The module is not loaded.
    #[error("the module usrloc is not loaded: load it to know the registrations of local users")]
    NoModule,
    /// It keeps its contacts in the database only.
    #[error(
        "modparam db_mode of usrloc is 3, so that the contacts are in the database only: set it to 0, 1, 2 or 4 to know the registrations of local users"
    )]
    DatabaseOnly,
    /// Nobody uses the table.
    #[error(
        "the module usrloc has no table \"location\": name it in save(), or in modparam preload of usrloc, to know the registrations of local users"
    )]
    NoTable,
    /// Something of it does not work.
    #[error("the module usrloc cannot be used: the line before says why")]
    Failed,
}

/// Whether the module usrloc is loaded.
#[must_use]
pub fn is_loaded() -> bool {
    // SAFETY: looks for a name.
    unsafe { ks::pb2b_has_usrloc() != 0 }
}

/// Binds to the location service; call once, before the fork and when each module has had its `mod_init`. The table is made if it
/// `is_wanted` and not there: a table can cost a question to the database, and memory for what is in it.
///
/// # Errors
/// [`UsrlocError`].
pub fn bind(on_contact: OnContact, is_wanted: bool) -> Result<(), UsrlocError> {
    USRLOC.get_or_init(|| load(on_contact, is_wanted)).as_ref().map(|_| ()).map_err(|error| *error)
}

fn load(on_contact: OnContact, is_wanted: bool) -> Result<Usrloc, UsrlocError> {
    if !is_loaded() {
        return Err(UsrlocError::NoModule);
    }
    let mut api = ks::usrloc_api_t::default();
    // SAFETY: fills our table.
    if unsafe { ks::pb2b_load_usrloc(&mut api) } < 0 {
        return Err(UsrlocError::Failed);
    }
    if api.db_mode == ks::DB_ONLY as c_int {
        return Err(UsrlocError::DatabaseOnly);
    }
    let (Some(find_table), Some(make_table), Some(register_callback)) =
        (api.get_udomain, api.register_udomain, api.register_ulcb)
    else {
        return Err(UsrlocError::Failed);
    };
    let mut table = null_mut();
    // SAFETY: the name is only compared, the output is ours.
    if unsafe { find_table(TABLE.as_ptr(), &mut table) } < 0 || table.is_null() {
        if !is_wanted {
            return Err(UsrlocError::NoTable);
        }
        // SAFETY: the name is copied, the output is ours.
        if unsafe { make_table(TABLE.as_ptr(), &mut table) } < 0 || table.is_null() {
            return Err(UsrlocError::Failed);
        }
    }
    let is_set =
        |name: &CStr, otherwise| module_params::number(c"registrar", name).map_or(otherwise, |value| value != 0);
    let (is_case_sensitive, has_gruus) = (is_set(c"case_sensitive", false), is_set(c"gruu_enabled", true));
    let all = ks::UL_CONTACT_INSERT | ks::UL_CONTACT_UPDATE | ks::UL_CONTACT_DELETE | ks::UL_CONTACT_EXPIRE;
    // SAFETY: the function stays where it is; without a parameter there is nothing to free.
    if unsafe { register_callback(all as c_int, Some(on_change), null_mut()) } < 0 {
        return Err(UsrlocError::Failed);
    }
    Ok(Usrloc { api, table, on_contact, is_case_sensitive, has_gruus })
}

/// Whether the registrations of local users are known.
///
/// # Errors
/// Why not.
pub fn check() -> Result<(), UsrlocError> {
    match USRLOC.get() {
        Some(bound) => bound.as_ref().map(|_| ()).map_err(|error| *error),
        None => Err(UsrlocError::NoModule),
    }
}

/// The address of record of this user and host, as the location service writes it.
#[must_use]
pub fn aor_of(user: &[u8], host: &[u8]) -> Vec<u8> {
    let (with_host, is_case_sensitive) =
        bound().map_or((false, false), |usrloc| (usrloc.api.use_domain != 0, usrloc.is_case_sensitive));
    let user = if is_case_sensitive { user.to_vec() } else { user.to_ascii_lowercase() };
    if with_host { [&user[..], b"@", &host.to_ascii_lowercase()].concat() } else { user }
}

/// Whether the registrar gives contacts public GRUUs (RFC 5627).
#[must_use]
pub fn has_gruus() -> bool {
    bound().is_some_and(|usrloc| usrloc.has_gruus)
}

/// Shows the contacts of an address of record that are valid now to `look`, while the location service has it locked; `None` if there is no
/// location service. `look` calls nothing of the host's.
pub fn with_contacts<R>(aor: &[u8], look: impl FnOnce(&[LocatedContact<'_>]) -> R) -> Option<R> {
    let usrloc = bound()?;
    let (lock, unlock, find) = (usrloc.api.lock_udomain?, usrloc.api.unlock_udomain?, usrloc.api.get_urecord?);
    lend([aor], |[mut aor]| {
        // SAFETY: the table lives as long as the server; the lock is the module's own, and this process may hold it already.
        unsafe { lock(usrloc.table, &mut aor) };
        let same = aor;
        let unlocked = Unlock(move || {
            let mut aor = same;
            // SAFETY: locked above, with the same text.
            unsafe { unlock(usrloc.table, &mut aor) }
        });
        let mut record = null_mut();
        // SAFETY: the output is ours; what it points at stays while the lock is held.
        let first = match unsafe { find(usrloc.table, &mut aor, &mut record) } {
            // SAFETY: found, hence valid.
            0 => unsafe { record.as_ref() }.map_or(null_mut(), |record| record.contacts),
            _ => null_mut(),
        };
        let now = clock::unix_seconds();
        let mut contacts = Vec::new();
        let mut next = first;
        // SAFETY: a contact of the record's list, or null at its end.
        while let Some(contact) = unsafe { next.as_ref() } {
            let located = LocatedContact { raw: contact };
            if located.is_valid(now) {
                contacts.push(located);
            }
            next = contact.next;
        }
        let looked = look(&contacts);
        drop(unlocked);
        Some(looked)
    })
}

/// Calls its function when it goes.
struct Unlock<F: Fn()>(F);

impl<F: Fn()> Drop for Unlock<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// A contact, while the location service has its address of record locked.
#[derive(Clone, Copy)]
pub struct LocatedContact<'a> {
    raw: &'a ks::ucontact,
}

impl<'a> LocatedContact<'a> {
    /// What names it among all, as long as it is there.
    #[must_use]
    pub fn id(&self) -> &'a [u8] {
        self.text(&self.raw.ruid)
    }

    /// Its URI.
    #[must_use]
    pub fn uri(&self) -> &'a [u8] {
        self.text(&self.raw.c)
    }

    /// The Call-ID of its last REGISTER.
    #[must_use]
    pub fn call_id(&self) -> &'a [u8] {
        self.text(&self.raw.callid)
    }

    /// The CSeq of its last REGISTER.
    #[must_use]
    pub fn cseq(&self) -> u32 {
        self.raw.cseq.unsigned_abs()
    }

    /// The seconds until it expires; none if it never does.
    #[must_use]
    pub fn expires(&self) -> Option<u64> {
        let left = self.raw.expires.saturating_sub(clock::unix_seconds());
        (self.raw.expires != 0).then(|| u64::try_from(left).unwrap_or(0))
    }

    /// Its preference in thousandths, if it has one.
    #[must_use]
    pub fn q(&self) -> Option<u16> {
        u16::try_from(self.raw.q).ok().filter(|q| *q <= 1000)
    }

    /// The instance that has registered it (RFC 5626), as in its `+sip.instance`; empty for none.
    #[must_use]
    pub fn instance(&self) -> &'a [u8] {
        self.text(&self.raw.instance)
    }

    /// Its `reg-id` (RFC 5626).
    #[must_use]
    pub fn reg_id(&self) -> Option<u32> {
        (self.raw.reg_id != 0).then_some(self.raw.reg_id)
    }

    /// Whether it is there, as far as callers are concerned: the service keeps what has expired for a while.
    fn is_valid(&self, now: i64) -> bool {
        self.raw.expires == 0 || self.raw.expires > now
    }

    fn text(&self, text: &ks::str_) -> &'a [u8] {
        // SAFETY: a text of the contact, which stays as it is while the service has the address locked.
        unsafe { bytes(text) }
    }
}

unsafe extern "C" fn on_change(contact: *mut ks::ucontact, kind: c_int, _parameter: *mut c_void) {
    guard("the location service's callback", (), || {
        // SAFETY: the service passes a valid contact, locked, with the address and the table that it belongs to.
        let Some(raw) = (unsafe { contact.as_ref() }) else { return };
        // SAFETY: as above.
        let (aor, domain) = unsafe { (raw.aor.as_ref(), raw.domain.as_ref()) };
        let (Some(usrloc), Some(aor), Some(domain)) = (bound(), aor, domain) else { return };
        // SAFETY: texts of the service.
        let (aor, domain) = unsafe { (bytes(aor), bytes(domain)) };
        let change = match kind as u32 {
            ks::UL_CONTACT_INSERT => ContactChange::Inserted,
            ks::UL_CONTACT_UPDATE => ContactChange::Updated,
            ks::UL_CONTACT_DELETE => ContactChange::Deleted,
            ks::UL_CONTACT_EXPIRE => ContactChange::Expired,
            _ => return,
        };
        if domain == TABLE.to_bytes() {
            (usrloc.on_contact)(aor, change, &LocatedContact { raw });
        }
    });
}
