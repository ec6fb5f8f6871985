//! Lookups compared with a filtered sort of the same rows.

use proptest::prelude::*;
use sochdb_wasmi::{
    abi::{
        Seq, Value,
        message::{Bound, IndexQuery, NewRow, WriteMode},
    },
    database::{ColumnType, Database, MemoryLimits, TableId, TableSchema},
    meter::Meter,
};
use std::{cmp::Ordering, ops::ControlFlow};

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

pub(super) fn database(bytes: bool) -> (Database, TableId) {
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
pub(super) fn walk(
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
