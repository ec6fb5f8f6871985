//! Traces that were cut off, changed, or put together from others: each is found and named.

use super::errors::assert_error;
use crate::tracing;
use sochdb_wasmi::trace::{Event, MAGIC, MAX_FRAME_LEN, TraceError};
use tracing::*;

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
