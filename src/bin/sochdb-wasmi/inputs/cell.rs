//! Cells of a CSV file as values of columns: read as the type of a column, and looked at to find the
//! type that a column should have.

use std::borrow::Cow;

use csv::StringRecord;
use sochdb_wasmi::{
    abi::{Name, Value},
    database::ColumnType,
};

use super::schema::Source;
use crate::{
    formats::bytes::from_hex,
    report::problem::{CellProblem, VECTOR},
};

/// How much of a cell an error repeats, in characters.
const SHOWN: usize = 64;

/// A cell as errors repeat it: as it is in the file, and cut if it is long.
fn shown(cell: &str) -> String {
    match cell.char_indices().nth(SHOWN) {
        None => format!("{cell:?}"),
        Some((at, _)) => {
            let cut = cell.get(..at).unwrap_or_default();
            format!("{cut:?}... ({} bytes)", cell.len())
        }
    }
}

/// A column of a table and the cells that its values come from.
pub struct Column<'p> {
    pub name: &'p Name,
    pub kind: ColumnType,
    pub nullable: bool,
    pub source: &'p Source,
    /// Positions in a row.
    pub cells: Vec<usize>,
}

impl Column<'_> {
    /// The value of this column in a row; `scratch` holds what is not in the row as it is.
    pub fn value<'v>(
        &self,
        record: &'v StringRecord,
        scratch: &'v mut Vec<u8>,
    ) -> Result<Value<'v>, CellProblem> {
        if let ColumnType::Vector { dimensions, .. } = self.kind {
            return self.vector(dimensions, record, scratch);
        }
        let cell = self.cells(record).next().unwrap_or_default();
        if cell.is_empty() && (self.nullable || self.kind != ColumnType::Text) {
            return if self.nullable { Ok(Value::Null) } else { Err(CellProblem::Empty) };
        }
        let mut text = Cow::Borrowed(cell);
        if let Some((from, to)) = &self.source.replace {
            text = cell.replace(from, to).into();
        }
        if let Some((at, _)) = self.source.first.and_then(|first| text.char_indices().nth(first)) {
            text.to_mut().truncate(at);
        }
        if self.kind == ColumnType::Binary {
            *scratch = from_hex(&text).ok_or_else(|| wrong(self.kind, &text))?;
            return Ok(Value::Binary(scratch));
        }
        match text {
            Cow::Borrowed(text) => scalar(self.kind, text),
            Cow::Owned(text) => {
                *scratch = text.into_bytes();
                scalar(self.kind, std::str::from_utf8(scratch).unwrap_or_default())
            }
        }
    }

    fn cells<'v>(&self, record: &'v StringRecord) -> impl Iterator<Item = &'v str> {
        self.cells.iter().map(|at| record.get(*at).unwrap_or_default())
    }

    /// A vector, of one cell or of a cell for each component.
    fn vector<'v>(
        &self,
        dimensions: u16,
        record: &'v StringRecord,
        scratch: &'v mut Vec<u8>,
    ) -> Result<Value<'v>, CellProblem> {
        if self.cells(record).all(|cell| cell.trim().is_empty()) {
            return if self.nullable { Ok(Value::Null) } else { Err(CellProblem::Empty) };
        }
        let (cell, given): (Cow<'_, str>, Vec<&str>) = match self.cells.as_slice() {
            [at] => {
                let cell = record.get(*at).unwrap_or_default();
                (cell.into(), components(cell))
            }
            _ => {
                let cells: Vec<_> = self.cells(record).collect();
                (cells.join(",").into(), cells)
            }
        };
        if given.len() != usize::from(dimensions) {
            let (cell, found) = (shown(&cell), given.len());
            return Err(CellProblem::Dimensions { cell, expected: dimensions, found });
        }
        for (at, text) in given.iter().enumerate() {
            let number = at + 1;
            let named = || (shown(&cell), shown(text));
            let Some(component) = text.trim().parse().ok().filter(|number: &f64| !number.is_nan())
            else {
                let (cell, component) = named();
                return Err(CellProblem::Component { cell, component, number });
            };
            let divisor = self.source.divide.get(at).copied().unwrap_or(1.0);
            let component = (component / divisor) as f32;
            if !component.is_finite() {
                let (cell, component) = named();
                return Err(CellProblem::ComponentRange { cell, component, number });
            }
            scratch.extend_from_slice(&component.to_le_bytes());
        }
        Ok(Value::Binary(scratch))
    }
}

/// The components of a vector in one cell.
fn components(cell: &str) -> Vec<&str> {
    let cell = cell.trim();
    let inner = cell.strip_prefix('[').and_then(|cell| cell.strip_suffix(']'));
    let inner = inner.unwrap_or(cell).trim();
    match (inner.contains(';'), inner.contains(',')) {
        _ if inner.is_empty() => Vec::new(),
        (true, _) => inner.split(';').collect(),
        (false, true) => inner.split(',').collect(),
        (false, false) => inner.split_whitespace().collect(),
    }
}

