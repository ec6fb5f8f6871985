//! Plugins whose entry points do what a test says.

use std::fmt::Write;

use sochdb_wasmi::{
    abi::{
        Seq, Value,
        message::{HookAnswer, HookResponse, NewRow, RowSelector, WriteMode, WriteRequest},
    },
    capability::{Capabilities, Globs},
    database::{ColumnType, Database, MemoryLimits, MemoryStorage, TableSchema},
    host::{Host, HostConfig, NoClock, PluginConfig},
    limits::Limits,
};

use crate::support::encoded;

/// What an entry point does, step by step.
#[derive(Clone, Debug)]
pub enum Step {
    /// A host call, whatever it answers.
    Ask(&'static str, Vec<u8>),
    /// A host call; its status, if it is negative, ends the entry point.
    Must(&'static str, Vec<u8>),
    /// Returns these bytes.
    Answer(Vec<u8>),
    /// Returns this number.
    Return(i32),
    Trap,
    Loop,
    Grow,
}

const SCRATCH: usize = 0x4000;
const DATA: usize = 0x10000;
/// Bytes of the Input Buffer of a plugin.
pub const INPUT: usize = 0x1000;

/// A plugin with these entry points; with `last`, which returns the last input that one of them got, and
/// `count`, which returns how often they were called.
pub fn plugin(input: usize, entries: &[(&str, &[Step])]) -> Vec<u8> {
    let (mut functions, mut data) = (String::new(), Vec::new());
    for (name, steps) in entries {
        let body: String = steps.iter().map(|step| code(step, &mut data)).collect();
        let _ = write!(
            functions,
            "(func (export \"{name}\") (param i32) (result i32) (local $status i32)
                (global.set $len (local.get 0))
                (global.set $count (i32.add (global.get $count) (i32.const 1)))
                {body} (i32.const 0))"
        );
    }
    let words = [1, 0x1000, input as u32, 0x3000, 0x1000].map(u32::to_le_bytes).concat();
    let escaped =
        |bytes: &[u8]| bytes.iter().map(|byte| format!("\\{byte:02x}")).collect::<String>();
    let imports = ["soch_read", "soch_write", "soch_delete", "call_plugin"].map(|name| {
        format!(
            "(import \"sochdb\" \"{name}\" (func ${name} (param i32 i32 i32 i32) (result i32)))"
        )
    });
    let wat = format!(
        "(module {}
            (memory (export \"memory\") 4)
            (global (export \"sochdb_plugin\") i32 (i32.const 16))
            (global $len (mut i32) (i32.const 0))
            (global $count (mut i32) (i32.const 0))
            (data (i32.const 16) \"{}\")
            (data (i32.const {DATA}) \"{}\")
            (func (export \"last\") (param i32) (result i32)
                (memory.copy (i32.const 0x3000) (i32.const 0x1000) (global.get $len))
                (global.get $len))
            (func (export \"count\") (param i32) (result i32)
                (i32.store (i32.const 0x3000) (global.get $count)) (i32.const 4))
            {functions})",
        imports.concat(),
        escaped(&words),
        escaped(&data)
    );
    wat::parse_str(&wat).unwrap_or_else(|error| panic!("{error}\n{wat}"))
}

/// A step in WebAssembly. What it needs in memory goes behind `data`.
fn code(step: &Step, data: &mut Vec<u8>) -> String {
    let mut place = |bytes: &[u8]| {
        let at = DATA + data.len();
        data.extend_from_slice(bytes);
        at
    };
    let mut ask = |function: &str, request: &[u8]| {
        let (at, len) = (place(request), request.len());
        format!(
            "(local.set $status (call ${function} (i32.const {at}) (i32.const {len})
                 (i32.const {SCRATCH}) (i32.const 4096)))"
        )
    };
    match step {
        Step::Ask(function, request) => ask(function, request),
        Step::Must(function, request) => {
            ask(function, request)
                + "(if (i32.lt_s (local.get $status) (i32.const 0))
                       (then (return (local.get $status))))"
        }
        Step::Answer(bytes) => {
            let (at, len) = (place(bytes), bytes.len());
            format!(
                "(memory.copy (i32.const 0x3000) (i32.const {at}) (i32.const {len}))
                 (return (i32.const {len}))"
            )
        }
        Step::Return(code) => format!("(return (i32.const {code}))"),
        Step::Trap => "unreachable".into(),
        Step::Loop => "(loop (br 0))".into(),
        Step::Grow => "(drop (memory.grow (i32.const 4000)))".into(),
    }
}

/// What an entry point returns that answers its rows so.
pub fn answers(answers: &[HookAnswer<'_>]) -> Step {
    Step::Answer(encoded(&HookResponse { answers: Seq::new(answers) }))
}

/// The request to insert a row of `table` with the number `n`, or to write the row of an id.
pub fn row(table: &str, id: Option<u64>, n: i64) -> Vec<u8> {
    let values = [Value::Int(n), Value::Null];
    encoded(&WriteRequest {
        table,
        mode: if id.is_some() { WriteMode::Upsert } else { WriteMode::Insert },
        columns: Seq::empty(),
        rows: Seq::new(&[NewRow { id, values: Seq::new(&values) }]),
    })
}

/// The tables `t`, `u`, `v` and `w`, each of a number and a text.
pub fn database() -> Database {
    let mut database = Database::in_memory(MemoryLimits::default());
    for name in ["t", "u", "v", "w"] {
        let schema = TableSchema::new(name)
            .and_then(|schema| schema.column("n", ColumnType::Int))
            .and_then(|schema| schema.nullable_column("s", ColumnType::Text))
            .expect("a schema");
        database.create_table(schema).expect("a table");
    }
    database
}

pub fn host() -> Host<MemoryStorage> {
    Host::new(HostConfig::default(), database(), NoClock)
}

/// May do everything.
pub fn config() -> PluginConfig {
    let all = || Globs::new(&["*"]).expect("a pattern");
    let capabilities = Capabilities {
        can_read_table: all(),
        can_write_table: all(),
        can_call_plugin: all(),
        ..Capabilities::default()
    };
    let limits = Limits { deadline_ms: None, fuel_per_call: 1_000_000, ..Limits::default() };
    PluginConfig::new(capabilities).with_limits(limits)
}

/// The rows of a table: id, number and text.
pub fn rows(host: &Host<MemoryStorage>, table: &str) -> Vec<(u64, i64, Option<String>)> {
    let database = host.database();
    let table = database.table_id(table).expect("the table is there");
    let mut rows = Vec::new();
    let mut meter = sochdb_wasmi::meter::Meter::unlimited();
    database
        .scan_rows(table, 0, None, &mut meter, &mut |id, row| {
            let number = row.value(0).and_then(|value| value.as_int()).expect("a number");
            let text = row.value(1).and_then(|value| value.as_text().map(String::from));
            rows.push((id, number, text));
            std::ops::ControlFlow::Continue(())
        })
        .expect("memory does not fail");
    rows
}

/// Everything of a table.
pub const ALL: RowSelector<'static> = RowSelector::ALL;
