//! The hash chain of a trace: a frame's link is the SHA-256 of the link before it, the frame's
//! length and its payload. The first eight bytes of the link stand in the frame, as its check.
//!
//! So a frame that was changed, dropped, doubled or moved breaks its own check, and whoever knows the
//! last link knows that all frames before it are the ones that were written.

use sha2::{Digest as _, Sha256};

use super::format::CHECK_LEN;

/// One link of the chain.
pub type Link = [u8; 32];

/// The link before the first frame.
pub const START: Link = [0; 32];

/// The link of a frame with this payload, after a frame with the link `previous`.
#[must_use]
pub fn next(previous: &Link, payload: &[u8]) -> Link {
    // No frame is longer than a `u32` says: the recorder and the reader refuse it.
    let len = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    let mut hash = Sha256::new();
    hash.update(previous);
    hash.update(len.to_le_bytes());
    hash.update(payload);
    hash.finalize().into()
}

/// What stands of a link in its frame.
#[must_use]
pub const fn check(link: &Link) -> [u8; CHECK_LEN] {
    let [a, b, c, d, e, f, g, h, ..] = *link;
    [a, b, c, d, e, f, g, h]
}

/// SHA-256 of a module.
#[must_use]
pub fn module_hash(wasm: &[u8]) -> [u8; 32] {
    Sha256::digest(wasm).into()
}
