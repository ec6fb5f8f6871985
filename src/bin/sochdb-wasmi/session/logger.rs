//! Prints plugins' log messages on stderr as they arrive.

use std::io::Write;

use crate::report::quiet;

struct Stderr;

static STDERR: Stderr = Stderr;

/// From now on, what plugins log is written to stderr.
pub fn install() {
    if quiet::is_set() {
        return;
    }
    // Only a second logger in the same process would be refused.
    let _ = log::set_logger(&STDERR);
    log::set_max_level(log::LevelFilter::Debug);
}

impl log::Log for Stderr {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        metadata.target().starts_with("sochdb::plugin::")
    }

    fn log(&self, record: &log::Record<'_>) {
        if self.enabled(record.metadata()) {
            let plugin = record.target().trim_start_matches("sochdb::plugin::");
            // Nobody can be told that stderr is closed.
            let _ = writeln!(
                std::io::stderr().lock(),
                "[{} {plugin}] {}",
                record.level(),
                record.args()
            );
        }
    }

    fn flush(&self) {}
}
