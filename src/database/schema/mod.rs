//! Table schemas: columns, their types, indexes, and how a schema is encoded in the catalog.
//!
//! This room knows no rows and no storage.

mod bounds;
mod catalog;
mod column_type;
mod table_id;
mod table_schema;

pub use bounds::{MAX_COLUMNS, MAX_CONDITIONS, MAX_DIMENSIONS, MAX_INDEX_COLUMNS, MAX_INDEXES};
pub use column_type::ColumnType;
pub use table_id::TableId;
pub use table_schema::{Column, Index, SchemaError, TableSchema};
