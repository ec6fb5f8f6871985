//! JSON to the bytes of a shape.

use serde_json::{Map, Value as Json};
use sochdb_wasmi::abi::{
    MAX_DEPTH, Value, ValueKind,
    wire::{Wire, Writer},
};

use super::kinds::{InputError, Shape};
use crate::formats::bytes::from_hex;

/// The bytes of `json` as `shape`.
pub fn encode(shape: &Shape, json: &Json) -> Result<Vec<u8>, InputError> {
    // Once to count, once to write.
    let mut counter = Writer::new(&mut []);
    Encoder { writer: &mut counter, path: "input".into() }.put(shape, json)?;
    let mut bytes = vec![0; counter.position()];
    Encoder { writer: &mut Writer::new(&mut bytes), path: "input".into() }.put(shape, json)?;
    Ok(bytes)
}

struct Encoder<'e, 'w> {
    writer: &'e mut Writer<'w>,
    /// Where the value is that is being encoded, as `input.days[3].wind`.
    path: String,
}

impl Encoder<'_, '_> {
    fn wrong(&self, expected: impl ToString, json: &Json) -> InputError {
        let found = match json {
            Json::Null => "null".into(),
            Json::Bool(value) => value.to_string(),
            Json::Number(number) => number.to_string(),
            Json::String(text) if text.chars().count() <= 40 => format!("{text:?}"),
            Json::String(_) => "a long text".into(),
            Json::Array(items) => format!("a list of {}", items.len()),
            Json::Object(_) => "an object".into(),
        };
        InputError { path: self.path.clone(), expected: expected.to_string(), found }
    }

    /// Encodes a part, whose place is that of the whole and `step`.
    fn part(&mut self, step: &str, shape: &Shape, json: &Json) -> Result<(), InputError> {
        let len = self.path.len();
        self.path.push_str(step);
        self.put(shape, json)?;
        self.path.truncate(len);
        Ok(())
    }

