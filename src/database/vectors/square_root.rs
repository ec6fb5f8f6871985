//! Square roots on targets whose `core` has none: of an `f32` correctly rounded, of an `f64` nearly so.
//!
//! IEEE 754 asks that a square root be the float nearest to the true one, so this gives the bits
//! of every processor that has the instruction, on those that do not.

use micromath::F32Ext;

/// The float nearest to the square root of `value`.
pub fn sqrt(value: f32) -> f32 {
    if value == 0.0 || value == f32::INFINITY {
        return value;
    }
    if value.is_nan() || value < 0.0 {
        return f32::NAN;
    }
    // The first guess halves the exponent; a subnormal has none to halve and is scaled by 2^48.
    let guess = if value < f32::MIN_POSITIVE {
        F32Ext::sqrt(value * 281_474_976_710_656.0) / 16_777_216.0
    } else {
        F32Ext::sqrt(value)
    };
    let wide = f64::from(value);
    let mut root = f64::from(guess);
    // The guess is off by less than 7 %, and each step of Newton's method squares the error and
    // halves it: 2.5e-3, 3e-6, 5e-12, 1e-23.
    for _ in 0..4 {
        root = 0.5 * (root + wide / root);
    }
    // Right but for a last bit. Halfway between two floats takes 25 bits and its square 50, which
    // a double holds, so these comparisons are exact. No float's root is halfway.
    let root = root as f32;
    if wide < square_of_middle(root.next_down(), root) {
        root.next_down()
    } else if wide > square_of_middle(root, root.next_up()) {
        root.next_up()
    } else {
        root
    }
}

/// The square root of `value`, which is 0 or normal and positive, to the last bit or two. The same bits on every
/// target, because IEEE 754 defines every operation here.
pub fn wide_sqrt(value: f64) -> f64 {
    if value == 0.0 {
        return 0.0;
    }
    // Half the exponent: off by 6 % at most. Each step of Newton's method squares the error and halves it.
    let mut root = f64::from_bits((value.to_bits() >> 1) + (1023 << 51));
    for _ in 0..4 {
        root = 0.5 * (root + value / root);
    }
    root
}

fn square_of_middle(a: f32, b: f32) -> f64 {
    let middle = 0.5 * (f64::from(a) + f64::from(b));
    middle * middle
}

#[cfg(test)]
mod tests {
    use super::{sqrt, wide_sqrt};

    #[test]
    fn wide_root_is_right_to_the_last_bits() {
        assert_eq!(wide_sqrt(0.0).to_bits(), 0);
        for exponent in -600..600 {
            for step in 0..50 {
                let value = (1.0 + f64::from(step) * 0.06) * 2f64.powi(exponent);
                let expected = std::primitive::f64::sqrt(value).to_bits();
                assert!(wide_sqrt(value).to_bits().abs_diff(expected) <= 2, "{value:e}");
            }
        }
    }

    #[test]
    fn root_has_the_bits_of_the_processor() {
        let check = |bits: u32| {
            let value = f32::from_bits(bits);
            let expected = std::primitive::f32::sqrt(value);
            assert!(
                sqrt(value).to_bits() == expected.to_bits() || expected.is_nan(),
                "{value:e} ({bits:#x})"
            );
        };
        let edges = [0u32, 1, 2, 0x007f_ffff, 0x0080_0000, 0x3f80_0000, 0x7f7f_ffff, 0x7f80_0000];
        for edge in edges {
            (0..2000u32).for_each(|step| check(edge.saturating_add(step)));
            (0..2000u32).for_each(|step| check(edge.saturating_sub(step)));
        }
        // Every exponent, with mantissas spread by a prime step.
        (0..0x7f80_0000u32).step_by(4099).for_each(check);
        assert_eq!(sqrt(-0.0).to_bits(), (-0.0f32).to_bits());
        assert!(sqrt(-1.0).is_nan() && sqrt(f32::NAN).is_nan());
    }
}
