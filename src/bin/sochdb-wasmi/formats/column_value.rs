//! Values of columns as JSON and as cells of a CSV file, in the form that `--load` reads.

use serde_json::{Map, Value as Json};
use sochdb_wasmi::{abi::Value, database::ColumnType};

use super::bytes::hex;

/// A value as JSON: integers and doubles as numbers (as a text what JSON has no number for), bytes in
/// hex, vectors as lists, references as `table:id`.
pub fn json(value: &Value<'_>, kind: ColumnType) -> Json {
    match (value, kind) {
        (Value::Binary(bytes), ColumnType::Vector { .. }) => {
            components(bytes).map(single).collect()
        }
        (value, _) => plain(value),
    }
}

/// A value as the text of a cell; null is empty. Arrays and objects are JSON, which `--load` does not
/// read.
pub fn cell(value: &Value<'_>, kind: ColumnType) -> String {
    match (value, kind) {
        (Value::Null, _) => String::new(),
        (Value::Binary(bytes), ColumnType::Vector { .. }) => {
            components(bytes).map(|c| c.to_string()).collect::<Vec<_>>().join(" ")
        }
        (Value::Text(text), _) => (*text).into(),
        (Value::Float(float), _) => float.to_string(),
        (value, _) => {
            let json = plain(value);
            json.as_str().map_or_else(|| json.to_string(), str::to_owned)
        }
    }
}

fn components(bytes: &[u8]) -> impl Iterator<Item = f32> {
    let (components, _) = bytes.as_chunks::<4>();
    components.iter().map(|bytes| f32::from_le_bytes(*bytes))
}

/// A float with no more digits than it has.
fn single(value: f32) -> Json {
    double(value.to_string().parse().unwrap_or(f64::from(value)))
}

fn double(value: f64) -> Json {
    serde_json::Number::from_f64(value).map_or_else(|| value.to_string().into(), Json::Number)
}

fn plain(value: &Value<'_>) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(value) => (*value).into(),
        Value::Int(value) => (*value).into(),
        Value::UInt(value) => (*value).into(),
        Value::Float(value) => double(*value),
        Value::Text(text) => (*text).into(),
        Value::Binary(bytes) => hex(bytes).into(),
        Value::Array(items) => items.iter().map(|item| plain(&item)).collect(),
        Value::Object(fields) => fields
            .iter()
            .map(|(name, field)| (name.to_owned(), plain(&field)))
            .collect::<Map<_, _>>()
            .into(),
        Value::Ref { table, id } => format!("{table}:{id}").into(),
    }
}
