//! Reads the operators of a module's code, finds those that the interpreter translates wrongly, and makes
//! a module in which it does not.
//!
//! wasmi 2.0.0 has no form of an integer's store, with a static offset above 65,535, whose address and
//! value are in its one integer register, and panics. Both are there if they are the same local. And it
//! drops a test of a local against zero that stands before a `select`, as if the local were in that
//! register, so that the plugin computes something else without a word.
//!
//! In the module that is made here the value of such a store, and the condition of such a `select`, goes
//! through `or` with 0 first, which gives it a place of its own. Nothing else changes.
//!
//! It does not validate: what does not decode is an error, and the code is left as it is.

use alloc::vec::Vec;

use crate::abi::wire::{Reader, WireError, WireErrorKind, Writer, varint_len};

pub(crate) const CODE_SECTION: u8 = 10;

/// The largest offset for which the interpreter has a form of its own.
const LARGEST_SHORT_OFFSET: u32 = u16::MAX as u32;

/// What goes before a store: `i32.const 0`, `i32.or`.
const OR_32: [u8; 3] = [0x41, 0, 0x72];
/// The same for 64 bits.
const OR_64: [u8; 3] = [0x42, 0, 0x84];

/// The stores and selects that need another operand: their offsets in the code section, rising. Most modules have
/// none.
#[derive(Default)]
pub(crate) struct Stores(Vec<u32>);

/// Why code was not read to its end.
pub(crate) enum CodeProblem {
    /// It does not decode.
    Undecodable,
    /// A block has this type, which it may not have.
    Block(u32),
}

impl From<WireError> for CodeProblem {
    fn from(_: WireError) -> Self {
        Self::Undecodable
    }
}

/// What an operator leaves on top of the operands, as the interpreter sees it.
#[derive(Clone, Copy)]
enum Top {
    /// A result in the register.
    Fresh,
    /// A constant, or what may be one after folding; it may be zero.
    MaybeZero,
    /// A constant that is not zero.
    NotZero,
    /// A result of `i32.eqz`, `i32.eq` or `i32.ne`: whether it may be a test against zero of what is not
    /// in the register.
    Test(bool),
    /// The results of a call, if it has any.
    Called,
    /// This local, got.
    Got(u32),
    /// This local, set before.
    Set(u32),
    /// Anything: a result of a block or a call, what was there before, a local in other words.
    Unknown,
}

/// Whether the condition of a `select` can be a test against zero, by what the last operator left.
const fn may_be_a_test(last: Top) -> bool {
    match last {
        Top::Test(of_slot) => of_slot,
        Top::Unknown => true,
        Top::Fresh | Top::MaybeZero | Top::NotZero => false,
        Top::Called | Top::Got(_) | Top::Set(_) => false,
    }
}

/// What `i32.eqz` leaves of an operand.
const fn test_of(operand: Top) -> Top {
    match operand {
        // The interpreter joins tests of tests.
        Top::Test(of_slot) => Top::Test(of_slot),
        Top::Fresh | Top::MaybeZero | Top::NotZero => Top::Test(false),
        Top::Got(_) | Top::Set(_) | Top::Called | Top::Unknown => Top::Test(true),
    }
}

/// What `i32.eq` and `i32.ne` leave of two operands.
const fn comparison_of(first: Top, second: Top) -> Top {
    match (first, second) {
        (_, Top::NotZero) | (_, Top::Fresh) => Top::Test(false),
        // A constant that was set: it is the second operand and not the first one.
        (Top::MaybeZero, Top::Set(_)) => Top::Test(true),
        (_, Top::MaybeZero | Top::Set(_)) => test_of(first),
        (_, Top::Test(of_slot)) => Top::Test(of_slot),
        (Top::Fresh | Top::Got(_) | Top::NotZero | Top::Test(_), Top::Got(_)) => Top::Test(false),
        (_, Top::Got(_) | Top::Called | Top::Unknown) => Top::Test(true),
    }
}

