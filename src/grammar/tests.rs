//! Tests of the grammar.

mod gate;
mod plain;
