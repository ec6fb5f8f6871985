//! `--load` and `--schema`: tables from CSV, with types that are looked for or given.
//!
//! The plugin that looks at the tables reads one whole and answers it as the host gave it.

use std::path::Path;

use serde_json::{Value, json};

use super::{Ran, WEATHER, file, path, sochdb};

/// What `soch_read` answers to `everything of the table "t"`.
const ROWS: &str = "() -> {rows: [{id: u64, values: [value]}], next: ?u64}";

/// A plugin whose entry point `read` answers all rows of the table `t`.
fn reader(test: &str) -> String {
    // ReadRequest: the table "t", the range from 0, all columns, no limit, as rows.
    let wat = r#"(module
        (import "sochdb" "soch_read" (func $read (param i32 i32 i32 i32) (result i32)))
        (memory (export "memory") 1 1)
        (global (export "sochdb_plugin") i32 (i32.const 0))
        (data (i32.const 0) "\01\00\00\00" "\00\01\00\00" "\00\00\00\00" "\00\02\00\00" "\00\40\00\00")
        (data (i32.const 32) "\01t" "\02\00\00" "\00" "\00" "\00")
        (func (export "read") (param i32) (result i32)
            (call $read (i32.const 32) (i32.const 8) (i32.const 512) (i32.const 16384))))"#;
    file(test, "reader.wasm", wat::parse_str(wat).expect("this is a module"))
}

const MANIFEST: &str =
    "[plugin]\nname = \"reader\"\nversion = \"1.0.0\"\n[capabilities]\ncan_read_table = [\"t\"]";

fn load(test: &str, csv: &str, schema: Option<&str>) -> Ran {
    let plugin = reader(test);
    let csv = format!("t={}", file(test, "t.csv", csv));
    let manifest = file(test, "m.toml", MANIFEST);
    let mut arguments = vec![
        "run",
        &*plugin,
        "read",
        "--types",
        ROWS,
        "--manifest",
        &manifest,
        "--load",
        &csv,
        "--json",
    ];
    let schema = schema.map(|schema| file(test, "schema.toml", schema));
    if let Some(schema) = &schema {
        arguments.extend(["--schema", schema]);
    }
    sochdb(&arguments)
}

/// The rows of the table: id, values.
fn rows(ran: &Ran) -> Vec<(u64, Value)> {
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let report = ran.json();
    let rows = report["output"]["value"]["rows"].as_array().expect("a list of rows").clone();
    rows.iter().map(|row| (row["id"].as_u64().expect("an id"), row["values"].clone())).collect()
}

#[test]
fn columns_get_the_narrowest_type_that_all_their_cells_have() {
    let csv = "\
b,i,u,f,t,zero,e,dash
true,1,1,1,a,007,1e3,-1
false,-2,18446744073709551615,2.5,1,1,-2,2
";
    assert_eq!(
        rows(&load("narrow", csv, None)),
        [
            (
                1,
                json!([true, {"int": 1}, {"uint": 1}, {"float": 1.0}, "a", "007", {"float": 1000.0}, {"int": -1}])
            ),
            (
                2,
                json!([false, {"int": -2}, {"uint": u64::MAX}, {"float": 2.5}, "1", "1", {"float": -2.0}, {"int": 2}])
            ),
        ]
    );
}

#[test]
fn a_column_with_an_empty_cell_is_nullable_and_one_of_nothing_else_is_text() {
    let csv = "a,b,c\n1,,x\n,,\n";
    assert_eq!(
        rows(&load("nullable", csv, None)),
        [(1, json!([{"int": 1}, null, "x"])), (2, json!([null, null, null]))]
    );
}

#[test]
fn numbers_that_would_lose_digits_and_names_that_look_like_numbers_are_text() {
    let csv = "large,mixed,inf,plus\n18446744073709551616,9007199254740993,inf,+1\n1,0.5,nan,2\n";
    assert_eq!(
        rows(&load("digits", csv, None))[0],
        (1, json!(["18446744073709551616", "9007199254740993", "inf", "+1"]))
    );
}

#[test]
fn a_column_id_has_the_ids_of_the_rows() {
    let csv = "id,a\n7,x\n3,y\n";
    assert_eq!(rows(&load("ids", csv, None)), [(3, json!(["y"])), (7, json!(["x"]))]);
}

