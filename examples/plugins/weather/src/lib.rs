//! A SochDB plugin over daily weather, as measured in Seattle from 2012 to 2015.
//!
//! Entry points; the types are in [`types`], encoded as postcard:
//!
//! | entry point    | input                                | output |
//! |----------------|--------------------------------------|---|
//! | `ingest`       | list of at most 64 `Day`             | `Summary` |
//! | `rainy_spells` | `SpellQuery`                         | list of at most 32 `Spell` |
//! | `similar_days` | `SimilarQuery`                       | list of at most 16 `Similar` |
//! | `wettest`      | kind as text, count as `u32`         | list of at most 32 pairs of `Date` and `f64` |
//! | `month_report` | month as text                        | `MonthReport` |
//! | `purge`        | `Purge` with a list of at most 64 ids | count as `u64` |
//! | `peek_secret`  | nothing                              | `Denial` |
//! | `spin`         | nothing                              | never returns |
//!
//! # What it needs
//!
//! Tables, which the host creates:
//!
//! | table     | columns, in this order |
//! |-----------|---|
//! | `weather` | `date` Text, `month` Text, `precipitation` Float, `temp_max` Float, `temp_min` Float, `wind` Float, `kind` Text, `features` Vector of 4 dimensions, Euclidean |
//! | `monthly` | `month` Text, `days` UInt, `rain_total` Float, `temp_max` Float, `temp_min` Float |
//!
//! Indexes:
//!
//! | table     | index                   | columns                 | unique |
//! |-----------|-------------------------|-------------------------|---|
//! | `weather` | `by_date`               | `date`                  | yes |
//! | `weather` | `by_month`              | `month`                 | no |
//! | `weather` | `by_kind_precipitation` | `kind`, `precipitation` | no |
//! | `monthly` | `by_month`              | `month`                 | yes |
//!
//! Capabilities: read and write on both tables, index search, vector search; none on `payroll`.
//!
//! Configuration, all of it optional:
//!
//! | key                 | type  | default | meaning |
//! |---------------------|-------|---------|---|
//! | `max_wind`          | Float | 60.0    | the most wind of a plausible day, in m/s |
//! | `max_precipitation` | Float | 500.0   | the most precipitation of a plausible day, in mm |
//! | `max_warnings`      | UInt  | 5       | the most warnings that one call of `ingest` logs |
//!
//! It emits the counters `days_accepted` and `days_rejected` (label `reason`) and the histogram
//! `precipitation_mm`.

#![cfg_attr(target_arch = "wasm32", no_std)]

mod calendar;
mod ingest;
mod query;
// The host's side of the example uses the same file.
#[path = "../../../station/types.rs"]
pub mod types;

use core::ops::ControlFlow;

use heapless::Vec;
use sochdb_wasmi::guest::{HostCallError, HostHandle, IndexQuery, RowSelector, Seq, Status, Value};

use crate::{
    ingest::{COLUMNS, features, ingest, values},
    query::{month_report, rainy_spells, similar_days, wettest},
    types::{Day, Denial, MAX_IDS, Purge},
};

sochdb_wasmi::panic_handler!();

sochdb_wasmi::plugin! {
    input: 4096, output: 2048, scratch: 9216;
    ingest, rainy_spells, similar_days, wettest, month_report, purge, peek_secret, spin
}

/// Deletes days and returns how many. The rollups in `monthly` stay: they say what was measured.
fn purge(host: &mut HostHandle<'_>, input: Purge<'_, Vec<u64, MAX_IDS>>) -> Result<u64, Status> {
    let before = match input {
        Purge::Ids(ids) => {
            return Ok(host.delete("weather", RowSelector::List(Seq::new(&ids)))?);
        }
        Purge::Before(date) => calendar::parse(date).ok_or(Status::InvalidArgs)?,
    };
    let bound = [Value::Text(before.as_str())];
    let query = IndexQuery::Range {
        lower: sochdb_wasmi::guest::Bound::Unbounded,
        upper: sochdb_wasmi::guest::Bound::Excluded(Seq::new(&bound)),
    };
    let mut deleted = 0;
    loop {
        // From the front each time: what was found before is gone.
        let mut ids = Vec::<u64, MAX_IDS>::new();
        host.lookup("weather", "by_date", query).page_limit(MAX_IDS as u32).try_for_each(
            |row| -> Result<_, HostCallError> {
                let _ = ids.push(row.id());
                Ok(if ids.is_full() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
            },
        )?;
        if ids.is_empty() {
            return Ok(deleted);
        }
        deleted += host.delete("weather", RowSelector::List(Seq::new(&ids)))?;
    }
}

/// Tries to read a table that no host should grant to a weather plugin, and reports the answer.
fn peek_secret<'h>(host: &'h mut HostHandle<'_>, (): ()) -> Result<Denial<'h>, Status> {
    let status = match host.read_one("payroll", 1, &[]) {
        Ok(_) => return Ok(Denial { status: 0, message: "" }),
        Err(error) => error.status.code(),
    };
    Ok(Denial { status, message: host.last_error()? })
}

/// Writes a day and never returns. The host's fuel or deadline ends the call, and the row must not
/// be there afterwards.
fn spin(host: &mut HostHandle<'_>, (): ()) -> Result<(), Status> {
    let day = Day {
        date: "1970-01-01",
        precipitation: 0.0,
        temp_max: 8.0,
        temp_min: 2.0,
        wind: 3.0,
        kind: "sun",
    };
    host.insert("weather", &COLUMNS, &values(&day, &features(&day)))?;
    loop {
        core::hint::spin_loop();
    }
}
