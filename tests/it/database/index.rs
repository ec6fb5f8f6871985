//! Indexes: every form of query against a filtered sort, continuation, uniqueness.

use std::{cmp::Ordering, ops::ControlFlow};

use proptest::prelude::*;
use sochdb_wasmi::{
    abi::{
        Seq, Status, Value,
        message::{Bound, IndexQuery, NewRow, RowSelector, WriteMode},
    },
    database::{ColumnType, Database, DatabaseError, MemoryLimits, TableId, TableSchema},
    limits::Limit,
    meter::Meter,
};

/// An owned value of one of the indexable kinds.
#[derive(Clone, Debug, PartialEq)]
enum Owned {
    Null,
    Int(i64),
    Float(f64),
    Text(String),
    Binary(Vec<u8>),
}

impl Owned {
    fn value(&self) -> Value<'_> {
        match self {
            Self::Null => Value::Null,
            Self::Int(value) => Value::Int(*value),
            Self::Float(value) => Value::Float(*value),
            Self::Text(value) => Value::Text(value),
            Self::Binary(value) => Value::Binary(value),
        }
    }

    /// Nulls first, then as the language orders them.
    fn order(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Int(a), Self::Int(b)) => a.cmp(b),
            (Self::Float(a), Self::Float(b)) => a.partial_cmp(b).unwrap(),
            (Self::Text(a), Self::Text(b)) => a.cmp(b),
            (Self::Binary(a), Self::Binary(b)) => a.cmp(b),
            (a, b) => (*a != Self::Null).cmp(&(*b != Self::Null)),
        }
    }
}

type Values = [Owned; 3];

/// Orders the leading columns.
fn order(a: &[Owned], b: &[Owned]) -> Ordering {
    a.iter().zip(b).map(|(a, b)| a.order(b)).find(|o| o.is_ne()).unwrap_or(Ordering::Equal)
}

fn text() -> impl Strategy<Value = Owned> {
    prop_oneof![
        1 => Just(Owned::Null),
        6 => proptest::collection::vec(prop_oneof![Just('\0'), Just('a'), Just('ÿ')], 0..4)
            .prop_map(|chars| Owned::Text(chars.into_iter().collect())),
    ]
}

fn number() -> impl Strategy<Value = Owned> {
    prop_oneof![
        1 => Just(Owned::Null),
        4 => prop_oneof![-2i64..3, Just(i64::MIN), Just(i64::MAX)].prop_map(Owned::Int),
    ]
}

fn float_or_bytes(bytes: bool) -> BoxedStrategy<Owned> {
    if bytes {
        let byte = prop_oneof![Just(0u8), Just(1), Just(255)];
        let filled = proptest::collection::vec(byte, 0..3).prop_map(Owned::Binary);
        return prop_oneof![1 => Just(Owned::Null), 4 => filled].boxed();
    }
    let floats = [0.0, -0.0, 1.5, -1.5, f64::INFINITY, f64::NEG_INFINITY, f64::MIN_POSITIVE];
    prop_oneof![
        1 => Just(Owned::Null),
        4 => proptest::sample::select(floats.to_vec()).prop_map(Owned::Float),
    ]
    .boxed()
}

fn values(bytes: bool) -> impl Strategy<Value = Values> {
    (text(), number(), float_or_bytes(bytes)).prop_map(|(a, b, c)| [a, b, c])
}

fn database(bytes: bool) -> (Database, TableId) {
    let third = if bytes { ColumnType::Binary } else { ColumnType::Float };
    let schema = TableSchema::new("t").unwrap().nullable_column("a", ColumnType::Text).unwrap();
    let schema = schema.nullable_column("b", ColumnType::Int).unwrap();
    let schema = schema.nullable_column("c", third).unwrap();
    let schema = schema.index("i", &["a", "b", "c"]).unwrap().index("by_c", &["c"]).unwrap();
    let mut database = Database::in_memory(MemoryLimits::default());
    let table = database.create_table(schema).unwrap();
    (database, table)
}