/// In a table with a column `id` the header `id` filled that column, and no header gave the rows' ids.
#[test]
fn in_a_table_with_a_column_id_the_ids_of_the_rows_are_headed_otherwise() {
    let csv = "id,a,_id\n7,x,100\n3,y,90\n";
    let schema = "[tables.t.columns]\nid = \"int\"\na = \"text\"\n";
    assert_eq!(
        rows(&load("id_column", csv, Some(schema))),
        [(90, json!([{"int": 3}, "y"])), (100, json!([{"int": 7}, "x"]))]
    );
    let both = "[tables.t.columns]\n_id = \"int\"\nid = \"int\"\n";
    assert_eq!(
        rows(&load("id_columns", "id,_id,__id\n7,8,9\n", Some(both))),
        [(9, json!([{"int": 8}, {"int": 7}]))]
    );
}

#[test]
fn quotes_commas_and_lines_inside_cells_are_kept() {
    let csv = "a,b\n\"x, \"\"y\"\"\",\"two\nlines\"\n";
    assert_eq!(rows(&load("quotes", csv, None)), [(1, json!(["x, \"y\"", "two\nlines"]))]);
}

#[test]
fn a_schema_says_types_and_where_each_column_comes_from() {
    let csv = "when,n,x,y,raw,p,link\n2015/11/01,5,2,-3,00ff,1;2.5,t:9\n2015/11/02,6,4,6,,,\n";
    let schema = r#"
[tables.t.columns]
day = { type = "text", from = "when", replace = ["/", "-"] }
month = { type = "text", from = "when", first = 7 }
n = "uint"
f = { type = "float", from = "n" }
at = { type = "vector", dimensions = 2, metric = "cosine", from = ["x", "y"], divide = [2, 3] }
raw = { type = "binary", nullable = true }
p = { type = "vector", dimensions = 2, metric = "dot", nullable = true }
link = { type = "ref", nullable = true }
[tables.t.indexes]
by_day = { columns = ["day"], unique = true }
"#;
    let vector = |components: [f32; 2]| {
        let bytes = components.iter().flat_map(|x| x.to_le_bytes());
        json!({ "binary": bytes.map(|byte| format!("{byte:02x}")).collect::<String>() })
    };
    assert_eq!(
        rows(&load("schema", csv, Some(schema))),
        [
            (
                1,
                json!(["2015-11-01", "2015/11", {"uint": 5}, {"float": 5.0}, vector([1.0, -1.0]),
                    {"binary": "00ff"}, vector([1.0, 2.5]), {"ref": ["t", 9]}])
            ),
            (
                2,
                json!(["2015-11-02", "2015/11", {"uint": 6}, {"float": 6.0}, vector([2.0, 2.0]),
                    null, null, null])
            ),
        ]
    );
}

#[test]
fn a_column_of_the_file_that_nothing_is_made_of_is_talked_about() {
    let plugin = reader("unused");
    let manifest = file("unused", "m.toml", MANIFEST);
    let schema = file("unused", "s.toml", "[tables.t.columns]\na = \"int\"");
    let csv = format!("t={}", file("unused", "t.csv", "a,b\n1,2\n"));
    let ran = sochdb(&[
        "run",
        &plugin,
        "read",
        "--manifest",
        &manifest,
        "--schema",
        &schema,
        "--load",
        &csv,
    ]);
    assert_eq!(ran.code, 0);
    assert!(ran.stderr.contains("nothing is made of the column \"b\""), "{}", ran.stderr);
}

#[test]
fn a_row_that_does_not_fit_is_named_with_its_line() {
    let int = Some("[tables.t.columns]\na = \"int\"");
    let text = Some(
        "[tables.t.columns]\na = \"text\"\n[tables.t.indexes]\ni = { columns = [\"a\"], unique = true }",
    );
    let cases = [
        ("a\n1\nx\n", int, 3, "\"x\" is not a valid value for a, which takes int"),
        ("a\n1\n\"\"\n", int, 3, "a is empty, and the column is not nullable"),
        ("a,b\n1,2\n3\n", None, 3, "CSV error"),
        ("a,a\n1,2\n", None, 1, "two columns are headed \"a\""),
        ("", None, 1, "the first line has no names of columns"),
        ("b\n1\n", int, 1, "the column a comes from \"a\", which the file does not have"),
        ("a b\n1\n", None, 1, "a name has a character at byte 1"),
        ("id,a\nx,1\n", int, 2, "\"x\" is not a valid value for id, which takes uint"),
        ("a\nx\ny\nx\n", text, 4, "unique"),
        // It did not say of which file.
        ("id\n1\n", None, 1, "at least one column; the headers are \"id\""),
    ];
    for (csv, schema, line, message) in cases {
        let ran = load("rows", csv, schema);
        let (kind, found, _) = ran.error();
        assert_eq!((ran.code, &*kind, found), (3, "csv", Some(line)), "{csv}\n{}", ran.stderr);
        assert!(ran.stderr.contains(message), "{}", ran.stderr);
    }
}

