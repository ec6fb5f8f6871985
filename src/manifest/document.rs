//! Strict reading of a TOML document: every error has a line and a column, and an unknown field is an
//! error.
//!
//! It knows TOML and no manifest; [`Manifest::from_toml`](super::Manifest::from_toml) does. It is
//! public for programs that keep settings of their own beside manifests, as the command line keeps
//! its tables.

use alloc::{string::String, vec::Vec};

use ::toml::de::{DeTable, DeValue};

pub use super::problem::{DocumentError, Problem};
use crate::host::logs::Escaped;

/// The most bytes of a text of the document that an error repeats.
const SHOWN: usize = 64;

/// A document that is TOML.
#[derive(Debug)]
pub struct Document<'d> {
    text: &'d str,
    root: DeTable<'d>,
}

impl<'d> Document<'d> {
    /// Parses a document.
    ///
    /// # Errors
    /// [`Problem::Syntax`].
    pub fn parse(text: &'d str) -> Result<Self, DocumentError> {
        match DeTable::parse(text) {
            Ok(root) => Ok(Self { text, root: root.into_inner() }),
            Err(error) => {
                let at = error.span().map_or(text.len(), |span| span.start);
                Err(place(text, at, Problem::Syntax { message: error.message().into() }))
            }
        }
    }

    /// The table of everything that is outside of other tables.
    #[must_use]
    pub fn root(&self) -> Table<'_> {
        Table { text: self.text, table: &self.root, at: 0 }
    }
}

/// A table of a document.
#[derive(Clone, Copy, Debug)]
pub struct Table<'d> {
    text: &'d str,
    table: &'d DeTable<'d>,
    at: usize,
}

impl<'d> Table<'d> {
    /// Its fields, in the order in which they are written, so that the first error is that of the
    /// first wrong line.
    #[must_use]
    pub fn fields(self) -> Vec<Field<'d>> {
        let mut fields: Vec<_> = self
            .table
            .iter()
            .map(|(key, value)| {
                let name = &**key.get_ref();
                let at = value.span().start;
                let value = Item { text: self.text, name, value: value.get_ref(), at };
                Field { name, at: key.span().start, value }
            })
            .collect();
        fields.sort_by_key(|field| field.at);
        fields
    }

    /// The error that this table lacks a field.
    #[must_use]
    pub fn missing(self, field: &'static str) -> DocumentError {
        place(self.text, self.at, Problem::MissingField { field })
    }

    /// An error about this table as a whole.
    #[must_use]
    pub fn error(self, problem: Problem) -> DocumentError {
        place(self.text, self.at, problem)
    }
}

/// A field of a table: a key and its value.
#[derive(Clone, Copy, Debug)]
pub struct Field<'d> {
    /// The key.
    pub name: &'d str,
    /// The value.
    pub value: Item<'d>,
    at: usize,
}

impl Field<'_> {
    /// The error that the key means nothing.
    #[must_use]
    pub fn unknown(&self, known: &'static [&'static str]) -> DocumentError {
        self.error(Problem::UnknownField { field: shown(self.name), known })
    }

    /// An error about the key.
    #[must_use]
    pub fn error(&self, problem: Problem) -> DocumentError {
        place(self.value.text, self.at, problem)
    }
}

/// A value of a document, which knows the field that it belongs to.
#[derive(Clone, Copy, Debug)]
pub struct Item<'d> {
    text: &'d str,
    name: &'d str,
    value: &'d DeValue<'d>,
    at: usize,
}

