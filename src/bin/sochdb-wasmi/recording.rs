//! What a host does, into a file: a trace.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};
use sochdb_wasmi::trace::Recorder;

use crate::{bytes::hex, failure::Failure, stage::Host, trace_file::TraceFile};

/// The buffer of the recorder, in bytes: the largest request and the largest response that it can
/// record, together.
const BUFFER: usize = 4 << 20;

/// What of a run is recorded.
#[derive(Args)]
pub struct RecordingArguments {
    /// Records digests of inputs, requests, answers and outputs in place of their bytes. Such a
    /// trace is small and has nobody's data in it. It can be compared and not be replayed.
    #[arg(long)]
    digests_only: bool,
}

impl RecordingArguments {
    /// Whether something is asked for.
    pub const fn is_given(&self) -> bool {
        self.digests_only
    }
}

/// A trace that is being written.
pub struct Recording<'p> {
    path: &'p Path,
}

/// A trace that was written.
pub struct Recorded {
    path: PathBuf,
    events: u64,
    link: [u8; 32],
}

impl<'p> Recording<'p> {
    /// From now on, what the host does goes into the file.
    pub fn begin(
        host: &mut Host,
        path: &'p Path,
        arguments: &RecordingArguments,
    ) -> Result<Self, Failure> {
        let mut recorder = Recorder::to(TraceFile::create(path)?, BUFFER);
        if arguments.digests_only {
            recorder = recorder.with_digests_only();
        }
        host.record(recorder);
        Ok(Self { path })
    }

    /// Ends the trace.
    pub fn end(self, host: &mut Host) -> Result<Recorded, Failure> {
        let path = self.path.to_path_buf();
        let (events, link) = match host.stop_recording() {
            None => (0, [0; 32]),
            Some(mut recorder) => match recorder.error() {
                None => (recorder.events(), recorder.last_link()),
                Some(error) => return Err(Failure::Record { path, error }),
            },
        };
        Ok(Recorded { path, events, link })
    }
}

impl Recorded {
    /// For people.
    pub fn talk(&self) -> String {
        let Self { path, events, link } = self;
        format!("{events} events recorded in {}, last link {}\n", path.display(), hex(link))
    }

    /// For programs.
    pub fn json(&self) -> Value {
        json!({
            "trace": self.path.display().to_string(),
            "events": self.events,
            "link": hex(&self.link),
        })
    }
}
