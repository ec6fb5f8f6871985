//! What a plugin is called on: a host with the plugin under its manifest, and tables from files.

use std::{collections::BTreeMap, fmt::Write, path::PathBuf};

use clap::Args;
use sochdb_wasmi::{
    audit::PluginId,
    database::{Database, MemoryLimits},
    host::{Clock, Host, HostConfig},
    manifest::{Manifest, section},
};

use crate::{
    failure::Failure,
    files,
    load::{LoadArgument, load},
    logger,
    manifest::{self, ManifestArguments},
    schema,
    shape::{self, Signature, TYPES_SECTION},
    summary::Counter,
};

/// The options of a command that calls a plugin.
#[derive(Args)]
pub struct StageArguments {
    /// The plugin: a WebAssembly module.
    pub plugin: PathBuf,
    /// What an entry point takes and gives: "INPUT -> OUTPUT", or @FILE with a line for each entry
    /// point. Otherwise from the module's section sochdb.types, if it has one.
    #[arg(long, value_name = "TYPES")]
    types: Option<String>,
    #[command(flatten)]
    manifest: ManifestArguments,
    /// Tables with their columns and indexes, in TOML.
    #[arg(long, value_name = "FILE")]
    schema: Option<PathBuf>,
    /// Fills a table from a CSV file. A table that the schema does not have gets columns that all
    /// rows of the file fit.
    #[arg(long, value_name = "TABLE=FILE")]
    load: Vec<LoadArgument>,
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
    /// Rows by table.
    pub loaded: Vec<(String, u64)>,
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

    /// Makes the tables and loads the plugin.
    pub fn set(&self, wasm: &[u8], clock: impl Clock + Send + 'static) -> Result<Stage, Failure> {
        let path = &self.plugin;
        let given = self.manifest.read(path, wasm)?;
        let granted_nothing = given.is_none();
        let manifest = match given.or_else(|| manifest::none(path)) {
            Some(manifest) => manifest,
            None => return Err(Failure::Usage { reason: "the plugin has no name".into() }),
        };
        let mut talk = String::new();
        let (database, loaded) = self.tables(&mut talk)?;
        logger::install();
        let mut host = Host::new(HostConfig::default(), database, clock);
        let counter = Counter::default();
        host.set_audit_sink(counter.clone());
        let plugin = manifest.load(&mut host, wasm).map_err(Failure::Load)?;
        Ok(Stage { host, plugin, manifest, granted_nothing, counter, loaded, talk })
    }

    /// A database with the tables of the schema and the rows of the files: table, rows.
    fn tables(&self, talk: &mut String) -> Result<(Database, Vec<(String, u64)>), Failure> {
        let mut database = Database::in_memory(MemoryLimits::default());
        let mut plans = match &self.schema {
            Some(path) => schema::read(path)?,
            None => Vec::new(),
        };
        let mut loaded = Vec::new();
        for argument in &self.load {
            let planned = plans.iter().position(|plan| **plan.schema.name() == *argument.table);
            let plan = planned.map(|at| plans.remove(at));
            let (rows, unused) = load(&mut database, argument, plan)?;
            for header in unused {
                let path = argument.path.display();
                let _ = writeln!(talk, "{path}: nothing is made of the column {header:?}");
            }
            loaded.push((argument.table.clone(), rows));
        }
        for plan in plans {
            database.create_table(plan.schema).map_err(Failure::Database)?;
        }
        Ok((database, loaded))
    }
}

impl Stage {
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

/// What entry points take and give.
pub enum Types {
    /// The one that is called.
    One(Signature),
    /// Those of a file that was named.
    Listed { file: String, all: BTreeMap<String, Signature> },
    /// Those of the module.
    Carried(BTreeMap<String, Signature>),
}

impl Types {
    /// What this entry point takes and gives, if that is known.
    pub fn of(&self, entry: &str) -> Result<Option<&Signature>, Failure> {
        match self {
            Self::One(signature) => Ok(Some(signature)),
            Self::Carried(all) => Ok(all.get(entry)),
            Self::Listed { file, all } => match all.get(entry) {
                Some(signature) => Ok(Some(signature)),
                None => Err(Failure::Usage { reason: format!("{file} has no types of {entry:?}") }),
            },
        }
    }
}
