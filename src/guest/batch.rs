//! Many rows in few calls: the request of `soch_write` built row by row in the scratch.
//!
//! A [`WriteRequest`](crate::abi::message::WriteRequest) needs all its rows at once, as values in
//! memory; this encodes each as it comes, and nothing else is kept of it.

use super::{HostCallError, call::invoke_encoded, imports};
use crate::abi::{
    Seq, Value,
    message::{NewRow, WriteMode},
    wire::{self, Reader, Wire, Writer},
};

/// The most rows in one call, so that their count takes one byte, which can be kept free in front
/// of them.
const MAX_ROWS: u8 = 0x7f;

/// The most bytes that an assigned id takes in the response.
const ID_LEN: usize = wire::varint_len(u64::MAX);

/// Rows on their way to a table; [`HostHandle::batch`](super::HostHandle::batch) begins one.
///
/// Each call of `soch_write` writes all its rows or none. Several calls do not, but the call of the
/// entry point does: if it returns an error, nothing is written.
#[derive(Debug)]
pub struct WriteBatch<'a> {
    scratch: &'a mut [u8],
    /// Where the count of rows is.
    header: usize,
    /// Where the next row goes.
    at: usize,
    /// Rows that are not written yet.
    rows: u8,
    /// Bytes that their ids take in the response at most.
    ids_len: usize,
    written: u64,
}

impl<'a> WriteBatch<'a> {
    pub(super) fn new(
        scratch: &'a mut [u8],
        table: &str,
        mode: WriteMode,
        columns: &[&str],
    ) -> Result<Self, HostCallError> {
        let mut writer = Writer::new(scratch);
        writer.text(table);
        mode.encode(&mut writer);
        Seq::new(columns).encode(&mut writer);
        let header = writer.position();
        writer.u8(0);
        match writer.finish() {
            Ok(at) => Ok(Self { scratch, header, at, rows: 0, ids_len: 0, written: 0 }),
            Err(error) => Err(HostCallError::too_small(error.needed)),
        }
    }

    /// Adds a row; writes the ones before it if it does not fit beside them. The id is `None` for a
    /// row that the host shall assign one to.
    ///
    /// # Errors
    /// [`HostCallError`] of the write, or [`Status::BufferTooSmall`](crate::abi::Status) for a row that
    /// does not fit the scratch alone.
    pub fn push(&mut self, id: Option<u64>, values: &[Value<'_>]) -> Result<(), HostCallError> {
        let row = NewRow { id, values: Seq::new(values) };
        if self.append(&row).is_err() {
            self.flush()?;
            self.append(&row)?;
        }
        Ok(())
    }

    fn append(&mut self, row: &NewRow<'_>) -> Result<(), HostCallError> {
        if self.rows == MAX_ROWS {
            return Err(HostCallError::too_small(self.at));
        }
        let mut writer = Writer::new(self.scratch.get_mut(self.at..).unwrap_or_default());
        row.encode(&mut writer);
        let end = self.at.saturating_add(writer.position());
        // Room for the response: the count of ids, and the ids.
        let ids_len = self.ids_len + row.id.map_or(ID_LEN, wire::varint_len);
        let needed = end.saturating_add(1 + ids_len);
        if needed > self.scratch.len() {
            return Err(HostCallError::too_small(needed));
        }
        (self.at, self.ids_len) = (end, ids_len);
        self.rows += 1;
        Ok(())
    }

    /// Writes the rows that were added since the last write.
    ///
    /// # Errors
    /// [`HostCallError`]; the rows are kept.
    pub fn flush(&mut self) -> Result<(), HostCallError> {
        if self.rows == 0 {
            return Ok(());
        }
        if let Some(count) = self.scratch.get_mut(self.header) {
            *count = self.rows;
        }
        let place = invoke_encoded::<imports::SochWrite>(self.at, self.scratch)?;
        // The response is the list of ids; how many they are is all that is asked of it here.
        let count = Reader::new(self.scratch.get(place).unwrap_or_default()).u32()?;
        self.written += u64::from(count);
        self.at = self.header + 1;
        (self.rows, self.ids_len) = (0, 0);
        Ok(())
    }

    /// Writes what is left and returns how many rows were written in all.
    ///
    /// # Errors
    /// [`HostCallError`].
    pub fn finish(mut self) -> Result<u64, HostCallError> {
        self.flush()?;
        Ok(self.written)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::{Status, message::WriteRequest};

    const COLUMNS: [&str; 2] = ["kind", "rain"];

    #[test]
    fn a_batch_lays_out_the_request_that_it_stands_for() {
        let values = [[Value::Text("rain"), Value::Float(1.5)], [Value::Null, Value::Float(0.0)]];
        let mut scratch = [0; 128];
        let mut batch = WriteBatch::new(&mut scratch, "days", WriteMode::Upsert, &COLUMNS)
            .expect("the names fit");
        batch.push(Some(7), &values[0]).expect("the row fits");
        batch.push(None, &values[1]).expect("the row fits");
        // There is no host here; the rows are kept.
        assert_eq!(batch.flush(), Err(HostCallError::new(Status::Error)));

        let rows = [
            NewRow { id: Some(7), values: Seq::new(&values[0]) },
            NewRow { id: None, values: Seq::new(&values[1]) },
        ];
        let request = WriteRequest {
            table: "days",
            mode: WriteMode::Upsert,
            columns: Seq::new(&COLUMNS),
            rows: Seq::new(&rows),
        };
        let mut expected = [0; 128];
        let len = wire::encode(&request, &mut expected).expect("the request fits");
        assert_eq!(&batch.scratch[..batch.at], &expected[..len]);
    }

    #[test]
    fn a_row_that_does_not_fit_alone_says_what_would_do() {
        let text = [Value::Text("a text that is longer than the scratch is")];
        for size in 20..72 {
            let mut buffer = [0; 72];
            let scratch = &mut buffer[..size];
            let mut batch = WriteBatch::new(scratch, "days", WriteMode::Insert, &["kind"])
                .expect("the names fit");
            match batch.push(None, &text) {
                Ok(()) => assert!(size >= 69, "{size}"),
                Err(error) => assert_eq!((error.needed, size < 69), (69, true), "{size}"),
            }
        }
    }

    #[test]
    fn room_for_the_response_is_kept_however_many_rows_there_are() {
        let mut scratch = [0; 512];
        let mut batch = WriteBatch::new(&mut scratch, "days", WriteMode::Insert, &["kind"])
            .expect("the names fit");
        // The row that does not fit any more is what needs the host, who is not here.
        while batch.push(None, &[Value::Null]).is_ok() {
            assert!(batch.at + 1 + ID_LEN * usize::from(batch.rows) <= 512);
        }
        assert!(batch.rows > 30);
    }
}
