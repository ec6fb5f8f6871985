//! Plugins' log messages, line by line.

use log::{LevelFilter, Log, Metadata, Record};
use semihosting::println;

struct Logger;

impl Log for Logger {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        println!("  {} {}: {}", record.level(), record.target(), record.args());
    }

    fn flush(&self) {}
}

/// From here on the messages are printed.
pub fn init() {
    if log::set_logger(&Logger).is_ok() {
        log::set_max_level(LevelFilter::Info);
    }
}
