//! `--where COLUMN=VALUE`: which rows are shown, by comparing a column with a value of its type.

use std::{cmp::Ordering, fmt};

use sochdb_wasmi::{
    abi::Value,
    database::{ColumnType, TableSchema},
};

use super::cell::scalar;
use crate::{
    formats::bytes::from_hex,
    report::{failure::Failure, problem::CellProblem},
};

type Holds = fn(Ordering) -> bool;

/// How a column is compared, longer signs before those that they begin with.
const OPERATORS: [(&str, Holds); 6] = [
    ("!=", Ordering::is_ne),
    ("<=", Ordering::is_le),
    (">=", Ordering::is_ge),
    ("=", Ordering::is_eq),
    ("<", Ordering::is_lt),
    (">", Ordering::is_gt),
];

/// A condition on a column.
pub struct Condition {
    column: usize,
    kind: ColumnType,
    holds: Holds,
    /// What it is compared with; `None` for null.
    text: Option<String>,
    bytes: Vec<u8>,
}

struct Named<'c>(&'c CellProblem, &'c str);

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.write(f, self.1)
    }
}

impl Condition {
    /// The condition in this text, on a table.
    pub fn parse(text: &str, schema: &TableSchema) -> Result<Self, Failure> {
        let wrong = |reason: String| Failure::Condition { condition: text.into(), reason };
        let at = text.find(['=', '!', '<', '>']).unwrap_or(text.len());
        let (name, rest) = text.split_at(at);
        let name = name.trim();
        let operator = OPERATORS.iter().find(|(sign, _)| rest.starts_with(sign));
        let Some((sign, holds)) = operator else {
            return Err(wrong("a condition is COLUMN=VALUE, or with !=, <, <=, > or >=".into()));
        };
        let value = rest.get(sign.len()..).unwrap_or_default().trim();
        let columns = schema.columns();
        let found = columns.iter().enumerate().find(|(_, column)| *column.name == *name);
        let Some((place, column)) = found else {
            let names: Vec<_> = columns.iter().map(|column| column.name.to_string()).collect();
            let table = schema.name();
            return Err(wrong(format!(
                "{table} has no column {name:?}; it has {}",
                names.join(", ")
            )));
        };
        let mut condition =
            Self { column: place, kind: column.kind, holds: *holds, text: None, bytes: Vec::new() };
        if value == "null" && column.nullable {
            return match *sign {
                "=" | "!=" => Ok(condition),
                _ => Err(wrong("null is compared with = and != only".into())),
            };
        }
        match column.kind {
            ColumnType::Vector { .. } | ColumnType::Array | ColumnType::Object => {
                let kind = column.kind.as_str();
                return Err(wrong(format!("columns of type {kind} are not compared")));
            }
            ColumnType::Binary => {
                condition.bytes =
                    from_hex(value).ok_or_else(|| wrong("binary is compared with hex".into()))?;
            }
            ColumnType::Bool
            | ColumnType::Int
            | ColumnType::UInt
            | ColumnType::Float
            | ColumnType::Text
            | ColumnType::Ref => {
                scalar(column.kind, value)
                    .map_err(|problem| wrong(Named(&problem, &column.name).to_string()))?;
            }
        }
        condition.text = Some(value.into());
        Ok(condition)
    }

    /// Whether a row meets it. Null meets only conditions on null, and `!=`.
    pub fn is_met(&self, row: &[Value<'_>]) -> bool {
        let value = row.get(self.column).unwrap_or(&Value::Null);
        let Some(text) = &self.text else {
            let order = if *value == Value::Null { Ordering::Equal } else { Ordering::Greater };
            return (self.holds)(order);
        };
        if *value == Value::Null {
            return (self.holds)(Ordering::Less) && (self.holds)(Ordering::Greater);
        }
        let wanted = if self.kind == ColumnType::Binary {
            Ok(Value::Binary(&self.bytes))
        } else {
            scalar(self.kind, text)
        };
        wanted.is_ok_and(|wanted| order(value, &wanted).is_some_and(self.holds))
    }
}

/// The order of two values of one type.
fn order(a: &Value<'_>, b: &Value<'_>) -> Option<Ordering> {
    match (a, b) {
        (Value::Bool(a), Value::Bool(b)) => Some(a.cmp(b)),
        (Value::Int(a), Value::Int(b)) => Some(a.cmp(b)),
        (Value::UInt(a), Value::UInt(b)) => Some(a.cmp(b)),
        (Value::Float(a), Value::Float(b)) => a.partial_cmp(b),
        (Value::Text(a), Value::Text(b)) => Some(a.cmp(b)),
        (Value::Binary(a), Value::Binary(b)) => Some(a.cmp(b)),
        (Value::Ref { table: a, id: x }, Value::Ref { table: b, id: y }) => {
            Some((a, x).cmp(&(b, y)))
        }
        _ => None,
    }
}
