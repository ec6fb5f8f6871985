//! What can go wrong in the database, with the place where it did.

mod corruption;
mod database_error;

pub use corruption::Corruption;
pub use database_error::{DatabaseError, GivenName};
