//! Tests of the grammar.

mod aor;
mod gate;
mod plain;
