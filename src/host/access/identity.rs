//! What the host knows about a plugin, running or not: name, grants, configuration and last failure. It
//! decides nothing.

use alloc::{format, string::String, vec::Vec};

use super::plugin_config::{PluginConfig, Settings};
use crate::{
    abi::{
        Name,
        wire::{WireError, WireErrorKind, varint_len},
    },
    audit::PluginId,
    capability::Capabilities,
    database::{Database, Storage, TableId},
    escaped::quoted,
    host::boundary::{HostCallFailure, Message},
};

/// What the host knows of a plugin, whether it runs or not.
#[derive(Default)]
pub(crate) struct Identity {
    pub(crate) id: PluginId,
    pub(crate) name: Name,
    /// Target of its log messages: `sochdb::plugin::` and its name.
    pub(crate) log_target: String,
    pub(crate) capabilities: Capabilities,
    /// Encoded values by key.
    pub(crate) settings: Settings,
    /// Series of metrics that it may have.
    pub(crate) metric_series: u32,
    /// Globs resolved once for each table that the plugin named so far.
    pub(crate) access: Vec<Access>,
    /// Where in `access` the table of the last call is.
    pub(crate) recent: usize,
    /// The text of the last failed host call of the running call; empty if none failed.
    pub(crate) last_error: Message,
    /// The status of that host call.
    failed_status: i32,
    /// The number of that host call, or of a later one up to which the plugin only reported: it
    /// logged, emitted metrics or asked for the text.
    failed_call: u32,
    /// How many bytes of the response the running host call may have written, if that is more than
    /// it answers: a row that did not fit, or the answer of a call that failed halfway. A trace keeps
    /// them, since the plugin can see them; [`WHOLE`] keeps the whole buffer.
    pub(crate) touched: usize,
    /// The plugin whose call this one answers; `None` if the embedder called.
    pub(crate) caller: Option<Caller>,
}

/// The plugin that called another one.
#[cfg(feature = "hooks")]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Caller {
    pub(crate) id: PluginId,
    pub(crate) name: Name,
    /// How many calls are around the one that it made: at least 1.
    pub(crate) depth: u8,
}

/// No plugin calls another one without the feature `hooks`, and a plugin has no room for it.
#[cfg(not(feature = "hooks"))]
#[derive(Clone, Copy, Debug)]
pub(crate) enum Caller {}

impl Caller {
    pub(crate) const fn id(&self) -> PluginId {
        #[cfg(feature = "hooks")]
        return self.id;
        #[cfg(not(feature = "hooks"))]
        match *self {}
    }

    pub(crate) const fn name(&self) -> &Name {
        #[cfg(feature = "hooks")]
        return &self.name;
        #[cfg(not(feature = "hooks"))]
        match *self {}
    }

    /// How many calls are around the one that it made: at least 1.
    pub(crate) const fn depth(&self) -> u8 {
        #[cfg(feature = "hooks")]
        return self.depth;
        #[cfg(not(feature = "hooks"))]
        match *self {}
    }
}

/// The value of [`Identity::touched`] for a call that may have written anywhere in its response.
pub(crate) const WHOLE: usize = usize::MAX;

impl Identity {
    /// Looks up every table again.
    pub(crate) fn forget_tables(&mut self) {
        self.access.clear();
    }

    pub(crate) fn new(id: PluginId, name: Name, config: &PluginConfig) -> Self {
        Self {
            id,
            log_target: format!("sochdb::plugin::{name}"),
            name,
            capabilities: config.capabilities.clone(),
            settings: config.settings().clone(),
            metric_series: config.limits.metric_series,
            access: Vec::new(),
            recent: 0,
            last_error: Message::default(),
            failed_status: 0,
            failed_call: 0,
            touched: 0,
            caller: None,
        }
    }

    /// Forgets the failures of an earlier call.
    pub(crate) fn begin_call(&mut self) {
        self.last_error = Message::default();
        self.failed_call = 0;
    }

    /// Keeps the text of a failed host call, the `number`th of the running call.
    pub(crate) fn fails(&mut self, message: Message, status: i32, number: u32) {
        self.last_error = message;
        (self.failed_status, self.failed_call) = (status, number);
    }

    /// A host call only reports, so it does not stand between a failure and the end of the call.
    #[inline]
    pub(crate) const fn passes_over_call(&mut self) {
        self.failed_call = self.failed_call.wrapping_add(1);
    }

    /// The text of the host call that made the plugin return `code` after `host_calls` host calls;
    /// empty if it went on after that failure, or returned another status.
    pub(crate) fn blamed(&self, code: i32, host_calls: u32) -> &str {
        let passed_on = code == self.failed_status && self.failed_call >= host_calls;
        if passed_on { self.last_error.as_str() } else { "" }
    }

    /// Makes `recent` the place of the table, resolving its globs if it was never named before.
    #[cold]
    pub(crate) fn find_access<S: Storage>(
        &mut self,
        database: &Database<S>,
        table: &[u8],
    ) -> Result<&Access, HostCallFailure> {
        let Ok(table) = core::str::from_utf8(table) else {
            // The table's name is the first field of a request.
            let end = varint_len(table.len() as u64).saturating_add(table.len());
            let offset = u32::try_from(end).unwrap_or(u32::MAX);
            let error = WireError { kind: WireErrorKind::InvalidUtf8, offset };
            return Err(error.into());
        };
        // A name without a table is kept at the end until the next look: the table may be made by
        // then, and a plugin that makes up names must not make the list grow.
        if self.access.last().is_some_and(|access| access.table.is_none()) {
            self.access.pop();
        }
        let known = self.access.iter().position(|access| access.name.is(table.as_bytes()));
        self.recent = known.unwrap_or(self.access.len());
        if known.is_none() {
            let Ok(name) = Name::new(table) else {
                return Err(HostCallFailure::not_found(format_args!(
                    "there is no table {}, nor can there be",
                    quoted(table)
                )));
            };
            self.access.push(Access {
                name,
                table: database.table_id(table),
                read: self.capabilities.can_read(table),
                write: self.capabilities.can_write(table),
            });
        }
        let missing =
            || HostCallFailure::not_found(format_args!("there is no table {}", quoted(table)));
        self.access.get(self.recent).ok_or_else(missing)
    }
}

/// What a plugin may do with a table.
pub(crate) struct Access {
    pub(crate) name: Name,
    /// `None` if there is no such table.
    pub(crate) table: Option<TableId>,
    pub(crate) read: bool,
    pub(crate) write: bool,
}
