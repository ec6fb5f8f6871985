//! Bounds that requests and responses of more than one function share.

/// The most bytes of a text that `last_error` answers. Its response takes one byte more.
pub const MAX_ERROR_LEN: usize = 112;

/// The highest id that an inserted row may be given. The 2^32 ids above it are only assigned, so that
/// no row that is given a high id leaves a table without ids to assign.
pub const MAX_GIVEN_ID: u64 = u64::MAX - (1 << 32);
