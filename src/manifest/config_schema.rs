//! The section `[config_schema]`: which settings a plugin takes, of which type, and their defaults.
//!
//! SochDB's manifest has the fields and no values. Here they are checked against `[config]` when the
//! manifest is read, and defaults become settings. So neither the packed form nor a host needs them.

use alloc::{collections::BTreeSet, vec::Vec};

use super::{
    config::{self, Setting},
    document::{Item, Table, shown},
    problem::{DocumentError, Problem},
};
use crate::{
    abi::{Value, wire},
    host::{ConfigKeyError, MAX_CONFIG_KEY_LEN},
};

const SECTION: &[&str] = &["fields"];
const FIELD: &[&str] = &["name", "type", "required", "default", "description"];

/// SochDB's types of settings.
#[derive(Clone, Copy)]
enum Type {
    String,
    Integer,
    Float,
    Boolean,
    StringArray,
}

const TYPES: &[(&str, Type)] = &[
    ("string", Type::String),
    ("integer", Type::Integer),
    ("float", Type::Float),
    ("boolean", Type::Boolean),
    ("string_array", Type::StringArray),
];

impl Type {
    const fn expected(self) -> &'static str {
        match self {
            Self::String => "a text, as [config_schema] says",
            Self::Integer => "an integer, as [config_schema] says",
            Self::Float => "a float, as [config_schema] says",
            Self::Boolean => "true or false, as [config_schema] says",
            Self::StringArray => "a list of texts, as [config_schema] says",
        }
    }

    fn is_type_of(self, encoded: &[u8]) -> bool {
        let Ok(value) = wire::decode::<Value<'_>>(encoded) else { return false };
        match (self, value) {
            (Self::String, Value::Text(_))
            | (Self::Integer, Value::Int(_) | Value::UInt(_))
            | (Self::Float, Value::Float(_))
            | (Self::Boolean, Value::Bool(_)) => true,
            (Self::StringArray, Value::Array(items)) => {
                items.iter().all(|item| matches!(item, Value::Text(_)))
            }
            (
                Self::String | Self::Integer | Self::Float | Self::Boolean | Self::StringArray,
                Value::Null
                | Value::Bool(_)
                | Value::Int(_)
                | Value::UInt(_)
                | Value::Float(_)
                | Value::Text(_)
                | Value::Binary(_)
                | Value::Array(_)
                | Value::Object(_)
                | Value::Ref { .. },
            ) => false,
        }
    }

    /// A default: a value of the type, or a text that says one, as SochDB keeps it.
    fn default(self, item: &Item<'_>) -> Result<Vec<u8>, DocumentError> {
        let wrong = || item.wrong_type(self.expected());
        let parsed = match (self, item.text()) {
            (Self::Integer, Ok(text)) => Value::Int(text.parse().map_err(|_| wrong())?),
            (Self::Float, Ok(text)) => Value::Float(text.parse().map_err(|_| wrong())?),
            (Self::Boolean, Ok(text)) => Value::Bool(text.parse().map_err(|_| wrong())?),
            (Self::String | Self::StringArray, _) | (_, Err(_)) => {
                let value = config::encoded(item)?;
                return if self.is_type_of(&value) { Ok(value) } else { Err(wrong()) };
            }
        };
        Ok(config::encoded_value(&parsed))
    }
}

/// Checks the settings, each with its place in the document, and adds the defaults of those that are
/// missing.
pub fn check(
    section: Table<'_>,
    given: &[(Item<'_>, &str)],
    settings: &mut Vec<Setting>,
) -> Result<(), DocumentError> {
    let mut known = BTreeSet::new();
    for part in section.fields() {
        if part.name != "fields" {
            return Err(part.unknown(SECTION));
        }
        for item in part.value.list()? {
            let name = field(&item, given, settings)?;
            if !known.insert(name) {
                let (field, value) = (shown("fields"), shown(name));
                return Err(item.error(Problem::Duplicate { field, value }));
            }
        }
    }
    match given.iter().find(|(_, key)| !known.contains(key)) {
        None => Ok(()),
        Some((item, key)) => Err(item.error(Problem::UnknownSetting { key: shown(key) })),
    }
}

/// Checks one setting against its field. Returns its name.
fn field<'d>(
    item: &Item<'d>,
    given: &[(Item<'_>, &str)],
    settings: &mut Vec<Setting>,
) -> Result<&'d str, DocumentError> {
    let table = item.table()?;
    let (mut name, mut of, mut required, mut default) = (None, None, false, None);
    for part in table.fields() {
        match part.name {
            "name" => {
                let text = part.value.text()?;
                if text.is_empty() || text.len() > MAX_CONFIG_KEY_LEN {
                    let error = ConfigKeyError { len: text.len() };
                    return Err(part.value.error(Problem::Key(error)));
                }
                name = Some(text);
            }
            "type" => of = Some(part.value.choice(TYPES)?),
            "required" => required = part.value.bool()?,
            "default" => default = Some(part.value),
            "description" => {
                part.value.text()?;
            }
            _ => return Err(part.unknown(FIELD)),
        }
    }
    let name = name.ok_or_else(|| table.missing("name"))?;
    let of = of.ok_or_else(|| table.missing("type"))?;
    // Checked whether it is needed or not.
    let default = default.map(|item| of.default(&item)).transpose()?;
    match (settings.iter().find(|setting| setting.key == name), default) {
        (Some(setting), _) if of.is_type_of(&setting.value) => {}
        (Some(_), _) => {
            let given = given.iter().find(|(_, key)| *key == name);
            return Err(given.map_or(item, |(value, _)| value).wrong_type(of.expected()));
        }
        (None, Some(value)) => settings.push(Setting { key: name.into(), value }),
        (None, None) if required => {
            return Err(item.error(Problem::MissingSetting { key: shown(name) }));
        }
        (None, None) => {}
    }
    Ok(name)
}
