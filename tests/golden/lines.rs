//! The main job as lines of text: what every step returned and used, down to the bit.
//!
//! The lines are the same on every target, so one committed file stands for all of them. This file
//! needs `core`, `alloc`, `serde`, `postcard` and the crate, so that a device without an operating
//! system can write the same lines to its serial port: include it with `#[path]` beside
//! `extern crate alloc`.
//!
//! Outputs, audit entries, metrics and the store stand as digests: FNV-1a of 64 bits, which is
//! eight lines of code everywhere. It tells accidents apart, not attacks.

use alloc::{boxed::Box, string::String, vec::Vec};
use core::{
    error::Error,
    fmt::{self, Write},
    ops::ControlFlow,
};

use serde::Serialize;
use sochdb_wasmi::{
    abi::{Seq, Value, wire},
    audit::PluginId,
    capability::{Capabilities, Globs},
    database::{
        ColumnType, Database, DistanceMetric, KeyRange, MemoryLimits, Storage, TableSchema,
    },
    host::{Host, HostConfig, PluginConfig},
    limits::Limits,
    meter::Meter,
};

#[path = "../../examples/station/tables.rs"]
mod tables;
#[path = "../../examples/station/types.rs"]
#[allow(dead_code, reason = "the plugin uses more of it")]
mod types;
use types::{Day, MAX_DAYS, Purge, Similar, SimilarQuery, SpellQuery};

pub type Failure = Box<dyn Error>;

/// Runs the main job and writes its lines.
///
/// `weather` and `counter` are the plugins as WebAssembly, `days` is the file of the weather.
pub fn write_lines(
    out: &mut dyn Write,
    weather: &[u8],
    counter: &[u8],
    days: &str,
) -> Result<(), Failure> {
    write_lines_watched(out, weather, counter, days, &mut |_, _| {})
}

/// When the job is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// The weather plugin is loaded and was not called.
    Begun,
    /// The last call has ended.
    Ended,
}

/// As [`write_lines`], for somebody who wants to see the host before and after the job: to record
/// it, say.
pub fn write_lines_watched(
    out: &mut dyn Write,
    weather: &[u8],
    counter: &[u8],
    days: &str,
    watch: &mut dyn FnMut(&mut Host, Moment),
) -> Result<(), Failure> {
    let mut job = Job::new(out, weather)?;
    watch(&mut job.host, Moment::Begun);
    job.ingest(days)?;
    job.queries()?;
    job.ends()?;
    job.count(counter)?;
    watch(&mut job.host, Moment::Ended);
    job.state()?;
    vectors(out)
}

struct Job<'o> {
    out: &'o mut dyn Write,
    host: Host,
    plugin: PluginId,
    /// The last audit entry that a line has told of.
    audited: u64,
}

impl<'o> Job<'o> {
    /// The tables, grants and limits of `examples/weather_station.rs`.
    fn new(out: &'o mut dyn Write, weather: &[u8]) -> Result<Self, Failure> {
        let mut database = Database::in_memory(MemoryLimits::default());
        for schema in tables::schemas()? {
            database.create_table(schema)?;
        }
        database.insert("payroll", None, &[Value::Int(5000)])?;
        // Time is part of the lines: 10 µs pass at every look at the clock.
        let mut now = 0;
        let clock = move || {
            now += 10;
            now
        };
        let mut host = Host::new(HostConfig::default(), database, clock);
        let tables = Globs::new(&["weather", "month*"])?;
        let capabilities = Capabilities {
            can_read_table: tables.clone(),
            can_write_table: tables,
            can_vector_search: true,
            can_index_search: true,
            ..Capabilities::default()
        };
        let limits =
            Limits { fuel_per_call: 20_000_000, deadline_ms: Some(1000), ..Limits::default() };
        let config = PluginConfig::new(capabilities)
            .with_limits(limits)
            .set("max_wind", 60.0)?
            .set("max_precipitation", 500.0)?
            .set("max_warnings", 5_u64)?;
        let plugin = host.load("weather", weather, &config)?;
        Ok(Self { out, host, plugin, audited: 0 })
    }

    /// All days of the file, then two that cannot be.
    fn ingest(&mut self, days: &str) -> Result<(), Failure> {
        let mut lines = days.lines().skip(1).peekable();
        while lines.peek().is_some() {
            let batch = lines.by_ref().take(MAX_DAYS).flat_map(|line| [line, "\n"]);
            // The file writes dates with slashes, the plugin wants them with dashes.
            let batch = batch.collect::<String>().replace('/', "-");
            let batch: Vec<Day<'_>> = batch.lines().filter_map(day).collect();
            self.step("ingest", &batch)?;
        }
        let day = Day {
            date: "2016-02-30",
            precipitation: 1.5,
            temp_max: 8.0,
            temp_min: 2.0,
            wind: 3.0,
            kind: "rain",
        };
        self.step("ingest", &[day, Day { date: "2016-01-01", wind: 500.0, ..day }][..])
    }

