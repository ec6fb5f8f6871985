//! The event of a host call, the only one that comes as often as host calls do. It has two forms: a
//! short one for a call that went as usual, which is also written fast, and one for all others.

use super::{
    data::{Data, Stop},
    format::FRAME_HEADER_LEN,
};
use crate::{
    abi::{
        HOST_FUNCTIONS,
        wire::{Reader, Wire, WireError, WireErrorKind, Writer},
    },
    audit::FunctionId,
};

/// A host function was called and answered.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HostCallEvent<'a> {
    /// Which.
    pub function: FunctionId,
    /// The clock, in microseconds.
    pub time_us: u64,
    /// Fuel of the call that was left before.
    pub fuel_left: u64,
    /// Fuel that the host's work took.
    pub fuel_host: u64,
    /// Bytes that the response could have had.
    pub capacity: u32,
    /// Rows answered, written or deleted.
    pub rows: u32,
    /// Rows and index entries that it visited.
    pub visited: u32,
    /// Bytes that it moved: of the request, of the response, and between rows.
    pub moved: u64,
    /// The table that the request named, if it is one.
    pub table: Option<&'a str>,
    /// What the plugin got: a length, or a negative status.
    pub status: i32,
    /// Whether the call ended here.
    pub stop: Stop,
    /// The request.
    pub request: Data<'a>,
    /// What was written to the response: of a failure too, if anything was.
    pub response: Data<'a>,
}

/// Number of a host call among the events.
pub(super) const HOST_CALL: u8 = 7;

/// The form of a call that went as usual: see [`Usual`].
const USUAL: u8 = 0;

/// The form of all others.
const OTHER: u8 = 1;

impl<'a> HostCallEvent<'a> {
    /// The call in its short form, if it has one: it succeeded, all its bytes are here, its status is
    /// the length of the response, and its table is the one that the request names.
    pub(super) fn usual(&self) -> Option<Usual<'a>> {
        let (Stop::No, Data::Full(request), Data::Full(response)) =
            (self.stop, self.request, self.response)
        else {
            return None;
        };
        let usual = Usual {
            function: self.function,
            time_us: self.time_us,
            fuel_left: self.fuel_left,
            fuel_host: self.fuel_host,
            capacity: self.capacity,
            rows: self.rows,
            visited: self.visited,
            moved: self.moved,
            request,
            response,
        };
        (i32::try_from(response.len()) == Ok(self.status)
            && named_table(self.function, request) == self.table
            && usual.fits().is_some())
        .then_some(usual)
    }
}

/// The table that the request of a successful call names: the first field of those requests that
/// name one. An embedder's functions have requests of their own.
fn named_table(function: FunctionId, request: &[u8]) -> Option<&str> {
    let spec = HOST_FUNCTIONS.get(usize::from(function.0))?;
    if spec.capability.is_of_table() { Reader::new(request).text().ok() } else { None }
}

impl<'a> Wire<'a> for HostCallEvent<'a> {
    fn encode(&self, writer: &mut Writer<'_>) {
        if let Some(usual) = self.usual() {
            let mut front = [0; FRONT];
            usual.put_front(&mut front);
            // The kind is written already.
            writer.raw(front.get(1..).unwrap_or_default());
            writer.raw(usual.request);
            writer.raw(usual.response);
            return;
        }
        writer.u8(OTHER);
        self.function.encode(writer);
        writer.u64(self.time_us);
        writer.u64(self.fuel_left);
        writer.u64(self.fuel_host);
        writer.u32(self.capacity);
        writer.u32(self.rows);
        writer.u32(self.visited);
        writer.u64(self.moved);
        self.table.encode(writer);
        self.status.encode(writer);
        self.stop.encode(writer);
        self.request.encode(writer);
        self.response.encode(writer);
    }

    fn decode(reader: &mut Reader<'a>) -> Result<Self, WireError> {
        match reader.u8()? {
            USUAL => Ok(Usual::decode(reader)?.event()),
            OTHER => Ok(Self {
                function: Wire::decode(reader)?,
                time_us: reader.u64()?,
                fuel_left: reader.u64()?,
                fuel_host: reader.u64()?,
                capacity: reader.u32()?,
                rows: reader.u32()?,
                visited: reader.u32()?,
                moved: reader.u64()?,
                table: Wire::decode(reader)?,
                status: Wire::decode(reader)?,
                stop: Wire::decode(reader)?,
                request: Wire::decode(reader)?,
                response: Wire::decode(reader)?,
            }),
            _ => Err(reader.error(WireErrorKind::UnknownVariant)),
        }
    }
}

#[cfg(feature = "replay")]
impl crate::abi::inspect::Inspect for HostCallEvent<'_> {
    fn inspect(&self, fields: &mut crate::abi::inspect::Fields) {
        fields.field("function", &self.function);
        fields.field("time_us", &self.time_us);
        fields.field("fuel_left", &self.fuel_left);
        fields.field("fuel_host", &self.fuel_host);
        fields.field("capacity", &self.capacity);
        fields.field("rows", &self.rows);
        fields.field("visited", &self.visited);
        fields.field("moved", &self.moved);
        fields.field("table", &self.table);
        fields.field("status", &self.status);
        fields.field("stop", &self.stop);
        fields.field("request", &self.request);
        fields.field("response", &self.response);
    }
}

