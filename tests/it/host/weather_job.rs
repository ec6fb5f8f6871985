//! The main job, with the plugin that is committed: its answers are those that this file computes
//! from the same data on its own.

use crate::station;
use std::collections::BTreeMap;

use serde::{Serialize, de::DeserializeOwned};
use sochdb_wasmi::{
    abi::{HOST_FUNCTIONS, Status, Value},
    audit::{AuditEntry, PluginId},
    capability::Capabilities,
    host::{CallError, Host, HostConfig, NoClock, PluginConfig},
    limits::{Limit, LimitExceeded, Limits},
    meter::Meter,
};
use station::types::{
    Date, Day, Denial, MAX_DAYS, MAX_SPELLS, MonthReport, Purge, Similar, SimilarQuery, Spell,
    SpellQuery, Summary,
};

struct Station {
    host: Host,
    plugin: PluginId,
}

impl Station {
    fn empty(config: PluginConfig) -> Self {
        let sizes = HostConfig { audit_entries: 4096, ..HostConfig::default() };
        let mut host = Host::new(sizes, station::database().unwrap(), NoClock);
        let plugin = host.load("weather", station::PLUGIN, &config).unwrap();
        Self { host, plugin }
    }

    /// A station that has ingested everything.
    fn full() -> Self {
        let mut station = Self::empty(config());
        assert_eq!(station.ingest_all(), Summary { accepted: 1461, rejected: 0 });
        station
    }

    fn ingest_all(&mut self) -> Summary {
        let mut all = Summary { accepted: 0, rejected: 0 };
        for batch in station::days().chunks(MAX_DAYS) {
            let done: Summary = self.call("ingest", batch);
            all.accepted += done.accepted;
            all.rejected += done.rejected;
        }
        all
    }

    #[track_caller]
    fn call<I: Serialize + ?Sized, O: DeserializeOwned>(&mut self, entry: &str, input: &I) -> O {
        self.call_as(self.plugin, entry, input).unwrap()
    }

    fn call_as<I: Serialize + ?Sized, O: DeserializeOwned>(
        &mut self,
        plugin: PluginId,
        entry: &str,
        input: &I,
    ) -> Result<O, CallError> {
        let input = postcard::to_allocvec(input).unwrap();
        let outcome = self.host.call(plugin, entry, &input)?;
        Ok(postcard::from_bytes(outcome.output).unwrap())
    }

    fn rows(&self, table: &str) -> usize {
        station::count_rows(self.host.database(), table).unwrap()
    }

    /// The dates in the table, in the order of ids.
    fn dates(&self) -> Vec<String> {
        let database = self.host.database();
        let table = database.table_id("weather").unwrap();
        let mut dates = Vec::new();
        let mut keep = |_, row: sochdb_wasmi::database::StoredRow<'_>| {
            dates.push(row.value(0).and_then(|value| value.as_text()).unwrap().to_string());
            core::ops::ControlFlow::Continue(())
        };
        database.scan_rows(table, 0, None, &mut Meter::unlimited(), &mut keep).unwrap();
        dates
    }

    fn metrics(&self) -> String {
        let mut text = String::new();
        self.host.render_metrics(&mut text).unwrap();
        text
    }

    fn audited(&self, function: &str) -> impl Iterator<Item = &AuditEntry> {
        let at = HOST_FUNCTIONS.iter().position(|spec| spec.name == function).unwrap();
        self.host.audit().iter().filter(move |entry| usize::from(entry.function.0) == at)
    }
}

fn config() -> PluginConfig {
    let limits = Limits { fuel_per_call: 20_000_000, deadline_ms: None, ..Limits::default() };
    PluginConfig::new(station::capabilities().unwrap()).with_limits(limits)
}

#[track_caller]
fn assert_line(text: &str, line: &str) {
    assert!(text.lines().any(|other| other == line), "no line {line:?} in\n{text}");
}

#[test]
fn every_day_of_the_file_is_stored_under_its_date() {
    let station = Station::full();
    let dates: Vec<String> = station::days().iter().map(|day| day.date.to_string()).collect();
    assert_eq!(dates.len(), 1461);
    assert_eq!(station.dates(), dates);
    station.host.database().check().unwrap();
}

