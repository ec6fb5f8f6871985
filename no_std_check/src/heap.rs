//! The heap: a first-fit allocator over a fixed arena, and what it was asked for.

use core::{
    alloc::{GlobalAlloc, Layout},
    cell::UnsafeCell,
    mem::MaybeUninit,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

use embedded_alloc::LlffHeap;

use crate::HEAP_BYTES;

#[global_allocator]
static HEAP: Heap = Heap {
    inner: LlffHeap::empty(),
    live: AtomicUsize::new(0),
    peak: AtomicUsize::new(0),
    reach: AtomicUsize::new(0),
};

static ARENA: Arena = Arena(UnsafeCell::new(MaybeUninit::uninit()));

/// Aligned as the allocator aligns its own start, so that no byte of it is lost.
#[repr(align(8))]
struct Arena(UnsafeCell<MaybeUninit<[u8; HEAP_BYTES]>>);

// SAFETY: nothing but `init` takes the address, and the allocator that gets it does its own
// locking.
unsafe impl Sync for Arena {}

struct Heap {
    inner: LlffHeap,
    /// Bytes that are allocated, as they were asked for.
    live: AtomicUsize,
    /// The most that `live` ever was.
    peak: AtomicUsize,
    /// The end of the highest block ever given out, from the start of the arena.
    reach: AtomicUsize,
}

// SAFETY: both methods pass on what they are called with to an allocator that keeps the contract,
// and only count beside it.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise, passed on.
        let block = unsafe { self.inner.alloc(layout) };
        if !block.is_null() {
            let live = self.live.fetch_add(layout.size(), Relaxed) + layout.size();
            self.peak.fetch_max(live, Relaxed);
            let end = block.addr() + layout.size();
            self.reach.fetch_max(end - ARENA.0.get().addr(), Relaxed);
        }
        block
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise, passed on.
        unsafe { self.inner.dealloc(block, layout) };
        self.live.fetch_sub(layout.size(), Relaxed);
    }
}

/// Gives the arena to the allocator. Call it once, before anything allocates.
pub fn init() {
    // SAFETY: the arena is a static of this size, and nothing else uses it. A second call panics
    // in the allocator before it changes anything.
    unsafe { HEAP.inner.init(ARENA.0.get().addr(), HEAP_BYTES) }
}

/// Bytes that are allocated now, as they were asked for.
pub fn live() -> usize {
    HEAP.live.load(Relaxed)
}

/// The most bytes that were allocated at a time, as they were asked for.
pub fn peak() -> usize {
    HEAP.peak.load(Relaxed)
}

/// Bytes of the arena that were ever in use: with the allocator's rounding, and with the holes
/// that blocks of other sizes left.
pub fn reach() -> usize {
    HEAP.reach.load(Relaxed)
}

/// Counts from here on: the peak and the reach of what is live now.
pub fn reset() {
    HEAP.peak.store(live(), Relaxed);
    HEAP.reach.store(0, Relaxed);
}
