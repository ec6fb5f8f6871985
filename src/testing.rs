//! Tests of plugins from traces: a directory of traces, replayed in one line of a `#[test]`.
//!
//! ```no_run
//! # const PLUGIN: &[u8] = &[];
//! // #[test]
//! fn plugin_does_what_it_did() {
//!     sochdb_wasmi::testing::replay_corpus("tests/traces", PLUGIN);
//! }
//! ```
//!
//! A trace is recorded with [`Host::record`](crate::host::Host::record), or on a device. When the
//! plugin changes and does something else, the test fails with a report of the first difference in
//! each trace. With the environment variable `SOCHDB_WASMI_BLESS=1` the test writes traces of what the
//! plugin does now in their place, from the recorded answers; look at the difference before you
//! keep it. A plugin that asks what it did not ask before needs a new recording.
//!
//! The functions that are named `replay_` fail as assertions do, by a panic; [`Corpus`] returns
//! what it found.

mod storage;

use alloc::{boxed::Box, vec::Vec};
use core::fmt;
use std::{
    fs, io,
    path::{Path, PathBuf},
};

pub use storage::storage_conformance;

use crate::replay::{Replay, ReplayError, Replayer};

/// The environment variable that, set to `1`, rewrites traces.
pub const BLESS: &str = "SOCHDB_WASMI_BLESS";

/// Replays all traces of a directory (`*.trace`, in the order of their names) against a plugin.
///
/// # Panics
/// If a trace is not as it was recorded, or there is none, or the directory cannot be read: with
/// [`CorpusError`].
#[track_caller]
#[allow(clippy::panic, reason = "an assertion of a test")]
pub fn replay_corpus(directory: impl AsRef<Path>, plugin: &[u8]) {
    if let Err(error) = Corpus::new().with_plugin(plugin).replay_directory(directory) {
        panic!("{error}");
    }
}

/// Replays one trace against a plugin.
///
/// # Panics
/// If it is not as it was recorded, or cannot be read: with [`CorpusError`].
#[track_caller]
#[allow(clippy::panic, reason = "an assertion of a test")]
pub fn replay_trace(path: impl AsRef<Path>, plugin: &[u8]) {
    if let Err(error) = Corpus::new().with_plugin(plugin).replay_file(path) {
        panic!("{error}");
    }
}

/// Why a corpus did not pass.
#[derive(Debug)]
#[non_exhaustive]
pub enum CorpusError {
    /// The directory cannot be read.
    Directory {
        /// Its path.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The directory holds no traces: a corpus that lost them would pass for ever.
    Empty {
        /// Its path.
        path: PathBuf,
    },
    /// Traces did not pass.
    Failed {
        /// Which, and why, in the order of their names.
        failures: Vec<TraceFailure>,
        /// How many traces there are.
        traces: usize,
    },
}

/// A trace that did not pass.
#[derive(Debug)]
#[non_exhaustive]
pub struct TraceFailure {
    /// Its path.
    pub path: PathBuf,
    /// Why.
    pub problem: Problem,
}

/// Why a trace did not pass.
#[derive(Debug)]
#[non_exhaustive]
pub enum Problem {
    /// The file cannot be read, or not be written when it is blessed.
    File(io::Error),
    /// It cannot be replayed, or not be blessed.
    Replay(ReplayError),
    /// A replay differs from its recording.
    Diverged(Box<Replay>),
}

impl fmt::Display for CorpusError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory { path, error } => {
                write!(f, "the directory of traces {} cannot be read: {error}", path.display())
            }
            Self::Empty { path } => {
                write!(f, "the directory {} holds no traces (*.trace)", path.display())
            }
            Self::Failed { failures, traces } => {
                writeln!(f, "{} of {traces} traces did not pass", failures.len())?;
                failures.iter().try_for_each(|failure| write!(f, "\n{failure}"))?;
                if failures.iter().any(|failure| matches!(failure.problem, Problem::Diverged(_))) {
                    write!(f, "\nto keep what the plugin does now: {BLESS}=1")?;
                }
                Ok(())
            }
        }
    }
}

impl core::error::Error for CorpusError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Directory { error, .. } => Some(error),
            // Each of them has a cause of its own; the text has them all.
            Self::Failed { .. } | Self::Empty { .. } => None,
        }
    }
}

impl fmt::Display for TraceFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.path.display())?;
        match &self.problem {
            Problem::File(error) => writeln!(f, "{error}"),
            Problem::Replay(error) => writeln!(f, "{error}"),
            Problem::Diverged(replay) => replay.fmt(f),
        }
    }
}

