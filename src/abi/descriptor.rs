//! What a plugin's module says about itself: the version it was built for, its buffers, and the names of
//! its imports and exports.

/// Version of this contract. A plugin carries the version that it was built for in its
/// [`Descriptor`]; a host loads only a version that it knows.
pub const ABI_VERSION: u32 = 1;

/// The module that a plugin imports the host functions from.
pub const IMPORT_MODULE: &str = "sochdb";

/// The exported global that holds the address of a plugin's [`Descriptor`].
pub const DESCRIPTOR_EXPORT: &str = "sochdb_plugin";

/// The key of `get_config` under which a plugin that another one called finds the name of that one, unless
/// it has a setting of this name.
pub const CALLER_KEY: &str = "sochdb.caller";

/// The entry point of a version that takes the place of another one: the host calls it before any other,
/// with the version before as a text. A plugin need not have it.
pub const MIGRATE_ENTRY: &str = "migrate";

/// The exported linear memory.
pub const MEMORY_EXPORT: &str = "memory";

/// Module and name of the linear memory of a plugin that imports it: as linkers call it.
pub const MEMORY_IMPORT: (&str, &str) = ("env", "memory");

/// Where a plugin's buffers are: five little-endian `u32` in linear memory, at the address that
/// the exported global `sochdb_plugin` holds. The host reads it once, when it loads the plugin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Descriptor {
    /// [`ABI_VERSION`] that the plugin was built for.
    pub abi_version: u32,
    /// Address of the Input Buffer, which the host writes before a call.
    pub input_ptr: u32,
    /// Size of the Input Buffer in bytes.
    pub input_capacity: u32,
    /// Address of the Output Buffer, which the plugin writes during a call.
    pub output_ptr: u32,
    /// Size of the Output Buffer in bytes.
    pub output_capacity: u32,
}

impl Descriptor {
    /// Its size in linear memory.
    pub const SIZE: usize = 20;

    /// Reads a descriptor from linear memory.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; Self::SIZE]) -> Self {
        let (words, _) = bytes.as_chunks::<4>();
        let field = |at: usize| words.get(at).map_or(0, |word| u32::from_le_bytes(*word));
        Self {
            abi_version: field(0),
            input_ptr: field(1),
            input_capacity: field(2),
            output_ptr: field(3),
            output_capacity: field(4),
        }
    }
}
