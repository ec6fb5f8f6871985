//! The linear memory of a plugin that imports it: on the heap, or in a buffer of the embedder's.
//!
//! The interpreter makes a memory that the module declares itself.

use alloc::boxed::Box;

use wasmi::{Memory, MemoryType, Module, Store};

use super::{
    buffers::Buffer,
    state::{PluginState, reason},
};
use crate::{
    abi::MEMORY_IMPORT,
    database::Storage,
    host::error::{LoadError, Loading},
    limits::{Limit, LimitExceeded},
};

/// The type of the memory that a module imports, if it imports one.
pub(crate) fn imported(module: &Module) -> Option<MemoryType> {
    module.imports().find_map(|import| {
        let name = (import.module(), import.name());
        import.ty().memory().copied().filter(|_| name == MEMORY_IMPORT)
    })
}

/// How many bytes a memory has at first, if the plugin may have so many. The interpreter keeps the
/// size of a page to itself, but it says the bytes to its limiter: so it is asked for a memory,
/// which is refused.
pub(crate) fn initial_bytes<S: Storage + 'static>(
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
pub(crate) unsafe fn make<S: Storage + 'static>(
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
pub(crate) fn refused<S: Storage>(
    store: &Store<PluginState<S>>,
    error: &wasmi::Error,
) -> Box<LoadError> {
    Box::new(match store.data().growth.refused {
        Some(exceeded) => LoadError::Limit(exceeded),
        None => LoadError::Instantiation { reason: reason(error) },
    })
}
