//! `db …`: what a database holds, in a file of `--db` or in a dump of a device's flash. It changes
//! no database.

mod check;
mod command;
mod convert;
mod difference;
mod export;
mod show;
mod tables;

pub use command::{Command, run};
