//! The embedder's buffers for linear memories. Each is lent to one plugin at a time.

use alloc::vec::Vec;
use core::{
    slice,
    sync::atomic::{AtomicPtr, Ordering::Relaxed},
};

use crate::host::error::{LoadError, Loading};

/// A buffer of the embedder's, which is the linear memory of one plugin at a time.
///
/// The interpreter takes it as a `&'static mut [u8]` and never gives it back, so what is kept here
/// is where it is and how long.
pub(crate) struct Buffer {
    /// Atomic only because such a pointer may be sent between threads, as the buffer itself may.
    start: AtomicPtr<u8>,
    pub(crate) len: usize,
}

impl Buffer {
    fn new(bytes: &'static mut [u8]) -> Self {
        Self { start: AtomicPtr::new(bytes.as_mut_ptr()), len: bytes.len() }
    }

    /// The buffer itself.
    ///
    /// # Safety
    /// Every memory that was made of it before is gone, with the store that it was in.
    pub(crate) unsafe fn bytes(&self) -> &'static mut [u8] {
        // SAFETY: these are the start and the length of a `&'static mut [u8]` that was given to
        // `new`, so the bytes are there for good and nobody else's. What this function returned
        // before is not used any more, as the caller promises.
        unsafe { slice::from_raw_parts_mut(self.start.load(Relaxed), self.len) }
    }
}

/// The buffers that no plugin has, the smallest first.
#[derive(Default)]
pub(crate) struct Buffers(Vec<Buffer>);

impl Buffers {
    pub(crate) fn add(&mut self, bytes: &'static mut [u8]) {
        self.put(Buffer::new(bytes));
    }

    /// Takes back what a plugin had, once its store is gone.
    pub(crate) fn put(&mut self, buffer: Buffer) {
        let at = self.0.partition_point(|other| other.len < buffer.len);
        self.0.insert(at, buffer);
    }

    /// The largest one.
    pub(crate) fn take(&mut self) -> Option<&'static mut [u8]> {
        let buffer = self.0.pop()?;
        // SAFETY: no plugin has a buffer that is in this list, and `put` is called when the store
        // of the one that had it is gone.
        Some(unsafe { buffer.bytes() })
    }

    /// The smallest one that holds so many bytes.
    pub(crate) fn fitting(&mut self, needed: u64) -> Loading<Buffer> {
        let at = self.0.iter().position(|buffer| buffer.len as u64 >= needed);
        at.map(|at| self.0.remove(at)).ok_or_else(|| LoadError::NoStaticMemory { needed }.into())
    }
}
