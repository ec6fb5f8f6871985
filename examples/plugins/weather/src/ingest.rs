//! Ingestion: which days are plausible, and what is written for them.

use heapless::{String, Vec};
use sochdb_wasmi::guest::{HostCallError, HostHandle, IndexQuery, LogLevel, Seq, Value, WriteMode};

use crate::{
    calendar,
    types::{Day, MAX_DAYS, MonthReport, Summary},
};

/// The part of the scratch for lookups, metrics and log messages while a batch is being built in
/// the rest.
const SMALL_CALLS: usize = 512;

/// Standard deviations of precipitation, temp_max, temp_min and wind in the Seattle data: divided
/// by them, a typical difference in each weighs the same in a distance.
const SCALES: [f64; 4] = [6.7, 7.4, 5.0, 1.4];

/// Why a day is not plausible, as the label `reason` of the counter `days_rejected`.
const REASONS: [&str; 5] = ["date", "temperature", "precipitation", "wind", "kind"];

/// The columns of `weather`.
pub const COLUMNS: [&str; 8] =
    ["date", "month", "precipitation", "temp_max", "temp_min", "wind", "kind", "features"];

struct Thresholds {
    max_wind: f64,
    max_precipitation: f64,
}

impl Thresholds {
    /// The index in [`REASONS`] of what is wrong with `day`. Written so that a NaN is wrong.
    fn reject(&self, day: &Day<'_>) -> Option<usize> {
        let plausible = [
            calendar::parse(day.date).is_some(),
            day.temp_min <= day.temp_max && day.temp_max - day.temp_min < 60.0,
            (0.0..=self.max_precipitation).contains(&day.precipitation),
            (0.0..=self.max_wind).contains(&day.wind),
            !day.kind.is_empty() && day.kind.len() <= 16,
        ];
        plausible.iter().position(|plausible| !plausible)
    }
}

/// The days of one month in the batch.
struct Rollup<'a> {
    month: &'a str,
    report: MonthReport,
}

/// Checks each day, writes the plausible ones to `weather` and adds them to the rollups in
/// `monthly`. A date that is in the table already fails the whole call, as it would count twice.
pub fn ingest(
    host: &mut HostHandle<'_>,
    days: Vec<Day<'_>, MAX_DAYS>,
) -> Result<Summary, HostCallError> {
    let (mut small, mut large) = host.split(SMALL_CALLS);
    let thresholds = Thresholds {
        max_wind: small.config_or("max_wind", 60.0)?,
        max_precipitation: small.config_or("max_precipitation", 500.0)?,
    };
    let mut warnings: u64 = small.config_or("max_warnings", 5)?;

    let mut batch = large.batch("weather", WriteMode::Insert, &COLUMNS)?;
    let mut summary = Summary { accepted: 0, rejected: 0 };
    let mut rejected = [0_u32; REASONS.len()];
    let mut rollup: Option<Rollup<'_>> = None;

    for day in &days {
        if let Some(reason) = thresholds.reject(day) {
            summary.rejected += 1;
            if let Some(count) = rejected.get_mut(reason) {
                *count += 1;
            }
            if let Some(left) = warnings.checked_sub(1) {
                warnings = left;
                warn(&mut small, day, reason)?;
            }
            continue;
        }
        summary.accepted += 1;
        batch.push(None, &values(day, &features(day)))?;
        small.histogram("precipitation_mm", &[], day.precipitation)?;

        let month = month(day);
        match &mut rollup {
            Some(open) if open.month == month => open.report.add(&MonthReport::of(day)),
            other => {
                let begun = Rollup { month, report: MonthReport::of(day) };
                if let Some(done) = other.replace(begun) {
                    done.write(&mut small)?;
                }
            }
        }
    }
    if let Some(last) = rollup {
        last.write(&mut small)?;
    }
    batch.finish()?;

    if summary.accepted > 0 {
        small.counter("days_accepted", &[], f64::from(summary.accepted))?;
    }
    for (reason, count) in REASONS.iter().zip(rejected).filter(|(_, count)| *count > 0) {
        small.counter("days_rejected", &[("reason", reason)], f64::from(count))?;
    }
    Ok(summary)
}

/// The values of a day in the order of [`COLUMNS`].
pub fn values<'v>(day: &Day<'v>, features: &'v [u8; 16]) -> [Value<'v>; COLUMNS.len()] {
    [
        Value::Text(day.date),
        Value::Text(month(day)),
        Value::Float(day.precipitation),
        Value::Float(day.temp_max),
        Value::Float(day.temp_min),
        Value::Float(day.wind),
        Value::Text(day.kind),
        Value::Binary(features),
    ]
}

