//! Requests of every host function that take the host the most work for what they pay: generated from lists
//! of values, and by hand.

use sochdb_wasmi::abi::HOST_FUNCTIONS;

use super::values::{Named, arrays, bytes, list, objects, small, text, texts, varint};

/// Rows of the tables that have many.
const ROWS: u64 = 500;

/// About how many bytes a long value has.
const LEN: usize = 4_000;

/// A request, and the rows that there are before it.
pub struct Case {
    pub name: String,
    pub function: &'static str,
    pub request: Vec<u8>,
    /// Tables, and the values of a row each.
    pub rows: Vec<(&'static str, Vec<Vec<u8>>)>,
    /// Which tables may be read.
    pub readable: &'static [&'static str],
}

/// A plugin whose input is the length of a request, the capacity of the response, and the request; with an
/// entry point for each host function, which calls it again and again.
pub fn module() -> Vec<u8> {
    let mut functions = String::new();
    let mut imports = String::new();
    for spec in HOST_FUNCTIONS {
        let name = spec.name;
        imports += &format!(
            r#"(import "sochdb" "{name}" (func ${name} (param i32 i32 i32 i32) (result i32)))"#
        );
        let call = format!(
            "(i32.store (i32.const 64) (call ${name} (i32.const 1032) (i32.load (i32.const 1024)) \
             (i32.const 2097152) (i32.load (i32.const 1028))))"
        );
        functions += &format!(
            r#"(func (export "{name}") (param i32) (result i32)
                (loop $again {call} (br $again)) (i32.const 4))"#
        );
    }
    wat::parse_str(format!(
        r#"(module {imports}
            (memory (export "memory") 64)
            (global (export "sochdb_plugin") i32 (i32.const 0))
            (data (i32.const 0)
                "\01\00\00\00" "\00\04\00\00" "\00\00\10\00" "\40\00\00\00" "\10\00\00\00")
            {functions})"#
    ))
    .expect("a module")
}

fn case(function: &'static str, name: impl Into<String>, request: Vec<u8>) -> Case {
    Case { name: name.into(), function, request, rows: vec![], readable: &["*"] }
}

impl Case {
    /// Whether it matters how large the response is.
    pub fn answers_rows(&self) -> bool {
        matches!(self.function, "soch_read" | "vector_search" | "index_lookup")
    }

    fn with(mut self, table: &'static str, count: u64, values: &[Vec<u8>]) -> Self {
        self.rows.extend((0..count).map(|_| (table, values.to_vec())));
        self
    }
}

const NULL: [u8; 1] = [0];

fn name(name: &str) -> Vec<u8> {
    bytes(name.as_bytes())
}

fn int(value: u64) -> Vec<u8> {
    [vec![2], varint(value * 2)].concat()
}

/// A row of the table `any` with one long value, by the kind of that value.
fn row_of(value: &[u8]) -> Vec<Vec<u8>> {
    let mut row = vec![NULL.to_vec(), NULL.to_vec(), NULL.to_vec(), NULL.to_vec(), int(1)];
    let place = match value[0] {
        7 => 0,
        8 => 1,
        5 => 2,
        _ => 3,
    };
    row[place] = value.to_vec();
    row
}

/// The same beside an index or a vector: for arrays, or texts.
fn row_beside(value: &[u8], last: Vec<u8>) -> Option<Vec<Vec<u8>>> {
    match value[0] {
        7 => Some(vec![value.to_vec(), text("a"), last]),
        _ => None,
    }
}

fn long_values() -> Vec<Named> {
    let mut all = arrays(LEN);
    all.extend(objects(LEN));
    all.extend(texts(LEN));
    all.push(("binary".into(), [vec![6], bytes(&vec![1; LEN])].concat()));
    all
}

fn write(table: &str, mode: u8, columns: &[&str], rows: Vec<u8>) -> Vec<u8> {
    let names: Vec<u8> = columns.iter().flat_map(|column| name(column)).collect();
    [name(table), vec![mode], varint(columns.len() as u64), names, rows].concat()
}

fn row(id: Option<u64>, values: &[Vec<u8>]) -> Vec<u8> {
    let id = id.map_or(vec![0], |id| [vec![1], varint(id)].concat());
    [id, varint(values.len() as u64), values.concat()].concat()
}

fn one_row(id: Option<u64>, values: &[Vec<u8>]) -> Vec<u8> {
    [vec![1], row(id, values)].concat()
}

const ONE: [u8; 2] = [0, 1];
const ALL: [u8; 3] = [2, 0, 0];

fn ids(count: usize) -> Vec<u8> {
    [vec![1], list(count, &[1])].concat()
}

fn missing_ids(count: usize) -> Vec<u8> {
    [vec![1], list(count, &[100])].concat()
}

