//! Traces that break off, in a call or between calls.

use super::divergence::*;
use crate::{tracing, watched};
use sochdb_wasmi::{replay::Cause, trace::Event};
use tracing::{Forge, changed, event, frames, kinds, payload};
use watched::{Watched, int};

#[test]
fn trace_that_breaks_off_replays_up_to_there_and_says_so() {
    let trace = scanned();
    for cut in [1, 20, 60] {
        let replay = replayed(&trace[..trace.len() - cut]);
        assert!(replay.divergences.is_empty());
        assert!(!replay.is_exact() && replay.calls > 0);
        let report = replay.truncated.as_ref().unwrap();
        assert_eq!(report.cause, Cause::Truncated);
        assert!(!report.before.is_empty());
        assert_eq!(replay.exit_code(), Cause::Truncated.exit_code());
        assert!(replay.to_string().contains("likely    truncated: the trace breaks off here"));
    }
}

/// A device that loses its power in the middle of a call: the host calls that are left of it are
/// compared all the same.
#[test]
fn call_that_breaks_off_is_replayed_up_to_there() {
    let mut watched = Watched::new(&[12, 345, -7]);
    watched.call("tell", &int(-40_000)).unwrap();
    watched.call("scan", &[]).unwrap();
    let trace = watched.trace();
    let frames = frames(&trace);
    let kinds = kinds(&trace);
    let last_begin = kinds.iter().rposition(|kind| *kind == "call in").unwrap();
    let last_end = kinds.iter().rposition(|kind| *kind == "call out").unwrap();
    assert!(last_end - last_begin > 3, "there is something to lose");
    let calls = replayed(&trace).calls;
    let read = (last_begin..last_end).find(|at| kinds[*at] == "host call").unwrap();
    for left in last_begin + 1..=last_end {
        let torn = &trace[..frames[left].start];
        let replay = replayed(torn);
        assert_eq!((replay.calls, replay.divergences.as_slice()), (calls, [].as_slice()));
        assert_eq!(replay.events, left as u64);
        assert_eq!(replay.truncated.as_ref().unwrap().call, calls);

        // What was asked in the last call stands otherwise in the trace.
        if left > read {
            let other = changed(torn, read, |event| {
                let Event::HostCall(call) = event else { return };
                call.capacity += 1;
            });
            let replay = replayed(&other);
            let [report] = replay.divergences.as_slice() else { panic!("one report") };
            assert_eq!((report.call, report.event), (calls, read as u64));
            assert!(replay.broken_off.is_some());
        }
    }
    // Host calls that the plugin does not make, in front of the cut.
    let mut more = Forge::after(&trace, last_end);
    more.event(&event(payload(&trace, &frames[read])).1);
    let replay = replayed(&more.trace);
    assert_eq!(replay.divergences[0].cause, Cause::Missing);
}
