//! Hooks: the rows of a statement one after another, and an answer to each.
//!
//! Answers are encoded while the rows are looked at, and nothing is kept of either.

use super::{FromValue, HostCallError, typed::pass_over};
use crate::abi::{
    Status, Value,
    message::HookEvent,
    wire::{Mark, OpenList, Reader, Wire, WireError, Writer},
};

/// The rows that a hook gets. Those that the hook does not answer continue as they are.
///
/// ```
/// use sochdb_wasmi::guest::{HookRows, HostCallError, HostHandle};
///
/// /// Refuses negative rain, leaves out rows without a kind, and rounds.
/// fn check(_host: &mut HostHandle<'_>, rows: &mut HookRows<'_>) -> Result<(), HostCallError> {
///     let rain = rows.column("rain")?;
///     while let Some(mut row) = rows.next_row()? {
///         let fallen: f64 = row.new_value(rain)?;
///         if fallen < 0.0 {
///             row.abort(1, "negative rain");
///         } else if row.new_value::<Option<&str>>("kind")?.is_none() {
///             row.skip();
///         } else if fallen < 0.1 {
///             row.set(rain, 0.0)?;
///         }
///     }
///     Ok(())
/// }
///
/// sochdb_wasmi::plugin! { input: 1024, output: 512, scratch: 256; hooks: check }
/// # fn main() {}
/// ```
#[derive(Debug)]
pub struct HookRows<'a> {
    event: HookEvent,
    table: &'a str,
    writer: &'a str,
    /// The names of the columns, after their count.
    columns: Reader<'a>,
    /// The rows that were not handed out.
    rows: Reader<'a>,
    left: u32,
    answers: Answers<'a>,
}

/// Answers on their way to the Output Buffer.
#[derive(Debug)]
struct Answers<'a> {
    output: Writer<'a>,
    list: OpenList,
    count: usize,
    /// The answer to the last row.
    last: Option<Answer>,
    /// Every row continues so far, which takes no bytes.
    plain: bool,
}

#[derive(Debug)]
struct Answer {
    from: Mark,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Continue,
    Changed { list: OpenList, changes: usize },
    Skip,
    Abort,
}

impl<'a> Answers<'a> {
    fn new(output: &'a mut [u8]) -> Self {
        let mut output = Writer::new(output);
        let list = output.begin_list();
        Self { output, list, count: 0, last: None, plain: true }
    }

    /// Ends the last answer. Returns whether it was an abort.
    fn close(&mut self) -> bool {
        match self.last.take().map(|answer| answer.kind) {
            Some(Kind::Changed { list, changes }) => self.output.end_list(list, changes),
            Some(Kind::Abort) => return true,
            Some(Kind::Continue | Kind::Skip) | None => {}
        }
        false
    }

    /// Begins the answer to the next row, which is to continue.
    fn open(&mut self) {
        let from = self.output.mark();
        self.output.u8(0);
        self.count += 1;
        self.last = Some(Answer { from, kind: Kind::Continue });
    }

    fn set(&mut self, column: u32, value: &Value<'_>) {
        let Self { output, last: Some(answer), plain, .. } = self else { return };
        if let Kind::Continue = answer.kind {
            *plain = false;
            output.rewind(answer.from);
            output.u8(1);
            answer.kind = Kind::Changed { list: output.begin_list(), changes: 0 };
        }
        if let Kind::Changed { changes, .. } = &mut answer.kind {
            *changes += 1;
            output.u32(column);
            value.encode(output);
        }
    }

    /// Answers with another kind than before.
    fn replace(&mut self, kind: Kind, encode: impl FnOnce(&mut Writer<'a>)) {
        if let Some(answer) = &mut self.last {
            self.output.rewind(answer.from);
            encode(&mut self.output);
            answer.kind = kind;
            self.plain = false;
        }
    }

    /// The length of the output, if `left` rows more continue.
    fn finish(mut self, left: u32) -> Result<usize, HostCallError> {
        if self.plain {
            return Ok(0);
        }
        if !self.close() {
            for _ in 0..left {
                self.output.u8(0);
                self.count += 1;
            }
        }
        self.output.end_list(self.list, self.count);
        self.output.finish().map_err(|error| HostCallError::too_small(error.needed))
    }
}

/// A column of the table of a hook: its name, or its [place](ColumnPlace), which is found once for all rows.
pub trait HookColumn {
    /// Its place in the schema.
    ///
    /// # Errors
    /// [`Status::NotFound`] if the table has no such column.
    fn place(&self, columns: Columns<'_>) -> Result<u32, HostCallError>;
}

/// The names of a table's columns.
#[derive(Clone, Copy, Debug)]
pub struct Columns<'a>(Reader<'a>);

/// The place of a column, from [`HookRows::column`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ColumnPlace(u32);

impl HookColumn for ColumnPlace {
    fn place(&self, _columns: Columns<'_>) -> Result<u32, HostCallError> {
        Ok(self.0)
    }
}

impl HookColumn for &str {
    fn place(&self, columns: Columns<'_>) -> Result<u32, HostCallError> {
        let mut names = columns.0;
        for place in 0..names.u32()? {
            if names.bytes()? == self.as_bytes() {
                return Ok(place);
            }
        }
        Err(HostCallError::new(Status::NotFound))
    }
}

impl<'a> HookRows<'a> {
    /// The rows of a hook's input, to be answered in `output`.
    #[doc(hidden)]
    pub fn decode(input: &'a [u8], output: &'a mut [u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(input);
        let event = HookEvent::decode(&mut reader)?;
        let (table, writer) = (reader.text()?, reader.text()?);
        let columns = reader;
        for _ in 0..reader.u32()? {
            reader.bytes()?;
        }
        let left = reader.u32()?;
        Ok(Self {
            event,
            table,
            writer,
            columns,
            rows: reader,
            left,
            answers: Answers::new(output),
        })
    }

    /// What happens to the rows.
    #[must_use]
    pub const fn event(&self) -> HookEvent {
        self.event
    }

    /// Name of their table.
    #[must_use]
    pub const fn table(&self) -> &'a str {
        self.table
    }

