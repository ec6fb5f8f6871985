//! Hard limits of the store: a full store fails the statement, by name, and changes nothing.

use sochdb_wasmi::{
    abi::{
        Seq, Status, Value,
        message::{NewRow, RowSelector, WriteMode},
    },
    database::{
        ColumnType, Database, DatabaseError, ENTRY_OVERHEAD, MemoryLimits, StorageError, TableId,
        TableSchema,
    },
    limits::{Limit, LimitExceeded},
    meter::Meter,
};

fn database(max_rows: u32, max_bytes: u64) -> (Database, TableId) {
    let schema = TableSchema::new("t").unwrap().column("b", ColumnType::Binary).unwrap();
    let schema = schema.nullable_column("n", ColumnType::Int).unwrap();
    let schema = schema.index("by_n", &["n"]).unwrap();
    let mut database = Database::in_memory(MemoryLimits { max_rows, max_bytes });
    let table = database.create_table(schema).unwrap();
    (database, table)
}

fn full(error: &DatabaseError) -> LimitExceeded {
    assert_eq!(error.status(), Status::LimitExceeded);
    match error {
        DatabaseError::Storage(StorageError::Full(limit)) => *limit,
        other => panic!("{other}"),
    }
}

fn insert(
    database: &mut Database,
    table: TableId,
    count: usize,
    len: usize,
) -> Result<u32, DatabaseError> {
    let bytes = vec![7; len];
    let values = [Value::Binary(&bytes), Value::Int(1)];
    let rows = vec![NewRow { id: None, values: Seq::new(&values) }; count];
    let mut meter = Meter::unlimited();
    let (columns, rows) = (Seq::empty(), Seq::new(&rows));
    database.write(table, WriteMode::Insert, &columns, &rows, &mut meter, &mut |_| ())
}

#[test]
fn row_limit_fails_the_statement_and_changes_nothing() {
    let (mut database, table) = database(10, 1 << 20);
    insert(&mut database, table, 8, 10).unwrap();
    database.commit().unwrap();
    let bytes = database.storage().bytes();
    insert(&mut database, table, 2, 10).unwrap();
    let error = insert(&mut database, table, 1, 10).unwrap_err();
    let limit = LimitExceeded { limit: Limit::StoreRows, allowed: 10, asked: 11 };
    assert_eq!(full(&error), limit);
    assert_eq!(error.to_string(), "the store is full: 11 rows in the store asked, 10 allowed");
    // The two rows before it are still pending; a rollback gives them back.
    assert!(database.has_pending());
    database.rollback();
    assert_eq!((database.storage().rows(), database.storage().bytes()), (8, bytes));
    insert(&mut database, table, 3, 10).unwrap_err();
    assert!(!database.has_pending());
    insert(&mut database, table, 2, 10).unwrap();
    database.commit().unwrap();
    assert_eq!(database.storage().rows(), 10);
    database.check().unwrap();
}

#[test]
fn byte_limit_counts_keys_values_and_the_overhead_of_entries() {
    let (mut database, table) = database(100, 4096);
    let before = database.storage().bytes();
    insert(&mut database, table, 1, 1000).unwrap();
    database.commit().unwrap();
    // The row: key 16; version, count, tag, length of two bytes, bytes, tag and number.
    let row = 16 + 1 + 1 + 1 + 2 + 1000 + 2;
    // Its index entry: prefix 7, value 9, id 8; version.
    let entry = 7 + 9 + 8 + 1;
    // The counter: key 5; version and number.
    let counter = 5 + 1 + 8;
    let added = row + entry + counter + 3 * ENTRY_OVERHEAD;
    assert_eq!(database.storage().bytes(), before + added);
    let error = insert(&mut database, table, 1, 4096).unwrap_err();
    assert_eq!((full(&error).limit, full(&error).allowed), (Limit::StoreBytes, 4096));
    assert!(!database.has_pending());
    assert_eq!(database.storage().bytes(), before + added);
}

#[test]
fn deletes_make_room_in_a_full_store() {
    let (mut database, table) = database(5, 1 << 16);
    for round in 0..50 {
        insert(&mut database, table, 5, 5000).unwrap();
        database.commit().unwrap();
        insert(&mut database, table, 1, 1).unwrap_err();
        database.delete(table, &RowSelector::ALL, &mut Meter::unlimited()).unwrap();
        // Room is there before the commit.
        insert(&mut database, table, 1, 1).unwrap();
        database.commit().unwrap();
        assert_eq!(database.storage().rows(), 1, "round {round}");
        database.delete(table, &RowSelector::ALL, &mut Meter::unlimited()).unwrap();
        database.commit().unwrap();
        database.check().unwrap();
    }
}

#[test]
fn full_store_lets_updates_through() {
    let (mut database, table) = database(5, 1 << 16);
    insert(&mut database, table, 5, 10).unwrap();
    database.commit().unwrap();
    let bytes = database.storage().bytes();
    let change = [Value::Binary(&[])];
    let rows = [NewRow { id: Some(1), values: Seq::new(&change) }];
    let columns = ["b"];
    let (columns, rows) = (Seq::new(&columns), Seq::new(&rows));
    let mut meter = Meter::unlimited();
    database.write(table, WriteMode::Update, &columns, &rows, &mut meter, &mut |_| ()).unwrap();
    database.commit().unwrap();
    assert_eq!(database.storage().bytes(), bytes - 10);
}

#[test]
fn table_that_does_not_fit_is_not_made() {
    let mut database = Database::in_memory(MemoryLimits { max_rows: 1, max_bytes: 40 });
    let schema = TableSchema::new("t").unwrap().column("b", ColumnType::Binary).unwrap();
    full(&database.create_table(schema).unwrap_err());
    assert_eq!(database.tables().count(), 0);
    assert_eq!(database.storage().bytes(), 0);
}