    fn items<'s>(
        &mut self,
        items: &[Json],
        shapes: impl Iterator<Item = &'s Shape>,
    ) -> Result<(), InputError> {
        for (at, (json, shape)) in items.iter().zip(shapes).enumerate() {
            self.part(&format!("[{at}]"), shape, json)?;
        }
        Ok(())
    }

    fn put(&mut self, shape: &Shape, json: &Json) -> Result<(), InputError> {
        let wrong = |this: &Self| this.wrong(shape, json);
        match (shape, json) {
            (Shape::Unit, Json::Null) => {}
            (Shape::Unit, Json::Array(items)) if items.is_empty() => {}
            (Shape::Bool, Json::Bool(value)) => self.writer.bool(*value),
            (Shape::Unsigned(bits), Json::Number(number)) => {
                let value = number.as_u64().filter(|value| value >> (bits - 1) <= 1);
                let value = value.ok_or_else(|| wrong(self))?;
                match u8::try_from(value) {
                    Ok(byte) if *bits == 8 => self.writer.u8(byte),
                    _ => self.writer.u64(value),
                }
            }
            (Shape::Signed(bits), Json::Number(number)) => {
                let fits = |value: &i64| matches!(value >> (bits - 1), 0 | -1);
                let value = number.as_i64().filter(fits).ok_or_else(|| wrong(self))?;
                match i8::try_from(value) {
                    Ok(byte) if *bits == 8 => self.writer.u8(byte.cast_unsigned()),
                    _ => self.writer.i64(value),
                }
            }
            (Shape::F32, _) => {
                let value = single(json).ok_or_else(|| wrong(self))?;
                self.writer.f32(value);
            }
            (Shape::F64, _) => self.writer.f64(float(json).ok_or_else(|| wrong(self))?),
            (Shape::Text, Json::String(text)) => self.writer.text(text),
            (Shape::TextOf(len), Json::String(text)) if text.len() as u64 == u64::from(*len) => {
                self.writer.raw(text.as_bytes());
            }
            (Shape::Bytes, Json::String(text)) => {
                let bytes = from_hex(text).ok_or_else(|| self.wrong("bytes in hex", json))?;
                self.writer.bytes(&bytes);
            }
            (Shape::Value, _) => self.value(json, 0)?,
            (Shape::Option(_), Json::Null) => self.writer.bool(false),
            (Shape::Option(inner), _) => {
                self.writer.bool(true);
                self.put(inner, json)?;
            }
            (Shape::List(item), Json::Array(items)) => {
                self.writer.len(items.len());
                self.items(items, std::iter::repeat(&**item))?;
            }
            (Shape::Array(item, len), Json::Array(items))
                if items.len() as u64 == u64::from(*len) =>
            {
                self.items(items, std::iter::repeat(&**item))?;
            }
            (Shape::Tuple(shapes), Json::Array(items)) if items.len() == shapes.len() => {
                self.items(items, shapes.iter())?;
            }
            (Shape::Struct(fields), Json::Object(object)) => self.object(fields, object, json)?,
            (Shape::Enum(variants), _) => self.variant(variants, json, shape)?,
            _ => return Err(wrong(self)),
        }
        Ok(())
    }

    fn object(
        &mut self,
        fields: &[(String, Shape)],
        object: &Map<String, Json>,
        json: &Json,
    ) -> Result<(), InputError> {
        let unknown = object.keys().find(|key| !fields.iter().any(|(name, _)| name == *key));
        if let Some(unknown) = unknown {
            let names: Vec<_> = fields.iter().map(|(name, _)| &**name).collect();
            let mut error = self.wrong(format!("the fields {}", names.join(", ")), json);
            error.found = format!("an object with {unknown:?}");
            return Err(error);
        }
        for (name, shape) in fields {
            // What may be null may be left out.
            let json = object.get(name).unwrap_or(&Json::Null);
            self.part(&format!(".{name}"), shape, json)?;
        }
        Ok(())
    }

    /// `"Name"`, or `{"Name": ...}`.
    fn variant(
        &mut self,
        variants: &[(String, Option<Shape>)],
        json: &Json,
        shape: &Shape,
    ) -> Result<(), InputError> {
        let (name, inner) = match json {
            Json::String(name) => (name, None),
            Json::Object(object) => match object.iter().next() {
                Some((name, inner)) if object.len() == 1 => (name, Some(inner)),
                _ => return Err(self.wrong(shape, json)),
            },
            Json::Null | Json::Bool(_) | Json::Number(_) | Json::Array(_) => {
                return Err(self.wrong(shape, json));
            }
        };
        let Some(number) = variants.iter().position(|(known, _)| known == name) else {
            return Err(self.wrong(shape, json));
        };
        self.writer.len(number);
        match (variants.get(number).and_then(|(_, shape)| shape.as_ref()), inner) {
            (None, None) => Ok(()),
            (Some(shape), Some(inner)) => self.part(&format!(".{name}"), shape, inner),
            _ => Err(self.wrong(shape, json)),
        }
    }

    /// A value of a column: null, true, a text, a list, or an object of one key, the kind.
    fn value(&mut self, json: &Json, depth: u8) -> Result<(), InputError> {
        let wrong = |this: &Self| {
            this.wrong("a value: null, true, a text, a list, or {\"kind\": ...}", json)
        };
        match json {
            Json::Null => Value::Null.encode(self.writer),
            Json::Bool(value) => Value::Bool(*value).encode(self.writer),
            Json::String(text) => Value::Text(text).encode(self.writer),
            Json::Array(items) if depth < MAX_DEPTH => {
                self.writer.u8(ValueKind::Array.number());
                self.writer.len(items.len());
                for item in items {
                    self.value(item, depth + 1)?;
                }
            }
            Json::Object(object) if object.len() == 1 => {
                let (kind, inner) = object.iter().next().ok_or_else(|| wrong(self))?;
                match (ValueKind::parse(kind), inner) {
                    (Some(ValueKind::Int), _) => {
                        let value = inner.as_i64().ok_or_else(|| wrong(self))?;
                        Value::Int(value).encode(self.writer);
                    }
                    (Some(ValueKind::UInt), _) => {
                        let value = inner.as_u64().ok_or_else(|| wrong(self))?;
                        Value::UInt(value).encode(self.writer);
                    }
                    (Some(ValueKind::Float), _) => {
                        let value = float(inner).ok_or_else(|| wrong(self))?;
                        Value::Float(value).encode(self.writer);
                    }
                    (Some(ValueKind::Binary), Json::String(text)) => {
                        let bytes = from_hex(text).ok_or_else(|| wrong(self))?;
                        Value::Binary(&bytes).encode(self.writer);
                    }
                    (Some(ValueKind::Ref), Json::Array(parts)) => match parts.as_slice() {
                        [Json::String(table), Json::Number(id)] => {
                            let id = id.as_u64().ok_or_else(|| wrong(self))?;
                            Value::Ref { table, id }.encode(self.writer);
                        }
                        _ => return Err(wrong(self)),
                    },
                    (Some(ValueKind::Object), Json::Object(fields)) if depth < MAX_DEPTH => {
                        self.writer.u8(ValueKind::Object.number());
                        self.writer.len(fields.len());
                        for (name, field) in fields {
                            self.writer.text(name);
                            self.value(field, depth + 1)?;
                        }
                    }
                    _ => return Err(wrong(self)),
                }
            }
            Json::Number(_) | Json::Array(_) | Json::Object(_) => return Err(wrong(self)),
        }
        Ok(())
    }
}

/// A number of 32 bits, unless it is too large for one.
fn single(json: &Json) -> Option<f32> {
    let value = float(json)?;
    let narrow = value as f32;
    // One that is finite stays so, and one that is not zero does.
    let holds = narrow.is_finite() == value.is_finite() && (narrow == 0.0) == (value == 0.0);
    (holds || value.is_nan()).then_some(narrow)
}

/// A number, or the texts that stand for those that JSON does not have.
fn float(json: &Json) -> Option<f64> {
    match json {
        Json::Number(number) => number.as_f64(),
        Json::String(text) => match &**text {
            "NaN" => Some(f64::NAN),
            "inf" => Some(f64::INFINITY),
            "-inf" => Some(f64::NEG_INFINITY),
            _ => None,
        },
        Json::Null | Json::Bool(_) | Json::Array(_) | Json::Object(_) => None,
    }
}
