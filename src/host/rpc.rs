//! RPC commands: reading parameters and building answers through whichever transport the command came.

use std::cell::{Cell, RefCell};
use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr::null_mut;

use super::bindings as ks;
use super::log;
use super::text::{bytes, lend};

/// When so many bytes are in an answer, it takes no further row. The smallest transport is a datagram of 65507 bytes (UDP of
/// jsonrpcs, which sends nothing at all when an answer is larger); what is left is for the row begun before, and for the frame.
const FULL: usize = 52_000;

/// Bytes of a field beside name and value in the widest notation: JSON in lines of their own, with tabs.
const AROUND: usize = 16;

/// Bytes of a fault that every transport carries: jsonrpcs cuts off the rest.
const LONGEST_FAULT: usize = 127;

/// The same of ctl.
const LONGEST_OVER_CTL: usize = 255;

/// One RPC command being answered.
pub struct RpcContext {
    functions: *mut ks::rpc_t,
    context: *mut c_void,
    /// An upper bound of the bytes that the answer has so far.
    size: Cell<usize>,
    /// How many parameters were read.
    read: Cell<u32>,
    /// The texts of numbers that were read.
    numbers: RefCell<Vec<Box<[u8]>>>,
}

/// A struct in an answer.
pub struct Row<'c> {
    call: &'c RpcContext,
    handle: *mut c_void,
}

/// A list of structs inside a struct of an answer.
pub struct RpcList<'c> {
    call: &'c RpcContext,
    handle: *mut c_void,
}

/// The answer could not be extended (out of memory); what is built so far is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoRoom;

/// A parameter that is neither a text nor a whole number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrongType {
    /// Its place among the parameters, from 1 on.
    pub number: u32,
}

fn format(text: &CStr) -> *mut c_char {
    text.as_ptr().cast_mut()
}

/// The most bytes that a text takes in JSON.
fn written(text: &[u8]) -> usize {
    text.iter()
        .map(|byte| match byte {
            b'"' | b'\\' => 2,
            b' '..=b'~' => 1,
            _ => 6,
        })
        .sum()
}

fn done(result: Option<c_int>) -> Result<(), NoRoom> {
    if result.is_some_and(|result| result >= 0) { Ok(()) } else { Err(NoRoom) }
}

impl RpcContext {
    /// Wraps what the host passes to a command.
    ///
    /// # Safety
    /// Both must be what the host passed, for as long as the command runs.
    #[must_use]
    pub unsafe fn from_raw(functions: *mut ks::rpc_t, context: *mut c_void) -> Self {
        Self { functions, context, size: Cell::new(0), read: Cell::new(0), numbers: RefCell::default() }
    }

    fn functions(&self) -> &ks::rpc_t {
        // SAFETY: valid while the command runs, by the promise given to `from_raw`.
        unsafe { &*self.functions }
    }

    /// Whether every transport carries one more row.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.size.get() < FULL
    }

    fn grow(&self, bytes: usize) {
        self.size.set(self.size.get().saturating_add(bytes).saturating_add(AROUND));
    }

    /// The next parameter as text (whole numbers are converted); `None` when there is none.
    ///
    /// # Errors
    /// When it is something else, and the transport tells that from none: jsonrpcs does, and ctl of a number with a fraction.
    pub fn next_text(&self) -> Result<Option<&[u8]>, WrongType> {
        self.read.set(self.read.get().saturating_add(1));
        // ctl has no capabilities. To it a number with a fraction is no text, which it tells like the end of the parameters.
        match self.functions().capabilities {
            Some(_) => self.scan_text(c"*.S"),
            None => match self.scan_text(c"*S")? {
                None => self.scan_number(),
                found => Ok(found),
            },
        }
    }

    fn scan_text(&self, wanted: &CStr) -> Result<Option<&[u8]>, WrongType> {
        let Some(scan) = self.functions().scan else { return Ok(None) };
        // Where there is no parameter, the host leaves it as it is.
        let mut text = ks::str_ { s: format(c""), len: 0 };
        // SAFETY: the format asks for one str, and one is given; the text lives as long as the command.
        let read = unsafe { scan(self.context, format(wanted), &raw mut text) };
        if read <= 0 {
            return if text.s.is_null() { Err(self.wrong_type()) } else { Ok(None) };
        }
        // SAFETY: as above.
        Ok(Some(unsafe { bytes(&text) }))
    }

    /// A number that must be whole, as text.
    fn scan_number(&self) -> Result<Option<&[u8]>, WrongType> {
        let Some(scan) = self.functions().scan else { return Ok(None) };
        let (mut whole, mut number): (c_int, f64) = (0, 0.0);
        // SAFETY: each format asks for one such number, and one is given.
        let is_read = unsafe {
            if scan(self.context, format(c"*d"), &raw mut whole) > 0 {
                number = whole.into();
                true
            } else {
                scan(self.context, format(c"*f"), &raw mut number) > 0
            }
        };
        if !is_read {
            return Ok(None);
        }
        if number.fract() == 0.0 { Ok(Some(self.keep(number.to_string()))) } else { Err(self.wrong_type()) }
    }

    /// Keeps the text of a number until the command is answered.
    fn keep(&self, text: String) -> &[u8] {
        let text = text.into_bytes().into_boxed_slice();
        let (start, length) = (text.as_ptr(), text.len());
        self.numbers.borrow_mut().push(text);
        // SAFETY: what is in the boxes never changes nor moves, and lives as long as the command.
        unsafe { std::slice::from_raw_parts(start, length) }
    }

    fn wrong_type(&self) -> WrongType {
        WrongType { number: self.read.get() }
    }

    /// Ends the command with an error.
    pub fn fault(&self, code: i32, text: &str) {
        if text.len() > LONGEST_FAULT {
            log::info(&format!("RPC fault {code} in full: {text}"));
        }
        // A NUL (from a parameter that the text quotes) must not turn a fault into success.
        let text = std::ffi::CString::new(with_places_to_cut(text.replace('\0', "?")));
        if let (Some(fault), Ok(text)) = (self.functions().fault, text) {
            // SAFETY: the format takes one C string, copied by the host.
            unsafe { fault(self.context, code, format(c"%s"), text.as_ptr()) };
        }
    }

    /// Answers with a plain integer.
    ///
    /// # Errors
    /// When there is no room.
    pub fn add_number(&self, number: i32) -> Result<(), NoRoom> {
        // SAFETY: the format takes one int.
        done(self.functions().add.map(|add| unsafe { add(self.context, format(c"d"), number) }))
    }

    /// Adds a struct to the answer: one of an array where the command answers with an array.
    ///
    /// # Errors
    /// When there is no room.
    pub fn add_row(&self) -> Result<Row<'_>, NoRoom> {
        self.grow(0);
        let mut handle: *mut c_void = null_mut();
        // SAFETY: the format takes a place for the handle.
        done(self.functions().add.map(|add| unsafe { add(self.context, format(c"{"), &raw mut handle) }))?;
        Ok(Row { call: self, handle })
    }
}