    fn queries(&mut self) -> Result<(), Failure> {
        for (min_days, from, until) in
            [(10, None, None), (3, Some("2013-06-01"), Some("2014-06-01"))]
        {
            let query = SpellQuery { min_days, min_precipitation: 0.1, from, until };
            self.step("rainy_spells", &query)?;
        }
        for date in ["2012-01-01", "2014-02-28", "2015-07-19", "2015-12-31"] {
            self.step("similar_days", &SimilarQuery { date, k: 4 })?;
            // The distances once more in the open, to see by how much one is off.
            let output = self.host.call(
                self.plugin,
                "similar_days",
                &encoded(&SimilarQuery { date, k: 4 })?,
            )?;
            let (count, mut rest) = postcard::take_from_bytes::<u32>(output.output)?;
            for _ in 0..count {
                let similar: Similar;
                (similar, rest) = postcard::take_from_bytes(rest)?;
                let (id, bits) = (similar.id, similar.distance.to_bits());
                writeln!(self.out, "  {} is day {id} at {bits:08x}", similar.date.as_str())?;
            }
            self.audited = self.host.audit().total();
        }
        self.step("wettest", &("rain", 10_u32))?;
        for month in ["2012-02", "2015-11", "1999-01"] {
            self.step("month_report", month)?;
        }
        Ok(())
    }

    /// Deletions, a call that never ends and one that is denied.
    fn ends(&mut self) -> Result<(), Failure> {
        self.step("purge", &Purge::Before::<Vec<u64>>("2013-01-01"))?;
        self.step("purge", &Purge::Ids([400_u64, 401, 1461, 9999].as_slice()))?;
        self.step("spin", &())?;
        self.step("peek_secret", &())?;
        self.step("no_such_entry", &())
    }

    /// A second plugin on the same database.
    fn count(&mut self, counter: &[u8]) -> Result<(), Failure> {
        let counters = TableSchema::new("counters")?.column("count", ColumnType::UInt)?;
        self.host.database_mut().create_table(counters)?;
        let config = PluginConfig::new(Capabilities {
            can_read_table: Globs::new(&["counters"])?,
            can_write_table: Globs::new(&["counters"])?,
            ..Capabilities::default()
        });
        self.plugin = self.host.load("counter", counter, &config)?;
        for _ in 0..130 {
            self.host.call(self.plugin, "increment", &[1])?;
        }
        self.audited = self.host.audit().total();
        self.call("increment", &[1])?;
        self.call("count", &[1])
    }

    /// What is left at the end.
    fn state(&mut self) -> Result<(), Failure> {
        let mut digest = Digest::default();
        let mut entries = 0;
        let all = KeyRange { lower: &[], upper: None };
        self.host.database().storage().scan(all, false, &mut |key, value| {
            digest.field(key);
            digest.field(value);
            entries += 1;
            ControlFlow::Continue(())
        })?;
        self.host.database().check()?;
        writeln!(self.out, "store: {entries} entries {digest}")?;

        let mut digest = Digest::default();
        self.host.render_metrics(&mut digest)?;
        writeln!(self.out, "metrics: {} bytes {digest}", digest.len)?;

        let mut digest = Digest::default();
        for entry in self.host.audit().iter() {
            writeln!(digest, "{}", self.host.describe(entry))?;
        }
        let audit = self.host.audit();
        writeln!(self.out, "audit: {} of {} {digest}", audit.len(), audit.total())?;
        Ok(())
    }

    /// Calls an entry point with a typed input.
    fn step<I: Serialize + ?Sized>(&mut self, entry: &str, input: &I) -> Result<(), Failure> {
        let input = encoded(input)?;
        self.call(entry, &input)
    }