/// What became of the traces of a corpus that passed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Passed {
    /// How many there are.
    pub traces: usize,
    /// The traces that were rewritten.
    pub blessed: Vec<PathBuf>,
}

/// Replays files of traces.
#[derive(Clone, Debug)]
pub struct Corpus<'p> {
    replayer: Replayer<'p>,
    bless: bool,
}

impl Default for Corpus<'_> {
    fn default() -> Self {
        Self::new()
    }
}

impl<'p> Corpus<'p> {
    /// A corpus without plugins, which is blessed if the environment says so ([`BLESS`]).
    #[must_use]
    pub fn new() -> Self {
        let bless = std::env::var_os(BLESS).is_some_and(|value| value == "1");
        Self { replayer: Replayer::new().with_changed_plugins(), bless }
    }

    /// Adds a plugin's module. It takes the place of any plugin of a trace that was recorded with
    /// another module.
    #[must_use]
    pub fn with_plugin(mut self, wasm: &'p [u8]) -> Self {
        self.replayer = self.replayer.with_plugin(wasm);
        self
    }

    /// Adds the module of the plugin that is called `name` in the traces.
    #[must_use]
    pub fn with_named_plugin(mut self, name: &'p str, wasm: &'p [u8]) -> Self {
        self.replayer = self.replayer.with_named_plugin(name, wasm);
        self
    }

    /// Sets whether traces are rewritten, regardless of the environment.
    #[must_use]
    pub fn with_bless(mut self, bless: bool) -> Self {
        self.bless = bless;
        self
    }

    /// Replays all traces of a directory (`*.trace`, in the order of their names; no directories in
    /// it).
    ///
    /// A trace is blessed if the plugin does something else, or is another module. Then a plugin
    /// that is built again is compared by fuel and memory, too.
    ///
    /// # Errors
    /// [`CorpusError`]. All traces are looked at before.
    pub fn replay_directory(&self, directory: impl AsRef<Path>) -> Result<Passed, CorpusError> {
        let directory = directory.as_ref();
        let unreadable = |error| CorpusError::Directory { path: directory.into(), error };
        let mut paths = Vec::new();
        for entry in fs::read_dir(directory).map_err(unreadable)? {
            let path = entry.map_err(unreadable)?.path();
            if path.extension().is_some_and(|extension| extension == "trace") {
                paths.push(path);
            }
        }
        if paths.is_empty() {
            return Err(CorpusError::Empty { path: directory.into() });
        }
        paths.sort();
        self.replay_files(paths)
    }

    /// Replays one trace.
    ///
    /// # Errors
    /// [`CorpusError::Failed`].
    pub fn replay_file(&self, path: impl AsRef<Path>) -> Result<Passed, CorpusError> {
        self.replay_files(Vec::from([path.as_ref().into()]))
    }

    fn replay_files(&self, paths: Vec<PathBuf>) -> Result<Passed, CorpusError> {
        let traces = paths.len();
        let (mut failures, mut blessed) = (Vec::new(), Vec::new());
        for path in paths {
            match self.file(&path) {
                Ok(false) => {}
                Ok(true) => blessed.push(path),
                Err(problem) => failures.push(TraceFailure { path, problem }),
            }
        }
        match failures.is_empty() {
            true => Ok(Passed { traces, blessed }),
            false => Err(CorpusError::Failed { failures, traces }),
        }
    }

    /// Replays a file. Whether it was written anew.
    fn file(&self, path: &Path) -> Result<bool, Problem> {
        let trace = fs::read(path).map_err(Problem::File)?;
        let replay = self.replayer.replay(trace.as_slice()).map_err(Problem::Replay)?;
        let settled = replay.is_exact() && replay.changed_plugins.is_empty();
        if self.bless && !settled {
            let blessed = self.replayer.bless(trace.as_slice()).map_err(Problem::Replay)?;
            replace(path, &blessed.trace).map_err(Problem::File)?;
            return Ok(true);
        }
        match replay.agrees() {
            true => Ok(false),
            false => Err(Problem::Diverged(Box::new(replay))),
        }
    }
}

/// Writes a file beside `path` and gives it that name: whatever happens before, the trace that is
/// there stays whole.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // Tests run in threads and in processes, and no two of them write the same trace.
    let mut beside = path.as_os_str().to_os_string();
    beside.push(std::format!(".{}.tmp", std::process::id()));
    let beside = PathBuf::from(beside);
    let written = fs::File::create(&beside).and_then(|mut file| {
        io::Write::write_all(&mut file, bytes)?;
        file.sync_all()?;
        fs::rename(&beside, path)
    });
    if written.is_err() {
        // The error that counts is the one before.
        let _ = fs::remove_file(&beside);
    }
    written
}
