//! What is wrong with a trace is named: every way to damage one gives an error of its own, with the
//! event and the byte where it shows, and what is damaged is never taken for a whole trace.

use crate::{support, tracing};
use embedded_io::{ErrorKind, ErrorType, Read};
use sochdb_wasmi::{
    abi::{
        Capability, HOST_FUNCTIONS,
        wire::{WireError, WireErrorKind},
    },
    host::LoadError,
    limits::{LIMITS, Limits},
    replay::{ReplayError, Replayer, audit_entries},
    trace::{
        CallIn, Data, Event, FRAME_HEADER_LEN, Function, Load, MAGIC, MAX_FRAME_LEN, Recorder,
        TraceError, TraceReader, Unload, VERSION,
    },
};
use support::*;
use tracing::*;

/// The error of reading, of replaying and of deriving the audit log must be the same.
#[track_caller]
fn assert_error(trace: &[u8], expected: TraceError) {
    assert_eq!(read_all(trace).unwrap_err(), expected);
    assert_eq!(audit_entries(trace).unwrap_err(), expected);
    match replayed(trace) {
        Err(ReplayError::Trace(error)) => assert_eq!(error, expected),
        Ok(replay) => {
            assert!(!replay.is_exact());
            assert_eq!(replay.broken_off, Some(expected.clone()));
            assert!(matches!(expected, TraceError::Torn { .. } | TraceError::Unfinished { .. }));
        }
        Err(other) => panic!("{other}"),
    }
}

/// A file that is empty is not one that is missing, and neither is a trace without events.
#[test]
fn no_bytes_at_all_are_an_empty_trace() {
    assert_error(&[], TraceError::Empty);
}

#[test]
fn other_bytes_are_not_a_trace() {
    assert_error(b"\0asm\x01\0\0\0 and more of it", TraceError::NotATrace);
    assert_error(b"SOC:", TraceError::NotATrace);
    let trace = small_trace();
    for at in 0..MAGIC.len() - 1 {
        let mut other = trace.clone();
        other[at] ^= 1;
        assert_error(&other, TraceError::NotATrace);
    }
}

#[test]
fn another_version_of_the_format_is_refused() {
    for found in [0, VERSION + 1, u8::MAX] {
        let mut trace = small_trace();
        trace[7] = found;
        assert_error(&trace, TraceError::Version { found });
    }
}

/// A new limit made every older trace "malformed: a boolean or option tag is neither 0 nor 1 (at byte
/// 76)". A trace of version 1 lacks three limits and has their defaults.
#[test]
fn traces_of_version_1_are_read_with_the_default_of_each_limit_that_they_lack() {
    for name in ["ends", "ingest", "queries"] {
        let path = format!("{}/tests/images/trace-v1/{name}.trace", env!("CARGO_MANIFEST_DIR"));
        let trace = std::fs::read(path).unwrap();
        assert_eq!(trace[7], 1);
        let mut reader = TraceReader::new(&trace[..]);
        let mut loads = 0;
        while let Some(entry) = reader.read().unwrap() {
            let Event::Load(load) = entry.event else { continue };
            loads += 1;
            for spec in LIMITS.iter().filter(|spec| spec.since > 1) {
                assert_eq!(spec.of(&load.limits), spec.of(&Limits::DEFAULT), "{}", spec.field);
            }
        }
        assert!(loads > 0);
        reader.finish().unwrap();
    }
}

