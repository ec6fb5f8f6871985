//! A call is all or nothing, and bounded: by fuel, stack, time and the embedder's hook.

mod support;

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use sochdb_wasmi::{
    abi::{Seq, Status, Value, message::NewRow},
    database::MemoryLimits,
    host::{CallError, FuelSlice, Host, HostConfig, PluginConfig, SliceDecision},
    limits::{Limit, LimitExceeded, Limits},
};
use support::*;

fn config(limits: Limits) -> PluginConfig {
    PluginConfig::new(everything()).with_limits(limits)
}

/// A clock that a test moves.
fn clock() -> (Arc<AtomicU64>, impl FnMut() -> u64 + Send + 'static) {
    let time = Arc::new(AtomicU64::new(0));
    let read = time.clone();
    (time, move || read.load(Ordering::Relaxed))
}

fn host_with_clock(clock: impl FnMut() -> u64 + Send + 'static) -> Host {
    let mut database = sochdb_wasmi::database::Database::in_memory(MemoryLimits::default());
    database.create_table(items()).unwrap();
    Host::new(HostConfig::default(), database, clock)
}

fn one_row() -> Vec<u8> {
    let place = vector(&[0.0; 3]);
    let values = item("bolt", 5, &place);
    encoded(&insert_request(&[NewRow { id: Some(1), values: Seq::new(&values) }]))
}

/// The one row as the last host call of an entry that then fails.
fn write_and(probe: &mut Probe, entry: &str) -> CallError {
    let request = one_row();
    let numbers = [REQUEST, request.len() as u32, RESPONSE, RESPONSE_CAPACITY];
    probe.enter(entry, "soch_write", numbers, 1, &request).unwrap_err()
}

#[test]
fn a_finished_call_keeps_what_it_wrote() {
    let mut probe = Probe::new();
    assert!(probe.insert(1, "bolt", 5).status > 0);
    assert!(!probe.host.database().has_pending());
    assert!(probe.read(1).status > 0);
}

#[test]
fn a_call_that_returns_a_negative_status_leaves_no_rows() {
    let mut probe = Probe::new();
    let error = write_and(&mut probe, "call_then_fail");
    assert_eq!(error.status(), Some(Status::InvalidArgs));
    assert_eq!(probe.read(1).failed(), Some(Status::NotFound));
}

#[test]
fn a_trapped_call_leaves_no_rows() {
    let mut probe = Probe::new();
    let error = write_and(&mut probe, "call_then_trap");
    assert!(matches!(error, CallError::Trap { .. }), "{error}");
    assert_eq!(probe.read(1).failed(), Some(Status::NotFound));
}

#[test]
fn a_call_that_runs_out_of_fuel_leaves_no_rows() {
    let mut probe = Probe::with(host(), config(Limits { deadline_ms: None, ..Limits::default() }));
    match write_and(&mut probe, "call_then_spin") {
        CallError::Limit(LimitExceeded { limit: Limit::Fuel, allowed: 1_000_000, asked }) => {
            assert!(asked > 1_000_000);
        }
        other => panic!("{other}"),
    }
    assert_eq!(probe.read(1).failed(), Some(Status::NotFound));
}

#[test]
fn a_call_that_reports_more_output_than_its_buffer_holds_leaves_no_rows() {
    let mut probe = Probe::new();
    let error = write_and(&mut probe, "call_then_overrun");
    assert_eq!(error, CallError::OutputTooLarge { len: 65_537, capacity: 65_536 });
    assert_eq!(probe.read(1).failed(), Some(Status::NotFound));
}

#[test]
fn writing_to_a_full_store_fails_the_statement_and_keeps_what_was_there() {
    let limits = MemoryLimits { max_rows: 2, ..MemoryLimits::default() };
    let mut probe = Probe::with(host_with(limits), config(roomy()));
    assert!(probe.insert(1, "bolt", 1).status > 0);
    assert!(probe.insert(2, "nut", 2).status > 0);
    assert_eq!(probe.insert(3, "washer", 3).failed(), Some(Status::LimitExceeded));
    assert!(probe.read(2).status > 0);
    assert_eq!(probe.read(3).failed(), Some(Status::NotFound));
    probe.host.database().check().unwrap();
}

