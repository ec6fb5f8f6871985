//! The numbers of the format: its version, its first bytes, and the sizes around an event.

use crate::audit::FunctionId;

/// Version of the format that recorders write. Readers read the older ones too. It is not in the chain: no
/// two versions differ in one bit only, so that a bit that flips in it is found. There is no version 3.
pub const VERSION: u8 = 4;

/// The first bytes of every trace. The last one is the [`VERSION`].
pub const MAGIC: [u8; 8] = [b'S', b'O', b'C', b'H', b'T', b'R', b'C', VERSION];

/// The version of [`Limits`](crate::limits::Limits) in traces of a version that this crate reads.
pub(super) const fn limits_version(trace: u8) -> Option<u8> {
    match trace {
        1 => Some(1),
        2 | VERSION => Some(crate::limits::Limits::VERSION),
        _ => None,
    }
}

/// The number that a function of a trace of a version has today: an embedder's are numbered behind SochDB's,
/// and those were nine in the first versions.
pub(super) fn renumbered(trace: u8, function: FunctionId) -> FunctionId {
    let then = match trace {
        1 | 2 => 9,
        _ => return function,
    };
    let more = (crate::abi::HOST_FUNCTIONS.len() as u16).saturating_sub(then);
    FunctionId(if function.0 < then { function.0 } else { function.0.saturating_add(more) })
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

#[cfg(test)]
mod tests {
    use super::*;

    /// `call_plugin` has the number that an embedder's first function had before: a trace of that time
    /// would have called another plugin in its place.
    #[test]
    fn functions_of_an_embedder_in_old_traces_have_the_numbers_of_today() {
        let own = crate::abi::HOST_FUNCTIONS.len() as u16;
        for (trace, then, now) in [(1, 8, 8), (1, 9, own), (2, 11, own + 2), (VERSION, own, own)] {
            assert_eq!(renumbered(trace, FunctionId(then)), FunctionId(now));
        }
    }
}
