//! Stores that the database never wrote: each fault is found, and named.

use crate::database_device;
use std::{collections::BTreeMap, ops::ControlFlow};

use database_device::Device;
use proptest::prelude::*;
use sochdb_wasmi::{
    abi::{
        Name, Seq, Status, Value,
        message::{Bound, Comparison, Condition, IndexQuery, NewRow, RowSelector, WriteMode},
        wire::Writer,
    },
    database::{ColumnType, Corruption, Database, DatabaseError, DistanceMetric, TableSchema},
    meter::Meter,
};

fn schema() -> TableSchema {
    let schema = TableSchema::new("t").unwrap().column("n", ColumnType::Int).unwrap();
    let schema = schema.nullable_column("s", ColumnType::Text).unwrap();
    let vector = ColumnType::Vector { dimensions: 1, metric: DistanceMetric::Cosine };
    let schema = schema.nullable_column("v", vector).unwrap();
    schema.index("by_s", &["s", "n"]).unwrap().unique_index("by_n", &["n"]).unwrap()
}

/// A good store.
fn sound() -> Device {
    let mut database = Database::open(Device::default()).unwrap();
    database.create_table(schema()).unwrap();
    let vector = 1f32.to_le_bytes();
    for n in 0..3 {
        let row = [Value::Int(n), Value::Text("x"), Value::Binary(&vector)];
        database.insert("t", None, &row).unwrap();
    }
    database.into_storage()
}

/// Checks a changed copy of a good store.
fn corrupted(change: impl FnOnce(&mut BTreeMap<Vec<u8>, Vec<u8>>)) -> Result<(), DatabaseError> {
    let mut storage = sound();
    change(&mut storage.entries);
    Database::open(storage)?.check()
}

#[test]
fn corruption_is_found_and_named() {
    let first = |space: u8| move |key: &&Vec<u8>| key[0] == space;
    let key = |entries: &BTreeMap<Vec<u8>, Vec<u8>>, space| {
        entries.keys().find(first(space)).unwrap().clone()
    };
    corrupted(|_| ()).unwrap();
    let format = corrupted(|e| e.insert(vec![1], vec![9]).map_or((), drop)).unwrap_err();
    assert_eq!(format, DatabaseError::Corrupt(Corruption::FormatVersion(9)));
    assert_eq!(format.status(), Status::Error);
    let catalog = Err(DatabaseError::Corrupt(Corruption::Catalog));
    assert_eq!(corrupted(|e| e.remove([1].as_slice()).map_or((), drop)), catalog);
    assert_eq!(corrupted(|e| e.get_mut([1, 0, 0, 0, 0].as_slice()).unwrap()[3] ^= 64), catalog);
    let row = |id| {
        let table = Name::new("t").unwrap();
        Err(DatabaseError::Corrupt(Corruption::Row { table, id }))
    };
    for at in (0..15).filter(|at| *at != 9) {
        // Byte by byte: version, presence, norm, component, values. A changed number is a sound
        // value that its index does not know. (Byte 9 is a sign, with which the norm is the same.)
        let found = corrupted(|e| {
            let key = key(e, 3);
            let value = e.get_mut(&key).unwrap();
            value[at] ^= 128;
        });
        assert!(found.is_err(), "byte {at}");
    }
    let cut = corrupted(|e| {
        let key = key(e, 3);
        e.get_mut(&key).unwrap().pop();
    });
    assert_eq!(cut, row(1));
    let missing = corrupted(|e| {
        let key = key(e, 4);
        e.remove(&key);
    });
    assert!(matches!(missing, Err(DatabaseError::Corrupt(Corruption::MissingIndexEntry { .. }))));
    let stray = corrupted(|e| {
        let key = key(e, 3);
        e.remove(&key);
    });
    assert!(matches!(
        stray,
        Err(DatabaseError::Corrupt(Corruption::StrayIndexEntry { id: 1, .. }))
    ));
    let counter = corrupted(|e| {
        let key = key(e, 2);
        *e.get_mut(&key).unwrap().last_mut().unwrap() = 2;
    });
    assert!(matches!(counter, Err(DatabaseError::Corrupt(Corruption::Counter { .. }))));
}

/// Does everything that can be done to a database, whatever comes of it.
fn use_up(mut database: Database<Device>) {
    let Some(table) = database.table_id("t") else { return };
    let meter = &mut Meter::unlimited();
    let names = ["v", "s"];
    if let Ok(projection) = database.projection(table, &Seq::new(&names)) {
        let encode = &mut |_, row: sochdb_wasmi::database::StoredRow<'_>| {
            let mut buffer = [0; 64];
            row.encode(&projection, &mut Writer::new(&mut buffer));
            assert!(row.values().count() == 3);
            ControlFlow::Continue(())
        };
        let _ = database.scan_rows(table, 0, None, meter, encode);
    }
    let all = IndexQuery::Range { lower: Bound::Unbounded, upper: Bound::Unbounded };
    for reverse in [false, true] {
        let visit = &mut |entry: sochdb_wasmi::database::IndexEntry<'_>, _: &mut Meter| {
            let _ = database
                .read_row(table, entry.id, &mut Meter::unlimited(), |row| row.value(1).is_some());
            Ok(ControlFlow::Continue(()))
        };
        let _ = database.lookup(table, "by_s", &all, reverse, None, meter, visit);
    }
    let filter =
        [Condition { column: "s", comparison: Comparison::NotEqual, value: Value::Text("y") }];
    let _ = database.search(table, "v", &1f32.to_le_bytes(), 2, &Seq::new(&filter), meter);
    let values = [Value::Int(7)];
    let rows = [1, 2, 3].map(|id| NewRow { id: Some(id), values: Seq::new(&values) });
    for (row, mode) in rows.iter().zip([WriteMode::Update, WriteMode::Upsert, WriteMode::Insert]) {
        let columns = ["n"];
        let row = std::slice::from_ref(row);
        let (columns, rows) = (Seq::new(&columns), Seq::new(row));
        let _ = database.write(table, mode, &columns, &rows, meter, &mut |_| ());
    }
    let _ = database.delete(table, &RowSelector::ALL, meter);
    let _ = database.commit();
    let _ = database.check();
}

proptest! {
    #![proptest_config(crate::random::exactly(2000))]

    #[test]
    fn no_store_makes_the_database_panic(
        changes in proptest::collection::vec(
            (any::<usize>(), any::<bool>(), any::<usize>(), any::<u8>(), 0..4u8),
            1..4,
        ),
    ) {
        let mut storage = sound();
        for (entry, in_key, at, byte, how) in changes {
            let entry = entry % storage.entries.len();
            let (key, value) = storage.entries.iter().nth(entry).unwrap();
            let (old, mut key, mut value) = (key.clone(), key.clone(), value.clone());
            let bytes = if in_key { &mut key } else { &mut value };
            let at = at % (bytes.len() + 1);
            match how {
                0 => bytes.truncate(at),
                1 => bytes.insert(at, byte),
                _ => {
                    if let Some(changed) = bytes.get_mut(at) {
                        *changed = byte;
                    }
                }
            }
            storage.entries.remove(&old);
            storage.entries.insert(key, value);
        }
        if let Ok(database) = Database::open(storage) {
            use_up(database);
        }
    }
}
