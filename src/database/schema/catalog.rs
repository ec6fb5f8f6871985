//! How a schema is kept in the store, after the version byte: its name; the count of columns and
//! for each its name, whether it may be null, and its type; the count of indexes and for each its
//! name, whether it is unique, and the places of its columns. Encoded as on the wire.

use super::{column_type::ColumnType, table_schema::TableSchema};
use crate::abi::wire::{Reader, Writer};

impl TableSchema {
    /// The schema as it is kept in the catalog, without the version byte.
    pub(crate) fn encode(&self, writer: &mut Writer<'_>) {
        writer.text(self.name());
        writer.len(self.columns().len());
        for column in self.columns() {
            writer.text(&column.name);
            writer.bool(column.nullable);
            column.kind.encode(writer);
        }
        writer.len(self.indexes().len());
        for index in self.indexes() {
            writer.text(&index.name);
            writer.bool(index.unique);
            writer.bytes(&index.columns);
        }
    }

    /// Reads a schema from the catalog. It is checked as if it were built anew; `None` if it could
    /// not have been.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes);
        let mut schema = Self::new(reader.text().ok()?).ok()?;
        for _ in 0..reader.u32().ok()? {
            let name = reader.text().ok()?;
            let nullable = reader.bool().ok()?;
            schema = schema.with_column(name, ColumnType::decode(&mut reader)?, nullable).ok()?;
        }
        for _ in 0..reader.u32().ok()? {
            let name = reader.text().ok()?;
            let unique = reader.bool().ok()?;
            schema = schema.with_index_places(name, reader.bytes().ok()?, unique).ok()?;
        }
        reader.finish().ok()?;
        (!schema.columns().is_empty()).then_some(schema)
    }
}
