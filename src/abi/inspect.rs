//! Messages as fields with names: the path of each (`rows[3].values[1]`) and its value as text.
//!
//! For people and for finding the first field in which two messages differ. It encodes nothing and
//! no host function uses it.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use core::fmt::Write;

use super::{seq::Seq, value::Value, wire::Wire};

/// One field of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Where it is: names of fields with `.`, places in lists in brackets.
    pub path: String,
    /// What it holds: texts in quotes, bytes in hexadecimal.
    pub value: String,
}

/// The fields of a message, in the order of its bytes.
#[derive(Debug, Default)]
pub struct Fields {
    path: String,
    found: Vec<Field>,
}

impl Fields {
    /// The fields of `message`.
    pub fn of<T: Inspect>(message: &T) -> Vec<Field> {
        let mut fields = Self::default();
        message.inspect(&mut fields);
        fields.found
    }

    /// What `value` holds is under `name`.
    pub fn field<T: Inspect>(&mut self, name: &str, value: &T) {
        let before = self.path.len();
        if before > 0 && !name.is_empty() {
            self.path.push('.');
        }
        self.path.push_str(name);
        value.inspect(self);
        self.path.truncate(before);
    }

    /// What `value` holds is the item at this place.
    pub fn item<T: Inspect>(&mut self, place: usize, value: &T) {
        let before = self.path.len();
        // Writing to a string does not fail.
        let _ = write!(self.path, "[{place}]");
        value.inspect(self);
        self.path.truncate(before);
    }

    /// Here is a value without parts.
    pub fn leaf(&mut self, value: impl ToString) {
        self.found.push(Field { path: self.path.clone(), value: value.to_string() });
    }
}

/// A type whose fields have names.
pub trait Inspect {
    /// Tells its fields.
    fn inspect(&self, fields: &mut Fields);
}

/// Bytes in hexadecimal, after their count.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    let mut text = format!("{} bytes ", bytes.len());
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

macro_rules! plain {
    ($($type:ty),*) => {$(
        impl Inspect for $type {
            fn inspect(&self, fields: &mut Fields) {
                fields.leaf(self);
            }
        }
    )*};
}
plain!(bool, u32, u64, i64, i32);

impl Inspect for () {
    fn inspect(&self, _fields: &mut Fields) {}
}

/// The shortest text that is read back as the same number.
impl Inspect for f32 {
    fn inspect(&self, fields: &mut Fields) {
        fields.leaf(format!("{self:?}"));
    }
}

impl Inspect for f64 {
    fn inspect(&self, fields: &mut Fields) {
        fields.leaf(format!("{self:?}"));
    }
}

impl Inspect for &str {
    fn inspect(&self, fields: &mut Fields) {
        fields.leaf(format!("{self:?}"));
    }
}

impl Inspect for &[u8] {
    fn inspect(&self, fields: &mut Fields) {
        fields.leaf(hex(self));
    }
}

impl<T: Inspect> Inspect for Option<T> {
    fn inspect(&self, fields: &mut Fields) {
        match self {
            Some(value) => value.inspect(fields),
            None => fields.leaf("none"),
        }
    }
}

impl<A: Inspect, B: Inspect> Inspect for (A, B) {
    fn inspect(&self, fields: &mut Fields) {
        fields.field("0", &self.0);
        fields.field("1", &self.1);
    }
}

impl<'a, T: Wire<'a> + Copy + Inspect> Inspect for Seq<'a, T> {
    fn inspect(&self, fields: &mut Fields) {
        if self.is_empty() {
            fields.leaf("empty");
        }
        for (place, item) in self.iter().enumerate() {
            fields.item(place, &item);
        }
    }
}

impl Inspect for Value<'_> {
    fn inspect(&self, fields: &mut Fields) {
        match self {
            Self::Null => fields.leaf("null"),
            Self::Bool(value) => value.inspect(fields),
            Self::Int(value) => value.inspect(fields),
            Self::UInt(value) => value.inspect(fields),
            Self::Float(value) => value.inspect(fields),
            Self::Text(value) => value.inspect(fields),
            Self::Binary(value) => value.inspect(fields),
            Self::Array(items) => items.inspect(fields),
            Self::Object(entries) => {
                for (name, value) in entries.iter() {
                    fields.field(name, &value);
                }
            }
            Self::Ref { table, id } => fields.leaf(format!("{table}:{id}")),
        }
    }
}
