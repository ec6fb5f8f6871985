//! What an entry point takes and returns, as a tree, and how it is written.

use std::fmt;

/// The custom section of a module that the shapes of its entry points lie in, as text.
pub const TYPES_SECTION: &str = "sochdb.types";

/// The shape of an input or an output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Nothing.
    Unit,
    Bool,
    /// An unsigned integer of 8, 16, 32 or 64 bits.
    Unsigned(u32),
    /// A signed integer of 8, 16, 32 or 64 bits.
    Signed(u32),
    F32,
    F64,
    Text,
    /// A text of so many bytes, which are not counted on the wire.
    TextOf(u32),
    Bytes,
    /// A value of a column.
    Value,
    Option(Box<Shape>),
    List(Box<Shape>),
    /// So many items, which are not counted on the wire.
    Array(Box<Shape>, u32),
    Tuple(Vec<Shape>),
    Struct(Vec<(String, Shape)>),
    Enum(Vec<(String, Option<Shape>)>),
}

/// What an entry point takes and gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    pub input: Shape,
    pub output: Shape,
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unit => write!(f, "()"),
            Self::Bool => write!(f, "bool"),
            Self::Unsigned(bits) => write!(f, "u{bits}"),
            Self::Signed(bits) => write!(f, "i{bits}"),
            Self::F32 => write!(f, "f32"),
            Self::F64 => write!(f, "f64"),
            Self::Text => write!(f, "str"),
            Self::TextOf(len) => write!(f, "str[{len}]"),
            Self::Bytes => write!(f, "bytes"),
            Self::Value => write!(f, "value"),
            Self::Option(inner) => write!(f, "?{inner}"),
            Self::List(item) => write!(f, "[{item}]"),
            Self::Array(item, len) => write!(f, "[{item}; {len}]"),
            Self::Tuple(items) => {
                write!(f, "(")?;
                separated(f, items, ", ", |f, item| item.fmt(f))?;
                write!(f, ")")
            }
            Self::Struct(fields) => {
                write!(f, "{{")?;
                separated(f, fields, ", ", |f, (name, shape)| write!(f, "{name}: {shape}"))?;
                write!(f, "}}")
            }
            Self::Enum(variants) => {
                write!(f, "<")?;
                separated(f, variants, " | ", |f, (name, shape)| match shape {
                    None => f.write_str(name),
                    Some(shape) => write!(f, "{name} {shape}"),
                })?;
                write!(f, ">")
            }
        }
    }
}

fn separated<T>(
    f: &mut fmt::Formatter<'_>,
    items: &[T],
    separator: &str,
    write: impl Fn(&mut fmt::Formatter<'_>, &T) -> fmt::Result,
) -> fmt::Result {
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            f.write_str(separator)?;
        }
        write(f, item)?;
    }
    Ok(())
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} -> {}", self.input, self.output)
    }
}

/// Where in an input a JSON value is, and why it is not what the shape takes there.
#[derive(Debug)]
pub struct InputError {
    pub(super) path: String,
    pub(super) expected: String,
    pub(super) found: String,
}

impl fmt::Display for InputError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} takes {}, this is {}", self.path, self.expected, self.found)
    }
}
