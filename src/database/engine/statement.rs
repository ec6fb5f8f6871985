//! The state of a writing statement, and its encoding, for statements that create tables, write rows and
//! delete them.

use alloc::vec::Vec;

use super::view::View;
use crate::{
    abi::wire::Writer,
    database::{
        entries::Pending,
        error::DatabaseError,
        rows::Table,
        storage::{self, Storage},
    },
    meter::Meter,
};

/// Version of the format of the store, the first byte of every value in it.
pub(super) const FORMAT_VERSION: u8 = 1;

/// Buffers of a write, kept for the next.
#[derive(Debug, Default)]
pub(super) struct WriteScratch {
    /// The row as it was.
    pub(super) old: Vec<u8>,
    /// The row as it becomes.
    pub(super) new: Vec<u8>,
}

/// What a statement that writes works with.
pub(super) struct Statement<'a, S> {
    pub(super) storage: &'a S,
    pub(super) pending: &'a mut Pending,
    pub(super) table: &'a Table,
    pub(super) scratch: &'a mut WriteScratch,
    pub(super) meter: &'a mut Meter,
}

impl<S: Storage> Statement<'_, S> {
    pub(super) const fn view(&self) -> View<'_, S> {
        View { storage: self.storage, pending: self.pending }
    }

    /// Writes or deletes the entry of a row or of an index, after paying for it.
    pub(super) fn put(&mut self, key: &[u8], value: Option<&[u8]>) -> Result<(), DatabaseError> {
        self.meter.write_entry()?;
        Ok(storage::put(self.storage, self.pending, key, value)?)
    }
}

/// Encodes to the front of `buffer`, which grows if it must, and returns the length.
pub(super) fn encode_into(buffer: &mut Vec<u8>, encode: impl Fn(&mut Writer<'_>)) -> usize {
    let mut writer = Writer::new(buffer);
    encode(&mut writer);
    let len = writer.position();
    if len > buffer.len() {
        buffer.resize(len, 0);
        encode(&mut Writer::new(buffer));
    }
    len
}
