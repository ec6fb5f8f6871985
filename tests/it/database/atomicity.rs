//! Transactions: all or nothing, whatever fails, against a model and over another storage.

use crate::database_device;
use std::{collections::BTreeMap, ops::ControlFlow};

use database_device::Device;
use proptest::prelude::*;
use sochdb_wasmi::{
    abi::{
        Seq, Status, Value,
        message::{IndexQuery, NewRow, RowSelector, WriteMode},
    },
    database::{
        ColumnType, Database, DatabaseError, DistanceMetric, MemoryStorage, Savepoint, Storage,
        StorageError, TableId, TableSchema,
    },
    limits::Limits,
    meter::{Exhausted, Meter},
};

fn schema() -> TableSchema {
    let schema = TableSchema::new("t").unwrap().column("n", ColumnType::Int).unwrap();
    let schema = schema.nullable_column("s", ColumnType::Text).unwrap();
    let vector = ColumnType::Vector { dimensions: 1, metric: DistanceMetric::Cosine };
    let schema = schema.nullable_column("v", vector).unwrap();
    schema.index("by_s", &["s", "n"]).unwrap().unique_index("by_n", &["n"]).unwrap()
}

fn over<S: Storage>(storage: S) -> (Database<S>, TableId) {
    let mut database = Database::open(storage).unwrap();
    let table = database.create_table(schema()).unwrap();
    (database, table)
}

fn write<S: Storage>(
    database: &mut Database<S>,
    table: TableId,
    mode: WriteMode,
    rows: &[(Option<u64>, i64, Option<String>)],
    meter: &mut Meter,
) -> Result<Vec<u64>, DatabaseError> {
    let values: Vec<[Value; 2]> =
        rows.iter().map(|(_, n, s)| [Value::Int(*n), s.as_deref().into()]).collect();
    let new = rows.iter().zip(&values);
    let rows: Vec<_> =
        new.map(|((id, ..), values)| NewRow { id: *id, values: Seq::new(values) }).collect();
    let mut ids = Vec::new();
    let columns = ["n", "s"];
    let (columns, rows) = (Seq::new(&columns), Seq::new(&rows));
    database.write(table, mode, &columns, &rows, meter, &mut |id| ids.push(id))?;
    Ok(ids)
}

type Rows = BTreeMap<u64, (i64, Option<String>)>;

fn rows<S: Storage>(database: &Database<S>, table: TableId) -> Rows {
    let mut rows = Rows::new();
    database
        .scan_rows(table, 0, None, &mut Meter::unlimited(), &mut |id, row| {
            let n = row.value(0).unwrap().as_int().unwrap();
            let s = row.value(1).unwrap().as_text().map(Into::into);
            rows.insert(id, (n, s));
            ControlFlow::Continue(())
        })
        .unwrap();
    rows
}

#[derive(Clone, Debug)]
enum Step {
    Write(WriteMode, Vec<(Option<u64>, i64, Option<String>)>),
    Delete(u64, Option<u64>),
    Savepoint,
    RollbackTo(usize),
    Commit,
    Rollback,
}

fn step() -> impl Strategy<Value = Step> {
    let mode = proptest::sample::select(vec![
        WriteMode::Insert,
        WriteMode::Update,
        WriteMode::Upsert,
        WriteMode::Upsert,
    ]);
    let id = prop_oneof![3 => (0..40u64).prop_map(Some), 1 => Just(None)];
    let row = (id, 0..60i64, proptest::option::of("[a-c]{0,3}"));
    prop_oneof![
        6 => (mode, proptest::collection::vec(row, 1..4)).prop_map(|(m, r)| Step::Write(m, r)),
        2 => (0..40u64, proptest::option::of(0..40u64)).prop_map(|(a, b)| Step::Delete(a, b)),
        1 => Just(Step::Savepoint),
        1 => (0..3usize).prop_map(Step::RollbackTo),
        1 => Just(Step::Commit),
        1 => Just(Step::Rollback),
    ]
}

