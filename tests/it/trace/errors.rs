//! What is wrong with a trace is named: every way to damage one gives an error of its own, with the
//! event and the byte where it shows, and what is damaged is never taken for a whole trace.

use crate::tracing;
use embedded_io::{ErrorKind, ErrorType, Read};
use sochdb_wasmi::{
    abi::wire::{WireError, WireErrorKind},
    limits::{LIMITS, Limits},
    replay::{ReplayError, audit_entries},
    trace::{Event, FRAME_HEADER_LEN, MAGIC, MAX_FRAME_LEN, TraceError, TraceReader, VERSION},
};
use tracing::*;

/// The error of reading, of replaying and of deriving the audit log must be the same.
#[track_caller]
pub(super) fn assert_error(trace: &[u8], expected: TraceError) {
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
