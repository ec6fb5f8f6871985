//! Operators of floats. A NaN that is computed is the canonical one, with a positive sign.

use super::{
    Operator,
    Ty::{F32, F64, I32},
    Work,
    rows::{Bits as _, rows},
};

const SIGN_F32: u32 = 1 << 31;
const SIGN_F64: u64 = 1 << 63;
const NAN_F32: u32 = 0x7fc0_0000;
const NAN_F64: u64 = 0x7ff8_0000_0000_0000;

/// The compiler takes every NaN for as good as any other, and drops such a test behind a square root, if it
/// sees where the value comes from.
pub(super) fn canonical_f32(value: f32) -> f32 {
    let value = std::hint::black_box(value);
    if value.is_nan() { f32::from_bits(NAN_F32) } else { value }
}

/// Of two zeros the negative one.
fn least_f32(a: f32, b: f32) -> f32 {
    if a.is_nan() || b.is_nan() {
        canonical_f32(f32::NAN)
    } else if a == b {
        f32::from_bits(a.to_bits() | b.to_bits())
    } else if a < b {
        a
    } else {
        b
    }
}

/// Of two zeros the positive one.
fn greatest_f32(a: f32, b: f32) -> f32 {
    if a.is_nan() || b.is_nan() {
        canonical_f32(f32::NAN)
    } else if a == b {
        f32::from_bits(a.to_bits() & b.to_bits())
    } else if a > b {
        a
    } else {
        b
    }
}

pub(super) fn canonical_f64(value: f64) -> f64 {
    let value = std::hint::black_box(value);
    if value.is_nan() { f64::from_bits(NAN_F64) } else { value }
}

/// Of two zeros the negative one.
fn least_f64(a: f64, b: f64) -> f64 {
    if a.is_nan() || b.is_nan() {
        canonical_f64(f64::NAN)
    } else if a == b {
        f64::from_bits(a.to_bits() | b.to_bits())
    } else if a < b {
        a
    } else {
        b
    }
}

/// Of two zeros the positive one.
fn greatest_f64(a: f64, b: f64) -> f64 {
    if a.is_nan() || b.is_nan() {
        canonical_f64(f64::NAN)
    } else if a == b {
        f64::from_bits(a.to_bits() & b.to_bits())
    } else if a > b {
        a
    } else {
        b
    }
}

#[rustfmt::skip]
pub(super) fn operators() -> Vec<Operator> {
    rows! {
        F32Eq 0x5b (a: F32, b: F32) I32 (a == b);
        F32Ne 0x5c (a: F32, b: F32) I32 (a != b);
        F32Lt 0x5d (a: F32, b: F32) I32 (a < b);
        F32Gt 0x5e (a: F32, b: F32) I32 (a > b);
        F32Le 0x5f (a: F32, b: F32) I32 (a <= b);
        F32Ge 0x60 (a: F32, b: F32) I32 (a >= b);
        F32Abs 0x8b (a: F32) F32 f32::from_bits(a.to_bits() & !SIGN_F32);
        F32Neg 0x8c (a: F32) F32 f32::from_bits(a.to_bits() ^ SIGN_F32);
        F32Ceil 0x8d (a: F32) F32 canonical_f32(a.ceil());
        F32Floor 0x8e (a: F32) F32 canonical_f32(a.floor());
        F32Trunc 0x8f (a: F32) F32 canonical_f32(a.trunc());
        F32Nearest 0x90 (a: F32) F32 canonical_f32(a.round_ties_even());
        F32Sqrt 0x91 (a: F32) F32 canonical_f32(a.sqrt());
        F32Add 0x92 (a: F32, b: F32) F32 canonical_f32(a + b);
        F32Sub 0x93 (a: F32, b: F32) F32 canonical_f32(a - b);
        F32Mul 0x94 (a: F32, b: F32) F32 canonical_f32(a * b);
        F32Div 0x95 (a: F32, b: F32) F32 canonical_f32(a / b);
        F32Min 0x96 (a: F32, b: F32) F32 least_f32(a, b);
        F32Max 0x97 (a: F32, b: F32) F32 greatest_f32(a, b);
        F32Copysign 0x98 (a: F32, b: F32) F32 f32::from_bits(a.to_bits() & !SIGN_F32 | b.to_bits() & SIGN_F32);
        F64Eq 0x61 (a: F64, b: F64) I32 (a == b);
        F64Ne 0x62 (a: F64, b: F64) I32 (a != b);
        F64Lt 0x63 (a: F64, b: F64) I32 (a < b);
        F64Gt 0x64 (a: F64, b: F64) I32 (a > b);
        F64Le 0x65 (a: F64, b: F64) I32 (a <= b);
        F64Ge 0x66 (a: F64, b: F64) I32 (a >= b);
        F64Abs 0x99 (a: F64) F64 f64::from_bits(a.to_bits() & !SIGN_F64);
        F64Neg 0x9a (a: F64) F64 f64::from_bits(a.to_bits() ^ SIGN_F64);
        F64Ceil 0x9b (a: F64) F64 canonical_f64(a.ceil());
        F64Floor 0x9c (a: F64) F64 canonical_f64(a.floor());
        F64Trunc 0x9d (a: F64) F64 canonical_f64(a.trunc());
        F64Nearest 0x9e (a: F64) F64 canonical_f64(a.round_ties_even());
        F64Sqrt 0x9f (a: F64) F64 canonical_f64(a.sqrt());
        F64Add 0xa0 (a: F64, b: F64) F64 canonical_f64(a + b);
        F64Sub 0xa1 (a: F64, b: F64) F64 canonical_f64(a - b);
        F64Mul 0xa2 (a: F64, b: F64) F64 canonical_f64(a * b);
        F64Div 0xa3 (a: F64, b: F64) F64 canonical_f64(a / b);
        F64Min 0xa4 (a: F64, b: F64) F64 least_f64(a, b);
        F64Max 0xa5 (a: F64, b: F64) F64 greatest_f64(a, b);
        F64Copysign 0xa6 (a: F64, b: F64) F64 f64::from_bits(a.to_bits() & !SIGN_F64 | b.to_bits() & SIGN_F64);
    }
}
