//! Distances between vectors of `f32`, lower being nearer, with the same bits on every target.
//!
//! Sums run over eight lanes (component `i` is added to lane `i % 8`) that are then added as a
//! fixed tree, without fused multiplication, so a processor with vector registers and one without
//! do the same additions in the same order.
//!
//! Squares of large components overflow an `f32` and those of small ones vanish. Where that may have changed a
//! sum, it is computed again in `f64`, which holds the squares of all floats.
//!
//! It finds no neighbours; see `search`.

use super::square_root::{sqrt, wide_sqrt};

/// Lanes of a sum.
const LANES: usize = 8;
/// Bytes of a component.
pub const COMPONENT: usize = 4;

/// 2⁻¹⁰⁰. A square that vanishes is off by 2⁻¹⁵⁰ at most, those of all 4,096 dimensions by 2⁻¹³⁸: less than
/// half of the last bit of a sum that is not below this.
const LEAST_SUM: f32 = f32::from_bits(27 << 23);
/// The root of [`LEAST_SUM`].
const LEAST_NORM: f32 = f32::from_bits(77 << 23);

/// Whether nothing overflowed or vanished in a sum that matters in its result.
#[inline]
fn is_ordinary(sum: f32) -> bool {
    (LEAST_SUM..f32::INFINITY).contains(&sum.abs())
}

#[inline]
fn is_ordinary_norm(norm: f32) -> bool {
    (LEAST_NORM..f32::INFINITY).contains(&norm)
}

/// What a search looks for.
pub struct Query<'q> {
    pub components: &'q [f32],
    norm: f64,
    /// Whether nothing overflowed or vanished in the norm that matters in it.
    is_ordinary: bool,
    /// Half of the square of the norm, of which nothing overflows or vanishes.
    half_of_square: f64,
}

impl<'q> Query<'q> {
    /// The same query as stored bytes and as numbers.
    pub fn new(stored: &[u8], components: &'q [f32]) -> Self {
        let norm = norm(stored);
        Self {
            components,
            norm: f64::from(norm),
            is_ordinary: is_ordinary_norm(norm),
            half_of_square: half_of_wide_square(stored, components),
        }
    }
}

/// A distance, or its square where roots are taken of the nearest only.
pub enum Distance {
    Of(f32),
    Squared(f32),
}

/// The fixed tree that ends every sum.
#[inline]
fn total([a, b, c, d, e, f, g, h]: [f32; LANES]) -> f32 {
    ((a + e) + (c + g)) + ((b + f) + (d + h))
}

/// Sums `term(stored, query)` over all components.
#[inline]
pub fn sum(stored: &[u8], query: &[f32], term: impl Fn(f32, f32) -> f32) -> f32 {
    let mut lanes = [0f32; LANES];
    let (stored, _) = stored.as_chunks::<COMPONENT>();
    let (stored_blocks, stored_tail) = stored.as_chunks::<LANES>();
    let (query_blocks, query_tail) = query.as_chunks::<LANES>();
    // Arrays of a known length, so that the compiler sees whole registers.
    for (stored, query) in stored_blocks.iter().zip(query_blocks) {
        for ((lane, bytes), component) in lanes.iter_mut().zip(stored).zip(query) {
            *lane += term(f32::from_le_bytes(*bytes), *component);
        }
    }
    for ((lane, bytes), component) in lanes.iter_mut().zip(stored_tail).zip(query_tail) {
        *lane += term(f32::from_le_bytes(*bytes), *component);
    }
    total(lanes)
}

/// As [`sum`], in `f64`.
#[inline]
fn wide_sum(stored: &[u8], query: &[f32], term: impl Fn(f64, f64) -> f64) -> f64 {
    let mut lanes = [0f64; LANES];
    let components = stored.as_chunks::<COMPONENT>().0.chunks(LANES);
    for (stored, query) in components.zip(query.chunks(LANES)) {
        for ((lane, bytes), component) in lanes.iter_mut().zip(stored).zip(query) {
            *lane += term(f64::from(f32::from_le_bytes(*bytes)), f64::from(*component));
        }
    }
    let [a, b, c, d, e, f, g, h] = lanes;
    ((a + e) + (c + g)) + ((b + f) + (d + h))
}

