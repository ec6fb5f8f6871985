//! The hash that identifies a module in a trace.

/// SHA-256 of a module.
#[derive(PartialEq)]
#[cfg(feature = "record")]
pub(in crate::host) struct ModuleHash(pub(super) [u8; 32]);

/// Nothing: without traces nobody asks for the hash of a module. All modules are equal.
#[derive(PartialEq)]
#[cfg(not(feature = "record"))]
pub(in crate::host) struct ModuleHash;

impl ModuleHash {
    /// The hash of a module's bytes.
    #[cfg(feature = "record")]
    pub(in crate::host) fn of(wasm: &[u8]) -> Self {
        Self(crate::trace::chain::module_hash(wasm))
    }

    #[cfg(not(feature = "record"))]
    pub(in crate::host) const fn of(_wasm: &[u8]) -> Self {
        Self
    }
}