fn read(table: &str, rows: &[u8], columns: &[&str], toon: u8) -> Vec<u8> {
    let names: Vec<u8> = columns.iter().flat_map(|column| name(column)).collect();
    [name(table), rows.to_vec(), varint(columns.len() as u64), names, vec![0, toon]].concat()
}

fn writes() -> Vec<Case> {
    let mut cases = vec![];
    for (value_name, value) in long_values() {
        let row = row_of(&value);
        let whole = one_row(None, &row);
        let writing =
            |what: &str, request| case("soch_write", format!("{what}, {value_name}"), request);
        cases.push(writing("insert", write("any", 0, &[], whole.clone())));
        let mut cut = write("any", 0, &[], whole.clone());
        cut.push(0);
        cases.push(writing("a byte too many", cut));
        cases.push(writing("no such table", write("none", 0, &[], whole)));
        cases.push(
            writing(
                "update of another column",
                write("any", 1, &["int"], one_row(Some(1), &[int(2)])),
            )
            .with("any", 1, &row),
        );
        if let Some(row) = row_beside(&value, int(1)) {
            let request = write("indexed", 2, &["int"], one_row(Some(1), &[int(2)]));
            cases.push(writing("update beside indexes", request).with("indexed", 1, &row));
            let request = write("indexed", 0, &[], one_row(None, &row));
            cases.push(writing("insert beside indexes", request));
        }
    }
    for (value_name, value) in small() {
        let request = write("wide", 0, &[], list(300, &row(None, &vec![value; 32])));
        cases.push(case("soch_write", format!("rows of 32, {value_name}"), request));
    }
    let empty = write("wide", 0, &[], list(LEN / 2, &[0, 0]));
    cases.push(case("soch_write", "rows without values", empty));
    let mut names = [name("wide"), vec![0], list(LEN / 2, &name("x"))].concat();
    names.push(0);
    cases.push(case("soch_write", "many columns", names));
    let nulls = write("wide", 0, &["c0"], list(3000, &row(None, &[NULL.to_vec()])));
    cases.push(case("soch_write", "many small rows", nulls));
    cases
}

fn reads() -> Vec<Case> {
    let mut cases = vec![];
    for (value_name, value) in long_values() {
        let row = row_of(&value);
        for (what, rows) in [("one", ONE.to_vec()), ("list", ids(3)), ("range", ALL.to_vec())] {
            for (how, columns, toon) in [
                ("whole", &[][..], 0),
                ("last column", &["int"], 0),
                ("all in another order", &["int", "binary", "text", "object", "array"], 0),
                ("last column in TOON", &["int"], 1),
                ("TOON", &[], 1),
                ("long columns in TOON", &["text", "binary"], 1),
            ] {
                let request = read("any", &rows, columns, toon);
                let name = format!("{what}, {how}, {value_name}");
                cases.push(case("soch_read", name, request).with("any", 1, &row));
            }
        }
    }
    let short = |case: Case| case.with("wide", ROWS, &vec![NULL.to_vec(); 32]);
    for (how, columns, toon) in [
        ("whole", &[][..], 0),
        ("last column", &["c31"], 0),
        ("two in another order", &["c31", "c30"], 0),
        ("TOON", &[], 1),
    ] {
        let request = read("wide", &ALL, columns, toon);
        cases.push(short(case("soch_read", format!("many rows, {how}"), request)));
    }
    cases.push(case("soch_read", "missing ids", read("wide", &missing_ids(LEN), &[], 0)));
    let mut cut = read("wide", &missing_ids(LEN), &[], 0);
    cut.push(1);
    cases.push(case("soch_read", "ids and a byte too many", cut));
    let mut long = list(LEN / 10, &[255, 255, 255, 255, 255, 255, 255, 255, 255, 1]);
    long.push(1);
    let cut = [name("wide"), vec![1], long].concat();
    cases.push(case("soch_read", "long ids that end early", cut));
    let names = [name("wide"), ALL.to_vec(), list(LEN / 3, &name("c0")), vec![0, 0]].concat();
    cases.push(case("soch_read", "a column many times", names));
    let names = [name("wide"), ALL.to_vec(), list(LEN, &name("")), vec![0, 0]].concat();
    cases.push(case("soch_read", "many empty names of columns", names));
    let mut denied = case("soch_read", "denied, ids", read("wide", &missing_ids(LEN), &[], 0));
    denied.readable = &["any"];
    cases.push(denied);
    cases.push(case("soch_read", "no such row", read("wide", &[0, 99], &[], 0)));
    cases.push(case("soch_read", "long name of a table", read(&"é".repeat(LEN / 2), &ONE, &[], 0)));
    cases
}

