//! A SochDB plugin for a device with little memory: it keeps what the thermometer of a freezer
//! measures, and says how cold it was. It has 16 KiB of linear memory, in pages of one byte.
//!
//! Entry points; input and output are encoded as postcard:
//!
//! | entry point | input                                          | output |
//! |-------------|------------------------------------------------|---|
//! | `record`    | minute as `u32`, hundredths of a degree as `i32` | whether it was kept, as `bool` |
//! | `report`    | from this minute, to before that one, and the limit in hundredths | [`Report`] |
//! | `wait`      | nothing                                        | never returns |
//!
//! It needs the table `readings` with the columns `minute` UInt and `hundredths` Int, in this order,
//! and leave to read and write it. It emits the counter `readings_rejected`.

#![cfg_attr(target_arch = "wasm32", no_std)]

use core::ops::ControlFlow;

use serde::Serialize;
use sochdb_wasmi::guest::{HostCallError, HostHandle, Value};

sochdb_wasmi::panic_handler!();

sochdb_wasmi::plugin! { input: 64, output: 64, scratch: 512; record, report, wait }

/// What a working thermometer in a freezer can say, in hundredths of a degree Celsius.
const PLAUSIBLE: core::ops::RangeInclusive<i32> = -6000..=4000;

const COLUMNS: [&str; 2] = ["minute", "hundredths"];

/// The readings of a while.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// How many there are.
    pub readings: u32,
    /// The lowest, in hundredths of a degree; 0 if there is none.
    pub lowest: i32,
    /// The highest.
    pub highest: i32,
    /// The mean, rounded towards zero.
    pub mean: i32,
    /// The most readings in a row that were above the limit.
    pub longest_above: u32,
}

/// Keeps a reading, unless it cannot be one.
fn record(
    host: &mut HostHandle<'_>,
    (minute, hundredths): (u32, i32),
) -> Result<bool, HostCallError> {
    if !PLAUSIBLE.contains(&hundredths) {
        host.counter("readings_rejected", &[], 1.0)?;
        return Ok(false);
    }
    let values = [Value::UInt(minute.into()), Value::Int(hundredths.into())];
    host.insert("readings", &COLUMNS, &values)?;
    Ok(true)
}

/// Looks at the readings from a minute to before another one. Ids rise with time, as they are given
/// in the order of recording.
fn report(
    host: &mut HostHandle<'_>,
    (from, until, limit): (u32, u32, i32),
) -> Result<Report, HostCallError> {
    let minutes = u64::from(from)..u64::from(until);
    let mut report = Report { lowest: i32::MAX, highest: i32::MIN, ..Report::default() };
    let mut sum = 0_i64;
    let mut above = 0;
    host.scan("readings", 0, None, &COLUMNS).try_for_each(|row| -> Result<_, HostCallError> {
        let minute: u64 = row.take()?;
        let hundredths: i64 = row.take()?;
        if minutes.contains(&minute) {
            // Only what `record` lets through is there.
            let reading = hundredths as i32;
            report.readings += 1;
            report.lowest = report.lowest.min(reading);
            report.highest = report.highest.max(reading);
            sum += hundredths;
            above = if reading > limit { above + 1 } else { 0 };
            report.longest_above = report.longest_above.max(above);
        }
        Ok(ControlFlow::Continue(()))
    })?;
    if report.readings == 0 {
        return Ok(Report::default());
    }
    report.mean = (sum / i64::from(report.readings)) as i32;
    Ok(report)
}

/// Records a reading and never returns. The host's fuel ends the call, and the reading must not be
/// there afterwards.
fn wait(host: &mut HostHandle<'_>, (): ()) -> Result<(), HostCallError> {
    record(host, (0, 0))?;
    loop {
        core::hint::spin_loop();
    }
}
