//! `--quiet`: whether anything but data and errors is printed. Set once, before a command runs.

use std::sync::atomic::{AtomicBool, Ordering};

static QUIET: AtomicBool = AtomicBool::new(false);

/// From now on, only data and errors are printed.
pub fn set() {
    QUIET.store(true, Ordering::Relaxed);
}

/// Whether only data and errors are printed.
pub fn is_set() -> bool {
    QUIET.load(Ordering::Relaxed)
}
