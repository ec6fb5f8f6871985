//! `--db`: a database in a file, which stays.

use std::process::{Child, Command, Stdio};

use serde_json::json;

use super::{WEATHER, file, path, sochdb};
use crate::runner;

const MANIFEST: &str = "examples/plugins/weather.toml";
const TYPES: &str = "@examples/plugins/weather.types";
const SCHEMA: &str = "examples/data/weather-schema.toml";

fn call(db: &str, entry: &str, input: &str, more: &[&str]) -> super::Ran {
    let call = ["run", WEATHER, entry, "--input", input, "--types", TYPES, "--db", db, "--json"];
    sochdb(&[&call[..], &["--manifest", MANIFEST], more].concat())
}

const DAY: &str = r#"[{"date": "2024-02-29", "precipitation": 1.5, "temp_max": 9.0,
    "temp_min": 3.0, "wind": 2.0, "kind": "rain"}]"#;

#[test]
fn what_a_call_wrote_is_there_for_the_next_one() {
    let db = path("db", "weather.redb");
    let ran = call(&db, "ingest", DAY, &["--schema", SCHEMA]);
    assert_eq!((ran.code, &ran.json()["output"]["value"]["accepted"]), (0, &json!(1)));
    // The tables are there: without the schema, and with it.
    for more in [&[][..], &["--schema", SCHEMA]] {
        let ran = call(&db, "month_report", "\"2024-02\"", more);
        assert_eq!(ran.json()["output"]["value"]["rain_total"], 1.5, "{}", ran.stderr);
    }
    // The same day again fails the call, which leaves nothing.
    assert_eq!(call(&db, "ingest", DAY, &[]).code, 1);
    let report = call(&db, "month_report", "\"2024-02\"", &[]).json();
    assert_eq!(report["output"]["value"]["days"], 1);
}

/// Starts the program, which waits until the file `gate` is there.
fn behind_the_gate(gate: &str, arguments: &[&str]) -> Child {
    let program = runner::command(env!("CARGO_BIN_EXE_sochdb-wasmi"));
    Command::new("bash")
        .args(["-c", "while [ ! -e \"$0\" ]; do :; done; exec \"$@\"", gate])
        .arg(program.get_program())
        .args(program.get_args())
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("bash starts")
}

// Two processes that made the same file at once both failed in 20 of 25 tries, one with "the store's device
// failed with code 2": they shared one temporary name. It was tried with threads of one process only.
#[test]
fn of_processes_that_make_a_file_at_once_each_has_it_or_says_that_it_is_in_use() {
    let mut refused = 0;
    for round in 0..10 {
        let db = path("db_at_once", &format!("{round}.redb"));
        let gate = path("db_at_once", &format!("{round}.gate"));
        let _ = (std::fs::remove_file(&db), std::fs::remove_file(&gate));
        let days: Vec<String> =
            (1..=3).map(|day| DAY.replace("02-29", &format!("02-0{day}"))).collect();
        let processes: Vec<Child> = days
            .iter()
            .map(|day| {
                let run = ["run", WEATHER, "ingest", "--input", day, "--types", TYPES, "--json"];
                let files = ["--db", &db, "--schema", SCHEMA, "--manifest", MANIFEST];
                behind_the_gate(&gate, &[&run[..], &files].concat())
            })
            .collect();
        std::fs::write(&gate, "").expect("it is written");
        let mut written = 0;
        for process in processes {
            let output = process.wait_with_output().expect("it ends");
            let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
            let (stdout, stderr) = (text(output.stdout), text(output.stderr));
            let code = output.status.code().expect("it ends by itself");
            let ran = super::Ran { code, stdout, stderr };
            if code == 0 {
                written += 1;
            } else {
                assert_eq!((code, &*ran.error().0), (4, "in_use"), "{}", ran.stderr);
                refused += 1;
            }
        }
        assert!(written > 0, "nobody had it");
        // What those wrote that had it is in the file, and nothing is left beside it.
        let report = call(&db, "month_report", "\"2024-02\"", &[]).json();
        assert_eq!(report["output"]["value"]["days"], written);
        let folder = std::path::Path::new(&db).parent().expect("it has one");
        let beside = std::fs::read_dir(folder).expect("it is there").flatten();
        let name = format!("{round}.redb");
        let names = beside.map(|entry| entry.file_name().to_string_lossy().into_owned());
        assert_eq!(names.filter(|found| found.contains(&name)).count(), 1);
    }
    println!("{refused} of 30 processes were refused");
}

