//! Rows: writing, reading, projecting, deleting; what is refused and how it is named.

mod schemas;

use std::ops::ControlFlow;

use sochdb_wasmi::{
    abi::{
        MAX_GIVEN_ID, Seq, Status, Value,
        message::{NewRow, RowSelector, WriteMode},
        wire::{self, Writer},
    },
    database::{
        ColumnType, Database, DatabaseError, DistanceMetric, MAX_COLUMNS, MAX_INDEXES,
        MemoryLimits, SchemaError, TableId, TableSchema,
    },
    meter::Meter,
};

fn weather() -> TableSchema {
    let schema = TableSchema::new("weather").unwrap();
    let schema = schema.column("date", ColumnType::Text).unwrap();
    let schema = schema.nullable_column("rain", ColumnType::Float).unwrap();
    schema.nullable_column("tags", ColumnType::Array).unwrap()
}

fn everything() -> TableSchema {
    let mut schema = TableSchema::new("everything").unwrap();
    for (name, kind) in [
        ("a", ColumnType::Bool),
        ("b", ColumnType::Int),
        ("c", ColumnType::UInt),
        ("d", ColumnType::Float),
        ("e", ColumnType::Vector { dimensions: 2, metric: DistanceMetric::Cosine }),
        ("f", ColumnType::Text),
        ("g", ColumnType::Binary),
        ("h", ColumnType::Array),
        ("i", ColumnType::Object),
        ("j", ColumnType::Ref),
    ] {
        schema = schema.nullable_column(name, kind).unwrap();
    }
    schema
}

fn database(schema: TableSchema) -> (Database, TableId) {
    let mut database = Database::in_memory(MemoryLimits::default());
    let table = database.create_table(schema).unwrap();
    (database, table)
}

fn write(
    database: &mut Database,
    table: TableId,
    mode: WriteMode,
    columns: &[&str],
    rows: &[(Option<u64>, &[Value])],
) -> Result<Vec<u64>, DatabaseError> {
    let rows: Vec<_> =
        rows.iter().map(|(id, values)| NewRow { id: *id, values: Seq::new(values) }).collect();
    let mut ids = Vec::new();
    let mut meter = Meter::unlimited();
    let count = database.write(
        table,
        mode,
        &Seq::new(columns),
        &Seq::new(&rows),
        &mut meter,
        &mut |id| ids.push(id),
    )?;
    assert_eq!(count as usize, ids.len());
    Ok(ids)
}

/// The row as it is answered, decoded into `check`.
fn with_row(
    database: &Database,
    table: TableId,
    id: u64,
    columns: &[&str],
    check: impl FnOnce(Option<Vec<Value>>),
) {
    let projection = database.projection(table, &Seq::new(columns)).unwrap();
    let mut buffer = [0; 4096];
    let len = database
        .read_row(table, id, &mut Meter::unlimited(), |row| {
            let mut writer = Writer::new(&mut buffer);
            row.encode(&projection, &mut writer);
            writer.finish().unwrap()
        })
        .unwrap();
    check(
        len.map(|len| {
            wire::decode::<Seq<Value>>(&buffer[..len]).unwrap().iter().collect::<Vec<_>>()
        }),
    );
}

#[test]
fn every_kind_of_value_is_read_as_written() {
    let (mut database, table) = database(everything());
    let vector: Vec<u8> = [3f32, -4.0].iter().flat_map(|c| c.to_le_bytes()).collect();
    let items = [Value::Int(-1), Value::Null, Value::Text("x")];
    let fields = [("z", Value::Bool(true)), ("a", Value::Array(Seq::new(&items)))];
    let values = [
        Value::Bool(true),
        Value::Int(i64::MIN),
        Value::UInt(u64::MAX),
        Value::Float(f64::INFINITY),
        Value::Binary(&vector),
        Value::Text("größer"),
        Value::Binary(&[0, 255]),
        Value::Array(Seq::new(&items)),
        Value::Object(Seq::new(&fields)),
        Value::Ref { table: "weather", id: 7 },
    ];
    let nulls = [Value::Null; 10];
    let ids =
        write(&mut database, table, WriteMode::Insert, &[], &[(None, &values), (None, &nulls)]);
    assert_eq!(ids.unwrap(), [1, 2]);
    for _ in 0..2 {
        with_row(&database, table, 1, &[], |row| assert_eq!(row.unwrap(), values));
        with_row(&database, table, 2, &[], |row| assert_eq!(row.unwrap(), nulls));
        with_row(&database, table, 1, &["j", "e", "a", "i"], |row| {
            assert_eq!(row.unwrap(), [values[9], values[4], values[0], values[8]]);
        });
        with_row(&database, table, 3, &[], |row| assert_eq!(row, None));
        database
            .get("everything", 1, |row| {
                assert_eq!(row.values().map(Result::unwrap).collect::<Vec<_>>(), values);
                for (at, value) in values.iter().enumerate() {
                    assert_eq!(row.value(at), Some(*value));
                }
                assert_eq!(row.value(10), None);
            })
            .unwrap()
            .unwrap();
        database.check().unwrap();
        // Once pending, once stored.
        database.commit().unwrap();
    }
}

