//! How a schema is kept in the store, after the version byte: its name; the count of columns and
//! for each its name, whether it may be null, and its type; the count of indexes and for each its
//! name, whether it is unique, and the places of its columns. Encoded as on the wire.

use super::table_schema::{ColumnType, TableSchema};
use crate::{
    abi::wire::{Reader, Writer},
    database::vectors::Metric,
};

impl TableSchema {
    /// The schema as it is kept in the catalog, without the version byte.
    pub(crate) fn encode(&self, writer: &mut Writer<'_>) {
        writer.text(self.name());
        writer.len(self.columns().len());
        for column in self.columns() {
            writer.text(&column.name);
            writer.bool(column.nullable);
            encode_type(column.kind, writer);
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
            schema = schema.with_column(name, decode_type(&mut reader)?, nullable).ok()?;
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

fn encode_type(kind: ColumnType, writer: &mut Writer<'_>) {
    let tag = match kind {
        ColumnType::Bool => 1,
        ColumnType::Int => 2,
        ColumnType::UInt => 3,
        ColumnType::Float => 4,
        ColumnType::Text => 5,
        ColumnType::Binary => 6,
        ColumnType::Array => 7,
        ColumnType::Object => 8,
        ColumnType::Ref => 9,
        ColumnType::Vector { .. } => 10,
    };
    writer.u8(tag);
    if let ColumnType::Vector { dimensions, metric } = kind {
        writer.u32(dimensions.into());
        writer.u8(metric.tag());
    }
}

fn decode_type(reader: &mut Reader<'_>) -> Option<ColumnType> {
    Some(match reader.u8().ok()? {
        1 => ColumnType::Bool,
        2 => ColumnType::Int,
        3 => ColumnType::UInt,
        4 => ColumnType::Float,
        5 => ColumnType::Text,
        6 => ColumnType::Binary,
        7 => ColumnType::Array,
        8 => ColumnType::Object,
        9 => ColumnType::Ref,
        10 => {
            let dimensions = reader.u32().ok()?.try_into().ok()?;
            let metric = Metric::from_tag(reader.u8().ok()?)?;
            ColumnType::Vector { dimensions, metric }
        }
        _ => return None,
    })
}