/// What is before the tear is read and replayed, and where it is torn is said.
#[test]
fn a_trace_torn_at_any_byte_says_where_and_replays_up_to_there() {
    let trace = small_trace();
    let frames = frames(&trace);
    let begun_calls = |end: usize| {
        let whole = frames.iter().filter(|frame| frame.end <= end);
        whole.filter(|frame| matches!(event(payload(&trace, frame)).1, Event::CallIn(_))).count()
    };
    for end in 1..trace.len() {
        let torn = &trace[..end];
        let expected = match frames.iter().position(|frame| frame.end > end) {
            _ if end < MAGIC.len() => TraceError::Torn { event: 0, offset: 0 },
            Some(at) if at > 0 && frames[at].start == end => {
                TraceError::Unfinished { event: at as u64 - 1 }
            }
            at => {
                let at = at.unwrap();
                TraceError::Torn { event: at as u64, offset: frames[at].start as u64 }
            }
        };
        assert_error(torn, expected.clone());
        if end >= frames[0].end {
            let replay = replayed(torn).unwrap();
            assert!(replay.divergences.is_empty(), "{:?}", replay.divergences);
            assert_eq!(replay.broken_off, Some(expected));
            assert_eq!(replay.calls, begun_calls(end) as u64, "cut at {end}");
            assert_eq!(replay.link, None);
        }
    }
    // Erased flash behind the last whole frame is a tear too.
    let mut erased = trace[..frames[7].start].to_vec();
    erased.extend([0xff; 64]);
    assert_error(&erased, TraceError::Torn { event: 7, offset: frames[7].start as u64 });
}

#[test]
fn a_flipped_bit_anywhere_is_found_at_the_first_event_that_it_touches() {
    let trace = small_trace();
    let frames = frames(&trace);
    for at in 0..trace.len() {
        for bit in 0..8 {
            let mut other = trace.clone();
            other[at] ^= 1 << bit;
            let error = read_all(&other).unwrap_err();
            // A replay takes long enough to look at one bit of each byte only.
            if bit == at % 8
                && let Ok(replay) = replayed(&other)
            {
                assert!(!replay.is_exact(), "bit {bit} of byte {at}");
            }
            let Some(damaged) = frames.iter().position(|frame| frame.contains(&at)) else {
                assert!(matches!(error, TraceError::NotATrace | TraceError::Version { .. }));
                continue;
            };
            let (number, start) = (damaged as u64, frames[damaged].start as u64);
            match error {
                TraceError::BrokenChain { event, offset } | TraceError::Torn { event, offset } => {
                    assert_eq!((event, offset), (number, start), "bit {bit} of byte {at}");
                }
                TraceError::FrameTooLarge { event, len } => {
                    assert_eq!(event, number);
                    assert!(len > MAX_FRAME_LEN);
                }
                // The event's number itself was changed.
                TraceError::Reordered { expected, .. } => assert_eq!(expected, number),
                other => panic!("bit {bit} of byte {at}: {other}"),
            }
        }
    }
}

/// Moves, doubles or takes out frames as they are.
fn rearranged(trace: &[u8], order: impl IntoIterator<Item = usize>) -> Vec<u8> {
    let frames = frames(trace);
    let mut other = MAGIC.to_vec();
    order.into_iter().for_each(|at| other.extend(&trace[frames[at].clone()]));
    other
}

#[test]
fn events_that_change_places_are_found() {
    let trace = small_trace();
    let count = frames(&trace).len();
    let swapped = (0..count).map(|at| {
        if at == 4 {
            5
        } else if at == 5 {
            4
        } else {
            at
        }
    });
    let expected = TraceError::Reordered { expected: 4, found: 5 };
    assert_error(&rearranged(&trace, swapped), expected);
}

#[test]
fn a_doubled_event_is_found() {
    let trace = small_trace();
    let doubled = (0..6).chain(5..frames(&trace).len());
    assert_error(&rearranged(&trace, doubled), TraceError::Reordered { expected: 6, found: 5 });
}

#[test]
fn an_event_that_was_taken_out_is_found() {
    let trace = small_trace();
    let without = (0..5).chain(6..frames(&trace).len());
    assert_error(&rearranged(&trace, without), TraceError::Reordered { expected: 5, found: 6 });
}

/// A trace whose chain is right all along, but whose numbers are not.
#[test]
fn a_forged_chain_does_not_hide_a_wrong_number() {
    let trace = small_trace();
    let mut forge = Forge::after(&trace, 5);
    forge.payload(payload(&trace, &frames(&trace)[6]));
    assert_error(&forge.trace, TraceError::Reordered { expected: 5, found: 6 });
}

