//! How an event holds a plugin's bytes: all of them, their digest, or their length.

use sha2::{Digest as _, Sha256};

use crate::abi::{
    message::tags,
    wire::{Reader, Wire, WireError, WireErrorKind, Writer},
};

tags! {
    /// Whether a host call ended the plugin's call.
    pub enum Stop {
        /// The plugin got the status and went on.
        No = 0 => "no",
        /// The fuel did not pay for the host's work.
        OutOfFuel = 1 => "out of fuel",
        /// It was denied, and the plugin was loaded to trap then.
        Denied = 2 => "denied",
        /// The slice hook stopped a call that the plugin had made.
        Stopped = 3 => "stopped",
    }
}

/// 16 bytes of a SHA-256.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Digest(pub [u8; 16]);

impl Digest {
    /// Digest of `parts`, one after another.
    #[must_use]
    pub fn of_parts(parts: &[&[u8]]) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update(part);
        }
        let full: [u8; 32] = hash.finalize().into();
        Self(full.first_chunk().copied().unwrap_or_default())
    }

    /// Digest of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self::of_parts(&[bytes])
    }
}

impl core::fmt::Display for Digest {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl<'a> Wire<'a> for Digest {
    fn encode(&self, writer: &mut Writer<'_>) {
        writer.raw(&self.0);
    }

    fn decode(reader: &mut Reader<'a>) -> Result<Self, WireError> {
        Ok(Self(reader.array()?))
    }
}

/// Bytes of a plugin's or for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Data<'a> {
    /// All of them.
    Full(&'a [u8]),
    /// How many there were, and their digest.
    Digest {
        /// How many bytes.
        len: u32,
        /// Their digest.
        digest: Digest,
    },
    /// How many the plugin said there were: they do not lie in its memory, or the host did not
    /// look at them.
    Absent {
        /// How many bytes.
        len: u32,
    },
}

impl<'a> Data<'a> {
    /// No bytes.
    pub const EMPTY: Self = Data::Full(&[]);

    /// How many bytes there are or were.
    #[must_use]
    pub fn len(&self) -> u32 {
        match self {
            Self::Full(bytes) => u32::try_from(bytes.len()).unwrap_or(u32::MAX),
            Self::Digest { len, .. } | Self::Absent { len } => *len,
        }
    }

    /// Whether there are and were none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes, if they are here.
    #[must_use]
    pub const fn bytes(&self) -> Option<&'a [u8]> {
        if let Self::Full(bytes) = self { Some(bytes) } else { None }
    }
}

impl<'a> Wire<'a> for Data<'a> {
    #[inline]
    fn encode(&self, writer: &mut Writer<'_>) {
        match self {
            Self::Full(bytes) => {
                writer.u8(0);
                writer.bytes(bytes);
            }
            Self::Digest { len, digest } => {
                writer.u8(1);
                writer.u32(*len);
                digest.encode(writer);
            }
            Self::Absent { len } => {
                writer.u8(2);
                writer.u32(*len);
            }
        }
    }

    fn decode(reader: &mut Reader<'a>) -> Result<Self, WireError> {
        Ok(match reader.u8()? {
            0 => Self::Full(reader.bytes()?),
            1 => Self::Digest { len: reader.u32()?, digest: Wire::decode(reader)? },
            2 => Self::Absent { len: reader.u32()? },
            _ => return Err(reader.error(WireErrorKind::UnknownVariant)),
        })
    }
}
