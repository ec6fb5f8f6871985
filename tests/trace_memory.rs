//! A device that has no memory for a growth: the refusal is in the trace, with the fuel that it cost,
//! and a replay on a machine with plenty of memory refuses it again.

mod support;
mod tracing;

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
};

use sochdb_wasmi::{
    host::PluginConfig,
    limits::Limits,
    trace::{Event, GrowthRefusal, Recorder},
};
use support::*;
use tracing::*;

thread_local! {
    /// The largest piece of memory that this thread gets.
    static LARGEST: Cell<usize> = const { Cell::new(usize::MAX) };
}

/// The system's allocator, which has no large pieces when it is told so.
struct Small;

#[global_allocator]
static SMALL: Small = Small;

fn refused(size: usize) -> bool {
    LARGEST.try_with(|largest| size > largest.get()).unwrap_or(false)
}

// SAFETY: every call goes to the system's allocator as it came, or is answered that there is no
// memory, which an allocator may say at any time.
unsafe impl GlobalAlloc for Small {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if refused(layout.size()) {
            return std::ptr::null_mut();
        }
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        if refused(new_size) {
            return std::ptr::null_mut();
        }
        // SAFETY: as the caller promises.
        unsafe { System.realloc(ptr, layout, new_size) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(ptr, layout) }
    }
}

#[test]
fn a_growth_without_memory_is_recorded_and_refused_again_in_the_replay() {
    let wasm = wat::parse_str(
        r#"(module
            (import "sochdb" "get_config" (func $get (param i32 i32 i32 i32) (result i32)))
            (memory (export "memory") 1)
            (global (export "sochdb_plugin") i32 (i32.const 0))
            (data (i32.const 0) "\01\00\00\00" "\00\01\00\00" "\00\01\00\00" "\00\02\00\00" "\00\01\00\00")
            (func (export "grow") (param i32) (result i32)
                (i32.store (i32.const 512) (memory.grow (i32.load (i32.const 256))))
                (i32.const 4))
            (func (export "grow_and_ask") (param i32) (result i32)
                (i32.store (i32.const 512) (memory.grow (i32.load (i32.const 256))))
                (drop (call $get (i32.const 0) (i32.const 1) (i32.const 1024) (i32.const 8)))
                (drop (memory.grow (i32.const 1)))
                (drop (call $get (i32.const 0) (i32.const 1) (i32.const 1024) (i32.const 8)))
                (i32.const 4)))"#,
    )
    .unwrap();
    let limits = Limits { deadline_ms: None, ..Limits::default() };
    let config = PluginConfig::new(everything()).with_limits(limits);
    let mut host = host();
    let plugin = host.load("growing", &wasm, &config).unwrap();
    host.record(Recorder::buffer(1 << 20));
    let mut grow = |entry: &str, pages: u32, largest: usize| {
        LARGEST.set(largest);
        let output = host.call(plugin, entry, &pages.to_le_bytes()).map(|o| o.output.to_vec());
        LARGEST.set(usize::MAX);
        i32::from_le_bytes(output.unwrap().try_into().unwrap())
    };
    let plenty = usize::MAX;
    assert_eq!(grow("grow", 20, 1 << 20), -1);
    assert_eq!(grow("grow_and_ask", 20, 1 << 20), -1);
    assert_eq!(grow("grow_and_ask", 20, plenty), 2);
    assert_eq!(grow("grow", 40, 1 << 20), -1);
    assert_eq!(grow("grow", 1000, plenty), -1);
    let (trace, audit) = taken(&mut host);
    let refusals: Vec<_> = frames(&trace)
        .iter()
        .filter_map(|frame| match event(payload(&trace, frame)).1 {
            Event::Growth(growth) => Some(growth.refusal),
            _ => None,
        })
        .collect();
    use GrowthRefusal::*;
    assert_eq!(refusals, [OutOfMemory, OutOfMemory, OutOfMemory, Limit]);
    assert_exact(&trace, &[&wasm]);
    assert_audit(&trace, &audit);
}