/// The check of the changed event fits its bytes, but not what is before or behind it.
#[test]
fn a_forged_event_breaks_the_chain() {
    let trace = small_trace();
    let frames = frames(&trace);
    let at = position(&trace, "host call");
    let forged = changed(&trace, at, |event| {
        if let Event::HostCall(call) = event {
            call.rows += 7;
        }
    });
    // Its own check is right, so the chain breaks at the next one.
    let mut other = forged[..frames[at].end].to_vec();
    assert_eq!(other.len(), frames[at].end, "as long as it was");
    other.extend(&trace[frames[at].end..]);
    let offset = frames[at + 1].start as u64;
    assert_error(&other, TraceError::BrokenChain { event: at as u64 + 1, offset });
    // A check as if it were the first event.
    let alone = {
        let mut forge = Forge::new();
        forge.payload(payload(&forged, &frames[at]));
        forge.trace
    };
    let mut other = trace[..frames[at].start].to_vec();
    other.extend(&alone[MAGIC.len()..]);
    other.extend(&trace[frames[at].end..]);
    let offset = frames[at].start as u64;
    assert_error(&other, TraceError::BrokenChain { event: at as u64, offset });
    // Who forges everything behind it too is found by the last link.
    let link = replayed(&trace).unwrap().link;
    assert_ne!(replayed(&forged).unwrap().link, link);
}

#[test]
fn a_second_header_is_found() {
    let trace = small_trace();
    let (_, header) = event(payload(&trace, &frames(&trace)[0]));
    let mut forge = Forge::after(&trace, 4);
    forge.event(&header);
    forge.rest(&trace, 4);
    assert_error(&forge.trace, TraceError::DuplicatedHeader { event: 4 });
}

#[test]
fn a_second_trace_behind_the_first_is_found() {
    let trace = small_trace();
    let events = frames(&trace).len() as u64;
    let twice = [trace.clone(), trace.clone()].concat();
    assert_error(&twice, TraceError::DuplicatedHeader { event: events });
    // Also behind one that was broken off.
    let cut = frames(&trace)[6].start;
    let spliced = [&trace[..cut], &trace[..]].concat();
    assert_error(&spliced, TraceError::DuplicatedHeader { event: 6 });
}

#[test]
fn a_trace_without_a_header_is_refused() {
    let trace = small_trace();
    let mut forge = Forge::new();
    forge.rest(&trace, 1);
    assert_error(&forge.trace, TraceError::NoHeader);
}

#[test]
fn an_event_that_cannot_be_decoded_is_named() {
    let trace = small_trace();
    let mut forge = Forge::after(&trace, 3);
    // The number, then a kind of event that there is not.
    forge.payload(&[3, 99]);
    let error = WireError { kind: WireErrorKind::UnknownVariant, offset: 2 };
    assert_error(&forge.trace, TraceError::Malformed { event: 3, error });
    // A byte too many.
    let mut forge = Forge::after(&trace, 3);
    let bytes = [payload(&trace, &frames(&trace)[3]), &[0]].concat();
    let offset = bytes.len() as u32 - 1;
    forge.payload(&bytes);
    let error = WireError { kind: WireErrorKind::TrailingBytes, offset };
    assert_error(&forge.trace, TraceError::Malformed { event: 3, error });
    // Nothing at all.
    let mut forge = Forge::after(&trace, 3);
    forge.payload(&[]);
    let error = WireError { kind: WireErrorKind::UnexpectedEnd, offset: 0 };
    assert_error(&forge.trace, TraceError::Malformed { event: 3, error });
}

#[test]
fn a_frame_longer_than_any_is_refused_before_it_is_read() {
    let trace = small_trace();
    let mut other = trace[..frames(&trace)[3].start].to_vec();
    other.extend((MAX_FRAME_LEN + 1).to_le_bytes());
    other.extend([0; 100]);
    assert_error(&other, TraceError::FrameTooLarge { event: 3, len: MAX_FRAME_LEN + 1 });
}

