//! Statements that change rows of tables with hooks, whoever makes them: in batches, each through the hooks that
//! run before, the database, and the hooks that run after.
//!
//! A hook is a call of another plugin; how one runs is in [`nested`](super::nested). A statement is undone
//! whole if any part of it fails.

mod failed;
mod fire;
mod gather;
mod statement;

pub(super) use failed::Failed;
pub(super) use statement::{change, delete_rows, statement, unknown, write_rows};
