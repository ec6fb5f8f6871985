//! Values that do not leave the device: they are replaced in events, where they lie in the recorder's
//! buffer, by keyed pseudonyms of the same type and the same encoded length.
//!
//! Equal values of a type have equal pseudonyms under a key, wherever they stand, so that they still
//! compare, and a plugin that only passes them on asks in a replay what it asked then. What is
//! replaced, and what is not, is in `docs/trace.md`.

use alloc::{boxed::Box, vec::Vec};

use sha2::{Digest as _, Sha256};

use super::{
    data::{Data, Digest},
    event::{CallIn, CallOut, Ending},
    pseudonym::{Class, Walk},
};
use crate::{
    abi::{Builtin, Status},
    audit::FunctionId,
};

/// What of a trace is redacted, and with which key. Given to
/// [`Recorder::with_redaction`](super::Recorder::with_redaction).
///
/// Inputs and outputs of entry points are digests unless they are kept: nobody but the plugin knows
/// what they hold. Without its inputs a trace cannot be replayed.
#[derive(Clone)]
pub struct Redaction {
    key: [u8; 32],
    columns: Vec<(Box<str>, Box<str>)>,
    config_keys: Vec<Box<str>>,
    inputs: bool,
    outputs: bool,
    /// The tables that have chosen columns.
    tables: Vec<Table>,
}

/// Where in a table its chosen columns are, as bits.
#[derive(Clone)]
struct Table {
    name: Box<str>,
    columns: u64,
    /// Name of each index, and which of its columns are chosen.
    indexes: Vec<(Box<str>, u64)>,
}

impl Redaction {
    /// Redacts with this key, and no column yet. Who has the key can guess values and see whether they
    /// are right, so keep it, and take one of 16 random bytes or more.
    #[must_use]
    pub fn new(key: &[u8]) -> Self {
        Self {
            key: Sha256::digest(key).into(),
            columns: Vec::new(),
            config_keys: Vec::new(),
            inputs: false,
            outputs: false,
            tables: Vec::new(),
        }
    }

    /// Redacts the values of a column.
    #[must_use]
    pub fn column(mut self, table: &str, column: &str) -> Self {
        self.columns.push((table.into(), column.into()));
        self
    }

    /// Redacts what `get_config` answers for a key.
    #[must_use]
    pub fn config_key(mut self, key: &str) -> Self {
        self.config_keys.push(key.into());
        self
    }

    /// Keeps the inputs of entry points as they are: for plugins whose inputs hold no such values.
    #[must_use]
    pub fn keep_inputs(mut self) -> Self {
        self.inputs = true;
        self
    }

    /// Keeps the outputs of entry points, and the texts of calls that failed, as they are.
    #[must_use]
    pub fn keep_outputs(mut self) -> Self {
        self.outputs = true;
        self
    }

    /// Digest of the key, which stands in the header.
    pub(super) fn key_digest(&self) -> Digest {
        self.keyed(b"the key itself")
    }

