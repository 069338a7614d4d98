//! The parameters of a command, in their order.

use super::answer::{Fault, lossy};
use super::pages::RowFilter;
use crate::engine::Engine;
use crate::host::rpc::RpcContext;
use crate::registry::Handle;

/// How many subscriptions one page shows unless told otherwise.
pub(super) const PAGE: usize = 100;

/// The most one page may show. It ends before when the answer is as long as every transport carries.
pub(super) const LARGEST_PAGE: usize = 1000;

/// A text that must not be empty.
pub(super) fn next_required<'c>(rpc: &'c RpcContext, name: &str) -> Result<&'c [u8], Fault> {
    rpc.next_text()
        .filter(|text| !text.is_empty())
        .ok_or_else(|| Fault(400, format!("the parameter {name} is missing")))
}

/// Offset and limit of a page.
pub(super) fn next_page(rpc: &RpcContext) -> Result<(usize, usize), Fault> {
    let offset = next_number(rpc, "offset")?.unwrap_or(0);
    let limit = next_number(rpc, "limit")?.unwrap_or(PAGE);
    if !(1..=LARGEST_PAGE).contains(&limit) {
        return Err(Fault(400, format!("limit is {limit}, but must be 1 to {LARGEST_PAGE}")));
    }
    Ok((offset, limit))
}

/// A number from 0 to what every transport carries.
pub(super) fn next_number(rpc: &RpcContext, name: &str) -> Result<Option<usize>, Fault> {
    let Some(text) = rpc.next_text() else { return Ok(None) };
    let text = lossy(text);
    // Some transports write a negative number as its two's complement.
    let number = text.parse::<i64>().ok().or_else(|| text.parse::<u64>().ok().map(u64::cast_signed));
    let fits = number.and_then(|number| i32::try_from(number).ok()).and_then(|number| usize::try_from(number).ok());
    let given = number.map_or(text, |number| number.to_string());
    fits.map(Some).ok_or_else(|| {
        Fault(400, format!("{name} is \"{given}\", but must be a number from 0 to {}{}", i32::MAX, help(name)))
    })
}

/// What else to say of a number that is none.
fn help(name: &str) -> &'static str {
    match name {
        "id" => ": presence_b2b.list shows the ids",
        "offset" | "limit" => ": offset and limit come before any filter",
        _ => "",
    }
}

/// The id of a subscription.
pub(super) fn next_handle(rpc: &RpcContext, engine: &Engine) -> Result<Handle, Fault> {
    let id = next_number(rpc, "id")?.ok_or_else(|| Fault(400, "the parameter id is missing".into()))?;
    let handle = u32::try_from(id).ok().and_then(|id| engine.by_id(id));
    handle.ok_or_else(|| Fault(404, format!("there is no subscription {id}")))
}

/// All filters that follow.
pub(super) fn next_filters<'c>(rpc: &'c RpcContext, engine: &Engine) -> Result<Vec<RowFilter<'c>>, Fault> {
    std::iter::from_fn(|| rpc.next_text()).map(|text| RowFilter::read(engine, text)).collect()
}
