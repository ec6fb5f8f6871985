//! A file of calls: a JSON object in each line, and rows of CSV files as the inputs of some.

use std::{iter, path::Path};

use csv::StringRecord;
use serde_json::{Map, Number, Value};

use super::entry_types::Types;
use crate::{
    files,
    formats::{
        bytes::from_hex,
        csv_file::{CsvFile, Delimiter},
        json,
        shape::{self, Shape},
    },
    report::{
        failure::Failure,
        problem::{CallProblem, FIELDS},
    },
};

/// A call that is to be made.
#[derive(Debug)]
pub struct Call {
    pub entry: String,
    pub input: Vec<u8>,
}

/// The calls of a file. Other files that it names are beside it.
pub fn read(path: &Path, types: &Types) -> Result<Vec<Call>, Failure> {
    let text = files::read_text(path)?;
    let mut calls = Vec::new();
    for (at, line) in text.lines().enumerate() {
        if line.trim().is_empty() {
            continue;
        }
        let wrong = |problem| Failure::Calls { path: path.into(), line: at as u64 + 1, problem };
        let object = match json::parse(line) {
            Ok(Value::Object(object)) => object,
            Ok(_) => return Err(wrong(CallProblem::NoObject)),
            Err(error) => return Err(wrong(CallProblem::Json(error))),
        };
        let entry = entry(&object).map_err(wrong)?;
        let shape = types.of(&entry)?.map(|signature| &signature.input);
        let directory = path.parent().unwrap_or(Path::new(""));
        for input in inputs(&object, &entry, shape, directory).map_err(wrong)? {
            calls.push(Call { entry: entry.clone(), input });
        }
    }
    if calls.is_empty() {
        let problem = CallProblem::NoObject;
        return Err(Failure::Calls { path: path.into(), line: 1, problem });
    }
    Ok(calls)
}

fn entry(object: &Map<String, Value>) -> Result<String, CallProblem> {
    if let Some(name) = object.keys().find(|name| !FIELDS.split(", ").any(|f| f == **name)) {
        return Err(CallProblem::UnknownField(name.clone()));
    }
    match object.get("entry") {
        Some(Value::String(entry)) => Ok(entry.clone()),
        _ => Err(CallProblem::Field("entry", "is the name of an entry point")),
    }
}

/// The inputs of a line: several, if they are rows.
fn inputs(
    object: &Map<String, Value>,
    entry: &str,
    shape: Option<&Shape>,
    directory: &Path,
) -> Result<Vec<Vec<u8>>, CallProblem> {
    let shape = || shape.ok_or_else(|| CallProblem::NoTypes(entry.into()));
    let rows_only = |name| CallProblem::Field(name, "goes with \"csv\"");
    match (object.get("input"), object.get("input_hex"), object.get("csv")) {
        (_, _, None) if object.contains_key("rows") => Err(rows_only("rows")),
        (_, _, None) if object.contains_key("columns") => Err(rows_only("columns")),
        (_, _, None) if object.contains_key("delimiter") => Err(rows_only("delimiter")),
        (None, Some(Value::String(hex)), None) => match from_hex(hex) {
            Some(bytes) => Ok(vec![bytes]),
            None => Err(CallProblem::Field("input_hex", "is bytes in hex")),
        },
        (None, Some(_), None) => Err(CallProblem::Field("input_hex", "is bytes in hex")),
        (None, None, Some(Value::String(file))) => rows(object, &directory.join(file), shape()?),
        (None, None, Some(_)) => Err(CallProblem::Field("csv", "is the name of a file")),
        (input, None, None) => {
            let input = input.unwrap_or(&Value::Null);
            match (shape(), input) {
                (Err(_), Value::Null) => Ok(vec![Vec::new()]),
                (shape, input) => shape::encode(shape?, input)
                    .map(|bytes| vec![bytes])
                    .map_err(CallProblem::Input),
            }
        }
        _ => Err(CallProblem::Field("input", "is there once: it, \"input_hex\" or \"csv\"")),
    }
}

/// Where a field of a row comes from.
struct Column<'s> {
    name: &'s str,
    shape: &'s Shape,
    cell: usize,
    replace: Option<(&'s str, &'s str)>,
}