#[test]
fn update_changes_only_the_columns_it_names() {
    let (mut database, table) = database(weather());
    let tags = [Value::Text("wet")];
    let row = [Value::Text("today"), Value::Float(1.5), Value::Array(Seq::new(&tags))];
    database.insert("weather", Some(5), &row).unwrap();
    let change: &[Value] = &[Value::Null];
    write(&mut database, table, WriteMode::Update, &["rain"], &[(Some(5), change)]).unwrap();
    with_row(&database, table, 5, &[], |now| {
        assert_eq!(now.unwrap(), [row[0], Value::Null, row[2]]);
    });
    let missing = write(&mut database, table, WriteMode::Update, &["rain"], &[(Some(6), change)]);
    assert_eq!(missing.unwrap_err().status(), Status::NotFound);
}

#[test]
fn upsert_updates_what_exists_and_inserts_what_does_not() {
    let (mut database, table) = database(weather());
    database.insert("weather", Some(5), &[Value::Text("a"), 1.0.into(), Value::Null]).unwrap();
    let change: &[Value] = &[Value::Text("b")];
    let rows = [(Some(5), change), (Some(9), change)];
    let ids = write(&mut database, table, WriteMode::Upsert, &["date"], &rows).unwrap();
    assert_eq!(ids, [5, 9]);
    with_row(&database, table, 5, &["date", "rain"], |row| {
        assert_eq!(row.unwrap(), [Value::Text("b"), Value::Float(1.0)]);
    });
    with_row(&database, table, 9, &["date", "rain"], |row| {
        assert_eq!(row.unwrap(), [Value::Text("b"), Value::Null]);
    });
    for mode in [WriteMode::Upsert, WriteMode::Update] {
        let error = write(&mut database, table, mode, &["date"], &[(None, change)]).unwrap_err();
        assert!(matches!(error, DatabaseError::MissingId { .. }));
    }
}

#[test]
fn assigned_ids_rise_and_are_never_assigned_again() {
    let (mut database, table) = database(weather());
    let row = [Value::Text("a"), Value::Null, Value::Null];
    assert_eq!(database.insert("weather", None, &row), Ok(1));
    assert_eq!(database.insert("weather", None, &row), Ok(2));
    let all = RowSelector::ALL;
    assert_eq!(database.delete(table, &all, &mut Meter::unlimited()), Ok(2));
    database.commit().unwrap();
    assert_eq!(database.insert("weather", None, &row), Ok(3));
    assert_eq!(database.insert("weather", Some(50), &row), Ok(50));
    assert_eq!(database.insert("weather", Some(10), &row), Ok(10));
    assert_eq!(database.insert("weather", None, &row), Ok(51));
    assert!(matches!(
        database.insert("weather", Some(10), &row),
        Err(DatabaseError::DuplicateId { id: 10, .. })
    ));
}