/// What `i32.xor` leaves of two operands. With zero as one of them a test of it is one of the other,
/// which need not be in the register.
const fn xor_of(first: Top, second: Top) -> Top {
    match (first, second) {
        (_, Top::Fresh | Top::Test(_)) => Top::Fresh,
        (_, Top::NotZero) => Top::MaybeZero,
        (Top::Fresh | Top::Test(_) | Top::Got(_) | Top::NotZero, Top::Got(_)) => Top::Fresh,
        (_, Top::Got(_) | Top::Set(_) | Top::MaybeZero | Top::Called | Top::Unknown) => {
            Top::Unknown
        }
    }
}

/// What an operator of constants and results leaves, after this operand.
const fn result_of(operator: u8, operand: Top) -> Top {
    match operand {
        // Loads, memory.size and memory.grow.
        _ if matches!(operator, 0x28..=0x35 | 0x3f | 0x40) => Top::Fresh,
        Top::Fresh | Top::Test(_) | Top::Got(_) | Top::Called => Top::Fresh,
        Top::MaybeZero | Top::NotZero | Top::Set(_) | Top::Unknown => Top::MaybeZero,
    }
}

/// Whether address and value of a store can be the same local, by what the last two operators left.
const fn may_be_one_local(before: Top, last: Top) -> bool {
    match (before, last) {
        (_, Top::Fresh | Top::MaybeZero | Top::NotZero | Top::Test(_)) => false,
        (Top::Fresh | Top::MaybeZero | Top::NotZero | Top::Test(_), Top::Got(_) | Top::Set(_)) => {
            false
        }
        (Top::Got(address) | Top::Set(address), Top::Got(value)) => address == value,
        (Top::Unknown | Top::Called, Top::Got(_)) => true,
        (_, Top::Set(_) | Top::Unknown | Top::Called) => true,
    }
}

