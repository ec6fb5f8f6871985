//! The manifest as people write it: SochDB's sections and fields, read strictly, and this crate's
//! own beside them.
//!
//! A field that SochDB has and this host cannot honour is an error that says so: passing over it
//! would pretend to protect, or to do, something.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};

use super::{
    config, config_schema,
    document::{Document, Field, Table, shown},
    hooks,
    patterns::globs,
    plugin_manifest::Manifest,
    problem::{DocumentError, Problem},
    version::Version,
};
use crate::{
    abi::Name,
    capability::{Capabilities, Globs},
    host::{OnDenied, PluginConfig},
    limits::{KEYS, LIMITS, LimitSpec, Limits},
};

const SECTIONS: &[&str] =
    &["plugin", "capabilities", "resources", "exports", "hooks", "config", "config_schema"];
const PLUGIN: &[&str] =
    &["name", "version", "description", "author", "license", "homepage", "repository"];
const CAPABILITIES: &[&str] = &[
    "can_read_table",
    "can_write_table",
    "can_vector_search",
    "can_index_search",
    "can_call_plugin",
    "can_call_host",
    "on_denied",
];
impl Manifest {
    /// Reads a manifest in TOML. `docs/manifest.md` has its fields.
    ///
    /// # Errors
    /// [`DocumentError`] of the first line that is wrong, after syntax: an unknown field, a value
    /// of another type, an invalid pattern, a limit out of range, a field that this host
    /// cannot honour.
    pub fn from_toml(text: &str) -> Result<Self, DocumentError> {
        let document = Document::parse(text)?;
        let root = document.root();
        let mut plugin = None;
        let mut entries = BTreeSet::new();
        let (mut capabilities, mut on_denied) = Default::default();
        let mut limits = Limits::default();
        let (mut config_section, mut schema) = (None, None);
        let mut hooked = PluginConfig::default();
        for section in root.fields() {
            match section.name {
                "plugin" => plugin = Some(metadata(section.value.table()?)?),
                "capabilities" => (capabilities, on_denied) = rights(section.value.table()?)?,
                "resources" => limits = resources(section.value.table()?)?,
                "exports" => entries = exports(section.value.table()?)?,
                "hooks" => hooked = hooks::hooks(section.value.table()?)?,
                "config" => {
                    let table = section.value.table()?;
                    config_section = Some((table, config::settings(table)?));
                }
                "config_schema" => schema = Some(section.value.table()?),
                _ => return Err(section.unknown(SECTIONS)),
            }
        }
        let (name, version) = plugin.ok_or_else(|| root.missing("plugin"))?;
        let (given, mut settings) =
            config_section.map_or_else(Default::default, |(table, settings)| {
                (table.fields().iter().map(|field| (field.value, field.name)).collect(), settings)
            });
        if let Some(schema) = schema {
            let given: Vec<_> = given;
            config_schema::check(schema, &given, &mut settings)?;
        }
        let mut config = hooked.with_limits(limits).with_on_denied(on_denied);
        config.capabilities = capabilities;
        for setting in settings {
            config.insert_encoded(&setting.key, setting.value);
        }
        Ok(Self { entries, config, ..Self::new(name, version) })
    }
}

fn unsupported(field: &str, why: &'static str) -> Problem {
    Problem::Unsupported { field: shown(field), why }
}

/// The name and the version. What is for people is only checked to be text.
fn metadata(table: Table<'_>) -> Result<(Name, Version), DocumentError> {
    let (mut name, mut version) = (None, None);
    for field in table.fields() {
        let value = field.value.text();
        match field.name {
            "name" => {
                let error = |error| Problem::Name { field: shown(field.name), error };
                name = Some(Name::plugin(value?).map_err(|e| field.value.error(error(e)))?);
            }
            "version" => {
                let checked = Version::new(value?);
                version = Some(checked.map_err(|e| field.value.error(Problem::Version(e)))?);
            }
            "description" | "author" | "license" | "homepage" | "repository" => {
                value?;
            }
            "min_kernel_version" => {
                let why = "this host is not SochDB's kernel and has other versions";
                return Err(field.error(unsupported(field.name, why)));
            }
            _ => return Err(field.unknown(PLUGIN)),
        }
    }
    let name = name.ok_or_else(|| table.missing("name"))?;
    Ok((name, version.ok_or_else(|| table.missing("version"))?))
}

fn rights(table: Table<'_>) -> Result<(Capabilities, OnDenied), DocumentError> {
    let (mut granted, mut on_denied) = (Capabilities::default(), OnDenied::Status);
    for field in table.fields() {
        let value = field.value;
        match field.name {
            "can_read_table" => granted.can_read_table = globs(value, Globs::new)?,
            "can_write_table" => granted.can_write_table = globs(value, Globs::new)?,
            "can_vector_search" => granted.can_vector_search = value.bool()?,
            "can_index_search" => granted.can_index_search = value.bool()?,
            "can_call_host" => granted.can_call_host = globs(value, Globs::named)?,
            "can_call_plugin" => granted.can_call_plugin = globs(value, Globs::plugins)?,
            "on_denied" => {
                on_denied = value.one_of(OnDenied::WORDS, OnDenied::ALL)?;
            }
            _ => return Err(field.unknown(CAPABILITIES)),
        }
    }
    Ok((granted, on_denied))
}

fn resources(table: Table<'_>) -> Result<Limits, DocumentError> {
    let mut limits = Limits::default();
    // Which key gave a limit that has several.
    let mut given: BTreeMap<&str, &'static str> = BTreeMap::new();
    for field in table.fields() {
        let (spec, key, value) = resource(&field)?;
        // `no_timeout = false` gives nothing.
        let Some(value) = value else { continue };
        if let Some(with) = given.insert(spec.field, key) {
            return Err(field.error(Problem::Conflict { field: key, with }));
        }
        spec.set(&mut limits, value);
    }
    Ok(limits)
}

/// A limit of a manifest: its row of the table, the key, and its value, which is `Some(None)` for no
/// limit.
type Resource = (&'static LimitSpec, &'static str, Option<Option<u64>>);

fn resource(field: &Field<'_>) -> Result<Resource, DocumentError> {
    for spec in LIMITS {
        if field.name == spec.key {
            let value = field.value.integer(spec.min, spec.max)?;
            return Ok((spec, spec.key, Some(Some(value))));
        }
        if let Some((key, shift)) = spec.scaled
            && field.name == key
        {
            let value = field.value.integer(1, spec.max >> shift)?;
            return Ok((spec, key, Some(Some(value << shift))));
        }
        if let Some(key) = spec.unlimited
            && field.name == key
        {
            return Ok((spec, key, field.value.bool()?.then_some(None)));
        }
    }
    Err(field.unknown(KEYS))
}

fn exports(table: Table<'_>) -> Result<BTreeSet<alloc::boxed::Box<str>>, DocumentError> {
    let mut entries = BTreeSet::new();
    for field in table.fields() {
        if field.name != "functions" {
            return Err(field.unknown(&["functions"]));
        }
        for (item, text) in field.value.texts()? {
            if !entries.insert(text.into()) {
                let (field, value) = (shown(field.name), shown(text));
                return Err(item.error(Problem::Duplicate { field, value }));
            }
        }
    }
    Ok(entries)
}
