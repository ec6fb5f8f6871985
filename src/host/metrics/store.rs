//! The series that plugins emit, by the bytes of their requests.
//!
//! A series is known by kind, name and labels, which come before the value in its request, and there
//! is only one way to write them (labels rise, lengths are as short as can be). So an observation of
//! a known series hashes and compares those bytes and changes a number. Names are checked once, when
//! a series is new.

use alloc::{boxed::Box, vec::Vec};
use core::fmt;

use super::{
    counters::HostCounters,
    error::MetricError,
    prometheus,
    series::{Data, MAX_LABEL_VALUE, MAX_LABELS, RESERVED_PREFIX, Series},
};
use crate::{
    abi::{
        Name,
        message::{MetricKind, MetricRequest},
        wire::{Wire, Writer},
    },
    audit::PluginId,
    limits::{Limit, LimitExceeded},
};

/// Every series of every plugin, up to a limit.
#[derive(Debug)]
pub struct Metrics {
    /// By rising hash: a search is a few comparisons of numbers, and less code than a table.
    series: Vec<Series>,
    /// What each name is, and how many series have it. By rising name: a list, as a tree is a
    /// multiple of the code.
    families: Vec<Family>,
    max_series: usize,
    dropped: u64,
}

#[derive(Debug)]
struct Family {
    name: Box<str>,
    kind: MetricKind,
    series: usize,
}

impl Metrics {
    /// An empty store for at most `max_series` series of all plugins together. A series takes some
    /// 100 bytes and its key, a histogram 100 more.
    #[must_use]
    pub const fn new(max_series: usize) -> Self {
        Self { series: Vec::new(), families: Vec::new(), max_series, dropped: 0 }
    }

    /// Takes the metric that `plugin` emitted: `request`, decoded from `request_bytes`.
    ///
    /// `plugin_name` is kept when the series is new and printed as its label `plugin`. The plugin has
    /// no limit of its own here: the host counts [`Limits::metric_series`](crate::limits::Limits).
    ///
    /// # Errors
    /// [`MetricError`]. [`MetricError::Limit`] is counted in [`dropped`](Self::dropped).
    pub fn emit(
        &mut self,
        plugin: PluginId,
        plugin_name: &str,
        request_bytes: &[u8],
        request: &MetricRequest<'_>,
    ) -> Result<(), MetricError> {
        match self.observe(plugin, request_bytes)? {
            true => Ok(()),
            false => self.begin(plugin, plugin_name, u32::MAX, request_bytes, request),
        }
    }

    /// Takes the metric of `request_bytes` if its series is known, and says whether it is. Costs
    /// no decoding: a series is known by the bytes before its value.
    ///
    /// # Errors
    /// [`MetricError::NotFinite`] or [`MetricError::NegativeCounter`].
    #[inline]
    pub fn observe(&mut self, plugin: PluginId, request_bytes: &[u8]) -> Result<bool, MetricError> {
        let Some((key, value)) = request_bytes.split_last_chunk::<8>() else {
            return Ok(false);
        };
        let Ok(at) = self.position(plugin, key, hash(plugin, key)) else { return Ok(false) };
        let Some(series) = self.series.get_mut(at) else { return Ok(false) };
        let value = f64::from_le_bytes(*value);
        if !value.is_finite() {
            return Err(MetricError::NotFinite);
        }
        if value < 0.0 && matches!(series.data, Data::Counter(_)) {
            return Err(MetricError::NegativeCounter);
        }
        series.data.add(value);
        Ok(true)
    }

    /// Where the series is, or would be.
    #[inline]
    fn position(&self, plugin: PluginId, key: &[u8], hash: u64) -> Result<usize, usize> {
        let first = self.series.partition_point(|series| series.hash < hash);
        let same = self.series.get(first..).unwrap_or_default();
        let mut same = same.iter().take_while(|series| series.hash == hash);
        let found = same.position(|series| series.plugin == plugin && *series.key == *key);
        found.map(|at| first + at).ok_or(first)
    }

    /// As [`emit`](Self::emit), for a series that [`observe`](Self::observe) does not know, of a
    /// plugin that may have `max_of_plugin` series.
    #[cold]
    pub(in crate::host) fn begin(
        &mut self,
        plugin: PluginId,
        plugin_name: &str,
        max_of_plugin: u32,
        request_bytes: &[u8],
        request: &MetricRequest<'_>,
    ) -> Result<(), MetricError> {
        if !request.value.is_finite() {
            return Err(MetricError::NotFinite);
        }
        if request.kind == MetricKind::Counter && request.value < 0.0 {
            return Err(MetricError::NegativeCounter);
        }
        // The value is the last field and has eight bytes.
        let Some((key, _)) = request_bytes.split_last_chunk::<8>() else {
            return Err(MetricError::NotCanonical);
        };
        check(request)?;
        // The shortest form is the only one of its length.
        let mut shortest = Writer::new(&mut []);
        request.encode(&mut shortest);
        if shortest.position() != key.len() + 8 {
            return Err(MetricError::NotCanonical);
        }
        self.check_family(request.name, request.kind)?;
        let own = self.series.iter().filter(|series| series.plugin == plugin).count() as u64;
        self.room(Limit::PluginMetricSeries, own, max_of_plugin.into())?;
        self.room(Limit::MetricSeries, self.series.len() as u64, self.max_series as u64)?;
        let family = find(&self.families, request.name);
        if let Err(at) = family {
            let name = request.name.into();
            self.families.insert(at, Family { name, kind: request.kind, series: 0 });
        }
        let (Ok(at) | Err(at)) = family;
        if let Some(family) = self.families.get_mut(at) {
            family.series += 1;
        }
        let hash = hash(plugin, key);
        let mut series = Series {
            hash,
            plugin,
            plugin_name: plugin_name.into(),
            key: key.into(),
            data: Data::new(request.kind),
        };
        series.data.add(request.value);
        let (Ok(at) | Err(at)) = self.position(plugin, key, hash);
        self.series.insert(at, series);
        Ok(())
    }

