//! Rows: their layout, the tables they belong to, and the conditions that select them.
//!
//! This room reads and encodes bytes. It knows no storage and no transaction.

mod filter;
mod layout;
mod row;
mod table;

pub(super) use filter::Filter;
pub(super) use layout::Place;
pub use row::{Projection, StoredRow};
pub(super) use row::{Values, encode_row, stored_values};
pub(super) use table::Table;
