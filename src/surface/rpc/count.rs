//! `presence_b2b.count`.

use std::ffi::CString;

use super::answer::{Fault, answer};
use crate::host::rpc::{NoRoom, Row, RpcContext};
use crate::subscription::State;

/// `presence_b2b.count`: how many subscriptions there are, by state and by package. Nothing is looked through for it.
pub fn count(rpc: &RpcContext) {
    answer(rpc, |engine| {
        let tally = engine.registry.tally();
        let row = rpc.add_row()?;
        row.number(c"total", tally.total())?;
        row.number(c"failing", tally.failing)?;
        let states = row.inner(c"states")?;
        for (name, count) in State::names().into_iter().zip(tally.states) {
            number(&states, name, count)?;
        }
        let packages = row.inner(c"packages")?;
        for package in engine.config.packages.iter() {
            let count = tally.packages.get(package.number.place()).copied().unwrap_or_default();
            number(&packages, package.name, count)?;
        }
        Ok::<_, Fault>(())
    });
}

fn number(row: &Row<'_>, name: &str, count: u32) -> Result<(), NoRoom> {
    // No name has a NUL.
    CString::new(name).map_or(Ok(()), |name| row.number(&name, count))
}
