//! `inspect`: what a plugin is made of, what it asks for, and whether it would load; and its
//! manifest packed, beside the module or in it.

use std::{collections::BTreeMap, fmt::Write, path::PathBuf};

use clap::Args;
use serde_json::{Value, json};
use sochdb_wasmi::{
    abi::Descriptor,
    database::{Database, MemoryLimits},
    host::{Hook, Host, HostConfig, NoClock, logs::Escaped},
    manifest::{
        Manifest, ManifestLoadError,
        section::{self, MANIFEST_SECTION},
    },
};

use crate::{
    files,
    formats::shape::{self, Signature, TYPES_SECTION},
    inputs::{
        manifest::{self, ManifestArguments},
        module::{self, Contents},
        stub::Stub,
    },
    report::{failure::Failure, output::Report},
};

#[derive(Args)]
pub struct Arguments {
    /// The plugin: a WebAssembly module.
    plugin: PathBuf,
    #[command(flatten)]
    manifest: ManifestArguments,
    /// Writes the manifest as bytes, for devices.
    #[arg(long, value_name = "FILE", requires = "manifest")]
    pack: Option<PathBuf>,
    /// Writes the module with the manifest in its section sochdb.manifest, if it loads.
    #[arg(long, value_name = "FILE", requires = "manifest")]
    embed: Option<PathBuf>,
}

/// Looks into a plugin.
pub fn inspect(arguments: &Arguments) -> Result<Report, Failure> {
    let path = &arguments.plugin;
    let mut wasm = files::read(path)?;
    let contents = module::read(path, &wasm)?;
    let carried = manifest::in_module(path, &wasm)?;
    let types = types(arguments, &wasm)?;
    let given = arguments.manifest.read(path, &wasm)?;
    let manifest = match given.clone().or_else(|| manifest::none(path)) {
        Some(manifest) => manifest,
        None => return Err(Failure::Usage { reason: "the plugin has no name".into() }),
    };
    if arguments.embed.is_some() {
        wasm = section::embed(&wasm, MANIFEST_SECTION, &manifest.pack())
            .map_err(|error| Failure::Section { path: path.clone(), error })?;
    }
    let loaded = try_load(&contents, &manifest, &wasm);
    let mut written = Vec::new();
    if let Some(target) = &arguments.pack {
        files::write(target, &manifest.pack())?;
        written.push(target.display().to_string());
    }
    if let (Some(target), Ok(_)) = (&arguments.embed, &loaded) {
        files::write(target, &wasm)?;
        written.push(target.display().to_string());
    }
    let inspected = Inspected {
        module_bytes: wasm.len(),
        contents,
        manifest: given,
        carried,
        types,
        loaded,
        written,
    };
    Ok(Report {
        data: inspected.text(),
        talk: String::new(),
        json: inspected.json(),
        code: inspected.loaded.is_err().into(),
    })
}

fn types(arguments: &Arguments, wasm: &[u8]) -> Result<BTreeMap<String, Signature>, Failure> {
    let path = || arguments.plugin.clone();
    let text = section::find(wasm, TYPES_SECTION)
        .map_err(|error| Failure::Section { path: path(), error })?;
    let text = std::str::from_utf8(text.unwrap_or_default());
    let text = text.map_err(|_| Failure::NotText { path: path() })?;
    shape::types(text).map_err(Failure::Types)
}

/// Loads the plugin into a host of its own, which provides the functions of a device that it imports.
fn try_load(
    contents: &Contents,
    manifest: &Manifest,
    wasm: &[u8],
) -> Result<Option<Descriptor>, ManifestLoadError> {
    let database = Database::in_memory(MemoryLimits::default());
    let mut host = Host::new(HostConfig::default(), database, NoClock);
    for (module, name) in contents.own_functions() {
        // A name that cannot be registered, or a second time: loading refuses or finds it.
        let _ = host.register(module, Stub::unanswered(module, name));
    }
    let plugin = manifest.load(&mut host, wasm)?;
    Ok(host.descriptor(plugin))
}

fn hook_json(hook: &Hook) -> Value {
    let tables: Vec<_> = hook.tables().as_slice().iter().map(|glob| glob.as_str()).collect();
    json!({ "event": hook.event().as_str(), "entry": hook.entry(), "tables": tables })
}

fn hook_text(hook: &Hook) -> String {
    let tables: Vec<_> = hook.tables().as_slice().iter().map(|glob| glob.as_str()).collect();
    let tables = match tables.as_slice() {
        [] => "all tables that it may read".into(),
        tables => tables.join(", "),
    };
    format!("{} {}: {tables}", hook.event().as_str(), hook.entry())
}

struct Inspected {
    module_bytes: usize,
    contents: Contents,
    manifest: Option<Manifest>,
    carried: Option<Manifest>,
    types: BTreeMap<String, Signature>,
    loaded: Result<Option<Descriptor>, ManifestLoadError>,
    written: Vec<String>,
}

