//! The types of entry points, so that the report of a divergence names the field of an input or output and not
//! the byte. The library finds the difference.

use std::collections::BTreeMap;

use clap::Args;
use serde_json::Value;
use sochdb_wasmi::{manifest::section, replay::Divergence};

use crate::{
    files,
    formats::shape::{self, Shape, Signature, TYPES_SECTION},
    report::failure::Failure,
};

/// The types of entry points, as far as they are given.
#[derive(Args)]
pub struct TypeArguments {
    /// The types of the entry points, as "INPUT -> OUTPUT" or with @ before the name of a file that has
    /// those of all. Without it, those that a plugin carries.
    #[arg(long, value_name = "TYPES")]
    types: Option<String>,
}

/// What entry points take and give.
pub enum Signatures {
    /// All the same.
    One(Signature),
    /// By entry point.
    All(BTreeMap<String, Signature>),
}

impl TypeArguments {
    /// The types that are given, or else those in the custom sections of these modules.
    pub fn read<'w>(
        &self,
        modules: impl IntoIterator<Item = &'w [u8]>,
    ) -> Result<Signatures, Failure> {
        match self.types.as_deref() {
            Some(types) if types.starts_with('@') => {
                let text = files::text_argument(types)?;
                shape::types(&text).map(Signatures::All).map_err(Failure::Types)
            }
            Some(types) => shape::signature(types).map(Signatures::One).map_err(Failure::Types),
            None => {
                // What a module carries only helps to read the report: a section that is damaged does
                // not keep the replay from saying what it found.
                let carried = modules.into_iter().filter_map(|wasm| {
                    let text = section::find(wasm, TYPES_SECTION).ok().flatten()?;
                    shape::types(std::str::from_utf8(text).ok()?).ok()
                });
                Ok(Signatures::All(carried.flatten().collect()))
            }
        }
    }
}

impl Signatures {
    /// Names the field of an input or output that differs, and shows both sides as values of its type.
    pub fn name_field(&self, divergence: &mut Divergence) {
        let signature = match self {
            Self::One(signature) => Some(signature),
            Self::All(all) => all.get(&divergence.entry),
        };
        let (Some(signature), Some(field)) = (signature, divergence.field.as_deref()) else {
            return;
        };
        let (shape, what): (&Shape, _) = match field {
            "call" => (&signature.input, ""),
            field if field.starts_with("input[") => (&signature.input, "input"),
            field if field.starts_with("output[") => (&signature.output, "output"),
            _ => return,
        };
        let decoded = |bytes: &[u8]| shape::decode(shape, bytes).ok();
        let (expected, got) = (&mut divergence.expected, &mut divergence.got);
        if what.is_empty() {
            for side in [expected, got] {
                if let Some(input) = decoded(&side.bytes).filter(|_| !side.hex.is_empty()) {
                    side.value += &format!(", input {input}");
                }
            }
            return;
        }
        let (Some(a), Some(b)) = (decoded(&expected.bytes), decoded(&got.bytes)) else { return };
        if a == b {
            // Two encodings of one value: the byte says more.
            return;
        }
        let mut path = what.to_string();
        (expected.value, got.value) = difference(&mut path, &a, &b);
        divergence.field = Some(path);
    }
}

/// The first difference of two values of one shape, and where it is: behind `path`.
fn difference(path: &mut String, a: &Value, b: &Value) -> (String, String) {
    match (a, b) {
        (Value::Object(left), Value::Object(right)) if left.keys().eq(right.keys()) => {
            let differing = left.iter().find(|(key, value)| right.get(*key) != Some(value));
            if let Some((key, left)) = differing
                && let Some(right) = right.get(key)
            {
                path.push('.');
                path.push_str(key);
                return difference(path, left, right);
            }
        }
        (Value::Array(left), Value::Array(right)) => {
            let at = left.iter().zip(right).take_while(|(a, b)| a == b).count();
            match (left.get(at), right.get(at)) {
                (Some(a), Some(b)) => {
                    path.push_str(&format!("[{at}]"));
                    return difference(path, a, b);
                }
                (None, None) => {}
                (a, b) => {
                    path.push_str(&format!("[{at}]"));
                    let shown = |item: Option<&Value>| match item {
                        Some(item) => item.to_string(),
                        None => format!("the end, after {at} items"),
                    };
                    return (shown(a), shown(b));
                }
            }
        }
        _ => {}
    }
    (a.to_string(), b.to_string())
}

/// What the entry points of the plugin that is called take and return.
pub enum Types {
    /// The one that is called.
    One(Signature),
    /// Those of a file that was named.
    Listed { file: String, all: BTreeMap<String, Signature> },
    /// Those of the module.
    Carried(BTreeMap<String, Signature>),
}

impl Types {
    /// What this entry point takes and gives, if that is known.
    pub fn of(&self, entry: &str) -> Result<Option<&Signature>, Failure> {
        match self {
            Self::One(signature) => Ok(Some(signature)),
            Self::Carried(all) => Ok(all.get(entry)),
            Self::Listed { file, all } => match all.get(entry) {
                Some(signature) => Ok(Some(signature)),
                None => Err(Failure::Usage { reason: format!("{file} has no types of {entry:?}") }),
            },
        }
    }
}