fn deletes() -> Vec<Case> {
    let delete = |rows: &[u8]| [name("indexed"), rows.to_vec()].concat();
    let mut cases = vec![
        case("soch_delete", "missing ids", delete(&missing_ids(LEN))),
        case(
            "soch_delete",
            "ids and a byte too many",
            [delete(&missing_ids(LEN)), vec![0]].concat(),
        ),
        case("soch_delete", "an empty range", delete(&ALL)),
    ];
    for (value_name, value) in arrays(LEN) {
        let row = row_beside(&value, int(1)).expect("an array");
        let deleting = case("soch_delete", format!("beside indexes, {value_name}"), delete(&ONE));
        cases.push(deleting.with("indexed", 1, &row));
    }
    cases.push(case("soch_delete", "a range", delete(&ALL)).with("wide", 0, &[]).with(
        "indexed",
        1,
        &[NULL.to_vec(), text("a"), int(1)],
    ));
    cases
}

fn search(table: &str, query: &[u8], k: u64, filter: &[u8], columns: &[u8]) -> Vec<u8> {
    [name(table), name("vector"), bytes(query), varint(k), filter.to_vec(), columns.to_vec()]
        .concat()
}

fn conditions(count: usize, column: &str, comparison: u8, value: &[u8]) -> Vec<u8> {
    list(count, &[name(column), vec![comparison], value.to_vec()].concat())
}

fn searches() -> Vec<Case> {
    let one = 1.0_f32.to_le_bytes();
    let vector = [vec![6], bytes(&one)].concat();
    let many: Vec<u8> = one.repeat(4096);
    let none = [0];
    let mut cases = vec![];
    let short = [NULL.to_vec(), text("a"), int(1), vector.clone()];
    for (what, k, filter) in [
        ("k of 1", 1, vec![0]),
        ("k of 500", ROWS, vec![0]),
        ("8 conditions on the last column", 1, conditions(8, "int", 0, &int(1))),
        ("8 conditions that are not met", 1, conditions(8, "int", 0, &int(2))),
        ("a condition for null", 1, conditions(1, "array", 0, &NULL)),
    ] {
        let request = search("one", &one, k, &filter, &none);
        cases.push(case("vector_search", what, request).with("one", ROWS, &short));
        let request = search("one", &one, k, &filter, &[1, 0]);
        cases.push(
            case("vector_search", format!("{what}, with columns"), request)
                .with("one", ROWS, &short),
        );
    }
    for (value_name, value) in arrays(LEN) {
        let mut row = row_beside(&value, int(1)).expect("an array");
        row.push(vector.clone());
        for count in [1, 8] {
            let filter = conditions(count, "int", 0, &int(2));
            let request = search("one", &one, 1, &filter, &none);
            let what = format!("{count} conditions behind {value_name}");
            cases.push(case("vector_search", what, request).with("one", 1, &row));
        }
        let request = search("one", &one, 1, &[0], &[[1, 1].to_vec(), name("int")].concat());
        let what = format!("a column behind {value_name}");
        cases.push(case("vector_search", what, request).with("one", 1, &row));
    }
    for (value_name, value) in texts(LEN) {
        let row = [NULL.to_vec(), value.clone(), int(1), vector.clone()];
        let request = search("one", &one, 1, &conditions(8, "text", 0, &value), &none);
        let what = format!("8 conditions for a {value_name}");
        cases.push(case("vector_search", what, request).with("one", 1, &row));
        let request = search("one", &one, 1, &conditions(8, "text", 2, &text("")), &none);
        let what = format!("8 conditions for less than a {value_name}");
        cases.push(case("vector_search", what, request).with("one", 1, &row));
    }
    let filter = conditions(LEN / 8, "int", 0, &NULL);
    cases.push(case(
        "vector_search",
        "too many conditions",
        search("one", &one, 1, &filter, &none),
    ));
    let row = [NULL.to_vec(), text("a"), int(1), [vec![6], bytes(&many)].concat()];
    let request = search("many", &many, 1, &[0], &none);
    cases.push(case("vector_search", "4096 dimensions", request).with("many", 20, &row));
    cases.push(case(
        "vector_search",
        "a query of another length",
        search("many", &one, 1, &[0], &none),
    ));
    let infinite = f32::NAN.to_le_bytes().repeat(4096);
    cases.push(case(
        "vector_search",
        "a query that is not finite",
        search("many", &infinite, 1, &[0], &none),
    ));
    cases
}

fn lookup(query: &[u8], reverse: u8, after: Option<&[u8]>, columns: &[u8]) -> Vec<u8> {
    let after = after.map_or(vec![0], |after| [vec![1], bytes(after)].concat());
    [name("indexed"), name("i0"), query.to_vec(), vec![reverse, 0], after, columns.to_vec()]
        .concat()
}