#[test]
fn bytes_after_the_end_are_found() {
    let mut trace = small_trace();
    let offset = trace.len() as u64;
    trace.push(0);
    assert_error(&trace, TraceError::AfterEnd { offset });
    trace.extend([0xff; 40]);
    assert_error(&trace, TraceError::AfterEnd { offset });
}

#[test]
fn a_trace_without_its_end_is_unfinished() {
    let trace = small_trace();
    let last = frames(&trace).len() as u64 - 1;
    let cut = &trace[..frames(&trace)[last as usize].start];
    assert_error(cut, TraceError::Unfinished { event: last - 1 });
}

#[test]
fn a_clock_that_goes_back_is_found() {
    let trace = small_trace();
    let at = position(&trace, "host call");
    let other = changed(&trace, at, |event| {
        if let Event::HostCall(call) = event {
            call.time_us = 3;
        }
    });
    let before_us = 10;
    let expected = TraceError::ClockWentBack { event: at as u64, before_us, time_us: 3 };
    assert_error(&other, expected);
}

/// A source that fails after so many bytes.
struct Failing<'t>(&'t [u8]);

#[derive(Debug)]
struct Broken;

impl core::fmt::Display for Broken {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("broken")
    }
}

impl core::error::Error for Broken {}

impl embedded_io::Error for Broken {
    fn kind(&self) -> ErrorKind {
        ErrorKind::ConnectionReset
    }
}

impl ErrorType for Failing<'_> {
    type Error = Broken;
}

impl Read for Failing<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Broken> {
        if self.0.is_empty() {
            return Err(Broken);
        }
        // A byte at a time: whoever reads must go on until it has all.
        let (first, rest) = self.0.split_first().unwrap();
        buffer[0] = *first;
        self.0 = rest;
        Ok(1)
    }
}

#[test]
fn a_source_that_fails_is_named_wherever_it_fails() {
    let trace = small_trace();
    for end in 0..=trace.len() {
        let mut reader = TraceReader::new(Failing(&trace[..end]));
        let error = loop {
            match reader.read() {
                Ok(Some(_)) => {}
                Ok(None) => break reader.finish().unwrap_err(),
                Err(error) => {
                    assert_eq!(reader.read(), Ok(None), "nothing comes after an error");
                    break error;
                }
            }
        };
        assert_eq!(error, TraceError::Source(ErrorKind::ConnectionReset), "at {end}");
    }
}

#[test]
fn every_error_has_words_of_its_own() {
    let error = WireError { kind: WireErrorKind::UnexpectedEnd, offset: 0 };
    let all = [
        TraceError::Empty,
        TraceError::NotATrace,
        TraceError::Version { found: 2 },
        TraceError::Source(ErrorKind::Other),
        TraceError::Torn { event: 1, offset: 2 },
        TraceError::Unfinished { event: 1 },
        TraceError::BrokenChain { event: 1, offset: 2 },
        TraceError::Reordered { expected: 1, found: 2 },
        TraceError::DuplicatedHeader { event: 1 },
        TraceError::NoHeader,
        TraceError::Malformed { event: 1, error },
        TraceError::FrameTooLarge { event: 1, len: u32::MAX },
        TraceError::AfterEnd { offset: 1 },
        TraceError::ClockWentBack { event: 1, before_us: 2, time_us: 1 },
    ];
    let texts: std::collections::BTreeSet<_> = all.iter().map(ToString::to_string).collect();
    assert_eq!(texts.len(), all.len());
}

// Replays.

#[track_caller]
fn assert_refused(trace: &[u8], expected: ReplayError) {
    assert_eq!(replayed(trace).unwrap_err(), expected);
}

#[test]
fn a_trace_without_calls_is_nothing_to_replay() {
    assert_refused(&recorded_without_calls(), ReplayError::NoCalls);
}

fn recorded_without_calls() -> Vec<u8> {
    let mut probe = ticking_probe(config());
    probe.host.record(Recorder::buffer(1 << 16));
    taken(&mut probe.host).0
}

