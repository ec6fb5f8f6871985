//! How much a plugin may use, and the error that names the limit that was reached.
//!
//! It does not count: [`Meter`](crate::meter::Meter) does during a host call, the interpreter and
//! its limiter do for the rest.

mod table;

use core::fmt;

pub(crate) use table::for_each_limit;

use crate::abi::wire::{Reader, Wire, WireError, Writer};

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl Limits {
    /// Version of the bytes of limits, in packed manifests and in traces. One more limit is one more
    /// version, and so one of [`PACKED_VERSION`](crate::manifest::PACKED_VERSION) and of
    /// [`trace::VERSION`](crate::trace::VERSION).
    pub const VERSION: u8 = 2;

    /// SochDB's limits for a plugin that only observes: 4 MiB, 100,000 fuel, 10 ms.
    #[must_use]
    pub fn observability_only() -> Self {
        Self {
            memory_bytes: 4 << 20,
            fuel_per_call: 100_000,
            deadline_ms: Some(10),
            ..Self::default()
        }
    }

    /// SochDB's limits for a plugin that analyses tables: 64 MiB, 10,000,000 fuel, 1 s.
    #[must_use]
    pub fn read_only() -> Self {
        Self {
            memory_bytes: 64 << 20,
            fuel_per_call: 10_000_000,
            deadline_ms: Some(1000),
            ..Self::default()
        }
    }
}

/// How a trace shows what a call used of a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Usage {
    /// Not at all.
    Unrecorded,
    /// The size of linear memory when the call ended.
    Memory,
    /// The fuel that was left.
    Fuel,
    /// The number of host calls.
    HostCalls,
    /// The rows that each host call visited.
    Rows,
    /// The bytes that each host call moved.
    Bytes,
    /// The number of host calls that logged a message.
    LogMessages,
    /// The clock, which another run reads differently.
    Time,
}

impl Usage {
    /// Whether the same run uses the same again, so that a limit can be set from it.
    #[must_use]
    pub const fn is_measured(self) -> bool {
        match self {
            Self::Memory
            | Self::Fuel
            | Self::HostCalls
            | Self::Rows
            | Self::Bytes
            | Self::LogMessages => true,
            Self::Unrecorded | Self::Time => false,
        }
    }
}

/// One row of the table of limits.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct LimitSpec {
    /// The field of [`Limits`].
    pub field: &'static str,
    /// Its type in bytes: `u32`, `u64` or `option of u32`.
    pub type_name: &'static str,
    /// The least that a manifest may give.
    pub min: u64,
    /// The most that a manifest may give.
    pub max: u64,
    /// Its key in a manifest.
    pub key: &'static str,
    /// A second key, in units of 2 to the power of this number.
    pub scaled: Option<(&'static str, u32)>,
    /// The key that lifts it, for those that can be lifted.
    pub unlimited: Option<&'static str>,
    /// How a trace shows what a call used.
    pub usage: Usage,
    /// The first version of the bytes of [`Limits`] that has it.
    pub since: u8,
    /// The limit that an error names; `None` if an error names another one in its place, or none.
    pub limit: Option<Limit>,
    /// What it limits, in sentences.
    pub doc: &'static str,
    get: fn(&Limits) -> Option<u64>,
    set: fn(&mut Limits, Option<u64>),
}

impl LimitSpec {
    /// Its value in `limits`; `None` for no limit.
    #[must_use]
    pub fn of(&self, limits: &Limits) -> Option<u64> {
        (self.get)(limits)
    }

    /// Sets it in `limits`; `None` for no limit. The field takes the nearest value that it can hold.
    pub fn set(&self, limits: &mut Limits, value: Option<u64>) {
        (self.set)(limits, value);
    }
}

/// A type of a field of [`Limits`].
trait Amount: Copy {
    const NAME: &'static str;
    fn get(self) -> Option<u64>;
    fn of(value: Option<u64>) -> Self;
}

impl Amount for u64 {
    const NAME: &'static str = "u64";

    fn get(self) -> Option<u64> {
        Some(self)
    }

    fn of(value: Option<u64>) -> Self {
        value.unwrap_or(Self::MAX)
    }
}

impl Amount for u32 {
    const NAME: &'static str = "u32";

    fn get(self) -> Option<u64> {
        Some(self.into())
    }

    fn of(value: Option<u64>) -> Self {
        value.and_then(|value| Self::try_from(value).ok()).unwrap_or(Self::MAX)
    }
}

