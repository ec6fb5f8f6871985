//! A host with the plugin `watch.wat`, recorded, and the means to change its trace.
#![allow(dead_code, reason = "each test file uses a part")]

use sochdb_wasmi::{
    abi::{
        Capability, Value,
        wire::{self, Wire, Writer},
    },
    audit::PluginId,
    capability::{Capabilities, Globs},
    database::{ColumnType, Database, MemoryLimits, MemoryStorage, TableSchema},
    host::{
        CallError, Host, HostCallResult, HostConfig, HostFunction, HostFunctionContext, NoClock,
        PluginConfig,
    },
    limits::Limits,
    trace::{Event, MAGIC, Recorder, TraceReader, chain},
};

/// The plugin with other constants in place of its own.
pub fn watch_with(replace: &[(&str, &str)]) -> Vec<u8> {
    let mut text = String::from(include_str!("watch.wat"));
    for (from, to) in replace {
        assert!(text.contains(from), "{from}");
        text = text.replace(from, to);
    }
    wat::parse_str(text).unwrap()
}

pub fn watch() -> Vec<u8> {
    watch_with(&[])
}

pub const THRESHOLD: &str = "300 (; THRESHOLD ;)";

/// A signed integer as the plugin's inputs have it.
pub fn int(value: i64) -> Vec<u8> {
    let mut bytes = vec![0; 10];
    let mut writer = Writer::new(&mut bytes);
    writer.i64(value);
    let len = writer.position();
    bytes.truncate(len);
    bytes
}

pub fn grants() -> Capabilities {
    Capabilities {
        can_read_table: Globs::new(&["readings"]).unwrap(),
        can_write_table: Globs::new(&["alerts"]).unwrap(),
        can_call_host: Globs::named(&["device.own"]).unwrap(),
        ..Capabilities::default()
    }
}

/// Answers its request doubled.
struct Own;

impl HostFunction<MemoryStorage> for Own {
    fn name(&self) -> &str {
        "own"
    }

    fn capability(&self) -> Capability<'_> {
        Capability::Named("device.own")
    }

    fn execute(
        &mut self,
        _context: &mut HostFunctionContext<'_, MemoryStorage>,
        request: &[u8],
        response: &mut [u8],
    ) -> HostCallResult {
        let answer = [request, request].concat();
        let Some(target) = response.get_mut(..answer.len()) else {
            return HostCallResult::BufferTooSmall { needed: answer.len() };
        };
        target.copy_from_slice(&answer);
        HostCallResult::Success(answer.len())
    }
}

pub fn register(host: &mut Host) {
    host.register("device", Own).unwrap();
}

/// A host that has rows with these values in `readings` and is being recorded.
pub struct Watched {
    pub host: Host,
    pub plugin: PluginId,
}

impl Watched {
    pub fn new(values: &[i64]) -> Self {
        Self::with(&watch(), values, PluginConfig::new(grants()), Recorder::growing())
    }

    pub fn with(wasm: &[u8], values: &[i64], config: PluginConfig, recorder: Recorder) -> Self {
        let mut database = Database::in_memory(MemoryLimits::default());
        for (table, column) in [("readings", "value"), ("alerts", "value"), ("secrets", "value")] {
            let schema = TableSchema::new(table).unwrap();
            database.create_table(schema.column(column, ColumnType::Int).unwrap()).unwrap();
        }
        for &value in values {
            database.insert("readings", None, &[Value::Int(value)]).unwrap();
        }
        let mut host = Host::new(HostConfig::default(), database, NoClock);
        register(&mut host);
        let plugin = host.load("watch", wasm, &config).unwrap();
        host.record(recorder);
        Self { host, plugin }
    }

    pub fn call(&mut self, entry: &str, input: &[u8]) -> Result<Vec<u8>, CallError> {
        self.host.call(self.plugin, entry, input).map(|outcome| outcome.output.to_vec())
    }

    pub fn trace(mut self) -> Vec<u8> {
        let mut recorder = self.host.stop_recording().unwrap();
        assert_eq!(recorder.error(), None);
        let mut trace = Vec::new();
        recorder.write_to(&mut trace).unwrap();
        trace
    }
}

pub fn limits() -> Limits {
    Limits { fuel_per_call: 5_000_000, deadline_ms: None, ..Limits::default() }
}

/// The payloads of a trace's frames as events, each of which `edit` may change, drop or double.
pub fn edited(
    trace: &[u8],
    mut edit: impl FnMut(u64, Event<'_>, &mut dyn FnMut(Event<'_>)),
) -> Vec<u8> {
    let mut out = MAGIC.to_vec();
    let mut link = chain::START;
    let mut number = 0_u64;
    let mut reader = TraceReader::new(trace);
    while let Some(entry) = reader.read().unwrap() {
        edit(entry.number, entry.event, &mut |event: Event<'_>| {
            let payload = [encoded(&number), encoded(&event)].concat();
            link = chain::next(&link, &payload);
            out.extend((payload.len() as u32).to_le_bytes());
            out.extend(chain::check(&link));
            out.extend(payload);
            number += 1;
        });
    }
    out
}

pub fn encoded<'a>(message: &impl Wire<'a>) -> Vec<u8> {
    let mut bytes = vec![0; 1 << 17];
    let len = wire::encode(message, &mut bytes).unwrap();
    bytes.truncate(len);
    bytes
}
