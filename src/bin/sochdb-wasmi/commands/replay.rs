//! `replay`: plugins run again and are answered from a trace, or from each trace of a directory.

use std::{
    collections::BTreeSet,
    fmt::Write,
    fs,
    path::{Path, PathBuf},
};

use clap::Args;
use serde_json::{Value, json};
use sochdb_wasmi::{
    abi::Name,
    replay::{Replay, Replayer},
    trace::{Event, TraceReader},
};

use crate::{
    files::{self, trace_file::TraceFile},
    inputs::entry_types::{Signatures, TypeArguments},
    report::{
        failure::Failure,
        output::{Report, plain},
        progress,
    },
};

#[derive(Args)]
pub struct Arguments {
    /// The trace.
    #[arg(required_unless_present = "corpus", conflicts_with = "corpus")]
    trace: Option<PathBuf>,
    /// Replays all files of a directory that end with .trace, in the order of their names.
    #[arg(long, value_name = "DIR")]
    corpus: Option<PathBuf>,
    #[command(flatten)]
    plugins: PluginArguments,
    #[command(flatten)]
    types: TypeArguments,
    /// Lets a plugin be another module than the recorded one: to see what a change does. Its fuel
    /// and memory are then not compared.
    #[arg(long)]
    changed: bool,
    /// Continues with the next call after a divergence, up to this many divergences.
    #[arg(long, value_name = "N", default_value_t = 1)]
    keep_going: usize,
    /// Reports only this call, counted from 1. The calls before it are made too, as a plugin keeps its
    /// memory from call to call; those after it are not.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..),
        conflicts_with_all = ["corpus", "keep_going"])]
    call: Option<u64>,
    /// Replays again whenever a trace or a plugin changes, until Ctrl-C.
    #[arg(long)]
    pub watch: bool,
}

/// The plugins of a trace.
#[derive(Args)]
pub struct PluginArguments {
    /// A recorded plugin. If several plugins changed, NAME says which one each file is.
    #[arg(long = "plugin", value_name = "[NAME=]FILE", required = true)]
    pub plugins: Vec<PluginArgument>,
}

/// A plugin's file, and the name that it has in the trace.
#[derive(Clone, Debug)]
pub struct PluginArgument {
    name: Option<String>,
    path: PathBuf,
}

impl std::str::FromStr for PluginArgument {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((name, path)) if Name::plugin(name).is_ok() => {
                Ok(Self { name: Some(name.into()), path: path.into() })
            }
            _ => Ok(Self { name: None, path: text.into() }),
        }
    }
}

/// Plugins' modules, read.
pub struct Plugins<'a>(Vec<(&'a PluginArgument, Vec<u8>)>);

impl PluginArguments {
    /// Reads the modules.
    pub fn read(&self) -> Result<Plugins<'_>, Failure> {
        let mut read = Vec::new();
        for argument in &self.plugins {
            let wasm = files::read(&argument.path)?;
            if !wasm.starts_with(b"\0asm") {
                let reason = "it does not begin with \\0asm".into();
                return Err(Failure::NotWasm { path: argument.path.clone(), reason });
            }
            read.push((argument, wasm));
        }
        Ok(Plugins(read))
    }

    /// Whether every plugin that is named is one of the traces: with a wrong name, the module would
    /// be passed over, and another replayed.
    pub fn check(&self, traces: &[PathBuf]) -> Result<(), Failure> {
        if self.plugins.iter().all(|plugin| plugin.name.is_none()) {
            return Ok(());
        }
        let mut known = BTreeSet::new();
        for path in traces {
            let mut reader = TraceReader::new(TraceFile::open(path)?);
            // What is wrong with the trace, the replay says.
            while let Ok(Some(entry)) = reader.read() {
                if let Event::Load(load) | Event::Replace(load) = &entry.event {
                    known.insert(load.name.to_string());
                }
            }
        }
        let names = self.plugins.iter().filter_map(|plugin| plugin.name.as_ref());
        match names.into_iter().find(|name| !known.contains(*name)) {
            None => Ok(()),
            Some(name) => {
                let plugins = known.into_iter().collect();
                Err(Failure::OtherPlugin { name: name.clone(), plugins })
            }
        }
    }

    /// The paths of all, in their order.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.plugins.iter().map(|plugin| plugin.path.as_path())
    }
}

impl Plugins<'_> {
    /// The modules, in their order.
    pub fn modules(&self) -> impl Iterator<Item = &[u8]> {
        self.0.iter().map(|(_, wasm)| wasm.as_slice())
    }

    /// A replayer with these plugins.
    pub fn replayer(&self) -> Replayer<'_> {
        self.0.iter().fold(Replayer::new(), |replayer, (argument, wasm)| match &argument.name {
            Some(name) => replayer.with_named_plugin(name, wasm),
            None => replayer.with_plugin(wasm),
        })
    }
}

