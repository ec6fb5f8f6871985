//! What each kind of column can hold and be used for.

use super::*;

/// Which kinds can be indexed, compared and written as TOON was for the plugin author to find out.
#[test]
fn what_each_kind_can_be_used_for_is_what_the_table_says() {
    says("| Bool, Int, UInt, Float, Text, Binary | yes | all comparisons | yes |");
    says("| Ref | no | `=` and `!=` | yes |");
    says("| Array, Object | no | with Null only | no |");
    says("| vector | no | with Null only | yes, as Binary |");
    let (bytes, items, fields) = (vector(&[1.0, 0.0]), [Value::Null], [("a", Value::Null)]);
    let comparisons = [
        Comparison::Equal,
        Comparison::NotEqual,
        Comparison::Less,
        Comparison::LessOrEqual,
        Comparison::Greater,
        Comparison::GreaterOrEqual,
    ];
    for (column, kind) in COLUMNS {
        let value = an_example(kind, &bytes, &items, &fields);
        let scalar = SCALARS.contains(&column);
        let indexed = TableSchema::new("t")
            .and_then(|table| table.column("c", kind))
            .and_then(|table| table.index("i", &["c"]));
        assert_eq!(indexed.is_ok(), scalar, "index on {column}");

        let mut page = Page::new();
        assert!(page.insert(1, column, value).status > 0, "{column}");
        for comparison in comparisons {
            let equality = matches!(comparison, Comparison::Equal | Comparison::NotEqual);
            let compared =
                page.search("dot", &[1.0, 0.0], &[Condition { column, comparison, value }]);
            assert_eq!(
                compared.is_ok(),
                scalar || column == "link" && equality,
                "{column} {comparison:?}"
            );
            let null = [Condition { column, comparison, value: Value::Null }];
            assert!(page.search("dot", &[1.0, 0.0], &null).is_ok(), "{column} {comparison:?} null");
        }
        let structured = matches!(kind, ColumnType::Array | ColumnType::Object);
        assert_eq!(
            page.toon(RowSelector::ALL, &[column]).failed(),
            structured.then_some(Status::InvalidArgs)
        );
    }
}

#[test]
fn a_filter_has_at_most_eight_conditions_and_null_is_compared_as_the_page_says() {
    says("conditions that a row must meet, all of them; at most 8");
    says(
        "`<=` and `>=` with Null match only Null, `<` and `>` nothing, and `!=` with a value matches Null.",
    );
    let mut page = Page::new();
    let place = vector(&[1.0, 0.0]);
    for (id, int) in [(1, Value::Null), (2, Value::Int(-5)), (3, Value::Int(5))] {
        let row = [int, Value::Binary(&place)];
        assert!(page.write(WriteMode::Insert, &["int", "dot"], &[(Some(id), &row)]).status > 0);
    }
    let mut met = |comparison, value, times| {
        let filter = vec![Condition { column: "int", comparison, value }; times];
        let found = page.search("dot", &[1.0, 0.0], &filter);
        found.map(|hits| hits.iter().map(|hit| hit.0).collect::<Vec<_>>())
    };
    assert_eq!(met(Comparison::Equal, Value::Null, 8), Ok(vec![1]));
    assert_eq!(met(Comparison::Equal, Value::Null, 9), Err(Status::InvalidArgs));
    assert_eq!(met(Comparison::NotEqual, Value::Null, 1), Ok(vec![2, 3]));
    assert_eq!(met(Comparison::LessOrEqual, Value::Null, 1), Ok(vec![1]));
    assert_eq!(met(Comparison::GreaterOrEqual, Value::Null, 1), Ok(vec![1]));
    assert_eq!(met(Comparison::Less, Value::Null, 1), Ok(vec![]));
    assert_eq!(met(Comparison::Greater, Value::Null, 1), Ok(vec![]));
    assert_eq!(met(Comparison::NotEqual, Value::Int(5), 1), Ok(vec![1, 2]));
    assert_eq!(met(Comparison::Less, Value::Int(5), 1), Ok(vec![2]));
}

#[test]
fn values_are_checked_as_the_page_says() {
    says("A Float is not NaN; infinities are allowed.");
    says("Their items are values of any kind, also NaN and Null, and are not checked.");
    says("An Object keeps the order of its fields. Its names are any text and may repeat.");
    says("A Ref names a table by a valid name; neither the table nor the row has to exist.");
    let mut page = Page::new();
    assert_eq!(page.insert(1, "float", Value::Float(f64::NAN)).failed(), INVALID);
    assert!(page.insert(1, "float", Value::Float(f64::NEG_INFINITY)).status > 0);
    assert_eq!(page.insert(2, "float", Value::UInt(1)).failed(), INVALID);
    let items = [Value::Float(f64::NAN), Value::Null, Value::Ref { table: "1 2", id: 0 }];
    assert!(page.insert(3, "array", Value::Array(Seq::new(&items))).status > 0);
    let fields = [("b c", Value::Null), ("a", Value::Null), ("b c", Value::UInt(1))];
    assert!(page.insert(4, "object", Value::Object(Seq::new(&fields))).status > 0);
    let answer = page.0.call(
        "soch_read",
        &ReadRequest {
            table: "kinds",
            rows: RowSelector::One(4),
            columns: Seq::new(&["object"]),
            limit: None,
            format: Format::Rows,
        },
    );
    let rows = answer.decode::<RowsResponse<'_>>();
    assert_eq!(rows.next, None);
    let row = rows.rows.iter().next().expect("the row");
    assert_eq!(row.values.iter().next(), Some(Value::Object(Seq::new(&fields))));
    assert!(page.insert(5, "link", Value::Ref { table: "nowhere", id: 9 }).status > 0);
    assert_eq!(page.insert(6, "link", Value::Ref { table: "no where", id: 9 }).failed(), INVALID);
    let infinite = vector(&[f32::INFINITY, 0.0]);
    assert_eq!(page.insert(7, "dot", Value::Binary(&infinite)).failed(), INVALID);
}
