//! What is measured: a plugin that makes one host call in a loop, against a host with real tables,
//! and the same loop around a wasmi host function that does nothing.

mod chains;
mod looped;

pub use chains::Chain;
use sochdb_wasmi::{
    abi::{
        HOST_FUNCTIONS, Seq, Value,
        message::*,
        wire::{self, Wire},
    },
    audit::PluginId,
    capability::{Capabilities, Globs},
    database::{ColumnType, Database, DistanceMetric, MemoryLimits, TableSchema},
    host::{Host, HostConfig, NoClock, PluginConfig},
    limits::Limits,
};

/// Rows in each table.
pub const ROWS: u64 = 10_000;
/// Dimensions of the vectors.
pub const DIMENSIONS: usize = 128;

/// One host call that is measured.
pub struct Case {
    /// Name of the benchmark.
    pub name: &'static str,
    function: &'static str,
    request: Vec<u8>,
}

fn encoded<'a>(message: &impl Wire<'a>) -> Vec<u8> {
    let mut bytes = vec![0; 1 << 16];
    let len = wire::encode(message, &mut bytes).expect("fits");
    bytes.truncate(len);
    bytes
}

/// Component `at` of the vector of row `id`: some spread of values, the same everywhere.
pub fn component(id: u64, at: usize) -> f32 {
    let mixed = (id * 31 + at as u64 + 7).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
    mixed as f32 / (1 << 23) as f32 - 1.0
}

/// The vector of row `id`.
pub fn vector(id: u64) -> Vec<f32> {
    (0..DIMENSIONS).map(|at| component(id, at)).collect()
}

fn bytes(vector: &[f32]) -> Vec<u8> {
    vector.iter().flat_map(|component| component.to_le_bytes()).collect()
}

/// All cases. Rows of `readings` are 64 bytes as they are stored and sent.
pub fn cases() -> Vec<Case> {
    let read = |rows| ReadRequest {
        table: "readings",
        rows,
        columns: Seq::empty(),
        limit: None,
        format: Format::Rows,
    };
    let ids: Vec<u64> = (0..16).map(|at| at * 601 + 17).collect();
    let update = [Value::Float(20.5)];
    let update = [NewRow { id: Some(4321), values: Seq::new(&update) }];
    let query = bytes(&vector(99_999));
    let point = [Value::UInt(4321)];
    let case = |name, function, request| Case { name, function, request };
    vec![
        case("soch_read", "soch_read", encoded(&read(RowSelector::One(4321)))),
        case("soch_read_list_16", "soch_read", encoded(&read(RowSelector::List(Seq::new(&ids))))),
        case(
            "soch_write",
            "soch_write",
            encoded(&WriteRequest {
                table: "readings",
                mode: WriteMode::Update,
                columns: Seq::new(&["temperature"]),
                rows: Seq::new(&update),
            }),
        ),
        case(
            "soch_delete",
            "soch_delete",
            encoded(&DeleteRequest { table: "readings", rows: RowSelector::One(99_999) }),
        ),
        case(
            "index_lookup",
            "index_lookup",
            encoded(&LookupRequest {
                table: "readings",
                index: "by_serial",
                query: IndexQuery::Point(Seq::new(&point)),
                reverse: false,
                limit: None,
                after: None,
                columns: None,
            }),
        ),
        case(
            "vector_search",
            "vector_search",
            encoded(&SearchRequest {
                table: "vectors",
                column: "embedding",
                query: &query,
                k: 10,
                filter: Seq::empty(),
                columns: None,
            }),
        ),
        case(
            "emit_metric",
            "emit_metric",
            encoded(&MetricRequest {
                kind: MetricKind::Counter,
                name: "readings_total",
                labels: Seq::new(&[("station", "seattle")]),
                value: 1.0,
            }),
        ),
        case(
            "log_message",
            "log_message",
            encoded(&LogRequest { level: LogLevel::Debug, message: "a reading came in" }),
        ),
        case("get_config", "get_config", encoded(&ConfigRequest { key: "max_wind" })),
    ]
}

/// A host with 10,000 rows of 64 bytes, 10,000 vectors of 128 dimensions, and a plugin.
pub struct Bench {
    host: Host,
    plugin: PluginId,
}

