//! The event of a host call, the only one that comes as often as host calls do. It has two forms: a
//! short one for a call that went as usual, which is also written fast, and one for all others.

use super::{
    FRAME_HEADER_LEN,
    event::{Data, Stop},
};
use crate::{
    abi::{
        MAX_NAME_LEN, Name,
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

/// The form of a call that succeeded, all of whose bytes are here and were moved, and whose status is
/// the length of the response.
const USUAL: u8 = 0;

/// The form of all others.
const OTHER: u8 = 1;

impl<'a> HostCallEvent<'a> {
    /// Request and response, if the call went as usual.
    pub(super) fn usual(&self) -> Option<(&'a [u8], &'a [u8])> {
        match (self.stop, self.request, self.response) {
            (Stop::No, Data::Full(request), Data::Full(response))
                if i32::try_from(response.len()) == Ok(self.status)
                    && self.moved >= (request.len() + response.len()) as u64 =>
            {
                Some((request, response))
            }
            _ => None,
        }
    }
}

impl<'a> Wire<'a> for HostCallEvent<'a> {
    fn encode(&self, writer: &mut Writer<'_>) {
        let usual = self.usual();
        writer.u8(if usual.is_some() { USUAL } else { OTHER });
        self.function.encode(writer);
        writer.u64(self.time_us);
        writer.u64(self.fuel_left);
        writer.u64(self.fuel_host);
        writer.u32(self.capacity);
        writer.u32(self.rows);
        writer.u32(self.visited);
        let beside = usual.map_or(0, |(request, response)| request.len() + response.len());
        writer.u64(self.moved.saturating_sub(beside as u64));
        self.table.encode(writer);
        if let Some((request, response)) = usual {
            writer.bytes(request);
            writer.bytes(response);
            return;
        }
        self.status.encode(writer);
        self.stop.encode(writer);
        self.request.encode(writer);
        self.response.encode(writer);
    }

    fn decode(reader: &mut Reader<'a>) -> Result<Self, WireError> {
        let form = reader.u8()?;
        let mut call = Self {
            function: Wire::decode(reader)?,
            time_us: reader.u64()?,
            fuel_left: reader.u64()?,
            fuel_host: reader.u64()?,
            capacity: reader.u32()?,
            rows: reader.u32()?,
            visited: reader.u32()?,
            moved: reader.u64()?,
            table: Wire::decode(reader)?,
            status: 0,
            stop: Stop::No,
            request: Data::EMPTY,
            response: Data::EMPTY,
        };
        match form {
            USUAL => {
                call.request = Data::Full(reader.bytes()?);
                let response = reader.bytes()?;
                call.response = Data::Full(response);
                call.status = i32::try_from(response.len())
                    .map_err(|_| reader.error(WireErrorKind::VarintOverflow))?;
                let beside = u64::from(call.request.len()) + u64::from(call.response.len());
                call.moved = call
                    .moved
                    .checked_add(beside)
                    .ok_or_else(|| reader.error(WireErrorKind::VarintOverflow))?;
            }
            OTHER => {
                call.status = Wire::decode(reader)?;
                call.stop = Wire::decode(reader)?;
                call.request = Wire::decode(reader)?;
                call.response = Wire::decode(reader)?;
            }
            _ => return Err(reader.error(WireErrorKind::UnknownVariant)),
        }
        Ok(call)
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
pub(crate) struct Usual<'a> {
    pub(crate) function: FunctionId,
    pub(crate) time_us: u64,
    pub(crate) fuel_left: u64,
    pub(crate) fuel_host: u64,
    pub(crate) capacity: u32,
    pub(crate) rows: u32,
    pub(crate) visited: u32,
    pub(crate) moved: u64,
    pub(crate) table: Option<&'a Name>,
    pub(crate) request: &'a [u8],
    pub(crate) response: &'a [u8],
}

impl<'a> Usual<'a> {
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
            table: self.table.map(Name::as_str),
            // No linear memory is larger than an `i32` says.
            status: i32::try_from(self.response.len()).unwrap_or(i32::MAX),
            stop: Stop::No,
            request: Data::Full(self.request),
            response: Data::Full(self.response),
        }
    }

    /// Writes its frame but for the check, and returns the length; `None` if there is not plenty of
    /// room. The bytes are those of [`event`](Self::event); what is fast is that room is looked for
    /// once and not for every byte.
    #[inline]
    pub(super) fn write(&self, frame: &mut [u8], number: u64) -> Option<usize> {
        let Self { request, response, .. } = self;
        let mut head = Front { bytes: frame.first_chunk_mut::<HEAD>()?, at: FRAME_HEADER_LEN };
        head.varint(number);
        head.u8(HOST_CALL);
        head.u8(USUAL);
        head.varint(self.function.0.into());
        head.varint(self.time_us);
        head.varint(self.fuel_left);
        head.varint(self.fuel_host);
        head.varint(self.capacity.into());
        head.varint(self.rows.into());
        head.varint(self.visited.into());
        head.varint(self.moved.checked_sub((request.len() + response.len()) as u64)?);
        match self.table {
            Some(table) => {
                head.u8(1);
                head.name(table.as_bytes());
            }
            None => head.u8(0),
        }
        head.varint(request.len() as u64);
        let at = head.at;
        let (target, rest) = frame.get_mut(at..)?.split_at_mut_checked(request.len())?;
        target.copy_from_slice(request);
        let mut tail = Front { bytes: rest.first_chunk_mut::<TAIL>()?, at: 0 };
        tail.varint(response.len() as u64);
        let tail = tail.at;
        rest.get_mut(tail..)?.get_mut(..response.len())?.copy_from_slice(response);
        let len = at + request.len() + tail + response.len();
        let payload = u32::try_from(len - FRAME_HEADER_LEN).ok()?;
        *frame.first_chunk_mut::<4>()? = payload.to_le_bytes();
        Some(len)
    }
}

