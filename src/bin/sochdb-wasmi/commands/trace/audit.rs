//! `trace audit`: the host's audit log, reconstructed from a trace.

use std::path::Path;

use serde_json::json;
use sochdb_wasmi::{
    audit::AuditEntry,
    replay::{Names, audit_entries},
    trace::{TraceError, TraceReader},
};

use crate::{
    files::trace_file::TraceFile,
    report::{
        failure::Failure,
        output::{Listing, Report},
    },
};

/// Lists the entries, if the trace is whole: half of a log would look like all of it.
pub fn audit(path: &Path, json: bool) -> Result<Report, Failure> {
    let failed = |error| Failure::Trace { path: path.into(), error };
    let entries = audit_entries(TraceFile::open(path)?).map_err(failed)?;
    let names = names(TraceFile::open(path)?).map_err(failed)?;
    let mut listing = Listing::begin("entries", json);
    for entry in &entries {
        let (plugin, function) = (names.plugin(entry.plugin), names.function(entry.function));
        let AuditEntry { sequence, time_us, status, rows, bytes_in, bytes_out, .. } = *entry;
        let object = || {
            json!({
                "sequence": sequence, "time_us": time_us, "plugin": plugin,
                "function": function, "table": entry.table.as_deref(), "status": status,
                "rows": rows, "bytes_in": bytes_in, "bytes_out": bytes_out,
            })
        };
        if !listing.item(|| entry.display(&plugin, &function).to_string(), object) {
            break;
        }
    }
    Ok(listing.end(Ok(())))
}

/// What the numbers of a trace stand for.
fn names(trace: impl embedded_io::Read<Error: 'static>) -> Result<Names, TraceError> {
    let mut reader = TraceReader::new(trace);
    let mut names = Names::default();
    while let Some(entry) = reader.read()? {
        names.learn(&entry.event);
    }
    Ok(names)
}
