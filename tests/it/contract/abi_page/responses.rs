//! Distances and TOON.

use super::*;

/// What each distance is, and what a zero vector or a Null does, was not on the page.
#[test]
fn distances_are_those_of_the_page() {
    says("| cosine | 1 - a·q / (\\|a\\| \\|q\\|); 1 if a or q is a zero vector. From 0 to 2. |");
    says("| euclidean | √ Σ (a - q)² |");
    says("| dot | -(a·q), so that a larger product is nearer |");
    says("**A row whose vector is Null has no distance and is never found.**");
    says("If fewer than `k` rows do, it returns those.");
    let mut page = Page::new();
    let rows = [(1, [3.0, 4.0]), (2, [0.0, 0.0]), (3, [-4.0, 3.0])];
    for (id, place) in rows {
        let place = vector(&place);
        let row = [Value::Binary(&place); 3];
        assert!(
            page.write(WriteMode::Insert, &["cosine", "euclidean", "dot"], &[(Some(id), &row)])
                .status
                > 0
        );
    }
    assert!(page.insert(4, "bool", Value::Null).status > 0);
    let query = [6.0, 8.0];
    assert_eq!(page.search("cosine", &query, &[]), Ok(vec![(1, 0.0), (2, 1.0), (3, 1.0)]));
    assert_eq!(
        page.search("euclidean", &query, &[]),
        Ok(vec![(1, 5.0), (2, 10.0), (3, 125f32.sqrt())])
    );
    assert_eq!(page.search("dot", &query, &[]), Ok(vec![(1, -50.0), (2, 0.0), (3, 0.0)]));
    assert_eq!(page.search("cosine", &[0.0, 0.0], &[]), Ok(vec![(1, 1.0), (2, 1.0), (3, 1.0)]));
    assert_eq!(page.search("dot", &[f32::NAN, 0.0], &[]), Err(Status::InvalidArgs));
    let null = [Condition { column: "dot", comparison: Comparison::Equal, value: Value::Null }];
    assert_eq!(page.search("dot", &query, &null), Ok(vec![]));
}

#[test]
fn toon_is_written_as_the_page_says() {
    says("The document is [TOON 4.4](https://github.com/toon-format/spec/blob/main/SPEC.md)");
    says(
        "Lines end with a line feed, but the last line has none. Without rows it is the table's name and `: []`, for example `days: []`.",
    );
    says(
        "in quotes if there are none or if they look like a number, as in `\"1234\"` and `\"1e05\"`",
    );
    says("-0.0 is `0`; infinities are `null`");
    says("the table's name, `:`, and the id, in quotes: `\"notes:5\"`");
    let mut page = Page::new();
    let empty = page.toon(RowSelector::ALL, &["bool"]);
    assert_eq!(empty.decode::<ToonResponse<'_>>().text, "kinds: []");
    let columns = ["bool", "int", "float", "text", "binary", "link"];
    let link = Value::Ref { table: "notes", id: 5 };
    let rows: [[Value<'_>; 6]; 4] = [
        [
            Value::Null,
            Value::Int(-2),
            Value::Float(-0.0),
            Value::Text("a b"),
            Value::Binary(&[0x12, 0x34]),
            link,
        ],
        [
            Value::Bool(true),
            Value::Int(0),
            Value::Float(f64::INFINITY),
            Value::Text("a,b"),
            Value::Binary(&[0x1e, 0x05]),
            link,
        ],
        [
            Value::Bool(false),
            Value::Int(1),
            Value::Float(1e21),
            Value::Text("12"),
            Value::Binary(&[]),
            link,
        ],
        [
            Value::Null,
            Value::Null,
            Value::Float(0.1),
            Value::Text(""),
            Value::Binary(&[0xab]),
            Value::Null,
        ],
    ];
    for (id, row) in (1..).zip(&rows) {
        assert!(page.write(WriteMode::Insert, &columns, &[(Some(id), row)]).status > 0);
    }
    let answer = page.toon(RowSelector::ALL, &columns);
    let expected = "kinds[4]{id,bool,int,float,text,binary,link}:\n\
                    \x20 1,null,-2,0,a b,\"1234\",\"notes:5\"\n\
                    \x20 2,true,0,null,\"a,b\",\"1e05\",\"notes:5\"\n\
                    \x20 3,false,1,1000000000000000000000,\"12\",\"\",\"notes:5\"\n\
                    \x20 4,null,null,0.1,\"\",ab,null";
    assert_eq!(answer.decode::<ToonResponse<'_>>().text, expected);
}
