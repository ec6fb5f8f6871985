//! The tables that requests are about.

use sochdb_wasmi::{
    abi::{Value, wire},
    database::{ColumnType, Database, DistanceMetric, MemoryLimits, TableSchema},
};

use super::requests::Case;

/// A database with the tables that the requests name, and the rows that `case` asks for.
pub fn filled(case: &Case) -> Database {
    let limits = MemoryLimits { max_bytes: 256 << 20, ..MemoryLimits::default() };
    let mut database = Database::in_memory(limits);
    for schema in schemas() {
        database.create_table(schema).expect("a table");
    }
    for (table, values) in &case.rows {
        let values: Vec<Value<'_>> =
            values.iter().map(|value| wire::decode(value).expect("a value")).collect();
        database.insert(table, None, &values).expect("a row");
    }
    database
}

fn schemas() -> Vec<TableSchema> {
    // A value of each kind, then a short one behind it.
    let any = TableSchema::new("any")
        .and_then(|table| table.nullable_column("array", ColumnType::Array))
        .and_then(|table| table.nullable_column("object", ColumnType::Object))
        .and_then(|table| table.nullable_column("text", ColumnType::Text))
        .and_then(|table| table.nullable_column("binary", ColumnType::Binary))
        .and_then(|table| table.nullable_column("int", ColumnType::Int));
    let mut wide = TableSchema::new("wide").expect("a name");
    for column in 0..32 {
        wide = wide.nullable_column(&format!("c{column}"), ColumnType::Int).expect("a column");
    }
    let mut indexed = TableSchema::new("indexed")
        .and_then(|table| table.nullable_column("array", ColumnType::Array))
        .and_then(|table| table.nullable_column("text", ColumnType::Text))
        .and_then(|table| table.nullable_column("int", ColumnType::Int))
        .expect("columns");
    for index in 0..7 {
        indexed = indexed.index(&format!("i{index}"), &["text", "int"]).expect("an index");
    }
    let indexed = indexed.unique_index("u", &["int"]);
    let vectors = |name, dimensions| {
        TableSchema::new(name)
            .and_then(|table| table.nullable_column("array", ColumnType::Array))
            .and_then(|table| table.nullable_column("text", ColumnType::Text))
            .and_then(|table| table.nullable_column("int", ColumnType::Int))
            .and_then(|table| table.vector("vector", dimensions, DistanceMetric::Cosine))
    };
    [any, Ok(wide), indexed, vectors("one", 1), vectors("many", 4096)]
        .into_iter()
        .map(|schema| schema.expect("a schema"))
        .collect()
}
