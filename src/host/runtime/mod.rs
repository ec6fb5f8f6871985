//! The host itself: loading and calling plugins, and recording and replaying their calls.

mod call;
mod config;
mod entering;
#[cfg(feature = "hooks")]
mod hooked;
mod host;
#[cfg(feature = "hooks")]
mod nested;
#[cfg(feature = "record")]
mod recording;
mod replace;
#[cfg(feature = "replay")]
mod replaying;
mod slicing;
#[cfg(feature = "hooks")]
mod writing;

pub use call::Outcome;
pub use config::HostConfig;
pub use host::Host;
#[cfg(feature = "hooks")]
pub use writing::WriteError;
