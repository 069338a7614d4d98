//! Conversion between the C types and the module's.

use std::ffi::{c_int, c_uint, c_void};
use std::mem::MaybeUninit;

use super::text::Str;
use super::types::{Error, Sized32};
use crate::qsa::{DomainId, QsaError};
use crate::subscription::Status;

impl From<QsaError> for Error {
    fn from(error: QsaError) -> Self {
        match error {
            QsaError::OutOfMemory(_) => Self::Memory,
            QsaError::Refused(_) => Self::Refused,
            QsaError::UnknownSubscription
            | QsaError::UnknownDomain
            | QsaError::UnknownNotifier
            | QsaError::UnknownQueue => Self::Unknown,
            QsaError::UnknownContentType
            | QsaError::NoPackage
            | QsaError::NoRecord
            | QsaError::TooLong { .. }
            | QsaError::Controls { .. }
            | QsaError::NoLimit => Self::Argument,
            QsaError::TooManyNotifiers | QsaError::TooManyQueues | QsaError::Exhausted => Self::Limit,
        }
    }
}

/// The bytes of a `str`.
///
/// # Safety
/// `text.s` is null or points to `text.len` bytes that stay as they are for `'a`.
pub(super) unsafe fn bytes<'a>(text: &Str) -> Result<&'a [u8], Error> {
    let len = usize::try_from(text.len).map_err(|_| Error::Argument)?;
    if len == 0 {
        return Ok(&[]);
    }
    if text.s.is_null() {
        return Err(Error::Argument);
    }
    // SAFETY: not null, and the length is the caller's promise.
    Ok(unsafe { std::slice::from_raw_parts(text.s.cast::<u8>(), len) })
}

/// The bytes of a `str` behind a pointer; none for null.
///
/// # Safety
/// `text` is null or points to a `str` as [`bytes`] wants it.
pub(super) unsafe fn bytes_at<'a>(text: *const Str) -> Result<&'a [u8], Error> {
    // SAFETY: the caller's promise.
    match unsafe { text.as_ref() } {
        // SAFETY: the caller's promise.
        Some(text) => unsafe { bytes(text) },
        None => Ok(&[]),
    }
}

/// Writes a result where the caller wants it.
///
/// # Safety
/// `to` is null or may be written.
pub(super) unsafe fn put<T>(to: *mut T, value: T) -> Result<c_int, Error> {
    if to.is_null() {
        return Err(Error::Argument);
    }
    // SAFETY: not null, and the caller's promise.
    unsafe { to.write(value) };
    Ok(0)
}

/// How many bytes of a structure its caller knows, if the module knows them all.
///
/// # Safety
/// `at` is null or points to a structure of the size that its first member says.
unsafe fn size_at<T: Sized32>(at: *const T) -> Result<usize, Error> {
    if at.is_null() {
        return Err(Error::Argument);
    }
    // SAFETY: not null, and the first member is always there.
    let size = unsafe { at.cast::<c_uint>().read() } as usize;
    if size < T::LEAST || size > size_of::<T>() { Err(Error::Version) } else { Ok(size) }
}

/// A structure as its caller filled it; members that the caller does not know yet are 0.
///
/// # Safety
/// As for [`size_at`].
pub(super) unsafe fn sized_at<T: Sized32>(at: *const T) -> Result<T, Error> {
    // SAFETY: the caller's promise.
    let size = unsafe { size_at(at) }?;
    let mut all = MaybeUninit::<T>::zeroed();
    // SAFETY: not more than either structure has; what remains is 0, which every member may be.
    unsafe {
        std::ptr::copy_nonoverlapping(at.cast::<u8>(), all.as_mut_ptr().cast::<u8>(), size);
        Ok(all.assume_init())
    }
}

/// Writes a result into a structure, as much of it as its caller knows; the size that the caller set stays.
///
/// # Safety
/// As for [`size_at`], and it may be written.
pub(super) unsafe fn put_sized<T: Sized32>(to: *mut T, value: &T) -> Result<c_int, Error> {
    // SAFETY: the caller's promise.
    let size = unsafe { size_at(to) }?;
    let after = size_of::<c_uint>();
    let from = std::ptr::from_ref(value).cast::<u8>();
    // SAFETY: not more than either structure has, without the first member.
    unsafe { std::ptr::copy_nonoverlapping(from.add(after), to.cast::<u8>().add(after), size - after) };
    Ok(0)
}

/// The domain with this number; the default one for 0. The module's own are not found.
pub(super) fn domain(number: u64) -> DomainId {
    known_domain(number.max(1))
}

/// The domain with this number, but none of the module's own.
pub(super) fn known_domain(number: u64) -> DomainId {
    let domain = DomainId::from_u64(number);
    if domain.is_private() { DomainId::default() } else { domain }
}

/// Pointers of C are kept as numbers: nothing here follows them.
pub(super) fn number_of(pointer: *mut c_void) -> usize {
    pointer.expose_provenance()
}

pub(super) fn pointer_of(number: usize) -> *mut c_void {
    std::ptr::with_exposed_provenance_mut(number)
}

pub(super) fn status_of(number: c_int) -> Result<Status, Error> {
    match number {
        1 => Ok(Status::Active),
        2 => Ok(Status::Pending),
        3 => Ok(Status::Terminated),
        4 => Ok(Status::Rejected),
        _ => Err(Error::Argument),
    }
}

pub(super) fn number_of_status(status: Status) -> c_int {
    match status {
        Status::Active => 1,
        Status::Pending => 2,
        Status::Terminated => 3,
        Status::Rejected => 4,
    }
}
