//! The text of a manifest that grants what a plugin used in traces.

use std::{collections::BTreeMap, fmt::Write};

use sochdb_wasmi::{
    abi::{
        Builtin, Value,
        message::{ConfigRequest, ConfigResponse},
        wire,
    },
    capability::{Capabilities, Globs},
    host::OnDenied,
    limits::{LIMITS, Limits},
    replay::{Inferred, Names},
    trace::{Data, Event, TraceError, TraceReader},
};

use crate::formats::bytes::hex;

/// What `get_config` answered, by key, as TOML has it.
#[derive(Default)]
pub struct Settings(BTreeMap<String, String>);

impl Settings {
    /// Takes up what a plugin was answered in a trace. A trace of digests does not tell it.
    pub fn learn(
        &mut self,
        trace: impl embedded_io::Read<Error: 'static>,
        plugin: &str,
    ) -> Result<(), TraceError> {
        let mut reader = TraceReader::new(trace);
        let mut names = Names::default();
        while let Some(entry) = reader.read()? {
            names.learn(&entry.event);
            let Event::HostCall(call) = entry.event else { continue };
            if call.function.builtin() != Some(Builtin::GetConfig) || names.running() != plugin {
                continue;
            }
            let (Data::Full(request), Data::Full(response)) = (call.request, call.response) else {
                continue;
            };
            if call.status >= 0
                && let Ok(ConfigRequest { key }) = wire::decode(request)
                && let Ok(ConfigResponse { value }) = wire::decode(response)
                && let Some(value) = setting(&value)
            {
                self.0.insert(key.into(), value);
            }
        }
        Ok(())
    }
}

/// The manifest of a plugin that does what it did, and no more. Every line says something.
pub fn toml(used: &Inferred, settings: &Settings, from: &str) -> String {
    let Inferred { plugin, config, entries, config_keys, widened, .. } = used;
    let mut text = format!("# The least that {from} need; what was denied is not granted.\n");
    if *widened {
        text +=
            "# More names than a list takes were used: some patterns allow more than was used.\n";
    }
    let _ = writeln!(text, "[plugin]\nname = {}", quoted(plugin));
    text += "# A trace does not tell the version.\nversion = \"0.0.0\"\n\n[capabilities]\n";
    let Capabilities {
        can_read_table,
        can_write_table,
        can_vector_search,
        can_index_search,
        can_call_host,
        can_call_plugin,
    } = &config.capabilities;
    for (name, globs) in [
        ("can_read_table", can_read_table),
        ("can_write_table", can_write_table),
        ("can_call_host", can_call_host),
        ("can_call_plugin", can_call_plugin),
    ] {
        if !globs.as_slice().is_empty() {
            let _ = writeln!(text, "{name} = {}", list(globs));
        }
    }
    for (name, granted) in
        [("can_vector_search", can_vector_search), ("can_index_search", can_index_search)]
    {
        if *granted {
            let _ = writeln!(text, "{name} = true");
        }
    }
    if config.on_denied != OnDenied::default() {
        let _ = writeln!(text, "on_denied = \"{}\"", config.on_denied.as_str());
    }
    text += "\n[resources]\n";
    resources(&config.limits, &mut text);
    if !entries.is_empty() {
        text += "\n[exports]\nfunctions = [\n";
        for entry in entries {
            let _ = writeln!(text, "    {},", quoted(entry));
        }
        text += "]\n";
    }
    if !settings.0.is_empty() {
        text += "\n[config]\n";
        for (key, value) in &settings.0 {
            let _ = writeln!(text, "{} = {value}", quoted(key));
        }
    }
    for key in config_keys.iter().filter(|key| !settings.0.contains_key(*key)) {
        let _ = writeln!(text, "# It requested {} and received nothing.", quoted(key));
    }
    text
}

/// Every limit that a trace measures, and of the others those that are not the default.
fn resources(limits: &Limits, text: &mut String) {
    let default = Limits::default();
    for spec in LIMITS {
        let value = spec.of(limits);
        if !spec.usage.is_measured() && value == spec.of(&default) {
            continue;
        }
        let _ = match (value, spec.unlimited) {
            (Some(value), _) => writeln!(text, "{} = {value}", spec.key),
            (None, Some(key)) => writeln!(text, "{key} = true"),
            (None, None) => Ok(()),
        };
    }
}

fn list(globs: &Globs) -> String {
    let globs: Vec<String> =
        globs.as_slice().iter().map(|glob| quoted(&glob.to_string())).collect();
    format!("[{}]", globs.join(", "))
}

/// A value of the configuration; nothing of null, which no manifest can say.
fn setting(value: &Value<'_>) -> Option<String> {
    Some(match value {
        Value::Null => return None,
        Value::Bool(value) => value.to_string(),
        Value::Int(value) => value.to_string(),
        Value::UInt(value) => format!("{{ uint = {value} }}"),
        Value::Float(value) if value.is_finite() => format!("{value:?}"),
        Value::Float(value) if value.is_nan() => "nan".into(),
        Value::Float(value) => if *value > 0.0 { "inf" } else { "-inf" }.into(),
        Value::Text(text) => quoted(text),
        Value::Binary(bytes) => format!("{{ binary = \"{}\" }}", hex(bytes)),
        Value::Array(items) => {
            let items: Option<Vec<String>> = items.iter().map(|item| setting(&item)).collect();
            format!("[{}]", items?.join(", "))
        }
        Value::Object(fields) => {
            let field = |(name, value): (&str, Value<'_>)| {
                Some(format!("{} = {}", quoted(name), setting(&value)?))
            };
            let fields: Option<Vec<String>> = fields.iter().map(field).collect();
            format!("{{ object = {{ {} }} }}", fields?.join(", "))
        }
        Value::Ref { table, id } => {
            format!("{{ ref = {{ table = {}, id = {id} }} }}", quoted(table))
        }
    })
}

/// A text in TOML.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => {
                quoted.push('\\');
                quoted.push(c);
            }
            c if c.is_control() => {
                let _ = write!(quoted, "\\u{:04X}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}