impl<'d> Item<'d> {
    /// The field that this is the value of, or of whose value it is a part.
    #[must_use]
    pub const fn field(&self) -> &'d str {
        self.name
    }

    /// The type of the value in words.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self.value {
            DeValue::String(_) => "a text",
            DeValue::Integer(_) => "an integer",
            DeValue::Float(_) => "a float",
            DeValue::Boolean(_) => "true or false",
            DeValue::Datetime(_) => "a date or time",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        }
    }

    /// An error about this value.
    #[must_use]
    pub fn error(&self, problem: Problem) -> DocumentError {
        place(self.text, self.at, problem)
    }

    /// The error that this is of another type than `expected`.
    #[must_use]
    pub fn wrong_type(&self, expected: &'static str) -> DocumentError {
        self.error(Problem::WrongType { field: shown(self.name), expected, found: self.kind() })
    }

    /// The text.
    ///
    /// # Errors
    /// [`Problem::WrongType`], as for all values that are asked for as what they are not.
    pub fn text(&self) -> Result<&'d str, DocumentError> {
        if let DeValue::String(text) = self.value {
            Ok(text)
        } else {
            Err(self.wrong_type("a text"))
        }
    }

    /// True or false.
    ///
    /// # Errors
    /// [`Problem::WrongType`].
    pub fn bool(&self) -> Result<bool, DocumentError> {
        if let DeValue::Boolean(value) = self.value {
            Ok(*value)
        } else {
            Err(self.wrong_type("true or false"))
        }
    }

    /// An integer of at least `min` and at most `max`.
    ///
    /// # Errors
    /// [`Problem::WrongType`] and [`Problem::OutOfRange`].
    pub fn integer(&self, min: u64, max: u64) -> Result<u64, DocumentError> {
        let DeValue::Integer(integer) = self.value else {
            return Err(self.wrong_type("an integer"));
        };
        match u64::from_str_radix(integer.as_str(), integer.radix()) {
            Ok(value) if (min..=max).contains(&value) => Ok(value),
            _ => Err(self.out_of_range(integer.as_str(), min.into(), max.into())),
        }
    }

    fn out_of_range(&self, found: &str, min: i128, max: i128) -> DocumentError {
        let (field, found) = (shown(self.name), shown(found));
        self.error(Problem::OutOfRange { field, found, min, max })
    }

    /// A signed integer of 64 bits.
    ///
    /// # Errors
    /// [`Problem::WrongType`] and [`Problem::OutOfRange`].
    pub fn signed(&self) -> Result<i64, DocumentError> {
        let DeValue::Integer(integer) = self.value else {
            return Err(self.wrong_type("an integer"));
        };
        let text = integer.as_str();
        i64::from_str_radix(text, integer.radix())
            .map_err(|_| self.out_of_range(text, i64::MIN.into(), i64::MAX.into()))
    }

    /// A number, written as a float or as an integer.
    ///
    /// # Errors
    /// [`Problem::WrongType`].
    pub fn float(&self) -> Result<f64, DocumentError> {
        let parsed = match self.value {
            DeValue::Float(float) => float.as_str().parse(),
            DeValue::Integer(integer) if integer.radix() == 10 => integer.as_str().parse(),
            DeValue::String(_)
            | DeValue::Integer(_)
            | DeValue::Boolean(_)
            | DeValue::Datetime(_)
            | DeValue::Array(_)
            | DeValue::Table(_) => return Err(self.wrong_type("a number")),
        };
        parsed.map_err(|_| self.wrong_type("a number"))
    }

    /// The values of a list.
    ///
    /// # Errors
    /// [`Problem::WrongType`].
    pub fn list(&self) -> Result<Vec<Self>, DocumentError> {
        if let DeValue::Array(items) = self.value {
            Ok(items
                .iter()
                .map(|item| Self { value: item.get_ref(), at: item.span().start, ..*self })
                .collect())
        } else {
            Err(self.wrong_type("a list"))
        }
    }

    /// The texts of a list of texts.
    ///
    /// # Errors
    /// [`Problem::WrongType`].
    pub fn texts(&self) -> Result<Vec<(Self, &'d str)>, DocumentError> {
        self.list()?.into_iter().map(|item| Ok((item, item.text()?))).collect()
    }

    /// The table.
    ///
    /// # Errors
    /// [`Problem::WrongType`].
    pub fn table(&self) -> Result<Table<'d>, DocumentError> {
        if let DeValue::Table(table) = self.value {
            Ok(Table { text: self.text, table, at: self.at })
        } else {
            Err(self.wrong_type("a table"))
        }
    }

    /// The meaning of a text that is one of `choices`.
    ///
    /// # Errors
    /// [`Problem::WrongType`] and [`Problem::Choice`].
    pub fn choice<T: Copy>(&self, choices: &[(&'static str, T)]) -> Result<T, DocumentError> {
        let text = self.text()?;
        choices.iter().find(|(word, _)| *word == text).map(|(_, meaning)| *meaning).ok_or_else(
            || {
                let choices = choices.iter().map(|(word, _)| *word).collect();
                self.error(Problem::Choice { field: shown(self.name), choices })
            },
        )
    }
}

impl Item<'_> {
    /// The value of `all` whose word, at the same place of `words`, the text is.
    ///
    /// # Errors
    /// As [`choice`](Self::choice).
    pub fn one_of<T: Copy>(
        &self,
        words: &'static [&'static str],
        all: &[T],
    ) -> Result<T, DocumentError> {
        let table: Vec<_> = words.iter().copied().zip(all.iter().copied()).collect();
        self.choice(&table)
    }
}

/// A text of the document as an error repeats it: cut, and safe to print.
pub(super) fn shown(text: &str) -> String {
    alloc::format!("{}", Escaped::new(text, SHOWN))
}

/// The error at an offset of the document.
fn place(text: &str, at: usize, problem: Problem) -> DocumentError {
    let before = text.get(..text.floor_char_boundary(at)).unwrap_or(text);
    let line = before.matches('\n').count().saturating_add(1);
    let column = before.chars().rev().take_while(|c| *c != '\n').count().saturating_add(1);
    let number = |count| u32::try_from(count).unwrap_or(u32::MAX);
    DocumentError { line: number(line), column: number(column), problem }
}
