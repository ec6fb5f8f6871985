//! `db …`: what a database holds, in a file of `--db` or in a dump of a device's flash. Only
//! `import` changes a database.

mod check;
mod command;
mod convert;
mod difference;
mod export;
mod import;
mod show;
mod tables;

pub use command::{Command, run};