#[derive(Clone, Debug)]
enum Query {
    Point(Vec<Owned>),
    Prefix(String),
    Range(Option<(bool, Vec<Owned>)>, Option<(bool, Vec<Owned>)>),
}

fn query() -> impl Strategy<Value = Query> {
    let leading = || (values(false), 0..3usize).prop_map(|(v, len)| v[..len].to_vec());
    let bound = || proptest::option::of((any::<bool>(), leading()));
    prop_oneof![
        leading().prop_map(Query::Point),
        proptest::collection::vec(prop_oneof![Just('\0'), Just('a'), Just('ÿ')], 0..3)
            .prop_map(|chars| Query::Prefix(chars.into_iter().collect())),
        (bound(), bound()).prop_map(|(lower, upper)| Query::Range(lower, upper)),
    ]
}

impl Query {
    fn meets(&self, row: &Values) -> bool {
        match self {
            Self::Point(values) => order(row, values).is_eq(),
            Self::Prefix(prefix) => {
                matches!(&row[0], Owned::Text(text) if text.starts_with(prefix))
            }
            Self::Range(lower, upper) => {
                let above = |(included, values): &(bool, Vec<Owned>)| match order(row, values) {
                    Ordering::Equal => *included,
                    order => order.is_gt(),
                };
                let below = |(included, values): &(bool, Vec<Owned>)| match order(row, values) {
                    Ordering::Equal => *included,
                    order => order.is_lt(),
                };
                lower.as_ref().is_none_or(above) && upper.as_ref().is_none_or(below)
            }
        }
    }

    fn run<R>(&self, with: impl FnOnce(&IndexQuery) -> R) -> R {
        let borrow = |values: &'_ [Owned]| -> Vec<Value<'static>> {
            // Leaked, as a test may: it keeps the query's lifetimes out of the way.
            values.iter().map(|value| Box::leak(Box::new(value.clone())).value()).collect()
        };
        match self {
            Self::Point(values) => with(&IndexQuery::Point(Seq::new(&borrow(values)))),
            Self::Prefix(prefix) => with(&IndexQuery::Prefix(Seq::new(&[Value::Text(prefix)]))),
            Self::Range(lower, upper) => {
                let lower = lower.as_ref().map(|(included, values)| (*included, borrow(values)));
                let upper = upper.as_ref().map(|(included, values)| (*included, borrow(values)));
                let bound = |bound: &Option<(bool, Vec<Value<'static>>)>| match bound {
                    None => Bound::Unbounded,
                    Some((true, values)) => Bound::Included(Seq::new(Vec::leak(values.clone()))),
                    Some((false, values)) => Bound::Excluded(Seq::new(Vec::leak(values.clone()))),
                };
                with(&IndexQuery::Range { lower: bound(&lower), upper: bound(&upper) })
            }
        }
    }
}

