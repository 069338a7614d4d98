//! Callers that know less than the module.

use std::mem::MaybeUninit;
use std::ptr::null;

use super::Unwired;
use crate::c_api::convert::{put_sized, sized_at};
use crate::c_api::table::LEAST;
use crate::c_api::types::{Error, Sized32, VERSION};
use crate::c_api::{Api, bind};

#[test]
fn an_older_caller_gets_the_functions_that_it_knows() {
    let mut api = MaybeUninit::<Api>::zeroed();
    let at = api.as_mut_ptr();
    // SAFETY: version and size are set; what lies behind the size is looked at as the number that it is.
    unsafe {
        (&raw mut (*at).version).write(VERSION);
        (&raw mut (*at).size).write(LEAST as u32);
        assert_eq!(bind::<Unwired>(at), 0);
        assert_eq!((&raw const (*at).size).read(), LEAST as u32);
        assert_ne!((&raw const (*at).free_message).cast::<usize>().read(), 0);
        assert_eq!((&raw const (*at).message_document).cast::<usize>().read(), 0);
    }
}

/// What [`Old`] became later.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Grown {
    size: u32,
    known: u64,
    later: u64,
}

#[repr(C)]
struct Old {
    size: u32,
    known: u64,
}

// SAFETY: numbers.
unsafe impl Sized32 for Grown {
    const LEAST: usize = size_of::<Old>();
}

#[test]
fn a_smaller_structure_is_an_older_callers() {
    let old_size = size_of::<Old>() as u32;
    let mut old = [Old { size: old_size, known: 7 }, Old { size: 99, known: 99 }];
    let at = old.as_mut_ptr().cast::<Grown>();
    // SAFETY: of the size that they say.
    unsafe {
        assert_eq!(sized_at(at).unwrap(), Grown { size: old_size, known: 7, later: 0 });
        put_sized(at, &Grown { size: 0, known: 8, later: 9 }).unwrap();
        assert_eq!((old[0].size, old[0].known, old[1].size, old[1].known), (old_size, 8, 99, 99));
        let mut new = Grown { size: size_of::<Grown>() as u32, known: 1, later: 2 };
        assert_eq!(sized_at(&raw const new).unwrap(), new);
        for wrong in [0, old_size - 1, size_of::<Grown>() as u32 + 1, u32::MAX] {
            new.size = wrong;
            assert_eq!(sized_at(&raw const new).unwrap_err(), Error::Version);
            assert_eq!(put_sized(&raw mut new, &new.clone()).unwrap_err(), Error::Version);
        }
        assert_eq!(sized_at::<Grown>(null()).unwrap_err(), Error::Argument);
    }
}