/// Reads the operators of a code section. `is_wide` says of which types no block may be.
pub(crate) fn scan(section: &[u8], is_wide: impl Fn(u32) -> bool) -> Result<Stores, CodeProblem> {
    let mut stores = Vec::new();
    let mut functions = Reader::new(section);
    for _ in 0..functions.u32()? {
        let body = functions.bytes()?;
        let start = functions.position() - body.len();
        let mut operators = Reader::new(body);
        for _ in 0..operators.u32()? {
            operators.u32()?;
            operators.u8()?;
        }
        let (mut before, mut last) = (Top::Unknown, Top::Unknown);
        while !operators.rest().is_empty() {
            let at = operators.position();
            let operator = operators.u8()?;
            let top = match operator {
                BLOCK..=IF => {
                    if let Ok(ty) = u32::try_from(signed(&mut operators)?)
                        && is_wide(ty)
                    {
                        return Err(CodeProblem::Block(ty));
                    }
                    Top::Unknown
                }
                LOCAL_GET => Top::Got(operators.u32()?),
                LOCAL_TEE => Top::Set(operators.u32()?),
                I32_STORE | I64_STORE | I32_STORE8..=I64_STORE32 => {
                    let offset = memory_offset(&mut operators)?;
                    if offset > LARGEST_SHORT_OFFSET && may_be_one_local(before, last) {
                        stores.push((start + at) as u32);
                    }
                    Top::Unknown
                }
                SELECT | SELECT_OF_TYPE => {
                    immediates(operator, &mut operators)?;
                    if may_be_a_test(last) {
                        stores.push((start + at) as u32);
                    }
                    Top::Unknown
                }
                CALL | CALL_INDIRECT => {
                    immediates(operator, &mut operators)?;
                    Top::Called
                }
                I32_EQZ => test_of(last),
                I32_EQ | I32_NE => comparison_of(before, last),
                I32_XOR => xor_of(before, last),
                I32_CONST => match signed(&mut operators)? {
                    0 => Top::MaybeZero,
                    _ => Top::NotZero,
                },
                // One that never changes is a constant.
                GLOBAL_GET => {
                    operators.u32()?;
                    Top::MaybeZero
                }
                _ => {
                    immediates(operator, &mut operators)?;
                    match is_fresh(operator) {
                        true => result_of(operator, last),
                        false => Top::Unknown,
                    }
                }
            };
            (before, last) = (last, top);
        }
    }
    Ok(Stores(stores))
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
const I64_STORE8: u8 = 0x3c;
const I64_STORE32: u8 = 0x3e;
const I32_EQZ: u8 = 0x45;
const I32_EQ: u8 = 0x46;
const I32_NE: u8 = 0x47;
const I32_XOR: u8 = 0x73;
const I32_CONST: u8 = 0x41;
const GLOBAL_GET: u8 = 0x23;

/// Whether an operator's result is never one of its operands as it was. Shifts by 0, `select` of two
/// that are the same, and conversions that change no bit may push what they were given.
const fn is_fresh(operator: u8) -> bool {
    matches!(
        operator,
        // global.get, loads, memory.size and memory.grow, constants, comparisons
        0x23 | 0x28..=0x35 | 0x3f..=0x66
        // i32 and i64 from clz to xor, but for i32.xor
        | 0x67..=0x72 | 0x79..=0x85
        // truncated floats, i64.extend_i32_s, sign extension
        | 0xa8..=0xac | 0xae..=0xb1 | 0xc0..=0xc4
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

impl Stores {
    /// The bytes of a module in which these stores, which were found in it, can be translated; `None`
    /// if there are none.
    ///
    /// Not inlined: what it needs of the stack shall not lie there while the module is compiled.
    #[inline(never)]
    pub(crate) fn with_own_operands(&self, wasm: &[u8]) -> Option<Vec<u8>> {
        if self.0.is_empty() {
            return None;
        }
        self.rewritten(wasm).ok()
    }

    fn rewritten(&self, wasm: &[u8]) -> Result<Vec<u8>, WireError> {
        let mut sections = Reader::new(wasm);
        let header = sections.take(8)?;
        // The lengths of sections and functions may take a byte more each.
        let room = wasm.len() + self.0.len() * (OR_32.len() + 1) + 5;
        let mut out = Vec::with_capacity(room);
        out.extend_from_slice(header);
        while !sections.rest().is_empty() {
            let before = sections.rest();
            let (id, section) = (sections.u8()?, sections.bytes()?);
            if id == CODE_SECTION {
                self.put_code(&mut out, section)?;
            } else {
                let whole = before.len() - sections.rest().len();
                out.extend_from_slice(before.get(..whole).unwrap_or_default());
            }
        }
        Ok(out)
    }

    fn put_code(&self, out: &mut Vec<u8>, section: &[u8]) -> Result<(), WireError> {
        let mut functions = Reader::new(section);
        let count = functions.u32()?;
        let mut len = varint_len(count.into());
        let mut stores = &*self.0;
        let mut rest = functions;
        while !rest.rest().is_empty() {
            let (_, body, here) = next_function(&mut rest, &mut stores)?;
            let body_len = body.len() + here.len() * OR_32.len();
            len += varint_len(body_len as u64) + body_len;
        }
        out.push(CODE_SECTION);
        put_u32(out, len as u32);
        put_u32(out, count);
        let mut stores = &*self.0;
        while !functions.rest().is_empty() {
            let (start, body, here) = next_function(&mut functions, &mut stores)?;
            put_u32(out, (body.len() + here.len() * OR_32.len()) as u32);
            let mut done = 0;
            for &store in here {
                let at = store as usize - start;
                out.extend_from_slice(body.get(done..at).unwrap_or_default());
                let or = match body.get(at) {
                    Some(&(I64_STORE | I64_STORE8..=I64_STORE32)) => OR_64,
                    _ => OR_32,
                };
                out.extend_from_slice(&or);
                done = at;
            }
            out.extend_from_slice(body.get(done..).unwrap_or_default());
        }
        Ok(())
    }
}

/// Where the next function's body begins, the body, and those of the stores that are in it.
fn next_function<'a, 's>(
    functions: &mut Reader<'a>,
    stores: &mut &'s [u32],
) -> Result<(usize, &'a [u8], &'s [u32]), WireError> {
    let body = functions.bytes()?;
    let end = functions.position();
    let inside = stores.partition_point(|&store| (store as usize) < end);
    let (here, later) = stores.split_at_checked(inside).unwrap_or_default();
    *stores = later;
    Ok((end - body.len(), body, here))
}

fn put_u32(out: &mut Vec<u8>, value: u32) {
    let mut bytes = [0; 5];
    let mut writer = Writer::new(&mut bytes);
    writer.u32(value);
    let len = writer.position();
    out.extend_from_slice(bytes.get(..len).unwrap_or_default());
}
