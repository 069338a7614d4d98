//! The C face of the hub: the functions behind `cshim/presence_b2b_api.h`.

#[cfg(test)]
pub(in crate::qsa) mod counting;
