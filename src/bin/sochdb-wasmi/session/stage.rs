//! The setup of a run: a host with the plugin under its manifest, and tables from files.

use std::{fmt::Write, path::PathBuf};

use clap::Args;
use sochdb_wasmi::{
    audit::PluginId,
    database::Database,
    host::{CallError, Clock, HostConfig},
    manifest::{Manifest, section},
};

use super::{
    logger,
    summary::{Counter, Own},
};
use crate::{
    files,
    formats::{
        csv_file::Delimiter,
        shape::{self, TYPES_SECTION},
    },
    inputs::{
        csv_rows::{LoadArgument, Loading},
        entry_types::Types,
        manifest::{self, ManifestArguments},
        schema::{self, Plan},
        store::Store,
        stub::StubArgument,
    },
    report::failure::Failure,
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
    /// Tables with their columns and indexes, in TOML.
    #[arg(long, value_name = "FILE")]
    schema: Option<PathBuf>,
    /// Adds the rows of a CSV file to a table; - is stdin. A table that is not there, and not in the
    /// schema, gets columns that all rows of the file fit.
    #[arg(long, value_name = "TABLE=FILE")]
    load: Vec<LoadArgument>,
    /// What separates the cells in the files of --load: a character, or tab. Default a comma.
    #[arg(long, value_name = "CHAR", requires = "load")]
    delimiter: Option<Delimiter>,
    /// How many rows the database may hold, all tables together. Default 100,000 in RAM, 1,000,000 in
    /// a file.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    max_rows: Option<u32>,
    /// How many bytes the database may hold. Default 64 MiB in RAM, 1 GiB in a file.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    max_bytes: Option<u64>,
    /// Answers in place of a function of a device: bytes in hex, "JSON as TYPE", "status -4", @FILE with
    /// one of these in each line, or "from TRACE". GRANT is what the manifest's can_call_host must
    /// allow, by default MODULE.FUNCTION.
    #[arg(long, value_name = "MODULE.FUNCTION[:GRANT]=ANSWERS")]
    stub: Vec<StubArgument>,
}

/// Tables, and how many rows were added to each.
pub type Loaded = Vec<(String, u64)>;

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
        let (database, loaded) = self.tables(&mut talk)?;
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

    /// A database with the tables of the schema and the rows of the files, which are not committed yet:
    /// table, rows. If a file is refused, none has added a row.
    fn tables(&self, talk: &mut String) -> Result<(Database<Store>, Loaded), Failure> {
        if self.db.as_deref().is_some_and(files::is_stdin) {
            let reason = "--db is read and written, and stdin is read only: name a file".into();
            return Err(Failure::Usage { reason });
        }
        // First what can fail without a database: a file of --db that is not there is not made then.
        let delimiter = self.delimiter.unwrap_or_default();
        let files = self.load.iter().map(|argument| argument.file(delimiter));
        let files = files.collect::<Result<Vec<_>, _>>()?;
        let mut plans = match &self.schema {
            Some(path) => schema::read(path)?,
            None => Vec::new(),
        };
        let mut database =
            Store::open(self.db.as_deref(), self.max_rows, self.max_bytes).map_err(|error| {
                match &self.db {
                    Some(path) => Failure::Store { path: path.clone(), error },
                    None => Failure::Database(error),
                }
            })?;
        let mut loadings: Vec<Loading<'_>> = Vec::new();
        for (argument, file) in self.load.iter().zip(files) {
            let is = |plan: &&Plan| **plan.schema.name() == *argument.table;
            let there = database.table_id(&argument.table).and_then(|id| database.schema(id));
            let plan = plans.iter().chain(loadings.iter().map(|l| &l.plan)).find(is).cloned();
            let plan = plan.or_else(|| there.map(Plan::of));
            let loading = Loading::new(argument, plan, file)?;
            for header in loading.unused()? {
                let path = argument.path.display();
                let _ = writeln!(talk, "{path}: nothing is made of the column {header:?}");
            }
            if !plans.iter().any(|plan| is(&plan)) {
                plans.push(loading.plan.clone());
            }
            loadings.push(loading);
        }
        let mut missing = Vec::new();
        for Plan { schema, .. } in plans {
            match database.table_id(schema.name()).and_then(|id| database.schema(id)) {
                Some(there) if *there == schema => {}
                Some(_) => return Err(Failure::OtherTable { table: schema.name().to_string() }),
                None => missing.push(schema),
            }
        }
        for schema in missing {
            database.create_table(schema).map_err(Failure::Database)?;
        }
        let mut loaded = Loaded::new();
        for (loading, LoadArgument { table, .. }) in loadings.iter().zip(&self.load) {
            let id = match database.table_id(table) {
                Some(id) => id,
                None => {
                    database.create_table(loading.plan.schema.clone()).map_err(Failure::Database)?
                }
            };
            let rows = loading.insert(&mut database, id)?;
            match loaded.iter_mut().find(|(known, _)| known == table) {
                Some((_, sum)) => *sum += rows,
                None => loaded.push((table.clone(), rows)),
            }
        }
        Ok((database, loaded))
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
        self.host.database_mut().commit().map_err(Failure::Database)
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
