//! A host with the probe plugin (`probe.wat`): makes any host call through the real interpreter.
#![allow(dead_code, reason = "each test file uses a part")]

use std::sync::LazyLock;

use sochdb_wasmi::{
    abi::{
        FunctionSpec, HOST_FUNCTIONS, Seq, Status, Value,
        message::{
            IndexQuery, LookupRequest, NewRow, ReadRequest, RowSelector, WriteMode, WriteRequest,
        },
        wire::{self, Wire},
    },
    audit::PluginId,
    capability::{Capabilities, Globs},
    database::{ColumnType, Database, DistanceMetric, MemoryLimits, TableSchema},
    host::{CallError, CallReport, Host, HostConfig, NoClock, PluginConfig},
    limits::Limits,
};

pub const REQUEST: u32 = 1048;
pub const RESPONSE: u32 = 131_076;
pub const RESPONSE_CAPACITY: u32 = 65_532;
pub const MEMORY: u32 = 4 * 65_536;

pub fn probe_wasm() -> Vec<u8> {
    static WASM: LazyLock<Vec<u8>> = LazyLock::new(|| wat::parse_str(probe_wat()).unwrap());
    WASM.clone()
}

/// The probe with an Output Buffer of 4 KiB, so that another probe has room for its answers.
pub fn relay_wasm() -> Vec<u8> {
    let wat = probe_wat();
    let (before, after) = wat.split_once(r#""\00\00\02\00" "\00\00\01\00""#).unwrap();
    let small = r#""\00\00\02\00" "\00\10\00\00""#;
    wat::parse_str([before, small, after].concat()).unwrap()
}

/// The probe, with every host function of the table: a new one needs no line in it.
fn probe_wat() -> String {
    let (mut imports, mut elements) = (String::new(), String::new());
    for FunctionSpec { module, name, .. } in HOST_FUNCTIONS {
        imports += &format!("(import \"{module}\" \"{name}\" (func ${name} (type $host)))\n");
        elements += &format!(" ${name}");
    }
    let count = HOST_FUNCTIONS.len();
    let table = format!("(table {count} {count} funcref) (elem (i32.const 0){elements})\n");
    let mut wat = String::new();
    for line in include_str!("probe.wat").lines() {
        match line.trim_start() {
            line if line.starts_with(";; IMPORTS:") => wat += &imports,
            line if line.starts_with(";; TABLE:") => wat += &table,
            line => wat += line,
        }
        wat.push('\n');
    }
    wat
}

/// A plugin in WAT around the ABI's exports, with `body` for the rest.
pub fn wat_plugin(body: &str) -> Vec<u8> {
    wat::parse_str(format!(
        r#"(module
            (memory (export "memory") 1)
            (global (export "sochdb_plugin") i32 (i32.const 0))
            (data (i32.const 0) "\01\00\00\00" "\00\01\00\00" "\00\01\00\00" "\00\02\00\00" "\00\01\00\00")
            {body})"#
    ))
    .unwrap()
}

pub fn everything() -> Capabilities {
    Capabilities {
        can_read_table: Globs::new(&["*"]).unwrap(),
        can_write_table: Globs::new(&["*"]).unwrap(),
        can_vector_search: true,
        can_index_search: true,
        can_call_host: Globs::new(&["*"]).unwrap(),
        can_call_plugin: Globs::plugins(&["*"]).unwrap(),
    }
}

pub fn roomy() -> Limits {
    Limits {
        fuel_per_call: 1_000_000_000,
        deadline_ms: None,
        log_messages: u32::MAX,
        log_bytes: u32::MAX,
        ..Limits::default()
    }
}

/// A host with the table `items(name text, stock int, price float?, place vector(3))`, an index
/// over `name`, a unique one over `stock`.
pub fn host() -> Host {
    host_with(MemoryLimits::default())
}

pub fn host_with(limits: MemoryLimits) -> Host {
    let mut database = Database::in_memory(limits);
    database.create_table(items()).unwrap();
    Host::new(HostConfig::default(), database, NoClock)
}

pub fn items() -> TableSchema {
    TableSchema::new("items")
        .and_then(|table| table.column("name", ColumnType::Text))
        .and_then(|table| table.column("stock", ColumnType::Int))
        .and_then(|table| table.nullable_column("price", ColumnType::Float))
        .and_then(|table| table.vector("place", 3, DistanceMetric::Euclidean))
        .and_then(|table| table.index("by_name", &["name"]))
        .and_then(|table| table.unique_index("by_stock", &["stock"]))
        .unwrap()
}

pub fn vector(components: &[f32]) -> Vec<u8> {
    components.iter().flat_map(|component| component.to_le_bytes()).collect()
}

pub fn encoded<'a>(message: &impl Wire<'a>) -> Vec<u8> {
    let mut bytes = vec![0; 1 << 17];
    let len = wire::encode(message, &mut bytes).unwrap();
    bytes.truncate(len);
    bytes
}

pub fn function(name: &str) -> u32 {
    HOST_FUNCTIONS.iter().position(|spec| spec.name == name).unwrap() as u32
}

