//! Replays are exact, whatever the plugin and its host did: each way in which a call can go is
//! recorded, replayed from the trace alone, and compared down to the digest of linear memory.

use crate::{database_device as device, support, tracing};
use std::panic::{AssertUnwindSafe, catch_unwind};

use sochdb_wasmi::{
    abi::{
        Seq, Status,
        message::{Bound, Format, IndexQuery, LookupRequest, ReadRequest, RowSelector},
    },
    capability::Capabilities,
    database::{ColumnType, Database, TableSchema},
    host::{CallError, Host, HostConfig, OnDenied, PluginConfig, SliceDecision},
    limits::Limits,
    trace::{Ending, Event, GrowthRefusal, RecordError, Recorder, SliceEnd, Stop},
};
use support::*;
use tracing::*;

pub(super) fn with_limits(limits: Limits) -> PluginConfig {
    PluginConfig::new(everything()).with_limits(limits)
}

pub(super) fn events(trace: &[u8]) -> Vec<Event<'_>> {
    frames(trace).iter().map(|frame| event(payload(trace, frame)).1).collect()
}

pub(super) fn endings(trace: &[u8]) -> Vec<Ending> {
    let ending = |event: &Event<'_>| match event {
        Event::CallOut(call) => Some(call.ending),
        _ => None,
    };
    events(trace).iter().filter_map(ending).collect()
}

pub(super) fn all_rows(table: &str, format: Format) -> ReadRequest<'_> {
    ReadRequest { table, rows: RowSelector::ALL, columns: Seq::empty(), limit: None, format }
}

#[test]
fn every_way_for_a_call_to_end_is_recorded_and_replayed() {
    let limits = Limits { fuel_per_call: 100_000, deadline_ms: None, ..Limits::default() };
    let trace = recorded(with_limits(limits), |probe| {
        probe.insert(1, "bolt", 3);
        let read = read_request(one(1));
        probe.call_and("call_then_fail", "soch_read", &read);
        probe.call_and("call_then_trap", "soch_read", &read);
        probe.call_and("recurse", "soch_read", &read);
        probe.call_and("call_then_spin", "soch_read", &read);
        probe.call_and("call_then_overrun", "soch_read", &read);
        // After all of it the probe goes on as it was recorded.
        probe.read(1);
    });
    use Ending::*;
    assert_eq!(
        endings(&trace),
        [Output, Failed, Trap, StackOverflow, Limit, OutputTooLarge, Output]
    );
}

/// A page that ended by its `limit` was recorded with the whole response buffer, as if a row had been
/// taken back: an answer of 14 bytes made a trace of 65,985. So was every answer of a call that failed
/// before it wrote anything.
#[test]
fn a_trace_keeps_of_a_response_what_was_written_and_no_more() {
    let limits = Limits { rows: 40, ..roomy() };
    let columns = ["stock"];
    let page = |format, limit| ReadRequest {
        columns: Seq::new(&columns),
        limit: Some(limit),
        ..all_rows("items", format)
    };
    let absent = ReadRequest { rows: one(77), ..page(Format::Rows, 9) };
    let index = LookupRequest {
        limit: Some(2),
        columns: Some(Seq::new(&columns)),
        ..lookup("by_stock", IndexQuery::Range { lower: Bound::Unbounded, upper: Bound::Unbounded })
    };
    let trace = recorded(with_limits(limits), |probe| {
        for id in 1..9 {
            probe.insert(id, "bolt", id as i64);
        }
        for format in [Format::Rows, Format::Toon] {
            probe.call("soch_read", &page(format, 2));
            probe.call("soch_read", &page(format, 0));
        }
        probe.call("soch_read", &absent);
        probe.call("index_lookup", &index);
        // A row is visited too many: a call that fails, and nothing that it wrote is answered.
        let all = encoded(&page(Format::Rows, 9));
        let numbers = [REQUEST, all.len() as u32, RESPONSE, RESPONSE_CAPACITY];
        probe.enter("repeat", "soch_read", numbers, 8, &all).unwrap();
        // Some rows do not fit: these bytes are in the plugin's memory too.
        for capacity in [16, 20, 24, 40] {
            probe.raw("soch_read", &encoded(&page(Format::Rows, 9)), capacity);
            probe.raw("soch_read", &encoded(&page(Format::Toon, 9)), capacity);
            probe.raw("index_lookup", &encoded(&index), capacity);
        }
    });
    let calls = |event: &Event<'_>| match event {
        Event::HostCall(call) => Some((call.status, call.response.len())),
        _ => None,
    };
    let calls: Vec<_> = events(&trace).iter().filter_map(calls).collect();
    assert!(calls.iter().any(|(status, _)| *status == Status::LimitExceeded.code()));
    assert!(calls.iter().any(|(status, _)| *status == Status::NotFound.code()));
    for (status, written) in calls {
        assert!(written <= 100, "a call that answered {status} was recorded with {written} bytes");
    }
    assert!(trace.len() < 8000, "{}", trace.len());
}

