//! Audit entries in bytes, for sinks that stream or keep them. What they are worth is not decided here.

use super::{AuditEntry, FunctionId, PluginId};
use crate::abi::{
    Name,
    wire::{Reader, Wire, WireError, WireErrorKind, Writer},
};

impl<'a> Wire<'a> for AuditEntry {
    fn encode(&self, writer: &mut Writer<'_>) {
        writer.u64(self.sequence);
        writer.u64(self.time_us);
        self.plugin.encode(writer);
        self.function.encode(writer);
        self.table.as_deref().encode(writer);
        self.status.encode(writer);
        writer.u32(self.rows);
        writer.u32(self.bytes_in);
        writer.u32(self.bytes_out);
        let (caller, depth) = self.called();
        caller.encode(writer);
        writer.u8(depth);
    }

    fn decode(reader: &mut Reader<'a>) -> Result<Self, WireError> {
        let mut entry = Self::EMPTY;
        entry.sequence = reader.u64()?;
        entry.time_us = reader.u64()?;
        entry.plugin = Wire::decode(reader)?;
        entry.function = Wire::decode(reader)?;
        entry.table = table(reader)?;
        entry.status = Wire::decode(reader)?;
        entry.rows = reader.u32()?;
        entry.bytes_in = reader.u32()?;
        entry.bytes_out = reader.u32()?;
        entry.set_called((Wire::decode(reader)?, reader.u8()?));
        Ok(entry)
    }
}

impl<'a> Wire<'a> for PluginId {
    #[inline]
    fn encode(&self, writer: &mut Writer<'_>) {
        writer.u32(self.0);
    }

    fn decode(reader: &mut Reader<'a>) -> Result<Self, WireError> {
        Ok(Self(reader.u32()?))
    }
}

impl<'a> Wire<'a> for FunctionId {
    #[inline]
    fn encode(&self, writer: &mut Writer<'_>) {
        writer.u32(self.0.into());
    }

    fn decode(reader: &mut Reader<'a>) -> Result<Self, WireError> {
        Ok(Self(varint_u16(reader)?))
    }
}

fn varint_u16(reader: &mut Reader<'_>) -> Result<u16, WireError> {
    let start = reader.position();
    let value = reader.u32()?;
    match u16::try_from(value) {
        // postcard's varint(u16) has at most three bytes.
        Ok(value) if reader.position() - start <= 3 => Ok(value),
        _ => Err(reader.error(WireErrorKind::VarintOverflow)),
    }
}

fn table(reader: &mut Reader<'_>) -> Result<Option<Name>, WireError> {
    match Option::<&str>::decode(reader)? {
        None => Ok(None),
        // Names of plugins are those of tables, and more.
        Some(text) => match Name::plugin(text) {
            Ok(name) => Ok(Some(name)),
            Err(_) => Err(reader.error(WireErrorKind::InvalidName)),
        },
    }
}
