//! Writes the events of a host: into one buffer, through a buffer into a sink, or into a ring that
//! keeps the last ones.
//!
//! An event is encoded straight into the buffer, without its check: hashing would cost more than the
//! host call that it records. The checks are filled in when a call has ended, or, where the buffer is
//! all there is, when somebody looks at the trace.

use alloc::{boxed::Box, vec};

use embedded_io::Write;

use super::{ring::Ring, sink::Sink};
use crate::trace::{
    chain::{self, Link},
    data::Digest,
    error::RecordError,
    event::Mode,
    redaction::Redaction,
};

/// Where frames go.
pub(super) enum Place {
    /// They stay in the buffer.
    Buffer,
    /// They stay in the buffer, which grows.
    #[cfg(feature = "replay")]
    Growing,
    /// They go to the sink when a call has ended, and the buffer is empty again.
    Sink(Box<dyn Sink>),
    /// They go to the ring when a call has ended, and the buffer is empty again.
    Ring(Box<Ring>),
}

/// Records what a host does. Made by the embedder, given to
/// [`Host::record`](crate::host::Host::record).
///
/// A recorder that can record no further stops and says why ([`error`](Self::error)); the host
/// goes on.
///
/// ```
/// use sochdb_wasmi::{
///     database::{Database, MemoryLimits},
///     host::{Host, HostConfig, NoClock},
///     trace::Recorder,
/// };
///
/// let database = Database::in_memory(MemoryLimits::default());
/// let mut host = Host::new(HostConfig::default(), database, NoClock);
/// host.record(Recorder::growing());
/// // ... load plugins and call them ...
/// let mut trace = Vec::new();
/// host.stop_recording().ok_or("not recording")?.write_to(&mut trace)?;
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
pub struct Recorder {
    pub(super) buffer: Box<[u8]>,
    /// Where the next frame goes.
    pub(super) at: usize,
    /// The first frame without its check.
    pub(super) unsealed: usize,
    pub(super) link: Link,
    /// Number of the next event.
    pub(super) event: u64,
    /// Rows visited and bytes moved by the running call so far.
    pub(super) used: (u32, u64),
    pub(super) place: Place,
    pub(super) mode: Mode,
    /// Whether bytes are recorded as they are: not digested, not redacted, and there is no error.
    pub(super) plain: bool,
    pub(super) hash_memory: bool,
    pub(super) error: Option<RecordError>,
    pub(super) redaction: Option<Box<Redaction>>,
}

impl Recorder {
    /// A recorder of the whole trace into a buffer of `capacity` bytes, which is taken now.
    #[must_use]
    pub fn buffer(capacity: usize) -> Self {
        Self::new(capacity, Place::Buffer)
    }

    /// A recorder of the whole trace into a buffer that grows: for a desk.
    #[cfg(feature = "replay")]
    #[must_use]
    pub fn growing() -> Self {
        Self::new(64 << 10, Place::Growing)
    }

    /// Whether the whole trace stays in the buffer.
    pub(super) const fn keeps_all(&self) -> bool {
        #[cfg(feature = "replay")]
        if let Place::Growing = self.place {
            return true;
        }
        matches!(self.place, Place::Buffer)
    }

    /// A recorder into `sink`. Every call of an entry point is written when it has ended; until
    /// then its events are kept in a buffer of `capacity` bytes, or written earlier if they do not
    /// fit it. No event may be larger than the buffer: give it the largest request and the largest
    /// response, and 256 bytes more.
    pub fn to(sink: impl Write + Send + 'static, capacity: usize) -> Self {
        Self::new(capacity, Place::Sink(Box::new(sink)))
    }

    /// A flight recorder: keeps the last events in `kept` bytes. `capacity` is that of the buffer
    /// for the running call, as in [`to`](Self::to).
    ///
    /// What is kept begins at a [checkpoint](crate::host::Host::checkpoint), so that it can be
    /// replayed. When new events need room, all up to the next checkpoint go, so there should be
    /// several in the ring.
    #[must_use]
    pub fn ring(kept: usize, capacity: usize) -> Self {
        Self::new(capacity, Place::Ring(Box::new(Ring::new(kept))))
    }

    fn new(capacity: usize, place: Place) -> Self {
        Self {
            // Zeros would be taken from an operating system page by page as they are written, in
            // the middle of a call. Ones are taken now.
            buffer: vec![0xff; capacity].into(),
            at: 0,
            unsealed: 0,
            link: chain::START,
            event: 0,
            used: (0, 0),
            place,
            mode: Mode::Full,
            plain: true,
            hash_memory: true,
            error: None,
            redaction: None,
        }
    }

    /// Records digests of requests, answers, inputs and outputs instead of their bytes.
    #[must_use]
    pub fn with_digests_only(mut self) -> Self {
        self.mode = Mode::Digest;
        self.plain = false;
        self
    }

    /// Leaves linear memory unhashed. By default it is hashed after every call, which costs a
    /// device about 40 cycles a byte.
    #[must_use]
    pub fn without_memory_digest(mut self) -> Self {
        self.hash_memory = false;
        self
    }

    /// Replaces values by pseudonyms. Linear memory is not hashed then: a digest of it could be
    /// guessed.
    #[must_use]
    pub fn with_redaction(mut self, redaction: Redaction) -> Self {
        self.redaction = Some(Box::new(redaction));
        self.plain = false;
        self.without_memory_digest()
    }

    /// What is redacted, to tell it the tables.
    pub(crate) fn redaction_mut(&mut self) -> Option<&mut Redaction> {
        self.redaction.as_deref_mut()
    }

    /// A digest of the configuration for the trace: keyed, if values are redacted.
    pub(crate) fn settings_digest(&self, digest: Digest) -> Digest {
        self.redaction.as_ref().map_or(digest, |redaction| redaction.keyed(&digest.0))
    }

    /// What of requests and answers is recorded.
    #[must_use]
    pub const fn mode(&self) -> Mode {
        self.mode
    }

    /// Events recorded so far.
    #[must_use]
    pub const fn events(&self) -> u64 {
        self.event
    }

    /// Why it records no further, if it does not.
    #[must_use]
    pub fn error(&self) -> Option<RecordError> {
        self.error.clone()
    }

    /// Events that a ring no longer has.
    #[must_use]
    pub fn lost(&self) -> u64 {
        if let Place::Ring(ring) = &self.place { ring.lost(self.event) } else { 0 }
    }

    /// The last link of the chain; it identifies the whole trace.
    pub fn last_link(&mut self) -> [u8; 32] {
        self.seal();
        self.link
    }

    /// Writes the trace as it is now: all of it, or what a ring has. Nothing for a recorder with a
    /// sink, which has it.
    ///
    /// # Errors
    /// What `out` returns.
    pub fn write_to<W: Write>(&mut self, out: &mut W) -> Result<(), W::Error> {
        self.drain();
        match &self.place {
            Place::Sink(_) => Ok(()),
            Place::Ring(ring) => ring.pieces().into_iter().try_for_each(|part| out.write_all(part)),
            Place::Buffer => out.write_all(self.buffer.get(..self.at).unwrap_or_default()),
            #[cfg(feature = "replay")]
            Place::Growing => out.write_all(self.buffer.get(..self.at).unwrap_or_default()),
        }
    }
}
