//! Reads the operators of a module's code and finds those that the interpreter translates wrongly.
//!
//! wasmi 2.0.0 keeps some operands in a register and others in slots of the frame, and goes wrong in two
//! places. It has no form of an integer store, with a static offset above 65,535, whose address and value
//! are both in its one integer register, and panics; both are there if they are the same local. And it
//! drops a test against zero before a `select` although the operand of the test is in a slot, and lets the
//! register decide, so that the plugin computes something else without a word.
//!
//! A `block` moves all operands to slots of their own, and its end forgets the test. So an empty block is
//! [put before](super::insertions) each such operator. It costs no fuel. Where this module cannot tell, the
//! empty block is put there as well, so it need not know the whole operand stack.
//!
//! Blocks with parameters are translated wrongly in ways that no barrier mends. They are an error.
//!
//! This module does not validate: what does not decode is an error, and the code is left as it is.

use alloc::vec::Vec;

use super::{insertions::Insertions, locals};
use crate::abi::wire::{Reader, WireError, WireErrorKind};

/// The largest offset for which the interpreter has a form of its own.
const LARGEST_SHORT_OFFSET: u32 = u16::MAX as u32;

/// Why code was not read to its end.
pub(crate) enum CodeProblem {
    /// It does not decode.
    Undecodable,
    /// A block has parameters: the offset of its operator in the code section.
    BlockParameters(usize),
}

impl From<WireError> for CodeProblem {
    fn from(_: WireError) -> Self {
        Self::Undecodable
    }
}

/// What an operator leaves on top of the operands, as the interpreter sees it.
#[derive(Clone, Copy)]
enum Top {
    /// A result in the register, and no test of a slot against zero.
    Computed,
    /// The same, or a constant: the interpreter folds operators of constants.
    MaybeConstant,
    /// A constant that is not zero.
    NotZero,
    /// This local, got.
    Got(u32),
    /// This local, set before: a constant, the local, or a slot.
    Set(u32),
    /// What a call left, or what was below if it left nothing.
    Called,
    /// Anything, also a test of a slot against zero.
    Unknown,
}

/// Whether the condition of a `select` can be a test of a slot against zero.
const fn may_be_a_test(last: Top) -> bool {
    match last {
        Top::Unknown => true,
        Top::Computed | Top::MaybeConstant | Top::NotZero => false,
        Top::Got(_) | Top::Set(_) | Top::Called => false,
    }
}

/// What `i32.eqz` leaves of an operand.
const fn test_of(operand: Top) -> Top {
    match operand {
        Top::Computed => Top::Computed,
        Top::MaybeConstant | Top::NotZero => Top::MaybeConstant,
        Top::Got(_) | Top::Set(_) | Top::Called | Top::Unknown => Top::Unknown,
    }
}

/// What `i32.eq` and `i32.ne` leave, and `i32.xor`, of which the interpreter makes a comparison if it is
/// tested. The first operand is known only if the second one is what was pushed last.
const fn comparison_of(before: Top, last: Top) -> Top {
    match (before, last) {
        (_, Top::Computed) | (Top::Computed | Top::NotZero | Top::Got(_), Top::Got(_)) => {
            Top::Computed
        }
        (_, Top::NotZero) => Top::MaybeConstant,
        (_, Top::Got(_) | Top::MaybeConstant | Top::Set(_) | Top::Called | Top::Unknown) => {
            Top::Unknown
        }
    }
}

/// What an operator of constants and results leaves, after this operand. It is folded if all operands
/// are constants.
const fn result_of(operand: Top) -> Top {
    match operand {
        Top::Computed | Top::Got(_) => Top::Computed,
        Top::MaybeConstant | Top::NotZero => Top::MaybeConstant,
        Top::Set(_) | Top::Called | Top::Unknown => Top::MaybeConstant,
    }
}

/// Whether address and value of a store can be the same local, by what the last two operators left.
const fn may_be_one_local(before: Top, last: Top) -> bool {
    match (before, last) {
        (_, Top::Computed | Top::MaybeConstant | Top::NotZero) => false,
        (Top::Computed | Top::MaybeConstant | Top::NotZero, Top::Got(_)) => false,
        (Top::Got(address) | Top::Set(address), Top::Got(value)) => address == value,
        (_, Top::Got(_) | Top::Set(_) | Top::Called | Top::Unknown) => true,
    }
}

/// Reads the operators of a code section: what is to be put into it. `takes_values` says which types no
/// block may have.
pub(crate) fn scan(
    section: &[u8],
    takes_values: impl Fn(u32) -> bool,
) -> Result<Insertions, CodeProblem> {
    let (mut barriers, mut nops) = (Vec::new(), 0);
    let mut functions = Reader::new(section);
    for _ in 0..functions.u32()? {
        let body = functions.bytes()?;
        let start = functions.position() - body.len();
        let mut operators = Reader::new(body);
        nops += locals::nops(&mut operators)?;
        let (mut before, mut last) = (Top::Unknown, Top::Unknown);
        while !operators.rest().is_empty() {
            let at = start + operators.position();
            let operator = operators.u8()?;
            let top = match operator {
                BLOCK..=IF => {
                    if let Ok(ty) = u32::try_from(signed(&mut operators)?)
                        && takes_values(ty)
                    {
                        return Err(CodeProblem::BlockParameters(at));
                    }
                    Top::Unknown
                }
                I32_STORE | I64_STORE | I32_STORE8..=I64_STORE32 => {
                    let offset = memory_offset(&mut operators)?;
                    if offset > LARGEST_SHORT_OFFSET && may_be_one_local(before, last) {
                        barriers.push(at as u32);
                    }
                    Top::Unknown
                }
                SELECT | SELECT_OF_TYPE => {
                    immediates(operator, &mut operators)?;
                    if may_be_a_test(last) {
                        barriers.push(at as u32);
                    }
                    Top::Unknown
                }
                _ => top_after(operator, &mut operators, before, last)?,
            };
            (before, last) = (last, top);
        }
    }
    Ok(Insertions { barriers, nops })
}

