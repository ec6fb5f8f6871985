//! The bytes of a shape to JSON.

use serde_json::{Map, Number, Value as Json, json};
use sochdb_wasmi::abi::{
    Value,
    wire::{Reader, Wire, WireError, WireErrorKind},
};

use super::kinds::Shape;
use crate::formats::bytes::hex;

/// The JSON of `bytes`, which are a `shape` and nothing more.
pub fn decode(shape: &Shape, bytes: &[u8]) -> Result<Json, WireError> {
    let mut reader = Reader::new(bytes);
    let json = take(shape, &mut reader)?;
    reader.finish()?;
    Ok(json)
}

fn take(shape: &Shape, reader: &mut Reader<'_>) -> Result<Json, WireError> {
    Ok(match shape {
        Shape::Unit => Json::Null,
        Shape::Bool => reader.bool()?.into(),
        Shape::Unsigned(8) => reader.u8()?.into(),
        Shape::Unsigned(bits) => {
            let value = reader.u64()?;
            if value >> (bits - 1) > 1 {
                return Err(reader.error(WireErrorKind::VarintOverflow));
            }
            value.into()
        }
        Shape::Signed(8) => reader.u8()?.cast_signed().into(),
        Shape::Signed(bits) => {
            let value = reader.i64()?;
            if !matches!(value >> (bits - 1), 0 | -1) {
                return Err(reader.error(WireErrorKind::VarintOverflow));
            }
            value.into()
        }
        Shape::F32 => single(reader.f32()?),
        Shape::F64 => double(reader.f64()?),
        Shape::Text => reader.text()?.into(),
        Shape::TextOf(len) => {
            let bytes = reader.take(*len as usize)?;
            let text = std::str::from_utf8(bytes);
            text.map_err(|_| reader.error(WireErrorKind::InvalidUtf8))?.into()
        }
        Shape::Bytes => hex(reader.bytes()?).into(),
        Shape::Value => value(&Value::decode(reader)?),
        Shape::Option(inner) => {
            if reader.bool()? {
                take(inner, reader)?
            } else {
                Json::Null
            }
        }
        Shape::List(item) => {
            let count = reader.u32()?;
            // Every item takes a byte, or the count alone would bound the work.
            if count as usize > reader.rest().len() {
                return Err(reader.error(WireErrorKind::TooManyItems));
            }
            items(item, count, reader)?
        }
        Shape::Array(item, len) => items(item, *len, reader)?,
        Shape::Tuple(shapes) => {
            shapes.iter().map(|shape| take(shape, reader)).collect::<Result<Vec<_>, _>>()?.into()
        }
        Shape::Struct(fields) => object(fields, reader)?,
        Shape::Enum(variants) => variant(variants, reader)?,
    })
}

fn object(fields: &[(String, Shape)], reader: &mut Reader<'_>) -> Result<Json, WireError> {
    let mut object = Map::new();
    for (name, shape) in fields {
        object.insert(name.clone(), take(shape, reader)?);
    }
    Ok(object.into())
}

fn variant(
    variants: &[(String, Option<Shape>)],
    reader: &mut Reader<'_>,
) -> Result<Json, WireError> {
    let number = reader.u32()?;
    match variants.get(number as usize) {
        None => Err(reader.error(WireErrorKind::UnknownVariant)),
        Some((name, None)) => Ok(name.clone().into()),
        Some((name, Some(shape))) => Ok(json!({ name: take(shape, reader)? })),
    }
}

fn items(item: &Shape, count: u32, reader: &mut Reader<'_>) -> Result<Json, WireError> {
    let items = (0..count).map(|_| take(item, reader)).collect::<Result<Vec<_>, _>>()?;
    Ok(items.into())
}

/// A double; as text what JSON has no number for.
fn double(value: f64) -> Json {
    match Number::from_f64(value) {
        Some(number) => Json::Number(number),
        None if value.is_nan() => "NaN".into(),
        None if value > 0.0 => "inf".into(),
        None => "-inf".into(),
    }
}

/// A float, with no more digits than it has.
fn single(value: f32) -> Json {
    double(value.to_string().parse().unwrap_or(f64::from(value)))
}

/// A value of a column, as the encoder takes it.
fn value(value: &Value<'_>) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(value) => (*value).into(),
        Value::Int(value) => json!({ "int": value }),
        Value::UInt(value) => json!({ "uint": value }),
        Value::Float(value) => json!({ "float": double(*value) }),
        Value::Text(text) => (*text).into(),
        Value::Binary(bytes) => json!({ "binary": hex(bytes) }),
        Value::Array(items) => items.iter().map(|item| self::value(&item)).collect(),
        Value::Object(fields) => {
            let object: Map<_, _> =
                fields.iter().map(|(name, field)| (name.into(), self::value(&field))).collect();
            json!({ "object": object })
        }
        Value::Ref { table, id } => json!({ "ref": [table, id] }),
    }
}
