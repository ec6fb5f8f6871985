//! An allocator that counts what the running thread allocates. Tests run on threads of their own,
//! so each counts only itself.
#![allow(dead_code, reason = "each test file uses a part")]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
};

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
    static LIVE: Cell<i64> = const { Cell::new(0) };
    static PEAK: Cell<i64> = const { Cell::new(0) };
}

/// The system's allocator, counted.
struct Counting;

#[global_allocator]
static COUNTING: Counting = Counting;

fn count(allocations: u64, bytes: i64) {
    // A thread that ends frees what it had after its counters are gone.
    let _ = ALLOCATIONS.try_with(|counter| counter.set(counter.get() + allocations));
    let live = LIVE.try_with(|counter| {
        counter.set(counter.get() + bytes);
        counter.get()
    });
    if let Ok(live) = live {
        let _ = PEAK.try_with(|peak| peak.set(peak.get().max(live)));
    }
}

fn size(layout: Layout) -> i64 {
    layout.size() as i64
}

// SAFETY: every call goes to the system's allocator as it came; counting touches no memory of it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(1, size(layout));
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(1, size(layout));
        // SAFETY: as the caller promises.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // The old and the new block may be there at a time.
        count(1, new_size as i64);
        count(0, -size(layout));
        // SAFETY: as the caller promises.
        unsafe { System.realloc(ptr, layout, new_size) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        count(0, -size(layout));
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(ptr, layout) }
    }
}

/// How often `work` asks the allocator for memory, counted with what it returns.
pub fn allocations<R>(work: impl FnOnce() -> R) -> (u64, R) {
    let before = ALLOCATIONS.get();
    let result = work();
    (ALLOCATIONS.get() - before, result)
}

/// Bytes that this thread has allocated and not freed. Only differences mean anything.
pub fn live_bytes() -> i64 {
    LIVE.get()
}

/// The most bytes that were live at a time during `work`, beside those that were live before.
pub fn peak_bytes<R>(work: impl FnOnce() -> R) -> (i64, R) {
    let before = LIVE.get();
    PEAK.set(before);
    let result = work();
    (PEAK.get() - before, result)
}
