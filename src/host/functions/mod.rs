//! One file per host function: decode the request, ask the context whether the plugin may, do the
//! work in the database, encode the response. Registration, bounds, quotas and audit are elsewhere.

mod emit_metric;
mod get_config;
mod index_lookup;
mod last_error;
mod log_message;
mod rows;
mod soch_delete;
mod soch_read;
mod soch_write;
mod vector_search;

pub use emit_metric::EmitMetric;
pub(super) use emit_metric::emit_metric;
pub use get_config::GetConfig;
pub(super) use get_config::get_config;
pub use index_lookup::IndexLookup;
pub(super) use index_lookup::index_lookup;
pub use last_error::LastError;
pub(super) use last_error::last_error;
pub use log_message::LogMessage;
pub(super) use log_message::log_message;
pub use soch_delete::SochDelete;
pub(super) use soch_delete::soch_delete;
pub use soch_read::SochRead;
pub(super) use soch_read::soch_read;
pub use soch_write::SochWrite;
pub(super) use soch_write::soch_write;
pub use vector_search::VectorSearch;
pub(super) use vector_search::vector_search;
