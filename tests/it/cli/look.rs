//! `db`: what a database holds, in a file of `--db` and in a dump of a device's flash.

use std::{fs, process::Stdio};

use serde_json::{Value as Json, json};
use sochdb_wasmi::{
    abi::Value,
    database::{
        ColumnType, Database, DistanceMetric, FlashStorage, RedbConfig, RedbStorage, Storage,
        TableSchema,
    },
};

use super::{file, path, sochdb};
use crate::{
    nor_flash::{BLOCK, SimulatedFlash},
    runner,
};

/// A table with every type that a cell can hold, and one of arrays.
fn fill<S: Storage>(database: &mut Database<S>) {
    let things = TableSchema::new("things")
        .and_then(|t| t.column("name", ColumnType::Text))
        .and_then(|t| t.nullable_column("stock", ColumnType::Int))
        .and_then(|t| t.column("price", ColumnType::Float))
        .and_then(|t| t.column("code", ColumnType::Binary))
        .and_then(|t| t.vector("shape", 2, DistanceMetric::Euclidean))
        .and_then(|t| t.column("origin", ColumnType::Ref))
        .and_then(|t| t.unique_index("by_name", &["name"]))
        .expect("a schema");
    database.create_table(things).expect("a table");
    for (id, stock) in [(1, Some(5)), (2, None), (9, Some(-7))] {
        let shape = [0.1_f32, id as f32].map(f32::to_le_bytes).concat();
        let name = format!("thing, \"{id}\"");
        let values = [
            Value::Text(&name),
            stock.map_or(Value::Null, Value::Int),
            Value::Float(0.5 + id as f64),
            Value::Binary(&[0xab, id as u8]),
            Value::Binary(&shape),
            Value::Ref { table: "lands", id },
        ];
        database.insert("things", Some(id), &values).expect("a row");
    }
    let empty = TableSchema::new("empty").and_then(|t| t.column("flag", ColumnType::Bool));
    database.create_table(empty.expect("a schema")).expect("a table");
    database.commit().expect("a commit");
}

/// The same tables in a file of redb and in a dump of a device's flash.
fn databases(test: &str) -> [String; 2] {
    let redb = path(test, "things.redb");
    fill(&mut Database::open(RedbStorage::open(&redb, RedbConfig::default()).unwrap()).unwrap());
    let mut memory = vec![0xff; 64 * BLOCK];
    {
        let flash = SimulatedFlash::<_, 4>::new(&mut memory);
        let end = (64 * BLOCK) as u32;
        fill(&mut Database::open(FlashStorage::open(flash, 0..end).unwrap()).unwrap());
    }
    [redb, file(test, "things.flash", memory)]
}

#[test]
fn tables_rows_and_figures_are_the_same_in_a_file_and_in_a_dump_of_flash() {
    let both = databases("look");
    for command in ["tables", "stats", "check"] {
        let [a, b] = both.each_ref().map(|db| sochdb(&["db", command, db]));
        assert_eq!((a.code, &*a.stderr), (0, ""), "{command}");
        assert_eq!((b.code, &b.stdout), (0, &a.stdout), "{command}: {}", b.stderr);
    }
    for db in &both {
        let tables = sochdb(&["db", "tables", db]).stdout;
        assert!(
            tables.contains("things: 3 rows\n  name text\n  stock int, nullable\n"),
            "{tables}"
        );
        assert!(tables.contains("  shape vector of 2, euclidean\n"), "{tables}");
        assert!(tables.contains("  unique index by_name: name\n"), "{tables}");
        let json = sochdb(&["db", "tables", db, "--json"]).json();
        assert_eq!(
            (&json["tables"][0]["table"], &json["tables"][1]["rows"]),
            (&json!("empty"), &json!(3))
        );
        let stats = sochdb(&["db", "stats", db, "--json"]).json();
        assert_eq!(
            (&stats["tables"][1]["first_id"], &stats["tables"][1]["last_id"]),
            (&json!(1), &json!(9))
        );
        let rows = sochdb(&["db", "show", db, "things", "--json"]).json();
        let expected = json!({"id": 9, "name": "thing, \"9\"", "stock": -7, "price": 9.5,
            "code": "ab09", "shape": [0.1, 9.0], "origin": "lands:9"});
        assert_eq!(rows["rows"][2], expected);
        assert_eq!(rows["rows"][1]["stock"], Json::Null);
    }
}

