//! The numbers of the format: its version, its first bytes, and the sizes around an event.

/// Version of the format that recorders write. Readers read the older ones too.
pub const VERSION: u8 = 2;

/// The first bytes of every trace. The last one is the [`VERSION`].
pub const MAGIC: [u8; 8] = [b'S', b'O', b'C', b'H', b'T', b'R', b'C', VERSION];

/// The version of [`Limits`](crate::limits::Limits) in traces of a version that this crate reads.
pub(super) const fn limits_version(trace: u8) -> Option<u8> {
    match trace {
        1 => Some(1),
        VERSION => Some(crate::limits::Limits::VERSION),
        _ => None,
    }
}

/// Bytes of a frame before its payload: the length and the check.
pub const FRAME_HEADER_LEN: usize = 4 + CHECK_LEN;

/// Bytes of the chain that stand in a frame.
pub const CHECK_LEN: usize = 8;

/// The features of this build that results may depend on: bit 0 for `deterministic`.
pub const FEATURES: u32 = cfg!(feature = "deterministic") as u32;

/// The version of wasmi whose fuel and results this build has.
pub const WASMI_VERSION: &str = "2.0.0";

/// The longest payload of a frame that is read, in bytes: what guards the reader's memory against a
/// length that was never written. A request and a response of 2 GiB would be longer; no plugin's are.
pub const MAX_FRAME_LEN: u32 = 256 << 20;