impl Bench {
    /// Sets up the host for one case. Only `vector_search` gets the vectors.
    pub fn new(case: &Case) -> Self {
        let mut database =
            Database::in_memory(MemoryLimits { max_bytes: 256 << 20, ..MemoryLimits::default() });
        if case.name == "vector_search" {
            fill_vectors(&mut database);
        } else {
            fill_readings(&mut database);
        }
        let mut host = Host::new(HostConfig::default(), database, NoClock);
        let all = || Globs::new(&["*"]).expect("a glob");
        let capabilities = Capabilities {
            can_read_table: all(),
            can_write_table: all(),
            can_vector_search: true,
            can_index_search: true,
            ..Capabilities::default()
        };
        let limits = Limits {
            // Far more than any case takes, and a number of usual length.
            fuel_per_call: 200_000_000,
            host_calls: u32::MAX,
            rows: u32::MAX,
            bytes: u64::MAX,
            log_messages: u32::MAX,
            log_bytes: u32::MAX,
            deadline_ms: None,
            ..Limits::default()
        };
        let config = PluginConfig::new(capabilities)
            .with_limits(limits)
            .set("max_wind", 12.5)
            .expect("a key");
        let plugin = host.load("bench", &plugin(case), &config).expect("loads");
        Self { host, plugin }
    }

    /// Records from now on, with room for `calls` host calls. Makes the plugin new.
    #[cfg(feature = "record")]
    pub fn record(&mut self, calls: u32) {
        let room = (64 << 10) + calls as usize * 256;
        let recorder = sochdb_wasmi::trace::Recorder::buffer(room).without_memory_digest();
        self.host.record(recorder);
        self.run(1);
        self.seal();
    }

    /// Records no longer. The plugin stays as it is, so that a run before this can be compared with
    /// one after it: where the allocator puts a linear memory moves the time of a read by a tenth.
    #[cfg(feature = "record")]
    pub fn stop_recording(&mut self) {
        self.host.stop_recording();
    }

    /// Hashes what was recorded since the last time.
    #[cfg(feature = "record")]
    pub fn seal(&mut self) -> [u8; 32] {
        let recorder = self.host.recorder_mut().expect("it records");
        assert_eq!(recorder.error(), None);
        recorder.last_link()
    }

    /// Makes the call `times` times, in a loop inside the plugin, and returns the fuel it took.
    pub fn run(&mut self, times: u32) -> u64 {
        let outcome = self.host.call(self.plugin, "run", &times.to_le_bytes()).expect("runs");
        let status = i32::from_le_bytes(outcome.output.try_into().expect("four bytes"));
        assert!(status >= 0, "the host call failed with {status}");
        outcome.report.fuel
    }
}

fn fill_readings(database: &mut Database) {
    let schema = TableSchema::new("readings")
        .and_then(|table| table.column("serial", ColumnType::UInt))
        .and_then(|table| table.column("station", ColumnType::Text))
        .and_then(|table| table.column("temperature", ColumnType::Float))
        .and_then(|table| table.column("humidity", ColumnType::Float))
        .and_then(|table| table.column("note", ColumnType::Text))
        .and_then(|table| table.index("by_serial", &["serial"]))
        .expect("a schema");
    database.create_table(schema).expect("a table");
    for id in 0..ROWS {
        let row = [
            Value::UInt(1000 + id % 9000),
            Value::Text("station seattle"),
            Value::Float(20.5),
            Value::Float(0.5),
            Value::Text("a note of 22 characters"),
        ];
        database.insert("readings", Some(id), &row).expect("a row");
    }
}

fn fill_vectors(database: &mut Database) {
    let dimensions = DIMENSIONS as u16;
    let schema = TableSchema::new("vectors")
        .and_then(|table| table.vector("embedding", dimensions, DistanceMetric::Cosine))
        .expect("a schema");
    database.create_table(schema).expect("a table");
    for id in 0..ROWS {
        database.insert("vectors", Some(id), &[Value::Binary(&bytes(&vector(id)))]).expect("a row");
    }
}

/// A plugin that makes the call of a case in a loop.
fn plugin(case: &Case) -> Vec<u8> {
    assert!(HOST_FUNCTIONS.iter().any(|spec| spec.name == case.function));
    looped::plugin(case.function, &case.request, 32_768)
}

/// The floor: the same loop around a host function that does nothing, in wasmi alone, with the
/// same configuration.
pub struct Floor {
    store: wasmi::Store<u64>,
    run: wasmi::TypedFunc<i32, i32>,
}

