//! Plugins' log messages, on their way to the [`log`] facade: made safe to print and cut to a
//! length, without allocating.
//!
//! It keeps nothing, and it does not choose where logs go: the embedder installs a logger.

use log::Level;

use crate::abi::message::LogLevel;
pub use crate::escaped::Escaped;

/// Hands `message` to the logger under `target` (say `sochdb::plugin::weather`).
///
/// At most `max_len` bytes of the message are kept, see [`Escaped`]. A level that the logger does
/// not want costs nothing but asking.
pub fn deliver(target: &str, level: LogLevel, message: &str, max_len: usize) {
    let level = match level {
        LogLevel::Debug => Level::Debug,
        LogLevel::Info => Level::Info,
        LogLevel::Warn => Level::Warn,
        LogLevel::Error => Level::Error,
    };
    if log::log_enabled!(target: target, level) {
        log::log!(target: target, level, "{}", Escaped::new(message, max_len));
    }
}
