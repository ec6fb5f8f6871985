//! What a hook gets and answers: the rows of a statement, and for each of them whether it goes on.
//!
//! It does not say when hooks run or who may hook what; the host does.

use core::{fmt, iter::repeat_n};

#[cfg(feature = "replay")]
use crate::abi::inspect::{Fields, Inspect};
use crate::abi::{
    seq::{Seq, SeqIter},
    value::Value,
    wire::{self, OpenList, Reader, Wire, WireError, WireErrorKind, Writer},
};

tags! {
    /// What happens to the rows of a hook. SochDB's events.
    pub enum HookEvent {
        /// Rows are about to be inserted.
        BeforeInsert = 0 => "before_insert",
        /// Rows were inserted.
        AfterInsert = 1 => "after_insert",
        /// Rows are about to be updated.
        BeforeUpdate = 2 => "before_update",
        /// Rows were updated.
        AfterUpdate = 3 => "after_update",
        /// Rows are about to be deleted.
        BeforeDelete = 4 => "before_delete",
        /// Rows were deleted.
        AfterDelete = 5 => "after_delete",
    }
}

impl HookEvent {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 6] = [
        Self::BeforeInsert,
        Self::AfterInsert,
        Self::BeforeUpdate,
        Self::AfterUpdate,
        Self::BeforeDelete,
        Self::AfterDelete,
    ];

    /// Their words, in the order of [`ALL`](Self::ALL).
    pub const WORDS: [&'static str; 6] = [
        Self::BeforeInsert.as_str(),
        Self::AfterInsert.as_str(),
        Self::BeforeUpdate.as_str(),
        Self::AfterUpdate.as_str(),
        Self::BeforeDelete.as_str(),
        Self::AfterDelete.as_str(),
    ];

    /// Its number on the wire.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The event of a number.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }

    /// Whether the rows are not written or deleted yet, so that a hook can skip them.
    #[must_use]
    pub const fn is_before(self) -> bool {
        match self {
            Self::BeforeInsert | Self::BeforeUpdate | Self::BeforeDelete => true,
            Self::AfterInsert | Self::AfterUpdate | Self::AfterDelete => false,
        }
    }

    /// Whether a hook can change values of the rows.
    #[must_use]
    pub const fn can_change(self) -> bool {
        match self {
            Self::BeforeInsert | Self::BeforeUpdate => true,
            Self::AfterInsert | Self::AfterUpdate | Self::BeforeDelete | Self::AfterDelete => false,
        }
    }
}

messages! {
    /// A row that a hook gets.
    pub struct HookRow<'a> {
        /// The id; `None` before an insert if the host is going to assign it.
        pub id: Option<u64>,
        /// The new values, of all columns in schema order; empty for a delete.
        pub new: Seq<'a, Value<'a>>,
        /// The values as they are stored, of all columns in schema order; empty for an insert.
        pub old: Seq<'a, Value<'a>>,
    }

    /// Input of a hook.
    pub struct HookRequest<'a> {
        /// What happens to the rows.
        pub event: HookEvent,
        /// Name of their table.
        pub table: &'a str,
        /// Name of the plugin whose statement it is; empty for the embedder.
        pub writer: &'a str,
        /// Names of all columns of the table, in schema order.
        pub columns: Seq<'a, &'a str>,
        /// The rows, at least one.
        pub rows: Seq<'a, HookRow<'a>>,
    }

    /// Output of a hook that does not let all rows continue as they are; no bytes if it does.
    pub struct HookResponse<'a> {
        /// One for each row, in order. The list may end after an [`Abort`](HookAnswer::Abort).
        pub answers: Seq<'a, HookAnswer<'a>>,
    }
}

impl HookRequest<'_> {
    /// Appends everything before the rows. Then append the [rows](HookRow) and end the list.
    #[doc(hidden)]
    pub fn begin<'c>(
        writer: &mut Writer<'_>,
        event: HookEvent,
        table: &str,
        from: &str,
        columns: impl ExactSizeIterator<Item = &'c str>,
    ) -> OpenList {
        event.encode(writer);
        writer.text(table);
        writer.text(from);
        writer.len(columns.len());
        columns.for_each(|column| writer.text(column));
        writer.begin_list()
    }
}

/// What a hook answers about one row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum HookAnswer<'a> {
    /// The row goes on as it is.
    Continue,
    /// The row goes on with other values: places of columns in schema order, each with its value. Only
    /// before inserts and updates.
    Changed(Seq<'a, (u32, Value<'a>)>),
    /// The row is neither written nor deleted, and the statement goes on without it. Only before.
    Skip,
    /// The statement fails.
    Abort {
        /// A number for who wrote; the hook chooses it.
        code: i32,
        /// A text for people.
        text: &'a str,
    },
}

impl<'a> Wire<'a> for HookAnswer<'a> {
    fn encode(&self, writer: &mut Writer<'_>) {
        match self {
            Self::Continue => writer.u8(0),
            Self::Changed(changes) => {
                writer.u8(1);
                changes.encode(writer);
            }
            Self::Skip => writer.u8(2),
            Self::Abort { code, text } => {
                writer.u8(3);
                code.encode(writer);
                text.encode(writer);
            }
        }
    }

    fn decode(reader: &mut Reader<'a>) -> Result<Self, WireError> {
        Ok(match reader.u8()? {
            0 => Self::Continue,
            1 => Self::Changed(Seq::decode(reader)?),
            2 => Self::Skip,
            3 => Self::Abort { code: Wire::decode(reader)?, text: reader.text()? },
            _ => return Err(reader.error(WireErrorKind::UnknownVariant)),
        })
    }
}

