//! Prometheus' text exposition format 0.0.4: how the numbers of
//! [`metrics`](super) are written. It holds no state.

use alloc::vec::Vec;
use core::fmt::{self, Write};

use super::{
    counters::HostCounters,
    series::{BUCKETS, Data, Histogram, Series},
};
use crate::abi::{
    Seq,
    message::MetricKind,
    wire::{Reader, Wire},
};

/// What is put behind a histogram's name.
pub(super) const HISTOGRAM_SUFFIXES: [&str; 3] = ["_bucket", "_sum", "_count"];

type Labels<'a> = Seq<'a, (&'a str, &'a str)>;

/// The kind, name and labels of a series' key.
pub(super) fn parse(key: &[u8]) -> Option<(MetricKind, &str, Labels<'_>)> {
    let mut reader = Reader::new(key);
    let kind = MetricKind::decode(&mut reader).ok()?;
    let name = reader.text().ok()?;
    Some((kind, name, Seq::decode(&mut reader).ok()?))
}

type Field = fn(&HostCounters) -> u64;

const HOST_COUNTERS: [(&str, &str, Field); 5] = [
    ("sochdb_plugin_calls_total", "Calls of entry points.", |c| c.calls),
    ("sochdb_plugin_traps_total", "Calls that ended in a trap.", |c| c.traps),
    ("sochdb_plugin_denied_total", "Host calls that were not granted.", |c| c.denied),
    ("sochdb_plugin_host_calls_total", "Host calls.", |c| c.host_calls),
    ("sochdb_plugin_fuel_total", "Fuel used.", |c| c.fuel),
];

/// The host's own metrics.
pub(super) fn host_counters<'a>(
    out: &mut dyn Write,
    dropped: u64,
    plugins: impl Iterator<Item = (&'a str, &'a HostCounters)> + Clone,
) -> fmt::Result {
    for (name, help, field) in HOST_COUNTERS {
        head(out, name, help)?;
        for (plugin, counters) in plugins.clone() {
            writeln!(out, "{name}{{plugin=\"{}\"}} {}", Escaped(plugin), field(counters))?;
        }
    }
    let name = "sochdb_metric_series_dropped_total";
    head(out, name, "Metrics refused because there was no room for a new series.")?;
    writeln!(out, "{name} {dropped}")
}

fn head(out: &mut dyn Write, name: &str, help: &str) -> fmt::Result {
    writeln!(out, "# HELP {name} {help}\n# TYPE {name} counter")
}

/// The plugins' series, sorted.
pub(super) fn series<'a>(
    out: &mut dyn Write,
    series: impl Iterator<Item = &'a Series>,
) -> fmt::Result {
    let mut lines: Vec<_> = series
        .filter_map(|series| {
            let (kind, name, labels) = parse(&series.key)?;
            Some((name, (&*series.plugin_name, series.plugin), labels, kind, &series.data))
        })
        .collect();
    lines.sort_unstable_by(|a, b| (a.0, a.1).cmp(&(b.0, b.1)).then_with(|| a.2.iter().cmp(&b.2)));
    let mut last = "";
    for (name, (plugin, _), labels, kind, data) in lines {
        if name != last {
            writeln!(out, "# TYPE {name} {}", kind.as_str())?;
            last = name;
        }
        let mut line = |suffix, le: Option<f64>, value: &dyn fmt::Display| {
            write!(out, "{name}{suffix}{{plugin=\"{}\"", Escaped(plugin))?;
            for (label, value) in &labels {
                write!(out, ",{label}=\"{}\"", Escaped(value))?;
            }
            if let Some(le) = le {
                write!(out, ",le=\"{}\"", Number(le))?;
            }
            writeln!(out, "}} {value}")
        };
        match data {
            Data::Counter(value) | Data::Gauge(value) => line("", None, &Number(*value))?,
            Data::Histogram(histogram) => {
                let Histogram { buckets, count, sum } = &**histogram;
                let [bucket_suffix, sum_suffix, count_suffix] = HISTOGRAM_SUFFIXES;
                let mut below = 0_u64;
                for (bound, bucket) in BUCKETS.iter().zip(buckets) {
                    below = below.saturating_add(*bucket);
                    line(bucket_suffix, Some(*bound), &below)?;
                }
                line(bucket_suffix, Some(f64::INFINITY), count)?;
                line(sum_suffix, None, &Number(*sum))?;
                line(count_suffix, None, count)?;
            }
        }
    }
    Ok(())
}

/// A label's value between its quotes.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|char| match char {
            '\\' => f.write_str("\\\\"),
            '"' => f.write_str("\\\""),
            '\n' => f.write_str("\\n"),
            other => f.write_char(other),
        })
    }
}

/// A number as Go's `ParseFloat` reads it. Exponents keep very large and small ones short.
struct Number(f64);

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            f64::INFINITY => f.write_str("+Inf"),
            f64::NEG_INFINITY => f.write_str("-Inf"),
            value if value.is_nan() => f.write_str("NaN"),
            0.0 => f.write_str("0"),
            value if (1e-6..1e21).contains(&value.abs()) => write!(f, "{value}"),
            value => write!(f, "{value:e}"),
        }
    }
}
