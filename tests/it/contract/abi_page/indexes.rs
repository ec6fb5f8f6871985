//! The order, length and uniqueness of indexes, and lookups in them.

use super::*;

/// For each type, values in the order of an index.
const ORDERS: [(&str, &[Value<'_>]); 6] = [
    ("bool", &[Value::Null, Value::Bool(false), Value::Bool(true)]),
    (
        "int",
        &[Value::Null, Value::Int(i64::MIN), Value::Int(-1), Value::Int(0), Value::Int(i64::MAX)],
    ),
    (
        "uint",
        &[Value::Null, Value::UInt(0), Value::UInt(255), Value::UInt(256), Value::UInt(u64::MAX)],
    ),
    (
        "float",
        &[
            Value::Null,
            Value::Float(f64::NEG_INFINITY),
            Value::Float(-1.5),
            Value::Float(-0.0),
            Value::Float(0.0),
            Value::Float(-0.0),
            Value::Float(5e-324),
            Value::Float(f64::INFINITY),
        ],
    ),
    (
        "text",
        &[
            Value::Null,
            Value::Text(""),
            Value::Text("\0"),
            Value::Text("Z"),
            Value::Text("a"),
            Value::Text("a\0"),
            Value::Text("ab"),
            Value::Text("é"),
        ],
    ),
    (
        "binary",
        &[
            Value::Null,
            Value::Binary(&[]),
            Value::Binary(&[0]),
            Value::Binary(&[0, 0]),
            Value::Binary(&[0, 1]),
            Value::Binary(&[1]),
            Value::Binary(&[255]),
        ],
    ),
];

#[test]
fn an_index_is_in_the_order_of_the_page() {
    says(
        "**Null sorts before every value.** Then false before true; numbers by value, -0.0 equal to 0.0; Text and Binary byte by byte, a value before those that begin with it.",
    );
    for (column, values) in ORDERS {
        let mut page = Page::new();
        // Written from the last to the first, with ids that rise in the order that is expected.
        for (at, value) in values.iter().enumerate().rev() {
            assert!(page.insert(10 + at as u64, column, *value).status > 0, "{column} {value:?}");
        }
        let expected: Vec<u64> = (0..values.len()).map(|at| 10 + at as u64).collect();
        assert_eq!(page.all(column), expected, "{column}");
        let reversed: Vec<u64> = expected.iter().rev().copied().collect();
        let everything = IndexQuery::Point(Seq::empty());
        assert_eq!(page.look_up(column, everything, true), Ok(reversed), "{column}");
    }
}

#[test]
fn unique_indexes_are_checked_row_by_row_and_let_any_number_of_nulls_in() {
    says(
        "A **unique** index allows no two rows with the same values in all its columns, unless one of the values is Null: any number of rows may have it.",
    );
    says("A violation is `InvalidArgs`, and nothing of the request is written.");
    let mut page = Page::new();
    let columns = ["int", "note"];
    let row = |int, text| [Value::Int(int), Value::Text(text)];
    let half = [Value::Int(1), Value::Null];
    assert!(
        page.write(WriteMode::Insert, &columns, &[(Some(1), &half), (Some(2), &half)]).status > 0
    );
    assert!(
        page.write(
            WriteMode::Insert,
            &columns,
            &[(Some(3), &row(1, "a")), (Some(4), &row(1, "b"))]
        )
        .status
            > 0
    );
    let before = page.all("pair");
    let twice = page.write(
        WriteMode::Insert,
        &columns,
        &[(Some(5), &row(9, "c")), (Some(6), &row(9, "c"))],
    );
    assert_eq!(twice.failed(), INVALID);
    let exchanged = page.write(
        WriteMode::Update,
        &["note"],
        &[(Some(3), &[Value::Text("b")]), (Some(4), &[Value::Text("a")])],
    );
    assert_eq!(exchanged.failed(), INVALID);
    assert_eq!(page.all("pair"), before);
    // The second row of a request may take what the first one gave up.
    let moved = page.write(
        WriteMode::Update,
        &["note"],
        &[(Some(4), &[Value::Text("z")]), (Some(3), &[Value::Text("b")])],
    );
    assert!(moved.status > 0);
}

/// That an indexed text above 110 bytes makes the write fail stood nowhere.
#[test]
fn the_values_of_an_index_take_at_most_113_bytes() {
    says(
        "The values of a row in one index take at most 113 bytes, or the write is `LimitExceeded`. Null takes 1 byte; Bool 2; Int, UInt and Float 9; Text and Binary their bytes, one more for each zero byte, and 3.",
    );
    says("So an indexed text has at most 110 bytes if it is alone in its index.");
    let mut page = Page::new();
    let text = "x".repeat(111);
    assert!(page.insert(1, "text", Value::Text(&text[..110])).status > 0);
    assert_eq!(page.insert(2, "text", Value::Text(&text)).failed(), LIMIT);
    let zeros = [0; 56];
    assert!(page.insert(3, "binary", Value::Binary(&zeros[..55])).status > 0);
    assert_eq!(page.insert(4, "binary", Value::Binary(&zeros)).failed(), LIMIT);
    // With an Int before it in the index `pair`, 9 bytes less.
    let mut pair = |id, len| {
        let values = [Value::Int(1), Value::Text(&text[..len])];
        page.write(WriteMode::Insert, &["int", "note"], &[(Some(id), &values)])
    };
    assert!(pair(5, 101).status > 0);
    assert_eq!(pair(6, 102).failed(), LIMIT);
}

#[test]
fn a_lookup_takes_nulls_fewer_values_and_empty_ranges() {
    says(
        "There may be fewer values than columns; more are `InvalidArgs`. They are of the columns' kinds, or Null, which equals Null. A Point without values and a Range without bounds match every entry; a Prefix without values is `InvalidArgs`. A range whose lower bound is above its upper one is empty.",
    );
    says(
        "A range without a lower bound has the entries with Null, unlike a `<` of `vector_search`; the lower bound Excluded [Null] leaves them out.",
    );
    let mut page = Page::new();
    for (id, int, text) in [
        (1, Value::Null, Value::Text("a")),
        (2, Value::Int(1), Value::Null),
        (3, Value::Int(1), Value::Text("ab")),
    ] {
        assert!(
            page.write(WriteMode::Insert, &["int", "note"], &[(Some(id), &[int, text])]).status > 0
        );
    }
    let mut point =
        |values: &[Value<'_>]| page.look_up("pair", IndexQuery::Point(Seq::new(values)), false);
    assert_eq!(point(&[]), Ok(vec![1, 2, 3]));
    assert_eq!(point(&[Value::Null]), Ok(vec![1]));
    assert_eq!(point(&[Value::Int(1)]), Ok(vec![2, 3]));
    assert_eq!(point(&[Value::Int(1), Value::Null]), Ok(vec![2]));
    assert_eq!(point(&[Value::UInt(1)]), Err(Status::InvalidArgs));
    assert_eq!(point(&[Value::Int(1), Value::Null, Value::Null]), Err(Status::InvalidArgs));
    let empty = IndexQuery::Prefix(Seq::empty());
    assert_eq!(page.look_up("pair", empty, false), Err(Status::InvalidArgs));
    let prefix = [Value::Int(1), Value::Text("a")];
    assert_eq!(page.look_up("pair", IndexQuery::Prefix(Seq::new(&prefix)), false), Ok(vec![3]));
    let (two, one) = ([Value::Int(2)], [Value::Int(1)]);
    let (lower, upper) = (Bound::Included(Seq::new(&two)), Bound::Included(Seq::new(&one)));
    assert_eq!(page.look_up("int", IndexQuery::Range { lower, upper }, false), Ok(vec![]));
}

#[test]
fn the_continuation_of_a_lookup_has_at_most_121_bytes_and_others_are_refused() {
    says("where to continue, if there are more; at most 121 bytes");
    says("A plugin passes the bytes back and does not interpret them; others are `InvalidArgs`.");
    let mut page = Page::new();
    let text = "x".repeat(110);
    for id in [1, 2] {
        assert!(page.insert(id, "text", Value::Text(&text)).status > 0);
    }
    let query = IndexQuery::Point(Seq::empty());
    let mut look = |after: Option<&[u8]>| {
        page.0.call(
            "index_lookup",
            &LookupRequest {
                table: "kinds",
                index: "text",
                query,
                reverse: false,
                limit: Some(1),
                after,
                columns: None,
            },
        )
    };
    let first = look(None);
    let next = first.decode::<LookupResponse<'_>>().next.expect("there is more");
    assert_eq!(next.len(), 121);
    let second = look(Some(next));
    let second = second.decode::<LookupResponse<'_>>();
    assert_eq!((second.rows.iter().next().expect("a row").id, second.next), (2, None));
    assert_eq!(look(Some(&next[1..])).failed(), INVALID);
    let again = look(Some(&[]));
    assert_eq!(again.decode::<LookupResponse<'_>>().rows.iter().next().expect("a row").id, 1);
}
