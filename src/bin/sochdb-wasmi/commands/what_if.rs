//! `what-if`: which recorded calls another manifest would deny; or, the other way
//! round, the narrowest manifest that denies none of them.

use std::{
    fmt::Write,
    path::{Path, PathBuf},
};

use clap::Args;
use serde_json::{Value, json};
use sochdb_wasmi::replay::{Inferred, WhatIf, infer, what_if};

use super::manifest_text::{self, Settings};
use crate::{
    files::trace_file::TraceFile,
    inputs::manifest,
    report::{
        failure::Failure,
        output::{Report, plain},
    },
};

#[derive(Args)]
pub struct Arguments {
    /// The traces.
    #[arg(required = true)]
    traces: Vec<PathBuf>,
    /// The manifest, in TOML or packed, to check the traces against.
    #[arg(long, value_name = "FILE", required_unless_present = "infer", conflicts_with = "infer")]
    manifest: Option<PathBuf>,
    /// Prints the narrowest manifest, in TOML, that denies nothing that was allowed.
    #[arg(long)]
    infer: bool,
    /// The plugin to look at, by its name in the trace. Default: the one that the
    /// manifest names, or the only one.
    #[arg(long, value_name = "NAME")]
    plugin: Option<String>,
}

/// Does what was asked for.
pub fn run(arguments: &Arguments) -> Result<Report, Failure> {
    match &arguments.manifest {
        Some(manifest) => judge(arguments, manifest),
        None => narrowest(arguments),
    }
}

/// What the traces' plugins use.
fn used(arguments: &Arguments, talk: &mut String) -> Result<Vec<Inferred>, Failure> {
    let paths = &arguments.traces;
    let files = paths.iter().map(|path| TraceFile::open(path)).collect::<Result<Vec<_>, _>>()?;
    let shown = |at: usize| paths.get(at).cloned().unwrap_or_default();
    let inference = infer(files)
        .map_err(|error| Failure::Trace { path: shown(error.trace), error: error.error })?;
    for (at, error) in &inference.broken_off {
        let _ = writeln!(talk, "{}: {error}", shown(*at).display());
    }
    Ok(inference.plugins)
}

fn judge(arguments: &Arguments, manifest: &Path) -> Result<Report, Failure> {
    let manifest = manifest::read(manifest)?;
    let name = arguments.plugin.as_deref().unwrap_or(&manifest.name);
    let mut talk = String::new();
    let plugins = used(arguments, &mut talk)?;
    if !plugins.iter().any(|used| used.plugin == name) {
        let plugins = plugins.into_iter().map(|used| used.plugin).collect();
        return Err(Failure::NoPlugin { name: Some(name.into()), plugins });
    }
    let (mut data, mut objects, mut new) = (String::new(), Vec::new(), 0);
    for path in &arguments.traces {
        let found = what_if(TraceFile::open(path)?, Some(name), &manifest.config)
            .map_err(|error| Failure::Trace { path: path.clone(), error })?;
        let WhatIf { calls, host_calls, denials, .. } = &found;
        let shown = path.display();
        new += found.new_denials().count();
        let already = denials.iter().filter(|denial| denial.recorded).count();
        for denial in denials {
            let _ = match arguments.traces.len() {
                1 => writeln!(data, "{denial}"),
                _ => writeln!(data, "{shown}: {denial}"),
            };
        }
        let _ = writeln!(
            talk,
            "{shown}: {calls} calls, {host_calls} host calls: would be denied {}, denied already \
             {already}",
            denials.len() - already
        );
        let mut object = json!({ "trace": shown.to_string() });
        if let (Some(object), Ok(Value::Object(fields))) =
            (object.as_object_mut(), serde_json::from_str(&found.to_json()))
        {
            object.extend(fields);
        }
        objects.push(object);
    }
    let json = json!({ "plugin": name, "new_denials": new, "traces": objects });
    Ok(Report { data: plain(&data), talk: plain(&talk), json, code: (new > 0).into() })
}

fn narrowest(arguments: &Arguments) -> Result<Report, Failure> {
    let mut talk = String::new();
    let mut plugins = used(arguments, &mut talk)?;
    let wanted = |used: &Inferred| match &arguments.plugin {
        Some(name) => used.plugin == *name,
        None => used.calls > 0,
    };
    let names = plugins.iter().map(|used| used.plugin.clone()).collect();
    plugins.retain(wanted);
    let (Some(used), true) = (plugins.pop(), plugins.is_empty()) else {
        return Err(Failure::NoPlugin { name: arguments.plugin.clone(), plugins: names });
    };
    let mut settings = Settings::default();
    for path in &arguments.traces {
        match settings.learn(TraceFile::open(path)?, &used.plugin) {
            Ok(()) => {}
            // What is before it counts; that it breaks off was said.
            Err(error) if error.breaks_off() => {}
            Err(error) => return Err(Failure::Trace { path: path.clone(), error }),
        }
    }
    let traces = arguments.traces.len();
    let from =
        format!("{} calls in {traces} trace{}", used.calls, if traces == 1 { "" } else { "s" });
    let toml = manifest_text::toml(&used, &settings, &from);
    let json = json!({
        "plugin": used.plugin,
        "calls": used.calls,
        "widened": used.widened,
        "toml": toml,
    });
    Ok(Report { data: toml, talk: plain(&talk), json, code: 0 })
}
