//! Records a trace into a file.

use std::{
    path::{Path, PathBuf},
    str::FromStr,
};

use clap::Args;
use serde_json::{Value, json};
use sochdb_wasmi::{
    abi::Name,
    trace::{Recorder, Redaction},
};

use super::stage::{Host, Stage};
use crate::{
    files::{
        self,
        trace_file::TraceFile,
        unfinished::{Interrupted, Unfinished},
    },
    formats::bytes::hex,
    report::failure::Failure,
};

/// The buffer of the recorder, in bytes: the largest request and the largest response that it can
/// record, together.
const BUFFER: usize = 4 << 20;

/// The shortest key that values are redacted with, in bytes.
const MIN_KEY: usize = 16;

/// What of a run is recorded.
#[derive(Args)]
pub struct RecordingArguments {
    /// Records digests of inputs, requests, answers and outputs in place of their bytes. Such a
    /// trace is small and contains no data. It can be compared, but not replayed.
    #[arg(long)]
    digests_only: bool,
    /// Replaces the values of a column by pseudonyms. Equal values have equal pseudonyms.
    #[arg(long, value_name = "TABLE.COLUMN", requires = "redaction_key")]
    redact: Vec<ColumnArgument>,
    /// Replaces a value of the configuration by a pseudonym.
    #[arg(long, value_name = "KEY", requires = "redaction_key")]
    redact_config: Vec<String>,
    /// The key of the pseudonyms: a file of at least 16 random bytes. Who has it can guess
    /// values. Inputs and outputs of entry points become digests.
    #[arg(long, value_name = "FILE")]
    redaction_key: Option<PathBuf>,
    /// Keeps inputs of entry points, which a replay needs: for inputs that contain no redacted
    /// values.
    #[arg(long, requires = "redaction_key")]
    keep_inputs: bool,
    /// Keeps outputs of entry points.
    #[arg(long, requires = "redaction_key")]
    keep_outputs: bool,
}

/// `table.column`, as the option has it.
#[derive(Clone, Debug)]
struct ColumnArgument {
    table: String,
    column: String,
}

impl FromStr for ColumnArgument {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (table, column) = text.split_once('.').ok_or("it is TABLE.COLUMN")?;
        for name in [table, column] {
            Name::new(name).map_err(|error| error.to_string())?;
        }
        Ok(Self { table: table.into(), column: column.into() })
    }
}

impl RecordingArguments {
    /// Whether something is asked for.
    pub const fn is_given(&self) -> bool {
        self.digests_only || self.redaction_key.is_some()
    }

    /// What of a trace is redacted, if something is. A column that is not there is an error: its
    /// values would be recorded under another name.
    fn redaction(&self, host: &Host) -> Result<Option<Redaction>, Failure> {
        let Some(path) = &self.redaction_key else { return Ok(None) };
        let key = files::read(path)?;
        if key.len() < MIN_KEY {
            return Err(Failure::RedactionKey { path: path.clone(), len: key.len() });
        }
        let mut redaction = Redaction::new(&key);
        let database = host.database();
        for ColumnArgument { table, column } in &self.redact {
            let schema = database.table_id(table).and_then(|id| database.schema(id));
            if schema.and_then(|schema| schema.column_named(column)).is_none() {
                let (table, column) = (table.clone(), column.clone());
                return Err(Failure::NoColumn { table, column });
            }
            redaction = redaction.column(table, column);
        }
        for key in &self.redact_config {
            redaction = redaction.config_key(key);
        }
        if self.keep_inputs {
            redaction = redaction.keep_inputs();
        }
        if self.keep_outputs {
            redaction = redaction.keep_outputs();
        }
        Ok(Some(redaction))
    }
}

/// A trace that is being written.
pub struct Recording<'p> {
    path: &'p Path,
    file: Unfinished,
}

/// A trace that was written.
pub struct Recorded {
    path: PathBuf,
    events: u64,
    link: [u8; 32],
}

impl<'p> Recording<'p> {
    /// From now on, what the host does goes into a file beside `path`, which gets that name at the
    /// end. The rows that were loaded are committed when that file can be written: before the
    /// recording begins, as a recorder writes the tables down again after a change from outside.
    pub fn begin(
        stage: &mut Stage,
        path: &'p Path,
        arguments: &RecordingArguments,
    ) -> Result<Self, Failure> {
        let redaction = arguments.redaction(&stage.host)?;
        let failed = |error| Failure::Io { path: path.into(), error };
        let file = Unfinished::begin(path, Interrupted::Kept).map_err(failed)?;
        let mut recorder = Recorder::to(TraceFile::of(file.handle().map_err(failed)?), BUFFER);
        if arguments.digests_only {
            recorder = recorder.with_digests_only();
        }
        if let Some(redaction) = redaction {
            recorder = recorder.with_redaction(redaction);
        }
        stage.keep_rows()?;
        stage.host.record(recorder);
        Ok(Self { path, file })
    }

    /// Ends the trace. An incomplete trace is kept under another name.
    pub fn end(self, host: &mut Host) -> Result<Recorded, Failure> {
        let path = self.path.to_path_buf();
        let Some(mut recorder) = host.stop_recording() else {
            return Err(Failure::Usage { reason: "nothing was recorded".into() });
        };
        if let Some(error) = recorder.error() {
            return Err(Failure::Record { path, error, kept: self.file.keep() });
        }
        let (events, link) = (recorder.events(), recorder.last_link());
        self.file.finish().map_err(|error| Failure::Io { path: path.clone(), error })?;
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
