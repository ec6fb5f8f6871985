//! The macro that writes rows of the table, and how values become 64 bits.

use super::Trap;

/// What an operator may compute.
pub(super) trait Bits {
    fn bits(self) -> Result<u64, Trap>;
}

impl Bits for u32 {
    fn bits(self) -> Result<u64, Trap> {
        Ok(self.into())
    }
}

impl Bits for i32 {
    fn bits(self) -> Result<u64, Trap> {
        Ok(self.cast_unsigned().into())
    }
}

impl Bits for u64 {
    fn bits(self) -> Result<u64, Trap> {
        Ok(self)
    }
}

impl Bits for i64 {
    fn bits(self) -> Result<u64, Trap> {
        Ok(self.cast_unsigned())
    }
}

impl Bits for bool {
    fn bits(self) -> Result<u64, Trap> {
        Ok(self.into())
    }
}

/// The bits as they are: what is computed of floats goes through `canonical` first.
impl Bits for f32 {
    fn bits(self) -> Result<u64, Trap> {
        Ok(self.to_bits().into())
    }
}

impl Bits for f64 {
    fn bits(self) -> Result<u64, Trap> {
        Ok(self.to_bits())
    }
}

impl<T: Bits> Bits for Result<T, Trap> {
    fn bits(self) -> Result<u64, Trap> {
        self?.bits()
    }
}

/// Rows of the table: the name, the code, the operands, the type of the result and its value.
macro_rules! rows {
    ($($name:ident $code:literal ($a:ident: $a_ty:ident $(, $b:ident: $b_ty:ident)?) $gives:ident $value:expr;)*) => {
        vec![$(Operator {
            name: stringify!($name),
            code: $code,
            takes: &[$a_ty $(, $b_ty)?],
            gives: Some($gives),
            work: rows!(@work $value, $a: $a_ty $(, $b: $b_ty)?),
        }),*]
    };
    (@work $value:expr, $a:ident: $a_ty:ident) => {
        Work::Unary(|$a| {
            let $a = rows!(@from $a_ty $a);
            $value.bits()
        })
    };
    (@work $value:expr, $a:ident: $a_ty:ident, $b:ident: $b_ty:ident) => {
        Work::Binary(|$a, $b| {
            let ($a, $b) = (rows!(@from $a_ty $a), rows!(@from $b_ty $b));
            $value.bits()
        })
    };
    (@from I32 $x:ident) => { $x as u32 };
    (@from I64 $x:ident) => { $x };
    (@from F32 $x:ident) => { f32::from_bits($x as u32) };
    (@from F64 $x:ident) => { f64::from_bits($x) };
}
pub(super) use rows;