    /// Name of the plugin whose statement it is; empty for the embedder.
    #[must_use]
    pub const fn writer(&self) -> &'a str {
        self.writer
    }

    /// How many rows were not handed out yet.
    #[must_use]
    pub const fn left(&self) -> usize {
        self.left as usize
    }

    /// The place of a column.
    ///
    /// # Errors
    /// [`Status::NotFound`] if the table has no such column.
    pub fn column(&self, name: &str) -> Result<ColumnPlace, HostCallError> {
        name.place(Columns(self.columns)).map(ColumnPlace)
    }

    /// The next row; `None` after the last one, and after an abort.
    ///
    /// # Errors
    /// [`Status::Error`] for an input that is malformed.
    pub fn next_row(&mut self) -> Result<Option<HookedRow<'_, 'a>>, HostCallError> {
        if self.answers.close() {
            self.left = 0;
        }
        let Some(left) = self.left.checked_sub(1) else { return Ok(None) };
        let reader = &mut self.rows;
        let id = Option::<u64>::decode(reader)?;
        let new = *reader;
        pass_over_list(reader)?;
        let old = *reader;
        pass_over_list(reader)?;
        self.left = left;
        self.answers.open();
        Ok(Some(HookedRow { id, new, old, rows: self }))
    }

    /// The length of the output.
    ///
    /// # Errors
    /// [`Status::BufferTooSmall`].
    #[doc(hidden)]
    pub fn finish(self) -> Result<usize, HostCallError> {
        self.answers.finish(self.left)
    }
}

fn pass_over_list(reader: &mut Reader<'_>) -> Result<(), WireError> {
    for _ in 0..reader.u32()? {
        pass_over(reader)?;
    }
    Ok(())
}

/// A row that a hook gets. It continues as it is unless the hook answers it.
#[derive(Debug)]
pub struct HookedRow<'r, 'a> {
    id: Option<u64>,
    new: Reader<'a>,
    old: Reader<'a>,
    rows: &'r mut HookRows<'a>,
}

impl<'a> HookedRow<'_, 'a> {
    /// The id; `None` before an insert if the host is going to assign it.
    #[must_use]
    pub const fn id(&self) -> Option<u64> {
        self.id
    }

    /// The new value of a column, as it was before [`set`](Self::set).
    ///
    /// # Errors
    /// [`Status::InvalidArgs`] if it is not a `T`, or the row is deleted; [`Status::NotFound`] if the
    /// table has no such column.
    pub fn new_value<T: FromValue<'a>>(&self, column: impl HookColumn) -> Result<T, HostCallError> {
        self.take(self.new, column)
    }

    /// The stored value of a column.
    ///
    /// # Errors
    /// [`Status::InvalidArgs`] if it is not a `T`, or the row is inserted; [`Status::NotFound`] if the
    /// table has no such column.
    pub fn old_value<T: FromValue<'a>>(&self, column: impl HookColumn) -> Result<T, HostCallError> {
        self.take(self.old, column)
    }

    fn take<T: FromValue<'a>>(
        &self,
        mut values: Reader<'a>,
        column: impl HookColumn,
    ) -> Result<T, HostCallError> {
        let place = column.place(Columns(self.rows.columns))?;
        if place >= values.u32()? {
            return Err(HostCallError::new(Status::InvalidArgs));
        }
        for _ in 0..place {
            pass_over(&mut values)?;
        }
        T::take(&mut values)
    }

    /// The row continues with another value in a column. Only before inserts and updates; the host
    /// refuses it elsewhere.
    ///
    /// # Errors
    /// [`Status::NotFound`] if the table has no such column.
    pub fn set<'v>(
        &mut self,
        column: impl HookColumn,
        value: impl Into<Value<'v>>,
    ) -> Result<(), HostCallError> {
        let place = column.place(Columns(self.rows.columns))?;
        self.rows.answers.set(place, &value.into());
        Ok(())
    }

    /// The statement goes on without the row. Only in hooks that run before; the host refuses it
    /// elsewhere.
    pub fn skip(self) {
        self.rows.answers.replace(Kind::Skip, |output| output.u8(2));
    }

    /// The statement fails: who wrote gets the text, and the code that tells this failure from others.
    pub fn abort(self, code: i32, text: &str) {
        self.rows.answers.replace(Kind::Abort, |output| {
            output.u8(3);
            code.encode(output);
            output.text(text);
        });
    }
}

#[cfg(test)]
mod tests;
