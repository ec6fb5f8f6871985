//! Regressions from an attack on the host: each test begins with what went wrong.

use crate::support;
use std::panic::{AssertUnwindSafe, catch_unwind};

use sochdb_wasmi::{
    abi::{
        Capability, Seq, Status, Value,
        message::{NewRow, RowSelector, WriteMode},
    },
    database::{ColumnType, Database, DatabaseError, MemoryLimits, Storage, TableSchema},
    host::{
        CallError, FuelSlice, HostCallResult, HostFunction, HostFunctionContext, LoadError,
        MAX_EXPORTS, PluginConfig, SliceDecision,
    },
    limits::{Limit, Limits},
    meter::{Meter, PRICES},
};
use support::*;

/// wasmi 2.0 resumes a `table.grow` that ran out of fuel at an older place of the code: a global was
/// counted twice, or for ever, depending on where a slice ended.
#[test]
fn growing_a_table_does_nothing_twice_however_it_is_sliced() {
    let wasm = wat_plugin(
        r#"(table 1 funcref)
        (global $times (mut i32) (i32.const 0))
        (func (export "run") (param i32) (result i32)
            (global.set $times (i32.add (global.get $times) (i32.const 1)))
            (i32.store (i32.const 512) (global.get $times))
            (i32.store (i32.const 516) (table.grow (ref.null func) (i32.const 900)))
            (i32.const 8))"#,
    );
    for slice_fuel in 1..200 {
        let limits = Limits { slice_fuel, deadline_ms: Some(1000), ..Limits::default() };
        let mut host = host();
        let config = PluginConfig::new(everything()).with_limits(limits);
        let plugin = host.load("grow", &wasm, &config).unwrap();
        let output = host.call(plugin, "run", &[]).unwrap().output;
        assert_eq!(output, [1, 0, 0, 0, 255, 255, 255, 255], "slices of {slice_fuel}");
    }
}

/// The price of a response was taken after the work: with the quota of bytes nearly used up, a
/// write answered -6 and stayed.
#[test]
fn a_write_whose_response_is_over_the_quota_is_undone() {
    let place = vector(&[0.0; 3]);
    let values = item("bolt", 5, &place);
    let rows = [NewRow { id: Some(5), values: Seq::new(&values) }];
    let request = encoded(&insert_request(&rows));
    let numbers = [REQUEST, request.len() as u32, RESPONSE, RESPONSE_CAPACITY];
    let mut refused = 0;
    for bytes in request.len() as u64..200 {
        let limits = Limits { bytes, ..roomy() };
        let config = PluginConfig::new(everything()).with_limits(limits);
        let mut probe = Probe::with(host(), config);
        let (answer, _) = probe.enter("call", "soch_write", numbers, 1, &request).unwrap();
        let stored = probe.host.database().get("items", 5, |_| ()).unwrap().is_some();
        assert_eq!(stored, answer.status > 0, "with a quota of {bytes} bytes");
        let entry = probe.host.audit().iter().last().unwrap();
        assert_eq!(entry.rows, u32::from(stored));
        refused += u32::from(!stored);
    }
    assert!(refused > 0);
}

/// Does what it should not: writes, and then fails, or commits.
struct Meddler;

impl<S: Storage> HostFunction<S> for Meddler {
    fn name(&self) -> &str {
        "meddle"
    }

    fn capability(&self) -> Capability<'_> {
        Capability::Always
    }

    fn execute(
        &mut self,
        context: &mut HostFunctionContext<'_, S>,
        _: &[u8],
        _: &mut [u8],
    ) -> HostCallResult {
        let place = vector(&[0.0; 3]);
        let values = item("meddled", 1, &place);
        let inserted = context.database().insert("items", Some(1), &values);
        assert_eq!(inserted, Err(DatabaseError::TransactionPending));
        assert_eq!(context.database().commit(), Err(DatabaseError::TransactionPending));
        let rows = [NewRow { id: Some(2), values: Seq::new(&values) }];
        let Some(table) = context.database().table_id("items") else {
            return HostCallResult::not_found("items");
        };
        let (columns, rows) = (Seq::empty(), Seq::new(&rows));
        let mut meter = Meter::unlimited();
        let database = context.database();
        database.write(table, WriteMode::Insert, &columns, &rows, &mut meter, &mut |_| ()).unwrap();
        HostCallResult::Success(usize::MAX)
    }
}

