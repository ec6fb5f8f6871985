//! For each denied call, the lines of a manifest that would have allowed it.

use sochdb_wasmi::{
    abi::{Capability, HOST_FUNCTIONS, Name},
    audit::FunctionId,
    capability::{Capabilities, Globs},
};

use super::summary::{Own, Summary};

/// A call that was denied.
pub struct Denial {
    pub function: String,
    pub table: Option<Name>,
    pub times: u64,
    /// Lines of the section `[capabilities]`, each as it would have to be.
    pub lines: Vec<String>,
}

/// What was denied, and why not more.
pub fn explain(summary: &Summary, capabilities: &Capabilities) -> Vec<Denial> {
    let explain = |&(function, table, times): &(FunctionId, Option<Name>, u64)| {
        if let Some(Own { name, grant, .. }) = summary.own.iter().find(|own| own.id == function) {
            let lines = vec![list("can_call_host", &capabilities.can_call_host, grant)];
            return Some(Denial { function: name.clone(), table, times, lines });
        }
        let spec = HOST_FUNCTIONS.get(usize::from(function.0))?;
        let lines = lines(spec.capability, table.as_deref().unwrap_or_default(), capabilities);
        Some(Denial { function: spec.name.into(), table, times, lines })
    };
    summary.denied.iter().filter_map(explain).collect()
}

fn lines(needed: Capability<'_>, table: &str, granted: &Capabilities) -> Vec<String> {
    let mut lines = Vec::new();
    let (read, write, switch) = match needed {
        Capability::ReadTable => (true, false, None),
        Capability::WriteTable => (false, true, None),
        Capability::VectorSearch => {
            (true, false, Some(("can_vector_search", granted.can_vector_search)))
        }
        Capability::IndexSearch => {
            (true, false, Some(("can_index_search", granted.can_index_search)))
        }
        Capability::CallPlugin => {
            let field = list("can_call_plugin", &granted.can_call_plugin, table);
            return if granted.can_call_plugin(table) { lines } else { vec![field] };
        }
        Capability::Always | Capability::Named(_) => (false, false, None),
    };
    if read && !granted.can_read(table) {
        lines.push(list("can_read_table", &granted.can_read_table, table));
    }
    if write && !granted.can_write(table) {
        lines.push(list("can_write_table", &granted.can_write_table, table));
    }
    if let Some((name, false)) = switch {
        lines.push(format!("{name} = true"));
    }
    lines
}

/// The line with what is there and one more.
fn list(field: &str, granted: &Globs, added: &str) -> String {
    let mut patterns: Vec<String> =
        granted.as_slice().iter().map(|glob| format!("\"{glob}\"")).collect();
    patterns.push(format!("\"{added}\""));
    format!("{field} = [{}]", patterns.join(", "))
}
