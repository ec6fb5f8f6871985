//! Files, as recorders write traces to them and as readers read them.

use std::{
    fs::File,
    io::{self, BufReader, Read, Write},
    path::Path,
};

use crate::failure::Failure;

/// A file of a trace.
pub struct TraceFile<F>(F);

impl TraceFile<File> {
    /// A new file, in the place of the one that may be there.
    pub fn create(path: &Path) -> Result<Self, Failure> {
        File::create(path).map(Self).map_err(|error| Failure::Io { path: path.into(), error })
    }
}

impl TraceFile<BufReader<File>> {
    /// A file that is there.
    pub fn open(path: &Path) -> Result<Self, Failure> {
        let failed = |error| Failure::Io { path: path.into(), error };
        let file = File::open(path).map_err(failed)?;
        // Directories can be opened and not be read.
        if file.metadata().is_ok_and(|metadata| metadata.is_dir()) {
            return Err(failed(io::ErrorKind::IsADirectory.into()));
        }
        Ok(Self(BufReader::new(file)))
    }

    /// Its length in bytes.
    pub fn len(&self) -> u64 {
        self.0.get_ref().metadata().map_or(0, |metadata| metadata.len())
    }
}

impl<F> embedded_io::ErrorType for TraceFile<F> {
    type Error = io::Error;
}

impl<F: Write> embedded_io::Write for TraceFile<F> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, io::Error> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> Result<(), io::Error> {
        self.0.flush()
    }
}

impl<F: Read> embedded_io::Read for TraceFile<F> {
    fn read(&mut self, bytes: &mut [u8]) -> Result<usize, io::Error> {
        self.0.read(bytes)
    }
}