fn month<'d>(day: &Day<'d>) -> &'d str {
    day.date.get(..7).unwrap_or_default()
}

/// The vector of a day: its measurements, scaled, as little-endian `f32`.
pub fn features(day: &Day<'_>) -> [u8; 16] {
    let mut bytes = [0; 16];
    let values = [day.precipitation, day.temp_max, day.temp_min, day.wind];
    for ((target, value), scale) in bytes.chunks_exact_mut(4).zip(values).zip(SCALES) {
        target.copy_from_slice(&((value / scale) as f32).to_le_bytes());
    }
    bytes
}

fn warn(host: &mut HostHandle<'_>, day: &Day<'_>, reason: usize) -> Result<(), HostCallError> {
    let mut text = String::<64>::new();
    // What does not fit is left out: a log line must not fail an ingestion. A date is input like
    // any other and may be long.
    for part in ["rejected ", day.date.get(..10).unwrap_or(day.date), ": implausible "] {
        let _ = text.push_str(part);
    }
    let _ = text.push_str(REASONS.get(reason).copied().unwrap_or_default());
    host.log(LogLevel::Warn, &text)
}

impl MonthReport {
    fn of(day: &Day<'_>) -> Self {
        Self {
            days: 1,
            rain_total: day.precipitation,
            temp_max: day.temp_max,
            temp_min: day.temp_min,
        }
    }

    fn add(&mut self, other: &Self) {
        self.days += other.days;
        self.rain_total += other.rain_total;
        self.temp_max = self.temp_max.max(other.temp_max);
        self.temp_min = self.temp_min.min(other.temp_min);
    }
}

impl Rollup<'_> {
    /// Adds this to the month's row, or makes it the month's row.
    fn write(mut self, host: &mut HostHandle<'_>) -> Result<(), HostCallError> {
        let stored = find_month(host, self.month)?;
        if let Some((_, report)) = &stored {
            self.report.add(report);
        }
        let columns = ["month", "days", "rain_total", "temp_max", "temp_min"];
        let values = [
            Value::Text(self.month),
            Value::UInt(self.report.days),
            Value::Float(self.report.rain_total),
            Value::Float(self.report.temp_max),
            Value::Float(self.report.temp_min),
        ];
        match stored {
            Some((id, _)) => host.update("monthly", id, &columns, &values),
            None => host.insert("monthly", &columns, &values).map(|_| ()),
        }
    }
}

/// The row of a month in `monthly`, and its id.
pub fn find_month(
    host: &mut HostHandle<'_>,
    month: &str,
) -> Result<Option<(u64, MonthReport)>, HostCallError> {
    let key = [Value::Text(month)];
    let row = host
        .lookup("monthly", "by_month", IndexQuery::Point(Seq::new(&key)))
        .columns(&["days", "rain_total", "temp_max", "temp_min"])
        .first()?;
    let Some(mut row) = row else {
        return Ok(None);
    };
    let report = MonthReport {
        days: row.take()?,
        rain_total: row.take()?,
        temp_max: row.take()?,
        temp_min: row.take()?,
    };
    Ok(Some((row.id(), report)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Day<'_> = Day {
        date: "2012-01-05",
        precipitation: 1.3,
        temp_max: 8.9,
        temp_min: 2.8,
        wind: 6.1,
        kind: "rain",
    };

    #[test]
    fn a_day_is_rejected_for_the_first_thing_that_is_wrong_with_it() {
        let thresholds = Thresholds { max_wind: 60.0, max_precipitation: 500.0 };
        assert_eq!(thresholds.reject(&DAY), None);
        for (day, reason) in [
            (Day { date: "2012-02-30", wind: -1.0, ..DAY }, 0),
            (Day { temp_min: 9.0, ..DAY }, 1),
            (Day { temp_min: f64::NAN, ..DAY }, 1),
            (Day { precipitation: -0.1, ..DAY }, 2),
            (Day { precipitation: f64::INFINITY, ..DAY }, 2),
            (Day { wind: 60.1, ..DAY }, 3),
            (Day { wind: f64::NAN, ..DAY }, 3),
            (Day { kind: "", ..DAY }, 4),
        ] {
            assert_eq!(thresholds.reject(&day), Some(reason), "{day:?}");
        }
    }

    #[test]
    fn a_rollup_adds_up_rain_and_keeps_extremes() {
        let mut report = MonthReport::of(&DAY);
        report.add(&MonthReport::of(&Day {
            precipitation: 2.0,
            temp_max: 5.0,
            temp_min: -1.0,
            ..DAY
        }));
        assert_eq!(report, MonthReport { days: 2, rain_total: 3.3, temp_max: 8.9, temp_min: -1.0 });
    }
}