#[test]
fn digests_cannot_be_replayed() {
    let mut probe = ticking_probe(config());
    probe.host.record(Recorder::buffer(1 << 16).with_digests_only());
    probe.read(1);
    let (trace, audit) = taken(&mut probe.host);
    assert_refused(&trace, ReplayError::NoAnswers);
    // But they hold the audit log, and are as many events.
    assert_audit(&trace, &audit);
    assert_eq!(audit.len(), 1);
}

/// Digests whose header says that they are a full trace.
#[test]
fn a_digest_in_a_full_trace_is_no_answer() {
    let trace = small_trace();
    let forged = changed(&trace, position(&trace, "call in"), |event| {
        if let Event::CallIn(call) = event {
            call.input = Data::Absent { len: 30 };
        }
    });
    assert_refused(&forged, ReplayError::NoAnswers);
    for data in [Data::Absent { len: 3 }, Data::Digest { len: 3, digest: Default::default() }] {
        let forged = changed(&trace, position(&trace, "host call"), |event| {
            if let Event::HostCall(call) = event {
                call.response = data;
            }
        });
        assert_refused(&forged, ReplayError::NoAnswers);
    }
}

#[test]
fn another_version_of_the_abi_is_refused() {
    let trace = small_trace();
    let other = changed(&trace, 0, |event| {
        if let Event::Header(header) = event {
            header.abi_version = 7;
        }
    });
    assert_refused(&other, ReplayError::AbiVersion { found: 7 });
}

#[test]
fn another_module_is_refused_by_its_hash() {
    let trace = small_trace();
    let mut other = probe_wasm();
    // A custom section without a name: the same code, another module.
    other.extend([0, 1, 0]);
    let error = Replayer::new().with_plugin(&other).replay(trace.as_slice()).unwrap_err();
    let hash = sochdb_wasmi::trace::chain::module_hash(&probe_wasm());
    let expected = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    let wrong = ReplayError::WrongModule { plugin: "probe".into(), expected };
    assert_eq!(error, wrong);
    assert_eq!(Replayer::new().replay(trace.as_slice()).unwrap_err(), wrong);
    // Unless it was meant.
    let replayer = Replayer::new().with_plugin(&other).with_changed_plugins();
    let replay = replayer.replay(trace.as_slice()).unwrap();
    assert!(replay.is_exact());
    assert_eq!(replay.changed_plugins, ["probe"]);
}

#[test]
fn a_module_that_cannot_be_loaded_is_named() {
    let trace = small_trace();
    let at = position(&trace, "load");
    let other = changed(&trace, at, |event| {
        if let Event::Load(load) = event {
            load.limits.memory_bytes = 1;
        }
    });
    let error = replayed(&other).unwrap_err();
    let ReplayError::Load { plugin, error } = error else { panic!("{error}") };
    assert_eq!(plugin, "probe");
    assert!(matches!(*error, LoadError::Limit(_)), "{error}");
}

#[test]
fn a_function_that_cannot_be_registered_is_named() {
    let trace = small_trace();
    for (module, name) in [("sochdb", "soch_fly"), ("device", "no such name!")] {
        let mut forge = Forge::after(&trace, 2);
        let id = sochdb_wasmi::audit::FunctionId(HOST_FUNCTIONS.len() as u16);
        forge.event(&Event::Function(Function {
            id,
            module,
            name,
            capability: Capability::Always,
        }));
        forge.rest(&trace, 2);
        let error = replayed(&forge.trace).unwrap_err();
        assert!(matches!(error, ReplayError::Function(_)), "{error}");
    }
}

