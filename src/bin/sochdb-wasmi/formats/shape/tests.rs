//! Shapes against the crate that plugins use: the same JSON, the same bytes.

use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::*;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Choice {
    Nothing,
    Before(String),
    Ids(Vec<u64>),
    Range { from: u64, until: Option<u64> },
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Everything {
    flags: (bool, bool),
    small: (u8, i8),
    middle: (u16, i16, u32, i32),
    large: (u64, i64),
    floats: (f32, f64),
    text: String,
    date: [u8; 10],
    maybe: Option<i32>,
    not: Option<i32>,
    list: Vec<Option<u16>>,
    choices: Vec<Choice>,
    unit: (),
}

const EVERYTHING: &str = "{
    flags: (bool, bool), small: (u8, i8), middle: (u16, i16, u32, i32), large: (u64, i64),
    floats: (f32, f64), text: str, date: [u8; 10], maybe: ?i32, not: ?i32, list: [?u16],
    choices: [<Nothing | Before str | Ids [u64] | Range {from: u64, until: ?u64}>], unit: (),
}";

fn everything() -> Everything {
    Everything {
        flags: (true, false),
        small: (255, -128),
        middle: (u16::MAX, i16::MIN, u32::MAX, i32::MIN),
        large: (u64::MAX, i64::MIN),
        floats: (0.1, -1e300),
        text: "größe".into(),
        date: *b"2015-11-01",
        maybe: Some(-7),
        not: None,
        list: vec![Some(1), None],
        choices: vec![
            Choice::Nothing,
            Choice::Before("2013".into()),
            Choice::Ids(vec![1, 300]),
            Choice::Range { from: 1, until: Some(2) },
        ],
        unit: (),
    }
}

fn shape(text: &str) -> Shape {
    signature(&format!("{text} -> ()")).expect("a shape").input
}

#[test]
fn json_becomes_the_bytes_that_serde_and_postcard_make_of_the_same_type() {
    let value = everything();
    let json = serde_json::to_value(&value).expect("JSON");
    let bytes = encode(&shape(EVERYTHING), &json).expect("it is of this shape");
    assert_eq!(bytes, postcard::to_allocvec(&value).expect("postcard"));
    let decoded = decode(&shape(EVERYTHING), &bytes).expect("it is of this shape");
    assert_eq!(serde_json::from_value::<Everything>(decoded).expect("JSON"), value);
}

#[test]
fn a_shape_is_read_as_it_is_printed() {
    let shape = shape(EVERYTHING);
    assert_eq!(signature(&format!("{shape} -> str[10]")).expect("a shape").input, shape);
}

#[test]
fn values_of_columns_go_in_and_out_alike() {
    let json = json!([null, true, "a", {"int": -1}, {"uint": 1}, {"float": 1.5}, {"float": "NaN"},
        {"binary": "00ff"}, [{"int": 1}], {"object": {"b": null, "a": "x"}}, {"ref": ["days", 7]}]);
    let list = shape("[value]");
    let bytes = encode(&list, &json).expect("values");
    assert_eq!(decode(&list, &bytes).expect("values"), json);
}

#[test]
fn an_input_of_another_type_says_where_and_what() {
    let cases = [
        ("u8", json!(256), "input takes u8, this is 256"),
        ("i8", json!(-129), "input takes i8, this is -129"),
        ("u64", json!(1.5), "input takes u64, this is 1.5"),
        ("u64", json!(-1), "input takes u64, this is -1"),
        ("str", json!(5), "input takes str, this is 5"),
        ("str[3]", json!("ab"), "input takes str[3], this is \"ab\""),
        ("(u8, u8)", json!([1]), "input takes (u8, u8), this is a list of 1"),
        ("[u8; 2]", json!([1, 2, 3]), "input takes [u8; 2], this is a list of 3"),
        ("[{a: ?f32}]", json!([{}, {"a": []}]), "input[1].a takes f32, this is a list of 0"),
        ("{a: u8}", json!({}), "input.a takes u8, this is null"),
        ("{a: u8}", json!({"b": 1}), "input takes the fields a, this is an object with \"b\""),
        ("<A | B u8>", json!("C"), "input takes <A | B u8>, this is \"C\""),
        ("<A | B u8>", json!("B"), "input takes <A | B u8>, this is \"B\""),
        ("<A | B u8>", json!({"A": 1}), "input takes <A | B u8>, this is an object"),
        ("<A | B u8>", json!({"B": "x"}), "input.B takes u8, this is \"x\""),
        ("bytes", json!("0"), "input takes bytes in hex, this is \"0\""),
        ("f64", json!("one"), "input takes f64, this is \"one\""),
        ("()", json!(1), "input takes (), this is 1"),
    ];
    for (text, json, message) in cases {
        let error = encode(&shape(text), &json).expect_err(text);
        assert_eq!(error.to_string(), message, "{text}");
    }
}