/// Walks an index `step` entries at a time, going on from the last cursor each time.
fn walk(
    database: &Database,
    table: TableId,
    index: &str,
    query: &IndexQuery,
    reverse: bool,
    step: usize,
) -> Vec<u64> {
    let mut ids = Vec::new();
    let mut after: Option<Vec<u8>> = None;
    loop {
        let mut taken = 0;
        let from = after.clone();
        let mut meter = Meter::unlimited();
        database
            .lookup(table, index, query, reverse, from.as_deref(), &mut meter, &mut |entry, _| {
                // The visitor may read the database.
                database
                    .read_row(table, entry.id, &mut Meter::unlimited(), |_| ())
                    .unwrap()
                    .unwrap();
                ids.push(entry.id);
                after = Some(entry.cursor.to_vec());
                taken += 1;
                Ok(if taken < step { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
            })
            .unwrap();
        assert_eq!(meter.rows() as usize, taken);
        if taken < step {
            return ids;
        }
    }
}

proptest! {
    #![proptest_config(crate::random::exactly(200))]

    /// In every form, either way, in steps, stored or pending: the ids of a filtered sort.
    #[test]
    fn lookup_equals_a_filtered_sort(
        rows in proptest::collection::vec(values(false), 0..60),
        committed in 0..60usize,
        queries in proptest::collection::vec(query(), 1..12),
        step in 1..40usize,
    ) {
        let (mut database, table) = database(false);
        for (at, row) in rows.iter().enumerate() {
            let values = row.each_ref().map(Owned::value);
            let new = [NewRow { id: None, values: Seq::new(&values) }];
            let columns = Seq::empty();
            let mut meter = Meter::unlimited();
            database
                .write(table, WriteMode::Insert, &columns, &Seq::new(&new), &mut meter, &mut |_| ())
                .unwrap();
            if at == committed {
                database.commit().unwrap();
            }
        }
        database.check().unwrap();
        for query in &queries {
            let mut expected: Vec<(u64, &Values)> =
                (1..).zip(&rows).filter(|(_, row)| query.meets(row)).collect();
            expected.sort_by(|(x, a), (y, b)| order(*a, *b).then(x.cmp(y)));
            let mut ids: Vec<u64> = expected.into_iter().map(|(id, _)| id).collect();
            let found = query.run(|q| walk(&database, table, "i", q, false, step));
            prop_assert_eq!(&found, &ids, "{:?}", query);
            ids.reverse();
            let found = query.run(|q| walk(&database, table, "i", q, true, step));
            prop_assert_eq!(&found, &ids, "{:?} reversed", query);
        }
    }

    #[test]
    fn binary_columns_sort_by_their_bytes(
        rows in proptest::collection::vec(values(true), 0..40),
        prefix in proptest::collection::vec(prop_oneof![Just(0u8), Just(255)], 0..2),
    ) {
        let (mut database, table) = database(true);
        for row in &rows {
            database.insert("t", None, &row.each_ref().map(Owned::value)).unwrap();
        }
        let mut expected: Vec<(u64, &Owned)> = (1..).zip(rows.iter().map(|row| &row[2])).collect();
        expected.sort_by(|(x, a), (y, b)| a.order(b).then(x.cmp(y)));
        let all = IndexQuery::Range { lower: Bound::Unbounded, upper: Bound::Unbounded };
        let found = walk(&database, table, "by_c", &all, false, 7);
        let ids: Vec<_> = expected.iter().map(|(id, _)| *id).collect();
        prop_assert_eq!(found, ids);
        let values = [Value::Binary(&prefix)];
        let query = IndexQuery::Prefix(Seq::new(&values));
        let found = walk(&database, table, "by_c", &query, false, 7);
        let begins = |v: &Owned| matches!(v, Owned::Binary(bytes) if bytes.starts_with(&prefix));
        let ids: Vec<_> = expected.iter().filter(|(_, v)| begins(v)).map(|(id, _)| *id).collect();
        prop_assert_eq!(found, ids);
    }
}

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
            |_: sochdb_wasmi::database::Entry, _: &mut Meter| Ok(ControlFlow::Continue(()));
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
            |_: sochdb_wasmi::database::Entry, _: &mut Meter| Ok(ControlFlow::Continue(()));
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

/// A lookup of a text that no entry can hold was "limit exceeded", though it is as good a question as
/// any: a plugin that looks up what somebody typed had to know the limit of keys.
#[test]
fn values_longer_than_a_key_are_looked_up_like_all_others() {
    let schema = TableSchema::new("t")
        .and_then(|table| table.nullable_column("a", ColumnType::Text))
        .and_then(|table| table.nullable_column("b", ColumnType::Int))
        .and_then(|table| table.index("by_a", &["a"]))
        .and_then(|table| table.index("by_both", &["a", "b"]))
        .unwrap();
    let mut database = Database::in_memory(MemoryLimits::default());
    let table = database.create_table(schema).unwrap();
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
