//! Makes a plugin pay for the locals of the functions that it calls.
//!
//! The interpreter zeroes the locals of a function at each call and charges no fuel for it, so a call
//! of an empty function with 4,000 locals took as long as 80 other operators. In the module that is
//! made here such a function begins with a `nop` for every [`LOCALS_PER_NOP`] of its locals, and
//! [the engine](super::engine) charges [`NOP_FUEL`] for a `nop`, which runs no code.
//!
//! It does not limit how many locals a function has: [`Limits::locals`](crate::limits::Limits::locals)
//! does.

use alloc::vec::Vec;

use super::operators::CODE_SECTION;
use crate::abi::wire::{Reader, WireError, Writer, varint_len};

/// How many locals cost [`NOP_FUEL`]. A function with fewer pays nothing: zeroing 2 KiB takes about as
/// long as the four units of fuel that a call and a loop around it cost at least. Optimised code has
/// up to some tens of locals, unoptimised code seldom more than 200.
pub(super) const LOCALS_PER_NOP: u32 = 256;

/// The fuel for a `nop`. Zeroing 32 locals takes less time than an operator.
pub(super) const NOP_FUEL: u8 = 8;

const NOP: u8 = 0x01;

/// The bytes of the new module; `None` if no function has so many locals, or this is no module.
///
/// Not inlined: what it needs of the stack shall not lie there while the module is compiled.
#[inline(never)]
pub(crate) fn charge_locals(wasm: &[u8]) -> Option<Vec<u8>> {
    rewritten(wasm).ok().flatten()
}

fn rewritten(wasm: &[u8]) -> Result<Option<Vec<u8>>, WireError> {
    let mut sections = Reader::new(wasm);
    sections.take(8)?;
    while !sections.rest().is_empty() {
        let before = sections.position();
        let (id, section) = (sections.u8()?, sections.bytes()?);
        if id == CODE_SECTION {
            let (len, nops) = new_len(section)?;
            if nops == 0 {
                return Ok(None);
            }
            // The section's own length takes up to five bytes.
            let mut out = Vec::with_capacity(before + 6 + len + sections.rest().len());
            out.extend_from_slice(wasm.get(..=before).unwrap_or_default());
            put_u32(&mut out, len as u32);
            put_code(&mut out, section)?;
            out.extend_from_slice(sections.rest());
            return Ok(Some(out));
        }
    }
    Ok(None)
}

/// How long the code section will be, and how many `nop`s will be in it.
fn new_len(section: &[u8]) -> Result<(usize, usize), WireError> {
    let mut functions = Reader::new(section);
    let mut len = varint_len(functions.u32()?.into());
    let mut all = 0;
    while !functions.rest().is_empty() {
        let body = functions.bytes()?;
        let nops = declared(body)?.1;
        len += varint_len((body.len() + nops) as u64) + body.len() + nops;
        all += nops;
    }
    Ok((len, all))
}

fn put_code(out: &mut Vec<u8>, section: &[u8]) -> Result<(), WireError> {
    let mut functions = Reader::new(section);
    put_u32(out, functions.u32()?);
    while !functions.rest().is_empty() {
        let body = functions.bytes()?;
        let (declarations, nops) = declared(body)?;
        let (declarations, operators) = body.split_at_checked(declarations).unwrap_or_default();
        put_u32(out, (body.len() + nops) as u32);
        out.extend_from_slice(declarations);
        out.resize(out.len() + nops, NOP);
        out.extend_from_slice(operators);
    }
    Ok(())
}

/// The length of a function's declarations of locals, and the number of `nop`s that pay for them.
fn declared(body: &[u8]) -> Result<(usize, usize), WireError> {
    let mut groups = Reader::new(body);
    let mut locals = 0_u32;
    for _ in 0..groups.u32()? {
        locals = locals.saturating_add(groups.u32()?);
        groups.u8()?;
    }
    Ok((groups.position(), (locals / LOCALS_PER_NOP) as usize))
}

fn put_u32(out: &mut Vec<u8>, value: u32) {
    let mut bytes = [0; 5];
    let mut writer = Writer::new(&mut bytes);
    writer.u32(value);
    let len = writer.position();
    out.extend_from_slice(bytes.get(..len).unwrap_or_default());
}
