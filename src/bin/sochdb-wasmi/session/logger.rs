//! Prints plugins' log messages on stderr as they arrive, as far as `RUST_LOG` wants them.

use std::{env, io::Write};

use env_filter::Filter;

use crate::report::{failure::Failure, verbosity};

/// The environment variable: levels, for all plugins or by plugin, as `env_logger` reads them.
const VARIABLE: &str = "RUST_LOG";

struct Stderr {
    filter: Filter,
}

/// From now on, what plugins log is written to stderr.
///
/// # Errors
/// `RUST_LOG` is invalid.
pub fn install() -> Result<(), Failure> {
    if verbosity::is_quiet() {
        return Ok(());
    }
    let wanted = env::var(VARIABLE).ok().filter(|wanted| !wanted.trim().is_empty());
    let wanted = wanted.as_deref().unwrap_or("debug");
    let mut filter = env_filter::Builder::new();
    filter.try_parse(wanted).map_err(|error| Failure::Usage {
        reason: format!("the environment variable {VARIABLE}: {error}"),
    })?;
    let filter = filter.build();
    log::set_max_level(filter.filter());
    // Only a second logger in the same process would be refused.
    let _ = log::set_boxed_logger(Box::new(Stderr { filter }));
    Ok(())
}

impl log::Log for Stderr {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        metadata.target().starts_with("sochdb::plugin::") && self.filter.enabled(metadata)
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
