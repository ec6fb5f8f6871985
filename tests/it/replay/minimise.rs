//! Failing traces made small.

use std::{
    ops::ControlFlow,
    time::{Duration, Instant},
};

use crate::watched;
use sochdb_wasmi::{
    abi::Value,
    host::{CallError, PluginConfig},
    replay::{Failure, MinimiseError, Minimised, Minimiser, Progress, Replayer, stats},
    trace::{Ending, Event, Recorder, TraceReader},
};
use watched::{THRESHOLD, Watched, grants, int, limits, watch, watch_with};

/// Thirty calls over 300 rows, the last but two of which comes upon a row that the plugin traps on.
fn failing() -> Vec<u8> {
    let values: Vec<i64> = (0..300).map(|n| n % 290).collect();
    let config = PluginConfig::new(grants()).with_limits(limits());
    let mut watched = Watched::with(&watch(), &values, config, Recorder::growing());
    for n in 0..9 {
        watched.call("scan", &[]).unwrap();
        watched.call("own", b"some bytes").unwrap();
        watched.call("tell", &int(n)).unwrap();
    }
    watched.host.database_mut().insert("readings", None, &[Value::Int(1313)]).unwrap();
    let error = watched.call("scan", &[]).unwrap_err();
    assert!(matches!(error, CallError::Trap { .. }));
    watched.call("tell", &int(1)).unwrap();
    watched.call("tell", &int(2)).unwrap();
    watched.trace()
}

/// Host calls and their answered rows.
fn rows(trace: &[u8]) -> Vec<(String, u32)> {
    let mut found = Vec::new();
    let mut reader = TraceReader::new(trace);
    while let Some(entry) = reader.read().unwrap() {
        if let Event::HostCall(call) = entry.event {
            found.push((call.function.name().unwrap_or("own").into(), call.rows));
        }
    }
    found
}

fn minimised(trace: &[u8]) -> Minimised {
    Minimiser::new(Replayer::new().with_plugin(&watch())).minimise(trace).unwrap()
}

#[test]
fn trap_on_one_row_among_hundreds_needs_one_call_and_one_row() {
    let trace = failing();
    let small = minimised(&trace);
    assert_eq!((small.calls_before, small.calls, small.exhausted), (30, 1, false));
    assert_eq!(rows(&small.trace), [("soch_read".into(), 1)]);
    let Failure::Call { entry, ending, .. } = &small.failure else { panic!("{small:?}") };
    assert_eq!((entry.as_str(), *ending), ("scan", Ending::Trap));
    println!("{} -> {} bytes, {} tries", trace.len(), small.trace.len(), small.tries);
    assert!(small.trace.len() < 700 && small.tries < 100, "{}", small.tries);

    // It is a whole trace, which replays exactly.
    let replay = Replayer::new().with_plugin(&watch()).replay(small.trace.as_slice()).unwrap();
    assert!(replay.is_exact(), "{replay}");
    assert_eq!(stats(small.trace.as_slice()).unwrap().entries[0].failures, 1);
    // The same again, and nothing smaller.
    assert_eq!(minimised(&trace), small);
    assert_eq!(minimised(&small.trace).trace, small.trace);
}

#[test]
fn calls_that_the_failure_needs_stay() {
    // It fails once its state was counted up to three.
    let counting = watch_with(&[(
        "(func (export \"state\") (param i32) (result i32)",
        "(func (export \"state\") (param i32) (result i32)
          (if (i32.eq (i32.load8_u (i32.const 700)) (i32.const 3)) (then (return (i32.const -4))))
          (i32.store8 (i32.const 700)
            (i32.add (i32.load8_u (i32.const 700)) (i32.const 1)))",
    )]);
    let config = PluginConfig::new(grants()).with_limits(limits());
    let mut watched = Watched::with(&counting, &[1, 2, 3], config, Recorder::growing());
    for _ in 0..3 {
        watched.call("tell", &int(5)).unwrap();
        watched.call("scan", &[]).unwrap();
        watched.call("state", &[]).unwrap();
    }
    watched.call("scan", &[]).unwrap();
    watched.call("state", &[]).unwrap_err();
    let trace = watched.trace();
    let replayer = Replayer::new().with_plugin(&counting);
    let small = Minimiser::new(replayer.clone()).minimise(trace.as_slice()).unwrap();
    let stats = stats(small.trace.as_slice()).unwrap();
    let entries: Vec<_> = stats.entries.iter().map(|e| (e.entry.as_str(), e.calls)).collect();
    assert_eq!(entries, [("state", 4)]);
    assert!(matches!(small.failure, Failure::Call { ending: Ending::Failed, code: -4, .. }));
    assert!(replayer.replay(small.trace.as_slice()).unwrap().is_exact());
}

