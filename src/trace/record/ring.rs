//! The buffer of a flight recorder: the last frames, from a checkpoint on.
//!
//! It keeps whole frames that are given to it sealed, and forgets them a checkpoint at a time.

use alloc::{boxed::Box, vec};

use heapless::Deque;

/// The most checkpoints that a ring remembers.
const MAX_SEGMENTS: usize = 64;

/// Where a checkpoint begins.
#[derive(Clone, Copy)]
struct Segment {
    /// Its offset in everything that was ever written.
    offset: u64,
    /// The number of its first event.
    event: u64,
}

/// Frames in a circle of bytes.
pub(super) struct Ring {
    bytes: Box<[u8]>,
    /// The magic and the header, which stay.
    header: Box<[u8]>,
    /// How many bytes were ever written.
    written: u64,
    /// Oldest first. Empty if what came after the last checkpoint did not fit.
    segments: Deque<Segment, MAX_SEGMENTS>,
}

impl Ring {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            bytes: vec![0; capacity].into(),
            header: Box::default(),
            written: 0,
            segments: Deque::new(),
        }
    }

    /// Keeps the beginning of the trace.
    pub(super) fn begin(&mut self, header: &[u8]) {
        self.header = header.into();
    }

    /// From the event of this number on the trace can be replayed alone.
    pub(super) fn checkpoint(&mut self, event: u64) {
        if self.segments.is_full() {
            self.segments.pop_front();
        }
        // There is room now.
        let _ = self.segments.push_back(Segment { offset: self.written, event });
    }

    /// Adds frames, forgetting old ones. What does not fit even so is forgotten up to the next
    /// checkpoint.
    pub(super) fn write(&mut self, frames: &[u8]) {
        while let Some(oldest) = self.segments.front() {
            let kept = self.written.saturating_sub(oldest.offset);
            if kept.saturating_add(frames.len() as u64) <= self.bytes.len() as u64 {
                break;
            }
            self.segments.pop_front();
        }
        if self.segments.is_empty() {
            return;
        }
        let start = self.place(self.written);
        let (first, second) = frames.split_at(frames.len().min(self.bytes.len() - start));
        for (at, part) in [(start, first), (0, second)] {
            if let Some(target) = self.bytes.get_mut(at..).and_then(|b| b.get_mut(..part.len())) {
                target.copy_from_slice(part);
            }
        }
        self.written = self.written.saturating_add(frames.len() as u64);
    }

    /// The trace: the header, and what is kept in one or two pieces.
    pub(super) fn pieces(&self) -> [&[u8]; 3] {
        let Some(oldest) = self.segments.front() else { return [&self.header, &[], &[]] };
        let (start, end) = (self.place(oldest.offset), self.place(self.written));
        if start < end || oldest.offset == self.written {
            return [&self.header, self.bytes.get(start..end).unwrap_or_default(), &[]];
        }
        let (first, second) = (self.bytes.get(start..), self.bytes.get(..end));
        [&self.header, first.unwrap_or_default(), second.unwrap_or_default()]
    }

    /// How many events before the one numbered `next` are not here; the header is.
    pub(super) fn lost(&self, next: u64) -> u64 {
        self.segments.front().map_or(next, |oldest| oldest.event).saturating_sub(1)
    }

    /// Where an offset lies in the circle.
    fn place(&self, offset: u64) -> usize {
        let capacity = (self.bytes.len() as u64).max(1);
        // Less than the length of a slice, so it fits.
        (offset % capacity) as usize
    }
}
