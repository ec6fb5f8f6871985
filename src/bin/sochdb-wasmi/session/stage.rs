//! The setup of a run: a host with the plugin under its manifest, and tables from files.

use std::{fmt::Write, path::PathBuf};

use clap::Args;
use sochdb_wasmi::{
    audit::PluginId,
    host::{CallError, Clock, HostConfig},
    manifest::{Manifest, section},
};

use super::{
    logger,
    summary::{Counter, Own},
    tables::{Loaded, TableArguments},
};
use crate::{
    files,
    formats::shape::{self, TYPES_SECTION},
    inputs::{
        entry_types::Types,
        manifest::{self, ManifestArguments},
        store::Store,
        stub::StubArgument,
    },
    report::{failure::Failure, progress},
};

/// The host of a run.
pub type Host = sochdb_wasmi::host::Host<Store>;

/// The options of a command that calls a plugin.
#[derive(Args)]
pub struct StageArguments {
    /// The plugin: a WebAssembly module.
    pub plugin: PathBuf,
    /// The types of an entry point, "INPUT -> OUTPUT", or @FILE with a line for each entry point.
    /// Default: the module's section sochdb.types, if it has one.
    #[arg(long, value_name = "TYPES")]
    types: Option<String>,
    #[command(flatten)]
    manifest: ManifestArguments,
    /// Keeps the database in this file, which is created if it is missing. Default: in RAM, gone
    /// afterwards.
    #[arg(long, value_name = "FILE")]
    db: Option<PathBuf>,
    #[command(flatten)]
    tables: TableArguments,
    /// Answers in place of a function of a device: bytes in hex, "JSON as TYPE", "status -4", @FILE with
    /// one of these in each line, or "from TRACE". GRANT is what the manifest's can_call_host must
    /// allow, by default MODULE.FUNCTION.
    #[arg(long, value_name = "MODULE.FUNCTION[:GRANT]=ANSWERS")]
    stub: Vec<StubArgument>,
}

/// A plugin that is loaded and was not called.
pub struct Stage {
    pub host: Host,
    pub plugin: PluginId,
    pub manifest: Manifest,
    /// There was no manifest.
    pub granted_nothing: bool,
    /// The host calls.
    pub counter: Counter,
    pub loaded: Loaded,
    /// What is to be said of it.
    pub talk: String,
}

impl StageArguments {
    /// The module.
    pub fn module(&self) -> Result<Vec<u8>, Failure> {
        files::read(&self.plugin)
    }

    /// What the entry points take and give, as far as that is known.
    pub fn types(&self, wasm: &[u8]) -> Result<Types, Failure> {
        let all = |text: &str| shape::types(text).map_err(Failure::Types);
        match &self.types {
            Some(types) => match types.strip_prefix('@') {
                Some(file) => Ok(Types::Listed {
                    file: file.into(),
                    all: all(&files::text_argument(types)?)?,
                }),
                None => shape::signature(types).map(Types::One).map_err(Failure::Types),
            },
            None => {
                let path = || self.plugin.clone();
                let text = section::find(wasm, TYPES_SECTION)
                    .map_err(|error| Failure::Section { path: path(), error })?;
                let text = std::str::from_utf8(text.unwrap_or_default());
                Ok(Types::Carried(all(text.map_err(|_| Failure::NotText { path: path() })?)?))
            }
        }
    }

    /// Makes the tables and loads the plugin. The rows that it finds are kept by [`Stage::keep_rows`].
    pub fn set(&self, wasm: &[u8], clock: impl Clock + Send + 'static) -> Result<Stage, Failure> {
        let path = &self.plugin;
        let given = self.manifest.read(path, wasm)?;
        let granted_nothing = given.is_none();
        let manifest = match given.or_else(|| manifest::none(path)) {
            Some(manifest) => manifest,
            None => return Err(Failure::Usage { reason: "the plugin has no name".into() }),
        };
        let mut talk = String::new();
        let (database, loaded) = self.tables.open(self.db.as_deref(), &mut talk)?;
        logger::install()?;
        let mut host = Host::new(HostConfig::default(), database, clock);
        let counter = Counter::with_own(self.stubs(&mut host)?);
        host.set_audit_sink(counter.clone());
        let plugin = manifest.load(&mut host, wasm).map_err(Failure::Load)?;
        Ok(Stage { host, plugin, manifest, granted_nothing, counter, loaded, talk })
    }

    /// Gives the host the functions of --stub.
    fn stubs(&self, host: &mut Host) -> Result<Vec<Own>, Failure> {
        let add = |argument: &StubArgument| {
            let stub = argument.read()?;
            let (name, grant) = (stub.function.clone(), stub.grant.clone());
            match host.register(argument.module(), stub) {
                Ok(id) => Ok(Own { id, name, grant }),
                Err(error) => Err(Failure::Usage { reason: format!("--stub {name}: {error}") }),
            }
        };
        self.stub.iter().map(add).collect()
    }
}

impl Stage {
    /// Whether a call can begin, before anything is recorded of it.
    pub fn check(&mut self, entry: &str, input: &[u8]) -> Result<(), Failure> {
        let Self { host, plugin, .. } = self;
        let capacity = host.descriptor(*plugin).map_or(0, |descriptor| descriptor.input_capacity);
        let there = host.entries(*plugin).any(|name| name == entry);
        let error = match there {
            true if input.len() <= capacity as usize => return Ok(()),
            true => CallError::InputTooLarge { len: input.len(), capacity },
            // The host knows whether it is missing or of another type, and calls nothing. It refuses
            // every call as long as rows are not committed: these never will be.
            false => {
                host.database_mut().rollback();
                match host.call(*plugin, entry, &[]) {
                    Err(error) => error,
                    Ok(_) => return Ok(()),
                }
            }
        };
        let entries = host.entries(*plugin).map(str::to_owned).collect();
        Err(Failure::Entry { error, entries })
    }

    /// Commits the rows that were loaded, once nothing but the calls themselves can fail: a command that
    /// is given again after it was refused must not add them twice.
    pub fn keep_rows(&mut self) -> Result<(), Failure> {
        let commit = || self.host.database_mut().commit();
        progress::during("writing rows", commit).map_err(Failure::Database)
    }

    /// The rows that were loaded, for programs.
    pub fn loaded_json(&self) -> serde_json::Value {
        let loaded = self.loaded.iter().map(|(table, rows)| (table.clone(), (*rows).into()));
        serde_json::Value::Object(loaded.collect())
    }

    /// What there is to say before the calls.
    pub fn talk(&mut self) -> String {
        let mut talk = std::mem::take(&mut self.talk);
        for (table, rows) in &self.loaded {
            let _ = writeln!(talk, "{:<11} {rows} rows into {table}", "loaded");
        }
        talk
    }
}