#[test]
fn bytes_of_an_answer_are_cut() {
    // It fails if the answer of the embedder's function has more than three bytes.
    let picky = watch_with(&[(
        "(call $own (i32.const 512) (local.get $len) (i32.const 768) (i32.const 256)))",
        "(local.set $len
          (call $own (i32.const 512) (local.get $len) (i32.const 768) (i32.const 256)))
        (if (i32.gt_s (local.get $len) (i32.const 3)) (then unreachable))
        (local.get $len))",
    )]);
    let config = PluginConfig::new(grants()).with_limits(limits());
    let mut watched = Watched::with(&picky, &[], config, Recorder::growing());
    watched.call("own", b"a").unwrap();
    watched.call("own", b"much longer than needed").unwrap_err();
    let trace = watched.trace();
    let replayer = Replayer::new().with_plugin(&picky);
    let small = Minimiser::new(replayer).minimise(trace.as_slice()).unwrap();
    let found = stats(small.trace.as_slice()).unwrap();
    assert_eq!((small.calls, found.functions[0].bytes_out), (1, 4));
}

#[test]
fn divergence_of_a_changed_plugin_is_made_small_with_both_modules() {
    let (old, new) = (watch(), watch_with(&[(THRESHOLD, "250")]));
    let values: Vec<i64> = (0..300).collect();
    let config = PluginConfig::new(grants()).with_limits(limits());
    let mut watched = Watched::with(&old, &values, config, Recorder::growing());
    for n in 0..5 {
        watched.call("tell", &int(n)).unwrap();
    }
    watched.call("scan", &[]).unwrap();
    watched.call("tell", &int(9)).unwrap();
    let trace = watched.trace();
    let changed = Replayer::new().with_plugin(&new);
    let recorded = Replayer::new().with_plugin(&old);
    let minimiser = Minimiser::new(changed.clone());
    let error = minimiser.minimise(trace.as_slice()).unwrap_err();
    assert!(matches!(error, MinimiseError::NeedsRecorded(_)), "{error}");

    let small = minimiser.with_recorded(recorded.clone()).minimise(trace.as_slice()).unwrap();
    assert_eq!(small.calls, 1);
    assert_eq!(rows(&small.trace), [("soch_read".into(), 1), ("log_message".into(), 0)]);
    assert!(recorded.replay(small.trace.as_slice()).unwrap().is_exact());
    let replay = changed.with_changed_plugins().replay(small.trace.as_slice()).unwrap();
    assert_eq!(replay.divergences[0].field.as_deref(), Some("function"));
    let Failure::Divergence { function, .. } = &small.failure else { panic!("{small:?}") };
    assert_eq!(function.as_deref(), Some("soch_write"));
    println!("{}", small.rust_test("tests/traces/scan.trace", "watch.wasm"));
}

#[test]
fn tries_are_bounded_and_what_was_found_is_whole() {
    let wasm = watch();
    let replayer = Replayer::new().with_plugin(&wasm);
    let trace = failing();
    for tries in [1, 2, 5, 9] {
        let minimiser = Minimiser::new(replayer.clone()).with_tries(tries);
        let small = minimiser.minimise(trace.as_slice()).unwrap();
        assert!(small.tries <= tries && small.exhausted);
        assert!(replayer.replay(small.trace.as_slice()).unwrap().is_exact());
    }
}

#[test]
fn trace_that_does_not_fail_is_refused() {
    let mut watched = Watched::new(&[1]);
    watched.call("scan", &[]).unwrap();
    let wasm = watch();
    let minimiser = Minimiser::new(Replayer::new().with_plugin(&wasm));
    let error = minimiser.minimise(watched.trace().as_slice()).unwrap_err();
    assert_eq!(error, MinimiseError::DoesNotFail);
}

#[test]
fn fuel_that_runs_out_is_a_failure_too() {
    let mut watched = Watched::new(&[1, 2]);
    watched.call("scan", &[]).unwrap();
    watched.call("spin", &[]).unwrap_err();
    let trace = watched.trace();
    let small = minimised(&trace);
    assert_eq!(small.calls, 1);
    assert!(matches!(small.failure, Failure::Call { ending: Ending::Limit, .. }));
}

