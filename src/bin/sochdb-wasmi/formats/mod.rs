//! What inputs and outputs are written in: hex, CSV, JSON, and shapes of JSON. It opens no file.

pub mod bytes;
pub mod column_value;
pub mod csv_file;
pub mod json;
pub mod shape;
