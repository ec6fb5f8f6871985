//! Why a command failed: a name, a text and an exit code for each error.
//!
//! A failed call of a plugin is not a failure of the command: `run` reports it.

use std::{io, path::PathBuf};

use serde_json::{Value, json};
use sochdb_wasmi::{
    database::{DatabaseError, StorageError},
    host::CallError,
    manifest::{ManifestLoadError, UnpackError, document::DocumentError, section::SectionError},
    replay::{Cause, MinimiseError, ReplayError},
    trace::{RecordError, TraceError},
};

use super::problem::{CallProblem, LoadProblem};
use crate::formats::shape::{InputError, ShapeError};

/// Why a command was not carried out.
#[derive(Debug)]
pub enum Failure {
    /// The options do not fit together.
    Usage { reason: String },
    /// A file could not be read or written.
    Io { path: PathBuf, error: io::Error },
    /// The trace could not be written to its end.
    Record { path: PathBuf, error: RecordError, kept: Option<PathBuf> },
    /// The file is not a WebAssembly module.
    NotWasm { path: PathBuf, reason: String },
    /// The custom sections of the module are damaged.
    Section { path: PathBuf, error: SectionError },
    /// The manifest or the schema is wrong.
    Document { path: PathBuf, error: DocumentError },
    /// The packed manifest is wrong.
    Packed { path: PathBuf, error: UnpackError },
    /// A file that should be text is not UTF-8.
    NotText { path: PathBuf },
    /// The plugin was not loaded.
    Load(ManifestLoadError),
    /// The entry point is not there, or its buffer is too small for the input.
    Entry { error: CallError, entries: Vec<String> },
    /// The description of types is wrong.
    Types(ShapeError),
    /// The input is not of the type of the entry point.
    Input(InputError),
    /// The input is not JSON, or not hex.
    InputSyntax { reason: String },
    /// Rows of a file were not loaded.
    Csv { path: PathBuf, line: u64, problem: LoadProblem },
    /// A line in the calls file is not a valid call.
    Calls { path: PathBuf, line: u64, problem: CallProblem },
    /// The database did not take a table.
    Database(DatabaseError),
    /// The file that the database is kept in could not be opened.
    Store { path: PathBuf, error: DatabaseError },
    /// The table exists but does not match the schema.
    OtherTable { table: String },
    /// The database has no table of this name.
    NoTable { path: PathBuf, table: String, tables: Vec<String> },
    /// A condition on rows is not one of this table.
    Condition { condition: String, reason: String },
    /// A column that is to be redacted is not there.
    NoColumn { table: String, column: String },
    /// The key of a redaction is too short.
    RedactionKey { path: PathBuf, len: usize },
    /// The file is not a trace, or is damaged.
    Trace { path: PathBuf, error: TraceError },
    /// The trace cannot be replayed, with these plugins or at all.
    Replay { path: PathBuf, error: ReplayError },
    /// The trace cannot be shrunk.
    Minimise { path: PathBuf, error: MinimiseError },
    /// No plugin has this name in the trace; or none was named, and there is not just one.
    NoPlugin { name: Option<String>, plugins: Vec<String> },
    /// A module was given for a plugin that is not in the trace.
    OtherPlugin { name: String, plugins: Vec<String> },
    /// The trace is whole, and another one than was asked for.
    OtherTrace { path: PathBuf, link: [u8; 32] },
    /// There is no trace in the directory.
    NoTraces { path: PathBuf },
    /// A file that would be written is there already.
    Exists { path: PathBuf },
    /// The project name is invalid.
    ProjectName { name: String },
}

impl Failure {
    /// The exit code.
    pub const fn code(&self) -> u8 {
        if let Some(StorageError::InUse | StorageError::Device { .. } | StorageError::Io(_)) =
            self.storage()
        {
            return 4;
        }
        match self {
            Self::Usage { .. } => 2,
            Self::Io { .. }
            | Self::Record { .. }
            | Self::Exists { .. }
            | Self::Calls { problem: CallProblem::Io { .. }, .. } => 4,
            Self::Trace { error, .. } | Self::Replay { error: ReplayError::Trace(error), .. } => {
                trace_code(error)
            }
            Self::Replay { error, .. } => replay_code(error),
            Self::OtherPlugin { .. }
            | Self::Minimise { error: MinimiseError::NeedsRecorded(_), .. } => 31,
            Self::Minimise { .. } => 1,
            Self::OtherTrace { .. } => 33,
            Self::NotWasm { .. }
            | Self::Section { .. }
            | Self::Document { .. }
            | Self::Packed { .. }
            | Self::NotText { .. }
            | Self::Load(_)
            | Self::Entry { .. }
            | Self::Types(_)
            | Self::Input(_)
            | Self::InputSyntax { .. }
            | Self::Csv { .. }
            | Self::Calls { .. }
            | Self::Database(_)
            | Self::Store { .. }
            | Self::OtherTable { .. }
            | Self::NoTable { .. }
            | Self::Condition { .. }
            | Self::NoColumn { .. }
            | Self::RedactionKey { .. }
            | Self::NoPlugin { .. }
            | Self::NoTraces { .. }
            | Self::ProjectName { .. } => 3,
        }
    }

