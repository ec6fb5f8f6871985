//! The contract with plugins: the bytes of `docs/abi.md` and of the wire format.

mod abi_doc;
mod abi_page;
mod builtins;
mod error_chains;
mod fuel_doc;
mod house;
mod limits_table;
mod pages;
mod public_names;
#[cfg(feature = "replay")]
mod versions;
mod wire;
mod wire_random;