#[test]
fn looking_changes_no_byte_of_a_dump_and_nothing_in_a_file() {
    let [redb, dump] = databases("look_only");
    let before = fs::read(&dump).unwrap();
    for command in
        [&["tables"][..], &["show", "things"], &["check"], &["stats"], &["export", "things"]]
    {
        for db in [&redb, &dump] {
            let arguments = [&["db", command[0], db][..], &command[1..]].concat();
            assert_eq!(sochdb(&arguments).code, 0, "{command:?}");
        }
    }
    assert_eq!(fs::read(&dump).unwrap(), before);
    assert_eq!(sochdb(&["db", "diff", &redb, &dump]).code, 0);
    // Nothing is made where nothing is.
    let missing = path("look_only", "missing.redb");
    let ran = sochdb(&["db", "tables", &missing, "--json"]);
    assert_eq!((ran.code, &*ran.error().0), (4, "io"));
    assert!(!fs::exists(&missing).unwrap());
}

#[test]
fn rows_are_found_by_conditions_of_every_kind() {
    let [db, _] = databases("look_where");
    let ids = |conditions: &[&str]| {
        let mut arguments = vec!["db", "show", &db, "things", "--json"];
        for condition in conditions {
            arguments.extend(["--where", condition]);
        }
        let ran = sochdb(&arguments);
        assert_eq!(ran.code, 0, "{conditions:?}: {}", ran.stderr);
        let rows = ran.json()["rows"].as_array().unwrap().clone();
        rows.iter().map(|row| row["id"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(ids(&[]), [1, 2, 9]);
    assert_eq!(ids(&["stock=5"]), [1]);
    assert_eq!(ids(&["stock<0"]), [9]);
    assert_eq!(ids(&["stock=null"]), [2]);
    assert_eq!(ids(&["stock!=null"]), [1, 9]);
    assert_eq!(ids(&["stock != 5"]), [2, 9]);
    assert_eq!(ids(&["price>=2.5", "price<9.5"]), [2]);
    assert_eq!(ids(&["name=thing, \"2\""]), [2]);
    assert_eq!(ids(&["code=ab 01"]), [1]);
    assert_eq!(ids(&["origin>lands:1"]), [2, 9]);
    assert!(ids(&["price>100"]).is_empty());
    for wrong in ["stock", "stock~5", "size=5", "stock=five", "stock<null", "shape=1", "code=zz"] {
        let ran = sochdb(&["db", "show", &db, "things", "--where", wrong, "--json"]);
        assert_eq!((ran.code, &*ran.error().0), (3, "condition"), "{wrong}");
    }
    let ran = sochdb(&["db", "show", &db, "things", "--limit", "1"]);
    assert_eq!(ran.stderr, "1 of 3 rows; --limit and --from show others\n");
    assert!(ran.stdout.starts_with("id  name        stock  price  code"), "{}", ran.stdout);
    let ran = sochdb(&["db", "show", &db, "nothing", "--json"]);
    assert_eq!((ran.code, &*ran.error().0), (3, "no_table"));
    assert!(ran.stderr.contains("it has empty, things"), "{}", ran.stderr);
}

#[test]
fn an_exported_table_is_loaded_again_as_it_was() {
    let [db, _] = databases("look_export");
    let csv = path("look_export", "things.csv");
    let ran = sochdb(&["db", "export", &db, "things", "--out", &csv]);
    assert_eq!((ran.code, &*ran.stdout), (0, ""), "{}", ran.stderr);
    assert_eq!(sochdb(&["db", "export", &db, "things"]).stdout, fs::read_to_string(&csv).unwrap());
    let schema = file(
        "look_export",
        "schema.toml",
        "[tables.empty.columns]\nflag = \"bool\"\n[tables.things.columns]\nname = \"text\"\n\
         stock = { type = \"int\", nullable = true }\nprice = \"float\"\ncode = \"binary\"\n\
         shape = { type = \"vector\", dimensions = 2, metric = \"euclidean\" }\norigin = \"ref\"\n\
         [tables.things.indexes]\nby_name = { columns = [\"name\"], unique = true }\n",
    );
    let again = path("look_export", "again.redb");
    let load = format!("things={csv}");
    let ran = sochdb(&[
        "run",
        super::WEATHER,
        "peek_secret",
        "--db",
        &again,
        "--schema",
        &schema,
        "--load",
        &load,
    ]);
    assert!(ran.stderr.contains("3 rows into things"), "{}", ran.stderr);
    let ran = sochdb(&["db", "export", &again, "things", "--format", "jsonl"]);
    let values = |text: &str| -> Vec<Json> {
        let rows = text.lines().map(|line| serde_json::from_str::<Json>(line).unwrap());
        rows.map(|mut row| row.as_object_mut().unwrap().remove("id").map(|_| row).unwrap())
            .collect()
    };
    let expected = sochdb(&["db", "export", &db, "things", "--format", "jsonl"]).stdout;
    assert_eq!(values(&ran.stdout), values(&expected), "{}", ran.stderr);
}

#[test]
fn a_difference_of_two_databases_names_table_row_and_column() {
    let [a, b] = databases("look_diff");
    let same = sochdb(&["db", "diff", &a, &b]);
    assert_eq!((same.code, &*same.stdout, &*same.stderr), (0, "", "the same\n"));
    {
        let storage = RedbStorage::open(&a, RedbConfig::default()).unwrap();
        let mut database = Database::open(storage).unwrap();
        database.insert("empty", Some(4), &[Value::Bool(true)]).unwrap();
        let more = TableSchema::new("more").and_then(|t| t.column("n", ColumnType::Int)).unwrap();
        database.create_table(more).unwrap();
        database.commit().unwrap();
    }
    let ran = sochdb(&["db", "diff", &a, &b]);
    assert_eq!(
        (ran.code, &*ran.stdout),
        (1, "empty 4: only in the first\nmore: only in the first\n")
    );
    let ran = sochdb(&["db", "diff", &b, &a, "--json"]);
    assert_eq!(ran.json()["differences"][0]["what"], "only in the second");
}

#[test]
fn a_damaged_or_foreign_file_is_named() {
    let [redb, dump] = databases("look_damaged");
    let mut bytes = fs::read(&dump).unwrap();
    bytes.truncate(30 * BLOCK);
    let cut = file("look_damaged", "cut.flash", &bytes);
    let odd = file("look_damaged", "odd.flash", &bytes[..5000]);
    let notes = file("look_damaged", "notes.txt", "These are notes.");
    let erased = file("look_damaged", "erased.flash", vec![0xff; 64 * BLOCK]);
    for path in [&cut, &odd, &notes, &erased] {
        let ran = sochdb(&["db", "check", path, "--json"]);
        assert_eq!((ran.code, &*ran.error().0), (3, "database"), "{path}");
        assert_eq!(ran.json()["error"]["file"], json!(path));
    }
    let ran = sochdb(&["db", "check", "src", "--json"]);
    assert_eq!((ran.code, &*ran.error().0), (4, "io"));
    // A reader that has seen enough is no failure.
    let program = env!("CARGO_BIN_EXE_sochdb-wasmi");
    let mut child = runner::command(program)
        .args(["db", "export", &redb, "things"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let status = child.wait().unwrap();
    assert_eq!(status.code(), Some(0));
}

// What a device holds could be looked at, but not taken to a desk to work with, or put onto a device.
#[test]
fn a_database_is_the_same_in_a_file_and_on_flash_after_each_is_made_of_the_other() {
    for (name, from) in ["redb", "flash"].into_iter().zip(databases("convert")) {
        let flash = path("convert", &format!("{name}_to.flash"));
        let ran = sochdb(&["db", "convert", &from, &flash, "--flash", "262144"]);
        assert_eq!((ran.code, &*ran.stdout), (0, ""), "{}", ran.stderr);
        assert_eq!(fs::metadata(&flash).expect("it is there").len(), 262_144);
        let back = path("convert", &format!("{name}_back.redb"));
        assert_eq!(sochdb(&["db", "convert", &flash, &back]).code, 0);
        for other in [&flash, &back] {
            let ran = sochdb(&["db", "diff", &from, other]);
            assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
        }
        // Ids go on where they were: 9 was the last one.
        let mut database =
            Database::open(RedbStorage::open(&back, RedbConfig::default()).unwrap()).unwrap();
        assert_eq!(database.insert("empty", None, &[Value::Bool(true)]), Ok(1));
        let values = [
            Value::Text("new"),
            Value::Null,
            Value::Float(0.0),
            Value::Binary(&[]),
            Value::Binary(&[0; 8]),
            Value::Ref { table: "lands", id: 1 },
        ];
        assert_eq!(database.insert("things", None, &values), Ok(10));
    }
}

// One damaged byte in a commit log, and nothing of a dump could be read any more.
#[test]
fn what_is_whole_in_a_damaged_dump_is_salvaged_and_the_rest_is_named() {
    let [redb, dump] = databases("salvage");
    let out = path("salvage", "whole.redb");
    let ran = sochdb(&["db", "convert", &dump, &out, "--salvage", "--json"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(ran.json()["salvage"]["damaged_pages"], json!([]));
    assert_eq!(sochdb(&["db", "diff", &redb, &out]).code, 0);
    // The commit log is gone.
    let mut bytes = fs::read(&dump).expect("it is there");
    let logs: Vec<_> = (0..bytes.len())
        .step_by(BLOCK)
        .filter(|at| bytes[*at..].starts_with(b"SoF2\x02"))
        .collect();
    logs.iter().for_each(|at| bytes[at + 40..at + 80].fill(0x55));
    let damaged = file("salvage", "damaged.flash", bytes);
    let ran = sochdb(&["db", "convert", &damaged, &path("salvage", "no.redb"), "--json"]);
    assert_eq!((ran.code, &*ran.error().0), (3, "database"));
    let out = path("salvage", "damaged.redb");
    let ran = sochdb(&["db", "convert", &damaged, &out, "--salvage"]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(ran.stderr.contains("the commit log is damaged"), "{}", ran.stderr);
    let ran = sochdb(&["db", "show", &out, "things", "--json"]);
    assert_eq!(ran.json()["matching"], json!(3), "{}", ran.stderr);
}

#[test]
fn a_database_that_cannot_be_converted_leaves_no_file() {
    let [redb, _] = databases("convert_refused");
    let there = file("convert_refused", "there.redb", "somebody's");
    let ran = sochdb(&["db", "convert", &redb, &there, "--json"]);
    assert_eq!((ran.code, &*ran.error().0), (4, "exists"));
    assert_eq!(fs::read(&there).expect("it is there"), b"somebody's");
    let out = path("convert_refused", "out.flash");
    for bytes in ["0", "4096", "1000000"] {
        let ran = sochdb(&["db", "convert", &redb, &out, "--flash", bytes, "--json"]);
        assert_eq!(ran.code, 3, "{bytes}: {}", ran.stderr);
        assert!(ran.stderr.contains("out.flash"), "{}", ran.stderr);
    }
    let damaged = file("convert_refused", "damaged.flash", [0; 65_536]);
    assert_eq!(sochdb(&["db", "convert", &damaged, &out]).code, 3);
    let nowhere = path("convert_refused", "no/such/directory");
    assert_eq!(sochdb(&["db", "convert", &redb, &nowhere]).code, 4);
    let directory = super::directory("convert_refused");
    let left: Vec<_> = fs::read_dir(directory).expect("it is there").flatten().collect();
    assert_eq!(left.len(), 4, "{left:?}");
}

// Rows could be added to a file only by a call of some plugin.
#[test]
fn rows_are_imported_without_a_plugin_all_or_none() {
    let db = path("import", "things.redb");
    let rows = file("import", "rows.csv", "name,price\nnut,0.5\nbolt,1\n");
    let bad = file("import", "bad.csv", "name,price\nnail,2\nscrew,cheap\n");
    let load = format!("things={rows}");
    let ran = sochdb(&["db", "import", &db, "--load", &load, "--json"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(ran.json()["loaded"], json!({"things": 2}));
    let both = format!("things={bad}");
    let ran = sochdb(&["db", "import", &db, "--load", &load, "--load", &both, "--json"]);
    assert_eq!((ran.code, ran.error()), (3, ("csv".into(), Some(3), None)), "{}", ran.stderr);
    let exported = sochdb(&["db", "export", &db, "things"]);
    assert_eq!(exported.stdout, "id,name,price\n1,nut,0.5\n2,bolt,1\n");
    let nothing = sochdb(&["db", "import", &db, "--json"]);
    assert_eq!((nothing.code, &*nothing.error().0), (2, "usage"));
    let flash = file("import", "dump.flash", [0xff; 8192]);
    let ran = sochdb(&["db", "import", &flash, "--load", &load]);
    assert_eq!((ran.code, fs::read(&flash).expect("it is there")), (3, vec![0xff; 8192]));
}