/// A row with the id 2^64-2 left no id to assign: every later insert without an id failed, for good.
#[test]
fn no_id_that_a_row_is_given_leaves_a_table_without_ids() {
    let row = [Value::Text("a"), Value::Null, Value::Null];
    for given in [u64::MAX, u64::MAX - 1, u64::MAX - 2, u64::MAX - 1000, MAX_GIVEN_ID + 1] {
        let (mut database, table) = database(weather());
        let error = database.insert("weather", Some(given), &row).unwrap_err();
        assert!(matches!(error, DatabaseError::IdNotAllowed { id, .. } if id == given));
        assert_eq!(error.status(), Status::InvalidArgs);
        assert!(error.to_string().contains("at most 18446744069414584319"), "{error}");
        // An upsert inserts there too, an update does not.
        let rows = [NewRow { id: Some(given), values: Seq::new(&row) }];
        let mut write = |mode| {
            let (rows, meter) = (Seq::new(&rows), &mut Meter::unlimited());
            database.write(table, mode, &Seq::empty(), &rows, meter, &mut |_| {})
        };
        assert!(matches!(write(WriteMode::Upsert), Err(DatabaseError::IdNotAllowed { .. })));
        assert!(matches!(write(WriteMode::Update), Err(DatabaseError::NoSuchRow { .. })));
        assert_eq!(database.insert("weather", None, &row), Ok(1));
    }
    let (mut database, table) = database(weather());
    assert_eq!(database.insert("weather", Some(MAX_GIVEN_ID), &row), Ok(MAX_GIVEN_ID));
    for next in 1..=100 {
        assert_eq!(database.insert("weather", None, &row), Ok(MAX_GIVEN_ID + next));
    }
    // Rows with assigned ids are updated and deleted like all others.
    let rows = [NewRow { id: Some(MAX_GIVEN_ID + 50), values: Seq::new(&row) }];
    let (rows, meter) = (Seq::new(&rows), &mut Meter::unlimited());
    for mode in [WriteMode::Update, WriteMode::Upsert] {
        let written = database.write(table, mode, &Seq::empty(), &rows, meter, &mut |_| {});
        assert_eq!(written, Ok(1));
    }
    let range = RowSelector::Range { from: MAX_GIVEN_ID, until: None };
    assert_eq!(database.delete(table, &range, meter), Ok(101));
    database.check().unwrap();
}

#[test]
fn values_that_do_not_suit_the_schema_are_refused_by_name() {
    let (mut database, table) = database(everything());
    let deep = nested(9);
    let two = 2f32.to_le_bytes();
    let nan: Vec<u8> = [1f32, f32::NAN].iter().flat_map(|c| c.to_le_bytes()).collect();
    for (column, value, expected) in [
        ("a", Value::Int(1), "everything.a: the column is bool, the value is int"),
        ("d", Value::Float(f64::NAN), "everything.d: NaN is not a valid value"),
        ("e", Value::Binary(&two), "a vector of 2 dimensions has 8 bytes, 4 given"),
        ("e", Value::Binary(&nan), "everything.e: a component is not finite"),
        ("e", Value::Text("12345678"), "everything.e: the column is vector, the value is text"),
        ("h", deep, "everything.h: arrays and objects are nested too deep"),
        ("j", Value::Ref { table: "no name", id: 1 }, "everything.j: the referenced table"),
    ] {
        let values = [value];
        let rows: &[(Option<u64>, &[Value])] = &[(Some(1), &[Value::Null]), (None, &values)];
        let error = write(&mut database, table, WriteMode::Insert, &[column], rows).unwrap_err();
        assert_eq!(error.status(), Status::InvalidArgs);
        assert!(error.to_string().contains(expected), "{error}");
        assert!(!database.has_pending(), "the first row stayed after {error}");
    }
}

fn nested(depth: u32) -> Value<'static> {
    (0..depth).fold(Value::Null, |inner, _| Value::Array(Seq::new(Vec::leak(vec![inner]))))
}

#[test]
fn names_and_counts_that_do_not_exist_are_refused_by_name() {
    let (mut database, table) = database(weather());
    let none: &[(Option<u64>, &[Value])] = &[(None, &[])];
    let mut attempt = |columns: &[&str], rows| {
        write(&mut database, table, WriteMode::Insert, columns, rows).unwrap_err()
    };
    assert_eq!(
        attempt(&["date", "date"], none).to_string(),
        "weather.date: the column is named twice"
    );
    let unknown = attempt(&["wind"], none);
    assert_eq!(unknown.status(), Status::NotFound);
    assert_eq!(unknown.to_string(), "weather: there is no column \"wind\"");
    assert!(matches!(
        attempt(&[], none),
        DatabaseError::WrongColumnCount { expected: 3, got: 0, .. }
    ));
    let null: &[(Option<u64>, &[Value])] = &[(None, &[Value::Float(1.0)])];
    assert_eq!(attempt(&["rain"], null).to_string(), "weather.date: the column may not be null");
    let long = "ö".repeat(40);
    let error = database.get(&long, 1, |_| ()).unwrap_err();
    assert_eq!(error.status(), Status::NotFound);
    let shown = "ö".repeat(16);
    assert_eq!(error.to_string(), format!("there is no table \"{shown}…[+48 bytes]\""));
}