// The rows were in the file of `--db` before the plugin was loaded: a command that was refused, for the
// name of its entry point or of its trace, and given again had added them twice.
#[test]
fn rows_are_kept_once_nothing_but_the_call_can_fail() {
    let db = path("kept_rows", "a.db");
    let csv = format!("t={}", file("kept_rows", "t.csv", "a\n1\n2\n"));
    let (broken, missing) = (file("kept_rows", "broken.wasm", "\0asm"), "no/such/dir.trace");
    let rows = || match Path::new(&db).exists() {
        true => sochdb(&["db", "tables", &db, "--json"]).json()["tables"][0]["rows"].as_u64(),
        false => None,
    };
    let loaded = ["--db", &db, "--load", &csv, "--json"];
    let bad = format!("t={}", file("kept_rows", "bad.csv", "a\n\"1"));
    let ran = sochdb(&["run", WEATHER, "peek_secret", "--db", &db, "--load", &bad]);
    assert_eq!((ran.code, rows()), (3, None), "{}", ran.stderr);
    let refused: [&[&str]; 4] = [
        &["run", WEATHER, "no_such_entry"],
        &["run", &broken, "peek_secret"],
        &["run", WEATHER, "peek_secret", "--record", missing],
        &["record", WEATHER, "peek_secret", "--out", missing],
    ];
    for command in refused {
        let ran = sochdb(&[command, &loaded].concat());
        assert!(matches!(ran.code, 3 | 4), "{command:?}: {}", ran.stderr);
        assert_eq!(rows(), Some(0), "{command:?}");
    }
    let ran = sochdb(&[&["run", WEATHER, "peek_secret"][..], &loaded].concat());
    assert_eq!((ran.code, rows()), (0, Some(2)), "{}", ran.stderr);
    // The call itself may fail: its rows are there.
    let ran = sochdb(&[&["run", WEATHER, "ingest", "--input-hex", "ff"][..], &loaded].concat());
    assert_eq!((ran.code, rows()), (1, Some(4)), "{}", ran.stderr);
}

#[test]
fn what_is_wrong_with_a_schema_is_named_with_its_line_and_column() {
    let cases = [
        ("[table.t]", 1, 2, "unknown_field"),
        ("[tables.t]\ncolumn = 1", 2, 1, "unknown_field"),
        ("[tables.t]\n", 1, 1, "missing_field"),
        ("[tables.t.columns]\n", 1, 11, "schema"),
        ("[tables.t.columns]\na = \"integer\"", 2, 5, "choice"),
        ("[tables.t.columns]\na = \"vector\"", 2, 5, "wrong_type"),
        ("[tables.t.columns]\na = { nullable = true }", 2, 5, "missing_field"),
        ("[tables.t.columns]\na = { type = \"int\", divide = [1] }", 2, 21, "unsupported"),
        ("[tables.t.columns]\na = { type = \"int\", from = [\"b\", \"c\"] }", 2, 5, "wrong_type"),
        ("[tables.t.columns]\na = { type = \"int\", format = 1 }", 2, 21, "unknown_field"),
        // A word that the reader did not know became a vector, or the metric euclidean.
        ("[tables.t.columns]\na = { type = \"vektor\" }", 2, 14, "choice"),
        (
            "[tables.t.columns]\na = { type = \"vector\", dimensions = 1, metric = \"manhattan\" }",
            2,
            49,
            "choice",
        ),
        (
            "[tables.t.columns]\na = { type = \"vector\", dimensions = 1, metric = \"dot\", divide = [0] }",
            2,
            65,
            "wrong_type",
        ),
        ("[tables.t.columns]\na = { type = \"vector\", dimensions = 5000 }", 2, 37, "out_of_range"),
        ("[tables.t.columns]\na = { type = \"vector\", dimensions = 2 }", 2, 5, "missing_field"),
        ("[tables.t.columns]\n\"1\" = \"int\"", 2, 1, "schema"),
        ("[tables.\"1\".columns]\na = \"int\"", 1, 9, "schema"),
        (
            "[tables.t.columns]\na = \"int\"\n[tables.t.indexes]\ni = { columns = [\"b\"] }",
            4,
            1,
            "schema",
        ),
        (
            "[tables.t.columns]\na = \"int\"\n[tables.t.indexes]\ni = { unique = true }",
            4,
            5,
            "missing_field",
        ),
    ];
    for (schema, line, column, kind) in cases {
        let ran = load("schemas", "a\n1\n", Some(schema));
        assert_eq!(
            (ran.code, ran.error()),
            (3, (kind.into(), Some(line), Some(column))),
            "{schema}\n{}",
            ran.stderr
        );
    }
}