#[test]
fn a_plugin_starts_anew_after_a_trap_and_only_then() {
    let mut probe = Probe::new();
    let mut count = || {
        let output = probe.host.call(probe.plugin, "count", &[]).unwrap().output;
        u32::from_le_bytes(output.try_into().unwrap())
    };
    assert_eq!((count(), count()), (1, 2));
    assert_eq!(write_and(&mut probe, "call_then_fail").status(), Some(Status::InvalidArgs));
    let output = probe.host.call(probe.plugin, "count", &[]).unwrap().output;
    assert_eq!(output, 3_u32.to_le_bytes());
    write_and(&mut probe, "call_then_trap");
    let output = probe.host.call(probe.plugin, "count", &[]).unwrap().output;
    assert_eq!(output, 1_u32.to_le_bytes());
}

#[test]
fn endless_recursion_is_a_stack_overflow_with_both_limits() {
    let limits = Limits { stack_bytes: 32 << 10, recursion: 100, ..roomy() };
    let mut probe = Probe::with(host(), config(limits));
    let error = probe.host.call(probe.plugin, "recurse", &[]).unwrap_err();
    assert_eq!(error, CallError::StackOverflow { stack_bytes: 32 << 10, recursion: 100 });
    // Few, wide frames meet the stack height instead.
    let limits = Limits { stack_bytes: 2 << 10, recursion: 1_000_000, ..roomy() };
    let mut probe = Probe::with(host(), config(limits));
    let error = probe.host.call(probe.plugin, "recurse", &[]).unwrap_err();
    assert_eq!(error, CallError::StackOverflow { stack_bytes: 2 << 10, recursion: 1_000_000 });
}

#[test]
fn memory_grows_to_its_limit_and_no_further() {
    let mut probe = Probe::with(host(), config(Limits { memory_bytes: 6 * 65_536, ..roomy() }));
    let mut grow = |pages: u32| {
        let outcome = probe.host.call(probe.plugin, "grow", &pages.to_le_bytes()).unwrap();
        (i32::from_le_bytes(outcome.output.try_into().unwrap()), outcome.report.memory_bytes)
    };
    assert_eq!(grow(2), (4, 6 * 65_536));
    assert_eq!(grow(1), (-1, 6 * 65_536));
    assert_eq!(grow(0xffff), (-1, 6 * 65_536));
    assert_eq!(grow(0), (6, 6 * 65_536));
}

#[test]
fn host_work_is_paid_from_the_fuel_of_the_call() {
    // A loop of searches costs more fuel than the same loop of the cheapest call.
    let mut probe = Probe::new();
    for id in 1..=50 {
        probe.insert(id, "bolt", id as i64);
    }
    let place = vector(&[0.0; 3]);
    let search = encoded(&sochdb_wasmi::abi::message::SearchRequest {
        table: "items",
        column: "place",
        query: &place,
        k: 1,
        filter: Seq::empty(),
        columns: None,
    });
    let fuel = |probe: &mut Probe, name: &str, request: &[u8]| {
        let numbers = [REQUEST, request.len() as u32, RESPONSE, RESPONSE_CAPACITY];
        probe.enter("repeat", name, numbers, 100, request).unwrap().1.fuel
    };
    let cheap = fuel(&mut probe, "get_config", b"\x01k");
    let dear = fuel(&mut probe, "vector_search", &search);
    let prices = sochdb_wasmi::meter::PRICES;
    let rows = 100 * 50 * (prices.row + prices.dimensions8);
    assert!(dear >= cheap + rows, "{dear} for searches, {cheap} for looking up a key");
}

#[test]
fn a_loop_of_searches_ends_when_the_fuel_does() {
    let limits = Limits { fuel_per_call: 100_000, deadline_ms: None, ..Limits::default() };
    let mut probe = Probe::new();
    for id in 1..=100 {
        probe.insert(id, "bolt", id as i64);
    }
    let second = probe.host.load("second", &probe_wasm(), &config(limits)).unwrap();
    let place = vector(&[0.0; 3]);
    let request = encoded(&sochdb_wasmi::abi::message::SearchRequest {
        table: "items",
        column: "place",
        query: &place,
        k: 1,
        filter: Seq::empty(),
        columns: None,
    });
    let numbers = [REQUEST, request.len() as u32, RESPONSE, RESPONSE_CAPACITY];
    let bytes = input(function("vector_search"), numbers, u32::MAX, &request);
    let error = probe.host.call(second, "repeat", &bytes).unwrap_err();
    assert!(matches!(error, CallError::Limit(LimitExceeded { limit: Limit::Fuel, .. })), "{error}");
    let report = probe.host.report(second).unwrap();
    assert!(report.fuel <= 100_000 && report.rows < 4_000, "{report:?}");
}