#[test]
fn written_test_is_rust_that_names_the_files() {
    let small = minimised(&failing());
    let text = small.rust_test("tests/traces/scan.trace", "../watch.wasm");
    let expected = "\
/// watch.scan fails: trap: wasm `unreachable` instruction executed. A trace of 30 calls, of which one call did it.
/// It passes as long as that is so. When it is mended, look at what the test says and
/// keep it with SOCHDB_WASMI_BLESS=1.
#[test]
fn scan_ends_with_trap() {
    sochdb_wasmi::testing::replay_trace(\"tests/traces/scan.trace\", include_bytes!(\"../watch.wasm\"));
}
";
    assert_eq!(text, expected, "{text}");
}

/// A plugin that counts its calls in memory, reads all rows in each, and fails in the one of this number.
fn counting(number: u32) -> Vec<u8> {
    watch_with(&[(
        "(func (export \"scan\") (param i32) (result i32)",
        &format!(
            "(func (export \"scan\") (param i32) (result i32)
          (i32.store (i32.const 700) (i32.add (i32.load (i32.const 700)) (i32.const 1)))
          (if (i32.eq (i32.load (i32.const 700)) (i32.const {number})) (then (return (i32.const -4))))"
        ),
    )])
}

fn counted(number: u32) -> (Vec<u8>, Vec<u8>) {
    let wasm = counting(number);
    let values: Vec<i64> = (0..100).collect();
    let config = PluginConfig::new(grants()).with_limits(limits());
    let mut watched = Watched::with(&wasm, &values, config, Recorder::growing());
    for _ in 1..number {
        watched.call("scan", &[]).unwrap();
    }
    watched.call("scan", &[]).unwrap_err();
    (wasm, watched.trace())
}

/// Each answer was tried alone, after calls had been left out in vain: a plugin that fails by what it
/// kept in memory used up its tries, and a trace of 10.7 MB stayed at 3.8.
#[test]
fn answers_of_calls_that_all_have_to_stay_are_made_small_at_once() {
    let (wasm, trace) = counted(120);
    let replayer = Replayer::new().with_plugin(&wasm);
    let small = Minimiser::new(replayer.clone()).with_tries(5).minimise(trace.as_slice()).unwrap();
    assert_eq!((small.calls, small.tries, small.exhausted), (120, 5, true));
    assert!(small.trace.len() < trace.len() / 2, "{} of {}", small.trace.len(), trace.len());
    assert!(rows(&small.trace).iter().all(|(_, rows)| *rows == 0));
    assert!(replayer.replay(small.trace.as_slice()).unwrap().is_exact());
}

/// A trace of 10.7 MB, of 8,400 calls of a plugin that counts them, was not made smaller than 1.5 MB: each
/// call was left out alone, in vain, until there were no tries left, so that calls of no use stayed. And
/// the search went on for minutes without a try, looking at parts that it could not try any more.
#[test]
fn a_plugin_that_counts_keeps_the_calls_that_count_and_no_others() {
    const COUNT: u32 = 700;
    let wasm = counting(COUNT);
    let values: Vec<i64> = (0..60).collect();
    let config = PluginConfig::new(grants()).with_limits(limits());
    let mut watched = Watched::with(&wasm, &values, config, Recorder::growing());
    for n in 1..COUNT {
        watched.call("scan", &[]).unwrap();
        if n % 3 == 0 {
            watched.call("tell", &int(n.into())).unwrap();
            watched.call("own", b"bytes").unwrap();
        }
    }
    watched.call("scan", &[]).unwrap_err();
    let trace = watched.trace();
    let replayer = Replayer::new().with_plugin(&wasm);
    let small = Minimiser::new(replayer.clone()).minimise(trace.as_slice()).unwrap();
    println!("{} -> {} bytes, {} tries", trace.len(), small.trace.len(), small.tries);
    assert_eq!((small.calls, small.exhausted), (u64::from(COUNT), false));
    assert!(small.tries < 60, "{}", small.tries);
    assert!(rows(&small.trace).iter().all(|(_, rows)| *rows == 0));
    assert!(replayer.replay(small.trace.as_slice()).unwrap().is_exact());

    // Without tries it is over: what comes after the last try is as short as what was before. It was fourteen
    // times as long; both are measured here, on a machine that may do other things meanwhile.
    let (begun, mut last) = (Instant::now(), Duration::ZERO);
    let mut watch = |_: &Progress<'_>| {
        last = begun.elapsed();
        ControlFlow::Continue(())
    };
    let minimiser = Minimiser::new(replayer).with_tries(4);
    assert!(minimiser.minimise_watched(trace.as_slice(), &mut watch).unwrap().exhausted);
    assert!(begun.elapsed() - last < last * 5, "{last:?} of {:?}", begun.elapsed());
}

