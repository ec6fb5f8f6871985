//! The buffers that a plugin shares with its host, and the only `unsafe` over them.
//!
//! It does not know what is in them; [`entry`](super::entry) decodes and encodes.

use core::cell::{Cell, UnsafeCell};

use crate::abi::ABI_VERSION;

/// The Input Buffer, the Output Buffer and the scratch of a plugin's host calls. The macro
/// [`plugin!`](crate::plugin) makes one, as a static.
pub struct Buffers<const INPUT: usize, const OUTPUT: usize, const SCRATCH: usize> {
    busy: Cell<bool>,
    input: UnsafeCell<[u8; INPUT]>,
    output: UnsafeCell<[u8; OUTPUT]>,
    scratch: UnsafeCell<[u8; SCRATCH]>,
}

// SAFETY: a `wasm32` module without the `atomics` feature has one thread, so a reference that is
// shared "between threads" never is. On every other target `Buffers` is not `Sync`.
#[cfg(all(target_arch = "wasm32", not(target_feature = "atomics")))]
unsafe impl<const I: usize, const O: usize, const S: usize> Sync for Buffers<I, O, S> {}

impl<const INPUT: usize, const OUTPUT: usize, const SCRATCH: usize> Default
    for Buffers<INPUT, OUTPUT, SCRATCH>
{
    fn default() -> Self {
        Self::new()
    }
}

impl<const INPUT: usize, const OUTPUT: usize, const SCRATCH: usize>
    Buffers<INPUT, OUTPUT, SCRATCH>
{
    /// Zeroed buffers.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            busy: Cell::new(false),
            input: UnsafeCell::new([0; INPUT]),
            output: UnsafeCell::new([0; OUTPUT]),
            scratch: UnsafeCell::new([0; SCRATCH]),
        }
    }

    /// Lends the buffers to `body`: input, output, scratch. `None` if they are lent already, which
    /// happens only if a plugin calls one of its own entry points from inside another.
    pub fn lend<T>(&self, body: impl FnOnce(&[u8], &mut [u8], &mut [u8]) -> T) -> Option<T> {
        if self.busy.replace(true) {
            return None;
        }
        // SAFETY: the three cells are private to this module and this is the only place that takes
        // references out of them. `busy` was false, so no references from an earlier `lend` of this
        // value live: they end with `body`, before `busy` is cleared below. (A `body` that unwinds
        // leaves `busy` set, which refuses all later calls; a plugin that traps is restarted with
        // fresh memory.) `Buffers` is not `Sync` where there are threads. The host writes the
        // Input Buffer before it calls an entry point and reads the Output Buffer after that
        // returned, never in between: it does not re-enter the plugin, and in host calls it only
        // touches the two regions that the call names.
        let (input, output, scratch) =
            unsafe { (&*self.input.get(), &mut *self.output.get(), &mut *self.scratch.get()) };
        let result = body(input, output, scratch);
        self.busy.set(false);
        Some(result)
    }

    /// The descriptor of these buffers.
    pub const fn descriptor(&'static self) -> RawDescriptor {
        RawDescriptor {
            abi_version: ABI_VERSION,
            input_ptr: self.input.get().cast(),
            input_capacity: INPUT as u32,
            output_ptr: self.output.get().cast(),
            output_capacity: OUTPUT as u32,
        }
    }
}

/// A [`Descriptor`](crate::abi::Descriptor) as it lies in a plugin's memory, with addresses that
/// the linker fills in.
#[repr(C)]
pub struct RawDescriptor {
    abi_version: u32,
    input_ptr: *const u8,
    input_capacity: u32,
    output_ptr: *const u8,
    output_capacity: u32,
}

#[cfg(target_arch = "wasm32")]
const _: () = assert!(size_of::<RawDescriptor>() == crate::abi::Descriptor::SIZE);

// SAFETY: the addresses are never dereferenced on this side; they are numbers for the host.
unsafe impl Sync for RawDescriptor {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_that_are_lent_are_not_lent_again() {
        let buffers = Buffers::<4, 4, 4>::new();
        let inner = buffers.lend(|_, _, _| buffers.lend(|_, _, _| ()));
        assert_eq!(inner, Some(None));
        assert_eq!(buffers.lend(|_, _, _| ()), Some(()));
    }

    #[test]
    fn what_one_call_leaves_in_the_buffers_the_next_one_finds() {
        let buffers = Buffers::<4, 4, 4>::new();
        buffers.lend(|_, output, scratch| {
            output[0] = 1;
            scratch[3] = 2;
        });
        let found = buffers.lend(|_, output, scratch| (output[0], scratch[3]));
        assert_eq!(found, Some((1, 2)));
    }
}