#[test]
fn how_a_call_is_sliced_changes_neither_its_fuel_nor_its_result() {
    let mut seen = Vec::new();
    for slice_fuel in [1, 10, 333, 10_000, u64::MAX] {
        let limits = Limits { slice_fuel, deadline_ms: Some(1000), ..roomy() };
        let mut probe = Probe::with(host(), config(limits));
        probe.insert(1, "bolt", 5);
        let request = encoded(&read_request(sochdb_wasmi::abi::message::RowSelector::ALL));
        let numbers = [REQUEST, request.len() as u32, RESPONSE, RESPONSE_CAPACITY];
        let (answer, report) = probe.enter("repeat", "soch_read", numbers, 50, &request).unwrap();
        seen.push((answer, report.fuel, report.slices > 1));
    }
    assert!(
        seen.iter().all(|(answer, fuel, _)| (answer, fuel) == (&seen[0].0, &seen[0].1)),
        "{seen:?}"
    );
    assert!(seen[0].2 && !seen[4].2);
}

#[test]
fn a_call_past_its_deadline_is_stopped_between_slices_and_leaves_no_rows() {
    let (time, read) = clock();
    let mut host = host_with_clock(read);
    let limits = Limits { deadline_ms: Some(5), slice_fuel: 1000, ..roomy() };
    host.set_slice_hook({
        let time = time.clone();
        move |_: &FuelSlice| {
            time.fetch_add(1000, Ordering::Relaxed);
            SliceDecision::Continue
        }
    });
    let mut probe = Probe::with(host, config(limits));
    let error = write_and(&mut probe, "call_then_spin");
    let exceeded = LimitExceeded { limit: Limit::Deadline, allowed: 5, asked: 6 };
    assert_eq!(error, CallError::Limit(exceeded));
    assert_eq!(probe.host.report(probe.plugin).unwrap().slices, 7);
    assert_eq!(probe.read(1).failed(), Some(Status::NotFound));
}

#[test]
fn the_hook_sees_every_slice_and_can_stop_the_call() {
    let mut host = host();
    let numbers = Arc::new(AtomicU64::new(0));
    host.set_slice_hook({
        let numbers = numbers.clone();
        move |slice: &FuelSlice| {
            assert_eq!(u64::from(slice.number), numbers.fetch_add(1, Ordering::Relaxed) + 1);
            if slice.number == 3 { SliceDecision::Stop } else { SliceDecision::Continue }
        }
    });
    let mut probe = Probe::with(host, config(Limits { slice_fuel: 1000, ..roomy() }));
    assert_eq!(write_and(&mut probe, "call_then_spin"), CallError::Stopped);
    assert_eq!(numbers.load(Ordering::Relaxed), 3);
    numbers.store(0, Ordering::Relaxed);
    assert_eq!(probe.read(1).failed(), Some(Status::NotFound));
}

#[test]
fn quotas_of_host_calls_rows_and_bytes_are_limits_with_names() {
    let request = encoded(&read_request(sochdb_wasmi::abi::message::RowSelector::ALL));
    let numbers = [REQUEST, request.len() as u32, RESPONSE, RESPONSE_CAPACITY];
    for (limits, words) in [
        (Limits { host_calls: 7, ..roomy() }, "host calls per call"),
        (Limits { rows: 10, ..roomy() }, "rows visited per call"),
        (Limits { bytes: 200, ..roomy() }, "bytes moved per call"),
    ] {
        let mut setup = Probe::new();
        for id in 1..=3 {
            setup.insert(id, "bolt", id as i64);
        }
        let plugin = setup.host.load("limited", &probe_wasm(), &config(limits)).unwrap();
        let bytes = input(function("soch_read"), numbers, 20, &request);
        let outcome = setup.host.call(plugin, "repeat", &bytes).unwrap();
        let status = i32::from_le_bytes(*outcome.output.first_chunk().unwrap());
        assert_eq!(status, Status::LimitExceeded.code(), "{words}");
        let entry = setup.host.audit().iter().last().unwrap();
        assert_eq!(entry.status, Status::LimitExceeded.code());
    }
}

