//! Indexes: every form of query against a filtered sort, continuation, uniqueness.

use super::index_model::{database, walk};
use std::ops::ControlFlow;

use sochdb_wasmi::{
    abi::{
        Seq, Status, Value,
        message::{Bound, IndexQuery, NewRow, RowSelector, WriteMode},
    },
    database::{ColumnType, Database, DatabaseError, MemoryLimits, TableId, TableSchema},
    limits::Limit,
    meter::Meter,
};

/// All ids of an index between no bounds.
fn all(database: &Database, table: TableId, index: &str) -> Vec<u64> {
    let query = IndexQuery::Range { lower: Bound::Unbounded, upper: Bound::Unbounded };
    walk(database, table, index, &query, false, 1000)
}

#[test]
fn cursor_of_another_query_is_refused() {
    let (mut database, table) = database(false);
    for text in ["a", "b", "c"] {
        database.insert("t", None, &[Value::Text(text), 1i64.into(), 0.5.into()]).unwrap();
    }
    let mut cursors = Vec::new();
    let any = IndexQuery::Point(Seq::empty());
    let mut meter = Meter::unlimited();
    database
        .lookup(table, "i", &any, false, None, &mut meter, &mut |entry, _| {
            cursors.push(entry.cursor.to_vec());
            Ok(ControlFlow::Continue(()))
        })
        .unwrap();
    let attempt = |query: &[Value], cursor: &[u8]| {
        let query = IndexQuery::Point(Seq::new(query));
        let mut visit =
            |_: sochdb_wasmi::database::IndexEntry, _: &mut Meter| Ok(ControlFlow::Continue(()));
        database.lookup(
            table,
            "i",
            &query,
            false,
            Some(cursor),
            &mut Meter::unlimited(),
            &mut visit,
        )
    };
    attempt(&[], &cursors[0]).unwrap();
    attempt(&[Value::Text("b")], &cursors[1]).unwrap();
    attempt(&[Value::Text("b")], &[]).unwrap();
    let mut longer = cursors[1].clone();
    longer.push(0);
    let huge = [1; 200];
    let shorter = &cursors[1][..cursors[1].len() - 1];
    let mut last = cursors[1].clone();
    last.truncate(last.len() - 8);
    last.extend([255; 8]);
    for (query, cursor) in [
        (&[Value::Text("b")] as &[Value], cursors[0].as_slice()),
        (&[Value::Text("b")], &cursors[2]),
        (&[], &longer),
        (&[], shorter),
        (&[], &huge),
        (&[], &last),
    ] {
        let error = attempt(query, cursor).unwrap_err();
        assert!(matches!(error, DatabaseError::BadCursor { .. }), "{error}");
        assert_eq!(error.status(), Status::InvalidArgs);
    }
}

#[test]
fn queries_that_make_no_sense_are_refused_by_name() {
    let (database, table) = database(false);
    let attempt = |index: &str, query: IndexQuery| {
        let mut visit =
            |_: sochdb_wasmi::database::IndexEntry, _: &mut Meter| Ok(ControlFlow::Continue(()));
        let mut meter = Meter::unlimited();
        database.lookup(table, index, &query, false, None, &mut meter, &mut visit).unwrap_err()
    };
    let error = attempt("nope", IndexQuery::Point(Seq::empty()));
    assert_eq!(
        (error.status(), error.to_string().as_str()),
        (Status::NotFound, "t: there is no index \"nope\"")
    );
    let error = attempt("by_c", IndexQuery::Point(Seq::new(&[Value::Null; 2])));
    assert!(matches!(error, DatabaseError::TooManyValues { .. }));
    let error = attempt("by_c", IndexQuery::Point(Seq::new(&[Value::Text("x")])));
    assert!(matches!(error, DatabaseError::WrongType { .. }));
    let error = attempt("by_c", IndexQuery::Prefix(Seq::new(&[Value::Float(1.0)])));
    assert!(matches!(error, DatabaseError::NotAPrefix { .. }));
    let error = attempt("i", IndexQuery::Prefix(Seq::empty()));
    assert!(matches!(error, DatabaseError::NotAPrefix { .. }));
}

