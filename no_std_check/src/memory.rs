//! Linear memory of plugins, in static buffers: it is there from the start, and no heap must have a
//! hole of its size.

use core::{
    cell::UnsafeCell,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
};

/// A buffer that can be taken once.
pub struct LinearMemory<const BYTES: usize> {
    taken: AtomicBool,
    bytes: UnsafeCell<[u8; BYTES]>,
}

// SAFETY: `take` is the only way to the bytes, and gives them to one caller only.
unsafe impl<const BYTES: usize> Sync for LinearMemory<BYTES> {}

impl<const BYTES: usize> LinearMemory<BYTES> {
    pub const fn new() -> Self {
        Self { taken: AtomicBool::new(false), bytes: UnsafeCell::new([0; BYTES]) }
    }

    /// The buffer; the second time, none.
    pub fn take(&'static self) -> &'static mut [u8] {
        match self.taken.swap(true, Relaxed) {
            true => &mut [],
            // SAFETY: nobody took it before, and nobody will after.
            false => unsafe { &mut *self.bytes.get() },
        }
    }
}
