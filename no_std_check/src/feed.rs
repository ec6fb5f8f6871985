//! The days, out of the file in flash.

use alloc::vec::Vec;

use crate::{failure::Failure, job::types::Day};

/// The first lines of `examples/data/seattle-weather.csv`, without its heading.
const FILE: &str = include_str!(concat!(env!("OUT_DIR"), "/days.csv"));

/// How many there are.
pub fn days() -> usize {
    FILE.lines().count()
}

/// A line of the file.
#[derive(Clone, Copy)]
pub struct Line {
    /// With dashes, as the plugin wants it.
    date: [u8; 10],
    numbers: [f64; 4],
    kind: &'static str,
}

impl Line {
    /// The line as the plugin takes it.
    pub fn day(&self) -> Day<'_> {
        let [precipitation, temp_max, temp_min, wind] = self.numbers;
        let date = core::str::from_utf8(&self.date).unwrap_or_default();
        Day { date, precipitation, temp_max, temp_min, wind, kind: self.kind }
    }
}

/// All lines, in batches.
pub fn batches(size: usize) -> impl Iterator<Item = Result<Vec<Line>, Failure>> {
    let mut lines = FILE.lines().enumerate().peekable();
    core::iter::from_fn(move || {
        lines.peek()?;
        let batch = lines.by_ref().take(size);
        Some(batch.map(|(at, text)| line(text).ok_or(Failure::Line(at + 1))).collect())
    })
}

fn line(text: &'static str) -> Option<Line> {
    let mut fields = text.split(',');
    let mut date: [u8; 10] = fields.next()?.as_bytes().try_into().ok()?;
    for byte in &mut date {
        if *byte == b'/' {
            *byte = b'-';
        }
    }
    let mut numbers = [0.0; 4];
    for number in &mut numbers {
        *number = tenths(fields.next()?)?;
    }
    Some(Line { date, numbers, kind: fields.next()? })
}

/// A number with one decimal. Exact where the general reader is: a whole number of tenths over ten
/// is rounded once.
fn tenths(text: &str) -> Option<f64> {
    let (whole, tenth) = text.split_once('.')?;
    let tenth: i32 = tenth.parse().ok().filter(|tenth| (0..10).contains(tenth))?;
    let negative = whole.starts_with('-');
    let whole: i32 = whole.parse().ok()?;
    let tenths = 10 * whole + if negative { -tenth } else { tenth };
    Some(f64::from(tenths) / 10.0)
}
