//! What a host call's request is about: where values stand in it and in its answer, and which of them are
//! redacted. It reads and changes nothing.

use super::{
    chosen::{Redaction, Table},
    pseudonym::Walk,
};
use crate::{abi::Builtin, audit::FunctionId};

/// How much of a host call is to be redacted.
pub(super) enum Shape<'t> {
    /// Nothing.
    Open,
    /// Every byte: it is not known what they mean.
    Closed,
    /// What this message says.
    Known(Message<'t>),
}

/// A host call whose request could be read: where in it values stand, and which columns, by their
/// places in what is asked for, are chosen.
pub(super) enum Message<'t> {
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

impl Redaction {
    /// What is to be redacted in a host call with this request.
    pub(super) fn shape(&self, function: FunctionId, request: &mut [u8]) -> Shape<'_> {
        let Some(function) = function.builtin() else { return Shape::Closed };
        type OfTable = for<'t> fn(&Redaction, &'t Table, &mut Walk<'_>) -> Option<Message<'t>>;
        let of_table: OfTable = match function {
            Builtin::GetConfig => return self.config(request),
            Builtin::LastError if request.is_empty() => return Shape::Known(Message::LastError),
            // What plugins tell each other is not known here.
            Builtin::LastError | Builtin::CallPlugin => return Shape::Closed,
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
}
