//! Manifests as bytes, for devices: a version byte, then postcard. The same manifest is the same
//! bytes, and other bytes are refused.
//!
//! It does not read TOML, and needs no heap beyond what the manifest itself holds.

use alloc::{boxed::Box, collections::BTreeSet, vec, vec::Vec};
use core::fmt;

use super::{
    plugin_manifest::Manifest,
    version::{Version, VersionError},
};
#[cfg(feature = "hooks")]
use crate::{abi::message::HookEvent, host::HookError};
use crate::{
    abi::{
        Name, NameError, Seq, Value,
        wire::{Reader, Wire, WireError, WireErrorKind, Writer},
    },
    capability::{Capabilities, GlobError, Globs, MAX_GLOBS},
    host::{ConfigKeyError, OnDenied, PluginConfig},
    limits::Limits,
};

/// Version of the packed form: its first byte. Older ones are read too, with the default of each limit
/// that they lack, and without hooks and calls of plugins.
pub const PACKED_VERSION: u8 = 3;

/// The first packed form with `can_call_plugin` and hooks.
const HOOKS_SINCE: u8 = 3;

/// The version of [`Limits`] in a packed form that this crate reads.
const fn limits_version(packed: u8) -> Option<u8> {
    match packed {
        1 => Some(1),
        2 | PACKED_VERSION => Some(2),
        _ => None,
    }
}

/// Why bytes are not a packed manifest: what is wrong, and at which byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UnpackError {
    /// What is wrong.
    pub problem: UnpackProblem,
    /// Offset in bytes of the end of what is wrong.
    pub offset: u32,
}

/// What is wrong with a packed manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UnpackProblem {
    /// It is of a version that this crate does not know.
    PackedVersion(u8),
    /// It does not decode.
    Wire(WireErrorKind),
    /// The plugin's name is invalid.
    Name(NameError),
    /// The plugin's version is invalid.
    Version(VersionError),
    /// A capability's pattern is invalid.
    Glob(GlobError),
    /// A key of a setting is empty or too long.
    Key(ConfigKeyError),
    /// Entry points, events of hooks or keys are not in ascending order.
    Order,
    /// A hook is invalid.
    #[cfg(feature = "hooks")]
    Hook(HookError),
    /// The plugin has hooks, and this build has none: the feature `hooks` is off.
    NoHooks,
    /// It means something, and is not what packing that gives.
    NotCanonical,
}

impl fmt::Display for UnpackError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.problem {
            UnpackProblem::PackedVersion(found) => write!(
                f,
                "the packed manifest has version {found}, this crate reads 1 to {PACKED_VERSION}"
            )?,
            UnpackProblem::Wire(kind) => f.write_str(kind.as_str())?,
            UnpackProblem::Name(error) => write!(f, "the plugin's name: {error}")?,
            UnpackProblem::Version(error) => error.fmt(f)?,
            UnpackProblem::Glob(error) => error.fmt(f)?,
            UnpackProblem::Key(error) => error.fmt(f)?,
            UnpackProblem::Order => {
                write!(f, "entry points, hooks or configuration keys are not in ascending order")?
            }
            #[cfg(feature = "hooks")]
            UnpackProblem::Hook(ref error) => error.fmt(f)?,
            UnpackProblem::NoHooks => {
                f.write_str("the plugin has hooks, and the feature \"hooks\" is off")?;
            }
            UnpackProblem::NotCanonical => {
                write!(f, "the manifest is not in canonical form")?;
            }
        }
        write!(f, " (before byte {} of the packed manifest)", self.offset)
    }
}

impl core::error::Error for UnpackError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match &self.problem {
            UnpackProblem::Name(error) => Some(error),
            UnpackProblem::Version(error) => Some(error),
            UnpackProblem::Glob(error) => Some(error),
            UnpackProblem::Key(error) => Some(error),
            #[cfg(feature = "hooks")]
            UnpackProblem::Hook(error) => Some(error),
            UnpackProblem::PackedVersion(_)
            | UnpackProblem::NoHooks
            | UnpackProblem::Wire(_)
            | UnpackProblem::Order
            | UnpackProblem::NotCanonical => None,
        }
    }
}