#[test]
fn scan_visits_a_range_in_order_with_its_own_writes() {
    let (mut database, table) = database(weather());
    let row: &[Value] = &[Value::Text("a"), Value::Null, Value::Null];
    for id in (0..2000).step_by(2) {
        database.insert("weather", Some(id), row).unwrap();
    }
    let odd: Vec<_> = (0..2000).filter(|id| id % 2 == 1).map(|id| (Some(id), row)).collect();
    write(&mut database, table, WriteMode::Insert, &[], &odd).unwrap();
    let gone = [3, 4, 1998];
    let gone = RowSelector::List(Seq::new(&gone));
    assert_eq!(database.delete(table, &gone, &mut Meter::unlimited()), Ok(3));
    let scan = |from, until, most| {
        let mut ids = Vec::new();
        database
            .scan_rows(table, from, until, &mut Meter::unlimited(), &mut |id, row| {
                assert_eq!(row.value(0), Some(Value::Text("a")));
                ids.push(id);
                if ids.len() < most { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            })
            .unwrap();
        ids
    };
    assert_eq!(scan(2, Some(8), 100), [2, 5, 6, 7]);
    assert_eq!(scan(1996, None, 100), [1996, 1997, 1999]);
    assert_eq!(scan(1996, None, 2), [1996, 1997]);
    assert_eq!(scan(0, None, 9999).len(), 1997);
    assert_eq!(scan(9, Some(3), 100), [0_u64; 0]);
    assert_eq!(scan(u64::MAX, None, 100), [0_u64; 0]);
}

#[test]
fn delete_counts_only_rows_that_were_there() {
    let (mut database, table) = database(weather());
    let row = [Value::Text("a"), Value::Null, Value::Null];
    (0..300).for_each(|_| {
        database.insert("weather", None, &row).unwrap();
    });
    let mut delete = |rows| database.delete(table, &rows, &mut Meter::unlimited()).unwrap();
    assert_eq!(delete(RowSelector::One(7)), 1);
    assert_eq!(delete(RowSelector::One(7)), 0);
    assert_eq!(delete(RowSelector::List(Seq::new(&[6, 7, 8, 8, 1000]))), 2);
    assert_eq!(delete(RowSelector::Range { from: 100, until: Some(300) }), 200);
    assert_eq!(delete(RowSelector::ALL), 97);
    database.check().unwrap();
    database.commit().unwrap();
    assert_eq!(database.storage().rows(), 0);
}

#[test]
fn tables_rows_and_ids_survive_closing_and_opening() {
    let (mut database, _) = database(everything());
    let indexed = weather().unique_index("by_date", &["date"]).unwrap();
    database.create_table(indexed.clone()).unwrap();
    let again = database.create_table(weather()).unwrap_err();
    assert!(matches!(again, DatabaseError::TableExists { .. }));
    let row = [Value::Text("a"), Value::Null, Value::Null];
    assert_eq!(database.insert("weather", None, &row), Ok(1));
    let mut database = Database::open(database.into_storage()).unwrap();
    let tables: Vec<_> = database.tables().map(|(_, schema)| schema.clone()).collect();
    assert_eq!(tables, [everything(), indexed]);
    assert_eq!(database.table_id("weather").map(TableId::number), Some(1));
    assert_eq!(
        database.get("weather", 1, |row| row.value(0) == Some(Value::Text("a"))),
        Ok(Some(true))
    );
    let duplicate = database.insert("weather", None, &row).unwrap_err();
    assert!(matches!(duplicate, DatabaseError::DuplicateUnique { .. }));
    assert_eq!(database.insert("weather", None, &[Value::Text("b"), row[1], row[2]]), Ok(2));
    database.check().unwrap();
}

#[test]
fn table_is_not_made_inside_a_transaction() {
    let (mut database, table) = database(weather());
    let row: &[Value] = &[Value::Text("a"), Value::Null, Value::Null];
    write(&mut database, table, WriteMode::Insert, &[], &[(None, row)]).unwrap();
    assert_eq!(database.create_table(everything()), Err(DatabaseError::TransactionPending));
    assert_eq!(database.insert("weather", None, row), Err(DatabaseError::TransactionPending));
    database.rollback();
    database.create_table(everything()).unwrap();
}
