//! What a plugin pays for the locals of the functions that it calls.
//!
//! The interpreter zeroes the locals of a function at each call and charges no fuel for it, so a call
//! of an empty function with 4,000 locals took as long as 80 other operators. So such a function is
//! [made to begin](super::insertions) with a `nop` for every [`LOCALS_PER_NOP`] of its locals, and
//! [the engine](super::engine) charges [`NOP_FUEL`] for a `nop`, which runs no code.
//!
//! It does not limit how many locals a function has: [`Limits::locals`](crate::limits::Limits::locals)
//! does.

use crate::abi::wire::{Reader, WireError};

/// How many locals cost [`NOP_FUEL`]. A function with fewer pays nothing: zeroing 2 KiB takes about as
/// long as the four units of fuel that a call and a loop around it cost at least. Optimised code has
/// up to some tens of locals, unoptimised code seldom more than 200.
const LOCALS_PER_NOP: u32 = 256;

/// The fuel for a `nop`. Zeroing 32 locals takes less time than an operator.
pub(super) const NOP_FUEL: u8 = 8;

/// Passes the declarations of locals at the front of a function's body, and returns the number of `nop`s
/// that pay for them.
pub(super) fn nops(body: &mut Reader<'_>) -> Result<usize, WireError> {
    let mut locals = 0_u32;
    for _ in 0..body.u32()? {
        locals = locals.saturating_add(body.u32()?);
        body.u8()?;
    }
    Ok((locals / LOCALS_PER_NOP) as usize)
}
