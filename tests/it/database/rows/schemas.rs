//! Schemas that are refused.

use super::*;

#[test]
fn schema_errors_say_what_is_wrong() {
    let text = ColumnType::Text;
    let table = || TableSchema::new("t").unwrap().column("a", text).unwrap();
    assert!(matches!(TableSchema::new("1"), Err(SchemaError::Name(_))));
    assert!(matches!(table().column("a", text), Err(SchemaError::DuplicateColumn(_))));
    assert!(matches!(
        table().vector("v", 0, DistanceMetric::Dot),
        Err(SchemaError::Dimensions { .. })
    ));
    assert!(matches!(
        table().vector("v", 4097, DistanceMetric::Dot),
        Err(SchemaError::Dimensions { .. })
    ));
    assert!(matches!(table().index("i", &[]), Err(SchemaError::IndexColumns { columns: 0, .. })));
    assert!(matches!(table().index("i", &["a"; 5]), Err(SchemaError::IndexColumns { .. })));
    for columns in [["a", "a"], ["a", "missing"]] {
        let error = table().index("i", &columns).unwrap_err();
        assert!(matches!(error, SchemaError::IndexColumn { place: 1, .. }));
    }
    let vector = table().vector("v", 4, DistanceMetric::Dot).unwrap();
    assert!(matches!(vector.index("i", &["v"]), Err(SchemaError::IndexColumn { .. })));
    let full = (1..MAX_COLUMNS).fold(table(), |t, n| t.column(&format!("c{n}"), text).unwrap());
    assert_eq!(full.column("more", text), Err(SchemaError::TooManyColumns));
    let full = (0..MAX_INDEXES).fold(table(), |t, n| t.index(&format!("i{n}"), &["a"]).unwrap());
    assert!(matches!(full.clone().index("i0", &["a"]), Err(SchemaError::DuplicateIndex(_))));
    assert_eq!(full.index("more", &["a"]), Err(SchemaError::TooManyIndexes));
    let mut database = Database::in_memory(MemoryLimits::default());
    let empty = database.create_table(TableSchema::new("t").unwrap()).unwrap_err();
    assert_eq!(empty, DatabaseError::Schema(SchemaError::NoColumns));
}
