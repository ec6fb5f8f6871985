//! The embedder's own statements, through the hooks of plugins.

use alloc::{boxed::Box, string::String, vec::Vec};
use core::fmt;

use super::{
    hooked::{Failed, delete_rows, statement, unknown, write_rows},
    host::Host,
};
use crate::{
    abi::{
        Seq, Status,
        message::{NewRow, RowSelector, WriteMode},
    },
    database::{DatabaseError, Storage, TableId},
    host::{
        access::{Identity, OnDenied},
        boundary::HostCallResult,
        plugin::{PluginState, Plugins, Scratch, Shared},
    },
    limits::Limits,
    meter::Meter,
};

/// Why a statement of the embedder's failed. Nothing of it stays, nor of what hooks wrote in it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum WriteError {
    /// The embedder's own writes are pending: commit them, or roll them back, first.
    TransactionPending,
    /// There is no such table, or the storage refused the commit.
    Database(DatabaseError),
    /// The database or a hook refused it.
    Refused {
        /// What a plugin would get for the same statement.
        status: Status,
        /// Why: for a hook with its entry point, its event, its plugin and what that says.
        text: String,
    },
}

impl fmt::Display for WriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TransactionPending => DatabaseError::TransactionPending.fmt(f),
            Self::Database(error) => error.fmt(f),
            Self::Refused { text, .. } => f.write_str(text),
        }
    }
}

impl core::error::Error for WriteError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            // Its text is the text of this.
            Self::Database(error) => error.source(),
            Self::TransactionPending | Self::Refused { .. } => None,
        }
    }
}

impl From<DatabaseError> for WriteError {
    fn from(error: DatabaseError) -> Self {
        Self::Database(error)
    }
}

impl From<Failed> for WriteError {
    fn from(failed: Failed) -> Self {
        let (status, text) = match failed {
            Failed::Stopped(text) => (Status::Error.code(), text.as_str().into()),
            Failed::Answer(result) => (result.status_code(), text_of(&result)),
        };
        Self::Refused { status: Status::from_code(status), text }
    }
}

fn text_of(result: &HostCallResult) -> String {
    match result {
        HostCallResult::Success(_) => String::new(),
        HostCallResult::PermissionDenied(text)
        | HostCallResult::NotFound(text)
        | HostCallResult::InvalidArgs(text)
        | HostCallResult::Error(text)
        | HostCallResult::LimitExceeded(text) => text.as_str().into(),
        HostCallResult::Malformed(error) => alloc::format!("{error}"),
        HostCallResult::BufferTooSmall { needed } => alloc::format!("{needed} bytes are needed"),
        HostCallResult::OutOfFuel(exceeded) => alloc::format!("{exceeded}"),
    }
}

/// A statement of the embedder's that runs. What plugins share, and the plugins, come home when it is
/// dropped; what an unfinished one wrote is rolled back.
struct Running<'h, S: Storage> {
    home: &'h mut Option<Box<Shared<S>>>,
    plugins: &'h mut Plugins<S>,
    /// Makes the statement, as a plugin would that may do everything and pays for nothing.
    state: PluginState<S>,
    finished: bool,
}

impl<'h, S: Storage> Running<'h, S> {
    fn new(home: &'h mut Option<Box<Shared<S>>>, plugins: &'h mut Plugins<S>) -> Self {
        let mut state = PluginState::new(Identity::default(), &Limits::default(), OnDenied::Status);
        state.meter = Meter::unlimited();
        if let Some(shared) = home.as_deref_mut() {
            shared.database.hold(true);
            core::mem::swap(&mut shared.plugins, plugins);
            shared.intercept();
        }
        state.shared = home.take();
        Self { home, plugins, state, finished: false }
    }
}

impl<S: Storage> Drop for Running<'_, S> {
    fn drop(&mut self) {
        *self.home = self.state.shared.take();
        if let Some(shared) = self.home {
            core::mem::swap(&mut shared.plugins, self.plugins);
            shared.database.hold(false);
            if !self.finished {
                shared.database.rollback();
            }
        }
    }
}

impl<S: Storage + 'static> Host<S> {
    /// Writes rows of a table as `soch_write` does, and through the hooks that plugins have for it. Returns
    /// their ids, without those of rows that a hook skipped. The rows, and what hooks wrote, are committed.
    ///
    /// `columns` names the columns that the rows give; none means all, in the order of the schema. The
    /// rows are not metered; each hook has the fuel and the deadline of its plugin.
    ///
    /// # Errors
    /// [`WriteError`]; the database is then as it was.
    pub fn write(
        &mut self,
        table: &str,
        mode: WriteMode,
        columns: &[&str],
        rows: &[NewRow<'_>],
    ) -> Result<Vec<u64>, WriteError> {
        self.through_hooks(table, |state, table, scratch| {
            let (columns, mut rows) = (Seq::new(columns), rows.iter().copied());
            write_rows(state, table, mode, &columns, &mut rows, scratch)?;
            Ok(core::mem::take(&mut scratch.ids))
        })
    }

    /// Deletes rows of a table as `soch_delete` does, and through the hooks that plugins have for it. Returns
    /// how many were deleted. That, and what hooks wrote, is committed.
    ///
    /// # Errors
    /// [`WriteError`]; the database is then as it was.
    pub fn delete(&mut self, table: &str, rows: RowSelector<'_>) -> Result<u64, WriteError> {
        self.through_hooks(table, |state, table, scratch| delete_rows(state, table, &rows, scratch))
    }

    fn through_hooks<R>(
        &mut self,
        table: &str,
        run: impl FnOnce(&mut PluginState<S>, TableId, &mut Scratch) -> Result<R, Failed>,
    ) -> Result<R, WriteError> {
        if self.shared().database.has_pending() {
            return Err(WriteError::TransactionPending);
        }
        let table = unknown(&self.shared().database, table)?;
        let Self { shared, plugins, .. } = self;
        let mut running = Running::new(shared, plugins);
        let result = statement(&mut running.state, |state, scratch| run(state, table, scratch));
        running.finished = true;
        drop(running);
        let database = &mut self.shared_mut().database;
        match result {
            Ok(result) => {
                database.commit()?;
                Ok(result)
            }
            Err(failed) => {
                database.rollback();
                Err(failed.into())
            }
        }
    }
}
