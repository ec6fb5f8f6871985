//! Writes the events of a host: into one buffer, through a buffer into a sink, or into a ring that
//! keeps the last ones.
//!
//! An event is encoded straight into the buffer, without its check: hashing would cost more than the
//! host call that it records. The checks are filled in when a call has ended, or, where the buffer is
//! all there is, when somebody looks at the trace.

use alloc::{boxed::Box, vec};

use embedded_io::Write;

use super::{
    FEATURES, FRAME_HEADER_LEN, MAGIC, WASMI_VERSION,
    chain::{self, Link},
    data::{Data, Digest},
    error::RecordError,
    event::{CallIn, CallOut, Event, Header, Mode},
    host_call::{HostCallEvent, Usual},
    reader::MAX_FRAME_LEN,
    redaction::Redaction,
    ring::Ring,
    sink::Sink,
};
use crate::{
    abi::{
        ABI_VERSION,
        wire::{Wire, Writer, varint_len},
    },
    meter::Prices,
};

/// Where frames go.
enum Place {
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
    buffer: Box<[u8]>,
    /// Where the next frame goes.
    at: usize,
    /// The first frame without its check.
    unsealed: usize,
    link: Link,
    /// Number of the next event.
    event: u64,
    /// Rows visited and bytes moved by the running call so far.
    used: (u32, u64),
    place: Place,
    mode: Mode,
    /// Whether bytes are recorded as they are: not digested, not redacted, and there is no error.
    plain: bool,
    hash_memory: bool,
    error: Option<RecordError>,
    redaction: Option<Box<Redaction>>,
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
    const fn keeps_all(&self) -> bool {
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

    /// Leaves linear memory unhashed. It is hashed after every call otherwise, which costs a
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

    /// The last link of the chain: whoever knows it knows the whole trace.
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
            Place::Buffer | Place::Growing => {
                out.write_all(self.buffer.get(..self.at).unwrap_or_default())
            }
        }
    }

    /// Begins the trace.
    pub(crate) fn begin(&mut self) {
        if let Some(start) = self.buffer.get_mut(..MAGIC.len()) {
            start.copy_from_slice(&MAGIC);
        }
        self.at = MAGIC.len();
        self.unsealed = self.at;
        self.append(&Event::Header(Header {
            abi_version: ABI_VERSION,
            wasmi: WASMI_VERSION,
            compilation: 0,
            features: FEATURES,
            prices: prices(),
            mode: self.mode,
            ring: matches!(self.place, Place::Ring(_)),
            redaction: self.redaction.as_ref().map(|redaction| redaction.key_digest()),
        }));
        self.seal();
        if let Place::Ring(ring) = &mut self.place {
            ring.begin(self.buffer.get(..self.at).unwrap_or_default());
            self.at = 0;
            self.unsealed = 0;
        }
    }

    /// Begins a part that can be replayed without what is before it. The caller appends the
    /// [`Checkpoint`](super::Checkpoint) with the link that this returns.
    pub(crate) fn checkpoint(&mut self) -> Link {
        self.drain();
        // A recorder that stopped keeps what it has: no events come behind this checkpoint.
        if let (Place::Ring(ring), None) = (&mut self.place, &self.error) {
            ring.checkpoint(self.event);
        }
        self.link
    }

    /// A call that was being recorded has no end: what is before it stays readable.
    pub(crate) fn unwound(&mut self) {
        self.drain();
        self.fail(RecordError::Unwound);
    }

    /// Whether linear memory is to be hashed after a call.
    pub(crate) const fn hashes_memory(&self) -> bool {
        self.hash_memory && self.error.is_none()
    }

    /// What a host call added to the rows that its plugin's call visited and the bytes that it
    /// moved, of which these are the sums.
    #[inline]
    pub(crate) const fn used(&mut self, visited: u32, moved: u64) -> (u32, u64) {
        let before = core::mem::replace(&mut self.used, (visited, moved));
        (visited.saturating_sub(before.0), moved.saturating_sub(before.1))
    }

    /// Records a host call that went as usual: what is hot.
    #[inline]
    pub(crate) fn usual(&mut self, call: &Usual<'_>) {
        if self.plain
            && let Some(room) = self.buffer.get_mut(self.at..)
            && let Some(len) = call.write(room, self.event)
        {
            self.at += len;
            self.event += 1;
        } else {
            self.host_call(call.event());
        }
    }

    /// Records any host call.
    #[cold]
    pub(crate) fn host_call(&mut self, mut call: HostCallEvent<'_>) {
        if self.mode == Mode::Digest {
            call.request = self.digested(call.request);
            call.response = self.digested(call.response);
        }
        let before = self.event;
        self.append(&Event::HostCall(call));
        if self.event > before {
            self.redact(&call);
        }
    }

    /// Redacts the host call that was just appended: its response is what the buffer ends with, and
    /// its request is before the response's length.
    fn redact(&mut self, call: &HostCallEvent<'_>) {
        let Self { buffer, at, redaction: Some(redaction), .. } = self else { return };
        let len = |data: &Data<'_>| data.bytes().map_or(0, <[u8]>::len);
        let (request, response) = (len(&call.request), len(&call.response));
        // The length of the response and a tag, where it has not its length in front.
        let between = match call.usual() {
            Some(_) => 0,
            None => 1 + varint_len(response as u64),
        };
        let Some(frames) = buffer.get_mut(..*at) else { return };
        let Some((before, response)) = frames.split_at_mut_checked(frames.len() - response) else {
            return;
        };
        let end = before.len() - between;
        let Some(request) = before.get_mut(end.saturating_sub(request)..end) else { return };
        redaction.host_call(call.function, request, response, call.status);
    }

    /// Records a call's begin.
    pub(crate) fn call_in(&mut self, mut call: CallIn<'_>) {
        self.used = (0, 0);
        if let Some(redaction) = &self.redaction {
            redaction.call_in(&mut call);
        }
        if self.mode == Mode::Digest {
            call.input = self.digested(call.input);
        }
        self.append(&Event::CallIn(call));
    }

    /// Records a call's end, and seals what was recorded since its begin.
    pub(crate) fn call_out(&mut self, mut call: CallOut<'_>) {
        if let Some(redaction) = &self.redaction {
            redaction.call_out(&mut call);
        }
        if self.mode == Mode::Digest {
            call.output = self.digested(call.output);
        }
        self.append(&Event::CallOut(call));
        if !self.keeps_all() {
            self.drain();
        }
    }

    /// Ends the trace.
    pub(crate) fn end(&mut self) {
        self.append(&Event::End(super::End {}));
        self.drain();
        if let Place::Sink(sink) = &mut self.place
            && let Err(error) = sink.flush()
        {
            self.fail(error);
        }
    }

    /// Records one event.
    #[inline]
    pub(crate) fn append(&mut self, event: &Event<'_>) {
        if self.error.is_some() {
            return;
        }
        match self.encode(event) {
            Ok(end) => {
                self.at = end;
                self.event += 1;
            }
            Err(needed) => self.append_to_full(event, needed),
        }
    }

    /// Encodes an event to where the next frame goes. Where it ends, or the bytes it needs.
    #[inline]
    fn encode(&mut self, event: &Event<'_>) -> Result<usize, usize> {
        let frame = self.buffer.get_mut(self.at..).unwrap_or_default();
        let mut writer = Writer::new(frame);
        // Length and check.
        writer.raw(&[0; FRAME_HEADER_LEN]);
        writer.u64(self.event);
        event.encode(&mut writer);
        let needed = writer.position();
        let len = writer.finish().map_err(|_| needed)?;
        let payload =
            u32::try_from(len - FRAME_HEADER_LEN).ok().filter(|len| *len <= MAX_FRAME_LEN);
        let payload = payload.ok_or(needed)?;
        if let Some(start) = frame.first_chunk_mut::<4>() {
            *start = payload.to_le_bytes();
        }
        Ok(self.at + len)
    }

    #[cold]
    fn append_to_full(&mut self, event: &Event<'_>, needed: usize) {
        let capacity = self.buffer.len();
        // A longer one would not be read.
        let most = FRAME_HEADER_LEN + MAX_FRAME_LEN as usize;
        if needed > most {
            self.drain();
            return self.fail(RecordError::EventTooLarge { needed, capacity: most });
        }
        match self.place {
            Place::Buffer => return self.fail(RecordError::Full { capacity }),
            #[cfg(feature = "replay")]
            Place::Growing => {
                let mut buffer = core::mem::take(&mut self.buffer).into_vec();
                buffer.resize(capacity.saturating_mul(2).saturating_add(needed), 0);
                self.buffer = buffer.into();
            }
            // The magic and the header stay together.
            _ if self.event == 0 => {
                return self.fail(RecordError::EventTooLarge { needed, capacity });
            }
            _ => self.drain(),
        }
        match self.encode(event) {
            Ok(end) => {
                self.at = end;
                self.event += 1;
            }
            Err(_) => self.fail(RecordError::EventTooLarge { needed, capacity }),
        }
    }

    /// Fills in the checks of all frames that have none.
    fn seal(&mut self) {
        while let Some(frame) = self.buffer.get_mut(self.unsealed..self.at)
            && let Some((header, rest)) = frame.split_first_chunk_mut::<FRAME_HEADER_LEN>()
        {
            let [a, b, c, d, check @ ..] = header;
            let len = u32::from_le_bytes([*a, *b, *c, *d]) as usize;
            let Some(payload) = rest.get(..len) else { return };
            self.link = chain::next(&self.link, payload);
            *check = chain::check(&self.link);
            self.unsealed += FRAME_HEADER_LEN + len;
        }
    }

    /// Seals everything, and sends it on unless the buffer is the place for it.
    fn drain(&mut self) {
        self.seal();
        let frames = self.buffer.get(..self.at).unwrap_or_default();
        let written = match &mut self.place {
            _ if self.error.is_some() => return,
            Place::Sink(sink) => sink.write_all(frames),
            Place::Ring(ring) => {
                ring.write(frames);
                Ok(())
            }
            Place::Buffer | Place::Growing => return,
        };
        self.at = 0;
        self.unsealed = 0;
        if let Err(error) = written {
            self.fail(error);
        }
    }

    fn digested<'d>(&self, data: Data<'d>) -> Data<'d> {
        let (Data::Full(bytes), len) = (data, data.len()) else { return data };
        let redaction = self.redaction.as_deref();
        let digest = redaction.map_or_else(|| Digest::of(bytes), |keyed| keyed.keyed(bytes));
        Data::Digest { len, digest }
    }

    /// Records no further. The first reason counts.
    #[cold]
    fn fail(&mut self, error: RecordError) {
        self.error.get_or_insert(error);
        self.plain = false;
    }
}

/// Digest of the prices of host work.
fn prices() -> Digest {
    let mut bytes = [0; 8 * Prices::TABLE.len()];
    for (place, (_, price, _)) in bytes.chunks_exact_mut(8).zip(Prices::TABLE) {
        place.copy_from_slice(&price.to_le_bytes());
    }
    Digest::of(&bytes)
}
