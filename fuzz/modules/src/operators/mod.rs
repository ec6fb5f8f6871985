//! The operators that the host's engine accepts, in one table, with what each of them computes: plain
//! Rust, so that it is another engine. The names are those of `wasmparser`, against which a test holds
//! the table. It does not say what a whole module does: see `machine`.

mod conversions;
mod floats;
mod integers;
mod others;
mod rows;

use std::sync::LazyLock;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ty {
    I32,
    I64,
    F32,
    F64,
    /// A reference to a function: 0 is null, others are the index and one more.
    Func,
}

impl Ty {
    pub const NUMBERS: [Self; 4] = [Self::I32, Self::I64, Self::F32, Self::F64];

    pub const fn code(self) -> u8 {
        match self {
            Self::I32 => 0x7f,
            Self::I64 => 0x7e,
            Self::F32 => 0x7d,
            Self::F64 => 0x7c,
            Self::Func => 0x70,
        }
    }
}

/// Why code ends early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trap {
    Unreachable,
    MemoryOutOfBounds,
    TableOutOfBounds,
    IndirectCallToNull,
    BadSignature,
    DivisionByZero,
    Overflow,
    BadConversion,
    /// Not a trap of WebAssembly: it would write where the descriptor and the buffers are.
    Reserved,
    /// Not a trap of WebAssembly: it takes too long.
    TooLong,
}

impl Trap {
    /// What the interpreter calls it.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Unreachable => "`unreachable` instruction executed",
            Self::MemoryOutOfBounds => "out of bounds memory access",
            Self::TableOutOfBounds => "out of bounds table access",
            Self::IndirectCallToNull => "uninitialized element",
            Self::BadSignature => "indirect call type mismatch",
            Self::DivisionByZero => "integer divide by zero",
            Self::Overflow => "integer overflow",
            Self::BadConversion => "invalid conversion to integer",
            Self::Reserved | Self::TooLong => "",
        }
    }

    /// Whether a module that does this cannot be used.
    pub const fn is_unusable(self) -> bool {
        matches!(self, Self::Reserved | Self::TooLong)
    }
}

/// What an operator does. Values are 64 bits; those of 32 bits have zeros above.
#[derive(Clone, Copy)]
pub enum Work {
    Unary(fn(u64) -> Result<u64, Trap>),
    Binary(fn(u64, u64) -> Result<u64, Trap>),
    /// Reads so many bytes and makes the value of them.
    Load(usize, fn(u64) -> u64),
    Store(usize),
    Other(Other),
}

/// The operators that need more than their operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Other {
    Unreachable,
    Nop,
    Block,
    Loop,
    If,
    Else,
    End,
    Br,
    BrIf,
    BrTable,
    Return,
    Call,
    CallIndirect,
    ReturnCall,
    ReturnCallIndirect,
    Drop,
    Select,
    TypedSelect,
    LocalGet,
    LocalSet,
    LocalTee,
    GlobalGet,
    GlobalSet,
    Const,
    MemorySize,
    MemoryGrow,
    MemoryInit,
    DataDrop,
    MemoryCopy,
    MemoryFill,
    TableGet,
    TableSet,
    TableSize,
    TableGrow,
    TableInit,
    ElemDrop,
    TableCopy,
    TableFill,
    RefNull,
    RefIsNull,
    RefFunc,
}

pub struct Operator {
    /// As `wasmparser` names it.
    pub name: &'static str,
    /// The byte, or 0xfc00 and the number behind the byte 0xfc.
    pub code: u16,
    /// The types of its operands, unless they depend on the place.
    pub takes: &'static [Ty],
    /// The type of its result; none if it depends on the place.
    pub gives: Option<Ty>,
    pub work: Work,
}

/// All of them.
pub static OPERATORS: LazyLock<Vec<Operator>> = LazyLock::new(|| {
    let mut all = integers::operators();
    all.extend(floats::operators());
    all.extend(conversions::operators());
    all.extend(others::operators());
    all
});

/// The operator that does this. Of constants there is one for each type: see `constant`.
pub fn that(other: Other) -> &'static Operator {
    static PLACES: LazyLock<Vec<(Other, usize)>> = LazyLock::new(|| {
        let others = OPERATORS.iter().enumerate();
        others
            .filter_map(|(at, operator)| match operator.work {
                Work::Other(other) => Some((other, at)),
                Work::Unary(_) | Work::Binary(_) | Work::Load(..) | Work::Store(_) => None,
            })
            .collect()
    });
    match PLACES.iter().find(|&&(of, _)| of == other) {
        Some(&(_, at)) => &OPERATORS[at],
        None => panic!("the table has no {other:?}"),
    }
}

/// The constant of a type; references have none.
pub fn constant(ty: Ty) -> &'static Operator {
    let of_type = |operator: &&Operator| {
        operator.gives == Some(ty) && matches!(operator.work, Work::Other(Other::Const))
    };
    match OPERATORS.iter().find(of_type) {
        Some(operator) => operator,
        None => panic!("the table has no constant of {ty:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    macro_rules! names {
        ($( @$proposal:ident $name:ident $({ $($argument:ident: $type:ty),* })? => $visit:ident ($($arity:tt)*) )*) => {
            &[$((stringify!($proposal), stringify!($name))),*]
        };
    }

    // The proposals are those that are on in `src/host/module/engine.rs`.
    #[test]
    fn the_table_has_every_operator_that_the_engine_accepts() {
        let all: &[(&str, &str)] = wasmparser::for_each_operator!(names);
        let on = [
            "mvp",
            "sign_extension",
            "saturating_float_to_int",
            "bulk_memory",
            "reference_types",
            "tail_call",
        ];
        let mut expected: Vec<&str> = all
            .iter()
            .filter(|(proposal, _)| on.contains(proposal))
            .map(|&(_, name)| name)
            .collect();
        let mut table: Vec<&str> = OPERATORS.iter().map(|operator| operator.name).collect();
        expected.sort_unstable();
        table.sort_unstable();
        assert_eq!(table, expected);
    }
}
