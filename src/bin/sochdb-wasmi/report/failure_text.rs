//! Failures in words: what is wrong, in which file and line, and what would do instead.

use std::{fmt, path::Path};

use sochdb_wasmi::{
    database::{DatabaseError, StorageError},
    host::CallError,
    replay::MinimiseError,
    trace::RecordError,
};

use super::{failure::Failure, problem::raised};
use crate::formats::bytes::hex;

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage { reason } => f.write_str(reason),
            Self::Io { path, error } => at(f, path, error),
            Self::Record { path, error, kept } => record(f, path, error, kept.as_deref()),
            Self::NotWasm { path, reason } => at(f, path, Of("not a WebAssembly module", reason)),
            Self::Section { path, error } => at(f, path, error),
            Self::Document { path, error } => at(f, path, error),
            Self::Packed { path, error } => at(f, path, error),
            Self::NotText { path } => at(f, path, "the file is not UTF-8"),
            Self::Load(error) => write!(f, "the plugin was not loaded: {error}"),
            Self::Entry { error, entries } => entry(f, error, entries),
            Self::Types(error) => write!(f, "types, {error}"),
            Self::Input(error) => error.fmt(f),
            Self::InputSyntax { reason } => write!(f, "the input is {reason}"),
            Self::Csv { path, line: 0, problem } => at(f, path, problem),
            Self::Csv { path, line, problem } => at_line(f, path, *line, problem),
            Self::Calls { path, line, problem } => at_line(f, path, *line, problem),
            Self::Database(error) => write!(f, "{error}{}", raised(error)),
            // It names the file, which may be another one beside it.
            Self::Store { error: error @ DatabaseError::Storage(StorageError::Io(_)), .. } => {
                error.fmt(f)
            }
            Self::Store { path, error } => {
                at(f, path, error)?;
                f.write_str(raised(error))
            }
            Self::OtherTable { table } => write!(
                f,
                "the table {table:?} exists, with other columns or indexes than the schema has"
            ),
            Self::NoTable { path, table, tables } => no_table(f, path, table, tables),
            Self::Condition { condition, reason } => write!(f, "{condition:?}: {reason}"),
            Self::NoColumn { table, column: c } => write!(f, "no column {table}.{c} to redact"),
            Self::RedactionKey { path, len } => {
                at(f, path, "a key has at least 16 random bytes, this one has ")?;
                len.fmt(f)
            }
            Self::Trace { path, error } => at(f, path, error),
            Self::Replay { path, error } => at(f, path, error),
            Self::Minimise { path, error: error @ MinimiseError::NeedsRecorded(_) } => {
                at(f, path, Of("give the recorded plugin, as --recorded", error))
            }
            Self::Minimise { path, error } => at(f, path, error),
            Self::OtherPlugin { name, plugins } => no_plugin(f, Some(name), plugins),
            Self::NoPlugin { name, plugins } => no_plugin(f, name.as_deref(), plugins),
            Self::OtherTrace { path, link } => {
                let path = path.display();
                write!(f, "{path} is whole, but another trace: its last link is {}", hex(link))
            }
            Self::NoTraces { path } => {
                write!(f, "{} has no file that ends with .trace", path.display())
            }
            Self::Exists { path } => {
                write!(f, "{} already exists; nothing was written", path.display())
            }
            Self::ProjectName { name } => write!(f, "{name:?} {PROJECT_NAME}"),
        }
    }
}

/// What the name of a project is.
const PROJECT_NAME: &str = "is not a valid plugin name: it begins with an ASCII letter, continues with \
                            letters, digits, _ or -, is at most 32 bytes long, and is neither a keyword \
                            of Rust nor a crate that the project has";

/// An error with what it is about before it.
struct Of<T>(&'static str, T);

impl<T: fmt::Display> fmt::Display for Of<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0, self.1)
    }
}

fn at(f: &mut fmt::Formatter<'_>, path: &Path, problem: impl fmt::Display) -> fmt::Result {
    write!(f, "{}: {problem}", path.display())
}

fn at_line(
    f: &mut fmt::Formatter<'_>,
    path: &Path,
    line: u64,
    problem: impl fmt::Display,
) -> fmt::Result {
    write!(f, "{}: line {line}: {problem}", path.display())
}

fn record(
    f: &mut fmt::Formatter<'_>,
    path: &Path,
    error: &RecordError,
    kept: Option<&Path>,
) -> fmt::Result {
    at(f, path, Of("the trace is not whole", error))?;
    match kept {
        Some(kept) => write!(f, "; the incomplete file is {}", kept.display()),
        None => Ok(()),
    }
}

fn entry(f: &mut fmt::Formatter<'_>, error: &CallError, entries: &[String]) -> fmt::Result {
    write!(f, "{error}")?;
    if let CallError::InputTooLarge { .. } = error {
        return Ok(());
    }
    write!(f, "; it has {}", entries.join(", "))
}

fn no_table(
    f: &mut fmt::Formatter<'_>,
    path: &Path,
    table: &str,
    tables: &[String],
) -> fmt::Result {
    write!(f, "{} has no table {table:?}", path.display())?;
    match tables {
        [] => f.write_str("; it has no tables"),
        tables => write!(f, "; it has {}", tables.join(", ")),
    }
}

fn no_plugin(f: &mut fmt::Formatter<'_>, name: Option<&str>, plugins: &[String]) -> fmt::Result {
    match name {
        Some(name) => write!(f, "no plugin is called {name:?} in the trace")?,
        None => write!(f, "name the plugin with --plugin")?,
    }
    write!(f, "; it has {}", plugins.join(", "))
}
