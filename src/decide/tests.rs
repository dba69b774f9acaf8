//! Tests of deciding: one named row per branch, a second implementation straight from the text, and
//! properties over random policies and series.

pub(crate) mod builder;
mod damping;
mod edits;
mod ladder_rows;
mod oracle;
mod outcomes;
mod properties;
mod random;
mod recovery_rows;
mod sentences;
mod unknown_rows;
