//! Metrics are counted, refused and printed as promised.

use proptest::prelude::*;
use sochdb_wasmi::{
    abi::{
        NameError, Seq, Status,
        message::{MetricKind, MetricRequest},
        wire,
    },
    audit::PluginId,
    host::metrics::{BUCKETS, HostCounters, MetricError, Metrics},
    limits::{Limit, LimitExceeded},
};

use MetricKind::{Counter, Gauge, Histogram};

type Label<'a> = (&'a str, &'a str);

fn emit_as(
    metrics: &mut Metrics,
    plugin: (u16, &str),
    kind: MetricKind,
    name: &str,
    labels: &[Label<'_>],
    value: f64,
) -> Result<(), MetricError> {
    let mut buffer = [0; 4096];
    let request = MetricRequest { kind, name, labels: Seq::new(labels), value };
    let len = wire::encode(&request, &mut buffer).unwrap();
    let request = wire::decode(&buffer[..len]).unwrap();
    metrics.emit(PluginId(plugin.0.into()), plugin.1, &buffer[..len], &request)
}

fn emit(
    metrics: &mut Metrics,
    kind: MetricKind,
    name: &str,
    labels: &[Label<'_>],
    value: f64,
) -> Result<(), MetricError> {
    emit_as(metrics, (1, "weather"), kind, name, labels, value)
}

/// What the plugins emitted, without the host's own counters.
fn printed(metrics: &Metrics) -> String {
    let text = all_printed(metrics);
    let (_, text) = text.split_once("sochdb_metric_series_dropped_total counter\n").unwrap();
    text.split_once('\n').unwrap().1.to_owned()
}

fn all_printed(metrics: &Metrics) -> String {
    let mut text = String::new();
    metrics.render(&mut text, [].into_iter()).unwrap();
    text
}

#[test]
fn counters_add_gauges_replace() {
    let mut metrics = Metrics::new(10);
    for value in [1.0, 2.5] {
        emit(&mut metrics, Counter, "seen", &[("station", "a")], value).unwrap();
        emit(&mut metrics, Gauge, "heat", &[], -value).unwrap();
    }
    assert_eq!(
        printed(&metrics),
        "# TYPE heat gauge\nheat{plugin=\"weather\"} -2.5\n# TYPE seen counter\n\
         seen{plugin=\"weather\",station=\"a\"} 3.5\n"
    );
    assert_eq!(metrics.len(), 2);
}

#[test]
fn histograms_are_cumulative_and_bounds_are_inclusive() {
    let mut metrics = Metrics::new(10);
    for value in [0.005, 0.0051, 10.0, 11.0, -1.0] {
        emit(&mut metrics, Histogram, "t", &[("a", "b")], value).unwrap();
    }
    let counts = [2, 3, 3, 3, 3, 3, 3, 3, 3, 3, 4];
    let mut expected = "# TYPE t histogram\n".to_owned();
    for (bound, count) in BUCKETS.iter().zip(counts) {
        expected += &format!("t_bucket{{plugin=\"weather\",a=\"b\",le=\"{bound}\"}} {count}\n");
    }
    expected += "t_bucket{plugin=\"weather\",a=\"b\",le=\"+Inf\"} 5\n";
    expected += "t_sum{plugin=\"weather\",a=\"b\"} 20.0101\n";
    expected += "t_count{plugin=\"weather\",a=\"b\"} 5\n";
    assert_eq!(printed(&metrics), expected);
}

#[test]
fn label_values_cannot_break_out_of_their_quotes() {
    let mut metrics = Metrics::new(10);
    emit(&mut metrics, Gauge, "g", &[("a", "\"} 1\nsochdb_fake \\ é")], 1.0).unwrap();
    assert_eq!(
        printed(&metrics),
        "# TYPE g gauge\ng{plugin=\"weather\",a=\"\\\"} 1\\nsochdb_fake \\\\ é\"} 1\n"
    );
}

#[test]
fn series_are_sorted_however_they_came() {
    let all = [
        ((1, "a"), "m", "1"),
        ((1, "a"), "m", "2"),
        ((2, "b"), "m", "1"),
        ((1, "a"), "n", "1"),
        ((2, "b"), "n", "1"),
    ];
    let render = |order: &mut dyn Iterator<Item = usize>| {
        let mut metrics = Metrics::new(10);
        for index in order {
            let (plugin, name, label) = all[index];
            emit_as(&mut metrics, plugin, Gauge, name, &[("l", label)], 1.0).unwrap();
        }
        printed(&metrics)
    };
    let sorted = render(&mut (0..5));
    assert_eq!(
        sorted,
        "# TYPE m gauge\nm{plugin=\"a\",l=\"1\"} 1\nm{plugin=\"a\",l=\"2\"} 1\n\
         m{plugin=\"b\",l=\"1\"} 1\n# TYPE n gauge\nn{plugin=\"a\",l=\"1\"} 1\n\
         n{plugin=\"b\",l=\"1\"} 1\n"
    );
    assert_eq!(render(&mut (0..5).rev()), sorted);
    assert_eq!(render(&mut [2, 4, 0, 3, 1].into_iter()), sorted);
}

#[test]
fn what_is_wrong_is_named_and_changes_nothing() {
    let long = "v".repeat(129);
    let nine: Vec<_> = "abcdefghi".split("").filter(|s| !s.is_empty()).map(|s| (s, "")).collect();
    let cases: &[(MetricKind, &str, &[Label<'_>], f64, MetricError)] = &[
        (Gauge, "m", &[], f64::NAN, MetricError::NotFinite),
        (Gauge, "m", &[], f64::NEG_INFINITY, MetricError::NotFinite),
        (Counter, "m", &[], -1.0, MetricError::NegativeCounter),
        (Gauge, "", &[], 1.0, MetricError::Name(NameError::Empty)),
        (Gauge, "a b", &[], 1.0, MetricError::Name(NameError::Character { at: 1 })),
        (Gauge, "sochdb_x", &[], 1.0, MetricError::ReservedName),
        (Gauge, "m", &nine, 1.0, MetricError::TooManyLabels { count: 9 }),
        (
            Gauge,
            "m",
            &[("a", ""), ("b-", "")],
            1.0,
            MetricError::LabelName { index: 1, error: NameError::Character { at: 1 } },
        ),
        (Gauge, "m", &[("plugin", "x")], 1.0, MetricError::ReservedLabel { index: 0 }),
        (Gauge, "m", &[("le", "x")], 1.0, MetricError::ReservedLabel { index: 0 }),
        (Gauge, "m", &[("__name__", "x")], 1.0, MetricError::ReservedLabel { index: 0 }),
        (Gauge, "m", &[("b", ""), ("a", "")], 1.0, MetricError::LabelOrder { index: 1 }),
        (Gauge, "m", &[("a", ""), ("a", "")], 1.0, MetricError::LabelOrder { index: 1 }),
        (Gauge, "m", &[("a", &long)], 1.0, MetricError::LabelTooLong { index: 0, len: 129 }),
    ];
    let mut metrics = Metrics::new(10);
    for (kind, name, labels, value, error) in cases {
        assert_eq!(emit(&mut metrics, *kind, name, labels, *value), Err(*error));
        assert_eq!(error.status(), Status::InvalidArgs);
        assert!(!error.to_string().is_empty());
    }
    assert!(metrics.is_empty());
    assert_eq!(metrics.dropped(), 0);
    emit(&mut metrics, Gauge, "m", &[("a", &long[..128])], 1.0).unwrap();
    emit(&mut metrics, Gauge, "m", &nine[..8], 1.0).unwrap();
}

#[test]
fn a_known_series_is_still_checked_for_its_value() {
    let mut metrics = Metrics::new(10);
    emit(&mut metrics, Counter, "c", &[], 1.0).unwrap();
    assert_eq!(emit(&mut metrics, Counter, "c", &[], -1.0), Err(MetricError::NegativeCounter));
    assert_eq!(emit(&mut metrics, Counter, "c", &[], f64::NAN), Err(MetricError::NotFinite));
}

#[test]
fn a_name_has_one_kind_whoever_emits_it() {
    let mut metrics = Metrics::new(10);
    emit(&mut metrics, Counter, "c", &[], 1.0).unwrap();
    for plugin in [(1, "weather"), (2, "other")] {
        assert_eq!(
            emit_as(&mut metrics, plugin, Gauge, "c", &[], 1.0),
            Err(MetricError::NameInUse { kind: Counter })
        );
    }
    emit_as(&mut metrics, (2, "other"), Counter, "c", &[], 1.0).unwrap();
}

#[test]
fn a_histogram_owns_the_names_that_it_is_printed_with() {
    let mut metrics = Metrics::new(10);
    emit(&mut metrics, Histogram, "h", &[], 1.0).unwrap();
    emit(&mut metrics, Gauge, "g_sum", &[], 1.0).unwrap();
    for name in ["h_bucket", "h_sum", "h_count"] {
        assert_eq!(
            emit(&mut metrics, Gauge, name, &[], 1.0),
            Err(MetricError::NameInUse { kind: Histogram })
        );
    }
    assert_eq!(
        emit(&mut metrics, Histogram, "g", &[], 1.0),
        Err(MetricError::NameInUse { kind: Gauge })
    );
}

#[test]
fn a_series_cannot_be_written_in_two_ways() {
    let mut metrics = Metrics::new(10);
    emit(&mut metrics, Gauge, "g", &[], 1.0).unwrap();
    // The length of the name in two bytes instead of one.
    let mut bytes = vec![1, 0x81, 0, b'g', 0];
    bytes.extend(2.0_f64.to_le_bytes());
    let request = wire::decode(&bytes).unwrap();
    assert_eq!(
        metrics.emit(PluginId(1), "weather", &bytes, &request),
        Err(MetricError::NotCanonical)
    );
    assert_eq!(metrics.len(), 1);
}

#[test]
fn too_many_series_are_refused_and_counted_for_all_to_see() {
    let mut metrics = Metrics::new(2);
    emit(&mut metrics, Gauge, "a", &[], 1.0).unwrap();
    emit(&mut metrics, Gauge, "b", &[], 1.0).unwrap();
    let error = emit(&mut metrics, Gauge, "c", &[], 1.0).unwrap_err();
    let limit = LimitExceeded { limit: Limit::MetricSeries, allowed: 2, asked: 3 };
    assert_eq!(error, MetricError::Limit(limit));
    assert_eq!(error.status(), Status::LimitExceeded);
    // Known ones go on.
    emit(&mut metrics, Gauge, "a", &[], 5.0).unwrap();
    assert_eq!((metrics.len(), metrics.dropped()), (2, 1));
    assert!(all_printed(&metrics).contains("\nsochdb_metric_series_dropped_total 1\n"));
}

#[test]
fn an_unloaded_plugin_frees_its_series_and_names() {
    let mut metrics = Metrics::new(3);
    emit_as(&mut metrics, (1, "a"), Counter, "x", &[], 1.0).unwrap();
    emit_as(&mut metrics, (1, "a"), Counter, "y", &[], 1.0).unwrap();
    emit_as(&mut metrics, (2, "b"), Counter, "y", &[], 1.0).unwrap();
    metrics.forget(PluginId(1));
    assert_eq!(printed(&metrics), "# TYPE y counter\ny{plugin=\"b\"} 1\n");
    emit_as(&mut metrics, (1, "c"), Gauge, "x", &[], 1.0).unwrap();
    assert_eq!(
        emit_as(&mut metrics, (1, "c"), Gauge, "y", &[], 1.0),
        Err(MetricError::NameInUse { kind: Counter })
    );
}

#[test]
fn the_hosts_own_counters_come_first() {
    let mut a = HostCounters::default();
    (a.calls, a.traps, a.denied, a.host_calls, a.fuel) = (1, 2, 3, 4, u64::MAX);
    let b = HostCounters::default();
    let mut text = String::new();
    Metrics::new(0).render(&mut text, [("a", &a), ("b", &b)].into_iter()).unwrap();
    let values: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(
        values,
        [
            "sochdb_plugin_calls_total{plugin=\"a\"} 1",
            "sochdb_plugin_calls_total{plugin=\"b\"} 0",
            "sochdb_plugin_traps_total{plugin=\"a\"} 2",
            "sochdb_plugin_traps_total{plugin=\"b\"} 0",
            "sochdb_plugin_denied_total{plugin=\"a\"} 3",
            "sochdb_plugin_denied_total{plugin=\"b\"} 0",
            "sochdb_plugin_host_calls_total{plugin=\"a\"} 4",
            "sochdb_plugin_host_calls_total{plugin=\"b\"} 0",
            "sochdb_plugin_fuel_total{plugin=\"a\"} 18446744073709551615",
            "sochdb_plugin_fuel_total{plugin=\"b\"} 0",
            "sochdb_metric_series_dropped_total 0",
        ]
    );
    assert_eq!(text.matches("# TYPE ").count(), 6);
}

#[test]
fn sums_that_overflow_stay_at_the_highest_double() {
    let mut metrics = Metrics::new(3);
    for value in [f64::MAX, f64::MAX] {
        emit(&mut metrics, Counter, "c", &[], value).unwrap();
    }
    emit(&mut metrics, Gauge, "g", &[], -1e300).unwrap();
    assert_eq!(
        printed(&metrics),
        "# TYPE c counter\nc{plugin=\"weather\"} 1.7976931348623157e308\n# TYPE g gauge\n\
         g{plugin=\"weather\"} -1e300\n"
    );
}

proptest! {
    #![proptest_config(crate::random::cases())]

    #[test]
    fn any_gauge_is_printed_so_that_it_reads_back(value: f64, label in "\\PC{0,30}") {
        prop_assume!(value.is_finite() && label.len() <= 128);
        let mut metrics = Metrics::new(1);
        emit(&mut metrics, Gauge, "g", &[("l", &label)], value).unwrap();
        let text = printed(&metrics);
        let (_, number) = text.trim_end().rsplit_once(' ').unwrap();
        prop_assert_eq!(number.parse::<f64>().unwrap(), value);
    }

    #[test]
    fn no_request_panics(name: String, labels: Vec<(String, String)>, value: f64, raw: Vec<u8>) {
        let mut metrics = Metrics::new(1);
        let labels: Vec<_> = labels.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        let request =
            MetricRequest { kind: Histogram, name: &name, labels: Seq::new(&labels), value };
        // Bytes that are not those of the request are the caller's fault, but no panic.
        let _ = metrics.emit(PluginId(0), "p", &raw, &request);
        printed(&metrics);
    }
}
