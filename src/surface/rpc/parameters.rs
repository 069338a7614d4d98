//! The parameters of a command, in their order.

use super::answer::{Fault, lossy};
use super::filters::{RowFilters, one_of};
use crate::engine::Engine;
use crate::host::rpc::RpcContext;
use crate::registry::{Handle, WalkPlace};

/// How many subscriptions one page shows unless told otherwise.
pub(super) const PAGE: usize = 100;

/// The most one page may show. It ends before when the answer is as long as every transport carries.
pub(super) const LARGEST_PAGE: usize = 1000;

/// A text that must not be empty.
pub(super) fn next_required<'c>(rpc: &'c RpcContext, name: &str) -> Result<&'c [u8], Fault> {
    rpc.next_text()?
        .filter(|text| !text.is_empty())
        .ok_or_else(|| Fault(400, format!("the parameter {name} is missing")))
}

/// Offset and limit of a page.
pub(super) fn next_page(rpc: &RpcContext) -> Result<(usize, usize), Fault> {
    let offset = next_number(rpc, "offset")?.unwrap_or(0);
    let limit = next_number(rpc, "limit")?.unwrap_or(PAGE);
    Ok((offset, as_limit(limit)?))
}

fn as_limit(limit: usize) -> Result<usize, Fault> {
    let fault = || Fault(400, format!("limit is {limit}, but must be 1 to {LARGEST_PAGE}"));
    (1..=LARGEST_PAGE).contains(&limit).then_some(limit).ok_or_else(fault)
}

/// A number from 0 to what every transport carries.
pub(super) fn next_number(rpc: &RpcContext, name: &str) -> Result<Option<usize>, Fault> {
    rpc.next_text()?.map(|text| number(text, name)).transpose()
}

/// The same, of a text.
fn number(text: &[u8], name: &str) -> Result<usize, Fault> {
    let text = lossy(text);
    // Some transports write a negative number as its two's complement.
    let number = text.parse::<i64>().ok().or_else(|| text.parse::<u64>().ok().map(u64::cast_signed));
    let fits = number.and_then(|number| i32::try_from(number).ok()).and_then(|number| usize::try_from(number).ok());
    let given = number.map_or(text, |number| number.to_string());
    fits.ok_or_else(|| {
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
pub(super) fn next_filters<'c>(rpc: &'c RpcContext, engine: &Engine) -> Result<RowFilters<'c>, Fault> {
    let mut filters = RowFilters::default();
    while let Some(text) = rpc.next_text()? {
        filters.add(engine, text)?;
    }
    Ok(filters)
}

/// What a command that goes through the table takes besides limit and from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Takes {
    /// Nothing.
    NoFilter,
    /// Filters.
    Filters,
    /// Filters, and whether it only counts. What it finds takes no room in the answer.
    FiltersAndDryRun,
}

/// The part of the table that a command is to go through.
pub(super) struct AskedWalk<'c> {
    /// Most subscriptions to be found.
    pub(super) limit: usize,
    /// Where it begins.
    pub(super) from: WalkPlace,
    /// Conditions.
    pub(super) filters: RowFilters<'c>,
    /// It only counts.
    pub(super) is_dry_run: bool,
}

/// All parameters of such a command, in any order.
pub(super) fn next_walk<'c>(rpc: &'c RpcContext, engine: &Engine, takes: Takes) -> Result<AskedWalk<'c>, Fault> {
    let (mut limit, mut from, mut dry_run, mut filters) = (None, None, None, RowFilters::default());
    while let Some(text) = rpc.next_text()? {
        match split(text) {
            (b"limit", Some(value)) => set(&mut limit, "limit", as_limit(number(value, "limit=")?)?)?,
            (b"from", Some(value)) => set(&mut from, "from", place(number(value, "from=")?)?)?,
            (b"dry_run", Some(value)) if takes == Takes::FiltersAndDryRun => {
                set(&mut dry_run, "dry_run", one_of("dry_run", value, &["0", "1"])?)?;
            }
            _ if takes != Takes::NoFilter => filters.add(engine, text)?,
            _ => {
                let text = lossy(text);
                return Err(Fault(
                    400,
                    format!("\"{text}\" is no parameter of this command, which takes limit= and from="),
                ));
            }
        }
    }
    let usual = if takes == Takes::FiltersAndDryRun { LARGEST_PAGE } else { PAGE };
    Ok(AskedWalk {
        limit: limit.unwrap_or(usual),
        from: from.unwrap_or_default(),
        filters,
        is_dry_run: dry_run == Some("1"),
    })
}

fn place(number: usize) -> Result<WalkPlace, Fault> {
    let place = u32::try_from(number).ok().and_then(WalkPlace::from_number);
    place.ok_or_else(|| Fault(400, format!("from is {number}, but must be what next was: 0 to {}", WalkPlace::END - 1)))
}

fn set<T>(to: &mut Option<T>, name: &str, value: T) -> Result<(), Fault> {
    match to.replace(value) {
        None => Ok(()),
        Some(_) => Err(Fault(400, format!("{name}= may be given once"))),
    }
}

/// A name, and the value behind the equals sign if there is one.
pub(super) fn split(text: &[u8]) -> (&[u8], Option<&[u8]>) {
    let equals = text.iter().position(|byte| *byte == b'=').and_then(|at| text.split_at_checked(at));
    equals.map_or((text, None), |(name, rest)| (name, rest.strip_prefix(b"=")))
}
