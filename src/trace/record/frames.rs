//! Frames: an event is encoded behind its length and its check, sealed when the call is over, and sent on.

use super::recorder::{Place, Recorder};
use crate::{
    abi::wire::{Wire, Writer},
    trace::{
        chain,
        data::{Data, Digest},
        error::RecordError,
        event::Event,
        format::{FRAME_HEADER_LEN, MAX_FRAME_LEN},
    },
};

impl Recorder {
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
    pub(super) fn seal(&mut self) {
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
    pub(super) fn drain(&mut self) {
        self.seal();
        let frames = self.buffer.get(..self.at).unwrap_or_default();
        let written = match &mut self.place {
            _ if self.error.is_some() => return,
            Place::Sink(sink) => sink.write_all(frames),
            Place::Ring(ring) => {
                ring.write(frames);
                Ok(())
            }
            Place::Buffer => return,
            #[cfg(feature = "replay")]
            Place::Growing => return,
        };
        self.at = 0;
        self.unsealed = 0;
        if let Err(error) = written {
            self.fail(error);
        }
    }

    pub(super) fn digested<'d>(&self, data: Data<'d>) -> Data<'d> {
        let (Data::Full(bytes), len) = (data, data.len()) else { return data };
        let redaction = self.redaction.as_deref();
        let digest = redaction.map_or_else(|| Digest::of(bytes), |keyed| keyed.keyed(bytes));
        Data::Digest { len, digest }
    }

    /// Records no further. The first reason counts.
    #[cold]
    pub(super) fn fail(&mut self, error: RecordError) {
        self.error.get_or_insert(error);
        self.plain = false;
    }
}
