#![no_std]
#![doc = "Runs SochDB plugins where SochDB itself cannot go."]
#![deny(missing_docs)]

#[cfg(any(feature = "database", test))]
extern crate alloc;
#[cfg(any(feature = "std", test))]
extern crate std;

pub mod abi;
pub mod audit;
pub mod capability;
#[cfg(feature = "database")]
pub mod database;
#[cfg(feature = "guest")]
pub mod guest;
#[cfg(feature = "host")]
pub mod host;
pub mod limits;
pub mod meter;