/// A function of an embedder's could commit in the middle of a plugin's call, and what it wrote
/// before it failed stayed.
#[test]
fn a_host_function_that_fails_leaves_no_rows_and_cannot_commit() {
    let wasm = wat::parse_str(
        r#"(module
            (import "own" "meddle" (func $meddle (param i32 i32 i32 i32) (result i32)))
            (memory (export "memory") 1)
            (global (export "sochdb_plugin") i32 (i32.const 0))
            (data (i32.const 0) "\01\00\00\00" "\00\01\00\00" "\00\01\00\00" "\00\02\00\00" "\00\01\00\00")
            (func (export "run") (param i32) (result i32)
                (drop (call $meddle (i32.const 0) (i32.const 0) (i32.const 512) (i32.const 256)))
                (i32.const 0)))"#,
    )
    .unwrap();
    let mut host = host();
    host.register("own", Meddler).unwrap();
    let plugin = host.load("meddler", &wasm, &PluginConfig::default()).unwrap();
    host.call(plugin, "run", &[]).unwrap();
    for id in [1, 2] {
        assert_eq!(host.database().get("items", id, |_| ()), Ok(None));
    }
}

/// What the embedder had written without committing was committed, or rolled back, with the next
/// call of any plugin.
#[test]
fn a_call_is_refused_while_writes_from_outside_are_pending() {
    let mut probe = Probe::new();
    let place = vector(&[0.0; 3]);
    let values = item("bolt", 1, &place);
    let rows = [NewRow { id: Some(1), values: Seq::new(&values) }];
    let database = probe.host.database_mut();
    let table = database.table_id("items").unwrap();
    let (columns, rows) = (Seq::empty(), Seq::new(&rows));
    let mut meter = Meter::unlimited();
    database.write(table, WriteMode::Insert, &columns, &rows, &mut meter, &mut |_| ()).unwrap();
    let error = probe.host.call(probe.plugin, "count", &[]).unwrap_err();
    assert_eq!(error, CallError::TransactionPending);
    probe.host.database_mut().commit().unwrap();
    assert!(probe.read(1).status > 0);
}

/// A slice hook that unwound left the plugin's rows pending, and the next call committed them.
#[test]
fn a_hook_that_unwinds_leaves_no_rows_and_a_plugin_that_starts_anew() {
    let mut host = host();
    let mut unwinds = true;
    host.set_slice_hook(move |_: &FuelSlice| {
        if std::mem::take(&mut unwinds) {
            std::panic::resume_unwind(Box::new("the hook's own"));
        }
        SliceDecision::Continue
    });
    let limits = Limits { slice_fuel: 2_000, ..roomy() };
    let config = PluginConfig::new(everything()).with_limits(limits);
    let mut probe = Probe::with(host, config);
    let place = vector(&[0.0; 3]);
    let values = item("bolt", 1, &place);
    let request = encoded(&insert_request(&[NewRow { id: Some(1), values: Seq::new(&values) }]));
    let numbers = [REQUEST, request.len() as u32, RESPONSE, RESPONSE_CAPACITY];
    let bytes = input(function("soch_write"), numbers, 1, &request);
    let unwound = catch_unwind(AssertUnwindSafe(|| {
        probe.host.call(probe.plugin, "call_then_spin", &bytes).map(|_| ())
    }));
    assert!(unwound.is_err());
    assert!(!probe.host.database().has_pending());
    assert_eq!(probe.read(1).failed(), Some(Status::NotFound));
}

