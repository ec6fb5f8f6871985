//! Deadlines act when they pass, on machines of any speed, and how often the clock is looked at is seen nowhere.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use sochdb_wasmi::{
    abi::Capability,
    database::{Database, Storage},
    host::{
        CallError, CallReport, FuelSlice, Host, HostCallResult, HostConfig, HostFunction,
        HostFunctionContext, PluginConfig, SliceDecision,
    },
    limits::{Limit, LimitExceeded, Limits},
};

use crate::support::everything;

/// A host function that takes time, and so makes the plugin's code slow: the request says how many
/// microseconds.
struct Work(Arc<AtomicU64>);

impl<S: Storage> HostFunction<S> for Work {
    fn name(&self) -> &str {
        "work"
    }

    fn capability(&self) -> Capability<'_> {
        Capability::Always
    }

    fn execute(
        &mut self,
        _: &mut HostFunctionContext<'_, S>,
        request: &[u8],
        _: &mut [u8],
    ) -> HostCallResult {
        let us = request.first_chunk().copied().map_or(0, u32::from_le_bytes);
        self.0.fetch_add(us.into(), Relaxed);
        HostCallResult::Success(0)
    }
}

/// A clock on which so many microseconds pass at every look.
fn steps_of(us: u64) -> impl FnMut() -> u64 {
    let mut now = 0;
    move || {
        now += us;
        now
    }
}

/// A plugin whose `run` works as often as its input says (for ever for 0), first for so many microseconds, and
/// after half of that for so many. About 60 fuel each time.
fn plugin() -> Vec<u8> {
    wat::parse_str(
        r#"(module
            (import "lab" "work" (func $work (param i32 i32 i32 i32) (result i32)))
            (memory (export "memory") 1)
            (global (export "sochdb_plugin") i32 (i32.const 0))
            (data (i32.const 0) "\01\00\00\00" "\00\01\00\00" "\00\01\00\00" "\00\02\00\00" "\00\01\00\00")
            (func (export "run") (param $len i32) (result i32)
                (local $left i32)
                (local.set $left (i32.load (i32.const 256)))
                (loop $again
                    (local.set $left (i32.sub (local.get $left) (i32.const 1)))
                    (drop (call $work
                        (select (i32.const 260) (i32.const 264)
                            (i32.gt_u (local.get $left)
                                (i32.shr_u (i32.load (i32.const 256)) (i32.const 1))))
                        (i32.const 4) (i32.const 0) (i32.const 0)))
                    (br_if $again (local.get $left)))
                (i32.store (i32.const 512) (i32.load (i32.const 256)))
                (i32.const 4)))"#,
    )
    .unwrap()
}

fn input(times: u32, first_us: u32, then_us: u32) -> [u8; 12] {
    let mut input = [0; 12];
    for (place, number) in input.chunks_mut(4).zip([times, first_us, then_us]) {
        place.copy_from_slice(&number.to_le_bytes());
    }
    input
}

/// What a call answered, its report, and when it ended, on a machine whose clock moves with the work.
fn call(limits: Limits, input: &[u8]) -> (Result<Vec<u8>, CallError>, CallReport, u64) {
    let now = Arc::new(AtomicU64::new(0));
    let clock = { Arc::clone(&now) };
    let database = Database::in_memory(Default::default());
    let mut host = Host::new(HostConfig::default(), database, move || clock.load(Relaxed));
    host.register("lab", Work(Arc::clone(&now))).unwrap();
    let config = PluginConfig::new(everything()).with_limits(limits);
    let plugin = host.load("plugin", &plugin(), &config).unwrap();
    let answer = host.call(plugin, "run", input).map(|outcome| outcome.output.to_vec());
    (answer, host.report(plugin).unwrap(), now.load(Relaxed))
}

/// A deadline acted at the end of a slice of 100,000 fuel, which 10 ms passed long before on a slow machine,
/// and with `Limits::observability_only()`, whose whole fuel is one slice, it never acted.
#[test]
fn a_deadline_passes_by_a_tenth_or_a_millisecond_at_most_on_machines_of_any_speed() {
    for preset in [Limits::DEFAULT, Limits::observability_only(), Limits::read_only()] {
        for deadline_ms in [preset.deadline_ms, Some(1), Some(3), Some(40)] {
            let limits = Limits { fuel_per_call: 1 << 40, deadline_ms, ..preset };
            let limits = Limits { host_calls: u32::MAX, ..limits };
            let deadline_us = u64::from(deadline_ms.unwrap()) * 1000;
            // At most 50,000 host calls.
            let speeds = [2, 5, 10, 20, 40].into_iter();
            for us in speeds.filter(|&us| deadline_us <= 50_000 * u64::from(us)) {
                let (answer, _, ended) = call(limits, &input(0, us, us));
                let late = CallError::Limit(LimitExceeded {
                    limit: Limit::Deadline,
                    allowed: deadline_us / 1000,
                    asked: ended.div_ceil(1000),
                });
                assert_eq!(answer, Err(late));
                let most = (deadline_us / 10).max(1000);
                assert!(ended - deadline_us <= most, "{deadline_ms:?} ms, {us} us: {ended}");
            }
        }
    }
}

