//! Which manifest a command works under: a file in TOML, a packed one, the one in the module, or
//! none, which grants nothing.

use std::path::{Path, PathBuf};

use clap::Args;
use sochdb_wasmi::{
    abi::Name,
    manifest::{
        Manifest, Version,
        section::{self, MANIFEST_SECTION},
    },
};

use crate::{files, report::failure::Failure};

/// The options of a command that takes a manifest.
#[derive(Args)]
pub struct ManifestArguments {
    /// The manifest, in TOML or packed. Without one, nothing is granted.
    #[arg(long, value_name = "FILE")]
    pub manifest: Option<PathBuf>,
    /// Uses the manifest in the module's section sochdb.manifest.
    #[arg(long, conflicts_with = "manifest")]
    pub embedded: bool,
}

impl ManifestArguments {
    /// The manifest that was asked for, if one was.
    pub fn read(&self, plugin: &Path, wasm: &[u8]) -> Result<Option<Manifest>, Failure> {
        if let Some(path) = &self.manifest {
            return read(path).map(Some);
        }
        if !self.embedded {
            return Ok(None);
        }
        match in_module(plugin, wasm)? {
            Some(manifest) => Ok(Some(manifest)),
            None => Err(Failure::Usage {
                reason: format!("{} has no section {MANIFEST_SECTION}", plugin.display()),
            }),
        }
    }
}

/// The manifest that a module carries.
pub fn in_module(plugin: &Path, wasm: &[u8]) -> Result<Option<Manifest>, Failure> {
    let packed = section::find(wasm, MANIFEST_SECTION)
        .map_err(|error| Failure::Section { path: plugin.into(), error })?;
    packed.map(|packed| unpack(plugin, packed)).transpose()
}

/// A manifest that grants nothing, for a plugin that is named after its file.
pub fn none(plugin: &Path) -> Option<Manifest> {
    let stem = plugin.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    let name = Name::new(&stem.replace(['-', '.'], "_")).or_else(|_| Name::new("plugin")).ok()?;
    Some(Manifest::new(name, Version::new("0.0.0").ok()?))
}

/// The manifest in a file.
pub fn read(path: &Path) -> Result<Manifest, Failure> {
    let bytes = files::read(path)?;
    // No text in TOML begins with a control character but these; packed manifests begin with their
    // version.
    if bytes.first().is_some_and(|byte| *byte < b' ' && !b"\t\n\r".contains(byte)) {
        return unpack(path, &bytes);
    }
    let text = String::from_utf8(bytes).map_err(|_| Failure::NotText { path: path.into() })?;
    Manifest::from_toml(&text).map_err(|error| Failure::Document { path: path.into(), error })
}

fn unpack(path: &Path, bytes: &[u8]) -> Result<Manifest, Failure> {
    Manifest::unpack(bytes).map_err(|error| Failure::Packed { path: path.into(), error })
}
