//! The event of a plugin that is loaded: digests stand for its grants and its configuration.

use alloc::vec::Vec;

use super::moments::Loaded;
use crate::{
    capability::{Capabilities, Globs},
    trace::{Digest, Load},
};

/// The event.
pub(super) fn load_event<'p>(plugin: &Loaded<'p>) -> Load<'p> {
    let identity = plugin.identity;
    Load {
        plugin: identity.id,
        name: &identity.name,
        module: &plugin.hash.0,
        limits: plugin.limits,
        trap_on_denied: plugin.trap_on_denied,
        capabilities: capabilities_digest(&identity.capabilities),
        config: settings_digest(identity.settings.iter()),
    }
}

/// Digest of grants: the patterns of tables to read, to write and of named functions, each list
/// after its count and each pattern after its length, then two bytes of 0 or 1; then the patterns of
/// plugins to call, if there are any.
fn capabilities_digest(granted: &Capabilities) -> Digest {
    let mut bytes = Vec::new();
    let lists: [&Globs; 3] =
        [&granted.can_read_table, &granted.can_write_table, &granted.can_call_host];
    for globs in lists {
        add(&mut bytes, globs);
    }
    bytes.extend([granted.can_vector_search, granted.can_index_search].map(u8::from));
    if !granted.can_call_plugin.as_slice().is_empty() {
        add(&mut bytes, &granted.can_call_plugin);
    }
    Digest::of(&bytes)
}

/// A list of patterns: their count, and each after its length.
fn add(bytes: &mut Vec<u8>, globs: &Globs) {
    bytes.extend((globs.as_slice().len() as u32).to_le_bytes());
    for glob in globs.as_slice() {
        bytes.extend((glob.as_str().len() as u32).to_le_bytes());
        bytes.extend(glob.as_str().as_bytes());
    }
}

/// Digest of a configuration: keys rising, each key and each value after its length.
fn settings_digest<'s>(settings: impl Iterator<Item = (&'s [u8], &'s [u8])>) -> Digest {
    let mut bytes = Vec::new();
    for part in settings.flat_map(|(key, value)| [key, value]) {
        bytes.extend((part.len() as u32).to_le_bytes());
        bytes.extend(part);
    }
    Digest::of(&bytes)
}