/// How values of a type are written, and its range if it is a number.
const fn form(kind: ColumnType) -> (&'static str, Option<&'static str>) {
    match kind {
        ColumnType::Bool => ("true or false", None),
        ColumnType::Int => ("an integer", Some("-2^63 to 2^63-1")),
        ColumnType::UInt => ("an integer without a sign", Some("0 to 2^64-1")),
        ColumnType::Float => {
            ("a decimal number, inf or -inf", Some("64 bits, 4.9e-324 to 1.8e308 and 0"))
        }
        ColumnType::Text => ("any text", None),
        ColumnType::Binary => ("bytes in hex", None),
        ColumnType::Ref => ("a table and an id, as table:7", Some("ids are 0 to 2^64-1")),
        ColumnType::Array | ColumnType::Object => ("nothing that a cell could be", None),
        ColumnType::Vector { .. } => (VECTOR, None),
    }
}

fn wrong(kind: ColumnType, cell: &str) -> CellProblem {
    CellProblem::Form { cell: shown(cell), kind: kind.as_str(), form: form(kind).0 }
}

fn out_of_range(kind: ColumnType, cell: &str) -> CellProblem {
    let range = form(kind).1.unwrap_or_default();
    CellProblem::Range { cell: shown(cell), kind: kind.as_str(), range }
}

/// A cell as a value that is in it as it is: not bytes, vectors, arrays or objects.
pub fn scalar(kind: ColumnType, cell: &str) -> Result<Value<'_>, CellProblem> {
    let wrong = || wrong(kind, cell);
    Ok(match kind {
        ColumnType::Bool => Value::Bool(cell.parse().map_err(|_| wrong())?),
        ColumnType::Int => Value::Int(integer(kind, cell, cell)?),
        ColumnType::UInt => Value::UInt(integer(kind, cell, cell)?),
        ColumnType::Float => Value::Float(float(cell)?),
        ColumnType::Text => Value::Text(cell),
        ColumnType::Ref => {
            let (table, id) = cell.split_once(':').ok_or_else(wrong)?;
            Value::Ref { table, id: integer(kind, cell, id)? }
        }
        // Binary and vectors are not in the row as they are.
        ColumnType::Binary | ColumnType::Array | ColumnType::Object | ColumnType::Vector { .. } => {
            return Err(wrong());
        }
    })
}

/// An integer in `digits`, a part of `cell`.
pub fn integer<T: std::str::FromStr>(
    kind: ColumnType,
    cell: &str,
    digits: &str,
) -> Result<T, CellProblem> {
    digits.parse().map_err(|_| {
        let unsigned = digits.strip_prefix(['-', '+']).unwrap_or(digits);
        let is_integer = !unsigned.is_empty() && unsigned.bytes().all(|b| b.is_ascii_digit());
        if is_integer { out_of_range(kind, cell) } else { wrong(kind, cell) }
    })
}

/// A number that a double holds: one that is finite stays so, and one that is not zero does.
fn float(cell: &str) -> Result<f64, CellProblem> {
    let number: f64 = cell.parse().map_err(|_| wrong(ColumnType::Float, cell))?;
    let mantissa = cell.split(['e', 'E']).next().unwrap_or_default();
    let vanished = number == 0.0 && mantissa.bytes().any(|b| matches!(b, b'1'..=b'9'));
    let overflowed = number.is_infinite() && cell.bytes().any(|b| b.is_ascii_digit());
    match vanished || overflowed {
        true => Err(out_of_range(ColumnType::Float, cell)),
        false => Ok(number),
    }
}

/// What the cells of a column have been so far.
#[derive(Clone, Copy)]
pub struct Seen {
    pub empty: bool,
    any: bool,
    bool: bool,
    int: bool,
    uint: bool,
    float: bool,
}

impl Seen {
    pub const NOTHING: Self =
        Self { empty: false, any: false, bool: true, int: true, uint: true, float: true };

    /// Takes one more cell into account.
    pub fn look(&mut self, cell: &str) {
        if cell.is_empty() {
            self.empty = true;
            return;
        }
        self.any = true;
        self.bool &= matches!(cell, "true" | "false");
        // 007 and +1 are rather names than numbers: as such they come back as they were.
        let digits = cell.strip_prefix('-').unwrap_or(cell);
        let leading_zero = digits.len() > 1
            && digits.starts_with('0')
            && digits.as_bytes().get(1).is_some_and(u8::is_ascii_digit);
        let number = digits.starts_with(|c: char| c.is_ascii_digit()) && !leading_zero;
        self.int &= number && cell.parse::<i64>().is_ok();
        self.uint &= number && cell.parse::<u64>().is_ok();
        let integer = digits.bytes().all(|b| b.is_ascii_digit());
        let small = |number: i64| number.unsigned_abs() <= 1 << f64::MANTISSA_DIGITS;
        let exact = !integer || cell.parse().is_ok_and(small);
        self.float &= number && exact && float(cell).is_ok_and(f64::is_finite);
    }

    /// The narrowest type that all of them have.
    pub const fn kind(self) -> ColumnType {
        match self {
            Self { any: false, .. } => ColumnType::Text,
            Self { bool: true, .. } => ColumnType::Bool,
            Self { int: true, .. } => ColumnType::Int,
            Self { uint: true, .. } => ColumnType::UInt,
            Self { float: true, .. } => ColumnType::Float,
            Self { bool: false, int: false, uint: false, float: false, any: true, .. } => {
                ColumnType::Text
            }
        }
    }
}
