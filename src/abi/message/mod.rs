//! The requests and responses of the host functions, and those of hooks. `docs/abi.md` has each byte by byte.

mod selection;

pub use selection::{Bound, IndexQuery, RowSelector};

use core::cmp::Ordering;

use super::{
    seq::Seq,
    value::Value,
    wire::{Reader, Wire, WireError, WireErrorKind, Writer},
};

/// Declares structs that are encoded field by field. The type of a table's name is a parameter, so
/// that the host can take it as bytes and compare it before it checks its UTF-8.
macro_rules! messages {
    ($($(#[$meta:meta])* pub struct $name:ident $(<$life:lifetime $(, $table:ident = $str:ty)?>)? {
        $($(#[$field_meta:meta])* pub $field:ident: $type:ty,)*
    })*) => {$(
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq)]
        pub struct $name $(<$life $(, $table = $str)?>)? {
            $($(#[$field_meta])* pub $field: $type,)*
        }

        impl<'a $($(, $table: Wire<'a>)?)?> Wire<'a> for $name $(<$life $(, $table)?>)? {
            #[inline]
            fn encode(&self, _writer: &mut Writer<'_>) {
                $(self.$field.encode(_writer);)*
            }

            #[inline]
            fn decode(_reader: &mut Reader<'a>) -> Result<Self, WireError> {
                Ok(Self { $($field: Wire::decode(_reader)?,)* })
            }
        }

        #[cfg(feature = "replay")]
        impl $(<$life $(, $table: $crate::abi::inspect::Inspect)?>)?
            $crate::abi::inspect::Inspect for $name $(<$life $(, $table)?>)?
        {
            fn inspect(&self, _fields: &mut $crate::abi::inspect::Fields) {
                $(_fields.field(stringify!($field), &self.$field);)*
            }
        }
    )*};
}

/// Declares enumerations without data, numbered from 0.
macro_rules! tags {
    ($($(#[$meta:meta])* pub enum $name:ident {
        $($(#[$variant_meta:meta])* $variant:ident = $number:literal => $word:literal,)*
    })*) => {$(
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$variant_meta])* $variant = $number,)*
        }

        impl $name {
            /// The variant in words.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }
        }

        impl<'a> Wire<'a> for $name {
            fn encode(&self, writer: &mut Writer<'_>) {
                writer.u8(*self as u8);
            }

            fn decode(reader: &mut Reader<'a>) -> Result<Self, WireError> {
                match reader.u8()? {
                    $($number => Ok(Self::$variant),)*
                    _ => Err(reader.error(WireErrorKind::UnknownVariant)),
                }
            }
        }

        #[cfg(feature = "replay")]
        impl $crate::abi::inspect::Inspect for $name {
            fn inspect(&self, fields: &mut $crate::abi::inspect::Fields) {
                fields.leaf(self.as_str());
            }
        }
    )*};
}

#[cfg(feature = "record")]
pub(crate) use {messages, tags};

mod hook;
pub use hook::{
    HookAnswer, HookAnswerError, HookAnswers, HookEvent, HookRequest, HookResponse, HookRow,
};

tags! {
    /// How `soch_read` answers.
    pub enum Format {
        /// A [`RowsResponse`].
        Rows = 0 => "rows",
        /// A [`ToonResponse`].
        Toon = 1 => "toon",
    }

    /// What `soch_write` does with rows that exist or do not.
    pub enum WriteMode {
        /// New rows only; an id that is given must be free.
        Insert = 0 => "insert",
        /// Existing rows only; columns that are not named keep their values.
        Update = 1 => "update",
        /// Update where the id exists, insert where not.
        Upsert = 2 => "upsert",
    }

    /// How a column's value is compared with a given one.
    pub enum Comparison {
        /// Equal.
        Equal = 0 => "=",
        /// Not equal.
        NotEqual = 1 => "!=",
        /// Less.
        Less = 2 => "<",
        /// Less or equal.
        LessOrEqual = 3 => "<=",
        /// Greater.
        Greater = 4 => ">",
        /// Greater or equal.
        GreaterOrEqual = 5 => ">=",
    }

    /// What a metric counts.
    pub enum MetricKind {
        /// Only rises; the value is added.
        Counter = 0 => "counter",
        /// Rises and falls; the value replaces the last one.
        Gauge = 1 => "gauge",
        /// A distribution; the value is one observation.
        Histogram = 2 => "histogram",
    }

    /// How grave a log message is.
    pub enum LogLevel {
        /// For finding faults.
        Debug = 0 => "debug",
        /// Normal running.
        Info = 1 => "info",
        /// Something to look at.
        Warn = 2 => "warn",
        /// Something failed.
        Error = 3 => "error",
    }
}

