//! What a host function or an entry point returns: a length, or one of these codes.

use core::fmt;

/// Declares the statuses: code, words, meaning. The enum, its list and the table of `docs/abi.md` follow.
/// A new one is one entry, at the end, and a new `ABI_VERSION`.
macro_rules! statuses {
    ($($(#[$meta:meta])* $status:ident = $code:literal $words:literal,)*) => {
        /// A negative result. -1 to -4 are SochDB's codes, -5 and -6 are added here.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(i32)]
        pub enum Status {
            $($(#[$meta])* $status = $code,)*
        }

        impl Status {
            /// All codes, from -1 down.
            pub const ALL: [Self; [$($code),*].len()] = [$(Self::$status),*];

            /// The status in words.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$status => $words,)* }
            }
        }
    };
}

statuses! {
    /// The plugin was not granted this.
    PermissionDenied = -1 "permission denied",
    /// There is no such row, table, column, index or key.
    NotFound = -2 "not found",
    /// The request is malformed, or says something that makes no sense.
    InvalidArgs = -3 "invalid arguments",
    /// The host could not do it.
    Error = -4 "error",
    /// The response does not fit. The needed length is left as a `u32`, little-endian, in the
    /// first four bytes of the response buffer, if it has four.
    BufferTooSmall = -5 "buffer too small",
    /// A limit of the plugin or of the store is reached.
    LimitExceeded = -6 "limit exceeded",
}

impl Status {
    /// The number on the wire.
    #[must_use]
    pub const fn code(self) -> i32 {
        self as i32
    }

    /// The status of a negative number; any number that is not a known code is an
    /// [`Error`](Self::Error), as a plugin may return its own from an entry point.
    #[must_use]
    pub fn from_code(code: i32) -> Self {
        Self::ALL.into_iter().find(|status| status.code() == code).unwrap_or(Self::Error)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.as_str(), self.code())
    }
}

impl core::error::Error for Status {}
