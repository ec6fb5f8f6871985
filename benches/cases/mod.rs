//! What `instructions_per_fuel` measures.

pub mod database;
pub mod operators;
pub mod requests;
pub mod values;