messages! {
    /// A row to be written.
    pub struct NewRow<'a> {
        /// The id; `None` to have one assigned (inserts only).
        pub id: Option<u64>,
        /// A value for each column that the request names, in that order.
        pub values: Seq<'a, Value<'a>>,
    }

    /// A row in an answer.
    pub struct Row<'a> {
        /// The id.
        pub id: u64,
        /// A value for each column that was asked for, in that order.
        pub values: Seq<'a, Value<'a>>,
    }

    /// One condition of a filter: `column comparison value`. `Null` equals only `Null` and is
    /// neither less nor greater than anything.
    pub struct Condition<'a> {
        /// Name of the column.
        pub column: &'a str,
        /// How it is compared.
        pub comparison: Comparison,
        /// With what; of the column's type.
        pub value: Value<'a>,
    }

    /// Request of `soch_read`.
    pub struct ReadRequest<'a, T = &'a str> {
        /// Name of the table.
        pub table: T,
        /// Which rows.
        pub rows: RowSelector<'a>,
        /// Names of the columns to answer; empty for all, in schema order.
        pub columns: Seq<'a, &'a str>,
        /// The most rows to answer; `None` for as many as fit.
        pub limit: Option<u32>,
        /// How to answer.
        pub format: Format,
    }

    /// Response of `soch_read` and `index_lookup`'s rows.
    pub struct RowsResponse<'a> {
        /// The rows that fitted.
        pub rows: Seq<'a, Row<'a>>,
        /// Where to go on, if there is more: for a scan the id to start from, for a list of ids
        /// how many of them were looked at.
        pub next: Option<u64>,
    }

    /// Response of `soch_read` in TOON.
    pub struct ToonResponse<'a> {
        /// A TOON document: one tabular array named after the table, its first column `id`.
        pub text: &'a str,
        /// As in [`RowsResponse`].
        pub next: Option<u64>,
    }

    /// Request of `soch_write`.
    pub struct WriteRequest<'a, T = &'a str> {
        /// Name of the table.
        pub table: T,
        /// Insert, update or upsert.
        pub mode: WriteMode,
        /// Names of the columns that the rows give; empty for all, in schema order. An inserted
        /// row has `Null` in the columns that are not named.
        pub columns: Seq<'a, &'a str>,
        /// The rows. All are written, or none.
        pub rows: Seq<'a, NewRow<'a>>,
    }

    /// Response of `soch_write`.
    pub struct WriteResponse<'a> {
        /// The ids of the rows written, in the order of the request; their count is the count.
        pub ids: Seq<'a, u64>,
    }

    /// Request of `soch_delete`.
    pub struct DeleteRequest<'a, T = &'a str> {
        /// Name of the table.
        pub table: T,
        /// Which rows. Ids that do not exist are passed over.
        pub rows: RowSelector<'a>,
    }

    /// Response of `soch_delete`.
    pub struct DeleteResponse {
        /// How many rows were deleted.
        pub count: u64,
    }

    /// Request of `vector_search`.
    pub struct SearchRequest<'a, T = &'a str> {
        /// Name of the table.
        pub table: T,
        /// Name of its vector column.
        pub column: &'a str,
        /// The query: as many `f32` as the column has dimensions, little-endian.
        pub query: &'a [u8],
        /// How many rows to find; at least 1.
        pub k: u32,
        /// Conditions that a row must meet, all of them.
        pub filter: Seq<'a, Condition<'a>>,
        /// Names of the columns to answer; `None` for ids and distances only, an empty list for
        /// all columns.
        pub columns: Option<Seq<'a, &'a str>>,
    }

    /// A row that a vector search found.
    pub struct Hit<'a> {
        /// The id.
        pub id: u64,
        /// The distance; lower is nearer.
        pub distance: f32,
        /// A value for each column that was asked for.
        pub values: Seq<'a, Value<'a>>,
    }

    /// Response of `vector_search`: by rising distance, equal ones by id.
    pub struct SearchResponse<'a> {
        /// The nearest rows.
        pub hits: Seq<'a, Hit<'a>>,
    }

    /// Request of `index_lookup`.
    pub struct LookupRequest<'a, T = &'a str> {
        /// Name of the table.
        pub table: T,
        /// Name of the index.
        pub index: &'a str,
        /// Which entries.
        pub query: IndexQuery<'a>,
        /// From the last entry to the first.
        pub reverse: bool,
        /// The most rows to answer; `None` for as many as fit.
        pub limit: Option<u32>,
        /// Where to go on: the `next` of the response before, with the same query.
        pub after: Option<&'a [u8]>,
        /// Names of the columns to answer; `None` for ids only, an empty list for all columns.
        pub columns: Option<Seq<'a, &'a str>>,
    }

    /// Response of `index_lookup`.
    pub struct LookupResponse<'a> {
        /// The rows that fitted, in the order of the index; equal entries by id.
        pub rows: Seq<'a, Row<'a>>,
        /// Where to go on, if there is more.
        pub next: Option<&'a [u8]>,
    }

    /// Request of `emit_metric`. Answered with no bytes.
    pub struct MetricRequest<'a> {
        /// Counter, gauge or histogram.
        pub kind: MetricKind,
        /// Name of the metric.
        pub name: &'a str,
        /// Names and values of its labels, names rising.
        pub labels: Seq<'a, (&'a str, &'a str)>,
        /// The value; finite, and not negative for a counter.
        pub value: f64,
    }

    /// Request of `log_message`. Answered with no bytes.
    pub struct LogRequest<'a> {
        /// How grave it is.
        pub level: LogLevel,
        /// The text.
        pub message: &'a str,
    }

    /// Request of `get_config`.
    pub struct ConfigRequest<'a> {
        /// The key.
        pub key: &'a str,
    }

    /// Response of `get_config`.
    pub struct ConfigResponse<'a> {
        /// The value under the key.
        pub value: Value<'a>,
    }

    /// Request of `call_plugin`.
    pub struct CallRequest<'a, T = &'a str> {
        /// Name of the plugin.
        pub plugin: T,
        /// Name of its entry point.
        pub entry: &'a str,
        /// What the entry point is given.
        pub input: &'a [u8],
    }

    /// Request of `last_error`: no bytes.
    pub struct LastErrorRequest {}

    /// Response of `last_error`.
    pub struct LastErrorResponse<'a> {
        /// What the plugin's last failed host call said, at most
        /// [`MAX_ERROR_LEN`](crate::abi::MAX_ERROR_LEN) bytes.
        pub text: &'a str,
    }
}