#[test]
fn events_that_cannot_stand_where_they_stand_are_named() {
    let trace = small_trace();
    let call = position(&trace, "call in");
    let of = |kind| {
        let frames = frames(&trace);
        payload(&trace, &frames[position(&trace, kind)])
    };
    // Outside calls.
    for what in ["host call", "call out"] {
        let mut forge = Forge::after(&trace, call);
        forge.event(&event(of(what)).1);
        forge.rest(&trace, call);
        assert_refused(&forge.trace, ReplayError::Misplaced { event: call as u64, what });
    }
    // In a call.
    let unload = numbered(0, &Event::Unload(Unload { plugin: Default::default() }));
    for what in ["call in", "load", "checkpoint", "table", "end", "unload"] {
        let mut forge = Forge::after(&trace, call + 1);
        forge.event(&event(if what == "unload" { &unload } else { of(what) }).1);
        forge.rest(&trace, call + 1);
        let found = call as u64 + 1;
        assert_refused(&forge.trace, ReplayError::Misplaced { event: found, what });
    }
}

#[test]
fn a_call_of_a_plugin_that_was_not_loaded_is_named() {
    let trace = small_trace();
    let at = position(&trace, "call in");
    let other = changed(&trace, at, |event| {
        if let Event::CallIn(CallIn { plugin, .. }) = event {
            plugin.0 = 12;
        }
    });
    assert_refused(&other, ReplayError::UnknownPlugin { event: at as u64, plugin: 12 });
    // After it was unloaded too.
    let mut forge = Forge::after(&trace, at);
    forge.event(&Event::Unload(Unload { plugin: Default::default() }));
    forge.rest(&trace, at);
    assert_refused(&forge.trace, ReplayError::UnknownPlugin { event: at as u64 + 1, plugin: 0 });
}

/// A plugin is not loaded under a number that another one has.
#[test]
fn a_plugin_that_is_loaded_twice_is_named() {
    let trace = small_trace();
    let at = position(&trace, "load");
    let mut forge = Forge::after(&trace, at + 1);
    let frames = frames(&trace);
    let (_, load) = event(payload(&trace, &frames[at]));
    let Event::Load(load) = load else { panic!() };
    forge.event(&Event::Load(Load { name: "other", ..load }));
    forge.rest(&trace, at + 1);
    let misplaced = ReplayError::Misplaced { event: at as u64 + 1, what: "load" };
    assert_refused(&forge.trace, misplaced);
}

/// Nothing is left over, nothing is made up.
#[test]
fn events_left_over_and_events_too_many_are_told_apart() {
    let trace = recorded(config(), |probe| {
        probe.read(1);
        probe.read(2);
    });
    let at = position(&trace, "host call");
    let (_, call) = event(payload(&trace, &frames(&trace)[at]));
    // An answer that nobody asked for.
    let mut forge = Forge::after(&trace, at + 1);
    forge.event(&call);
    forge.rest(&trace, at + 1);
    let replay = replayed(&forge.trace).unwrap();
    let [divergence] = replay.divergences.as_slice() else { panic!("{replay:?}") };
    assert_eq!(divergence.cause.as_str(), "missing");
    assert_eq!((divergence.event, divergence.call), (at as u64 + 1, 1));
    // A question without an answer.
    let mut forge = Forge::after(&trace, at);
    forge.rest(&trace, at + 1);
    let replay = replayed(&forge.trace).unwrap();
    let [divergence] = replay.divergences.as_slice() else { panic!("{replay:?}") };
    assert_eq!(divergence.cause.as_str(), "extra");
    assert_eq!((divergence.event, divergence.call), (at as u64, 1));
    assert_eq!(divergence.function.as_deref(), Some("soch_read"));
    assert!(!replay.is_exact());
}

/// So that the tests above stand on what they say.
#[test]
fn the_small_trace_is_what_the_tests_think() {
    let trace = small_trace();
    assert_eq!(
        kinds(&trace),
        [
            "header",
            "checkpoint",
            "table",
            "load",
            "call in",
            "host call",
            "call out",
            "call in",
            "host call",
            "call out",
            "call in",
            "host call",
            "call out",
            "end"
        ]
    );
    assert!(trace.len() > MAGIC.len() + 14 * FRAME_HEADER_LEN);
    assert_eq!(SHOWN, 8);
}
