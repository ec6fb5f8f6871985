//! The host calls of a run, function by function, from the audit log.

use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Map, Value, json};
use sochdb_wasmi::{
    abi::{Name, Status},
    audit::{AuditEntry, AuditSink, FunctionId},
};

use crate::report::{
    output,
    verbosity::{self, Verbosity},
};

/// What the calls of one function were.
#[derive(Clone, Default)]
pub struct Calls {
    pub calls: u64,
    pub denied: u64,
    pub failed: u64,
    pub rows: u64,
    pub bytes_in: u64,
    pub bytes_out: u64,
}

/// All host calls of a run.
#[derive(Clone, Default)]
pub struct Summary {
    /// By the number of the function.
    functions: Vec<Calls>,
    /// What was denied: function, table, and how often; in the order of the first time.
    pub denied: Vec<(FunctionId, Option<Name>, u64)>,
    /// The functions of --stub.
    pub own: Vec<Own>,
}

/// A function of --stub.
#[derive(Clone)]
pub struct Own {
    pub id: FunctionId,
    /// With its module.
    pub name: String,
    /// What the manifest has to grant.
    pub grant: String,
}

impl Summary {
    fn add(&mut self, entry: &AuditEntry) {
        let at = usize::from(entry.function.0);
        if at >= self.functions.len() {
            self.functions.resize(at + 1, Calls::default());
        }
        let Some(calls) = self.functions.get_mut(at) else { return };
        calls.calls += 1;
        calls.rows += u64::from(entry.rows);
        calls.bytes_in += u64::from(entry.bytes_in);
        calls.bytes_out += u64::from(entry.bytes_out);
        if entry.status >= 0 {
            return;
        }
        calls.failed += 1;
        if Status::from_code(entry.status) != Status::PermissionDenied {
            return;
        }
        calls.denied += 1;
        let same = |(function, table, _): &&mut (FunctionId, Option<Name>, u64)| {
            *function == entry.function && *table == entry.table
        };
        match self.denied.iter_mut().find(same) {
            Some((_, _, times)) => *times += 1,
            None => self.denied.push((entry.function, entry.table, 1)),
        }
    }

    /// The functions that were called, by name.
    pub fn functions(&self) -> impl Iterator<Item = (&str, &Calls)> {
        self.functions.iter().enumerate().filter(|(_, calls)| calls.calls > 0).filter_map(
            |(at, calls)| Some((self.name(FunctionId(u16::try_from(at).ok()?))?, calls)),
        )
    }

    /// The name of a function.
    fn name(&self, function: FunctionId) -> Option<&str> {
        let own = || self.own.iter().find(|own| own.id == function).map(|own| own.name.as_str());
        function.name().or_else(own)
    }

    /// The functions that were called, for programs.
    pub fn json(&self) -> Value {
        let function = |(name, calls): (&str, &Calls)| {
            let Calls { calls, denied, failed, rows, bytes_in, bytes_out } = calls;
            let object = json!({
                "calls": calls, "failed": failed, "denied": denied, "rows": rows,
                "bytes_in": bytes_in, "bytes_out": bytes_out,
            });
            (name.to_string(), object)
        };
        Value::Object(self.functions().map(function).collect::<Map<_, _>>())
    }
}

/// Counts every entry of a host's audit log.
#[derive(Clone, Default)]
pub struct Counter(Arc<Mutex<Summary>>);

impl Counter {
    /// Counts calls of these functions by their names, too.
    pub fn with_own(own: Vec<Own>) -> Self {
        Self(Arc::new(Mutex::new(Summary { own, ..Summary::default() })))
    }

    /// What was counted since the last time.
    pub fn take(&self) -> Summary {
        let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let next = Summary { own: counted.own.clone(), ..Summary::default() };
        std::mem::replace(&mut *counted, next)
    }
}

impl AuditSink for Counter {
    fn record(&mut self, entry: &AuditEntry) {
        let mut summary = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if verbosity::get() == Verbosity::Verbose {
            let function = summary.name(entry.function).unwrap_or("?");
            output::note(&entry.display("host call", function).to_string());
        }
        summary.add(entry);
    }
}
