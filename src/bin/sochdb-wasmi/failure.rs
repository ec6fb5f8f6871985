//! Why a command was not carried out: a name, a text, and an exit code for each.
//!
//! A plugin's call that fails is no failure of the command: `run` reports it.

use std::{fmt, io, path::PathBuf};

use serde_json::{Value, json};
use sochdb_wasmi::{
    database::DatabaseError,
    host::CallError,
    manifest::{ManifestLoadError, UnpackError, document::DocumentError, section::SectionError},
    trace::RecordError,
};

use crate::{
    load::LoadProblem,
    shape::{InputError, ShapeError},
};

/// Why a command was not carried out.
#[derive(Debug)]
pub enum Failure {
    /// The options do not fit together.
    Usage { reason: String },
    /// A file could not be read or written.
    Io { path: PathBuf, error: io::Error },
    /// The trace could not be written to its end.
    Record { path: PathBuf, error: RecordError },
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
    /// The database did not take a table.
    Database(DatabaseError),
    /// A file that would be written is there already.
    Exists { path: PathBuf },
    /// The name is none for a project.
    ProjectName { name: String },
}

impl Failure {
    /// The exit code.
    pub const fn code(&self) -> u8 {
        match self {
            Self::Usage { .. } => 2,
            Self::Io { .. } | Self::Record { .. } | Self::Exists { .. } => 4,
            _ => 3,
        }
    }

    /// The failure as one word, for programs.
    const fn kind(&self) -> &'static str {
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
            Self::Csv { path, line, .. } => (Some(path), Some(*line), None),
            Self::Types(error) => (None, Some(error.line.into()), Some(error.column)),
            Self::Io { path, .. }
            | Self::Record { path, .. }
            | Self::NotWasm { path, .. }
            | Self::Section { path, .. }
            | Self::Packed { path, .. }
            | Self::NotText { path }
            | Self::Exists { path } => (Some(path), None, None),
            _ => (None, None, None),
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

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage { reason } => f.write_str(reason),
            Self::Io { path, error } => write!(f, "{}: {error}", path.display()),
            Self::Record { path, error } => {
                write!(f, "{}: the trace is not whole: {error}", path.display())
            }
            Self::NotWasm { path, reason } => {
                write!(f, "{}: not a WebAssembly module: {reason}", path.display())
            }
            Self::Section { path, error } => write!(f, "{}: {error}", path.display()),
            Self::Document { path, error } => write!(f, "{}: {error}", path.display()),
            Self::Packed { path, error } => write!(f, "{}: {error}", path.display()),
            Self::NotText { path } => write!(f, "{}: the file is not UTF-8", path.display()),
            Self::Load(error) => write!(f, "the plugin was not loaded: {error}"),
            Self::Entry { error, entries } => {
                write!(f, "{error}")?;
                match error {
                    CallError::InputTooLarge { .. } => Ok(()),
                    _ => write!(f, "; it has {}", entries.join(", ")),
                }
            }
            Self::Types(error) => write!(f, "types, {error}"),
            Self::Input(error) => error.fmt(f),
            Self::InputSyntax { reason } => write!(f, "the input is {reason}"),
            Self::Csv { path, line: 0, problem } => write!(f, "{}: {problem}", path.display()),
            Self::Csv { path, line, problem } => {
                write!(f, "{}: line {line}: {problem}", path.display())
            }
            Self::Database(error) => error.fmt(f),
            Self::Exists { path } => {
                write!(f, "{} is there already; nothing was written", path.display())
            }
            Self::ProjectName { name } => write!(
                f,
                "{name:?} is no name for a plugin: it begins with an ASCII letter, goes on with \
                 letters, digits or _, and is at most 32 bytes long"
            ),
        }
    }
}
