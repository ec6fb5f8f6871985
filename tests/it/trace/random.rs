//! Random plugins against random limits: whatever a plugin asks for, and however its calls end, the
//! recording changes nothing of it, the replay is exact down to linear memory, and the audit log comes
//! out of the trace.

use crate::{support, tracing};
use proptest::{collection::vec, option, prelude::*, sample::select};
use sochdb_wasmi::{
    abi::{
        Seq, Value,
        message::{
            Bound, Comparison, Condition, ConfigRequest, DeleteRequest, Format, IndexQuery,
            LogLevel, LogRequest, LookupRequest, MetricKind, MetricRequest, NewRow, ReadRequest,
            RowSelector, SearchRequest, WriteMode, WriteRequest,
        },
    },
    audit::AuditEntry,
    capability::{Capabilities, Globs},
    database::{ColumnType, TableSchema},
    host::{OnDenied, PluginConfig, SliceDecision},
    limits::Limits,
    trace::Recorder,
};
use support::*;
use tracing::*;

/// One call of the probe.
#[derive(Clone, Debug)]
struct Op {
    entry: &'static str,
    function: u32,
    /// Request and response: pointer and length; `None` for what an honest plugin says.
    request_ptr: Option<u32>,
    request_len: Option<u32>,
    response_ptr: Option<u32>,
    capacity: u32,
    times: u32,
    request: Vec<u8>,
}

fn table() -> impl Strategy<Value = &'static str> {
    select(vec!["items", "items", "items", "notes", "empty", "secret", "nowhere", "no name"])
}

fn columns() -> impl Strategy<Value = Vec<&'static str>> {
    vec(select(vec!["name", "stock", "price", "place", "colour"]), 0..4)
}

fn rows() -> impl Strategy<Value = Rows> {
    prop_oneof![
        (0_u64..40).prop_map(Rows::One),
        vec(0_u64..40, 0..10).prop_map(Rows::List),
        (0_u64..40, option::of(0_u64..60)).prop_map(|(from, until)| Rows::Range(from, until)),
    ]
}

#[derive(Clone, Debug)]
enum Rows {
    One(u64),
    List(Vec<u64>),
    Range(u64, Option<u64>),
}

