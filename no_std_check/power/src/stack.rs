//! How deep the stack went, in all and in one function: the firmware beside, whose painter this
//! is, looks only at all of it.

#[path = "../../src/stack.rs"]
mod painted;

pub use painted::{paint, peak};

/// Bytes of stack that `work` takes below the frame that calls it. What was painted before is
/// painted again.
#[cfg(feature = "flash")]
#[inline(never)]
pub fn of(work: impl FnOnce()) -> usize {
    paint();
    let before = peak();
    work();
    // The painter leaves what it may use itself.
    peak() - before + 256
}
