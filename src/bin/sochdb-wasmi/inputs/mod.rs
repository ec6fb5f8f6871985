//! What commands are given: calls, inputs, tables from CSV, schemas, manifests, modules and their types.

pub mod call_file;
pub mod call_input;
mod cell;
pub mod condition;
pub mod csv_rows;
pub mod database_file;
pub mod entry_types;
pub mod flash_dump;
pub mod manifest;
pub mod module;
pub mod schema;
pub mod store;
pub mod stub;