/// A table whose indexes have a text first.
fn texts_and_numbers() -> (Database, TableId) {
    let schema = TableSchema::new("t")
        .and_then(|table| table.nullable_column("a", ColumnType::Text))
        .and_then(|table| table.nullable_column("b", ColumnType::Int))
        .and_then(|table| table.index("by_a", &["a"]))
        .and_then(|table| table.index("by_both", &["a", "b"]))
        .unwrap();
    let mut database = Database::in_memory(MemoryLimits::default());
    let table = database.create_table(schema).unwrap();
    (database, table)
}

/// A lookup of a text that no entry can hold was "limit exceeded", though it is as good a question as
/// any: a plugin that looks up what somebody typed had to know the limit of keys.
#[test]
fn values_longer_than_a_key_are_looked_up_like_all_others() {
    let (mut database, table) = texts_and_numbers();
    // Texts around the longest that fit both indexes, zeros among them, which take two bytes each.
    let mut texts: Vec<String> = (95..=101).map(|len| "x".repeat(len)).collect();
    texts.extend((48..=50).map(|len| "\0".repeat(len)));
    texts.extend([String::new(), "x".into(), "y".into(), "x".repeat(100) + "y"]);
    for text in &texts {
        database.insert("t", None, &[Value::Text(text), Value::Int(7)]).unwrap();
    }
    database.insert("t", None, &[Value::Null, Value::Int(7)]).unwrap();
    let asked: Vec<String> = (90..140)
        .flat_map(|len| ["x".repeat(len), "\0".repeat(len / 2), "x".repeat(len) + "\0y"])
        .chain(texts.clone())
        .collect();
    for asked in &asked {
        let matching = |met: &dyn Fn(&str) -> bool| -> Vec<&str> {
            let mut found: Vec<&str> =
                texts.iter().map(String::as_str).filter(|text| met(text)).collect();
            found.sort_unstable();
            found
        };
        for (index, values) in [
            ("by_a", vec![Value::Text(asked)]),
            ("by_both", vec![Value::Text(asked)]),
            ("by_both", vec![Value::Text(asked), Value::Int(7)]),
        ] {
            let bound = Seq::new(&values);
            let null = Seq::new(&[Value::Null]);
            let found = |query: IndexQuery<'_>| -> Vec<&str> {
                let mut ids = Vec::new();
                let mut meter = Meter::unlimited();
                database
                    .lookup(table, index, &query, false, None, &mut meter, &mut |entry, _| {
                        ids.push(entry.id);
                        Ok(ControlFlow::Continue(()))
                    })
                    .unwrap();
                ids.iter().map(|id| texts[*id as usize - 1].as_str()).collect()
            };
            assert_eq!(found(IndexQuery::Point(bound)), matching(&|text| text == asked));
            if values.len() == 1 {
                let prefix = found(IndexQuery::Prefix(bound));
                assert_eq!(prefix, matching(&|text| text.starts_with(asked.as_str())));
            }
            let lower = Bound::Excluded(null);
            let upper = Bound::Included(bound);
            let up_to = found(IndexQuery::Range { lower, upper });
            assert_eq!(up_to, matching(&|text| text <= asked.as_str()));
            let lower = Bound::Excluded(bound);
            let above = found(IndexQuery::Range { lower, upper: Bound::Unbounded });
            assert_eq!(above, matching(&|text| text > asked.as_str()));
        }
    }
}

/// A range without a lower bound has the nulls, which are first in the order of an index; a filter's `<`
/// has not. Both are as `docs/abi.md` says, with the way to leave them out.
#[test]
fn nulls_are_first_in_an_index_and_left_out_by_a_bound() {
    let schema = TableSchema::new("t")
        .and_then(|table| table.nullable_column("a", ColumnType::Int))
        .and_then(|table| table.index("by_a", &["a"]))
        .unwrap();
    let mut database = Database::in_memory(MemoryLimits::default());
    let table = database.create_table(schema).unwrap();
    for value in [Value::Int(5), Value::Null, Value::Int(i64::MIN), Value::Null] {
        database.insert("t", None, &[value]).unwrap();
    }
    let (null, six) = ([Value::Null], [Value::Int(6)]);
    let (null, six) = (Seq::new(&null), Seq::new(&six));
    let found = |lower, upper| -> Vec<u64> {
        let mut ids = Vec::new();
        let query = IndexQuery::Range { lower, upper };
        let mut meter = Meter::unlimited();
        database
            .lookup(table, "by_a", &query, false, None, &mut meter, &mut |entry, _| {
                ids.push(entry.id);
                Ok(ControlFlow::Continue(()))
            })
            .unwrap();
        ids
    };
    assert_eq!(found(Bound::Unbounded, Bound::Unbounded), [2, 4, 3, 1]);
    assert_eq!(found(Bound::Unbounded, Bound::Excluded(six)), [2, 4, 3, 1]);
    assert_eq!(found(Bound::Excluded(null), Bound::Excluded(six)), [3, 1]);
    assert_eq!(found(Bound::Included(null), Bound::Included(null)), [2, 4]);
}

