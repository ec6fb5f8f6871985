//! Reads a trace event by event, checking the chain, the order, the clock and the end as it goes.
//!
//! It holds one frame at a time. It does not judge what the events say.

use alloc::vec::Vec;

use embedded_io::{Error as _, Read};

use super::{
    chain::{self, Link},
    error::{TraceError, unreadable},
    event::Event,
    format::{FRAME_HEADER_LEN, MAGIC, MAX_FRAME_LEN, VERSION, limits_version},
};
use crate::abi::wire::Reader;

/// The first bytes of a trace of any version.
const NAME: &[u8] = b"SOCHTRC";

/// An event of a trace and its number.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct NumberedEvent<'a> {
    /// Its number; the header is 0.
    pub number: u64,
    /// Offset of its frame in bytes.
    pub offset: u64,
    /// Length of its frame in bytes.
    pub frame_len: u64,
    /// What happened.
    pub event: Event<'a>,
}

/// Reads a trace from any [`Read`].
pub struct TraceReader<R> {
    source: R,
    frame: Vec<u8>,
    link: Link,
    /// Number of the event to come.
    next: u64,
    /// Offset of the frame to come.
    offset: u64,
    time_us: u64,
    state: State,
    ring: bool,
    /// Its version.
    version: u8,
    /// The clock when each of the nested calls began that are not over: the host call that made it
    /// began before it and is recorded after it.
    around: Vec<u64>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Start,
    /// After the header.
    First,
    Running,
    /// After the end, or after an error.
    Done,
}

impl<R: Read<Error: 'static>> TraceReader<R> {
    /// A reader at the first byte of `source`.
    pub fn new(source: R) -> Self {
        Self {
            source,
            frame: Vec::new(),
            link: chain::START,
            next: 0,
            offset: 0,
            time_us: 0,
            state: State::Start,
            ring: false,
            version: VERSION,
            around: Vec::new(),
        }
    }

    /// The next event; `None` after the [`End`](super::End).
    ///
    /// # Errors
    /// [`TraceError`]. After one there are no more events.
    pub fn read(&mut self) -> Result<Option<NumberedEvent<'_>>, TraceError> {
        if self.state == State::Done {
            return Ok(None);
        }
        let (number, offset) = (self.next, self.offset);
        let before = self.state;
        self.state = State::Done;
        if before == State::Start {
            self.magic()?;
        }
        let offset = if before == State::Start { self.offset } else { offset };
        self.read_frame(before)?;
        let payload: &[u8] = self.frame.get(FRAME_HEADER_LEN..).unwrap_or_default();
        let malformed = |error| TraceError::Malformed { event: number, error };
        let mut reader = Reader::new(payload);
        let found = reader.u64();
        let event = Event::decode_version(self.version, &mut reader)
            .and_then(|event| reader.finish().map(|()| event));
        // What a flight recorder kept begins in the middle, and says which link was before.
        if self.ring
            && before == State::First
            && let Ok(Event::Checkpoint(checkpoint)) = event
            && let (Ok(first), Ok(link)) = (found, Link::try_from(checkpoint.previous))
        {
            self.next = first;
            self.link = link;
        }
        let expected = self.next;
        let link = chain::next(&self.link, payload);
        let check = self.frame.get(4..FRAME_HEADER_LEN).unwrap_or_default();
        if check != chain::check(&link) {
            return Err(match (found, event) {
                (Ok(found), Ok(_)) if found != expected => {
                    TraceError::Reordered { expected, found }
                }
                _ => TraceError::BrokenChain { event: expected, offset },
            });
        }
        let (found, event) = (found.map_err(malformed)?, event.map_err(malformed)?);
        if found != expected {
            return Err(TraceError::Reordered { expected, found });
        }
        check_clock(&mut self.time_us, found, &event)?;
        if let Event::Nested(_) = event {
            self.around.push(self.time_us);
        } else if let Event::CallOut(_) = event
            && let Some(before_us) = self.around.pop()
        {
            self.time_us = before_us;
        }
        self.link = link;
        let frame_len = self.frame.len() as u64;
        self.offset = offset + frame_len;
        self.next = found.saturating_add(1);
        if let (State::Start, Event::Header(header)) = (before, &event) {
            self.ring = header.ring;
        }
        self.state = state_after(before, found, &event)?;
        Ok(Some(NumberedEvent { number: found, offset, frame_len, event }))
    }

    /// After the last event: succeeds if nothing is left.
    ///
    /// # Errors
    /// [`TraceError::AfterEnd`], [`TraceError::DuplicatedHeader`] or [`TraceError::Source`].
    pub fn finish(&mut self) -> Result<[u8; 32], TraceError> {
        let mut rest = [0; MAGIC.len()];
        match self.fill(&mut rest)? {
            0 => Ok(self.link),
            _ if rest.starts_with(NAME) => Err(TraceError::DuplicatedHeader { event: self.next }),
            _ => Err(TraceError::AfterEnd { offset: self.offset }),
        }
    }

    fn magic(&mut self) -> Result<(), TraceError> {
        let mut magic = [0; MAGIC.len()];
        let len = self.fill(&mut magic)?;
        let torn = len < MAGIC.len() && NAME.starts_with(magic.get(..len).unwrap_or_default());
        match len {
            0 => return Err(TraceError::Empty),
            _ if torn => return Err(TraceError::Torn { event: 0, offset: 0 }),
            _ if !magic.starts_with(NAME) => return Err(TraceError::NotATrace),
            _ => {}
        }
        let [.., found] = magic;
        limits_version(found).ok_or(TraceError::Version { found })?;
        self.version = found;
        self.offset = MAGIC.len() as u64;
        Ok(())
    }

    /// Reads the next frame whole.
    fn read_frame(&mut self, before: State) -> Result<(), TraceError> {
        let (event, offset) = (self.next, self.offset);
        let mut header = [0; FRAME_HEADER_LEN];
        match self.fill(&mut header)? {
            0 if before != State::Start => {
                return Err(TraceError::Unfinished { event: event.saturating_sub(1) });
            }
            FRAME_HEADER_LEN => {}
            _ => return Err(TraceError::Torn { event, offset }),
        }
        if header.starts_with(NAME) {
            return Err(TraceError::DuplicatedHeader { event });
        }
        let [a, b, c, d, _check @ ..] = header;
        let len = u32::from_le_bytes([a, b, c, d]);
        if len == u32::MAX {
            // Erased flash.
            return Err(TraceError::Torn { event, offset });
        }
        if len > MAX_FRAME_LEN {
            return Err(TraceError::FrameTooLarge { event, len });
        }
        self.frame.clear();
        self.frame.extend_from_slice(&header);
        // Bytes are taken as they come: a length that lies costs no memory.
        let mut left = len as usize;
        while left > 0 {
            let start = self.frame.len();
            self.frame.resize(start + left.min(16 << 10), 0);
            let mut frame = core::mem::take(&mut self.frame);
            let read = self.fill(frame.get_mut(start..).unwrap_or_default());
            self.frame = frame;
            let read = read?;
            if read < self.frame.len() - start {
                return Err(TraceError::Torn { event, offset });
            }
            left -= read;
        }
        Ok(())
    }

    /// Reads until `buffer` is full or the source ends. How many bytes there were.
    fn fill(&mut self, buffer: &mut [u8]) -> Result<usize, TraceError> {
        let mut at = 0;
        while let Some(rest) = buffer.get_mut(at..).filter(|rest| !rest.is_empty()) {
            match self.source.read(rest) {
                Ok(0) => break,
                Ok(count) => at += count,
                Err(error) if error.kind() == embedded_io::ErrorKind::Interrupted => {}
                Err(error) => return Err(unreadable(error)),
            }
        }
        Ok(at)
    }
}

