//! CSV files that were loaded wrongly, in part, or not at all without a word.

use std::{
    io::Write,
    process::{Command, Stdio},
};

use serde_json::json;

use super::{Ran, WEATHER, file, sochdb};
use crate::runner;

/// Loads the file as the table `t`, and calls what reads no table of it.
fn load(test: &str, csv: impl AsRef<[u8]>, more: &[&str]) -> Ran {
    let csv = format!("t={}", file(test, "t.csv", csv));
    sochdb(&[&["run", WEATHER, "peek_secret", "--json", "--load", &csv], more].concat())
}

/// As [`load`], with a schema of one column.
fn load_as(test: &str, csv: &str, column: &str) -> Ran {
    let schema = file(test, "s.toml", format!("[tables.t.columns]\nv = {column}\n"));
    load(test, csv, &["--schema", &schema])
}

/// How many rows were loaded, or the error's line and text.
fn outcome(ran: &Ran) -> Result<u64, (u64, String)> {
    let report = ran.json();
    if ran.code != 3 {
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        return Ok(report["loaded"]["t"].as_u64().expect("a number of rows"));
    }
    let (kind, line, _) = ran.error();
    assert_eq!(kind, "csv", "{}", ran.stderr);
    let message = report["error"]["message"].as_str().expect("a text");
    Err((line.expect("a line"), message.into()))
}

#[track_caller]
fn refused(ran: &Ran, line: u64, texts: &[&str]) {
    let (found, message) = outcome(ran).expect_err("it is refused");
    assert_eq!(found, line, "{message}");
    for text in texts {
        assert!(message.contains(text), "{text:?} is not in {message}");
    }
}

