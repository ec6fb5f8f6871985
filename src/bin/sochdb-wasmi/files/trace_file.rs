//! Files, as recorders write traces to them and as readers read them.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, BufReader, Cursor, Read, Write},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use crate::{files, report::failure::Failure};

/// A file of a trace.
pub struct TraceFile<F>(F);

/// What a trace is read from.
pub enum Source {
    File(BufReader<File>),
    /// Stdin or a pipe.
    Bytes(Cursor<Arc<[u8]>>),
}

/// What was read from pipes and stdin. Some commands read a trace twice, which these give once.
static PIPES: Mutex<BTreeMap<PathBuf, Arc<[u8]>>> = Mutex::new(BTreeMap::new());

impl TraceFile<File> {
    /// A file that is being written.
    pub const fn of(file: File) -> Self {
        Self(file)
    }
}

impl TraceFile<Source> {
    /// A file that is there, a pipe, or `-` for stdin.
    pub fn open(path: &Path) -> Result<Self, Failure> {
        Source::open(path).map(Self).map_err(|error| Failure::Io { path: path.into(), error })
    }

    /// Its length in bytes.
    pub fn len(&self) -> u64 {
        match &self.0 {
            Source::File(file) => file.get_ref().metadata().map_or(0, |metadata| metadata.len()),
            Source::Bytes(bytes) => bytes.get_ref().len() as u64,
        }
    }
}

impl Source {
    fn open(path: &Path) -> io::Result<Self> {
        let mut pipes = PIPES.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bytes) = pipes.get(path) {
            return Ok(Self::Bytes(Cursor::new(bytes.clone())));
        }
        let bytes = if files::is_stdin(path) {
            files::bytes(path)?
        } else {
            let mut file = File::open(path)?;
            let found = file.metadata()?;
            // Directories can be opened and not be read.
            if found.is_dir() {
                return Err(io::ErrorKind::IsADirectory.into());
            }
            if found.is_file() {
                return Ok(Self::File(BufReader::new(file)));
            }
            files::rest(&mut file, Vec::new())?
        };
        let bytes: Arc<[u8]> = bytes.into();
        pipes.insert(path.into(), bytes.clone());
        Ok(Self::Bytes(Cursor::new(bytes)))
    }
}

impl Read for Source {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::File(file) => file.read(bytes),
            Self::Bytes(held) => held.read(bytes),
        }
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