/// The state behind an event, if it may stand there.
fn state_after(before: State, number: u64, event: &Event<'_>) -> Result<State, TraceError> {
    match (before, event) {
        (State::Start, Event::Header(_)) => Ok(State::First),
        (State::Start, _) => Err(TraceError::NoHeader),
        (_, Event::Header(_)) => Err(TraceError::DuplicatedHeader { event: number }),
        // The borrow of the event ends the reader's: a look behind it comes next time.
        (_, Event::End(_)) => Ok(State::Done),
        _ => Ok(State::Running),
    }
}

/// Sets the clock to the time of an event, which is not before that of the events before it.
fn check_clock(clock_us: &mut u64, number: u64, event: &Event<'_>) -> Result<(), TraceError> {
    let Some(time_us) = time(event) else { return Ok(()) };
    let before_us = core::mem::replace(clock_us, time_us);
    if time_us < before_us {
        return Err(TraceError::ClockWentBack { event: number, before_us, time_us });
    }
    Ok(())
}

/// The clock reading of an event.
fn time(event: &Event<'_>) -> Option<u64> {
    match event {
        Event::CallIn(call) => Some(call.time_us),
        Event::HostCall(call) => Some(call.time_us),
        Event::Slice(slice) => Some(slice.time_us),
        Event::Header(_)
        | Event::Checkpoint(_)
        | Event::Function(_)
        | Event::Table(_)
        | Event::Load(_)
        | Event::Unload(_)
        | Event::Replace(_)
        | Event::Restore(_)
        | Event::Nested(_)
        | Event::Growth(_)
        | Event::CallOut(_)
        | Event::End(_) => None,
    }
}