/// What a write does to the model; `None` if it must fail.
fn write_model(
    model: &Rows,
    next: u64,
    mode: WriteMode,
    new: &[(Option<u64>, i64, Option<String>)],
) -> Option<(Rows, u64)> {
    let (mut rows, mut next) = (model.clone(), next);
    for (id, n, s) in new {
        let id = match (id, mode) {
            (Some(id), _) => *id,
            (None, WriteMode::Insert) => next,
            (None, _) => return None,
        };
        match (rows.contains_key(&id), mode) {
            (true, WriteMode::Insert) | (false, WriteMode::Update) => return None,
            _ => {}
        }
        if rows.iter().any(|(other, (taken, _))| *other != id && taken == n) {
            return None;
        }
        rows.insert(id, (*n, s.clone()));
        next = next.max(id + 1);
    }
    Some((rows, next))
}

fn run<S: Storage>(storage: S, steps: &[Step]) -> Result<(), TestCaseError> {
    let (mut database, table) = over(storage);
    let mut now = (Rows::new(), 1);
    let mut committed = now.clone();
    let mut savepoints: Vec<(Savepoint, (Rows, u64))> = Vec::new();
    for step in steps {
        match step {
            Step::Write(mode, new) => {
                let written = write(&mut database, table, *mode, new, &mut Meter::unlimited());
                match write_model(&now.0, now.1, *mode, new) {
                    Some(after) => {
                        prop_assert!(written.is_ok(), "{:?}", written);
                        now = after;
                    }
                    None => prop_assert!(written.is_err()),
                }
            }
            Step::Delete(from, until) => {
                let selector = RowSelector::Range { from: *from, until: *until };
                let deleted = database.delete(table, &selector, &mut Meter::unlimited()).unwrap();
                let before = now.0.len();
                now.0.retain(|id, _| id < from || until.is_some_and(|until| *id >= until));
                prop_assert_eq!(deleted as usize, before - now.0.len());
            }
            Step::Savepoint => savepoints.push((database.savepoint(), now.clone())),
            Step::RollbackTo(back) => {
                savepoints.truncate(savepoints.len().saturating_sub(*back));
                if let Some((savepoint, then)) = savepoints.pop() {
                    database.rollback_to(savepoint);
                    now = then;
                }
            }
            Step::Commit => {
                database.commit().unwrap();
                committed = now.clone();
                savepoints.clear();
            }
            Step::Rollback => {
                database.rollback();
                now = committed.clone();
                savepoints.clear();
            }
        }
        prop_assert_eq!(&rows(&database, table), &now.0);
        database.check().map_err(|error| TestCaseError::fail(error.to_string()))?;
    }
    database.rollback();
    prop_assert_eq!(&rows(&database, table), &committed.0);
    let reopened = Database::open(database.into_storage()).unwrap();
    prop_assert_eq!(&rows(&reopened, table), &committed.0);
    reopened.check().map_err(|error| TestCaseError::fail(error.to_string()))
}

proptest! {
    #![proptest_config(crate::random::exactly(150))]

    #[test]
    fn random_transactions_equal_a_model(steps in proptest::collection::vec(step(), 1..60)) {
        run(MemoryStorage::default(), &steps)?;
    }

    #[test]
    fn random_transactions_equal_a_model_over_another_storage(
        steps in proptest::collection::vec(step(), 1..60),
    ) {
        run(Device::default(), &steps)?;
    }
}

#[test]
fn rolled_back_write_leaves_no_rows() {
    let (mut database, table) = over(Device::default());
    let before = database.storage().clone();
    write(&mut database, table, WriteMode::Insert, &[(None, 1, None)], &mut Meter::unlimited())
        .unwrap();
    assert!(database.has_pending());
    database.rollback();
    assert!(!database.has_pending());
    assert_eq!(rows(&database, table), Rows::new());
    assert_eq!(*database.storage(), before);
    // Not even the id was used up.
    let again =
        write(&mut database, table, WriteMode::Insert, &[(None, 1, None)], &mut Meter::unlimited());
    assert_eq!(again, Ok(vec![1]));
}

#[test]
fn failed_statement_leaves_the_statements_before_it() {
    let (mut database, table) = over(MemoryStorage::default());
    let mut meter = Meter::unlimited();
    write(&mut database, table, WriteMode::Insert, &[(None, 1, None)], &mut meter).unwrap();
    let pair = [(Some(5), 2, None), (Some(6), 1, None)];
    let error = write(&mut database, table, WriteMode::Insert, &pair, &mut meter).unwrap_err();
    assert!(matches!(error, DatabaseError::DuplicateUnique { .. }));
    database.commit().unwrap();
    assert_eq!(rows(&database, table).into_keys().collect::<Vec<_>>(), [1]);
    database.check().unwrap();
}

