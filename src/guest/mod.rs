//! The plugin author's side: the host's functions as Rust calls, and the macro that makes entry
//! points out of ordinary functions. `docs/writing-plugins.md` builds a plugin with it.
//!
//! There is no allocator in here: a call encodes its request into the front of a buffer that the
//! plugin lends (the scratch of [`HostHandle`]), the host answers into the rest of it, and what the call
//! returns borrows from there.
//!
//! On other targets than `wasm32` there is no host; every call then fails with
//! [`Status::Error`], so a plugin's own logic can be unit-tested
//! natively.
//!
//! It does not say what the bytes are; that is [`crate::abi`].

mod batch;
#[doc(hidden)]
pub mod buffers;
mod call;
#[doc(hidden)]
pub mod entry;
mod hooks;
mod host;
pub mod imports;
mod pages;
mod plugins;
mod typed;

pub use batch::WriteBatch;
pub use call::{HostCallError, call};
#[doc(hidden)]
pub use call::{call_as, exchange, send};
pub use hooks::{ColumnPlace, Columns, HookColumn, HookRows, HookedRow};
pub use host::HostHandle;
pub use imports::HostImport;
pub use pages::{Lookup, Scan};
pub use typed::{Fields, FromValue, RawText};

/// The messages and values that the calls take and return.
pub use crate::abi::{
    ABI_VERSION, Descriptor, MAX_ERROR_LEN, MAX_GIVEN_ID, Seq, Status, Value,
    message::{
        Bound, Comparison, Condition, Hit, HookEvent, IndexQuery, LogLevel, LookupRequest,
        LookupResponse, MetricKind, NewRow, ReadRequest, Row, RowSelector, RowsResponse,
        SearchRequest, SearchResponse, WriteMode,
    },
};
