//! Where a recorder sends finished frames: anything that implements [`embedded_io::Write`].

use embedded_io::Write;

use crate::trace::error::{RecordError, unwritten};

/// A [`Write`] without its error type, so that a host need not know it.
pub trait Sink: Send {
    /// Writes all of `bytes`.
    ///
    /// # Errors
    /// The writer's error: as it is if it is an [`std::io::Error`], otherwise its kind.
    fn write_all(&mut self, bytes: &[u8]) -> Result<(), RecordError>;

    /// Makes what was written reach its place.
    ///
    /// # Errors
    /// As of [`write_all`](Self::write_all).
    fn flush(&mut self) -> Result<(), RecordError>;
}

impl<W: Write + Send + 'static> Sink for W {
    fn write_all(&mut self, bytes: &[u8]) -> Result<(), RecordError> {
        Write::write_all(self, bytes).map_err(unwritten)
    }

    fn flush(&mut self) -> Result<(), RecordError> {
        Write::flush(self).map_err(unwritten)
    }
}
