//! Where a recorder sends finished frames: anything that implements [`embedded_io::Write`].

use embedded_io::{Error as _, ErrorKind, Write};

/// A [`Write`] without its error type, so that a host need not know it.
pub trait Sink: Send {
    /// Writes all of `bytes`.
    ///
    /// # Errors
    /// The kind of the writer's error.
    fn write_all(&mut self, bytes: &[u8]) -> Result<(), ErrorKind>;

    /// Makes what was written reach its place.
    ///
    /// # Errors
    /// The kind of the writer's error.
    fn flush(&mut self) -> Result<(), ErrorKind>;
}

impl<W: Write + Send> Sink for W {
    fn write_all(&mut self, bytes: &[u8]) -> Result<(), ErrorKind> {
        Write::write_all(self, bytes).map_err(|error| error.kind())
    }

    fn flush(&mut self) -> Result<(), ErrorKind> {
        Write::flush(self).map_err(|error| error.kind())
    }
}