/// The probe's input: which function, with which numbers.
pub fn input(function: u32, numbers: [u32; 4], times: u32, request: &[u8]) -> Vec<u8> {
    let [request_ptr, request_len, response_ptr, capacity] = numbers;
    let mut bytes = Vec::new();
    for word in [function, request_ptr, request_len, response_ptr, capacity, times] {
        bytes.extend_from_slice(&word.to_le_bytes());
    }
    bytes.extend_from_slice(request);
    bytes
}

/// What a host call answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    pub status: i32,
    pub response: Vec<u8>,
}

impl Answer {
    pub fn failed(&self) -> Option<Status> {
        (self.status < 0).then(|| Status::from_code(self.status))
    }

    pub fn decode<'a, T: Wire<'a>>(&'a self) -> T {
        assert!(self.status >= 0, "the call failed with {}", self.status);
        wire::decode(&self.response).unwrap()
    }
}

pub struct Probe {
    pub host: Host,
    pub plugin: PluginId,
}

impl Probe {
    /// A probe that may do everything, on [`host`].
    pub fn new() -> Self {
        Self::with(host(), PluginConfig::new(everything()).with_limits(roomy()))
    }

    pub fn with(mut host: Host, config: PluginConfig) -> Self {
        let plugin = host.load("probe", &probe_wasm(), &config).unwrap();
        Self { host, plugin }
    }

    pub fn with_capabilities(capabilities: Capabilities) -> Self {
        Self::with(host(), PluginConfig::new(capabilities).with_limits(roomy()))
    }

    /// Enters `entry` of the probe around a host call with any four numbers.
    pub fn enter(
        &mut self,
        entry: &str,
        name: &str,
        numbers: [u32; 4],
        times: u32,
        request: &[u8],
    ) -> Result<(Answer, CallReport), CallError> {
        let bytes = input(function(name), numbers, times, request);
        let outcome = self.host.call(self.plugin, entry, &bytes)?;
        let (status, response) = outcome.output.split_first_chunk::<4>().unwrap();
        let status = i32::from_le_bytes(*status);
        Ok((Answer { status, response: response.to_vec() }, outcome.report))
    }

    /// One host call with raw request bytes and a buffer of `capacity`.
    pub fn raw(&mut self, name: &str, request: &[u8], capacity: u32) -> Answer {
        let numbers = [REQUEST, request.len() as u32, RESPONSE, capacity];
        self.enter("call", name, numbers, 1, request).unwrap().0
    }

    /// One host call.
    pub fn call<'a>(&mut self, name: &str, request: &impl Wire<'a>) -> Answer {
        self.raw(name, &encoded(request), RESPONSE_CAPACITY)
    }

    /// One host call, then the entry fails as its name says.
    pub fn call_and<'a>(&mut self, entry: &str, name: &str, request: &impl Wire<'a>) -> CallError {
        let request = encoded(request);
        let numbers = [REQUEST, request.len() as u32, RESPONSE, RESPONSE_CAPACITY];
        self.enter(entry, name, numbers, 1, &request).unwrap_err()
    }

    /// Inserts an item and answers what `soch_write` did.
    pub fn insert(&mut self, id: u64, name: &str, stock: i64) -> Answer {
        let place = vector(&[stock as f32, 0.0, 0.0]);
        let values = item(name, stock, &place);
        self.call(
            "soch_write",
            &insert_request(&[NewRow { id: Some(id), values: Seq::new(&values) }]),
        )
    }

    pub fn read(&mut self, id: u64) -> Answer {
        self.call("soch_read", &read_request(RowSelector::One(id)))
    }

    /// One host call that fails: its status and what `last_error` says of it.
    pub fn explain(&mut self, name: &str, request: &[u8]) -> (Option<Status>, String) {
        let numbers = [REQUEST, request.len() as u32, RESPONSE, RESPONSE_CAPACITY];
        let status = self.enter("call", name, numbers, 1, request).unwrap().0.failed();
        let answer = self.enter("explain", name, numbers, 1, request).unwrap().0;
        let text =
            if answer.status > 0 { answer.decode::<&str>().to_string() } else { String::new() };
        (status, text)
    }
}

pub fn item<'a>(name: &'a str, stock: i64, place: &'a [u8]) -> [Value<'a>; 4] {
    [Value::Text(name), Value::Int(stock), Value::Null, Value::Binary(place)]
}

pub fn insert_request<'a>(rows: &'a [NewRow<'a>]) -> WriteRequest<'a> {
    WriteRequest {
        table: "items",
        mode: WriteMode::Insert,
        columns: Seq::empty(),
        rows: Seq::new(rows),
    }
}

pub fn read_request(rows: RowSelector<'_>) -> ReadRequest<'_> {
    ReadRequest {
        table: "items",
        rows,
        columns: Seq::empty(),
        limit: None,
        format: sochdb_wasmi::abi::message::Format::Rows,
    }
}

/// A lookup in an index of `items`: forward, as many ids as fit.
pub fn lookup<'a>(index: &'a str, query: IndexQuery<'a>) -> LookupRequest<'a> {
    LookupRequest {
        table: "items",
        index,
        query,
        reverse: false,
        limit: None,
        after: None,
        columns: None,
    }
}