#[test]
fn a_batch_with_a_day_that_is_there_already_leaves_nothing() {
    let mut station = Station::full();
    let days = station::days();
    let batch = [Day { date: "2016-01-01", ..days[0] }, days[9]];
    let error = station.call_as::<_, Summary>(station.plugin, "ingest", &batch[..]).unwrap_err();
    assert_eq!(error.status(), Some(Status::InvalidArgs), "{error}");
    assert_eq!((station.rows("weather"), station.rows("monthly")), (1461, 48));
    let month: MonthReport = station.call("month_report", "2012-01");
    assert_eq!(month.days, 31);
}

#[test]
fn rollups_are_the_sums_and_extremes_of_their_months() {
    let mut station = Station::full();
    let mut months = BTreeMap::<&str, Vec<Day<'_>>>::new();
    for day in station::days() {
        months.entry(&day.date[..7]).or_default().push(day);
    }
    assert_eq!((months.len(), station.rows("monthly")), (48, 48));
    for (month, days) in months {
        let report: MonthReport = station.call("month_report", month);
        let rain: f64 = days.iter().map(|day| day.precipitation).sum();
        assert!((report.rain_total - rain).abs() < 1e-9, "{month}: {report:?}");
        let expected = MonthReport {
            days: days.len() as u64,
            rain_total: report.rain_total,
            temp_max: days.iter().map(|day| day.temp_max).fold(f64::MIN, f64::max),
            temp_min: days.iter().map(|day| day.temp_min).fold(f64::MAX, f64::min),
        };
        assert_eq!(report, expected, "{month}");
    }
}

/// Runs of rainy days in the file, which has every day once.
fn native_spells(query: &SpellQuery<'_>) -> Vec<Spell> {
    let days: Vec<Day<'_>> = station::days()
        .into_iter()
        .filter(|day| query.from.is_none_or(|from| day.date >= from))
        .filter(|day| query.until.is_none_or(|until| day.date < until))
        .collect();
    let rains = |day: &Day<'_>| day.precipitation >= query.min_precipitation;
    days.chunk_by(|a, b| rains(a) == rains(b))
        .filter(|run| rains(&run[0]) && run.len() >= query.min_days as usize)
        .map(|run| Spell {
            start: Date(run[0].date.as_bytes().try_into().unwrap()),
            days: run.len() as u32,
            total: run.iter().map(|day| day.precipitation).sum(),
        })
        .take(MAX_SPELLS)
        .collect()
}

#[test]
fn rainy_spells_are_the_runs_of_rainy_days() {
    let mut station = Station::full();
    let years = (Some("2012-11-20"), Some("2015-02-03"));
    for (min_days, min_precipitation, (from, until), found) in [
        (14, 0.1, (None, None), 4),
        (10, 0.1, (None, None), 11),
        (2, 0.2, (None, None), 32),
        (3, 5.0, years, 15),
        (20, 0.1, (None, None), 0),
    ] {
        let query = SpellQuery { min_days, min_precipitation, from, until };
        let spells: Vec<Spell> = station.call("rainy_spells", &query);
        assert_eq!(spells, native_spells(&query), "{query:?}");
        assert_eq!(spells.len(), found, "{query:?}");
    }
}

#[test]
fn similar_days_are_those_of_a_search_through_all_days() {
    let mut station = Station::full();
    let days = station::days();
    let features = |day: &Day<'_>| {
        [day.precipitation / 6.7, day.temp_max / 7.4, day.temp_min / 5.0, day.wind / 1.4]
    };
    for date in ["2012-01-01", "2013-12-07", "2014-02-16", "2015-07-19", "2015-12-31"] {
        let target = days.iter().find(|day| day.date == date).unwrap();
        let distance = |day: &Day<'_>| {
            let pairs = features(day).into_iter().zip(features(target));
            pairs.map(|(a, b)| (a - b) * (a - b)).sum::<f64>().sqrt()
        };
        let mut nearest: Vec<f64> =
            days.iter().filter(|day| day.date != date).map(distance).collect();
        nearest.sort_by(f64::total_cmp);

        let similar: Vec<Similar> = station.call("similar_days", &SimilarQuery { date, k: 16 });
        assert_eq!(similar.len(), 16);
        for (hit, expected) in similar.iter().zip(nearest) {
            let day = days[hit.id as usize - 1];
            assert_eq!(hit.date.as_str(), day.date);
            assert_ne!(day.date, date);
            // The plugin and the host work with 32-bit floats.
            assert!((distance(&day) - expected).abs() < 1e-5, "{date}: {hit:?}, not {expected}");
            assert!((f64::from(hit.distance) - expected).abs() < 1e-5, "{date}: {hit:?}");
        }
    }
}

