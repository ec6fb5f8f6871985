//! The linear memory of a plugin that imports it: on the heap, or in a buffer of the embedder's.
//!
//! A memory that the module declares itself is the interpreter's business.

use alloc::{boxed::Box, vec::Vec};
use core::{
    slice,
    sync::atomic::{AtomicPtr, Ordering::Relaxed},
};

use wasmi::{Memory, MemoryType, Module, Store};

use super::{
    error::{LoadError, Loading},
    plugin::{PluginState, reason},
};
use crate::{
    abi::MEMORY_IMPORT,
    database::Storage,
    limits::{Limit, LimitExceeded},
};

/// A buffer of the embedder's, which is the linear memory of one plugin at a time.
///
/// The interpreter takes it as a `&'static mut [u8]` and never gives it back, so what is kept here
/// is where it is and how long.
pub(super) struct Buffer {
    /// Atomic only because such a pointer may be sent between threads, as the buffer itself may.
    start: AtomicPtr<u8>,
    len: usize,
}

impl Buffer {
    fn new(bytes: &'static mut [u8]) -> Self {
        Self { start: AtomicPtr::new(bytes.as_mut_ptr()), len: bytes.len() }
    }

    /// The buffer itself.
    ///
    /// # Safety
    /// Every memory that was made of it before is gone, with the store that it was in.
    unsafe fn bytes(&self) -> &'static mut [u8] {
        // SAFETY: these are the start and the length of a `&'static mut [u8]` that was given to
        // `new`, so the bytes are there for good and nobody else's. What this function returned
        // before is not used any more, as the caller promises.
        unsafe { slice::from_raw_parts_mut(self.start.load(Relaxed), self.len) }
    }
}

/// The buffers that no plugin has, the smallest first.
#[derive(Default)]
pub(super) struct Buffers(Vec<Buffer>);

impl Buffers {
    pub(super) fn add(&mut self, bytes: &'static mut [u8]) {
        self.put(Buffer::new(bytes));
    }

    /// Takes back what a plugin had, once its store is gone.
    pub(super) fn put(&mut self, buffer: Buffer) {
        let at = self.0.partition_point(|other| other.len < buffer.len);
        self.0.insert(at, buffer);
    }

    /// The largest one.
    pub(super) fn take(&mut self) -> Option<&'static mut [u8]> {
        let buffer = self.0.pop()?;
        // SAFETY: no plugin has a buffer that is in this list, and `put` is called when the store
        // of the one that had it is gone.
        Some(unsafe { buffer.bytes() })
    }

    /// The smallest one that holds so many bytes.
    pub(super) fn fitting(&mut self, needed: u64) -> Loading<Buffer> {
        let at = self.0.iter().position(|buffer| buffer.len as u64 >= needed);
        at.map(|at| self.0.remove(at)).ok_or_else(|| LoadError::NoStaticMemory { needed }.into())
    }
}

/// The type of the memory that a module imports, if it imports one.
pub(super) fn imported(module: &Module) -> Option<MemoryType> {
    module.imports().find_map(|import| {
        let name = (import.module(), import.name());
        import.ty().memory().copied().filter(|_| name == MEMORY_IMPORT)
    })
}

/// How many bytes a memory has at first, if the plugin may have so many. The interpreter keeps the
/// size of a page to itself, but it says the bytes to its limiter: so it is asked for a memory,
/// which is refused.
pub(super) fn initial_bytes<S: Storage + 'static>(
    store: &mut Store<PluginState<S>>,
    ty: MemoryType,
) -> Loading<u64> {
    let allowed = core::mem::take(&mut store.data_mut().growth.memory_bytes);
    let _ = Memory::new(&mut *store, ty);
    let growth = &mut store.data_mut().growth;
    growth.memory_bytes = allowed;
    let asked = growth.refused.take().map_or(0, |refused| refused.asked);
    if asked > allowed.into() {
        let limit = Limit::LinearMemory;
        return Err(
            LoadError::Limit(LimitExceeded { limit, allowed: allowed.into(), asked }).into()
        );
    }
    Ok(asked)
}

/// Makes the memory that a module imports.
///
/// # Safety
/// `store` is the first one since `buffer` was taken from its list, or the one before is gone.
pub(super) unsafe fn make<S: Storage + 'static>(
    store: &mut Store<PluginState<S>>,
    ty: MemoryType,
    buffer: Option<&Buffer>,
) -> Loading<Memory> {
    let made = match buffer {
        None => Memory::new(&mut *store, ty),
        Some(buffer) => {
            // The limiter refuses what the buffer does not hold: the interpreter does not expect
            // that a memory cannot grow for another reason.
            let growth = &mut store.data_mut().growth;
            let len = u32::try_from(buffer.len).unwrap_or(u32::MAX);
            growth.memory_bytes = growth.memory_bytes.min(len);
            // SAFETY: the caller's promise.
            Memory::new_static(&mut *store, ty, unsafe { buffer.bytes() })
        }
    };
    made.map_err(|error| refused(store, &error))
}

/// Why something was not made: what the limiter refused, or what the interpreter says.
pub(super) fn refused<S: Storage>(
    store: &Store<PluginState<S>>,
    error: &wasmi::Error,
) -> Box<LoadError> {
    Box::new(match store.data().growth.refused {
        Some(exceeded) => LoadError::Limit(exceeded),
        None => LoadError::Instantiation { reason: reason(error) },
    })
}
