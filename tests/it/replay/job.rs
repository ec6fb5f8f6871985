//! The main job recorded and replayed: the replay needs the plugins and the trace, nothing else, and
//! finds every call as it was.

use crate::lines;
use lines::{Moment, write_lines_watched};
use sochdb_wasmi::{
    replay::{Replayer, audit_entries},
    trace::Recorder,
};

const WEATHER: &[u8] = include_bytes!("../../../examples/plugins/weather.wasm");

fn counter() -> Vec<u8> {
    wat::parse_str(include_str!("../../../examples/plugins/counter.wat")).unwrap()
}

/// The trace of the main job, and what the host's audit log held at its end.
fn recorded(recorder: Recorder) -> (Vec<u8>, Vec<sochdb_wasmi::audit::AuditEntry>) {
    let mut recorder = Some(recorder);
    let (mut trace, mut audit) = (Vec::new(), Vec::new());
    let mut watch = |host: &mut sochdb_wasmi::host::Host, moment| match moment {
        Moment::Begun => assert!(host.record(recorder.take().unwrap()).is_none()),
        Moment::Ended => {
            audit = host.audit().iter().cloned().collect();
            let mut recorder = host.stop_recording().unwrap();
            assert_eq!(recorder.error(), None);
            recorder.write_to(&mut trace).unwrap();
        }
    };
    let days = include_str!("../../../examples/data/seattle-weather.csv");
    write_lines_watched(&mut String::new(), WEATHER, &counter(), days, &mut watch).unwrap();
    (trace, audit)
}

#[test]
fn the_main_job_replays_from_its_trace_alone() {
    let (trace, audit) = recorded(Recorder::buffer(16 << 20));
    let counter = counter();
    let replayer = Replayer::new().with_plugin(WEATHER).with_plugin(&counter);
    let replay = replayer.replay(trace.as_slice()).unwrap();
    for divergence in &replay.divergences {
        println!("{divergence}");
    }
    assert!(replay.is_exact(), "{replay:?}");
    println!("{} bytes, {} events, {} calls", trace.len(), replay.events, replay.calls);
    let blessed = replayer.bless(trace.as_slice()).unwrap();
    assert!(blessed.trace == trace, "an unchanged plugin is recorded as it was");
    let entries = audit_entries(trace.as_slice()).unwrap();
    // The log holds the newest entries, and before them the denials that it keeps.
    for entry in &audit {
        assert!(entries.contains(entry), "{entry:?}");
    }
    assert_eq!(entries.last(), audit.last());
}