#[test]
fn the_wettest_days_of_a_kind_come_wettest_first() {
    let mut station = Station::full();
    for (kind, count) in [("rain", 10), ("snow", 32), ("fog", 5), ("hail", 5)] {
        let mut rains: Vec<f64> = station::days()
            .iter()
            .filter(|day| day.kind == kind)
            .map(|day| day.precipitation)
            .collect();
        rains.sort_by(|a, b| b.total_cmp(a));
        rains.truncate(count);
        let wettest: Vec<(Date, f64)> = station.call("wettest", &(kind, count as u32));
        let days = station::days();
        for (date, rain) in &wettest {
            let day = days.iter().find(|day| day.date == date.as_str()).unwrap();
            assert_eq!((day.kind, day.precipitation), (kind, *rain));
        }
        assert_eq!(wettest.iter().map(|(_, rain)| *rain).collect::<Vec<_>>(), rains, "{kind}");
    }
}

#[test]
fn purging_deletes_exactly_the_days_before_the_date() {
    let mut station = Station::full();
    let purged: u64 = station.call("purge", &Purge::Before::<Vec<u64>>("2013-01-01"));
    assert_eq!(purged, 366);
    let left: Vec<String> =
        station::days().iter().skip(366).map(|day| day.date.to_string()).collect();
    assert_eq!(station.dates(), left);
    assert!(left[0] == "2013-01-01" && left.len() == 1095);
    assert_eq!(station.rows("monthly"), 48);
    station.host.database().check().unwrap();

    let purged: u64 = station.call("purge", &Purge::Ids(vec![367_u64, 1, 1461, 5000]));
    assert_eq!(purged, 2);
    assert_eq!(station.dates(), left[1..1094]);
}