/// Passes the immediates of an operator, and says what it leaves on top.
fn top_after(
    operator: u8,
    operators: &mut Reader<'_>,
    before: Top,
    last: Top,
) -> Result<Top, WireError> {
    Ok(match operator {
        LOCAL_GET => Top::Got(operators.u32()?),
        LOCAL_TEE => Top::Set(operators.u32()?),
        I32_CONST => match signed(operators)? {
            0 => Top::MaybeConstant,
            _ => Top::NotZero,
        },
        _ => {
            immediates(operator, operators)?;
            match operator {
                CALL | CALL_INDIRECT => Top::Called,
                I32_EQZ => test_of(last),
                I32_EQ | I32_NE | I32_XOR => comparison_of(before, last),
                // global.get: a global that never changes is a constant; the other constants
                0x23 | 0x42..=0x44 => Top::MaybeConstant,
                // loads, memory.size and memory.grow
                0x28..=0x35 | 0x3f | 0x40 => Top::Computed,
                // Of two operands, the first one is no constant and lies right below the second.
                _ if takes_two_i32(operator)
                    && matches!((before, last), (Top::Computed | Top::Got(_), Top::NotZero)) =>
                {
                    Top::Computed
                }
                _ if is_computed(operator) => result_of(last),
                _ => Top::Unknown,
            }
        }
    })
}

const BLOCK: u8 = 0x02;
const IF: u8 = 0x04;
const CALL: u8 = 0x10;
const CALL_INDIRECT: u8 = 0x11;
const SELECT: u8 = 0x1b;
const SELECT_OF_TYPE: u8 = 0x1c;
const LOCAL_GET: u8 = 0x20;
const LOCAL_TEE: u8 = 0x22;
const I32_STORE: u8 = 0x36;
const I64_STORE: u8 = 0x37;
const I32_STORE8: u8 = 0x3a;
const I64_STORE32: u8 = 0x3e;
const I32_EQZ: u8 = 0x45;
const I32_EQ: u8 = 0x46;
const I32_NE: u8 = 0x47;
const I32_XOR: u8 = 0x73;
const I32_CONST: u8 = 0x41;

/// Whether an operator compares two operands of type i32, or computes with them, and [is
/// computed](is_computed).
const fn takes_two_i32(operator: u8) -> bool {
    matches!(operator, 0x48..=0x4f | 0x6a..=0x72)
}

/// Whether an operator works on its operands, so that its result is never one of them as it was: shifts by
/// 0, `select` of two that are the same, and conversions that change no bit may push what they were given.
const fn is_computed(operator: u8) -> bool {
    matches!(
        operator,
        // comparisons, but for i32.eqz, i32.eq and i32.ne
        0x48..=0x66
        // i32 and i64 from clz to xor, but for i32.xor
        | 0x67..=0x72 | 0x79..=0x85
        // i32.wrap_i64, truncated floats, i64.extend_i32_s, sign extension
        | 0xa7..=0xac | 0xae..=0xb1 | 0xc0..=0xc4
    )
}

/// Passes what stands behind an operator.
fn immediates(operator: u8, operators: &mut Reader<'_>) -> Result<(), WireError> {
    let integers = match operator {
        // br, br_if, call, return_call, local.set, global.get and .set, table.get and .set,
        // memory.size and .grow, i32.const, i64.const, ref.null, ref.func
        0x0c | 0x0d | 0x10 | 0x12 | 0x21 | 0x23..=0x26 | 0x3f..=0x42 | 0xd0 | 0xd2 => 1,
        // call_indirect, return_call_indirect
        0x11 | 0x13 => 2,
        // br_table: the default stands behind the list
        0x0e => operators.u32()?.saturating_add(1),
        // select with a type
        0x1c => operators.u32()?,
        // loads, stores of floats
        0x28..=0x39 => return memory_offset(operators).map(|_| ()),
        0x43 => return operators.take(4).map(|_| ()),
        0x44 => return operators.take(8).map(|_| ()),
        0xfc => match operators.u32()? {
            0..=7 => 0,
            9 | 11 | 13 | 15..=17 => 1,
            8 | 10 | 12 | 14 => 2,
            _ => return Err(operators.error(WireErrorKind::UnknownVariant)),
        },
        0x00 | 0x01 | 0x05 | 0x0b | 0x0f | 0x1a | 0x1b | 0x45..=0xc4 | 0xd1 => 0,
        _ => return Err(operators.error(WireErrorKind::UnknownVariant)),
    };
    for _ in 0..integers {
        signed(operators)?;
    }
    Ok(())
}

/// An integer in LEB128 with a sign. Unsigned ones are passed with it, as they are as long.
fn signed(reader: &mut Reader<'_>) -> Result<i64, WireError> {
    let mut value = 0_i64;
    for shift in (0..70).step_by(7) {
        let byte = reader.u8()?;
        value |= i64::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
        if byte < 0x80 {
            let unused = 64_u32.saturating_sub(shift + 7);
            return Ok(value << unused >> unused);
        }
    }
    Err(reader.error(WireErrorKind::VarintOverflow))
}

/// Passes the immediates of a load or a store.
fn memory_offset(reader: &mut Reader<'_>) -> Result<u32, WireError> {
    // Bit 6 of the alignment says that the number of the memory follows.
    if reader.u32()? & 0x40 != 0 {
        reader.u32()?;
    }
    reader.u32()
}
