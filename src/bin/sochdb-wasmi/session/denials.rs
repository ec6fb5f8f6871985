//! For each denied call, the lines of a manifest that would have allowed it.

use sochdb_wasmi::{
    abi::{Capability, HOST_FUNCTIONS, Name},
    audit::FunctionId,
    capability::{Capabilities, Globs},
};

/// A call that was denied.
pub struct Denial {
    pub function: &'static str,
    pub table: Option<Name>,
    pub times: u64,
    /// Lines of the section `[capabilities]`, each as it would have to be.
    pub lines: Vec<String>,
}

/// What was denied, and why not more.
pub fn explain(
    denied: &[(FunctionId, Option<Name>, u64)],
    capabilities: &Capabilities,
) -> Vec<Denial> {
    let explain = |&(function, table, times): &(FunctionId, Option<Name>, u64)| {
        let spec = HOST_FUNCTIONS.get(usize::from(function.0))?;
        let lines = lines(spec.capability, table.as_deref().unwrap_or_default(), capabilities);
        Some(Denial { function: spec.name, table, times, lines })
    };
    denied.iter().filter_map(explain).collect()
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
fn list(field: &str, granted: &Globs, table: &str) -> String {
    let mut patterns: Vec<String> =
        granted.as_slice().iter().map(|glob| format!("\"{glob}\"")).collect();
    patterns.push(format!("\"{table}\""));
    format!("{field} = [{}]", patterns.join(", "))
}
