//! `--record`: the trace of a call, into a file.

use std::{
    fs::File,
    io::{self, Write},
    path::Path,
};

use sochdb_wasmi::{host::Host, trace::Recorder};

use crate::failure::Failure;

/// The buffer of the recorder, in bytes: the largest request and the largest response that it can
/// record, together.
const BUFFER: usize = 4 << 20;

/// A file, as recorders write to it.
struct TraceFile(File);

impl embedded_io::ErrorType for TraceFile {
    type Error = io::Error;
}

impl embedded_io::Write for TraceFile {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, io::Error> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> Result<(), io::Error> {
        self.0.flush()
    }
}

/// From now on, what the host does goes into the file.
pub fn begin(host: &mut Host, path: &Path) -> Result<(), Failure> {
    let file = File::create(path).map_err(|error| Failure::Io { path: path.into(), error })?;
    host.record(Recorder::to(TraceFile(file), BUFFER));
    Ok(())
}

/// Ends the trace and says how many events it has.
pub fn end(host: &mut Host, path: &Path) -> Result<u64, Failure> {
    let Some(recorder) = host.stop_recording() else { return Ok(0) };
    match recorder.error() {
        None => Ok(recorder.events()),
        Some(error) => Err(Failure::Record { path: path.into(), error }),
    }
}
