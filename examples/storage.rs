//! A database in a file: rows that one process wrote are there for the next one.
//!
//! `cargo run --features redb --example storage`
//!
//! On a device the same two lines take raw flash: `FlashStorage::open(driver, region)?` in the place
//! of `RedbStorage::open(path, config)?` (feature `flash`, no `std`).

use sochdb_wasmi::{
    abi::Value,
    database::{ColumnType, Database, RedbConfig, RedbStorage, TableSchema},
};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::temp_dir().join(format!("sochdb-wasmi-{}.redb", std::process::id()));
    {
        let mut database = Database::open(RedbStorage::open(&path, RedbConfig::default())?)?;
        let notes = TableSchema::new("notes")?
            .column("text", ColumnType::Text)?
            .index("by_text", &["text"])?;
        database.create_table(notes)?;
        // Each insert is a transaction of its own: it is in the file when the call returns.
        for text in ["buy milk", "call home"] {
            database.insert("notes", None, &[Value::Text(text)])?;
        }
    }
    let database = Database::open(RedbStorage::open(&path, RedbConfig::default())?)?;
    for id in 1..=2 {
        let text = database.get("notes", id, |row| format!("{:?}", row.value(0)))?;
        println!("note {id}: {}", text.ok_or("the row is missing")?);
    }
    drop(database);
    std::fs::remove_file(&path)?;
    Ok(())
}