impl Floor {
    /// With or without the four parameters and the result of SochDB's functions.
    pub fn new(four_args: bool) -> Self {
        let mut config = wasmi::Config::default();
        config.consume_fuel(true).compilation_mode(wasmi::CompilationMode::Eager);
        let engine = wasmi::Engine::new(&config);
        let (ty, call) = if four_args {
            (
                "(param i32 i32 i32 i32) (result i32)",
                "(i32.store (i32.const 64) (call $f (i32.const 1024) (i32.const 9) (i32.const 8192) (i32.const 32768)))",
            )
        } else {
            ("", "(call $f)")
        };
        let wasm = wat::parse_str(format!(
            r#"(module (import "env" "f" (func $f {ty})) (memory 1)
                (func (export "run") (param $left i32) (result i32)
                    (loop $again {call}
                        (br_if $again (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
                    (i32.const 4)))"#
        ))
        .expect("a module");
        let module = wasmi::Module::new(&engine, wasm).expect("a module");
        let mut store = wasmi::Store::new(&engine, 0);
        let f = if four_args {
            wasmi::Func::wrap(
                &mut store,
                |mut caller: wasmi::Caller<'_, u64>, _: u32, _: u32, _: u32, _: u32| -> i32 {
                    *caller.data_mut() += 1;
                    0
                },
            )
        } else {
            wasmi::Func::wrap(&mut store, |mut caller: wasmi::Caller<'_, u64>| {
                *caller.data_mut() += 1;
            })
        };
        let instance = wasmi::Instance::new(&mut store, &module, &[f.into()]).expect("an instance");
        let run = instance.get_typed_func(&store, "run").expect("run");
        Self { store, run }
    }

    /// Makes the call `times` times.
    pub fn run(&mut self, times: u32) {
        self.store.set_fuel(u64::MAX / 4).expect("fuel");
        self.run.call(&mut self.store, times.cast_signed()).expect("runs");
    }
}

/// Plain code in a plugin, for what a unit of fuel is worth: a loop of loads, stores, arithmetic
/// and branches such as parsing does.
pub struct PlainCode {
    store: wasmi::Store<()>,
    run: wasmi::TypedFunc<i32, i32>,
}

impl PlainCode {
    /// Compiles it.
    pub fn new() -> Self {
        let mut config = wasmi::Config::default();
        config.consume_fuel(true).compilation_mode(wasmi::CompilationMode::Eager);
        let engine = wasmi::Engine::new(&config);
        let wasm = wat::parse_str(
            r#"(module (memory 1)
                (func $mix (param $at i32) (param $sum i32) (result i32)
                    (local $byte i32)
                    (local.set $byte (i32.load8_u (local.get $at)))
                    (if (i32.lt_u (local.get $byte) (i32.const 128))
                        (then (local.set $sum (i32.add (i32.mul (local.get $sum) (i32.const 31)) (local.get $byte))))
                        (else (local.set $sum (i32.xor (local.get $sum) (i32.shl (local.get $byte) (i32.const 3))))))
                    (i32.store (i32.add (local.get $at) (i32.const 4096)) (local.get $sum))
                    (local.get $sum))
                (func (export "run") (param $left i32) (result i32)
                    (local $sum i32)
                    (loop $again
                        (local.set $sum (call $mix
                            (i32.and (local.get $left) (i32.const 1023)) (local.get $sum)))
                        (br_if $again (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
                    (local.get $sum)))"#,
        )
        .expect("a module");
        let module = wasmi::Module::new(&engine, wasm).expect("a module");
        let mut store = wasmi::Store::new(&engine, ());
        let instance = wasmi::Instance::new(&mut store, &module, &[]).expect("an instance");
        let run = instance.get_typed_func(&store, "run").expect("run");
        Self { store, run }
    }

    /// Runs the loop `times` times and returns the fuel that it took.
    pub fn run(&mut self, times: u32) -> u64 {
        let fuel = u64::MAX / 4;
        self.store.set_fuel(fuel).expect("fuel");
        self.run.call(&mut self.store, times.cast_signed()).expect("runs");
        fuel - self.store.get_fuel().expect("fuel")
    }
}

impl Default for PlainCode {
    fn default() -> Self {
        Self::new()
    }
}

/// The naive search that `vector_search` is compared with: cosine distance by three running sums,
/// one after the other, then a sort.
pub fn naive_search(vectors: &[Vec<f32>], query: &[f32], k: usize) -> Vec<(u64, f32)> {
    let mut found: Vec<(u64, f32)> = vectors
        .iter()
        .enumerate()
        .map(|(id, vector)| {
            let (mut dot, mut a, mut b) = (0.0_f32, 0.0_f32, 0.0_f32);
            for (x, y) in vector.iter().zip(query) {
                dot += x * y;
                a += x * x;
                b += y * y;
            }
            (id as u64, 1.0 - dot / (a.sqrt() * b.sqrt()))
        })
        .collect();
    found.sort_by(|x, y| x.1.total_cmp(&y.1).then(x.0.cmp(&y.0)));
    found.truncate(k);
    found
}
