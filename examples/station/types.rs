//! What the entry points take and return. Plugin and host include this file as it is, so it needs
//! `serde` and `core` only; both sides encode it as postcard.
//!
//! Lists are generic: the host gives a slice or a `Vec`, the plugin takes a list of fixed capacity.

use serde::{Deserialize, Serialize};

/// The most days in one call of `ingest`.
pub const MAX_DAYS: usize = 64;
/// The most spells that `rainy_spells` returns.
pub const MAX_SPELLS: usize = 32;
/// The most days that `similar_days` returns.
pub const MAX_SIMILAR: usize = 16;
/// The most ids in one call of `purge`.
pub const MAX_IDS: usize = 64;

/// A calendar day as ten ASCII characters, `YYYY-MM-DD`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Date(pub [u8; 10]);

impl Date {
    /// The day as text; empty if it is not ASCII.
    pub fn as_str(&self) -> &str {
        core::str::from_utf8(&self.0).unwrap_or_default()
    }
}

/// One day's weather, as measured. The input of `ingest` is a list of at most [`MAX_DAYS`] of them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Day<'a> {
    /// `YYYY-MM-DD`.
    pub date: &'a str,
    /// Millimetres.
    pub precipitation: f64,
    /// Degrees Celsius.
    pub temp_max: f64,
    /// Degrees Celsius.
    pub temp_min: f64,
    /// Metres per second.
    pub wind: f64,
    /// `drizzle`, `fog`, `rain`, `snow` or `sun`.
    pub kind: &'a str,
}

/// What `ingest` did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// Days that were written.
    pub accepted: u32,
    /// Days that are not plausible and were not written.
    pub rejected: u32,
}

/// The input of `rainy_spells`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct SpellQuery<'a> {
    /// The shortest spell, in days; at least 1.
    pub min_days: u32,
    /// The least precipitation of a rainy day, in millimetres.
    pub min_precipitation: f64,
    /// The first day to look at; `None` for the first there is.
    pub from: Option<&'a str>,
    /// The day to stop before; `None` for no end.
    pub until: Option<&'a str>,
}

/// Rainy days without a dry one between them. `rainy_spells` returns the first [`MAX_SPELLS`], by
/// date.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spell {
    /// The first day.
    pub start: Date,
    /// How many days.
    pub days: u32,
    /// The precipitation of all of them, in millimetres.
    pub total: f64,
}

/// The input of `similar_days`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SimilarQuery<'a> {
    /// The day to compare with.
    pub date: &'a str,
    /// How many days to find; at most [`MAX_SIMILAR`].
    pub k: u32,
}

/// A day that is like another one. `similar_days` returns them nearest first.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Similar {
    /// Id in the table `weather`.
    pub id: u64,
    /// The day.
    pub date: Date,
    /// Euclidean distance of the scaled features.
    pub distance: f32,
}

/// What `month_report` returns; its input is the month as text, `YYYY-MM`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct MonthReport {
    /// Days that were ingested.
    pub days: u64,
    /// Their precipitation, in millimetres.
    pub rain_total: f64,
    /// The highest temperature.
    pub temp_max: f64,
    /// The lowest temperature.
    pub temp_min: f64,
}

/// The input of `purge`, which returns how many days it deleted as a `u64`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Purge<'a, L> {
    /// All days before this one, `YYYY-MM-DD`.
    Before(&'a str),
    /// The days of these ids in the table `weather`, at most [`MAX_IDS`].
    Ids(L),
}

/// What `peek_secret` was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Denial<'a> {
    /// The status of the call, 0 if it succeeded.
    pub status: i32,
    /// The host's text about it.
    pub message: &'a str,
}