/// Half of `Σ a·b`. The factor stands between the two widened floats because qemu before 8.1 gets
/// their product wrong on s390x (MDEBR); it changes nothing but the exponent.
#[cold]
#[inline(never)]
fn half_of_wide_dot(stored: &[u8], query: &[f32]) -> f64 {
    wide_sum(stored, query, |a, b| (a * 0.5) * b)
}

/// Half of `Σ a²` of components as they are stored, for [`cosine`] of the query `query`, which is as long.
#[cold]
#[inline(never)]
fn half_of_wide_square(stored: &[u8], query: &[f32]) -> f64 {
    wide_sum(stored, query, |a, _| (a * 0.5) * a)
}

/// `√ Σ (a - b)²`, computed in `f64`.
#[cold]
#[inline(never)]
fn wide_euclidean(stored: &[u8], query: &[f32]) -> f32 {
    wide_sqrt(wide_sum(stored, query, |a, b| (a - b) * (a - b))) as f32
}

/// `Σ a·b`, the inner product.
#[inline]
fn dot(stored: &[u8], query: &[f32]) -> f32 {
    sum(stored, query, |a, b| a * b)
}

/// `√ Σ (a - b)²`, the Euclidean distance, or its square.
#[inline]
pub fn euclidean(stored: &[u8], query: &[f32]) -> Distance {
    let square = sum(stored, query, |a, b| (a - b) * (a - b));
    match is_ordinary(square) {
        true => Distance::Squared(square),
        false => Distance::Of(wide_euclidean(stored, query)),
    }
}

/// `√ Σ a²`, the Euclidean norm of components as they are stored.
pub fn norm(stored: &[u8]) -> f32 {
    let mut lanes = [0f32; LANES];
    for block in stored.as_chunks::<COMPONENT>().0.chunks(LANES) {
        for (lane, bytes) in lanes.iter_mut().zip(block) {
            let component = f32::from_le_bytes(*bytes);
            *lane += component * component;
        }
    }
    sqrt(total(lanes))
}

/// `1 - a·b / (|a| |b|)`, the cosine distance, from 0 to 2; 1 if a vector is zero.
///
/// The quotient is taken in doubles, where the product of the norms is exact.
///
/// The query's norm is widened once, by the caller. Two floats that are widened for a product are
/// one instruction on s390x (MDEBR), which qemu before 8.1 gets wrong.
#[inline]
pub fn cosine(query: &Query<'_>, stored: &[u8], norm: f32) -> f32 {
    let dot = dot(stored, query.components);
    if !query.is_ordinary || !is_ordinary_norm(norm) || !dot.is_finite() {
        return wide_cosine(query, stored);
    }
    let distance = (1.0 - f64::from(dot) / (f64::from(norm) * query.norm)) as f32;
    // The sums are rounded, so the quotient may be a little above 1 or below -1.
    distance.clamp(0.0, 2.0)
}

#[cold]
#[inline(never)]
fn wide_cosine(query: &Query<'_>, stored: &[u8]) -> f32 {
    let square = half_of_wide_square(stored, query.components);
    if square == 0.0 || query.half_of_square == 0.0 {
        return 1.0;
    }
    let dot = half_of_wide_dot(stored, query.components);
    let distance = (1.0 - dot / wide_sqrt(square * query.half_of_square)) as f32;
    distance.clamp(0.0, 2.0)
}

/// `-a·b`, so that a larger inner product is nearer.
#[inline]
pub fn negative_dot(stored: &[u8], query: &[f32]) -> f32 {
    let narrow = dot(stored, query);
    let dot = match is_ordinary(narrow) {
        true => narrow,
        false => unusual_dot(stored, query, narrow),
    };
    // From 0, so that orthogonal vectors are at +0 and not -0.
    0.0 - dot
}

/// `a·b`, where its sum in `f32` is `narrow`: it overflowed, or products may have vanished, or they
/// cancelled each other out, which is no reason to change it.
#[cold]
#[inline(never)]
fn unusual_dot(stored: &[u8], query: &[f32], narrow: f32) -> f32 {
    let wide = 2.0 * half_of_wide_dot(stored, query);
    match narrow.is_finite() && wide.abs() >= f64::from(LEAST_SUM) {
        true => narrow,
        false => wide as f32,
    }
}

/// Whether all components are finite.
pub fn all_finite(stored: &[u8]) -> bool {
    stored.as_chunks::<COMPONENT>().0.iter().all(|bytes| f32::from_le_bytes(*bytes).is_finite())
}