#[test]
fn statement_that_runs_out_of_fuel_leaves_nothing() {
    let (mut database, table) = over(MemoryStorage::default());
    let many: Vec<_> = (0..20).map(|n| (None, n, Some("x".repeat(20)))).collect();
    let mut used = 0;
    for fuel in (0..100_000).step_by(211) {
        let mut meter = Meter::new(&Limits { fuel_per_call: fuel, ..Limits::default() });
        match write(&mut database, table, WriteMode::Insert, &many, &mut meter) {
            Ok(_) => {
                used = fuel;
                break;
            }
            Err(error) => {
                assert!(matches!(error, DatabaseError::Exhausted(Exhausted::Fuel(_))));
                assert!(!database.has_pending());
            }
        }
    }
    assert!(used > 0, "the write never succeeded");
    let mut meter = Meter::new(&Limits { rows: 7, ..Limits::default() });
    database.commit().unwrap();
    let error = database.delete(table, &RowSelector::ALL, &mut meter).unwrap_err();
    assert_eq!(error.status(), Status::LimitExceeded);
    assert_eq!(rows(&database, table).len(), 20);
}

#[test]
fn failed_commit_leaves_the_store_and_nothing_pending() {
    let (mut database, table) = over(Device::default());
    database.insert("t", None, &[Value::Int(1), Value::Null, Value::Null]).unwrap();
    let mut storage = database.into_storage();
    storage.failing = true;
    let mut database = Database::open(storage.clone()).unwrap();
    let mut meter = Meter::unlimited();
    write(&mut database, table, WriteMode::Insert, &[(None, 2, None)], &mut meter).unwrap();
    let error = database.commit().unwrap_err();
    assert_eq!(error, DatabaseError::Storage(StorageError::Device { code: -5 }));
    assert_eq!(error.status(), Status::Error);
    assert!(!database.has_pending());
    assert_eq!(*database.storage(), storage);
    let made =
        database.create_table(TableSchema::new("u").unwrap().column("a", ColumnType::Int).unwrap());
    assert_eq!(made, Err(error));
    assert_eq!(database.table_id("u"), None);
    assert_eq!(rows(&database, table).len(), 1);
}

#[test]
fn savepoint_of_a_transaction_that_is_over_does_nothing() {
    let (mut database, table) = over(MemoryStorage::default());
    let mut meter = Meter::unlimited();
    let old = database.savepoint();
    write(&mut database, table, WriteMode::Insert, &[(None, 1, None)], &mut meter).unwrap();
    database.commit().unwrap();
    write(&mut database, table, WriteMode::Insert, &[(None, 2, None)], &mut meter).unwrap();
    database.rollback_to(old);
    assert_eq!(rows(&database, table).len(), 2);
}

#[test]
fn lookup_walks_what_is_pending_and_what_is_stored_as_one() {
    let (mut database, table) = over(MemoryStorage::default());
    let mut meter = Meter::unlimited();
    let rows: Vec<_> = (0..50).map(|n| (Some(n * 2), n as i64, Some("s".into()))).collect();
    write(&mut database, table, WriteMode::Insert, &rows, &mut meter).unwrap();
    database.commit().unwrap();
    let rows: Vec<_> =
        (0..50).map(|n| (Some(n * 2 + 1), 99 - n as i64, Some("s".into()))).collect();
    write(&mut database, table, WriteMode::Insert, &rows, &mut meter).unwrap();
    database.delete(table, &RowSelector::One(0), &mut meter).unwrap();
    let values = [Value::Text("s")];
    let query = IndexQuery::Point(Seq::new(&values));
    let mut ids = Vec::new();
    database
        .lookup(table, "by_s", &query, false, None, &mut meter, &mut |entry, _| {
            ids.push(entry.id);
            Ok(ControlFlow::Continue(()))
        })
        .unwrap();
    let expected: Vec<u64> =
        (1..50).map(|n| n * 2).chain((0..50).rev().map(|n| n * 2 + 1)).collect();
    assert_eq!(ids, expected);
}