impl From<WireError> for UnpackError {
    fn from(error: WireError) -> Self {
        Self { problem: UnpackProblem::Wire(error.kind), offset: error.offset }
    }
}

impl Manifest {
    /// The manifest as bytes.
    #[must_use]
    pub fn pack(&self) -> Vec<u8> {
        self.pack_version(PACKED_VERSION)
    }

    fn pack_version(&self, packed: u8) -> Vec<u8> {
        let mut counter = Writer::new(&mut []);
        self.encode(packed, &mut counter);
        let mut bytes = vec![0; counter.position()];
        self.encode(packed, &mut Writer::new(&mut bytes));
        bytes
    }

    /// The manifest that was packed.
    ///
    /// # Errors
    /// [`UnpackError`], for anything but the exact bytes that [`pack`](Self::pack) makes, or made in an
    /// older version.
    pub fn unpack(bytes: &[u8]) -> Result<Self, UnpackError> {
        let mut reader = Reader::new(bytes);
        let found = reader.u8()?;
        if limits_version(found).is_none() {
            return Err(at(&reader, UnpackProblem::PackedVersion(found)));
        }
        let name = Name::plugin(reader.text()?);
        let name = name.map_err(|error| at(&reader, UnpackProblem::Name(error)))?;
        let version = Version::new(reader.text()?);
        let version = version.map_err(|error| at(&reader, UnpackProblem::Version(error)))?;
        let mut entries = BTreeSet::<Box<str>>::new();
        for _ in 0..reader.u32()? {
            let entry = reader.text()?;
            if entries.last().is_some_and(|last| **last >= *entry) {
                return Err(at(&reader, UnpackProblem::Order));
            }
            entries.insert(entry.into());
        }
        let config = PluginConfig::decode_version(found, &mut reader)?;
        reader.finish()?;
        let manifest = Self { name, version, entries, config };
        // Numbers can be written in more bytes than they take, and a digest must not depend on it.
        if manifest.pack_version(found) != bytes {
            return Err(at(&reader, UnpackProblem::NotCanonical));
        }
        Ok(manifest)
    }

    fn encode(&self, packed: u8, writer: &mut Writer<'_>) {
        writer.u8(packed);
        writer.text(&self.name);
        writer.text(self.version.as_str());
        writer.len(self.entries.len());
        for entry in &self.entries {
            writer.text(entry);
        }
        self.config.encode_version(packed, writer);
    }
}

impl PluginConfig {
    /// Appends capabilities, limits, what a denial does, settings and hooks, as a packed manifest has
    /// them. The same configuration is the same bytes, so a digest of them identifies it.
    pub fn encode(&self, writer: &mut Writer<'_>) {
        self.encode_version(PACKED_VERSION, writer);
    }

    fn encode_version(&self, packed: u8, writer: &mut Writer<'_>) {
        let Capabilities {
            can_read_table,
            can_write_table,
            can_vector_search,
            can_index_search,
            can_call_host,
            can_call_plugin,
        } = &self.capabilities;
        encode_globs(can_read_table, writer);
        encode_globs(can_write_table, writer);
        writer.bool(*can_vector_search);
        writer.bool(*can_index_search);
        encode_globs(can_call_host, writer);
        if packed >= HOOKS_SINCE {
            encode_globs(can_call_plugin, writer);
        }
        self.limits.encode_version(limits_version(packed).unwrap_or(Limits::VERSION), writer);
        writer.u8(match self.on_denied {
            OnDenied::Status => 0,
            OnDenied::Trap => 1,
        });
        writer.len(self.settings().iter().len());
        for (key, value) in self.settings().iter() {
            writer.bytes(key);
            writer.raw(value);
        }
        if packed >= HOOKS_SINCE {
            self.encode_hooks(writer);
        }
    }

    #[cfg(feature = "hooks")]
    fn encode_hooks(&self, writer: &mut Writer<'_>) {
        writer.len(self.hooks().len());
        for hook in self.hooks() {
            hook.event().encode(writer);
            writer.text(hook.entry());
            encode_globs(hook.tables(), writer);
        }
    }

