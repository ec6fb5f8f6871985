//! Lists of patterns in a document.

use alloc::vec::Vec;

use super::{
    document::{DocumentError, Item, shown},
    problem::Problem,
};
use crate::capability::{GlobError, Globs};

/// A list of patterns. The place of an error is that of the pattern.
pub fn globs(
    list: Item<'_>,
    parse: fn(&[&str]) -> Result<Globs, GlobError>,
) -> Result<Globs, DocumentError> {
    let texts = list.texts()?;
    let wrong = |error| Problem::Glob { field: shown(list.field()), error };
    for (item, text) in &texts {
        parse(&[text]).map_err(|error| item.error(wrong(error)))?;
    }
    let patterns: Vec<&str> = texts.iter().map(|(_, text)| *text).collect();
    parse(&patterns).map_err(|error| list.error(wrong(error)))
}
