//! What the numbers in a trace stand for: its plugins, functions and columns.

use alloc::{
    collections::BTreeMap,
    string::{String, ToString},
    vec::Vec,
};

use crate::{
    abi::inspect::Field,
    audit::{FunctionId, PluginId},
    trace::Event,
};

/// Names of plugins, functions and columns, as the events so far give them.
#[derive(Clone, Debug, Default)]
pub struct Names {
    plugins: BTreeMap<PluginId, String>,
    functions: BTreeMap<FunctionId, String>,
    columns: BTreeMap<String, Vec<String>>,
    running: Option<PluginId>,
    /// Plugins that ran when another one was called, in calls that are not over.
    around: Vec<Option<PluginId>>,
    redacted: bool,
}

impl Names {
    /// Takes up what an event tells.
    pub fn learn(&mut self, event: &Event<'_>) {
        match event {
            Event::Function(function) => {
                let name = alloc::format!("{}.{}", function.module, function.name);
                self.functions.insert(function.id, name);
            }
            Event::Table(table) => {
                let columns = table.columns.iter().map(ToString::to_string).collect();
                self.columns.insert(table.name.into(), columns);
            }
            Event::Load(load) | Event::Replace(load) => {
                self.plugins.insert(load.plugin, load.name.into());
            }
            Event::Header(header) => self.redacted = header.redaction.is_some(),
            Event::CallIn(call) => self.running = Some(call.plugin),
            Event::Nested(_) => self.around.push(self.running),
            Event::CallOut(_) => {
                if let Some(around) = self.around.pop() {
                    self.running = around;
                }
            }
            Event::Checkpoint(_)
            | Event::Unload(_)
            | Event::Restore(_)
            | Event::HostCall(_)
            | Event::Growth(_)
            | Event::Slice(_)
            | Event::End(_) => {}
        }
    }

    /// Whether values of the trace are redacted.
    pub(in crate::replay) const fn is_redacted(&self) -> bool {
        self.redacted
    }

    /// The name of a plugin; its number if the trace has none.
    #[must_use]
    pub fn plugin(&self, id: PluginId) -> String {
        self.plugins.get(&id).cloned().unwrap_or_else(|| id.0.to_string())
    }

    /// The name of the plugin that was called last.
    pub fn running(&self) -> String {
        self.running.map_or_else(String::new, |id| self.plugin(id))
    }

    /// The plugin that was called last.
    #[must_use]
    pub const fn running_id(&self) -> Option<PluginId> {
        self.running
    }

    /// The name of a function; its number if the trace has none.
    #[must_use]
    pub fn function(&self, id: FunctionId) -> String {
        match (id.name(), self.functions.get(&id)) {
            (Some(name), _) => name.into(),
            (None, Some(name)) => name.clone(),
            (None, None) => id.0.to_string(),
        }
    }

    /// The columns of a table in schema order; empty if the trace does not have them.
    pub fn columns(&self, table: &str) -> &[String] {
        self.columns.get(table).map_or(&[], Vec::as_slice)
    }

    /// Puts columns' names in place of places: `rows[3].values[1]` becomes `rows[3].temp_max`.
    pub(in crate::replay) fn name_values(columns: &[String], fields: &mut [Field]) {
        for field in fields {
            let Some((before, after)) = field.path.split_once(".values[") else { continue };
            let Some((place, rest)) = after.split_once(']') else { continue };
            let column = place.parse().ok().and_then(|place: usize| columns.get(place));
            if let Some(column) = column {
                field.path = alloc::format!("{before}.{column}{rest}");
            }
        }
    }
}