    #[cfg(not(feature = "hooks"))]
    fn encode_hooks(&self, writer: &mut Writer<'_>) {
        writer.len(0);
    }

    /// Takes a configuration from the front.
    ///
    /// # Errors
    /// [`UnpackError`].
    pub fn decode(reader: &mut Reader<'_>) -> Result<Self, UnpackError> {
        Self::decode_version(PACKED_VERSION, reader)
    }

    fn decode_version(packed: u8, reader: &mut Reader<'_>) -> Result<Self, UnpackError> {
        let capabilities = Capabilities {
            can_read_table: globs(reader, Globs::new)?,
            can_write_table: globs(reader, Globs::new)?,
            can_vector_search: reader.bool()?,
            can_index_search: reader.bool()?,
            can_call_host: globs(reader, Globs::named)?,
            can_call_plugin: match packed {
                HOOKS_SINCE.. => globs(reader, Globs::plugins)?,
                _ => Globs::default(),
            },
        };
        let version = limits_version(packed).unwrap_or(Limits::VERSION);
        let limits = Limits::decode_version(version, reader)?;
        let on_denied = match reader.u8()? {
            0 => OnDenied::Status,
            1 => OnDenied::Trap,
            _ => return Err(reader.error(WireErrorKind::UnknownVariant).into()),
        };
        let mut config = Self::new(capabilities).with_limits(limits).with_on_denied(on_denied);
        let mut last: Option<&str> = None;
        for _ in 0..reader.u32()? {
            let key = reader.text()?;
            if last.is_some_and(|last| last >= key) {
                return Err(at(reader, UnpackProblem::Order));
            }
            last = Some(key);
            let value = Value::decode(reader)?;
            config =
                config.set(key, value).map_err(|error| at(reader, UnpackProblem::Key(error)))?;
        }
        match packed {
            HOOKS_SINCE.. => config.decode_hooks(reader),
            _ => Ok(config),
        }
    }

    #[cfg(feature = "hooks")]
    fn decode_hooks(mut self, reader: &mut Reader<'_>) -> Result<Self, UnpackError> {
        let mut last = 0;
        for _ in 0..reader.u32()? {
            let event = HookEvent::decode(reader)?;
            if event.number() < last {
                return Err(at(reader, UnpackProblem::Order));
            }
            last = event.number();
            let entry = reader.text()?;
            let tables = globs(reader, Globs::new)?;
            self.add_hook(event, entry, tables)
                .map_err(|error| at(reader, UnpackProblem::Hook(error)))?;
        }
        Ok(self)
    }

    #[cfg(not(feature = "hooks"))]
    fn decode_hooks(self, reader: &mut Reader<'_>) -> Result<Self, UnpackError> {
        match reader.u32()? {
            0 => Ok(self),
            _ => Err(at(reader, UnpackProblem::NoHooks)),
        }
    }
}

fn at(reader: &Reader<'_>, problem: UnpackProblem) -> UnpackError {
    UnpackError { problem, offset: u32::try_from(reader.position()).unwrap_or(u32::MAX) }
}

fn encode_globs(globs: &Globs, writer: &mut Writer<'_>) {
    writer.len(globs.as_slice().len());
    for glob in globs.as_slice() {
        writer.text(glob.as_str());
    }
}

fn globs(
    reader: &mut Reader<'_>,
    parse: fn(&[&str]) -> Result<Globs, GlobError>,
) -> Result<Globs, UnpackError> {
    let patterns: Seq<'_, &str> = Seq::decode(reader)?;
    let mut list = heapless::Vec::<&str, MAX_GLOBS>::new();
    for pattern in patterns.iter() {
        if list.push(pattern).is_err() {
            let count = patterns.len();
            return Err(at(reader, UnpackProblem::Glob(GlobError::TooMany { count })));
        }
    }
    parse(&list).map_err(|error| at(reader, UnpackProblem::Glob(error)))
}