impl Arguments {
    /// The files that a replay depends on.
    pub fn files(&self) -> Vec<PathBuf> {
        let traces = match (&self.corpus, &self.trace) {
            (Some(directory), _) => traces(directory).unwrap_or_default(),
            (None, trace) => trace.iter().cloned().collect(),
        };
        traces.into_iter().chain(self.plugins.plugins.iter().map(|p| p.path.clone())).collect()
    }
}

/// Replays what was asked for, once.
pub fn replay(arguments: &Arguments) -> Result<Report, Failure> {
    let plugins = arguments.plugins.read()?;
    let types = arguments.types.read(plugins.modules())?;
    let mut replayer = plugins.replayer().with_divergences(arguments.keep_going);
    if arguments.changed {
        replayer = replayer.with_changed_plugins();
    }
    if let Some(call) = arguments.call {
        replayer = replayer.with_call(call);
    }
    match (&arguments.corpus, &arguments.trace) {
        (Some(directory), _) => {
            arguments.plugins.check(&traces(directory)?)?;
            corpus(directory, &replayer, &types)
        }
        (None, Some(trace)) => {
            arguments.plugins.check(std::slice::from_ref(trace))?;
            let replay = one(trace, &replayer, &types)?;
            if let Some(call) = arguments.call
                && replay.calls < call
                && replay.broken_off.is_none()
            {
                let reason = format!("{} has {} calls", trace.display(), replay.calls);
                return Err(Failure::Usage { reason });
            }
            let (data, code) = (plain(&replay.to_string()), replay.exit_code());
            Ok(Report { data, talk: String::new(), json: object(trace, &replay), code })
        }
        (None, None) => Err(Failure::Usage { reason: "a trace or --corpus".into() }),
    }
}

fn one(path: &Path, replayer: &Replayer<'_>, types: &Signatures) -> Result<Replay, Failure> {
    let trace = TraceFile::open(path)?;
    let replay = replayer.replay(trace);
    let mut replay = replay.map_err(|error| Failure::Replay { path: path.into(), error })?;
    replay.divergences.iter_mut().for_each(|divergence| types.name_field(divergence));
    Ok(replay)
}

fn object(path: &Path, replay: &Replay) -> Value {
    let mut object = json!({ "trace": path.display().to_string() });
    if let (Some(object), Ok(Value::Object(fields))) =
        (object.as_object_mut(), serde_json::from_str(&replay.to_json()))
    {
        object.extend(fields);
    }
    object
}

/// All traces of a directory. The exit code is that of the first that is not replayed exactly.
fn corpus(
    directory: &Path,
    replayer: &Replayer<'_>,
    types: &Signatures,
) -> Result<Report, Failure> {
    let paths = traces(directory)?;
    if paths.is_empty() {
        return Err(Failure::NoTraces { path: directory.into() });
    }
    let bar = progress::bar(paths.len() as u64, "replaying");
    let (mut data, mut objects, mut code) = (String::new(), Vec::new(), 0);
    let (mut exact, mut agree) = (0, 0);
    for path in &paths {
        let shown = path.display();
        let (object, of_this) = match one(path, replayer, types) {
            Ok(replay) => {
                let _ = write!(data, "{shown}: {replay}");
                exact += usize::from(replay.is_exact());
                (object(path, &replay), replay.exit_code())
            }
            Err(failure) => {
                let text = failure.to_string();
                let text = text.strip_prefix(&format!("{shown}: ")).unwrap_or(&text);
                let _ = writeln!(data, "{shown}: error: {text}");
                (json!({ "trace": shown.to_string(), "error": failure.json() }), failure.code())
            }
        };
        agree += usize::from(of_this == 0);
        code = if code == 0 { of_this } else { code };
        objects.push(object);
        bar.inc(1);
    }
    bar.finish_and_clear();
    let mut talk = format!("{agree} of {} traces as recorded", paths.len());
    if exact < agree {
        let _ = write!(talk, ", {} of them as far as they could be compared", agree - exact);
    }
    talk.push('\n');
    let json = json!({ "exact": exact == paths.len(), "exit_code": code, "traces": objects });
    Ok(Report { data: plain(&data), talk, json, code })
}

/// The traces of a directory, in the order of their names.
fn traces(directory: &Path) -> Result<Vec<PathBuf>, Failure> {
    let failed = |error| Failure::Io { path: directory.into(), error };
    let mut paths = Vec::new();
    for entry in fs::read_dir(directory).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|extension| extension == "trace") {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}