#[test]
fn reading_a_table_without_a_grant_is_denied_and_audited() {
    let mut station = Station::empty(config());
    let outcome = station.host.call(station.plugin, "peek_secret", &[]).unwrap();
    assert_eq!(outcome.report.denied, 1);
    let denial: Denial<'_> = postcard::from_bytes(outcome.output).unwrap();
    assert_eq!(denial.status, -1);
    assert_eq!(denial.message, r#"weather lacks can_read_table for table "payroll""#);
    let entries: Vec<&AuditEntry> = station.audited("soch_read").collect();
    let [entry] = entries.as_slice() else { panic!("{entries:?}") };
    assert_eq!(entry.table.as_deref(), Some("payroll"));
    assert_eq!((entry.plugin, entry.status, entry.rows), (station.plugin, -1, 0));
    assert_line(&station.metrics(), r#"sochdb_plugin_denied_total{plugin="weather"} 1"#);
}

#[test]
fn a_call_that_never_ends_leaves_no_row_and_the_plugin_works_after_it() {
    let mut station = Station::full();
    let error = station.host.call(station.plugin, "spin", &[]).unwrap_err();
    let CallError::Limit(LimitExceeded { limit: Limit::Fuel, allowed: 20_000_000, .. }) = error
    else {
        panic!("{error}")
    };
    // It did write its row before.
    let written = station.audited("soch_write").last().unwrap();
    assert!(written.status > 0 && written.rows == 1, "{written:?}");
    assert_eq!(station.rows("weather"), 1461);
    assert!(!station.dates().iter().any(|date| date == "1970-01-01"));
    station.host.database().check().unwrap();

    let day = Day { date: "2016-01-01", ..station::days()[0] };
    let done: Summary = station.call("ingest", &[day][..]);
    assert_eq!(done, Summary { accepted: 1, rejected: 0 });
    assert_eq!(station.rows("weather"), 1462);
    assert_line(&station.metrics(), r#"sochdb_plugin_traps_total{plugin="weather"} 1"#);
}

#[test]
fn metrics_count_what_was_ingested() {
    let station = Station::full();
    let text = station.metrics();
    let days = station::days();
    assert_line(&text, r#"days_accepted{plugin="weather"} 1461"#);
    assert_line(&text, r#"precipitation_mm_count{plugin="weather"} 1461"#);
    for bound in [0.005, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, f64::INFINITY] {
        let count = days.iter().filter(|day| day.precipitation <= bound).count();
        let le = if bound.is_finite() { bound.to_string() } else { "+Inf".to_string() };
        let line = format!(r#"precipitation_mm_bucket{{plugin="weather",le="{le}"}} {count}"#);
        assert_line(&text, &line);
    }
    let sum: f64 = days.iter().map(|day| day.precipitation).sum();
    assert_line(&text, &format!(r#"precipitation_mm_sum{{plugin="weather"}} {sum}"#));
    let calls = days.len().div_ceil(MAX_DAYS);
    assert_line(&text, &format!(r#"sochdb_plugin_calls_total{{plugin="weather"}} {calls}"#));
    let host_calls = station.host.audit().total();
    let line = format!(r#"sochdb_plugin_host_calls_total{{plugin="weather"}} {host_calls}"#);
    assert_line(&text, &line);
    assert!(!text.contains("days_rejected"));
}

#[test]
fn thresholds_of_the_configuration_decide_what_is_rejected() {
    let days = station::days();
    let soaked = days.iter().filter(|day| day.precipitation > 20.0).count();
    let stormy = days.iter().filter(|day| day.precipitation <= 20.0 && day.wind > 5.0).count();
    let strict = config()
        .set("max_precipitation", 20.0)
        .and_then(|config| config.set("max_wind", 5.0))
        .and_then(|config| config.set("max_warnings", 2_u64))
        .unwrap();
    let mut station = Station::empty(strict);
    let rejected = (soaked + stormy) as u32;
    assert!(soaked > 40 && stormy > 100);
    assert_eq!(station.ingest_all(), Summary { accepted: 1461 - rejected, rejected });
    assert_eq!(station.rows("weather"), 1461 - soaked - stormy);
    let text = station.metrics();
    let line =
        |reason, count| format!(r#"days_rejected{{plugin="weather",reason="{reason}"}} {count}"#);
    assert_line(&text, &line("precipitation", soaked));
    assert_line(&text, &line("wind", stormy));

    // At most two warnings for each batch.
    let implausible = |day: &&Day<'_>| day.precipitation > 20.0 || day.wind > 5.0;
    let warnings: usize =
        days.chunks(MAX_DAYS).map(|batch| batch.iter().filter(implausible).count().min(2)).sum();
    assert_eq!(station.audited("log_message").count(), warnings);
}

#[test]
fn two_plugins_share_the_database_each_with_its_own_grants() {
    let mut station = Station::full();
    let reads = Capabilities { can_write_table: Default::default(), ..config().capabilities };
    let limits = config().limits;
    let reader = station
        .host
        .load("reader", station::PLUGIN, &PluginConfig::new(reads).with_limits(limits))
        .unwrap();
    let query = SpellQuery { min_days: 14, min_precipitation: 0.1, from: None, until: None };
    let seen: Vec<Spell> = station.call_as(reader, "rainy_spells", &query).unwrap();
    assert_eq!(seen, native_spells(&query));

    let day = Day { date: "2016-01-01", ..station::days()[0] };
    let error = station.call_as::<_, Summary>(reader, "ingest", &[day][..]).unwrap_err();
    assert_eq!(error.status(), Some(Status::PermissionDenied), "{error}");
    assert_eq!(station.rows("weather"), 1461);

    // What one writes the other reads, and what the embedder writes both do.
    let _: Summary = station.call("ingest", &[day][..]);
    let month: MonthReport = station.call_as(reader, "month_report", "2016-01").unwrap();
    assert_eq!(month.days, 1);
    let values =
        [Value::Text("1999-12"), Value::UInt(5), 1.5.into(), 2.5.into(), Value::Float(-3.5)];
    station.host.database_mut().insert("monthly", None, &values).unwrap();
    for plugin in [station.plugin, reader] {
        let month: MonthReport = station.call_as(plugin, "month_report", "1999-12").unwrap();
        assert_eq!(month.rain_total, 1.5);
    }
}