#[test]
fn inputs_and_entries_that_do_not_exist_are_named() {
    let mut probe = Probe::new();
    let plugin = probe.plugin;
    let too_long = vec![0; 65_537];
    assert_eq!(
        probe.host.call(plugin, "call", &too_long).unwrap_err(),
        CallError::InputTooLarge { len: 65_537, capacity: 65_536 }
    );
    assert_eq!(
        probe.host.call(plugin, "nothing", &[]).unwrap_err(),
        CallError::NoSuchEntry { entry: "nothing".into() }
    );
    for entry in ["wrong_type", "memory"] {
        assert_eq!(
            probe.host.call(plugin, entry, &[]).unwrap_err(),
            CallError::EntryType { entry: entry.into() }
        );
    }
    probe.host.unload(plugin);
    assert_eq!(probe.host.call(plugin, "call", &[]).unwrap_err(), CallError::NoSuchPlugin(plugin));
}

#[test]
fn plugins_share_one_database_and_see_each_others_finished_writes() {
    let mut probe = Probe::new();
    let other = probe.host.load("other", &probe_wasm(), &config(roomy())).unwrap();
    probe.insert(1, "bolt", 5);
    let first = std::mem::replace(&mut probe.plugin, other);
    assert!(probe.read(1).status > 0);
    probe.host.unload(first);
    assert!(probe.read(1).status > 0);
}

#[test]
fn a_host_can_be_sent_to_another_thread() {
    fn send<T: Send>(_: &T) {}
    let mut probe = Probe::new();
    send(&probe.host);
    probe.insert(1, "bolt", 5);
    let mut probe = std::thread::spawn(move || {
        assert!(probe.read(1).status > 0);
        probe
    })
    .join()
    .unwrap();
    assert!(probe.read(1).status > 0);
}

#[test]
fn reads_within_a_call_see_its_own_writes() {
    // The probe makes one host call per entry, so this plugin writes a row and reads it back.
    let place = vector(&[0.0; 3]);
    let values = [Value::Text("bolt"), Value::Int(1), Value::Null, Value::Binary(&place)];
    let write = encoded(&insert_request(&[NewRow { id: Some(9), values: Seq::new(&values) }]));
    let read = encoded(&read_request(sochdb_wasmi::abi::message::RowSelector::One(9)));
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("\\{byte:02x}")).collect::<String>();
    let wasm = wat::parse_str(format!(
        r#"(module
            (import "sochdb" "soch_write" (func $write (param i32 i32 i32 i32) (result i32)))
            (import "sochdb" "soch_read" (func $read (param i32 i32 i32 i32) (result i32)))
            (memory (export "memory") 1)
            (global (export "sochdb_plugin") i32 (i32.const 0))
            (data (i32.const 0) "\01\00\00\00" "\00\01\00\00" "\00\01\00\00" "\00\02\00\00" "\00\01\00\00")
            (data (i32.const 1024) "{}") (data (i32.const 2048) "{}")
            (func (export "run") (param i32) (result i32)
                (drop (call $write (i32.const 1024) (i32.const {}) (i32.const 4096) (i32.const 100)))
                (call $read (i32.const 2048) (i32.const {}) (i32.const 512) (i32.const 256))))"#,
        hex(&write), hex(&read), write.len(), read.len()
    ))
    .unwrap();
    let mut host = host();
    let plugin = host.load("both", &wasm, &config(roomy())).unwrap();
    let output = host.call(plugin, "run", &[]).unwrap().output;
    let rows: sochdb_wasmi::abi::message::RowsResponse =
        sochdb_wasmi::abi::wire::decode(output).unwrap();
    assert!(rows.rows.iter().next().unwrap().values.iter().eq(values));
}
