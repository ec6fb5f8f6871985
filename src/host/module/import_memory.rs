//! Rewrites a module that declares its memory so that it imports it. The host can then place the memory,
//! whatever linker made the module.
//!
//! Nothing else changes: a module has one memory, and it is number 0 either way. Bytes that are not a
//! module are left alone.

use alloc::vec::Vec;

use crate::abi::{
    MEMORY_IMPORT,
    wire::{Reader, WireError, Writer, varint_len},
};

const IMPORT_SECTION: u8 = 2;
const MEMORY_SECTION: u8 = 5;
/// What an import is: a memory.
const MEMORY_KIND: u8 = 2;

/// The bytes of the new module; `None` if there is nothing to change, or no module to do it to.
///
/// Not inlined: what it needs of the stack shall not lie there while the module is compiled.
#[inline(never)]
pub(crate) fn import_memory(wasm: &[u8]) -> Option<Vec<u8>> {
    rewritten(wasm).ok().flatten()
}

fn rewritten(wasm: &[u8]) -> Result<Option<Vec<u8>>, WireError> {
    let mut sections = Reader::new(wasm);
    let header = sections.take(8)?;
    let Some(memory) = declared(sections)? else { return Ok(None) };
    let mut out = Vec::with_capacity(wasm.len() + 32);
    out.extend_from_slice(header);
    let mut done = false;
    while !sections.rest().is_empty() {
        let before = sections.rest();
        let (id, section) = (sections.u8()?, sections.bytes()?);
        let mut imports = Reader::new(section);
        if !done && id == IMPORT_SECTION {
            let count = imports.u32()?;
            put_imports(&mut out, count.saturating_add(1), imports.rest(), memory);
            done = true;
        } else if !done && id > IMPORT_SECTION {
            // There are no imports: this is where they would be.
            put_imports(&mut out, 1, &[], memory);
            done = true;
        }
        let whole = before.len() - sections.rest().len();
        if !matches!(id, IMPORT_SECTION | MEMORY_SECTION) {
            out.extend_from_slice(before.get(..whole).unwrap_or_default());
        }
    }
    Ok(Some(out))
}

/// The type of the only memory that is declared, as its bytes.
fn declared(mut sections: Reader<'_>) -> Result<Option<&[u8]>, WireError> {
    while !sections.rest().is_empty() {
        let (id, section) = (sections.u8()?, sections.bytes()?);
        if id == MEMORY_SECTION {
            let mut memories = Reader::new(section);
            return Ok((memories.u32()? == 1).then(|| memories.rest()));
        }
    }
    Ok(None)
}

/// Appends a section of `count` imports: those of the module, and the memory behind them.
fn put_imports(out: &mut Vec<u8>, count: u32, others: &[u8], memory: &[u8]) {
    let (module, name) = MEMORY_IMPORT;
    let entry = 1 + module.len() + 1 + name.len() + 1 + memory.len();
    let len = varint_len(count.into()) + others.len() + entry;
    let mut head = [0; 32];
    let mut writer = Writer::new(&mut head);
    writer.u8(IMPORT_SECTION);
    writer.u64(len as u64);
    writer.u32(count);
    let position = writer.position();
    out.extend_from_slice(head.get(..position).unwrap_or_default());
    out.extend_from_slice(others);
    let mut tail = [0; 32];
    let mut writer = Writer::new(&mut tail);
    writer.text(module);
    writer.text(name);
    writer.u8(MEMORY_KIND);
    let position = writer.position();
    out.extend_from_slice(tail.get(..position).unwrap_or_default());
    out.extend_from_slice(memory);
}