#[test]
fn what_a_trap_leaves_is_left_in_the_replay_too() {
    recorded(config(), |probe| {
        let count =
            |probe: &mut Probe| probe.host.call(probe.plugin, "count", &[]).unwrap().output[0];
        assert_eq!([count(probe), count(probe)], [1, 2]);
        probe.call_and("call_then_trap", "soch_read", &read_request(one(1)));
        assert_eq!([count(probe), count(probe)], [1, 2]);
        probe.host.checkpoint();
        assert_eq!([count(probe), count(probe)], [1, 2]);
        probe.call_and("call_then_fail", "soch_read", &read_request(one(1)));
        assert_eq!(count(probe), 3);
    });
}

#[test]
fn fuel_that_ends_in_a_host_call_ends_there_again() {
    for fuel in (2_000..20_000).step_by(571) {
        let limits = Limits { fuel_per_call: fuel, ..roomy() };
        let trace = recorded(with_limits(limits), |probe| {
            let rows = all_rows("items", Format::Rows);
            let request = encoded(&rows);
            let numbers = [REQUEST, request.len() as u32, RESPONSE, RESPONSE_CAPACITY];
            let error = probe.enter("repeat", "soch_read", numbers, 1000, &request).unwrap_err();
            assert!(matches!(error, CallError::Limit(_)));
        });
        let last = events(&trace).into_iter().rev().find_map(|event| match event {
            Event::HostCall(call) => Some(call.stop),
            _ => None,
        });
        assert!(matches!(last, None | Some(Stop::OutOfFuel | Stop::No)));
    }
}

#[test]
fn denials_are_recorded_as_a_status_or_as_the_end_of_the_call() {
    for (on_denied, ending) in
        [(OnDenied::Status, Ending::Output), (OnDenied::Trap, Ending::Denied)]
    {
        let config = PluginConfig::new(Capabilities::default())
            .with_limits(roomy())
            .with_on_denied(on_denied);
        let trace = recorded(config, |probe| {
            let request = encoded(&read_request(one(1)));
            let numbers = [REQUEST, request.len() as u32, RESPONSE, RESPONSE_CAPACITY];
            let _ = probe.enter("call", "soch_read", numbers, 1, &request);
            let _ = probe.enter("explain", "soch_read", numbers, 1, &request);
        });
        assert_eq!(endings(&trace), [ending; 2]);
    }
}

/// The player took the time of the first slice for that of the call's begin: a plugin that made no
/// host call had run for one slice less, and passed its deadline one slice later.
#[test]
fn a_deadline_is_passed_at_the_same_slice() {
    let limits = Limits { deadline_ms: Some(1), slice_fuel: 1000, ..roomy() };
    let trace = recorded(with_limits(limits), |probe| {
        probe.call_and("spin", "soch_read", &read_request(one(1)));
        probe.call_and("call_then_spin", "soch_read", &read_request(one(1)));
    });
    assert_eq!(endings(&trace), [Ending::Limit; 2]);
    let late =
        |event: &Event<'_>| matches!(event, Event::Slice(slice) if slice.end == SliceEnd::Deadline);
    assert_eq!(events(&trace).iter().filter(|event| late(event)).count(), 2);
}

#[test]
fn a_hook_that_stops_a_call_is_not_needed_to_replay_it() {
    let mut probe = ticking_probe(with_limits(Limits { slice_fuel: 1000, ..roomy() }));
    let mut slices = 0;
    probe.host.set_slice_hook(move |_: &sochdb_wasmi::host::FuelSlice| {
        slices += 1;
        if slices == 7 { SliceDecision::Stop } else { SliceDecision::Continue }
    });
    let trace = recorded_with(Recorder::buffer(1 << 20), probe, |probe| {
        let error = probe.call_and("spin", "soch_read", &read_request(one(1)));
        assert_eq!(error, CallError::Stopped);
        probe.read(1);
    });
    assert_eq!(endings(&trace), [Ending::Stopped, Ending::Output]);
}