/// Room for everything before the request: a power of two.
const HEAD: usize = 128;

/// Room for the length of the response: a power of two.
const TAIL: usize = 8;

/// Longest varints of a `u64` and a `u32`.
const U64: usize = 10;
const U32: usize = 5;

/// The frame's header, number, kind and form, the fields up to the rows, the table, and the length
/// of the request.
const LONGEST_HEAD: usize =
    FRAME_HEADER_LEN + U64 + 2 + 3 + 4 * U64 + 3 * U32 + 2 + MAX_NAME_LEN + U64;

const _: () = assert!(LONGEST_HEAD <= HEAD && U32 <= TAIL);

/// Bytes at the front of a place of `N` bytes, which are enough, and a power of two.
struct Front<'f, const N: usize> {
    bytes: &'f mut [u8; N],
    at: usize,
}

impl<const N: usize> Front<'_, N> {
    #[inline(always)]
    fn u8(&mut self, byte: u8) {
        // The remainder changes nothing, but the compiler leaves out a check for it.
        if let Some(place) = self.bytes.get_mut(self.at % N) {
            *place = byte;
        }
        self.at += 1;
    }

    #[inline(always)]
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.u8(value as u8 | 0x80);
            value >>= 7;
        }
        self.u8(value as u8);
    }

    /// A name after its length. Those of 8 to 16 bytes, as most are, are copied as two words, which
    /// is cheaper than calling the copy of any length.
    #[inline(always)]
    fn name(&mut self, name: &[u8]) {
        self.u8(name.len() as u8);
        let Some(place) = self.bytes.get_mut(self.at..).and_then(|b| b.get_mut(..name.len()))
        else {
            return;
        };
        self.at += name.len();
        if name.len() <= 16
            && let (Some(first), Some(last)) = (name.first_chunk::<8>(), name.last_chunk::<8>())
        {
            if let Some(target) = place.first_chunk_mut() {
                *target = *first;
            }
            if let Some(target) = place.last_chunk_mut() {
                *target = *last;
            }
        } else {
            place.copy_from_slice(name);
        }
    }
}