    /// What a storage said, if that is the failure.
    const fn storage(&self) -> Option<&StorageError> {
        if let Self::Store { error: DatabaseError::Storage(error), .. }
        | Self::Database(DatabaseError::Storage(error))
        | Self::Csv { problem: LoadProblem::Database(DatabaseError::Storage(error)), .. } = self
        {
            Some(error)
        } else {
            None
        }
    }

    /// The failure as one word, for programs.
    const fn kind(&self) -> &'static str {
        match self.storage() {
            Some(StorageError::InUse) => return "in_use",
            Some(StorageError::Device { .. } | StorageError::Io(_)) => return "io",
            _ => {}
        }
        match self {
            Self::Usage { .. } => "usage",
            Self::Io { .. } => "io",
            Self::Record { .. } => "record",
            Self::NotWasm { .. } | Self::Section { error: SectionError::NotWasm, .. } => "not_wasm",
            Self::Section { .. } => "section",
            Self::Document { error, .. } => error.problem.as_str(),
            Self::Packed { .. } => "packed_manifest",
            Self::NotText { .. } => "not_text",
            Self::Load(_) => "load",
            Self::Entry { .. } => "entry",
            Self::Types(_) => "types",
            Self::Input(_) => "input",
            Self::InputSyntax { .. } => "input_syntax",
            Self::Csv { .. } => "csv",
            Self::Calls { problem: CallProblem::Io { .. }, .. } => "io",
            Self::Calls { .. } => "calls",
            Self::Store { .. } => "database",
            Self::OtherTable { .. } => "other_table",
            Self::NoTable { .. } => "no_table",
            Self::Condition { .. } => "condition",
            Self::NoColumn { .. } => "no_column",
            Self::RedactionKey { .. } => "redaction_key",
            Self::Trace { error, .. } | Self::Replay { error: ReplayError::Trace(error), .. } => {
                damage(error)
            }
            Self::Replay { error, .. } => match error {
                ReplayError::NoCalls => "no_calls",
                ReplayError::NoAnswers => "digests",
                ReplayError::Redacted => "redacted",
                ReplayError::AbiVersion { .. } => "abi_version",
                ReplayError::WrongModule { .. } => "wrong_module",
                ReplayError::Load { .. } => "load",
                ReplayError::Function(_) => "function",
                ReplayError::NoAnswer(_) => "no_answer",
                ReplayError::Unstable(_) => "unstable",
                ReplayError::Misplaced { .. } => "misplaced",
                ReplayError::UnknownPlugin { .. } => "unknown_plugin",
                ReplayError::Trace(_) | ReplayError::Refused { .. } | _ => "replay",
            },
            Self::Minimise { error, .. } => match error {
                MinimiseError::DoesNotFail => "does_not_fail",
                MinimiseError::NeedsRecorded(_) => "needs_recorded",
                MinimiseError::NotReproducible(_) => "not_reproducible",
                MinimiseError::Replay(_) | _ => "minimise",
            },
            Self::NoPlugin { .. } | Self::OtherPlugin { .. } => "no_plugin",
            Self::OtherTrace { .. } => "other_trace",
            Self::NoTraces { .. } => "no_traces",
            Self::Database(_) => "database",
            Self::Exists { .. } => "exists",
            Self::ProjectName { .. } => "project_name",
        }
    }

    /// The failure for programs: its kind, its text, and the place in a file if there is one.
    pub fn json(&self) -> Value {
        let mut object = json!({ "kind": self.kind(), "message": self.to_string() });
        let (path, line, column) = match self {
            Self::Document { path, error } => {
                (Some(path), Some(error.line.into()), Some(error.column))
            }
            Self::Csv { path, line, .. } | Self::Calls { path, line, .. } => {
                (Some(path), Some(*line), None)
            }
            Self::Types(error) => (None, Some(error.line.into()), Some(error.column)),
            Self::Io { path, .. }
            | Self::Record { path, .. }
            | Self::NotWasm { path, .. }
            | Self::Section { path, .. }
            | Self::Packed { path, .. }
            | Self::NotText { path }
            | Self::Store { path, .. }
            | Self::NoTable { path, .. }
            | Self::RedactionKey { path, .. }
            | Self::Trace { path, .. }
            | Self::Replay { path, .. }
            | Self::Minimise { path, .. }
            | Self::OtherTrace { path, .. }
            | Self::NoTraces { path }
            | Self::Exists { path } => (Some(path), None, None),
            Self::Usage { .. }
            | Self::Load(_)
            | Self::Entry { .. }
            | Self::Input(_)
            | Self::InputSyntax { .. }
            | Self::Database(_)
            | Self::OtherTable { .. }
            | Self::Condition { .. }
            | Self::NoColumn { .. }
            | Self::NoPlugin { .. }
            | Self::OtherPlugin { .. }
            | Self::ProjectName { .. } => (None, None, None),
        };
        if let Some(path) = path {
            object["file"] = path.display().to_string().into();
        }
        if let Some(line) = line {
            object["line"] = line.into();
        }
        if let Some(column) = column {
            object["column"] = column.into();
        }
        object
    }
}