/// A hook that unwound left a call without an end in the trace: the next call could not stand there,
/// and nothing of the trace was replayed.
#[test]
fn a_hook_that_unwinds_is_recorded_as_one_that_stops() {
    let mut probe = ticking_probe(with_limits(Limits { slice_fuel: 2_000, ..roomy() }));
    let mut slices = 0;
    probe.host.set_slice_hook(move |_: &sochdb_wasmi::host::FuelSlice| {
        slices += 1;
        if slices == 3 {
            std::panic::resume_unwind(Box::new("the hook's own"));
        }
        SliceDecision::Continue
    });
    let trace = recorded_with(Recorder::buffer(1 << 20), probe, |probe| {
        probe.read(1);
        let request = encoded(&read_request(one(1)));
        let numbers = [REQUEST, request.len() as u32, RESPONSE, RESPONSE_CAPACITY];
        let bytes = input(function("soch_read"), numbers, 1, &request);
        let unwound = catch_unwind(AssertUnwindSafe(|| {
            probe.host.call(probe.plugin, "call_then_spin", &bytes).map(|_| ())
        }));
        assert!(unwound.is_err());
        probe.read(1);
    });
    assert_eq!(endings(&trace), [Ending::Output, Ending::Stopped, Ending::Output]);
}

/// A panic that comes from elsewhere has no place to which a replay could go.
#[test]
fn a_clock_that_panics_ends_the_recording_by_name() {
    let mut looks = 0;
    let clock = move || {
        looks += 1;
        if looks == 4 {
            std::panic::resume_unwind(Box::new("the clock's own"));
        }
        looks
    };
    let mut database = Database::in_memory(Default::default());
    database.create_table(items()).unwrap();
    let host = Host::new(HostConfig::default(), database, clock);
    let mut probe = Probe::with(
        host,
        with_limits(Limits { slice_fuel: 2_000, deadline_ms: Some(9), ..roomy() }),
    );
    probe.host.record(Recorder::buffer(1 << 20));
    probe.read(1);
    let unwound =
        catch_unwind(AssertUnwindSafe(|| probe.host.call(probe.plugin, "spin", &[]).map(|_| ())));
    assert!(unwound.is_err());
    let mut recorder = probe.host.stop_recording().unwrap();
    assert_eq!(recorder.error(), Some(RecordError::Unwound));
    let mut trace = Vec::new();
    recorder.write_to(&mut trace).unwrap();
    let replay = replayed(&trace).unwrap();
    // The second one up to where nothing more was recorded.
    assert_eq!((replay.calls, replay.divergences.len()), (2, 0));
    assert!(replay.broken_off.is_some());
}

#[test]
fn growth_of_linear_memory_is_replayed_with_its_refusals() {
    let wasm = wat::parse_str(
        r#"(module
            (import "sochdb" "get_config" (func $get (param i32 i32 i32 i32) (result i32)))
            (memory (export "memory") 1)
            (global (export "sochdb_plugin") i32 (i32.const 0))
            (data (i32.const 0) "\01\00\00\00" "\00\01\00\00" "\00\01\00\00" "\00\02\00\00" "\00\01\00\00")
            (func (export "grow") (param i32) (result i32)
                (i32.store (i32.const 512) (memory.grow (i32.load (i32.const 256))))
                ;; A malformed request and a response in the last page.
                (drop (call $get (i32.const 0) (i32.const 1)
                    (i32.sub (i32.mul (memory.size) (i32.const 65536)) (i32.const 8)) (i32.const 8)))
                (i32.store (i32.const 516) (memory.size))
                (i32.store (i32.sub (i32.mul (memory.size) (i32.const 65536)) (i32.const 16))
                    (i32.const 77))
                (i32.const 8)))"#,
    )
    .unwrap();
    for slice_fuel in [50, 333, 100_000] {
        let limits = Limits { memory_bytes: 6 << 16, slice_fuel, ..Limits::default() };
        let mut host = host();
        let plugin = host.load("growing", &wasm, &with_limits(limits)).unwrap();
        host.record(Recorder::buffer(1 << 20));
        let mut grow = |pages: u32| {
            let output = host.call(plugin, "grow", &pages.to_le_bytes()).unwrap().output.to_vec();
            [decoded_i32(&output[..4]), decoded_i32(&output[4..])]
        };
        assert_eq!(
            [grow(2), grow(9), grow(0), grow(3), grow(1), grow(70_000)],
            [[1, 3], [-1, 3], [3, 3], [3, 6], [-1, 6], [-1, 6],]
        );
        let (trace, audit) = taken(&mut host);
        let refused: Vec<_> = events(&trace)
            .into_iter()
            .filter_map(|event| match event {
                Event::Growth(growth) => Some((growth.asked >> 16, growth.refusal)),
                _ => None,
            })
            .collect();
        // What no linear memory can have is refused by the interpreter before anybody is asked.
        assert_eq!(refused, [(12, GrowthRefusal::Limit), (7, GrowthRefusal::Limit)]);
        assert_exact(&trace, &[&wasm]);
        assert_audit(&trace, &audit);
    }
}

