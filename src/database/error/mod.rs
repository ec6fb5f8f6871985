//! What can go wrong in the database, with the place where it did.

mod corruption;
mod database_error;
mod display;
mod given_name;

pub use corruption::Corruption;
pub use database_error::DatabaseError;
pub use given_name::GivenName;
