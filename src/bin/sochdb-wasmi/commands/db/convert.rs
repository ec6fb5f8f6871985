//! `db convert`: a database as a file of `--db`, or as the bytes of a device's flash.
//!
//! Keys and values are copied as they are stored, so that ids, indexes and what the next id will be
//! stay the same. Nothing is read as another version than it is.

use std::{
    ops::ControlFlow,
    path::{Path, PathBuf},
};

use clap::Args;
use serde_json::{Value, json};
use sochdb_wasmi::database::{
    Changes, FlashStorage, KeyRange, RedbConfig, RedbStorage, SalvageReport, Storage, StorageError,
};

use crate::{
    files::{self, unfinished::UnfinishedDirectory},
    inputs::{database_file::DatabaseFile, flash_dump::FlashDump, store::Store},
    report::{failure::Failure, output::Report, progress},
};

/// Bytes of entries that are written together.
const CHUNK: usize = 64 * 1024;

#[derive(Args)]
pub struct Arguments {
    /// The file of a --db, or a dump of a device's flash.
    database: PathBuf,
    /// The file to write. It must not exist.
    out: PathBuf,
    /// Writes the bytes of a flash region of this size, in erase blocks of 4,096 bytes. Default: a file
    /// for --db.
    #[arg(long, value_name = "BYTES")]
    flash: Option<u32>,
    /// Takes what is whole in a damaged dump of flash, and reports what is not.
    #[arg(long)]
    salvage: bool,
}

/// Writes the database in the other form, and checks what was written.
pub fn convert(arguments: &Arguments) -> Result<Report, Failure> {
    let Arguments { database, out, flash, salvage } = arguments;
    if files::is_stdin(out) {
        let reason = "what is written is read again to check it: name a file".into();
        return Err(Failure::Usage { reason });
    }
    let (from, salvaged) = if *salvage {
        let (from, report) = DatabaseFile::salvage(database)?;
        (from, Some(report))
    } else {
        (DatabaseFile::open(database)?, None)
    };
    if out.exists() {
        return Err(Failure::Exists { path: out.clone() });
    }
    let write = || match flash {
        Some(bytes) => files::write(out, &region(&from, *bytes, out)?),
        None => file(&from, out),
    };
    progress::during("converting", write)?;
    let written = DatabaseFile::open(out)?;
    let checked = progress::during("checking", || written.database.check());
    let tables = written.tables().len();
    let mut talk = format!("{tables} tables in {}\n", out.display());
    let mut json = json!({ "file": out.display().to_string(), "tables": tables });
    let mut code = 0;
    match salvaged {
        None => checked.map_err(|error| written.failure(error))?,
        Some(report) => {
            let problem = checked.err().map(|error| error.to_string());
            code = u8::from(!is_whole(&report) || problem.is_some());
            talk += &salvage_text(&report, problem.as_deref());
            json["salvage"] = salvage_json(&report, problem.as_deref());
        }
    }
    Ok(Report { data: String::new(), talk, json, code })
}

fn is_whole(report: &SalvageReport) -> bool {
    let all = report.expected_entries == Some(report.entries);
    report.log_is_whole && all && report.damaged_pages.is_empty()
}

fn salvage_text(report: &SalvageReport, problem: Option<&str>) -> String {
    let expected = report.expected_entries.map_or(String::new(), |count| format!(" of {count}"));
    let mut text = format!("{}{expected} entries of the store are whole\n", report.entries);
    if !report.log_is_whole {
        text += "the commit log is damaged: the last calls may be there in part, and deleted rows again\n";
    }
    for page in &report.damaged_pages {
        text += &format!("damaged page at {page:#x}\n");
    }
    if report.incomplete > 0 {
        text += &format!("{} values were there in part and are left out\n", report.incomplete);
    }
    if let Some(problem) = problem {
        text += &format!("the written database is not sound: {problem}\n");
    }
    text
}

fn salvage_json(report: &SalvageReport, problem: Option<&str>) -> Value {
    json!({
        "log_is_whole": report.log_is_whole,
        "expected_entries": report.expected_entries,
        "entries": report.entries,
        "incomplete": report.incomplete,
        "damaged_pages": report.damaged_pages,
        "problem": problem,
    })
}

/// The bytes of a flash region with the database.
fn region(from: &DatabaseFile, bytes: u32, out: &Path) -> Result<Vec<u8>, Failure> {
    let failure = |error: StorageError| Failure::Store { path: out.into(), error: error.into() };
    let erased = FlashDump(vec![0xff; bytes as usize]);
    let mut flash = FlashStorage::open(erased, 0..bytes).map_err(failure)?;
    copy(from, &mut flash, out)?;
    let flash = flash.into_flash().ok_or(StorageError::InUse).map_err(failure)?;
    Ok(flash.0)
}

/// A file for `--db`, which has its name when it is whole.
fn file(from: &DatabaseFile, out: &Path) -> Result<(), Failure> {
    let io = |error| Failure::Io { path: out.into(), error };
    let failure = |error: StorageError| Failure::Store { path: out.into(), error: error.into() };
    let directory = UnfinishedDirectory::begin(out).map_err(io)?;
    let written = directory.path().join("database");
    let mut config = RedbConfig::default();
    (config.max_rows, config.max_bytes) = (u32::MAX, u64::MAX);
    let mut store = RedbStorage::open(&written, config).map_err(failure)?;
    copy(from, &mut store, out)?;
    drop(store);
    directory.finish_file(&written, out).map_err(io)
}

/// Copies all entries.
fn copy(from: &DatabaseFile, to: &mut impl Storage, out: &Path) -> Result<(), Failure> {
    let source: &Store = from.database.storage();
    let mut lower = Vec::new();
    loop {
        let mut entries = Vec::new();
        let mut bytes = 0;
        let range = KeyRange { lower: &lower, upper: None };
        let scanned = source.scan(range, false, &mut |key, value| {
            entries.push((key.to_vec(), value.to_vec()));
            bytes += key.len() + value.len();
            if bytes < CHUNK { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        scanned.map_err(|error| from.failure(error.into()))?;
        let Some((last, _)) = entries.last() else { return Ok(()) };
        // The next key in order.
        lower.clone_from(last);
        lower.push(0);
        let mut changes = Changes::default();
        let copied = entries
            .iter()
            .try_for_each(|(key, value)| changes.put(to, key, Some(value)))
            .and_then(|()| to.admit(&changes.batch()))
            .and_then(|()| to.apply(&changes.batch()));
        copied.map_err(|error| Failure::Store { path: out.into(), error: error.into() })?;
    }
}
