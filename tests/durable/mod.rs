//! What the tests of the durable storages share: the weather job as a list of calls over any
//! storage, and everything that a storage holds.

#![allow(dead_code, reason = "not every test uses all of it")]

use std::{collections::BTreeMap, ops::ControlFlow};

use sochdb_wasmi::{
    abi::Value,
    audit::PluginId,
    database::{Database, KeyRange, Storage, StorageError},
    host::{CallError, Host, HostConfig, NoClock, PluginConfig},
    limits::Limits,
};

use crate::station::{
    self,
    types::{Day, Purge},
};

/// All entries of a storage.
pub type Entries = BTreeMap<Vec<u8>, Vec<u8>>;

/// What a storage holds, read forwards and backwards, which must be the same.
pub fn entries(storage: &impl Storage) -> Entries {
    let all = KeyRange { lower: &[], upper: None };
    let read = |reverse| {
        let mut entries = Vec::new();
        let visit = &mut |key: &[u8], value: &[u8]| {
            entries.push((key.to_vec(), value.to_vec()));
            ControlFlow::Continue(())
        };
        storage.scan(all, reverse, visit).unwrap();
        entries
    };
    let forwards = read(false);
    let mut backwards = read(true);
    backwards.reverse();
    assert_eq!(forwards, backwards);
    forwards.into_iter().collect()
}

/// What a storage holds, read forwards only.
pub fn forwards(storage: &impl Storage) -> Result<Entries, StorageError> {
    let mut entries = Entries::new();
    let all = KeyRange { lower: &[], upper: None };
    let visit = &mut |key: &[u8], value: &[u8]| {
        entries.insert(key.to_vec(), value.to_vec());
        ControlFlow::Continue(())
    };
    storage.scan(all, false, visit)?;
    Ok(entries)
}

/// One thing that is done to a station.
pub enum Step {
    /// A table is made.
    Table(usize),
    /// A row that the host writes itself.
    Payroll,
    /// A call of the plugin, and whether it writes.
    Call { entry: &'static str, input: Vec<u8>, writes: bool },
}

fn call(entry: &'static str, input: &(impl serde::Serialize + ?Sized), writes: bool) -> Step {
    Step::Call { entry, input: postcard::to_allocvec(input).unwrap(), writes }
}

/// The weather job with so many days: tables, days in batches, batches that are refused, a call
/// that never ends, questions, deletions, and days again.
pub fn job(days: usize, batch: usize) -> Vec<Step> {
    let all = station::days();
    let mut steps: Vec<Step> = (0..3).map(Step::Table).collect();
    steps.push(Step::Payroll);
    steps.extend(all[..days].chunks(batch).map(|days| call("ingest", days, true)));
    let twice = [Day { date: "2016-01-01", ..all[0] }, all[0]];
    steps.push(call("ingest", &twice[..], false));
    steps.push(call("spin", &(), false));
    steps.push(call("month_report", "2012-01", false));
    steps.push(call("wettest", &("rain", 10_u32), false));
    let first = all[days / 3].date;
    steps.push(call("purge", &Purge::Before::<Vec<u64>>(first), true));
    steps.push(call("purge", &Purge::Ids([days as u64, 1, 9999].as_slice()), true));
    steps.extend(all[days..days + batch].chunks(1).map(|days| call("ingest", days, true)));
    steps
}

/// A station over a storage.
pub struct Station<S: Storage + 'static> {
    pub host: Host<S>,
    plugin: PluginId,
}

impl<S: Storage> Station<S> {
    pub fn open(storage: S) -> Self {
        let mut host = Host::new(HostConfig::default(), Database::open(storage).unwrap(), NoClock);
        let limits = Limits { fuel_per_call: 3_000_000, deadline_ms: None, ..Limits::default() };
        let config = PluginConfig::new(station::capabilities().unwrap()).with_limits(limits);
        let plugin = host.load("weather", station::PLUGIN, &config).unwrap();
        Self { host, plugin }
    }

    /// Takes a step. Says what the plugin answered; a call that must write nothing has written
    /// nothing.
    pub fn take(&mut self, step: &Step) -> Result<Vec<u8>, CallError> {
        match step {
            Step::Table(number) => {
                let schema = station::schemas().unwrap()[*number].clone();
                self.host.database_mut().create_table(schema).map_err(CallError::Commit)?;
                Ok(Vec::new())
            }
            Step::Payroll => {
                let database = self.host.database_mut();
                let id = database.insert("payroll", None, &[Value::Int(5000)]);
                id.map_err(CallError::Commit)?;
                Ok(Vec::new())
            }
            Step::Call { entry, input, .. } => {
                Ok(self.host.call(self.plugin, entry, input)?.output.to_vec())
            }
        }
    }

    pub fn storage(&self) -> &S {
        self.host.database().storage()
    }
}
