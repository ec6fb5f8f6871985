#![no_std]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(all(feature = "host", feature = "std"), doc = include_str!("../README.md"))]
#![cfg_attr(
    not(all(feature = "host", feature = "std")),
    doc = "Runs SochDB plugins where SochDB itself cannot go. The features decide what is here."
)]
#![deny(missing_docs)]
// A panic is a reset on a device. What the compiler cannot see to be safe returns an error.
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::unreachable,
        clippy::todo,
        clippy::indexing_slicing,
        clippy::string_slice,
        // A new variant of a closed list must be decided on wherever the list is matched.
        clippy::wildcard_enum_match_arm
    )
)]
#![warn(clippy::must_use_candidate)]

#[cfg(any(feature = "database", test))]
extern crate alloc;
#[cfg(any(feature = "std", test))]
extern crate std;

pub mod abi;
pub mod audit;
#[cfg(feature = "database")]
pub mod capability;
#[cfg(feature = "database")]
pub mod database;
#[cfg(feature = "database")]
mod escaped;
#[cfg(feature = "guest")]
pub mod guest;
#[cfg(feature = "host")]
pub mod host;
#[cfg(feature = "std")]
mod io_error;
pub mod limits;
#[cfg(feature = "host")]
pub mod manifest;
pub mod meter;
#[cfg(feature = "replay")]
pub mod replay;
#[cfg(all(feature = "replay", feature = "std"))]
pub mod testing;
#[cfg(feature = "record")]
pub mod trace;

#[cfg(feature = "std")]
pub use io_error::IoError;
