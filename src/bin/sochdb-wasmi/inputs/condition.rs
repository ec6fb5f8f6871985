//! `--where COLUMN=VALUE`: which rows are shown, by comparing a column with a value of its type.

use std::fmt;

use sochdb_wasmi::{
    abi::{Value, message::Comparison},
    database::{ColumnType, TableSchema},
};

use super::cell::scalar;
use crate::{
    formats::bytes::from_hex,
    report::{failure::Failure, problem::CellProblem},
};

/// How a column is compared, longer signs before those that they begin with.
const COMPARISONS: [Comparison; 6] = [
    Comparison::NotEqual,
    Comparison::LessOrEqual,
    Comparison::GreaterOrEqual,
    Comparison::Equal,
    Comparison::Less,
    Comparison::Greater,
];

/// A condition on a column.
pub struct Condition {
    column: usize,
    kind: ColumnType,
    comparison: Comparison,
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
        let found = COMPARISONS.into_iter().find(|found| rest.starts_with(found.as_str()));
        let Some(comparison) = found else {
            return Err(wrong("a condition is COLUMN=VALUE, or with !=, <, <=, > or >=".into()));
        };
        let value = rest.get(comparison.as_str().len()..).unwrap_or_default().trim();
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
            Self { column: place, kind: column.kind, comparison, text: None, bytes: Vec::new() };
        if value == "null" && column.nullable {
            return match comparison {
                Comparison::Equal | Comparison::NotEqual => Ok(condition),
                Comparison::Less
                | Comparison::LessOrEqual
                | Comparison::Greater
                | Comparison::GreaterOrEqual => {
                    Err(wrong("null is compared with = and != only".into()))
                }
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
        let wanted = match &self.text {
            None => Ok(Value::Null),
            Some(_) if self.kind == ColumnType::Binary => Ok(Value::Binary(&self.bytes)),
            Some(text) => scalar(self.kind, text),
        };
        wanted.is_ok_and(|wanted| self.comparison.holds(value.order(&wanted)))
    }
}