impl Amount for Option<u32> {
    const NAME: &'static str = "option of u32";

    fn get(self) -> Option<u64> {
        self.map(u64::from)
    }

    fn of(value: Option<u64>) -> Self {
        value.map(|value| Amount::of(Some(value)))
    }
}

macro_rules! limits {
    (
        plugin {$(
            $field:ident: $type:ty = $default:expr, from $min:literal to $max:literal,
                toml $key:literal, $(scaled $scaled:literal $shift:literal,)?
                $(unlimited $unlimited:literal,)?
                used $usage:ident, since $since:literal, $(reached $limit:ident $words:literal,)?
                $doc:literal;
        )*}
        other {$($other:ident $other_words:literal, $other_doc:literal;)*}
    ) => {
        /// Limits of one plugin. All are per plugin; those that say so are per call of an entry point.
        ///
        /// The defaults of memory, fuel and deadline are SochDB's. [`LIMITS`] has the range of each.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct Limits {$(
            #[doc = $doc]
            #[doc = concat!(" Default: `", stringify!($default), "`.")]
            pub $field: $type,
        )*}

        impl Limits {
            /// The defaults.
            pub const DEFAULT: Self = Self { $($field: $default,)* };
        }

        impl Limits {
            /// Appends the limits as a [version](Self::VERSION) has them: in the order of the fields,
            /// without those that came later.
            pub(crate) fn encode_version(&self, version: u8, writer: &mut Writer<'_>) {
                $(if $since <= version {
                    self.$field.encode(writer);
                })*
            }

            /// Takes limits of a [version](Self::VERSION) from the front; those that came later have
            /// their defaults.
            pub(crate) fn decode_version(
                version: u8,
                reader: &mut Reader<'_>,
            ) -> Result<Self, WireError> {
                let mut limits = Self::DEFAULT;
                $(if $since <= version {
                    limits.$field = Wire::decode(reader)?;
                })*
                Ok(limits)
            }
        }

        #[cfg(feature = "replay")]
        impl crate::abi::inspect::Inspect for Limits {
            fn inspect(&self, fields: &mut crate::abi::inspect::Fields) {
                $(fields.field(stringify!($field), &self.$field);)*
            }
        }

        /// Which limit was reached.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Limit {
            $($(
                #[doc = concat!("[`Limits::", stringify!($field), "`].")]
                $limit,
            )?)*
            $(
                #[doc = $other_doc]
                $other,
            )*
        }

        impl Limit {
            /// The limit in words, with its unit.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $($(Self::$limit => $words,)?)*
                    $(Self::$other => $other_words,)*
                }
            }
        }

        /// Every limit of a plugin, in the order of the fields of [`Limits`].
        pub const LIMITS: &[LimitSpec] = &[$(
            LimitSpec {
                field: stringify!($field),
                type_name: <$type as Amount>::NAME,
                min: $min,
                max: $max,
                key: $key,
                scaled: only(&[$(($scaled, $shift))?]),
                unlimited: only(&[$($unlimited)?]),
                usage: Usage::$usage,
                since: $since,
                limit: only(&[$(Limit::$limit)?]),
                doc: $doc,
                get: |limits| Amount::get(limits.$field),
                set: |limits, value| limits.$field = Amount::of(value),
            },
        )*];

        /// Every key of a manifest that gives a limit.
        #[cfg(feature = "manifest")]
        pub(crate) const KEYS: &[&str] = &[$($($scaled,)? $key, $($unlimited,)?)*];
    };
}
for_each_limit!(limits);

/// In the [version](Limits::VERSION) of this crate.
impl<'a> Wire<'a> for Limits {
    fn encode(&self, writer: &mut Writer<'_>) {
        self.encode_version(Self::VERSION, writer);
    }

    fn decode(reader: &mut Reader<'a>) -> Result<Self, WireError> {
        Self::decode_version(Self::VERSION, reader)
    }
}

/// The item of a list that has one or none.
const fn only<T: Copy>(list: &[T]) -> Option<T> {
    if let [item] = list { Some(*item) } else { None }
}

/// A limit was reached: which, what it allows, and what was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitExceeded {
    /// Which limit.
    pub limit: Limit,
    /// What it allows.
    pub allowed: u64,
    /// What was asked for, in all.
    pub asked: u64,
}

impl fmt::Display for LimitExceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} asked, {} allowed", self.asked, self.limit.as_str(), self.allowed)
    }
}

impl core::error::Error for LimitExceeded {}