impl std::error::Error for Failure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { error, .. } => Some(error),
            Self::Record { error, .. } => Some(error),
            Self::Section { error, .. } => Some(error),
            Self::Document { error, .. } => Some(error),
            Self::Packed { error, .. } => Some(error),
            Self::Load(error) => Some(error),
            Self::Entry { error, .. } => Some(error),
            Self::Csv { problem, .. } => Some(problem),
            Self::Database(error) | Self::Store { error, .. } => Some(error),
            Self::Trace { error, .. } => Some(error),
            Self::Replay { error, .. } => Some(error),
            Self::Minimise { error, .. } => Some(error),
            Self::Usage { .. }
            | Self::NotWasm { .. }
            | Self::NotText { .. }
            | Self::Types(_)
            | Self::Input(_)
            | Self::InputSyntax { .. }
            | Self::Calls { .. }
            | Self::OtherTable { .. }
            | Self::NoTable { .. }
            | Self::Condition { .. }
            | Self::NoColumn { .. }
            | Self::RedactionKey { .. }
            | Self::NoPlugin { .. }
            | Self::OtherPlugin { .. }
            | Self::OtherTrace { .. }
            | Self::NoTraces { .. }
            | Self::Exists { .. }
            | Self::ProjectName { .. } => None,
        }
    }
}

/// What is wrong with a trace as one word, for programs.
const fn damage(error: &TraceError) -> &'static str {
    match error {
        TraceError::Empty => "empty",
        TraceError::NotATrace => "not_a_trace",
        TraceError::Version { .. } => "trace_version",
        TraceError::Source(_) | TraceError::Io(_) => "io",
        TraceError::Torn { .. } => "torn",
        TraceError::Unfinished { .. } => "unfinished",
        TraceError::BrokenChain { .. } => "broken_chain",
        TraceError::Reordered { .. } => "reordered",
        TraceError::DuplicatedHeader { .. } => "duplicated_header",
        TraceError::NoHeader => "no_header",
        TraceError::Malformed { .. } => "malformed",
        TraceError::FrameTooLarge { .. } => "frame_too_large",
        TraceError::AfterEnd { .. } => "after_end",
        TraceError::ClockWentBack { .. } => "clock_went_back",
        _ => "trace",
    }
}

/// The exit code of a trace that cannot be read.
const fn trace_code(error: &TraceError) -> u8 {
    match error {
        TraceError::Source(_) | TraceError::Io(_) => 4,
        error if error.breaks_off() => Cause::Truncated.exit_code(),
        TraceError::Empty
        | TraceError::NotATrace
        | TraceError::Version { .. }
        | TraceError::Torn { .. }
        | TraceError::Unfinished { .. }
        | TraceError::BrokenChain { .. }
        | TraceError::Reordered { .. }
        | TraceError::DuplicatedHeader { .. }
        | TraceError::NoHeader
        | TraceError::Malformed { .. }
        | TraceError::FrameTooLarge { .. }
        | TraceError::AfterEnd { .. }
        | TraceError::ClockWentBack { .. }
        | _ => 30,
    }
}

/// The exit code of a trace that cannot be replayed.
const fn replay_code(error: &ReplayError) -> u8 {
    match error {
        ReplayError::Misplaced { .. } | ReplayError::UnknownPlugin { .. } => 30,
        ReplayError::WrongModule { .. } => 31,
        ReplayError::NoAnswer(_) | ReplayError::Unstable(_) => 34,
        ReplayError::Load { .. } => 3,
        ReplayError::Trace(_)
        | ReplayError::NoCalls
        | ReplayError::NoAnswers
        | ReplayError::Redacted
        | ReplayError::AbiVersion { .. }
        | ReplayError::Function(_)
        | ReplayError::Refused { .. }
        | _ => 32,
    }
}