#[test]
fn bytes_of_another_shape_are_an_error() {
    let cases: [(&str, &[u8]); 10] = [
        ("u8", &[]),
        ("u8", &[1, 2]),
        ("u16", &[0x80, 0x80, 0x04]),
        ("i32", &[0xff, 0xff, 0xff, 0xff, 0xff, 0x01]),
        ("bool", &[2]),
        ("str", &[2, b'a']),
        ("str[2]", &[0xff, 0xff]),
        ("<A | B>", &[2]),
        ("[u8]", &[0xff, 0xff, 0xff, 0xff, 0x0f]),
        ("[()]", &[0xff, 0xff, 0xff, 0xff, 0x0f]),
    ];
    for (text, bytes) in cases {
        assert!(decode(&shape(text), bytes).is_err(), "{text}");
    }
}

#[test]
fn what_is_wrong_with_a_shape_is_named_with_its_place() {
    let deep = "?".repeat(40) + "u8";
    let cases = [
        ("u8", 1, 3, "expected ->, found the end"),
        ("u9 -> u8", 1, 1, "there is no shape u9"),
        ("(u8 -> u8", 1, 5, "expected , or ), found '-'"),
        ("{a u8} -> u8", 1, 4, "expected a : after the name of the field, found 'u'"),
        ("[u8; x] -> u8", 1, 6, "expected a count of 0 to 4294967295, found 'x'"),
        ("<> -> u8", 1, 1, "an enumeration has no variants"),
        ("u8 ->\n  u8 u8", 2, 6, "expected the end, found 'u'"),
        ("[[u8; 1000]; 1000] -> u8", 1, 1, "a shape has more than 100000 parts"),
    ];
    for (text, line, column, problem) in cases {
        let error = signature(text).expect_err(text);
        assert_eq!((error.line, error.column, &*error.problem), (line, column, problem), "{text}");
    }
    assert!(signature(&format!("{deep} -> u8")).is_err());
}

#[test]
fn a_list_of_types_has_names_for_shapes_and_comments() {
    let text = "
        # A calendar day.
        Date = str[10]
        Spell = {start: Date, days: u32}
        spells: (str, ?Date) -> [Spell]   # the longest first
        none: () -> ()
    ";
    let types = types(text).expect("types");
    assert_eq!(types.keys().collect::<Vec<_>>(), ["none", "spells"]);
    assert_eq!(types["spells"].to_string(), "(str, ?str[10]) -> [{start: str[10], days: u32}]");
}

#[test]
fn names_cannot_make_shapes_grow_without_bound() {
    let mut deep = String::from("A0 = u8\n");
    let mut wide = String::from("A0 = u8\n");
    for n in 1..60 {
        deep += &format!("A{n} = ?A{}\n", n - 1);
        wide += &format!("A{n} = (A{}, A{})\n", n - 1, n - 1);
    }
    assert!(types(&deep).is_err());
    assert!(types(&wide).is_err());
    assert!(types("a: u8 -> u8\na: u8 -> u8").is_err());
    assert!(types("A = u8\nA = u8").is_err());
}

const WORDS: &[&str] = &[
    "()", "bool", "u8", "u16", "i32", "u64", "i64", "f32", "f64", "str", "str[3]", "bytes", "value",
];

/// Shapes of every kind, as text.
fn shapes() -> impl Strategy<Value = String> {
    prop::sample::select(WORDS).prop_map(String::from).prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(|a| format!("?{a}")),
            inner.clone().prop_map(|a| format!("[{a}]")),
            (inner.clone(), 0..4_u8).prop_map(|(a, n)| format!("[{a}; {n}]")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a}, {b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{{a: {a}, b: {b}}}")),
            (inner.clone(), inner).prop_map(|(a, b)| format!("<A {a} | B | C {b}>")),
        ]
    })
}

proptest! {
    #[test]
    fn bytes_that_decode_are_those_that_their_json_encodes_to(
        text in shapes(),
        bytes in prop::collection::vec(0..4_u8, 0..40),
    ) {
        let shape = shape(&text);
        // `Option` of what is null itself has two forms of one JSON.
        prop_assume!(!text.contains("??") && !text.contains("?()") && !text.contains("?value"));
        let mut reader = bytes.as_slice();
        while !reader.is_empty() {
            if let Ok(json) = decode(&shape, reader) {
                prop_assert_eq!(encode(&shape, &json).map_err(|e| e.to_string()), Ok(reader.to_vec()));
            }
            reader = &reader[..reader.len() - 1];
        }
    }

    #[test]
    fn a_text_that_is_no_shape_is_an_error_and_never_a_panic(text in "[u8i()\\[\\]{}<>|?;:,=# \n\u{fc}-]{0,60}") {
        let _ = signature(&text);
        let _ = types(&text);
    }
}