impl<'c> Row<'c> {
    /// Adds a text.
    ///
    /// # Errors
    /// When there is no room.
    pub fn text(&self, name: &CStr, value: &[u8]) -> Result<(), NoRoom> {
        self.call.grow(name.count_bytes() + written(value));
        let add = self.call.functions().struct_add;
        lend([value], |[mut lent]| {
            // SAFETY: the format takes a name and a str; the host copies both.
            done(add.map(|add| unsafe { add(self.handle, format(c"S"), name.as_ptr(), &raw mut lent) }))
        })
    }

    /// Adds a number; one beyond 2^31-1 is cut to it, as not every transport carries more.
    ///
    /// # Errors
    /// When there is no room.
    pub fn number(&self, name: &CStr, value: u32) -> Result<(), NoRoom> {
        self.call.grow(name.count_bytes() + 10);
        let value = c_int::try_from(value).unwrap_or(c_int::MAX);
        let add = self.call.functions().struct_add;
        // SAFETY: the format takes a name and an int.
        done(add.map(|add| unsafe { add(self.handle, format(c"d"), name.as_ptr(), value) }))
    }

    /// Adds a struct within this one.
    ///
    /// # Errors
    /// When there is no room.
    pub fn inner(&self, name: &CStr) -> Result<Self, NoRoom> {
        self.call.grow(name.count_bytes());
        let mut handle: *mut c_void = null_mut();
        let add = self.call.functions().struct_add;
        // SAFETY: the format takes a name and a place for the handle.
        done(add.map(|add| unsafe { add(self.handle, format(c"{"), name.as_ptr(), &raw mut handle) }))?;
        Ok(Self { call: self.call, handle })
    }

    /// Adds an empty list of structs.
    ///
    /// # Errors
    /// When there is no room.
    pub fn list(&self, name: &CStr) -> Result<RpcList<'c>, NoRoom> {
        let mut handle: *mut c_void = null_mut();
        let add = self.call.functions().struct_add;
        // SAFETY: the format takes a name and a place for the handle.
        done(add.map(|add| unsafe { add(self.handle, format(c"["), name.as_ptr(), &raw mut handle) }))?;
        Ok(RpcList { call: self.call, handle })
    }
}

impl<'c> RpcList<'c> {
    /// Adds a struct.
    ///
    /// # Errors
    /// When there is no room.
    pub fn add_row(&self) -> Result<Row<'c>, NoRoom> {
        self.call.grow(0);
        let mut handle: *mut c_void = null_mut();
        let add = self.call.functions().array_add;
        // SAFETY: the format takes a place for the handle.
        done(add.map(|add| unsafe { add(self.handle, format(c"{"), &raw mut handle) }))?;
        Ok(Row { call: self.call, handle })
    }
}

/// The transports cut a text after so many bytes: a character that lies across is replaced, or half of it would spoil the answer.
fn with_places_to_cut(mut text: String) -> String {
    for place in [LONGEST_FAULT, LONGEST_OVER_CTL] {
        let (from, to) = (text.floor_char_boundary(place), text.ceil_char_boundary(place));
        text.replace_range(from..to, &"?".repeat(to - from));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_character_lies_where_a_fault_is_cut() {
        for ahead in 0..8 {
            for letter in ["e", "\u{e9}", "\u{20ac}", "\u{1f600}"] {
                for count in [0, 1, 30, 31, 32, 60, 70, 127, 300] {
                    let text = "a".repeat(ahead) + &letter.repeat(count);
                    let safe = with_places_to_cut(text.clone());
                    assert_eq!(safe.len(), text.len());
                    for place in [LONGEST_FAULT, LONGEST_OVER_CTL] {
                        assert!(safe.len() < place || safe.is_char_boundary(place), "{safe}");
                    }
                    assert!(text.len() >= LONGEST_FAULT || safe == text);
                }
            }
        }
    }
}
