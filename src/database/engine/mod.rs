//! The engine: transactions, and the statements that read, search, write and delete rows in them.

mod check;
mod database;
mod delete;
mod lookup;
mod neighbour;
mod read;
mod search;
mod statement;
mod view;
mod write;

pub use database::Database;
pub use lookup::{IndexEntry, VisitEntry};
pub use neighbour::Neighbour;
