//! Distances between vectors of `f32`, lower being nearer, with the same bits on every target.
//!
//! Sums run over eight lanes (component `i` is added to lane `i % 8`) that are then added as a
//! fixed tree, without fused multiplication, so a processor with vector registers and one without
//! do the same additions in the same order. It finds no neighbours; see `search`.

use super::square_root::sqrt;

/// Lanes of a sum.
const LANES: usize = 8;
/// Bytes of a component.
pub const COMPONENT: usize = 4;

/// The fixed tree that ends every sum.
#[inline]
fn total([a, b, c, d, e, f, g, h]: [f32; LANES]) -> f32 {
    ((a + e) + (c + g)) + ((b + f) + (d + h))
}

/// Sums `term(stored, query)` over all components.
#[inline]
fn sum(stored: &[u8], query: &[f32], term: impl Fn(f32, f32) -> f32) -> f32 {
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

/// `Σ a·b`, the inner product.
#[inline]
pub fn dot(stored: &[u8], query: &[f32]) -> f32 {
    sum(stored, query, |a, b| a * b)
}

/// `Σ (a - b)²`, the square of the Euclidean distance.
#[inline]
pub fn squared_euclidean(stored: &[u8], query: &[f32]) -> f32 {
    sum(stored, query, |a, b| (a - b) * (a - b))
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

/// `1 - a·b / (|a| |b|)`, the cosine distance, from 0 to 2; 1 if a norm is 0.
///
/// The quotient is taken in doubles, where the product of the norms is exact.
///
/// The query's norm is widened once, by the caller. Two floats that are widened for a product are
/// one instruction on s390x (MDEBR), which qemu before 8.1 gets wrong.
#[inline]
pub fn cosine(dot: f32, norm: f32, query_norm: f64) -> f32 {
    if norm == 0.0 || query_norm == 0.0 {
        return 1.0;
    }
    let distance = (1.0 - f64::from(dot) / (f64::from(norm) * query_norm)) as f32;
    // The sums are rounded, so the quotient may be a little above 1 or below -1.
    far_if_undefined(distance.clamp(0.0, 2.0))
}

/// `-a·b`, so that a larger inner product is nearer.
#[inline]
pub fn negative_dot(dot: f32) -> f32 {
    // From 0, so that orthogonal vectors are at +0 and not -0.
    far_if_undefined(0.0 - dot)
}

/// Components so large that a sum is ∞ - ∞ have no distance; they are farthest. A NaN would also
/// have other bits on other processors.
#[inline]
fn far_if_undefined(distance: f32) -> f32 {
    if distance.is_nan() { f32::INFINITY } else { distance }
}

/// Whether all components are finite.
pub fn all_finite(stored: &[u8]) -> bool {
    stored.as_chunks::<COMPONENT>().0.iter().all(|bytes| f32::from_le_bytes(*bytes).is_finite())
}
