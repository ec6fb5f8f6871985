//! The days, out of flash.

use alloc::vec::Vec;

use crate::job::types::Day;

/// The first days of `examples/data/seattle-weather.csv`, as the build script packs them.
const DAYS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/days.bin"));
/// Bytes of a day: year after 2000, month, day, kind, and four numbers in tenths.
const DAY: usize = 12;

const KINDS: [&str; 5] = ["drizzle", "fog", "rain", "snow", "sun"];

/// How many there are.
pub fn days() -> usize {
    DAYS.len() / DAY
}

/// A day, unpacked.
pub struct Line {
    date: [u8; 10],
    numbers: [f64; 4],
    kind: &'static str,
}

impl Line {
    /// The day as the plugin takes it.
    pub fn day(&self) -> Day<'_> {
        let [precipitation, temp_max, temp_min, wind] = self.numbers;
        let date = core::str::from_utf8(&self.date).unwrap_or_default();
        Day { date, precipitation, temp_max, temp_min, wind, kind: self.kind }
    }
}

/// All days, in batches.
pub fn batches(size: usize) -> impl Iterator<Item = Vec<Line>> {
    DAYS.chunks(size * DAY).map(|batch| batch.as_chunks().0.iter().map(line).collect())
}

fn line(&[year, month, day, kind, ref tenths @ ..]: &[u8; DAY]) -> Line {
    let mut date = *b"2000-00-00";
    for (at, number) in [(2, year), (5, month), (8, day)] {
        if let Some([tens, ones]) = date.get_mut(at..).and_then(|date| date.first_chunk_mut()) {
            *tens += number / 10;
            *ones += number % 10;
        }
    }
    let mut numbers = [0.0; 4];
    for (number, bytes) in numbers.iter_mut().zip(tenths.as_chunks().0) {
        // A whole number of tenths over ten is rounded once, as reading the decimal is.
        *number = f64::from(i16::from_le_bytes(*bytes)) / 10.0;
    }
    Line { date, numbers, kind: KINDS.get(usize::from(kind)).copied().unwrap_or_default() }
}
