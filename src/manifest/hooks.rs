//! The section `[hooks]`: SochDB's lists of entry points by event, and this crate's tables beside them.

use super::{
    document::{DocumentError, Item, Table, shown},
    patterns::globs,
    problem::Problem,
};
use crate::{
    abi::message::HookEvent,
    capability::Globs,
    host::{HookError, PluginConfig},
};

/// Names the tables of all hooks of the section that name none themselves.
const TABLES: &str = "tables";

/// The fields of a hook that is a table.
const HOOK: &[&str] = &["function", TABLES];

/// The fields of the section.
const SECTION: &[&str] = &{
    let [a, b, c, d, e, f] = HookEvent::WORDS;
    [a, b, c, d, e, f, TABLES]
};

/// A configuration with the hooks of the section, in the order in which they are written, and nothing else.
pub fn hooks(section: Table<'_>) -> Result<PluginConfig, DocumentError> {
    let fields = section.fields();
    let all = fields.iter().find(|field| field.name == TABLES);
    // An error is reported when its line comes.
    let all = all.and_then(|field| tables(field.value).ok()).unwrap_or_default();
    let mut config = PluginConfig::default();
    for field in fields {
        if field.name == TABLES {
            tables(field.value)?;
            continue;
        }
        let event = HookEvent::ALL.into_iter().find(|event| event.as_str() == field.name);
        let event = event.ok_or_else(|| field.unknown(SECTION))?;
        for item in field.value.list()? {
            let (entry, own) = hook(item)?;
            let tables = own.unwrap_or_else(|| all.clone());
            config.add_hook(event, entry, tables).map_err(|error| {
                let field = shown(field.name);
                item.error(match error {
                    HookError::Twice(_) => Problem::Duplicate { field, value: shown(entry) },
                    error @ (HookError::Glob(_) | HookError::TooMany) => {
                        Problem::Hook { field, error }
                    }
                })
            })?;
        }
    }
    Ok(config)
}

/// A hook: the name of an entry point, or a table of that and the tables that it watches.
fn hook<'d>(item: Item<'d>) -> Result<(&'d str, Option<Globs>), DocumentError> {
    if item.kind() == "a text" {
        return Ok((item.text()?, None));
    }
    let Ok(table) = item.table() else {
        let expected = "names of entry points, or { function = \"name\", tables = [...] }";
        return Err(item.wrong_type(expected));
    };
    let (mut entry, mut watched) = (None, None);
    for field in table.fields() {
        match field.name {
            "function" => entry = Some(field.value.text()?),
            TABLES => watched = Some(tables(field.value)?),
            _ => return Err(field.unknown(HOOK)),
        }
    }
    Ok((entry.ok_or_else(|| table.missing("function"))?, watched))
}

/// The tables of hooks.
fn tables(item: Item<'_>) -> Result<Globs, DocumentError> {
    let tables = globs(item, Globs::new)?;
    if tables.as_slice().is_empty() {
        let why = "a hook of no table does nothing; without this field it watches all tables that \
                   the plugin may read";
        return Err(item.error(Problem::Unsupported { field: shown(item.field()), why }));
    }
    Ok(tables)
}