#[test]
fn key_that_is_too_long_fails_the_write_with_its_length() {
    let (mut database, table) = database(false);
    let row = |text| [Value::Text(text), Value::Null, Value::Null];
    // 7 bytes of prefix, 3 around the text, 1 for each null, 8 of id.
    let fits = "x".repeat(128 - 20);
    database.insert("t", None, &row(&fits)).unwrap();
    let long = "x".repeat(128 - 19);
    match database.insert("t", None, &row(&long)).unwrap_err() {
        DatabaseError::KeyTooLong { limit, .. } => {
            assert_eq!((limit.limit, limit.allowed, limit.asked), (Limit::KeyBytes, 128, 129));
        }
        other => panic!("{other}"),
    }
    assert_eq!(all(&database, table, "i"), [1]);
    database.check().unwrap();
}

#[test]
fn index_follows_updates_and_deletes() {
    let (mut database, table) = database(false);
    for n in 0..5i64 {
        database.insert("t", None, &[Value::Null, n.into(), (n as f64).into()]).unwrap();
    }
    let values = [Value::Float(9.0)];
    let rows = [NewRow { id: Some(1), values: Seq::new(&values) }];
    let mut meter = Meter::unlimited();
    let columns = ["c"];
    let (columns, rows) = (Seq::new(&columns), Seq::new(&rows));
    database.write(table, WriteMode::Update, &columns, &rows, &mut meter, &mut |_| ()).unwrap();
    database.delete(table, &RowSelector::One(3), &mut meter).unwrap();
    assert_eq!(all(&database, table, "by_c"), [2, 4, 5, 1]);
    database.commit().unwrap();
    assert_eq!(all(&database, table, "by_c"), [2, 4, 5, 1]);
    assert_eq!(all(&database, table, "i"), [1, 2, 4, 5]);
    database.check().unwrap();
}

#[test]
fn unique_index_refuses_equal_values_and_allows_nulls() {
    let schema = TableSchema::new("u").unwrap().nullable_column("a", ColumnType::Float).unwrap();
    let schema = schema.nullable_column("b", ColumnType::Bool).unwrap();
    let schema = schema.unique_index("pair", &["a", "b"]).unwrap();
    let mut database = Database::in_memory(MemoryLimits::default());
    let table = database.create_table(schema).unwrap();
    let mut insert = |a: Option<f64>, b: bool| database.insert("u", None, &[a.into(), b.into()]);
    assert_eq!(insert(None, true), Ok(1));
    assert_eq!(insert(None, true), Ok(2));
    assert_eq!(insert(Some(0.0), true), Ok(3));
    assert_eq!(insert(Some(0.0), false), Ok(4));
    // Both zeros are one value.
    let error = insert(Some(-0.0), true).unwrap_err();
    assert!(matches!(error, DatabaseError::DuplicateUnique { .. }));
    assert_eq!(error.status(), Status::InvalidArgs);
    // A row may keep its own values.
    let values = [Value::Float(-0.0), Value::Bool(true)];
    let rows = [NewRow { id: Some(3), values: Seq::new(&values) }];
    let (columns, rows) = (Seq::empty(), Seq::new(&rows));
    let mut meter = Meter::unlimited();
    database.write(table, WriteMode::Update, &columns, &rows, &mut meter, &mut |_| ()).unwrap();
    database.check().unwrap();
}
