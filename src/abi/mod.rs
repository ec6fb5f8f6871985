//! The contract between host and plugin, compiled by both sides. No heap, no wasmi, no database.
//!
//! `docs/abi.md` says the same for people who write plugins in other languages.

mod bounds;
mod descriptor;
mod functions;
#[cfg(feature = "replay")]
pub(crate) mod inspect;
pub mod message;
mod name;
mod seq;
mod status;
mod value;
pub mod wire;

pub use bounds::{MAX_ERROR_LEN, MAX_GIVEN_ID};
pub use descriptor::{
    ABI_VERSION, CALLER_KEY, DESCRIPTOR_EXPORT, Descriptor, IMPORT_MODULE, MEMORY_EXPORT,
    MEMORY_IMPORT, MIGRATE_ENTRY,
};
pub use functions::{Builtin, Capability, FunctionSpec, HOST_FUNCTIONS};
pub use name::{MAX_NAME_LEN, Name, NameError};
pub use seq::{Seq, SeqIter};
pub use status::Status;
pub use value::{Value, ValueKind};
pub use wire::MAX_DEPTH;