fn lookups() -> Vec<Case> {
    let mut cases = vec![];
    let all = [2, 0, 0];
    for reverse in [0, 1] {
        for (what, columns) in [("ids", vec![0]), ("all columns", vec![1, 0])] {
            let mut looking = case(
                "index_lookup",
                format!("all entries, {what}, reverse {reverse}"),
                lookup(&all, reverse, None, &columns),
            );
            for value in 0..ROWS {
                looking.rows.push(("indexed", vec![NULL.to_vec(), text("a"), int(value)]));
            }
            cases.push(looking);
        }
    }
    for (value_name, value) in arrays(LEN) {
        let row = row_beside(&value, int(1)).expect("an array");
        let columns = [vec![1, 1], name("int")].concat();
        let what = format!("a column behind {value_name}");
        cases.push(
            case("index_lookup", what, lookup(&all, 0, None, &columns)).with("indexed", 1, &row),
        );
    }
    for (value_name, value) in texts(LEN) {
        for (what, kind) in [("point", 0), ("prefix", 1)] {
            let query = [vec![kind, 1], value.clone()].concat();
            let what = format!("{what}, {value_name}");
            cases.push(case("index_lookup", what, lookup(&query, 0, None, &[0])));
        }
    }
    let zeros = [vec![0, 1], text(&"\0".repeat(LEN))].concat();
    cases.push(case("index_lookup", "zeros", lookup(&zeros, 0, None, &[0])));
    let values = [vec![0], list(LEN, &NULL)].concat();
    cases.push(case("index_lookup", "too many values", lookup(&values, 0, None, &[0])));
    for (value_name, value) in arrays(LEN).into_iter().chain(objects(LEN)) {
        let query = [vec![0, 1], value].concat();
        cases.push(case(
            "index_lookup",
            format!("a wrong value, {value_name}"),
            lookup(&query, 0, None, &[0]),
        ));
    }
    cases.push(case("index_lookup", "a long cursor", lookup(&all, 0, Some(&vec![1; LEN]), &[0])));
    cases.push(case("index_lookup", "no entry", lookup(&all, 0, None, &[0])));
    cases
}

fn metric(name_: &[u8], labels: &[u8], value: f64) -> Vec<u8> {
    [vec![0], name_.to_vec(), labels.to_vec(), value.to_le_bytes().to_vec()].concat()
}

fn others() -> Vec<Case> {
    let labels = |count: usize| {
        let pairs = (0..count).map(|at| [name(&format!("l{at:06}")), name("v")].concat());
        [varint(count as u64), pairs.collect::<Vec<_>>().concat()].concat()
    };
    let one = |label: Vec<u8>| [vec![1], name("l"), label].concat();
    let mut cases = vec![
        case("emit_metric", "no labels", metric(&name("m"), &[0], 1.0)),
        case("emit_metric", "8 labels", metric(&name("m"), &labels(8), 1.0)),
        case("emit_metric", "many labels", metric(&name("m"), &labels(LEN / 10), 1.0)),
        case("emit_metric", "many empty labels", metric(&name("m"), &list(LEN / 2, &[0, 0]), 1.0)),
        case("emit_metric", "a long name", metric(&name(&"a".repeat(LEN)), &[0], 1.0)),
        case("emit_metric", "a negative counter", metric(&name("m"), &labels(8), -1.0)),
        case(
            "emit_metric",
            "labels and a byte too many",
            [metric(&name("m"), &list(LEN / 2, &[0, 0]), 1.0), vec![0]].concat(),
        ),
        case("get_config", "a key", name("key")),
        case("get_config", "an empty key", name("")),
        case("get_config", "a byte too many", vec![0, 0]),
        case("last_error", "none", vec![]),
        case("last_error", "a byte too many", vec![0]),
        case("log_message", "empty", vec![0, 0]),
    ];
    for (value_name, value) in texts(LEN) {
        let long = &value[1..];
        cases.push(case(
            "emit_metric",
            format!("a long label, {value_name}"),
            metric(&name("m"), &one(long.to_vec()), 1.0),
        ));
        cases.push(case("emit_metric", format!("a name, {value_name}"), metric(long, &[0], 1.0)));
        cases.push(case("get_config", format!("a long key, {value_name}"), long.to_vec()));
        cases.push(case("log_message", value_name.clone(), [vec![0], long.to_vec()].concat()));
    }
    for (value_name, value) in texts(1000) {
        let message = [vec![0], value[1..].to_vec()].concat();
        cases.push(case("log_message", format!("short {value_name}"), message));
    }
    cases
}

/// All cases.
pub fn all() -> Vec<Case> {
    [writes(), reads(), deletes(), searches(), lookups(), others()].into_iter().flatten().collect()
}
