//! What makes a module of bytes: with the validator, or by trust in their SHA-256. The checks of this
//! crate are in [`load`](super::load).

use wasmi::{Engine, Error, Module};

#[cfg(feature = "trusted")]
use crate::host::error::{LoadError, Loading};

/// How a module is made of bytes, with the validator or without.
pub(crate) struct Compiler {
    /// Refuses a module that is not valid.
    pub(crate) validate: fn(&Engine, &[u8]) -> Result<(), Error>,
    pub(crate) translate: fn(&Engine, &[u8]) -> Result<Module, Error>,
}

impl Compiler {
    #[cfg(feature = "validate")]
    pub(crate) fn validating() -> Self {
        Self {
            validate: |engine, wasm| Module::validate(engine, wasm),
            translate: |engine, wasm| Module::new(engine, wasm),
        }
    }

    /// One for a module of this SHA-256.
    ///
    /// # Safety
    /// Whatever is compiled is a valid module under the configuration that this crate gives every engine.
    #[cfg(feature = "trusted")]
    pub(crate) unsafe fn trusting(wasm: &[u8], sha256: &[u8; 32]) -> Loading<Self> {
        use sha2::Digest;
        if sha2::Sha256::digest(wasm)[..] != sha256[..] {
            return Err(LoadError::OtherModule.into());
        }
        Ok(Self {
            validate: |_, _| Ok(()),
            // SAFETY: the caller promises that the module is valid. What the rewritings make of a valid
            // module is valid: one moves the memory from a section to another, the other puts empty blocks
            // and `nop`s between operators, which change no operand.
            translate: |engine, wasm| unsafe { Module::new_unchecked(engine, wasm) },
        })
    }
}
