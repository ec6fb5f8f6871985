//! The interface as data: one entry per host function. The guest's stubs, the host's registry,
//! the docs' table and the names in the audit log all come from this table.

use core::fmt;

/// What a plugin needs to call a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Capability<'a> {
    /// Nothing.
    Always,
    /// `can_read_table` for the table of the request.
    ReadTable,
    /// `can_write_table` for the table of the request.
    WriteTable,
    /// `can_vector_search`, and `can_read_table` for the table of the request.
    VectorSearch,
    /// `can_index_search`, and `can_read_table` for the table of the request.
    IndexSearch,
    /// `can_call_plugin` for the plugin of the request.
    CallPlugin,
    /// A capability of this name, given to functions that an embedder adds.
    Named(&'a str),
}

impl fmt::Display for Capability<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Always => "always allowed",
            Self::ReadTable => "can_read_table",
            Self::WriteTable => "can_write_table",
            Self::VectorSearch => "can_vector_search and can_read_table",
            Self::IndexSearch => "can_index_search and can_read_table",
            Self::CallPlugin => "can_call_plugin",
            Self::Named(name) => name,
        })
    }
}

/// One row of the table of host functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FunctionSpec {
    /// Module that a plugin imports it from.
    pub module: &'static str,
    /// Name that a plugin imports it under.
    pub name: &'static str,
    /// Name of the request type in [`message`](super::message).
    pub request: &'static str,
    /// Name of the response type, or `()` for none.
    pub response: &'static str,
    /// What it needs.
    pub capability: Capability<'static>,
    /// What it does, in one line.
    pub doc: &'static str,
}

/// Hands the table of host functions to the macro `$then`: for each function the type that
/// implements it on the host, its name, request, response, capability and doc line.
///
/// A new host function is one entry here, its messages in `src/abi/message/`, and one file in
/// `src/host/functions/`. **Append only, at the end:** the place is the function's number in traces and
/// audit logs. A request that names a table has the name as its first field.
#[macro_export]
#[doc(hidden)]
macro_rules! for_each_host_function {
    ($then:path) => {
        $then! {
            SochRead, soch_read, ReadRequest<'_>, RowsResponse<'_>, ReadTable,
            "Rows of a table: one id, a list of ids, or a range; projection, limit, continuation; as rows or as TOON.";
            SochWrite, soch_write, WriteRequest<'_>, WriteResponse<'_>, WriteTable,
            "Inserts, updates or upserts rows, all or none; answers their ids.";
            SochDelete, soch_delete, DeleteRequest<'_>, DeleteResponse, WriteTable,
            "Deletes rows by id, by list of ids, or by range; answers how many.";
            VectorSearch, vector_search, SearchRequest<'_>, SearchResponse<'_>, VectorSearch,
            "The k rows nearest to a query in a vector column; optional filter, optional columns.";
            IndexLookup, index_lookup, LookupRequest<'_>, LookupResponse<'_>, IndexSearch,
            "Point, prefix or range on a secondary index, either way; ids or rows, limit, continuation.";
            EmitMetric, emit_metric, MetricRequest<'_>, (), Always,
            "Adds to a counter, sets a gauge or observes a histogram, with labels.";
            LogMessage, log_message, LogRequest<'_>, (), Always,
            "Logs a text at debug, info, warn or error.";
            GetConfig, get_config, ConfigRequest<'_>, ConfigResponse<'_>, Always,
            "The plugin's own configuration under a key.";
            LastError, last_error, LastErrorRequest, LastErrorResponse<'_>, Always,
            "The text of the last failed host call in this call.";
            CallPlugin, call_plugin, CallRequest<'_>, CallResponse<'_>, CallPlugin,
            "Calls an entry point of another plugin, in the same transaction; answers its output.";
        }
    };
}

macro_rules! table {
    ($($type:ident, $name:ident, $request:ty, $response:ty, $capability:ident, $doc:literal;)*) => {
        /// A host function of the module [`IMPORT_MODULE`](super::IMPORT_MODULE). Whoever treats functions
        /// differently matches on this without `_`, so that a new one is not forgotten.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Builtin {$(
            #[doc = concat!("`", stringify!($name), "`: ", $doc)]
            $type,
        )*}

        impl Builtin {
            /// All of them, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$type,)*];

            /// Its row of the table.
            #[must_use]
            pub const fn spec(self) -> FunctionSpec {
                match self {$(
                    Self::$type => FunctionSpec {
                        module: super::IMPORT_MODULE,
                        name: stringify!($name),
                        request: stringify!($request),
                        response: stringify!($response),
                        capability: Capability::$capability,
                        doc: $doc,
                    },
                )*}
            }
        }

        /// Every host function of the module [`IMPORT_MODULE`](super::IMPORT_MODULE).
        pub const HOST_FUNCTIONS: &[FunctionSpec] = &[$(Builtin::$type.spec(),)*];
    };
}
for_each_host_function!(table);

impl Capability<'_> {
    /// Whether it is about a table, which is the first field of the request then.
    #[inline]
    #[must_use]
    pub const fn is_of_table(&self) -> bool {
        match self {
            Self::ReadTable | Self::WriteTable | Self::VectorSearch | Self::IndexSearch => true,
            Self::Always | Self::CallPlugin | Self::Named(_) => false,
        }
    }
}

impl Builtin {
    /// The function of this number, which is its place in the table.
    #[must_use]
    pub fn from_number(number: u16) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }

    /// Whether it answers no bytes.
    #[must_use]
    pub const fn answers_nothing(self) -> bool {
        matches!(self.spec().response.as_bytes(), b"()")
    }
}
