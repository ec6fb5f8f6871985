//! The rows of a batch in the bytes that hooks get, and what hooks answer to them.

use alloc::{string::String, vec::Vec};
use core::ops::Range;

use crate::{
    abi::{
        Seq, Value,
        message::{HookAnswer, HookEvent, NewRow},
        wire::{self, Wire, WireError, Writer, varint_len},
    },
    database::MAX_COLUMNS,
};

/// A row: its id, and where its values lie.
#[derive(Clone)]
pub(crate) struct BatchRow {
    pub(crate) id: Option<u64>,
    new: Range<usize>,
    old: Range<usize>,
    skipped: bool,
}

/// Rows, each with a list of new values and one of old ones.
#[derive(Default)]
pub(crate) struct Rows {
    bytes: Vec<u8>,
    rows: Vec<BatchRow>,
    spare: Vec<u8>,
}

/// Buffers of a statement, kept for the next one.
#[derive(Default)]
pub(crate) struct Scratch {
    pub(crate) rows: Rows,
    /// Ids of what the statement wrote so far.
    pub(crate) ids: Vec<u64>,
    /// Ids of what the batch wrote.
    pub(crate) batch_ids: Vec<u64>,
    /// What a hook gets.
    pub(crate) input: Vec<u8>,
    /// What it answers.
    pub(crate) output: Vec<u8>,
    /// The name of its entry point.
    pub(crate) entry: String,
}

/// The most rows of a batch.
pub(crate) const MAX_ROWS: usize = 128;

/// The most bytes that a row takes beside its values.
const ROW_HEAD: usize = 1 + varint_len(u64::MAX);

impl Rows {
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.rows.clear();
    }

    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Bytes of all values.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.len()
    }

    pub(crate) fn has(&self, id: u64) -> bool {
        self.rows.iter().any(|row| row.id == Some(id))
    }

    /// Appends a row.
    pub(crate) fn push(
        &mut self,
        id: Option<u64>,
        new: impl Fn(&mut Writer<'_>),
        old: impl Fn(&mut Writer<'_>),
    ) {
        let new = append(&mut self.bytes, new);
        let old = append(&mut self.bytes, old);
        self.rows.push(BatchRow { id, new, old, skipped: false });
    }

    /// Takes the last row back.
    pub(crate) fn pop(&mut self) {
        if let Some(row) = self.rows.pop() {
            self.bytes.truncate(row.new.start);
        }
    }

    /// The ids, in order.
    pub(crate) fn ids(&self) -> impl Iterator<Item = Option<u64>> {
        self.rows.iter().map(|row| row.id)
    }

    /// Sets the ids that were assigned.
    pub(crate) fn set_ids(&mut self, ids: &[u64]) {
        for (row, id) in self.rows.iter_mut().zip(ids) {
            row.id = Some(*id);
        }
    }

    /// The most bytes that a row takes in a request.
    pub(crate) fn request_len(&self, at: usize) -> usize {
        self.rows.get(at).map_or(0, |row| ROW_HEAD + row.new.len() + row.old.len())
    }

    fn part(&self, place: &Range<usize>) -> &[u8] {
        self.bytes.get(place.clone()).unwrap_or_default()
    }

    /// Encodes a row as hooks get it.
    pub(crate) fn encode(&self, at: usize, writer: &mut Writer<'_>) {
        if let Some(row) = self.rows.get(at) {
            row.id.encode(writer);
            writer.raw(self.part(&row.new));
            writer.raw(self.part(&row.old));
        }
    }

    /// The rows as a statement writes them.
    pub(crate) fn written(&mut self) -> Result<Seq<'_, NewRow<'_>>, WireError> {
        let mut spare = core::mem::take(&mut self.spare);
        spare.clear();
        append(&mut spare, |writer| {
            writer.len(self.rows.len());
            for row in &self.rows {
                row.id.encode(writer);
                writer.raw(self.part(&row.new));
            }
        });
        self.spare = spare;
        wire::decode(&self.spare)
    }

    /// Does what a hook answered about a row.
    pub(crate) fn apply(&mut self, at: usize, answer: &HookAnswer<'_>) -> Result<(), WireError> {
        let Self { bytes, rows, spare } = self;
        let Some(row) = rows.get_mut(at) else { return Ok(()) };
        match answer {
            HookAnswer::Continue | HookAnswer::Abort { .. } => {}
            HookAnswer::Skip => row.skipped = true,
            HookAnswer::Changed(changes) => {
                let list: Seq<'_, Value<'_>> =
                    wire::decode(bytes.get(row.new.clone()).unwrap_or_default())?;
                let mut values = [Value::Null; MAX_COLUMNS];
                for (place, value) in values.iter_mut().zip(&list) {
                    *place = value;
                }
                for (column, value) in changes {
                    if let Some(place) = values.get_mut(column as usize) {
                        *place = value;
                    }
                }
                let values = Seq::new(values.get(..list.len()).unwrap_or_default());
                spare.clear();
                append(spare, |writer| values.encode(writer));
                let start = bytes.len();
                bytes.extend_from_slice(spare);
                row.new = start..bytes.len();
            }
        }
        Ok(())
    }

    /// Leaves out what was skipped.
    pub(crate) fn leave_out_skipped(&mut self) {
        self.rows.retain(|row| !row.skipped);
    }
}

/// Appends what `encode` writes, which is the same each time. Returns where it lies.
pub(crate) fn append(bytes: &mut Vec<u8>, encode: impl Fn(&mut Writer<'_>)) -> Range<usize> {
    let start = bytes.len();
    let mut counter = Writer::new(&mut []);
    encode(&mut counter);
    bytes.resize(start.saturating_add(counter.position()), 0);
    encode(&mut Writer::new(bytes.get_mut(start..).unwrap_or_default()));
    start..bytes.len()
}

/// What a statement does to rows: the event before it, and the one after it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    Insert,
    Update,
    Delete,
}

impl Change {
    pub(crate) const fn before(self) -> HookEvent {
        match self {
            Self::Insert => HookEvent::BeforeInsert,
            Self::Update => HookEvent::BeforeUpdate,
            Self::Delete => HookEvent::BeforeDelete,
        }
    }

    pub(crate) const fn after(self) -> HookEvent {
        match self {
            Self::Insert => HookEvent::AfterInsert,
            Self::Update => HookEvent::AfterUpdate,
            Self::Delete => HookEvent::AfterDelete,
        }
    }
}