pub(super) fn decoded_i32(bytes: &[u8]) -> i32 {
    i32::from_le_bytes(bytes.try_into().unwrap())
}

#[test]
fn plugins_that_come_and_go_are_replayed_as_they_were() {
    let other = wat_plugin(
        r#"(global $calls (mut i32) (i32.const 0))
        (func (export "count") (param i32) (result i32)
            (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
            (i32.store (i32.const 512) (global.get $calls))
            (i32.const 4))"#,
    );
    let mut probe = ticking_probe(config());
    let before = probe.host.load("gone", &other, &config()).unwrap();
    probe.host.unload(before);
    probe.host.record(Recorder::buffer(1 << 20));
    probe.insert(1, "bolt", 2);
    let second = probe.host.load("second", &other, &config()).unwrap();
    let third = probe.host.load("third", &other, &config()).unwrap();
    for _ in 0..2 {
        probe.host.call(second, "count", &[]).unwrap();
        probe.host.call(third, "count", &[]).unwrap();
        probe.read(1);
    }
    assert!(probe.host.unload(second));
    assert!(!probe.host.unload(second));
    let second = probe.host.load("second", &other, &config()).unwrap();
    assert_eq!(probe.host.call(second, "count", &[]).unwrap().output, [1, 0, 0, 0]);
    assert_eq!(probe.host.call(third, "count", &[]).unwrap().output, [3, 0, 0, 0]);
    // Calls that never begin leave nothing.
    assert!(probe.host.call(third, "no_such_entry", &[]).is_err());
    assert!(probe.host.call(third, "count", &[0; 257]).is_err());
    // A table that is made in between is named before the next call.
    let notes = TableSchema::new("notes").and_then(|t| t.column("text", ColumnType::Text));
    probe.host.database_mut().create_table(notes.unwrap()).unwrap();
    probe.call("soch_read", &all_rows("notes", Format::Toon));
    probe.host.checkpoint();
    assert_eq!(probe.host.call(third, "count", &[]).unwrap().output, [1, 0, 0, 0]);
    let (trace, audit) = taken(&mut probe.host);
    let replay = assert_exact(&trace, &[&other, &probe_wasm()]);
    assert_eq!(replay.calls, 11);
    assert_audit(&trace, &audit);
    let notes = events(&trace).iter().any(|e| matches!(e, Event::Table(t) if t.name == "notes"));
    assert!(notes);
}

/// The storage failed when the call was over. A replay has no storage, so it ends well there, and
/// the plugin goes on with the memory that it has.
#[test]
fn writes_that_could_not_be_kept_are_recorded_and_replayed() {
    let mut database = Database::open(device::Device::default()).unwrap();
    database.create_table(items()).unwrap();
    let mut host = Host::new(HostConfig::default(), database, ticking());
    let plugin = host.load("probe", &probe_wasm(), &config()).unwrap();
    host.record(Recorder::buffer(1 << 20));
    let place = vector(&[0.0; 3]);
    for (id, failing) in [(1, false), (2, true), (3, false)] {
        let values = item("bolt", id as i64, &place);
        let rows = [sochdb_wasmi::abi::message::NewRow { id: Some(id), values: Seq::new(&values) }];
        let request = encoded(&insert_request(&rows));
        let numbers = [REQUEST, request.len() as u32, RESPONSE, RESPONSE_CAPACITY];
        let bytes = input(function("soch_write"), numbers, 1, &request);
        let store = device::Device { failing, ..host.database().storage().clone() };
        *host.database_mut() = Database::open(store).unwrap();
        assert_eq!(host.call(plugin, "call", &bytes).is_err(), failing);
    }
    let mut recorder = host.stop_recording().unwrap();
    let mut trace = Vec::new();
    recorder.write_to(&mut trace).unwrap();
    assert_eq!(endings(&trace), [Ending::Output, Ending::Commit, Ending::Output]);
    assert_exact(&trace, &[&probe_wasm()]);
}
