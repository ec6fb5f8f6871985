//! Conversions between types of numbers.

use super::{
    Operator, Trap,
    Ty::{F32, F64, I32, I64},
    Work,
    floats::{canonical_f32, canonical_f64},
    rows::{Bits as _, rows},
};

/// The whole part of a number, if it is at least `least` and below `end`.
fn whole(value: f64, least: f64, end: f64) -> Result<f64, Trap> {
    let whole = value.trunc();
    if value.is_nan() {
        Err(Trap::BadConversion)
    } else if whole < least || whole >= end {
        Err(Trap::Overflow)
    } else {
        Ok(whole)
    }
}

#[rustfmt::skip]
pub(super) fn operators() -> Vec<Operator> {
    rows! {
        I32WrapI64 0x00a7 (a: I64) I32 (a as u32);
        I32TruncF32S 0x00a8 (a: F32) I32 whole(f64::from(a), -2_147_483_648.0, 2_147_483_648.0).map(|value| value as i32);
        I32TruncF32U 0x00a9 (a: F32) I32 whole(f64::from(a), 0.0, 4_294_967_296.0).map(|value| value as u32);
        I32TruncF64S 0x00aa (a: F64) I32 whole(a, -2_147_483_648.0, 2_147_483_648.0).map(|value| value as i32);
        I32TruncF64U 0x00ab (a: F64) I32 whole(a, 0.0, 4_294_967_296.0).map(|value| value as u32);
        I64TruncF32S 0x00ae (a: F32) I64 whole(f64::from(a), -9_223_372_036_854_775_808.0, 9_223_372_036_854_775_808.0).map(|value| value as i64);
        I64TruncF32U 0x00af (a: F32) I64 whole(f64::from(a), 0.0, 18_446_744_073_709_551_616.0).map(|value| value as u64);
        I64TruncF64S 0x00b0 (a: F64) I64 whole(a, -9_223_372_036_854_775_808.0, 9_223_372_036_854_775_808.0).map(|value| value as i64);
        I64TruncF64U 0x00b1 (a: F64) I64 whole(a, 0.0, 18_446_744_073_709_551_616.0).map(|value| value as u64);
        I64ExtendI32S 0x00ac (a: I32) I64 i64::from(a.cast_signed());
        I64ExtendI32U 0x00ad (a: I32) I64 u64::from(a);
        F32ConvertI32S 0x00b2 (a: I32) F32 (a.cast_signed() as f32);
        F32ConvertI32U 0x00b3 (a: I32) F32 (a as f32);
        F32ConvertI64S 0x00b4 (a: I64) F32 (a.cast_signed() as f32);
        F32ConvertI64U 0x00b5 (a: I64) F32 (a as f32);
        F64ConvertI32S 0x00b7 (a: I32) F64 (a.cast_signed() as f64);
        F64ConvertI32U 0x00b8 (a: I32) F64 (a as f64);
        F64ConvertI64S 0x00b9 (a: I64) F64 (a.cast_signed() as f64);
        F64ConvertI64U 0x00ba (a: I64) F64 (a as f64);
        F32DemoteF64 0x00b6 (a: F64) F32 canonical_f32(a as f32);
        F64PromoteF32 0x00bb (a: F32) F64 canonical_f64(f64::from(a));
        I32ReinterpretF32 0x00bc (a: F32) I32 a.to_bits();
        I64ReinterpretF64 0x00bd (a: F64) I64 a.to_bits();
        F32ReinterpretI32 0x00be (a: I32) F32 f32::from_bits(a);
        F64ReinterpretI64 0x00bf (a: I64) F64 f64::from_bits(a);
        I32TruncSatF32S 0xfc00 (a: F32) I32 (a as i32);
        I32TruncSatF32U 0xfc01 (a: F32) I32 (a as u32);
        I32TruncSatF64S 0xfc02 (a: F64) I32 (a as i32);
        I32TruncSatF64U 0xfc03 (a: F64) I32 (a as u32);
        I64TruncSatF32S 0xfc04 (a: F32) I64 (a as i64);
        I64TruncSatF32U 0xfc05 (a: F32) I64 (a as u64);
        I64TruncSatF64S 0xfc06 (a: F64) I64 (a as i64);
        I64TruncSatF64U 0xfc07 (a: F64) I64 (a as u64);
    }
}