#[cfg(feature = "replay")]
impl Inspect for HookAnswer<'_> {
    fn inspect(&self, fields: &mut Fields) {
        match self {
            Self::Continue => fields.leaf("continue"),
            Self::Changed(changes) => {
                for (place, (column, value)) in changes.iter().enumerate() {
                    fields.item(place, &column);
                    fields.field("value", &value);
                }
            }
            Self::Skip => fields.leaf("skip"),
            Self::Abort { code, text } => {
                fields.leaf(code);
                fields.field("text", text);
            }
        }
    }
}

/// Why a hook's output is not an answer to its input. Rows count from 0.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HookAnswerError {
    /// It does not decode.
    Wire(WireError),
    /// The answers are not as many as the rows, and the last one is no abort.
    Count {
        /// How many answers there are.
        answers: u32,
        /// How many rows there were.
        rows: u32,
    },
    /// A change is for a column that the table does not have.
    NoSuchColumn {
        /// The row.
        row: u32,
        /// The place of the column.
        column: u32,
        /// How many columns the table has.
        columns: u32,
    },
    /// A change answers an event that takes none.
    Change {
        /// The row.
        row: u32,
        /// The event.
        event: HookEvent,
    },
    /// A skip answers an event that is over.
    Skip {
        /// The row.
        row: u32,
        /// The event.
        event: HookEvent,
    },
}

impl fmt::Display for HookAnswerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wire(error) => write!(f, "its answer is malformed: {error}"),
            Self::Count { answers, rows } => {
                write!(f, "it answers {answers} rows, it got {rows}")
            }
            Self::NoSuchColumn { row, column, columns } => {
                write!(f, "it changes column {column} of row {row}, there are {columns} columns")
            }
            Self::Change { row, event } => {
                write!(f, "it changes row {row}, which {} cannot", event.as_str())
            }
            Self::Skip { row, event } => {
                write!(f, "it skips row {row}, which {} cannot", event.as_str())
            }
        }
    }
}

impl core::error::Error for HookAnswerError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Wire(error) => Some(error),
            Self::Count { .. }
            | Self::NoSuchColumn { .. }
            | Self::Change { .. }
            | Self::Skip { .. } => None,
        }
    }
}

impl From<WireError> for HookAnswerError {
    fn from(error: WireError) -> Self {
        Self::Wire(error)
    }
}

/// The answers of a hook, one for each row up to an abort. They were checked.
#[doc(hidden)]
#[derive(Clone)]
pub struct HookAnswers<'a>(Form<'a>);

#[derive(Clone)]
enum Form<'a> {
    AllContinue(core::iter::RepeatN<HookAnswer<'a>>),
    Listed(SeqIter<'a, HookAnswer<'a>>),
}

impl<'a> HookAnswers<'a> {
    /// The answers in a hook's output, for an input of `rows` rows of a table with `columns` columns.
    ///
    /// # Errors
    /// [`HookAnswerError`]; all answers up to the first abort were checked, and what is behind it was
    /// decoded.
    pub fn decode(
        output: &'a [u8],
        event: HookEvent,
        rows: usize,
        columns: usize,
    ) -> Result<Self, HookAnswerError> {
        if output.is_empty() {
            return Ok(Self(Form::AllContinue(repeat_n(HookAnswer::Continue, rows))));
        }
        let HookResponse { answers } = wire::decode(output)?;
        let mut aborts = false;
        for (row, answer) in answers.iter().enumerate() {
            if check(&answer, event, number(row), number(columns))? {
                aborts = true;
                break;
            }
        }
        if answers.len() > rows || answers.len() < rows && !aborts {
            return Err(HookAnswerError::Count {
                answers: number(answers.len()),
                rows: number(rows),
            });
        }
        Ok(Self(Form::Listed(answers.iter())))
    }
}

/// Whether an answer, which is allowed, is an abort.
fn check(
    answer: &HookAnswer<'_>,
    event: HookEvent,
    row: u32,
    columns: u32,
) -> Result<bool, HookAnswerError> {
    match answer {
        HookAnswer::Changed(_) if !event.can_change() => {
            Err(HookAnswerError::Change { row, event })
        }
        HookAnswer::Changed(changes) => match changes.iter().find(|(at, _)| *at >= columns) {
            Some((column, _)) => Err(HookAnswerError::NoSuchColumn { row, column, columns }),
            None => Ok(false),
        },
        HookAnswer::Skip if !event.is_before() => Err(HookAnswerError::Skip { row, event }),
        HookAnswer::Continue | HookAnswer::Skip => Ok(false),
        HookAnswer::Abort { .. } => Ok(true),
    }
}

fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

impl<'a> Iterator for HookAnswers<'a> {
    type Item = HookAnswer<'a>;

    fn next(&mut self) -> Option<HookAnswer<'a>> {
        match &mut self.0 {
            Form::AllContinue(rows) => rows.next(),
            Form::Listed(answers) => answers.next(),
        }
    }
}

impl fmt::Debug for HookAnswers<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.clone()).finish()
    }
}

#[cfg(test)]
mod tests;
