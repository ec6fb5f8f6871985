//! Single instructions by what they are called, and types by what they take and give: what all that writes
//! code has in common.

use crate::{
    code::{FunctionType, Instruction},
    operators::{OPERATORS, Other, Ty, constant, that},
};

/// Loops within loops: as many locals, the last ones of a function, count them.
pub const COUNTERS: usize = 3;

/// An operator without a row of its own in the table, with an immediate.
pub fn plain(other: Other, a: u64) -> Instruction {
    Instruction::Plain(that(other), a, 0)
}

/// A constant, by its bits.
pub fn number(ty: Ty, value: u64) -> Instruction {
    Instruction::Plain(constant(ty), value, 0)
}

/// An operator by its name in the table.
pub fn operator(name: &str) -> Instruction {
    match OPERATORS.iter().find(|operator| operator.name == name) {
        Some(operator) => Instruction::Plain(operator, 0, 0),
        None => panic!("the table has no {name}"),
    }
}

/// The index of a function type, which is added if it is not there.
pub fn type_index(types: &mut Vec<FunctionType>, takes: &[Ty], gives: &[Ty]) -> usize {
    let ty = FunctionType { takes: takes.to_vec(), gives: gives.to_vec() };
    types.iter().position(|other| *other == ty).unwrap_or_else(|| {
        types.push(ty);
        types.len() - 1
    })
}