#[test]
fn the_fuel_of_observability_only_does_not_outlast_its_deadline() {
    let (answer, report, ended) = call(Limits::observability_only(), &input(0, 20, 20));
    assert!(matches!(answer, Err(CallError::Limit(LimitExceeded { limit: Limit::Deadline, .. }))));
    assert!(report.fuel < 100_000 && ended <= 11_000, "{report:?} {ended}");
}

#[test]
fn a_deadline_holds_when_work_becomes_five_times_as_slow() {
    for us in [1, 2, 4, 8] {
        // The change comes after about half of the deadline.
        let times = 2 * 50_000 / us;
        let limits = Limits { fuel_per_call: 1 << 40, host_calls: u32::MAX, ..Limits::DEFAULT };
        let (answer, _, ended) = call(limits, &input(times, us, 5 * us));
        assert!(matches!(
            answer,
            Err(CallError::Limit(LimitExceeded { limit: Limit::Deadline, .. }))
        ));
        assert!(ended <= 110_000, "{us} us: {ended}");
    }
}

#[test]
fn a_machine_of_another_speed_gives_the_same_output_fuel_and_slices() {
    let limits = Limits { slice_fuel: 7_000, deadline_ms: Some(10_000), ..Limits::DEFAULT };
    let expected = call(Limits { deadline_ms: Some(u32::MAX), ..limits }, &input(3000, 0, 0));
    assert!(expected.1.slices > 10 && expected.0.is_ok(), "{expected:?}");
    for (first, then) in [(1, 1), (50, 1), (1, 700), (3000, 0)] {
        let (answer, report, _) = call(limits, &input(3000, first, then));
        assert_eq!((answer, report), (expected.0.clone(), expected.1), "{first} and {then} us");
    }
}

/// Slices end after the same fuel on every machine: traces have them, and the hook is asked there.
#[test]
fn the_hook_is_asked_at_the_same_places_whatever_the_clock_says() {
    let places = |us: u64, deadline_ms| {
        let database = Database::in_memory(Default::default());
        let mut host = Host::new(HostConfig::default(), database, steps_of(us));
        host.register("lab", Work(Arc::default())).unwrap();
        let seen = Arc::new(std::sync::Mutex::new(Vec::new()));
        let places = Arc::clone(&seen);
        host.set_slice_hook(move |slice: &FuelSlice| {
            places.lock().unwrap().push((slice.number, slice.fuel));
            SliceDecision::Continue
        });
        let limits = Limits { slice_fuel: 9_000, deadline_ms, ..Limits::DEFAULT };
        let config = PluginConfig::new(everything()).with_limits(limits);
        let plugin = host.load("plugin", &plugin(), &config).unwrap();
        host.call(plugin, "run", &input(2000, 0, 0)).unwrap();
        let seen = seen.lock().unwrap().clone();
        assert!(seen.len() > 8);
        seen
    };
    let unwatched = places(0, None);
    for us in [0, 1, 300, 5000] {
        assert_eq!(places(us, Some(u32::MAX)), unwatched);
    }
}

#[cfg(feature = "replay")]
#[test]
fn a_trace_of_a_call_whose_deadline_passed_within_a_slice_replays_exactly() {
    use crate::tracing::{assert_exact, taken};

    let wasm = crate::support::wat_plugin(
        r#"(func (export "run") (param i32) (result i32) (loop $again (br $again)) (i32.const 0))"#,
    );
    for us in [100, 1_000, 7_000, 200_000] {
        let database = Database::in_memory(Default::default());
        let mut host = Host::new(HostConfig::default(), database, steps_of(us));
        let limits = Limits { slice_fuel: 10_007, fuel_per_call: 1 << 40, ..Limits::DEFAULT };
        let config = PluginConfig::new(everything()).with_limits(limits);
        let plugin = host.load("plugin", &wasm, &config).unwrap();
        host.record(sochdb_wasmi::trace::Recorder::growing());
        for _ in 0..3 {
            let error = host.call(plugin, "run", &[]).unwrap_err();
            assert!(matches!(
                error,
                CallError::Limit(LimitExceeded { limit: Limit::Deadline, .. })
            ));
        }
        let fuel = host.report(plugin).unwrap().fuel;
        assert!(fuel % 10_007 > 10, "the deadline passed between slices: {fuel}");
        assert_exact(&taken(&mut host).0, &[&wasm]);
    }
}