impl Rows {
    fn with<R>(&self, with: impl FnOnce(RowSelector<'_>) -> R) -> R {
        match self {
            Self::One(id) => with(RowSelector::One(*id)),
            Self::List(ids) => with(RowSelector::List(Seq::new(ids))),
            Self::Range(from, until) => with(RowSelector::Range { from: *from, until: *until }),
        }
    }
}

fn read() -> impl Strategy<Value = (u32, Vec<u8>)> {
    (table(), rows(), columns(), option::of(0_u32..12), any::<bool>()).prop_map(
        |(table, rows, columns, limit, toon)| {
            let format = if toon { Format::Toon } else { Format::Rows };
            let columns = Seq::new(&columns);
            let request =
                rows.with(|rows| encoded(&ReadRequest { table, rows, columns, limit, format }));
            (function("soch_read"), request)
        },
    )
}

fn write() -> impl Strategy<Value = (u32, Vec<u8>)> {
    let mode = select(vec![WriteMode::Insert, WriteMode::Update, WriteMode::Upsert]);
    let row = (option::of(0_u64..40), 0_i64..60, any::<bool>());
    (table(), mode, vec(row, 0..8)).prop_map(|(table, mode, rows)| {
        let place = vector(&[1.0, 2.0, 3.0]);
        let values: Vec<_> = rows
            .iter()
            .map(|(_, stock, whole)| {
                let values = item("nut", *stock, &place);
                if *whole { values.to_vec() } else { values[..3].to_vec() }
            })
            .collect();
        let rows: Vec<_> = (rows.iter().zip(&values))
            .map(|((id, ..), values)| NewRow { id: *id, values: Seq::new(values) })
            .collect();
        let request = WriteRequest { table, mode, columns: Seq::empty(), rows: Seq::new(&rows) };
        (function("soch_write"), encoded(&request))
    })
}

fn lookups() -> impl Strategy<Value = (u32, Vec<u8>)> {
    let index = select(vec!["by_name", "by_stock", "by_nothing"]);
    (table(), index, 0_i64..40, 0_u8..5, any::<bool>(), option::of(0_u32..9), option::of(columns()))
        .prop_map(|(table, index, stock, kind, reverse, limit, columns)| {
            let key = if index == "by_name" { Value::Text("item 3") } else { Value::Int(stock) };
            let values = [key];
            let values = Seq::new(&values);
            let query = match kind {
                0 => IndexQuery::Point(values),
                1 => IndexQuery::Prefix(Seq::empty()),
                2 => IndexQuery::Range { lower: Bound::Included(values), upper: Bound::Unbounded },
                3 => IndexQuery::Range { lower: Bound::Unbounded, upper: Bound::Excluded(values) },
                _ => IndexQuery::Range { lower: Bound::Unbounded, upper: Bound::Unbounded },
            };
            let columns = columns.as_deref().map(Seq::new);
            let after = (kind == 3 && reverse).then_some(&b"nowhere"[..]);
            let request = LookupRequest { table, index, query, reverse, limit, after, columns };
            (function("index_lookup"), encoded(&request))
        })
}

fn searches() -> impl Strategy<Value = (u32, Vec<u8>)> {
    (table(), 0_u32..12, option::of(columns()), 0_i64..40, 1_usize..5).prop_map(
        |(table, k, columns, stock, dimensions)| {
            let query = vector(&[1.5; 4][..dimensions.min(3)]);
            let filter = [Condition {
                column: "stock",
                comparison: Comparison::Less,
                value: Value::Int(stock),
            }];
            let columns = columns.as_deref().map(Seq::new);
            let (column, filter) = ("place", Seq::new(&filter));
            let request = SearchRequest { table, column, query: &query, k, filter, columns };
            (function("vector_search"), encoded(&request))
        },
    )
}

fn others() -> impl Strategy<Value = (u32, Vec<u8>)> {
    prop_oneof![
        (table(), rows()).prop_map(|(table, rows)| {
            let request = rows.with(|rows| encoded(&DeleteRequest { table, rows }));
            (function("soch_delete"), request)
        }),
        select(vec!["greeting", "long", "none"])
            .prop_map(|key| (function("get_config"), encoded(&ConfigRequest { key }))),
        any::<f64>().prop_map(|value| {
            let labels = [("kind", "a")];
            let (kind, name, labels) = (MetricKind::Counter, "things", Seq::new(&labels));
            let request = encoded(&MetricRequest { kind, name, labels, value });
            (function("emit_metric"), request)
        }),
        "\\PC{0,200}".prop_map(|message| {
            let request = LogRequest { level: LogLevel::Warn, message: &message };
            (function("log_message"), encoded(&request))
        }),
        Just((function("last_error"), Vec::new())),
        (0_u32..9, vec(any::<u8>(), 0..40)),
    ]
}

fn edge() -> impl Strategy<Value = u32> {
    prop_oneof![
        select(vec![0, 1, 16, 1024, 1048, 131_072, 131_076, MEMORY - 4, MEMORY - 1, MEMORY]),
        select(vec![MEMORY + 1, u32::MAX - 3, u32::MAX, 1 << 31]),
        0..MEMORY,
    ]
}

fn op() -> impl Strategy<Value = Op> {
    let entry = select(vec![
        "call",
        "call",
        "call",
        "call",
        "explain",
        "repeat",
        "call_then_fail",
        "call_then_trap",
        "call_then_overrun",
        "call_then_spin",
        "grow",
        "count",
        "peek",
        "recurse",
    ]);
    let request =
        prop_oneof![4 => read(), 3 => write(), 3 => lookups(), 2 => searches(), 3 => others()];
    let capacity = prop_oneof![
        4 => Just(RESPONSE_CAPACITY),
        4 => 0_u32..200,
        2 => 200_u32..3000,
        1 => edge(),
    ];
    let odd = || prop_oneof![6 => Just(None), 1 => edge().prop_map(Some)];
    let damage = option::weighted(0.1, (any::<prop::sample::Index>(), any::<u8>()));
    (entry, request, odd(), odd(), odd(), capacity, 1_u32..6, damage).prop_map(
        |(
            entry,
            (function, mut request),
            request_ptr,
            request_len,
            response_ptr,
            capacity,
            times,
            damage,
        )| {
            if let Some((at, byte)) = damage
                && !request.is_empty()
            {
                let at = at.index(request.len());
                request[at] = byte;
            }
            Op { entry, function, request_ptr, request_len, response_ptr, capacity, times, request }
        },
    )
}

#[derive(Clone, Debug)]
struct Setting {
    limits: Limits,
    trap: bool,
    /// The hook stops the slice of this number, of all slices.
    stop_at: Option<u32>,
}

fn setting() -> impl Strategy<Value = Setting> {
    let few = |low: u64, high: u64, many: u64| prop_oneof![2 => low..high, 3 => Just(many)];
    (
        few(2_000, 60_000, 300_000),
        (few(0, 6, 1000), few(0, 60, 100_000), few(0, 3000, 1 << 24)),
        (few(50, 4000, 100_000), option::of(0_u32..2), option::weighted(0.3, 0_u32..20)),
        any::<bool>(),
        0_u32..7,
    )
        .prop_map(
            |(fuel, (calls, rows, bytes), (slice_fuel, deadline_ms, stop_at), trap, pages)| {
                let limits = Limits {
                    fuel_per_call: fuel,
                    host_calls: calls as u32,
                    rows: rows as u32,
                    bytes,
                    slice_fuel,
                    deadline_ms,
                    memory_bytes: (4 + pages) * 65_536,
                    ..Limits::default()
                };
                Setting { limits, trap, stop_at }
            },
        )
}

/// The probe that all ops of a case are made with.
fn probe(setting: &Setting) -> Probe {
    let items = Globs::new(&["items", "notes", "empty", "nowhere"]).unwrap();
    let capabilities =
        Capabilities { can_read_table: items.clone(), can_write_table: items, ..everything() };
    let on_denied = if setting.trap { OnDenied::Trap } else { OnDenied::Status };
    let long = "a value that fills small buffers".repeat(4);
    let config = PluginConfig::new(capabilities)
        .with_limits(setting.limits)
        .with_on_denied(on_denied)
        .set("greeting", "hello")
        .and_then(|config| config.set("long", long.as_str()))
        .unwrap();
    let mut probe = ticking_probe(config);
    for name in ["notes", "empty", "secret"] {
        let schema = TableSchema::new(name).and_then(|t| t.column("name", ColumnType::Text));
        probe.host.database_mut().create_table(schema.unwrap()).unwrap();
    }
    for id in 1..=30_u64 {
        let place = vector(&[id as f32, 1.0, (id % 7) as f32]);
        let name = format!("item {}", id % 10);
        let values = [
            Value::Text(&name),
            Value::Int(id as i64),
            Value::Float(id as f64 / 4.0),
            Value::Binary(&place),
        ];
        probe.host.database_mut().insert("items", Some(id), &values).unwrap();
        if id < 9 {
            probe.host.database_mut().insert("notes", Some(id), &[Value::Text(&name)]).unwrap();
        }
    }
    if let Some(stop_at) = setting.stop_at {
        let mut slices = 0;
        probe.host.set_slice_hook(move |_: &sochdb_wasmi::host::FuelSlice| {
            slices += 1;
            if slices == stop_at { SliceDecision::Stop } else { SliceDecision::Continue }
        });
    }
    probe
}

/// Makes all calls. What came of each, and the audit log.
fn run(probe: &mut Probe, ops: &[Op]) -> (Vec<String>, Vec<AuditEntry>) {
    let mut outcomes = Vec::new();
    for op in ops {
        let numbers = [
            op.request_ptr.unwrap_or(REQUEST),
            op.request_len.unwrap_or(op.request.len() as u32),
            op.response_ptr.unwrap_or(RESPONSE),
            op.capacity,
        ];
        let function = if op.entry == "grow" { op.times } else { op.function };
        let input = input(function, numbers, op.times, &op.request);
        let outcome = probe.host.call(probe.plugin, op.entry, &input);
        let outcome = match outcome {
            Ok(outcome) => format!("{:?}", outcome.output),
            Err(error) => error.to_string(),
        };
        outcomes.push(format!("{outcome} {:?}", probe.host.report(probe.plugin)));
    }
    (outcomes, probe.host.audit().iter().cloned().collect())
}

fn check(setting: &Setting, ops: &[Op]) {
    let mut plain = probe(setting);
    // What `Host::record` does too.
    plain.host.checkpoint();
    let unrecorded = run(&mut plain, ops);

    let mut watched = probe(setting);
    watched.host.record(Recorder::buffer(8 << 20));
    let outcome = run(&mut watched, ops);
    assert_eq!(outcome, unrecorded, "recording changes nothing");
    let (trace, audit) = taken(&mut watched.host);
    assert_exact(&trace, &[&probe_wasm()]);
    assert_audit(&trace, &audit);
}

proptest! {
    #![proptest_config(crate::random::cases())]


    #[test]
    fn any_calls_replay_exactly_and_are_not_changed_by_recording(
        setting in setting(), ops in vec(op(), 1..12),
    ) {
        check(&setting, &ops);
    }
}