    /// Learns where the chosen columns of a table are. `indexes` are names and places of columns.
    pub(crate) fn learn<'n>(
        &mut self,
        table: &str,
        columns: impl Iterator<Item = &'n str>,
        indexes: impl Iterator<Item = (&'n str, &'n [u8])>,
    ) {
        let is = |name: &str| self.columns.iter().any(|(t, c)| &**t == table && &**c == name);
        let columns = bits(columns.map(is));
        if columns != 0 {
            let of = |places: &[u8]| bits(places.iter().map(|place| columns >> place & 1 == 1));
            let indexes = indexes.map(|(name, places)| (name.into(), of(places))).collect();
            self.tables.push(Table { name: table.into(), columns, indexes });
        }
    }

    /// Forgets all tables, before they are learnt anew.
    pub(crate) fn forget_tables(&mut self) {
        self.tables.clear();
    }

    /// A digest that nobody without the key can guess.
    pub(super) fn keyed(&self, bytes: &[u8]) -> Digest {
        Digest::of_parts(&[&self.key, bytes, &self.key])
    }

    fn digested<'d>(&self, data: Data<'d>) -> Data<'d> {
        match data {
            Data::Full(bytes) => Data::Digest { len: data.len(), digest: self.keyed(bytes) },
            other @ (Data::Digest { .. } | Data::Absent { .. }) => other,
        }
    }

    pub(super) fn call_in(&self, call: &mut CallIn<'_>) {
        if !self.inputs {
            call.input = self.digested(call.input);
        }
    }

    pub(super) fn call_out(&self, call: &mut CallOut<'_>) {
        // The text of any other failure is the host's own.
        if !self.outputs && matches!(call.ending, Ending::Output | Ending::Failed) {
            call.output = self.digested(call.output);
        }
        // Who has the plugin could guess what its memory held.
        call.memory = None;
    }

    /// Redacts request and response of a host call in place. As many bytes of the response as the
    /// status says are the answer; the rest was written and taken back.
    pub(super) fn host_call(
        &self,
        function: FunctionId,
        request: &mut [u8],
        response: &mut [u8],
        status: i32,
    ) {
        let answered = usize::try_from(status).unwrap_or(0);
        let (answer, mut rest) = response.split_at_mut(answered.min(response.len()));
        // The length that would do is the host's word.
        if status == Status::BufferTooSmall.code() {
            rest = rest.get_mut(4..).unwrap_or_default();
        }
        // Read before it is redacted.
        let shape = self.shape(function, request);
        let redacted = match shape {
            Shape::Open => Some(()),
            Shape::Closed => None,
            Shape::Known(ref message) => {
                self.request(message, request).and_then(|()| self.answer(message, answer))
            }
        };
        if redacted.is_none() {
            Walk::new(&self.key, request).rest(Class::Binary);
            Walk::new(&self.key, answer).rest(Class::Binary);
        }
        if !matches!(shape, Shape::Open) {
            Walk::new(&self.key, rest).rest(Class::Binary);
        }
    }

    /// What is to be redacted in a host call with this request.
    fn shape(&self, function: FunctionId, request: &mut [u8]) -> Shape<'_> {
        let Some(function) = function.builtin() else { return Shape::Closed };
        type OfTable = for<'t> fn(&Redaction, &'t Table, &mut Walk<'_>) -> Option<Message<'t>>;
        let of_table: OfTable = match function {
            Builtin::GetConfig => return self.config(request),
            Builtin::LastError if request.is_empty() => return Shape::Known(Message::LastError),
            Builtin::LastError => return Shape::Closed,
            Builtin::LogMessage => return Shape::Known(Message::Log),
            Builtin::EmitMetric => return Shape::Known(Message::Metric),
            Builtin::SochRead => Self::read,
            Builtin::SochWrite => Self::write,
            Builtin::VectorSearch => Self::search,
            Builtin::IndexLookup => Self::lookup,
            Builtin::SochDelete => {
                |_, _, walk| walk.rows().and_then(|()| walk.finish()).map(|()| Message::Ids)
            }
        };
        let mut walk = Walk::new(&self.key, request);
        let Some(named) = walk.text() else { return Shape::Closed };
        let Some(table) = self.tables.iter().find(|t| t.name.as_bytes() == named) else {
            return Shape::Open;
        };
        of_table(self, table, &mut walk).map_or(Shape::Closed, Shape::Known)
    }

    fn config(&self, request: &mut [u8]) -> Shape<'_> {
        let mut walk = Walk::new(&self.key, request);
        let Some(key) = walk.text() else { return Shape::Closed };
        let chosen = self.config_keys.iter().any(|chosen| chosen.as_bytes() == key);
        match (walk.finish(), chosen) {
            (None, _) => Shape::Closed,
            (_, true) => Shape::Known(Message::Config),
            (_, false) => Shape::Open,
        }
    }

    fn is_chosen(&self, table: &Table, column: &[u8]) -> bool {
        self.columns.iter().any(|(t, name)| *t == table.name && name.as_bytes() == column)
    }

    /// Which of the named columns are chosen, by their places; all of the table for no names.
    fn named(&self, table: &Table, walk: &mut Walk<'_>) -> Option<u64> {
        let count = walk.varint()?;
        if count == 0 {
            return Some(table.columns);
        }
        let mut bits = 0;
        for at in 0..count {
            if self.is_chosen(table, walk.text()?) {
                bits |= 1_u64.checked_shl(u32::try_from(at).ok()?)?;
            }
        }
        Some(bits)
    }

    fn read<'t>(&self, table: &'t Table, walk: &mut Walk<'_>) -> Option<Message<'t>> {
        walk.rows()?;
        let columns = self.named(table, walk)?;
        if walk.u8()? == 1 {
            walk.varint()?;
        }
        let toon = walk.u8()? == 1;
        walk.finish()?;
        Some(Message::Read { columns, toon })
    }

    fn write<'t>(&self, table: &'t Table, walk: &mut Walk<'_>) -> Option<Message<'t>> {
        walk.u8()?;
        let columns = self.named(table, walk)?;
        Some(Message::Write { columns, values_at: walk.at() })
    }

    fn search<'t>(&self, table: &'t Table, walk: &mut Walk<'_>) -> Option<Message<'t>> {
        let vector = self.is_chosen(table, walk.text()?);
        let query_at = walk.at();
        walk.text()?;
        walk.varint()?;
        let filter_at = walk.at();
        for _ in 0..walk.varint()? {
            walk.text()?;
            walk.u8()?;
            walk.value(None)?;
        }
        let columns = if walk.u8()? == 1 { self.named(table, walk)? } else { 0 };
        walk.finish()?;
        Some(Message::Search { vector, query_at, filter_at, columns, table })
    }

    fn lookup<'t>(&self, table: &'t Table, walk: &mut Walk<'_>) -> Option<Message<'t>> {
        let index = walk.text()?;
        let known = table.indexes.iter().find(|(name, _)| name.as_bytes() == index);
        // No such index: nothing is found, but the values may be anything.
        let index = known.map_or(u64::MAX, |(_, columns)| *columns);
        let query_at = walk.at();
        walk.query(None)?;
        walk.u8()?;
        if walk.u8()? == 1 {
            walk.varint()?;
        }
        if walk.u8()? == 1 {
            walk.text()?;
        }
        let columns = if walk.u8()? == 1 { self.named(table, walk)? } else { 0 };
        walk.finish()?;
        Some(Message::Lookup { index, query_at, columns })
    }

    fn request(&self, message: &Message<'_>, request: &mut [u8]) -> Option<()> {
        let mut walk = Walk::new(&self.key, request);
        match message {
            Message::Config | Message::LastError | Message::Ids | Message::Read { .. } => {}
            Message::Log => {
                walk.u8()?;
                walk.redact_text(Class::Text)?;
                walk.finish()?;
            }
            Message::Metric => {
                walk.u8()?;
                walk.text()?;
                for _ in 0..walk.varint()? {
                    walk.text()?;
                    walk.redact_text(Class::Text)?;
                }
                walk.redact(8, Class::Float)?;
                walk.finish()?;
            }
            Message::Write { columns, values_at } => {
                walk.go_to(*values_at);
                for _ in 0..walk.varint()? {
                    if walk.u8()? == 1 {
                        walk.varint()?;
                    }
                    walk.values(*columns)?;
                }
                walk.finish()?;
            }
            Message::Search { vector, query_at, filter_at, table, .. } => {
                if *vector {
                    walk.go_to(*query_at);
                    walk.redact_text(Class::Binary)?;
                }
                walk.go_to(*filter_at);
                for _ in 0..walk.varint()? {
                    let is = self.is_chosen(table, walk.text()?);
                    walk.u8()?;
                    walk.value(Some(is))?;
                }
            }
            Message::Lookup { index, query_at, .. } => {
                walk.go_to(*query_at);
                walk.query(Some(*index))?;
                walk.u8()?;
                if walk.u8()? == 1 {
                    walk.varint()?;
                }
                if walk.u8()? == 1 && *index != 0 {
                    walk.redact_text(Class::Binary)?;
                }
            }
        }
        Some(())
    }

    fn answer(&self, message: &Message<'_>, answer: &mut [u8]) -> Option<()> {
        // A failure answers nothing.
        if answer.is_empty() {
            return Some(());
        }
        let mut walk = Walk::new(&self.key, answer);
        match message {
            Message::Log | Message::Metric | Message::Ids | Message::Write { .. } => Some(()),
            Message::Config => walk.value(Some(true)),
            Message::LastError => walk.redact_text(Class::Text),
            Message::Read { columns: 0, .. } => Some(()),
            Message::Read { toon: true, .. } => walk.redact_text(Class::Text),
            Message::Read { columns, .. } => walk.answered(*columns),
            Message::Search { vector, columns, .. } => {
                for _ in 0..walk.varint()? {
                    walk.varint()?;
                    if *vector {
                        walk.redact(4, Class::Single)?;
                    } else {
                        walk.skip(4)?;
                    }
                    walk.values(*columns)?;
                }
                Some(())
            }
            Message::Lookup { index, columns, .. } => {
                walk.answered(*columns)?;
                if walk.u8()? == 1 && *index != 0 {
                    walk.redact_text(Class::Binary)?;
                }
                Some(())
            }
        }
    }
}

/// The places of what is true, as bits. A table has 32 columns at most.
fn bits(list: impl Iterator<Item = bool>) -> u64 {
    (0..64).zip(list).fold(0, |bits, (at, is)| bits | u64::from(is) << at)
}

/// How much of a host call is to be redacted.
enum Shape<'t> {
    /// Nothing.
    Open,
    /// Every byte: it is not known what they mean.
    Closed,
    /// What this message says.
    Known(Message<'t>),
}

/// A host call whose request could be read: where in it values stand, and which columns, by their
/// places in what is asked for, are chosen.
enum Message<'t> {
    Config,
    LastError,
    Log,
    Metric,
    /// Nothing but ids.
    Ids,
    Read {
        columns: u64,
        toon: bool,
    },
    Write {
        columns: u64,
        values_at: usize,
    },
    Search {
        vector: bool,
        query_at: usize,
        filter_at: usize,
        columns: u64,
        table: &'t Table,
    },
    Lookup {
        index: u64,
        query_at: usize,
        columns: u64,
    },
}
