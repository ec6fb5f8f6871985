//! Operators of integers.

use super::{
    Operator, Trap,
    Ty::{I32, I64},
    Work,
    rows::{Bits as _, rows},
};

/// Why a division with a sign has no result.
const fn division(by: u64) -> Trap {
    if by == 0 { Trap::DivisionByZero } else { Trap::Overflow }
}

/// The remainder of the least number and -1 is 0.
fn remainder(a: i64, b: i64) -> Result<i64, Trap> {
    if b == 0 { Err(Trap::DivisionByZero) } else { Ok(a.wrapping_rem(b)) }
}

pub(super) fn operators() -> Vec<Operator> {
    let mut all = of_32_bits();
    all.extend(of_64_bits());
    all
}

#[rustfmt::skip]
fn of_32_bits() -> Vec<Operator> {
    rows! {
        I32Eqz 0x45 (a: I32) I32 (a == 0);
        I32Eq 0x46 (a: I32, b: I32) I32 (a == b);
        I32Ne 0x47 (a: I32, b: I32) I32 (a != b);
        I32LtS 0x48 (a: I32, b: I32) I32 (a.cast_signed() < b.cast_signed());
        I32LtU 0x49 (a: I32, b: I32) I32 (a < b);
        I32GtS 0x4a (a: I32, b: I32) I32 (a.cast_signed() > b.cast_signed());
        I32GtU 0x4b (a: I32, b: I32) I32 (a > b);
        I32LeS 0x4c (a: I32, b: I32) I32 (a.cast_signed() <= b.cast_signed());
        I32LeU 0x4d (a: I32, b: I32) I32 (a <= b);
        I32GeS 0x4e (a: I32, b: I32) I32 (a.cast_signed() >= b.cast_signed());
        I32GeU 0x4f (a: I32, b: I32) I32 (a >= b);
        I32Clz 0x67 (a: I32) I32 a.leading_zeros();
        I32Ctz 0x68 (a: I32) I32 a.trailing_zeros();
        I32Popcnt 0x69 (a: I32) I32 a.count_ones();
        I32Add 0x6a (a: I32, b: I32) I32 a.wrapping_add(b);
        I32Sub 0x6b (a: I32, b: I32) I32 a.wrapping_sub(b);
        I32Mul 0x6c (a: I32, b: I32) I32 a.wrapping_mul(b);
        I32DivS 0x6d (a: I32, b: I32) I32 a.cast_signed().checked_div(b.cast_signed()).ok_or(division(b.into()));
        I32DivU 0x6e (a: I32, b: I32) I32 a.checked_div(b).ok_or(Trap::DivisionByZero);
        I32RemS 0x6f (a: I32, b: I32) I32 remainder(a.cast_signed().into(), b.cast_signed().into()).map(|value| value as i32);
        I32RemU 0x70 (a: I32, b: I32) I32 a.checked_rem(b).ok_or(Trap::DivisionByZero);
        I32And 0x71 (a: I32, b: I32) I32 (a & b);
        I32Or 0x72 (a: I32, b: I32) I32 (a | b);
        I32Xor 0x73 (a: I32, b: I32) I32 (a ^ b);
        I32Shl 0x74 (a: I32, b: I32) I32 a.wrapping_shl(b);
        I32ShrS 0x75 (a: I32, b: I32) I32 a.cast_signed().wrapping_shr(b);
        I32ShrU 0x76 (a: I32, b: I32) I32 a.wrapping_shr(b);
        I32Rotl 0x77 (a: I32, b: I32) I32 a.rotate_left(b % 32);
        I32Rotr 0x78 (a: I32, b: I32) I32 a.rotate_right(b % 32);
        I32Extend8S 0xc0 (a: I32) I32 i32::from(a as i8);
        I32Extend16S 0xc1 (a: I32) I32 i32::from(a as i16);
    }
}

#[rustfmt::skip]
fn of_64_bits() -> Vec<Operator> {
    rows! {
        I64Eqz 0x50 (a: I64) I32 (a == 0);
        I64Eq 0x51 (a: I64, b: I64) I32 (a == b);
        I64Ne 0x52 (a: I64, b: I64) I32 (a != b);
        I64LtS 0x53 (a: I64, b: I64) I32 (a.cast_signed() < b.cast_signed());
        I64LtU 0x54 (a: I64, b: I64) I32 (a < b);
        I64GtS 0x55 (a: I64, b: I64) I32 (a.cast_signed() > b.cast_signed());
        I64GtU 0x56 (a: I64, b: I64) I32 (a > b);
        I64LeS 0x57 (a: I64, b: I64) I32 (a.cast_signed() <= b.cast_signed());
        I64LeU 0x58 (a: I64, b: I64) I32 (a <= b);
        I64GeS 0x59 (a: I64, b: I64) I32 (a.cast_signed() >= b.cast_signed());
        I64GeU 0x5a (a: I64, b: I64) I32 (a >= b);
        I64Clz 0x79 (a: I64) I64 a.leading_zeros();
        I64Ctz 0x7a (a: I64) I64 a.trailing_zeros();
        I64Popcnt 0x7b (a: I64) I64 a.count_ones();
        I64Add 0x7c (a: I64, b: I64) I64 a.wrapping_add(b);
        I64Sub 0x7d (a: I64, b: I64) I64 a.wrapping_sub(b);
        I64Mul 0x7e (a: I64, b: I64) I64 a.wrapping_mul(b);
        I64DivS 0x7f (a: I64, b: I64) I64 a.cast_signed().checked_div(b.cast_signed()).ok_or(division(b.into()));
        I64DivU 0x80 (a: I64, b: I64) I64 a.checked_div(b).ok_or(Trap::DivisionByZero);
        I64RemS 0x81 (a: I64, b: I64) I64 remainder(a.cast_signed().into(), b.cast_signed().into()).map(|value| value as i64);
        I64RemU 0x82 (a: I64, b: I64) I64 a.checked_rem(b).ok_or(Trap::DivisionByZero);
        I64And 0x83 (a: I64, b: I64) I64 (a & b);
        I64Or 0x84 (a: I64, b: I64) I64 (a | b);
        I64Xor 0x85 (a: I64, b: I64) I64 (a ^ b);
        I64Shl 0x86 (a: I64, b: I64) I64 a.wrapping_shl(b as u32);
        I64ShrS 0x87 (a: I64, b: I64) I64 a.cast_signed().wrapping_shr(b as u32);
        I64ShrU 0x88 (a: I64, b: I64) I64 a.wrapping_shr(b as u32);
        I64Rotl 0x89 (a: I64, b: I64) I64 a.rotate_left((b % 64) as u32);
        I64Rotr 0x8a (a: I64, b: I64) I64 a.rotate_right((b % 64) as u32);
        I64Extend8S 0xc2 (a: I64) I64 i64::from(a as i8);
        I64Extend16S 0xc3 (a: I64) I64 i64::from(a as i16);
        I64Extend32S 0xc4 (a: I64) I64 i64::from(a as i32);
    }
}