/// Runs the program with this on stdin.
fn with_stdin(stdin: impl AsRef<[u8]>, arguments: &[&str]) -> Ran {
    let mut child = runner::command(env!("CARGO_BIN_EXE_sochdb-wasmi"))
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut pipe = child.stdin.take().expect("it has a stdin");
    // A program that fails before it reads closes it.
    let _ = pipe.write_all(stdin.as_ref());
    drop(pipe);
    let output = child.wait_with_output().expect("the program ends");
    Ran {
        code: output.status.code().expect("by itself"),
        stdout: String::from_utf8(output.stdout).expect("UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("UTF-8"),
    }
}

// The file was opened twice, to find the types and to load the rows: of a pipe the second look found
// nothing, and 0 rows were loaded with exit code 0.
#[test]
fn stdin_and_pipes_are_loaded_like_files() {
    for name in ["-", "/dev/stdin"] {
        let load = format!("t={name}");
        let arguments = ["run", WEATHER, "peek_secret", "--json", "--load", &load];
        let ran = with_stdin("a,b\n1,2\n3,4\n", &arguments);
        assert_eq!(outcome(&ran), Ok(2), "{name}");
    }
    #[cfg(unix)]
    {
        let fifo = super::path("fifo", "rows");
        assert!(Command::new("mkfifo").arg(&fifo).status().expect("mkfifo runs").success());
        let writer = std::thread::spawn({
            let fifo = fifo.clone();
            move || std::fs::write(fifo, "a,b\n1,2\n3,4\n")
        });
        let load = format!("t={fifo}");
        let ran = sochdb(&["run", WEATHER, "peek_secret", "--json", "--load", &load]);
        assert_eq!(outcome(&ran), Ok(2));
        writer.join().expect("it ends").expect("the program reads it all");
    }
}

// `trace audit` and `what-if` open a trace twice: from a pipe it was empty the second time.
#[test]
fn a_trace_may_come_from_a_pipe() {
    let trace = super::weather_job();
    let bytes = std::fs::read(&trace).expect("the trace is there");
    for arguments in [&["trace", "audit"][..], &["what-if", "--infer"], &["trace", "verify"]] {
        let piped = with_stdin(&bytes, &[arguments, &["-"]].concat());
        let read = sochdb(&[arguments, &[&*trace]].concat());
        assert_eq!((piped.code, piped.stdout == read.stdout), (0, true), "{}", piped.stderr);
    }
}

// `db tables -` looked for a file called `-`; a file of `--db` from a pipe was no database.
#[cfg(all(feature = "flash", feature = "redb"))]
#[test]
fn a_database_may_come_from_a_pipe() {
    let db = super::path("db_pipe", "a.db");
    let rows = format!("t={}", file("db_pipe", "t.csv", "a\n1\n2\n"));
    let ran = sochdb(&["run", WEATHER, "peek_secret", "--db", &db, "--load", &rows]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let read = sochdb(&["db", "show", &db, "t"]);
    assert_eq!(read.code, 0, "{}", read.stderr);
    let bytes = std::fs::read(&db).expect("it is there");
    for name in ["-", "/dev/stdin"] {
        let piped = with_stdin(&bytes, &["db", "show", name, "t"]);
        assert_eq!((piped.code, &piped.stdout), (0, &read.stdout), "{}", piped.stderr);
    }
    let piped = with_stdin("no database", &["db", "tables", "-", "--json"]);
    assert_eq!(piped.error().0, "database", "{}", piped.stderr);
}

// What is read from stdin a second time is nothing.
#[test]
fn stdin_is_given_to_one_option_only() {
    let arguments = ["run", WEATHER, "peek_secret", "--json", "--load", "t=-", "--load", "u=-"];
    let ran = with_stdin("a\n1\n", &arguments);
    assert_eq!((ran.code, ran.error().0.as_str()), (4, "io"));
    assert!(ran.stderr.contains("stdin is read already"), "{}", ran.stderr);
}

// A quote that was never closed made one cell of the rest of the file: 2 rows of 4, exit code 0.
#[test]
fn quotes_that_are_not_closed_are_refused_with_the_line_that_they_open_in() {
    let never = ["never closed"];
    refused(&load("unclosed", "a,b\n1,x\n2,\"y\n3,z\n4,w\n", &[]), 3, &never);
    refused(&load("unclosed", "a,b\r\n1,x\r\n2,\"y\r\n3,z\r\n", &[]), 3, &never);
    refused(&load("unclosed", "a,\"b\n1,x\n", &[]), 1, &never);
    refused(&load("unclosed", "a,b\n1,\"x \"\"y\"\"\n", &[]), 2, &never);
    refused(&load("unclosed", "a,b\n1,\"\"\"\n", &[]), 2, &never);
    refused(&load("unclosed", "a,b\n1,\"", &[]), 2, &never);
    // The next quote of the file is taken for the end: what follows it tells.
    let ran = load("unclosed", "a,b\n1,\"x\n2,\"y\"\n", &[]);
    refused(&ran, 3, &["text follows the closing quote", "line 2"]);
    refused(&load("unclosed", "a,b\n1,\"x\"z\n", &[]), 2, &["text follows the closing quote"]);
    // These are all of them closed.
    let closed = "a,b\n1,\"x,\n\"\"y\"\"\"\n\"2\",\"\"\n3,5\" pipe\n4,\"z\"";
    assert_eq!(outcome(&load("unclosed", closed, &[])), Ok(4));
    let semicolons = "a;b\n1;\"x;y\"\n";
    assert_eq!(outcome(&load("unclosed", semicolons, &["--delimiter", ";"])), Ok(1));
}

// `1, "x, y"` was two cells with half a quote in each, and `1, "x"` a cell with its quotes in it.
#[test]
fn a_quote_that_stands_after_spaces_is_refused() {
    let spaces = ["spaces stand before the quote"];
    refused(&load("spaces", "a,b\n1, \"x\"\n", &[]), 2, &spaces);
    refused(&load("spaces", "a,b\n1,\t\"x, y\"\n", &[]), 2, &spaces);
    refused(&load("spaces", "a, \"b\"\n1,x\n", &[]), 1, &spaces);
    refused(&load("spaces", "a\n1\n  \"x\ny\"\n", &[]), 3, &spaces);
    // A tab may separate cells, and a quote after other characters is text.
    assert_eq!(outcome(&load("spaces", "a\tb\n1\t\"x\"\n", &["--delimiter", "tab"])), Ok(1));
    assert_eq!(outcome(&load("spaces", "a,b\n1, 5\"\n\" \"\"x\"\"\",2\n", &[])), Ok(2));
}

// 1e400 in a column of floats became infinity, 1e39 in an input of f32 too.
#[test]
fn numbers_that_a_type_does_not_hold_are_refused() {
    let float = ["out of range", "float"];
    for cell in ["1e400", "-1e400", "1e-400", &"9".repeat(400)] {
        refused(&load_as("range", &format!("v\n1\n{cell}\n"), "\"float\""), 3, &float);
    }
    for (kind, cells) in [
        ("int", ["9223372036854775808", "-9223372036854775809"]),
        ("uint", ["18446744073709551616", "-1"]),
        ("ref", ["t:18446744073709551616", "t:-1"]),
    ] {
        for cell in cells {
            let ran = load_as("range", &format!("v\n{cell}\n"), &format!("\"{kind}\""));
            refused(&ran, 2, &[cell, "out of range", kind]);
        }
    }
    let vector = "{ type = \"vector\", dimensions = 2, metric = \"dot\" }";
    refused(&load_as("range", "v\n1 1e39\n", vector), 2, &["component 2", "out of range"]);
    // This was called out of range.
    refused(&load_as("range", "v\nnan 1\n", vector), 2, &["component 1", "not a number"]);
    refused(&load_as("range", "v\n1e-400\n", "\"float\""), 2, &["4.9e-324 to 1.8e308"]);
    for (cell, column) in [
        ("inf", "\"float\""),
        ("-0.0", "\"float\""),
        ("0e400", "\"float\""),
        ("1.7976931348623157e308", "\"float\""),
        ("5e-324", "\"float\""),
        ("-9223372036854775808", "\"int\""),
        ("18446744073709551615", "\"uint\""),
    ] {
        assert_eq!(outcome(&load_as("range", &format!("v\n{cell}\n"), column)), Ok(1), "{cell}");
    }
    // Without a schema such a column is text, as it is in the file.
    assert_eq!(outcome(&load("range", "v\n1e400\n", &[])), Ok(1));
    let small = super::small_plugin("range");
    let ran = sochdb(&["run", &small, "echo", "--types", "f32 -> f32", "--input", "1e39"]);
    assert_eq!(ran.code, 3, "{}", ran.stderr);
}

// A byte that is not UTF-8 in the first line of data was reported in line 1.
#[test]
fn a_byte_that_is_not_utf_8_is_named_with_its_own_line() {
    let bad = ["0xe9", "not UTF-8"];
    refused(&load("utf8", b"name,stock\n\xe9,1\n", &[]), 2, &bad);
    refused(&load("utf8", b"name,stock\r\nx,1\r\nab\xe9,1\r\n", &[]), 3, &["byte 3", bad[0]]);
    refused(&load("utf8", b"n\xe9,stock\nx,1\n", &[]), 1, &bad);
    refused(&load("utf8", b"a,b\n\"1\n2\n\",x\n\n3,\xe9\n", &[]), 6, &bad);
    refused(&load("utf8", b"\xff\xfea\0,\0b\0\n\0", &[]), 1, &["UTF-16"]);
    // The mark that some programs put before UTF-8 is no part of the first header.
    let ran = load("utf8", b"\xef\xbb\xbfid,a\n7,x\n", &[]);
    assert_eq!(outcome(&ran), Ok(1));
}

#[test]
fn lines_are_counted_as_an_editor_counts_them() {
    let int = "\"int\"";
    refused(&load_as("lines", "v\n1\n\n\nx\n", int), 5, &["\"x\""]);
    refused(&load_as("lines", "v\r\n1\r\n\r\nx\r\n", int), 4, &["\"x\""]);
    refused(&load_as("lines", "v\r1\rx\r", int), 3, &["\"x\""]);
    refused(&load_as("lines", "w,v\n\"1\n2\n3\",4\n5,x\n", int), 5, &["\"x\""]);
    refused(&load_as("lines", "\n\nv\nx\n", int), 4, &["\"x\""]);
}

// `[0.1, 0.2]` and `1, 2` were no vectors, were repeated altered, and nothing said which dimension was
// expected and which was found.
#[test]
fn vectors_are_read_in_the_forms_that_people_write() {
    let vector = "{ type = \"vector\", dimensions = 2, metric = \"dot\", nullable = true }";
    let cells = [
        "0.1 0.2",
        "\"0.1,0.2\"",
        "\"0.1, 0.2\"",
        "0.1;0.2",
        "\"[0.1, 0.2]\"",
        "[0.1 0.2]",
        "\" [ 0.1 ; 0.2 ] \"",
        "\" \"",
    ];
    let csv = format!("v\n{}\n", cells.join("\n"));
    assert_eq!(outcome(&load_as("vectors", &csv, vector)), Ok(cells.len() as u64));
    let ran = load_as("vectors", "v\n\"[0.1, 0.2, 0.3]\"\n", vector);
    refused(&ran, 2, &["\"[0.1, 0.2, 0.3]\"", "3 components", "2 dimensions", "0.1;0.2"]);
    refused(&load_as("vectors", "v\n[]\n", vector), 2, &["\"[]\"", "0 components"]);
    let ran = load_as("vectors", "v\n\"0.1, x\"\n", vector);
    refused(&ran, 2, &["component 2", "\"0.1, x\"", "\" x\"", "not a number"]);
    refused(&load_as("vectors", "v\n\"0,1;0,2\"\n", vector), 2, &["component 1", "\"0,1\""]);
}

// A file with another delimiter has one long header, which is no name, and nothing said why.
#[test]
fn another_delimiter_is_seen_named_and_can_be_given() {
    for (character, shown, argument) in
        [(";", "';'", ";"), ("\t", "tab", "tab"), ("|", "'|'", "|"), ("\t", "tab", "\\t")]
    {
        let csv = "a,b,c\n1,2,3\n".replace(',', character);
        let ran = load("delimiter", &csv, &[]);
        refused(&ran, 1, &["--delimiter", shown, "the headers are"]);
        let ran = load("delimiter", &csv, &["--delimiter", argument]);
        assert_eq!(outcome(&ran), Ok(1), "{shown}");
        let schema = file("delimiter", "s.toml", "[tables.t.columns]\nb = \"int\"\n");
        let ran = load("delimiter", &csv, &["--schema", &schema]);
        refused(&ran, 1, &["--delimiter", shown, "comes from \"b\""]);
    }
    let schema = file("delimiter", "s.toml", "[tables.t.columns]\nx = \"int\"\n");
    let ran = load("delimiter", "a,b\n1,2\n", &["--schema", &schema]);
    refused(&ran, 1, &["the headers are \"a\", \"b\""]);
    for wrong in ["", ",,", "\"", "\n", "é"] {
        let ran = load("delimiter", "a\n1\n", &["--delimiter", wrong]);
        assert_eq!(ran.code, 2, "{wrong:?}");
    }
}

// The rows of a call are read by the same rules.
#[test]
fn files_of_a_call_are_read_as_strictly() {
    let record = |csv: &str, more: &str| {
        file("call_csv", "rows.csv", csv);
        let line = format!("{{\"entry\": \"echo\", \"csv\": \"rows.csv\"{more}}}\n");
        let calls = file("call_csv", "calls.jsonl", line);
        let (small, out) = (super::small_plugin("call_csv"), super::path("call_csv", "t.trace"));
        let types = "[{a: str, b: ?u8}] -> bytes";
        sochdb(&["record", &small, "--calls", &calls, "--types", types, "--out", &out, "--json"])
    };
    let ran = record("a,b\nx,1\ny,\"2\n", "");
    assert_eq!((ran.code, ran.error().0.as_str()), (3, "calls"));
    assert!(ran.stderr.contains("rows.csv: line 3: the quote"), "{}", ran.stderr);
    let ran = record("a;b\nx;1\n", "");
    assert!(
        ran.stderr.contains("--delimiter") || ran.stderr.contains("delimiter"),
        "{}",
        ran.stderr
    );
    assert_eq!(record("a;b\nx;1\n", ", \"delimiter\": \";\"").code, 0);
    assert_eq!(record("a,b\nx,1\n", "").code, 0);
}

// The limits of the command line's database could not be raised.
#[test]
fn limits_of_rows_and_bytes_can_be_raised_and_errors_say_how() {
    let csv = "a\n1\n2\n3\n";
    let ran = load("limits", csv, &["--max-rows", "2"]);
    assert_eq!((ran.code, ran.error().0.as_str()), (3, "csv"));
    assert!(ran.stderr.contains("2 allowed; --max-rows raises the limit"), "{}", ran.stderr);
    let ran = load("limits", csv, &["--max-bytes", "100"]);
    assert!(ran.stderr.contains("--max-bytes raises the limit"), "{}", ran.stderr);
    assert_eq!(load("limits", csv, &["--max-rows", "3"]).json()["loaded"], json!({"t": 3}));
    let rows: String = (0..100_001).map(|n| format!("{n}\n")).collect();
    let ran = load("limits", format!("a\n{rows}"), &["--max-rows", "100001"]);
    assert_eq!(outcome(&ran), Ok(100_001));
}
