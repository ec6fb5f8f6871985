//! Bounds of tables and of the conditions in a request.

/// The most columns of a table.
pub const MAX_COLUMNS: usize = 32;
/// The most indexes of a table.
pub const MAX_INDEXES: usize = 8;
/// The most columns of an index.
pub const MAX_INDEX_COLUMNS: usize = 4;
/// The most dimensions of a vector column.
pub const MAX_DIMENSIONS: u16 = 4096;
/// The most conditions of a filter.
pub const MAX_CONDITIONS: usize = 8;
