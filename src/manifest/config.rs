//! The section `[config]`: TOML values as those that `get_config` answers.
//!
//! A plugin asks for one kind of value and nothing is converted, so a table of one key names a kind that
//! TOML does not have: `{ uint = 5 }`.

use alloc::{string::String, vec, vec::Vec};

use super::{
    document::{Item, Table, shown},
    problem::{DocumentError, Problem},
};
use crate::{
    abi::{
        MAX_DEPTH, Name, Value, ValueKind,
        wire::{Wire, Writer},
    },
    host::{ConfigKeyError, MAX_CONFIG_KEY_LEN},
};

/// A vector is Binary on the wire, and has a word of its own here.
const VECTOR: &str = "vector";

/// The words that [`typed`] matches.
const KINDS: &[&str] = &[
    ValueKind::Bool.as_str(),
    ValueKind::Int.as_str(),
    ValueKind::UInt.as_str(),
    ValueKind::Float.as_str(),
    ValueKind::Text.as_str(),
    ValueKind::Binary.as_str(),
    VECTOR,
    ValueKind::Array.as_str(),
    ValueKind::Object.as_str(),
    ValueKind::Ref.as_str(),
];

/// A key and its encoded value.
pub struct Setting {
    pub key: String,
    pub value: Vec<u8>,
}

/// The settings of the section, in the order in which they are written.
pub fn settings(table: Table<'_>) -> Result<Vec<Setting>, DocumentError> {
    let mut settings = Vec::new();
    for field in table.fields() {
        let len = field.name.len();
        if len == 0 || len > MAX_CONFIG_KEY_LEN {
            return Err(field.error(Problem::Key(ConfigKeyError { len })));
        }
        settings.push(Setting { key: field.name.into(), value: encoded(&field.value)? });
    }
    Ok(settings)
}

/// A value of the document in bytes.
pub fn encoded(item: &Item<'_>) -> Result<Vec<u8>, DocumentError> {
    // Once to count, once to write.
    let mut counter = Writer::new(&mut []);
    encode(item, &mut counter, 0)?;
    let mut value = vec![0; counter.position()];
    encode(item, &mut Writer::new(&mut value), 0)?;
    Ok(value)
}

/// A value in bytes.
pub fn encoded_value(value: &Value<'_>) -> Vec<u8> {
    let mut counter = Writer::new(&mut []);
    value.encode(&mut counter);
    let mut bytes = vec![0; counter.position()];
    value.encode(&mut Writer::new(&mut bytes));
    bytes
}

/// Encodes a value inside `depth` lists and objects.
fn encode(item: &Item<'_>, writer: &mut Writer<'_>, depth: u8) -> Result<(), DocumentError> {
    match item.kind() {
        "a text" => Value::Text(item.text()?).encode(writer),
        "true or false" => Value::Bool(item.bool()?).encode(writer),
        "an integer" => Value::Int(item.signed()?).encode(writer),
        "a float" => Value::Float(item.float()?).encode(writer),
        "a list" => array(item, writer, depth)?,
        "a table" => typed(item, writer, depth)?,
        _ => {
            let why = "a value has no kind for dates and times: write it as text";
            return Err(item.error(Problem::Unsupported { field: shown(item.field()), why }));
        }
    }
    Ok(())
}

/// `{ kind = value }`.
fn typed(item: &Item<'_>, writer: &mut Writer<'_>, depth: u8) -> Result<(), DocumentError> {
    let fields = item.table()?.fields();
    let [field] = fields.as_slice() else {
        return Err(item.wrong_type("a value, or a table of one key that says its kind"));
    };
    let value = field.value;
    if field.name == VECTOR {
        Value::Binary(&vector(&value)?).encode(writer);
        return Ok(());
    }
    match ValueKind::parse(field.name) {
        Some(ValueKind::Bool) => Value::Bool(value.bool()?).encode(writer),
        Some(ValueKind::Int) => Value::Int(value.signed()?).encode(writer),
        Some(ValueKind::UInt) => Value::UInt(value.integer(0, u64::MAX)?).encode(writer),
        Some(ValueKind::Float) => Value::Float(value.float()?).encode(writer),
        Some(ValueKind::Text) => Value::Text(value.text()?).encode(writer),
        Some(ValueKind::Binary) => Value::Binary(&binary(&value)?).encode(writer),
        Some(ValueKind::Array) => array(&value, writer, depth)?,
        Some(ValueKind::Object) => object(&value, writer, depth)?,
        Some(ValueKind::Ref) => reference(&value, writer)?,
        Some(ValueKind::Null) | None => return Err(field.unknown(KINDS)),
    }
    Ok(())
}

/// One more list or object around a value.
fn deeper(item: &Item<'_>, depth: u8) -> Result<u8, DocumentError> {
    if depth >= MAX_DEPTH {
        return Err(item.error(Problem::TooDeep { field: shown(item.field()) }));
    }
    Ok(depth + 1)
}

fn array(item: &Item<'_>, writer: &mut Writer<'_>, depth: u8) -> Result<(), DocumentError> {
    let depth = deeper(item, depth)?;
    let items = item.list()?;
    writer.u8(ValueKind::Array.number());
    writer.len(items.len());
    items.iter().try_for_each(|item| encode(item, writer, depth))
}

fn object(item: &Item<'_>, writer: &mut Writer<'_>, depth: u8) -> Result<(), DocumentError> {
    let depth = deeper(item, depth)?;
    let fields = item.table()?.fields();
    writer.u8(ValueKind::Object.number());
    writer.len(fields.len());
    for field in fields {
        writer.text(field.name);
        encode(&field.value, writer, depth)?;
    }
    Ok(())
}

fn binary(item: &Item<'_>) -> Result<Vec<u8>, DocumentError> {
    let text = item.text()?;
    let wrong = || item.wrong_type("bytes in hex, two digits each");
    if !text.is_ascii() || text.len() % 2 != 0 {
        return Err(wrong());
    }
    let pairs = text.as_bytes().chunks_exact(2);
    let byte = |pair: &[u8]| {
        let digit = |byte: &u8| char::from(*byte).to_digit(16);
        let (high, low) = (digit(pair.first()?)?, digit(pair.last()?)?);
        u8::try_from(high << 4 | low).ok()
    };
    pairs.map(|pair| byte(pair).ok_or_else(wrong)).collect()
}

/// The components of a vector as it lies in a column: `f32`, little-endian.
fn vector(item: &Item<'_>) -> Result<Vec<u8>, DocumentError> {
    let mut bytes = Vec::new();
    for component in item.list()? {
        bytes.extend_from_slice(&(component.float()? as f32).to_le_bytes());
    }
    Ok(bytes)
}

fn reference(item: &Item<'_>, writer: &mut Writer<'_>) -> Result<(), DocumentError> {
    let whole = item.table()?;
    let (mut table, mut id) = (None, None);
    for field in whole.fields() {
        match field.name {
            "table" => {
                let name = Name::new(field.value.text()?);
                let error = |error| Problem::Name { field: shown(field.name), error };
                table = Some(name.map_err(|e| field.value.error(error(e)))?);
            }
            "id" => id = Some(field.value.integer(0, u64::MAX)?),
            _ => return Err(field.unknown(&["table", "id"])),
        }
    }
    let table = table.ok_or_else(|| whole.missing("table"))?;
    let id = id.ok_or_else(|| whole.missing("id"))?;
    Value::Ref { table: &table, id }.encode(writer);
    Ok(())
}