/// Response of `call_plugin`: the output of the plugin that was called, byte by byte, without a length.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CallResponse<'a> {
    /// The output.
    pub output: &'a [u8],
}

impl<'a> Wire<'a> for CallResponse<'a> {
    fn encode(&self, writer: &mut Writer<'_>) {
        writer.raw(self.output);
    }

    /// Takes all bytes that are left.
    fn decode(reader: &mut Reader<'a>) -> Result<Self, WireError> {
        let len = reader.rest().len();
        Ok(Self { output: reader.take(len)? })
    }
}

#[cfg(feature = "replay")]
impl super::inspect::Inspect for CallResponse<'_> {
    fn inspect(&self, fields: &mut super::inspect::Fields) {
        fields.leaf(super::inspect::hex(self.output));
    }
}

impl Comparison {
    /// Whether a value compares so with another one, from [their order](Value::order). Values without an
    /// order are not equal, and neither is less.
    #[must_use]
    pub fn holds(self, order: Option<Ordering>) -> bool {
        match self {
            Self::Equal => order == Some(Ordering::Equal),
            Self::NotEqual => order != Some(Ordering::Equal),
            Self::Less => order.is_some_and(Ordering::is_lt),
            Self::LessOrEqual => order.is_some_and(Ordering::is_le),
            Self::Greater => order.is_some_and(Ordering::is_gt),
            Self::GreaterOrEqual => order.is_some_and(Ordering::is_ge),
        }
    }
}
