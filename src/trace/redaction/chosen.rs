//! The embedder's choice of values to redact, with the key, and the places of those values in each table.

use alloc::{boxed::Box, vec::Vec};

use sha2::{Digest as _, Sha256};

use crate::trace::{
    data::{Data, Digest},
    event::{CallIn, CallOut, Ending},
};

/// What of a trace is redacted, and with which key. Given to
/// [`Recorder::with_redaction`](crate::trace::Recorder::with_redaction).
///
/// Inputs and outputs of entry points are digests unless they are kept: nobody but the plugin knows
/// what they hold. Without its inputs a trace cannot be replayed.
#[derive(Clone)]
pub struct Redaction {
    pub(super) key: [u8; 32],
    columns: Vec<(Box<str>, Box<str>)>,
    pub(super) config_keys: Vec<Box<str>>,
    inputs: bool,
    outputs: bool,
    /// The tables that have chosen columns.
    pub(super) tables: Vec<Table>,
}

/// Where in a table its chosen columns are, as bits.
#[derive(Clone)]
pub(super) struct Table {
    pub(super) name: Box<str>,
    pub(super) columns: u64,
    /// Name of each index, and which of its columns are chosen.
    pub(super) indexes: Vec<(Box<str>, u64)>,
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
    pub(in crate::trace) fn key_digest(&self) -> Digest {
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

    /// Forgets all tables, before they are looked up again.
    pub(crate) fn forget_tables(&mut self) {
        self.tables.clear();
    }

    /// A digest that nobody without the key can guess.
    pub(in crate::trace) fn keyed(&self, bytes: &[u8]) -> Digest {
        Digest::of_parts(&[&self.key, bytes, &self.key])
    }

    fn digested<'d>(&self, data: Data<'d>) -> Data<'d> {
        match data {
            Data::Full(bytes) => Data::Digest { len: data.len(), digest: self.keyed(bytes) },
            other @ (Data::Digest { .. } | Data::Absent { .. }) => other,
        }
    }

    pub(in crate::trace) fn call_in(&self, call: &mut CallIn<'_>) {
        if !self.inputs {
            call.input = self.digested(call.input);
        }
    }

    pub(in crate::trace) fn call_out(&self, call: &mut CallOut<'_>) {
        // The text of any other failure is the host's own.
        if !self.outputs && matches!(call.ending, Ending::Output | Ending::Failed) {
            call.output = self.digested(call.output);
        }
        // Who has the plugin could guess what its memory held.
        call.memory = None;
    }

    pub(super) fn is_chosen(&self, table: &Table, column: &[u8]) -> bool {
        self.columns.iter().any(|(t, name)| *t == table.name && name.as_bytes() == column)
    }
}

/// The places of what is true, as bits. A table has 32 columns at most.
fn bits(list: impl Iterator<Item = bool>) -> u64 {
    (0..64).zip(list).fold(0, |bits, (at, is)| bits | u64::from(is) << at)
}
