//! The result of a query.

use std::ffi::c_int;
use std::ptr::null_mut;

use super::Database;
use crate::host::bindings as ks;
use crate::host::text::bytes;

/// The rows of a query, as far as they have been fetched.
pub(super) struct Rows<'d> {
    database: &'d Database,
    /// Null, or what the database module gave.
    pub(super) raw: *mut ks::db1_res_t,
}

impl<'d> Rows<'d> {
    /// None yet.
    pub(super) fn of(database: &'d Database) -> Self {
        Self { database, raw: null_mut() }
    }

    /// How many there are.
    pub(super) fn count(&self) -> c_int {
        // SAFETY: null, or what the module gave.
        unsafe { self.raw.as_ref() }.map_or(0, |result| unsafe { ks::pb2b_db_rows(result) })
    }

    /// One value as text; none for NULL and for what is not there.
    pub(super) fn text(&self, row: c_int, column: usize) -> Option<Vec<u8>> {
        // SAFETY: null, or what the module gave.
        let result = unsafe { self.raw.as_ref() }?;
        let mut digits = [0; 32];
        let mut out = ks::str_::default();
        let column = c_int::try_from(column).ok()?;
        // SAFETY: row and column are checked by the callee; the text points into the result or into `digits`.
        unsafe {
            (ks::pb2b_db_text(result, row, column, digits.as_mut_ptr(), &mut out) == 1).then(|| bytes(&out).to_vec())
        }
    }
}

impl Drop for Rows<'_> {
    fn drop(&mut self) {
        if let (Some(free), false) = (self.database.api.free_result, self.raw.is_null()) {
            // SAFETY: the result is of this connection, and freed once.
            unsafe { free(self.database.connection.as_ptr(), self.raw) };
        }
    }
}