impl Inspected {
    fn descriptor(&self) -> Option<Descriptor> {
        self.loaded.as_ref().ok().copied().flatten()
    }

    /// The hooks of the manifest that it is loaded under.
    fn hooks(&self) -> impl Iterator<Item = &Hook> {
        self.manifest.iter().flat_map(|manifest| manifest.config.hooks())
    }

    fn json(&self) -> Value {
        let entries: Vec<_> = self
            .contents
            .entries
            .iter()
            .map(|name| {
                let types = self.types.get(name).map(ToString::to_string);
                json!({ "name": name, "types": types })
            })
            .collect();
        let imports: Vec<_> = self
            .contents
            .needs()
            .map(|(name, needs)| json!({ "name": name, "needs": needs }))
            .collect();
        let sections: Vec<_> = self
            .contents
            .sections
            .iter()
            .map(|(name, bytes)| json!({ "name": name, "bytes": bytes }))
            .collect();
        let manifest = |manifest: &Option<Manifest>| {
            manifest
                .as_ref()
                .map(|m| json!({ "name": m.name.as_str(), "version": m.version.as_str() }))
        };
        json!({
            "loads": self.loaded.is_ok(),
            "error": self.loaded.as_ref().err().map(ToString::to_string),
            "manifest": manifest(&self.manifest),
            "carried_manifest": manifest(&self.carried),
            "abi_version": self.descriptor().map(|d| d.abi_version),
            "entries": entries,
            "buffers": self.descriptor().map(|d| json!({
                "input": { "address": d.input_ptr, "bytes": d.input_capacity },
                "output": { "address": d.output_ptr, "bytes": d.output_capacity },
            })),
            "hooks": self.hooks().map(hook_json).collect::<Vec<_>>(),
            "imports": imports,
            "capabilities": self.contents.capabilities(),
            "memory": self.contents.memory_json(),
            "module_bytes": self.module_bytes,
            "sections": sections,
            "written": self.written,
        })
    }

    /// Whether it loads, under which manifest, and on which host.
    fn loads(&self) -> String {
        let under = match &self.manifest {
            Some(manifest) => {
                format!("under the manifest of {} {}", manifest.name, manifest.version)
            }
            None => "without a manifest: nothing granted, default limits".into(),
        };
        if let Err(error) = &self.loaded {
            return format!("no, {under}: {error}");
        }
        let own: Vec<_> =
            self.contents.own_functions().map(|(m, name)| format!("{m}.{name}")).collect();
        match &*own.join(" and ") {
            "" => format!("yes, {under}"),
            own => format!("yes, {under}, on a host that provides {own}"),
        }
    }

    fn text(&self) -> String {
        let mut text = String::new();
        // Names are the module's own, and may be made to mislead a terminal.
        let mut line = |name: &str, value: String| {
            let _ = writeln!(text, "{name:<13} {}", Escaped::new(&value, usize::MAX));
        };
        line("loads", self.loads());
        if let Some(carried) = &self.carried {
            line("carries", format!("the manifest of {} {}", carried.name, carried.version));
        }
        if let Some(descriptor) = self.descriptor() {
            line("ABI", format!("version {}", descriptor.abi_version));
            let Descriptor { input_ptr, input_capacity, output_ptr, output_capacity, .. } =
                descriptor;
            line("buffers", format!("input {input_capacity} bytes at {input_ptr}"));
            line("", format!("output {output_capacity} bytes at {output_ptr}"));
        }
        match self.contents.memory {
            None => line("memory", "none of its own".into()),
            Some((initial, maximum, page)) => {
                let maximum = match maximum {
                    Some(pages) => format!("{} at most", pages.saturating_mul(page)),
                    None => "no maximum".into(),
                };
                let initial = initial.saturating_mul(page);
                line("memory", format!("{initial} bytes at the start, {maximum}, pages of {page}"));
            }
        }
        for (at, name) in self.contents.entries.iter().enumerate() {
            let title = if at == 0 { "entry points" } else { "" };
            match self.types.get(name) {
                Some(types) => line(title, format!("{name}: {types}")),
                None => line(title, name.clone()),
            }
        }
        for (at, hook) in self.hooks().enumerate() {
            line(if at == 0 { "hooks" } else { "" }, hook_text(hook));
        }
        for (at, (name, needs)) in self.contents.needs().enumerate() {
            line(if at == 0 { "imports" } else { "" }, format!("{name:<22} {needs}"));
        }
        line("size", format!("{} bytes", self.module_bytes));
        for (name, bytes) in &self.contents.sections {
            line("", format!("{name:<22} {bytes:>8}"));
        }
        for target in &self.written {
            line("written", target.clone());
        }
        text
    }
}