    /// Whether there is room for one more series than there are.
    fn room(&mut self, limit: Limit, there: u64, allowed: u64) -> Result<(), MetricError> {
        if there < allowed {
            return Ok(());
        }
        self.dropped = self.dropped.saturating_add(1);
        let asked = allowed.saturating_add(1);
        Err(MetricError::Limit(LimitExceeded { limit, allowed, asked }))
    }

    /// One name has one kind, and the names that a histogram is printed with belong to it.
    fn check_family(&self, name: &str, kind: MetricKind) -> Result<(), MetricError> {
        if let Some(family) = self.family(name) {
            return match family.kind {
                same if same == kind => Ok(()),
                kind => Err(MetricError::NameInUse { kind }),
            };
        }
        for suffix in prometheus::HISTOGRAM_SUFFIXES {
            let base = name.strip_suffix(suffix).and_then(|base| self.family(base));
            if let Some(Family { kind: kind @ MetricKind::Histogram, .. }) = base {
                return Err(MetricError::NameInUse { kind: *kind });
            }
            let taken = |family: &&Family| family.name.strip_suffix(suffix) == Some(name);
            if kind == MetricKind::Histogram
                && let Some(family) = self.families.iter().find(taken)
            {
                return Err(MetricError::NameInUse { kind: family.kind });
            }
        }
        Ok(())
    }

    fn family(&self, name: &str) -> Option<&Family> {
        self.families.get(find(&self.families, name).ok()?)
    }

    /// Frees the series of a plugin that is unloaded.
    pub fn forget(&mut self, plugin: PluginId) {
        let Self { series, families, .. } = self;
        series.retain(|series| {
            if series.plugin != plugin {
                return true;
            }
            if let Some((_, name, _)) = prometheus::parse(&series.key)
                && let Ok(at) = find(families, name)
                && let Some(family) = families.get_mut(at)
            {
                family.series = family.series.saturating_sub(1);
                if family.series == 0 {
                    families.remove(at);
                }
            }
            false
        });
    }

    /// How many series there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.series.len()
    }

    /// Whether there is no series.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.series.is_empty()
    }

    /// How many metrics were refused because there was no room for a new series.
    #[must_use]
    pub const fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Writes everything in Prometheus' text format 0.0.4: first the host's counters of each of
    /// `plugins` (name and counters, in the order given), then the plugins' series by name, plugin
    /// and labels. The same state is the same text everywhere.
    ///
    /// # Errors
    /// What `out` returns.
    pub fn render<'a>(
        &self,
        out: &mut dyn fmt::Write,
        plugins: impl Iterator<Item = (&'a str, &'a HostCounters)> + Clone,
    ) -> fmt::Result {
        prometheus::host_counters(out, self.dropped, plugins)?;
        prometheus::series(out, self.series.iter())
    }
}

/// Where the family of this name is, or would be.
#[inline(never)]
fn find(families: &[Family], name: &str) -> Result<usize, usize> {
    families.binary_search_by(|family| (*family.name).cmp(name))
}

/// Checks all that a series of this request must be.
fn check(request: &MetricRequest<'_>) -> Result<(), MetricError> {
    Name::new(request.name).map_err(MetricError::Name)?;
    if request.name.starts_with(RESERVED_PREFIX) {
        return Err(MetricError::ReservedName);
    }
    if request.labels.len() > MAX_LABELS {
        return Err(MetricError::TooManyLabels { count: request.labels.len() });
    }
    let mut last = "";
    for (index, (label, value)) in request.labels.iter().enumerate() {
        Name::new(label).map_err(|error| MetricError::LabelName { index, error })?;
        if matches!(label, "plugin" | "le") || label.starts_with("__") {
            return Err(MetricError::ReservedLabel { index });
        }
        if label <= last {
            return Err(MetricError::LabelOrder { index });
        }
        if value.len() > MAX_LABEL_VALUE {
            return Err(MetricError::LabelTooLong { index, len: value.len() });
        }
        last = label;
    }
    Ok(())
}

/// A fixed hash, eight bytes at a time: the same on every target, and nothing that is seen depends
/// on it.
fn hash(plugin: PluginId, key: &[u8]) -> u64 {
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let mix = |state: u64, word: u64| (state.rotate_left(23) ^ word).wrapping_mul(FACTOR);
    let (words, rest) = key.as_chunks::<8>();
    let mut state = u64::from(plugin.0) ^ (key.len() as u64) << 16;
    for word in words {
        state = mix(state, u64::from_le_bytes(*word));
    }
    for &byte in rest {
        state = mix(state, byte.into());
    }
    state
}