#[test]
fn rows_are_added_to_a_table_that_is_there_by_its_columns() {
    let db = path("db_load", "weather.redb");
    let csv = |name: &str, date: &str| {
        let header = "date,month,precipitation,temp_max,temp_min,wind,kind,features";
        let row = format!("{date},2024-01,7.5,9,3,2,rain,0 0 0 0");
        format!("weather={}", file("db_load", name, format!("{header}\n{row}\n")))
    };
    let input = r#"["rain", 5]"#;
    let a = csv("a.csv", "2024-01-01");
    let ran = call(
        &db,
        "wettest",
        input,
        &["--schema", SCHEMA, "--load", "weather=examples/data/seattle-weather.csv"],
    );
    assert_eq!(ran.json()["loaded"], json!({"weather": 1461}), "{}", ran.stderr);
    let ran = call(&db, "wettest", input, &["--load", &a]);
    assert_eq!(ran.json()["loaded"], json!({"weather": 1}), "{}", ran.stderr);
    // Its ids go on after those that were there; a date that is there already is refused, and then
    // no row of any file is added.
    let b = csv("b.csv", "2024-01-02");
    let ran = call(&db, "wettest", input, &["--load", &b, "--load", &a]);
    assert_eq!((ran.code, &*ran.error().0), (3, "csv"));
    let ran = call(&db, "wettest", input, &["--load", &b]);
    assert_eq!(ran.json()["loaded"], json!({"weather": 1}), "{}", ran.stderr);
}

#[test]
fn two_files_go_into_one_table() {
    let (a, b) = (file("two", "a.csv", "n\n1\n2\n"), file("two", "b.csv", "n\n3\n"));
    let (a, b) = (format!("t={a}"), format!("t={b}"));
    let ran = sochdb(&["run", WEATHER, "peek_secret", "--load", &a, "--load", &b, "--json"]);
    assert_eq!(ran.json()["loaded"], json!({"t": 3}));
}

#[test]
fn a_table_that_is_otherwise_than_the_schema_is_refused() {
    let db = path("db_other", "t.redb");
    let schema = |name: &str, kind: &str| {
        file("db_other", name, format!("[tables.t.columns]\nn = \"{kind}\"\n"))
    };
    let run = |schema: &str| {
        sochdb(&["run", WEATHER, "peek_secret", "--db", &db, "--schema", schema, "--json"])
    };
    let (int, text) = (schema("int.toml", "int"), schema("text.toml", "text"));
    assert_eq!(run(&int).code, 0);
    let ran = run(&text);
    assert_eq!((ran.code, &*ran.error().0), (3, "other_table"));
    assert_eq!(run(&int).code, 0);
}

#[test]
fn a_file_that_is_no_database_is_refused_and_stays_as_it_is() {
    let db = file("db_foreign", "notes.txt", "These are notes.");
    let ran = sochdb(&["run", WEATHER, "peek_secret", "--db", &db, "--json"]);
    assert_eq!((ran.code, &*ran.error().0), (3, "database"));
    assert_eq!(ran.json()["error"]["file"], json!(db));
    assert_eq!(std::fs::read(&db).expect("it is there"), b"These are notes.");
    let ran = sochdb(&["run", WEATHER, "peek_secret", "--db", "no/such/dir.redb", "--json"]);
    assert_eq!((ran.code, &*ran.error().0), (4, "io"));
}