/// A host call that went as usual. The fields are those of [`HostCallEvent`].
///
/// Its form has all numbers in a fixed size and place, as this is what a plugin waits for when it is
/// recorded: they are eleven stores, where varints would be a loop for each byte. What does not fit
/// has the other form.
#[derive(Clone, Copy)]
pub(crate) struct Usual<'a> {
    pub(crate) function: FunctionId,
    pub(crate) time_us: u64,
    pub(crate) fuel_left: u64,
    pub(crate) fuel_host: u64,
    pub(crate) capacity: u32,
    pub(crate) rows: u32,
    pub(crate) visited: u32,
    pub(crate) moved: u64,
    pub(crate) request: &'a [u8],
    pub(crate) response: &'a [u8],
}

/// Bytes before the request: kind of the event, form, two numbers of 64 bits, one of 32 and seven of
/// 16.
const FRONT: usize = 2 + 2 * 8 + 4 + 7 * 2;

impl<'a> Usual<'a> {
    /// Bytes moved beside those of the request and the response; `None` if a number is too large for
    /// its place.
    #[inline(always)]
    fn fits(&self) -> Option<u64> {
        let (request, response) = (self.request.len() as u64, self.response.len() as u64);
        let beside = self.moved.checked_sub(request + response)?;
        let small =
            [self.fuel_host, self.rows.into(), self.visited.into(), beside, request, response];
        let all = small.into_iter().fold(0, |all, one| all | one);
        (all <= u16::MAX.into()).then_some(beside)
    }

    /// Writes the numbers; `false` if one does not fit.
    #[inline(always)]
    fn put_front(&self, front: &mut [u8; FRONT]) -> bool {
        let Some(beside) = self.fits() else { return false };
        let mut place = front.as_mut_slice();
        put(&mut place, [HOST_CALL, USUAL]);
        put(&mut place, self.time_us.to_le_bytes());
        put(&mut place, self.fuel_left.to_le_bytes());
        put(&mut place, self.capacity.to_le_bytes());
        put(&mut place, self.function.0.to_le_bytes());
        put(&mut place, (self.fuel_host as u16).to_le_bytes());
        put(&mut place, (self.rows as u16).to_le_bytes());
        put(&mut place, (self.visited as u16).to_le_bytes());
        put(&mut place, (beside as u16).to_le_bytes());
        put(&mut place, (self.request.len() as u16).to_le_bytes());
        put(&mut place, (self.response.len() as u16).to_le_bytes());
        true
    }

    /// Reads what follows the form.
    fn decode(reader: &mut Reader<'a>) -> Result<Self, WireError> {
        let time_us = u64::from_le_bytes(reader.array()?);
        let fuel_left = u64::from_le_bytes(reader.array()?);
        let capacity = u32::from_le_bytes(reader.array()?);
        let function = FunctionId(u16::from_le_bytes(reader.array()?));
        let mut small = || Ok(u16::from_le_bytes(reader.array()?));
        let (fuel_host, rows, visited, beside) = (small()?, small()?, small()?, small()?);
        let (request, response) = (small()?, small()?);
        Ok(Self {
            function,
            time_us,
            fuel_left,
            fuel_host: fuel_host.into(),
            capacity,
            rows: rows.into(),
            visited: visited.into(),
            moved: u64::from(beside) + u64::from(request) + u64::from(response),
            request: reader.take(request.into())?,
            response: reader.take(response.into())?,
        })
    }

    /// The event that it is.
    pub(super) fn event(&self) -> HostCallEvent<'a> {
        HostCallEvent {
            function: self.function,
            time_us: self.time_us,
            fuel_left: self.fuel_left,
            fuel_host: self.fuel_host,
            capacity: self.capacity,
            rows: self.rows,
            visited: self.visited,
            moved: self.moved,
            table: named_table(self.function, self.request),
            // No linear memory is larger than an `i32` says.
            status: i32::try_from(self.response.len()).unwrap_or(i32::MAX),
            stop: Stop::No,
            request: Data::Full(self.request),
            response: Data::Full(self.response),
        }
    }

    /// Writes its frame but for the check, and returns the length; `None` if there is no room for it,
    /// or it has not this form. The bytes are those of [`event`](Self::event).
    #[allow(clippy::indexing_slicing, reason = "the index is a remainder of the length")]
    #[inline(always)]
    pub(super) fn write(&self, frame: &mut [u8], number: u64) -> Option<usize> {
        let Self { request, response, .. } = self;
        let head: &mut [u8; HEAD] = frame.first_chunk_mut()?;
        let mut at = FRAME_HEADER_LEN;
        let mut left = number;
        while left >= 0x80 {
            // The remainder changes nothing, but the compiler leaves out a check for it.
            head[at % HEAD] = left as u8 | 0x80;
            left >>= 7;
            at += 1;
        }
        head[at % HEAD] = left as u8;
        let front = head.get_mut(at + 1..)?.first_chunk_mut()?;
        if !self.put_front(front) {
            return None;
        }
        at += 1 + FRONT;
        let len = at + request.len() + response.len();
        let (target, rest) = frame.get_mut(at..len)?.split_at_mut_checked(request.len())?;
        target.copy_from_slice(request);
        rest.copy_from_slice(response);
        // The lengths are of 16 bits.
        *frame.first_chunk_mut()? = ((len - FRAME_HEADER_LEN) as u32).to_le_bytes();
        Some(len)
    }
}

/// Room for everything before the request, number included: a power of two.
const HEAD: usize = 64;

const _: () = assert!(FRAME_HEADER_LEN + 10 + FRONT <= HEAD);

/// Puts bytes at the front of a place, and leaves what is behind them.
#[inline(always)]
fn put<const N: usize>(place: &mut &mut [u8], bytes: [u8; N]) {
    if let Some((target, rest)) = core::mem::take(place).split_first_chunk_mut() {
        *target = bytes;
        *place = rest;
    }
}
