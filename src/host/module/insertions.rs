//! A module's code with operators put into it: barriers before those that the interpreter translates
//! wrongly, and `nop`s that charge for locals.
//!
//! Where barriers belong is what [`operators`](super::operators) finds; how many `nop`s a function gets is
//! what [`locals`](super::locals) says. The rest of the module stays as it is.

use alloc::vec::Vec;

use super::locals;
use crate::abi::wire::{Reader, WireError, Writer, varint_len};

pub(crate) const CODE_SECTION: u8 = 10;

/// An empty block: `block`, `end`.
const BARRIER: [u8; 3] = [0x02, 0x40, 0x0b];

const NOP: u8 = 0x01;

/// What is put into a module's code. Most modules need nothing.
#[derive(Default)]
pub(crate) struct Insertions {
    /// The stores and selects that need a barrier: their offsets in the code section, rising.
    pub(super) barriers: Vec<u32>,
    /// The `nop`s of all functions.
    pub(super) nops: usize,
}

impl Insertions {
    /// The bytes of the module for which these were found, with them; `None` if there are none.
    ///
    /// Not inlined: what it needs of the stack shall not lie there while the module is compiled.
    #[inline(never)]
    pub(crate) fn put_into(&self, wasm: &[u8]) -> Option<Vec<u8>> {
        if self.barriers.is_empty() && self.nops == 0 {
            return None;
        }
        self.rewritten(wasm).ok()
    }

    fn rewritten(&self, wasm: &[u8]) -> Result<Vec<u8>, WireError> {
        let mut sections = Reader::new(wasm);
        let header = sections.take(8)?;
        // The lengths of the section and of functions may take more bytes: up to five, with many `nop`s.
        let added = self.barriers.len() * (BARRIER.len() + 1) + self.nops * 2;
        let mut out = Vec::with_capacity(wasm.len() + added + 5);
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
        let (mut rest, mut barriers) = (functions, &*self.barriers);
        while !rest.rest().is_empty() {
            let body_len = Function::next(&mut rest, &mut barriers)?.new_len();
            len += varint_len(body_len as u64) + body_len;
        }
        out.push(CODE_SECTION);
        put_u32(out, len as u32);
        put_u32(out, count);
        let mut barriers = &*self.barriers;
        while !functions.rest().is_empty() {
            Function::next(&mut functions, &mut barriers)?.put(out);
        }
        Ok(())
    }
}

/// A function of a code section, and what is put into it.
struct Function<'a, 's> {
    body: &'a [u8],
    /// Where the body begins in the section.
    start: usize,
    /// Bytes of the declarations of locals, behind which the `nop`s go.
    declarations: usize,
    nops: usize,
    barriers: &'s [u32],
}

impl<'a, 's> Function<'a, 's> {
    /// The next function, and of the barriers those that are in it.
    fn next(functions: &mut Reader<'a>, barriers: &mut &'s [u32]) -> Result<Self, WireError> {
        let body = functions.bytes()?;
        let end = functions.position();
        let inside = barriers.partition_point(|&operator| (operator as usize) < end);
        let (here, later) = barriers.split_at_checked(inside).unwrap_or_default();
        *barriers = later;
        let mut declarations = Reader::new(body);
        let nops = locals::nops(&mut declarations)?;
        let declarations = declarations.position();
        Ok(Self { body, start: end - body.len(), declarations, nops, barriers: here })
    }

    const fn new_len(&self) -> usize {
        self.body.len() + self.nops + self.barriers.len() * BARRIER.len()
    }

    fn put(&self, out: &mut Vec<u8>) {
        put_u32(out, self.new_len() as u32);
        out.extend_from_slice(self.body.get(..self.declarations).unwrap_or_default());
        out.resize(out.len() + self.nops, NOP);
        let mut done = self.declarations;
        for &operator in self.barriers {
            let at = operator as usize - self.start;
            out.extend_from_slice(self.body.get(done..at).unwrap_or_default());
            out.extend_from_slice(&BARRIER);
            done = at;
        }
        out.extend_from_slice(self.body.get(done..).unwrap_or_default());
    }
}

fn put_u32(out: &mut Vec<u8>, value: u32) {
    let mut bytes = [0; 5];
    let mut writer = Writer::new(&mut bytes);
    writer.u32(value);
    let len = writer.position();
    out.extend_from_slice(bytes.get(..len).unwrap_or_default());
}