/// Rows that a call had deleted were walked over for nothing by each scan of it.
#[test]
fn walking_over_deleted_rows_is_paid_for() {
    let mut database = Database::in_memory(MemoryLimits::default());
    let schema = TableSchema::new("t").unwrap().column("n", ColumnType::Int).unwrap();
    let table = database.create_table(schema).unwrap();
    for n in 0..100 {
        database.insert("t", None, &[Value::Int(n)]).unwrap();
    }
    let mut meter = Meter::unlimited();
    database.delete(table, &RowSelector::ALL, &mut meter).unwrap();
    let mut meter = Meter::new(&Limits::default());
    let before = meter.fuel();
    database
        .scan_rows(table, 0, None, &mut meter, &mut |_, _| std::ops::ControlFlow::Continue(()))
        .unwrap();
    assert_eq!(before - meter.fuel(), PRICES.seek + 100 * PRICES.row);
}

/// Calls that were refused at the door cost nothing, and could be made until the plugin's own fuel
/// ended.
#[test]
fn refused_calls_cost_what_every_call_costs() {
    let mut probe = Probe::new();
    let outside = [0xffff_0000, 16, RESPONSE, 16];
    let (answer, report) = probe.enter("repeat", "soch_read", outside, 1000, &[]).unwrap();
    assert_eq!(answer.failed(), Some(Status::InvalidArgs));
    assert!(report.fuel > 1000 * PRICES.call);

    let limits = Limits { host_calls: 1, ..roomy() };
    let config = PluginConfig::new(everything()).with_limits(limits);
    let mut probe = Probe::with(host(), config);
    let inside = [REQUEST, 0, RESPONSE, 16];
    let (answer, report) = probe.enter("repeat", "last_error", inside, 1000, &[]).unwrap();
    assert_eq!(answer.failed(), Some(Status::LimitExceeded));
    assert!(report.fuel > 1000 * PRICES.call);
}

/// The grants of a plugin were kept by the number of a table, which another database gives to
/// another table.
#[test]
fn grants_do_not_outlive_the_database() {
    let mut probe = Probe::with_capabilities(
        sochdb_wasmi::capability::Capabilities::read_only(&["items"]).unwrap(),
    );
    let request = encoded(&read_request(RowSelector::ALL));
    assert!(probe.raw("soch_read", &request, 100).status > 0);
    let mut other = Database::in_memory(MemoryLimits::default());
    let secret = TableSchema::new("secret").unwrap().column("n", ColumnType::Int).unwrap();
    other.create_table(secret).unwrap();
    other.insert("secret", None, &[Value::Int(1)]).unwrap();
    *probe.host.database_mut() = other;
    assert_eq!(probe.raw("soch_read", &request, 100).failed(), Some(Status::NotFound));
}

/// A module with 150,000 exports made every call look through them, outside of any limit.
#[test]
fn a_module_with_very_many_exports_is_refused_by_name() {
    let exports = |count: u32| -> String {
        (0..count).map(|n| format!("(export \"f{n}\" (func $f))")).collect()
    };
    let wasm = |count| wat_plugin(&format!("(func $f) {}", exports(count)));
    let mut host = host();
    host.load("most", &wasm(MAX_EXPORTS - 2), &PluginConfig::default()).unwrap();
    match host.load("more", &wasm(MAX_EXPORTS - 1), &PluginConfig::default()).unwrap_err() {
        LoadError::Limit(exceeded) => {
            assert_eq!(exceeded.limit, Limit::Exports);
            assert_eq!(exceeded.asked, exceeded.allowed + 1);
        }
        other => panic!("{other}"),
    }
}

/// The text of a failure went on being formatted after it was full, for a key of megabytes.
#[test]
fn long_names_are_cut_in_texts() {
    let mut probe = Probe::new();
    let mut request = vec![0xb0, 0xea, 0x01];
    request.extend(std::iter::repeat_n(1, 30_000));
    let (status, text) = probe.explain("get_config", &request);
    assert_eq!(status, Some(Status::NotFound));
    assert!(text.ends_with('…') && text.len() <= sochdb_wasmi::host::MAX_MESSAGE_LEN, "{text}");
}
