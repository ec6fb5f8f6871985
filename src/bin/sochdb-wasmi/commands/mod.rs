//! One file for each command.

pub mod completions;
pub mod db;
pub mod inspect;
pub mod man;
mod manifest_text;
pub mod minimise;
pub mod new;
pub mod record;
pub mod replay;
pub mod run;
pub mod trace;
pub mod watch;
pub mod what_if;
