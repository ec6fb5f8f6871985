//! Searches with conditions, searches that are refused, and what a search pays for.

use super::*;

#[test]
fn filter_meets_each_comparison_and_null_only_itself() {
    let (mut database, table) = database(1, DistanceMetric::Dot);
    for group in [Some(1), Some(2), Some(3), None] {
        insert(&mut database, group, Some(&[0.0]));
    }
    let mut ids = |comparison, value| {
        let filter = [Condition { column: "group", comparison, value }];
        let found = search(&mut database, table, &[1.0], 9, &filter).unwrap();
        found.into_iter().map(|(id, _)| id).collect::<Vec<_>>()
    };
    assert_eq!(ids(Comparison::Equal, Value::Int(2)), [2]);
    assert_eq!(ids(Comparison::NotEqual, Value::Int(2)), [1, 3, 4]);
    assert_eq!(ids(Comparison::Less, Value::Int(2)), [1]);
    assert_eq!(ids(Comparison::LessOrEqual, Value::Int(2)), [1, 2]);
    assert_eq!(ids(Comparison::Greater, Value::Int(2)), [3]);
    assert_eq!(ids(Comparison::GreaterOrEqual, Value::Int(2)), [2, 3]);
    assert_eq!(ids(Comparison::Equal, Value::Null), [4]);
    assert_eq!(ids(Comparison::NotEqual, Value::Null), [1, 2, 3]);
    assert_eq!(ids(Comparison::Less, Value::Null), [0_u64; 0]);
}

#[test]
fn searches_that_make_no_sense_are_refused_by_name() {
    let (mut database, table) = database(2, DistanceMetric::Cosine);
    insert(&mut database, None, Some(&[1.0, 1.0]));
    let mut attempt = |column: &str, query: &[f32], k, filter: &[Condition]| {
        let mut meter = Meter::unlimited();
        let query = bytes(query);
        let error =
            database.search(table, column, &query, k, &Seq::new(filter), &mut meter).unwrap_err();
        assert!(database.neighbours().is_empty());
        error
    };
    let ok = [1.0, 2.0];
    assert!(matches!(attempt("at", &ok, 0, &[]), DatabaseError::EmptyQuery { .. }));
    assert_eq!(attempt("nope", &ok, 1, &[]).status(), Status::NotFound);
    assert!(matches!(attempt("group", &ok, 1, &[]), DatabaseError::NotAVector { .. }));
    assert!(matches!(
        attempt("at", &[1.0], 1, &[]),
        DatabaseError::WrongDimension { expected: 8, got: 4, .. }
    ));
    let infinite = [1.0, f32::INFINITY];
    assert!(matches!(attempt("at", &infinite, 1, &[]), DatabaseError::NotFinite { .. }));
    let condition = |column, comparison, value| Condition { column, comparison, value };
    let equal = |column, value| [condition(column, Comparison::Equal, value)];
    assert_eq!(attempt("at", &ok, 1, &equal("nope", Value::Null)).status(), Status::NotFound);
    let wrong = attempt("at", &ok, 1, &equal("group", Value::Text("x")));
    assert!(matches!(wrong, DatabaseError::WrongType { .. }));
    let vector = bytes(&ok);
    let vector = attempt("at", &ok, 1, &equal("at", Value::Binary(&vector)));
    assert!(matches!(vector, DatabaseError::NotComparable { .. }));
    let less = [condition("ref", Comparison::Less, Value::Ref { table: "v", id: 1 })];
    assert!(matches!(attempt("at", &ok, 1, &less), DatabaseError::NotComparable { .. }));
    let many = [condition("group", Comparison::Equal, Value::Null); MAX_CONDITIONS + 1];
    assert!(matches!(
        attempt("at", &ok, 1, &many),
        DatabaseError::TooManyConditions { got: 9, .. }
    ));
}

#[test]
fn search_sees_pending_writes_and_pays_for_each_row() {
    let (mut database, table) = database(9, DistanceMetric::Euclidean);
    insert(&mut database, None, Some(&[1.0; 9]));
    let vector = bytes(&[0.0; 9]);
    let values = [Value::Binary(&vector)];
    let rows = [Some(1), Some(2)].map(|id| NewRow { id, values: Seq::new(&values) });
    let columns = ["at"];
    let (columns, rows) = (Seq::new(&columns), Seq::new(&rows));
    let mut meter = Meter::unlimited();
    database.write(table, WriteMode::Upsert, &columns, &rows, &mut meter, &mut |_| ()).unwrap();
    let mut meter = Meter::new(&Limits::default());
    let before = meter.fuel();
    database.search(table, "at", &vector, 5, &Seq::empty(), &mut meter).unwrap();
    assert_eq!(database.neighbours().iter().map(|n| n.id).collect::<Vec<_>>(), [1, 2]);
    let rows = 2 * (PRICES.row + 2 * PRICES.dimensions8);
    assert_eq!(before - meter.fuel(), PRICES.seek + rows);
    let mut meter = Meter::new(&Limits { rows: 1, ..Limits::default() });
    let error = database.search(table, "at", &vector, 5, &Seq::empty(), &mut meter).unwrap_err();
    assert!(matches!(error, DatabaseError::Exhausted(Exhausted::Quota(_))));
    assert!(database.neighbours().is_empty());
}

#[test]
fn filter_pays_for_the_values_that_it_reads() {
    let schema = TableSchema::new("v").unwrap().column("long", ColumnType::Binary).unwrap();
    let schema = schema.vector("at", 1, DistanceMetric::Dot).unwrap();
    let schema = schema.column("group", ColumnType::Int).unwrap();
    let mut database = Database::in_memory(MemoryLimits::default());
    let table = database.create_table(schema).unwrap();
    let (long, vector) = ([0; 1600 - 5], bytes(&[1.0]));
    let row = [Value::Binary(&long), Value::Binary(&vector), Value::Int(1)];
    database.insert("v", None, &row).unwrap();
    let filter =
        [Condition { column: "group", comparison: Comparison::Less, value: 0i64.into() }; 3];
    let mut meter = Meter::new(&Limits::default());
    let before = meter.fuel();
    database.search(table, "at", &vector, 1, &Seq::new(&filter), &mut meter).unwrap();
    assert!(database.neighbours().is_empty());
    assert_eq!(before - meter.fuel(), PRICES.seek + PRICES.row + 3 * 100 * PRICES.bytes16);
    assert_eq!(meter.bytes(), 0);
}