    /// Calls an entry point and writes the line of it.
    fn call(&mut self, entry: &str, input: &[u8]) -> Result<(), Failure> {
        write!(self.out, "{entry}:")?;
        match self.host.call(self.plugin, entry, input) {
            Ok(outcome) => {
                let mut digest = Digest::default();
                digest.bytes(outcome.output);
                write!(self.out, " output {} bytes {digest}", outcome.output.len())?;
            }
            Err(error) => write!(self.out, " failed, {error};")?,
        }
        let report = self.host.report(self.plugin).unwrap_or_default();
        write!(
            self.out,
            " fuel {} calls {} denied {} rows {} bytes {} slices {} memory {}",
            report.fuel,
            report.host_calls,
            report.denied,
            report.rows,
            report.bytes,
            report.slices,
            report.memory_bytes
        )?;
        let mut digest = Digest::default();
        let audit = self.host.audit();
        for entry in audit.iter().filter(|entry| entry.sequence > self.audited) {
            let mut buffer = [0; 128];
            let len = wire::encode(entry, &mut buffer).map_err(|_| "an entry of 128 bytes")?;
            digest.field(buffer.get(..len).unwrap_or_default());
        }
        writeln!(self.out, " audit {} {digest}", audit.total() - self.audited)?;
        self.audited = audit.total();
        Ok(())
    }
}

fn encoded<I: Serialize + ?Sized>(input: &I) -> Result<Vec<u8>, Failure> {
    let mut buffer = alloc::vec![0; 4096];
    let len = postcard::to_slice(input, &mut buffer)?.len();
    buffer.truncate(len);
    Ok(buffer)
}

/// A line of the file as the plugin takes it.
fn day(line: &str) -> Option<Day<'_>> {
    let mut fields = line.split(',');
    let date = fields.next()?;
    let mut number = || fields.next()?.parse().ok();
    let (precipitation, temp_max, temp_min, wind) = (number()?, number()?, number()?, number()?);
    Some(Day { date, precipitation, temp_max, temp_min, wind, kind: fields.next()? })
}

/// Searches by every metric, among components of all magnitudes: units that flush subnormals to
/// zero, fuse additions or keep wider intermediates would be seen here.
fn vectors(out: &mut dyn Write) -> Result<(), Failure> {
    for metric in [DistanceMetric::Euclidean, DistanceMetric::Dot, DistanceMetric::Cosine] {
        for dimensions in [1, 3, 8, 19] {
            let mut database = Database::in_memory(MemoryLimits::default());
            let table = database
                .create_table(TableSchema::new("vectors")?.vector("at", dimensions, metric)?)?;
            let mut components = Components(u64::from(dimensions));
            for _ in 0..60 {
                let vector = components.vector(dimensions);
                database.insert("vectors", None, &[Value::Binary(&vector)])?;
            }
            // All rows, then few, which are found without looking at all distances.
            for k in [60, 5] {
                let query = components.vector(dimensions);
                let mut meter = Meter::unlimited();
                database.search(table, "at", &query, k, &Seq::empty(), &mut meter)?;
                let mut digest = Digest::default();
                for neighbour in database.neighbours() {
                    digest.field(&neighbour.id.to_le_bytes());
                    digest.field(&neighbour.distance.to_bits().to_le_bytes());
                }
                write!(out, "{metric:?} {dimensions} nearest {k}: {digest}, first")?;
                for neighbour in database.neighbours().iter().take(3) {
                    write!(out, " {} at {:08x}", neighbour.id, neighbour.distance.to_bits())?;
                }
                writeln!(out)?;
            }
        }
    }
    Ok(())
}

/// Finite components, the same ones always: xorshift64*.
struct Components(u64);

impl Components {
    fn vector(&mut self, dimensions: u16) -> Vec<u8> {
        (0..dimensions).flat_map(|_| self.component().to_le_bytes()).collect()
    }

    fn component(&mut self) -> f32 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let random = (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32) as u32;
        let sign_and_fraction = random & 0x807f_ffff;
        // Mostly near 1, some subnormal, some whose squares are subnormal or infinite.
        let exponent = match random >> 23 & 15 {
            0 => 0,
            1 => 60,
            2 => 190,
            near => 120 + near,
        };
        f32::from_bits(sign_and_fraction | exponent << 23)
    }
}

/// FNV-1a of 64 bits.
struct Digest {
    state: u64,
    len: u64,
}

impl Default for Digest {
    fn default() -> Self {
        Self { state: 0xcbf2_9ce4_8422_2325, len: 0 }
    }
}

impl Digest {
    fn bytes(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.state = (self.state ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        self.len += bytes.len() as u64;
    }

    /// Bytes with their length before them, so that the ends of fields are part of the digest.
    fn field(&mut self, bytes: &[u8]) {
        self.bytes(&(bytes.len() as u32).to_le_bytes());
        self.bytes(bytes);
    }
}

impl Write for Digest {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.bytes(text.as_bytes());
        Ok(())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.state)
    }
}
