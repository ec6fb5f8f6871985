//! The events of a recording: its begin and end, checkpoints, calls and host calls.

use super::recorder::{Place, Recorder};
use crate::{
    abi::{ABI_VERSION, wire::varint_len},
    meter::Prices,
    trace::{
        chain::Link,
        data::{Data, Digest},
        error::RecordError,
        event::{CallIn, CallOut, End, Event, Header, Mode},
        format::{FEATURES, MAGIC, WASMI_VERSION},
        host_call::{HostCallEvent, Usual},
    },
};

impl Recorder {
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
    /// [`Checkpoint`](crate::trace::Checkpoint) with the link that this returns.
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

    /// Rows visited and bytes moved by the running call so far.
    pub(crate) const fn used_so_far(&self) -> (u32, u64) {
        self.used
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
        self.append(&Event::End(End {}));
        self.drain();
        if let Place::Sink(sink) = &mut self.place
            && let Err(error) = sink.flush()
        {
            self.fail(error);
        }
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