/// The rows of a file, so many in each input.
fn rows(
    object: &Map<String, Value>,
    path: &Path,
    shape: &Shape,
) -> Result<Vec<Vec<u8>>, CallProblem> {
    let count = match object.get("rows") {
        None => usize::MAX,
        Some(rows) => match rows.as_u64().and_then(|rows| usize::try_from(rows).ok()) {
            Some(rows @ 1..) => rows,
            _ => return Err(CallProblem::Field("rows", "is how many rows a call gets, 1 or more")),
        },
    };
    let item = if let Shape::List(item) = shape { Some(&**item) } else { None };
    let Some(Shape::Struct(fields)) = item else {
        return Err(CallProblem::NoRows(shape.clone()));
    };
    let bytes = files::bytes(path).map_err(|error| CallProblem::Io { path: path.into(), error })?;
    let failed = |error| CallProblem::Csv { path: path.into(), error };
    let file = CsvFile::new(bytes, delimiter(object.get("delimiter"))?).map_err(failed)?;
    let columns = columns(object.get("columns"), fields, &file, path)?;
    let mut inputs = Vec::new();
    let mut records = file.records();
    loop {
        let mut list = Vec::new();
        for record in iter::from_fn(|| records.next()).take(count) {
            let (line, record) = record.map_err(failed)?;
            let row = columns.iter().map(|column| (column.name.into(), column.json(&record)));
            let row = Value::Object(row.collect());
            // Here a mistake still has a line.
            if let Shape::List(item) = shape {
                shape::encode(item, &row).map_err(|error| CallProblem::Row {
                    path: path.into(),
                    line,
                    error,
                })?;
            }
            list.push(row);
        }
        if list.is_empty() {
            break;
        }
        inputs.push(shape::encode(shape, &Value::Array(list)).map_err(CallProblem::Input)?);
    }
    match inputs.is_empty() {
        true => Err(CallProblem::NoCalls { path: path.into() }),
        false => Ok(inputs),
    }
}

/// `"delimiter"`: what separates the cells of the file.
fn delimiter(given: Option<&Value>) -> Result<Delimiter, CallProblem> {
    let wrong = || CallProblem::Field("delimiter", "is one ASCII character, or \"tab\"");
    match given {
        None => Ok(Delimiter::default()),
        Some(Value::String(text)) => text.parse().map_err(|_| wrong()),
        Some(_) => Err(wrong()),
    }
}

/// `"columns"`: for each field that is not the column of its name, `from` and `replace`.
fn columns<'s>(
    given: Option<&'s Value>,
    fields: &'s [(String, Shape)],
    file: &CsvFile,
    path: &Path,
) -> Result<Vec<Column<'s>>, CallProblem> {
    const TAKES: &str = "has for each field {\"from\": HEADER, \"replace\": [TEXT, BY]}";
    let wrong = || CallProblem::Field("columns", TAKES);
    let given = match given {
        None => None,
        Some(Value::Object(given)) => Some(given),
        Some(_) => return Err(wrong()),
    };
    let unknown = |name: &&String| !fields.iter().any(|(field, _)| field == *name);
    if let Some(name) = given.into_iter().flat_map(Map::keys).find(unknown) {
        return Err(CallProblem::UnknownColumn(name.clone()));
    }
    let mut columns = Vec::new();
    for (name, shape) in fields {
        let (mut header, mut replace) = (name.as_str(), None);
        match given.and_then(|given| given.get(name)) {
            None => {}
            Some(Value::Object(given)) => {
                for (key, value) in given {
                    match (key.as_str(), value.as_str(), value.as_array().map(Vec::as_slice)) {
                        ("from", Some(from), _) => header = from,
                        ("replace", _, Some([Value::String(from), Value::String(to)])) => {
                            replace = Some((from.as_str(), to.as_str()));
                        }
                        _ => return Err(wrong()),
                    }
                }
            }
            Some(_) => return Err(wrong()),
        }
        let Some(cell) = file.headers.iter().position(|found| found == header) else {
            let (field, header, found) = (name.clone(), header.into(), file.found());
            return Err(CallProblem::NoColumn { path: path.into(), field, header, found });
        };
        columns.push(Column { name, shape, cell, replace });
    }
    Ok(columns)
}

impl Column<'_> {
    /// The cell as JSON of the column's shape; as a text, if it is not of it.
    fn json(&self, record: &StringRecord) -> Value {
        let cell = record.get(self.cell).unwrap_or_default();
        let cell = match self.replace {
            Some((from, to)) => cell.replace(from, to),
            None => cell.into(),
        };
        let mut shape = self.shape;
        while let Shape::Option(inner) = shape {
            if cell.is_empty() {
                return Value::Null;
            }
            shape = inner;
        }
        let json = match shape {
            Shape::Bool => cell.parse().map(Value::Bool).ok(),
            Shape::Unsigned(_) => cell.parse::<u64>().map(Value::from).ok(),
            Shape::Signed(_) => cell.parse::<i64>().map(Value::from).ok(),
            Shape::F32 | Shape::F64 => {
                cell.parse().ok().and_then(Number::from_f64).map(Value::Number)
            }
            Shape::Unit
            | Shape::Text
            | Shape::TextOf(_)
            | Shape::Bytes
            | Shape::Value
            | Shape::Option(_)
            | Shape::List(_)
            | Shape::Array(..)
            | Shape::Tuple(_)
            | Shape::Struct(_)
            | Shape::Enum(_) => None,
        };
        json.unwrap_or(Value::String(cell))
    }
}