/// One call needs its rows, in the middle of many that do not.
#[test]
fn answers_that_the_failure_needs_stay_while_all_others_go() {
    let wasm = watch();
    let values: Vec<i64> = (0..50).collect();
    let config = PluginConfig::new(grants()).with_limits(limits());
    let mut watched = Watched::with(&wasm, &values, config, Recorder::growing());
    for _ in 0..100 {
        watched.call("scan", &[]).unwrap();
    }
    watched.host.database_mut().insert("readings", None, &[Value::Int(1313)]).unwrap();
    watched.call("scan", &[]).unwrap_err();
    let trace = watched.trace();
    let replayer = Replayer::new().with_plugin(&wasm);
    let small = Minimiser::new(replayer.clone()).with_tries(4).minimise(trace.as_slice()).unwrap();
    let rows: u32 = rows(&small.trace).iter().map(|(_, rows)| rows).sum();
    assert_eq!(rows, 51, "those of the call that fails");
    assert!(replayer.replay(small.trace.as_slice()).unwrap().is_exact());
}

/// A search that was ended left nothing, however small a trace it had found.
#[test]
fn a_search_that_is_ended_has_shown_its_best_trace_before() {
    let (wasm, trace) = counted(40);
    let replayer = Replayer::new().with_plugin(&wasm);
    let minimiser = Minimiser::new(replayer.clone());
    for last in [1, 2, 7] {
        let (mut best, mut lengths) = (Vec::new(), Vec::new());
        let mut watch = |progress: &Progress<'_>| {
            if let Some(trace) = progress.trace {
                best = trace.to_vec();
                lengths.push(trace.len());
                assert_eq!(progress.bytes, trace.len());
            }
            match progress.tries < last {
                true => ControlFlow::Continue(()),
                false => ControlFlow::Break(()),
            }
        };
        let small = minimiser.minimise_watched(trace.as_slice(), &mut watch).unwrap();
        assert_eq!((small.tries, small.exhausted), (last, true));
        assert!(lengths.is_sorted_by(|a, b| a > b), "{lengths:?}");
        assert!(small.trace == best, "the last one shown is what is returned");
        assert!(replayer.replay(best.as_slice()).unwrap().is_exact());
    }
}

/// The test named the first of the plugins, not the one that fails: blessing it kept the wrong one.
#[test]
fn a_test_of_several_plugins_names_those_that_the_trace_needs() {
    let other = watch_with(&[(THRESHOLD, "299")]);
    let config = PluginConfig::new(grants()).with_limits(limits());
    let mut watched = Watched::with(&other, &[1313], config.clone(), Recorder::growing());
    let second = watched.host.load("second", &watch(), &config).unwrap();
    watched.call("tell", &int(1)).unwrap();
    watched.host.call(second, "scan", &[]).unwrap_err();
    let trace = watched.trace();
    let wasm = watch();
    let replayer = Replayer::new().with_plugin(&other).with_plugin(&wasm);
    let small = Minimiser::new(replayer).minimise(trace.as_slice()).unwrap();
    assert_eq!(small.plugins, [("second".into(), 1)]);
    let text = small.rust_test_of("small.trace", &["first.wasm", "second.wasm"]);
    assert!(
        text.contains("replay_trace(\"small.trace\", include_bytes!(\"second.wasm\"));"),
        "{text}"
    );

    // Both are needed where calls of both are left.
    let mut both = small;
    both.plugins = vec![("watch".into(), 0), ("second".into(), 1)];
    let text = both.rust_test_of("small.trace", &["first.wasm", "second.wasm"]);
    let expected = "    let corpus = sochdb_wasmi::testing::Corpus::new()
        .with_named_plugin(\"watch\", include_bytes!(\"first.wasm\"))
        .with_named_plugin(\"second\", include_bytes!(\"second.wasm\"));
    if let Err(error) = corpus.replay_file(\"small.trace\") {
        panic!(\"{error}\");
    }
}
";
    assert!(text.ends_with(expected), "{text}");
}
