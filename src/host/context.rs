//! What a host function may touch while it runs: the database, the meter, and the calling plugin's
//! own grants, configuration and last error. It decides who may do what; it does no work itself.

use alloc::{format, string::String, vec::Vec};

use super::{
    PluginConfig,
    metrics::Metrics,
    plugin::Settings,
    result::{HostCallResult, Message},
};
use crate::{
    abi::{
        MAX_NAME_LEN, Name, Value,
        wire::{self, WireError, WireErrorKind, varint_len},
    },
    audit::{AuditEntry, PluginId},
    capability::Capabilities,
    database::{Database, Storage, TableId},
    escaped::{Escaped, Quoted},
    meter::Meter,
};

/// What the host knows of a plugin, whether it runs or not.
#[derive(Default)]
pub(super) struct Identity {
    pub(super) id: PluginId,
    pub(super) name: Name,
    /// Target of its log messages: `sochdb::plugin::` and its name.
    pub(super) log_target: String,
    pub(super) capabilities: Capabilities,
    /// Encoded values by key.
    pub(super) settings: Settings,
    /// Series of metrics that it may have.
    pub(super) metric_series: u32,
    /// Globs resolved once for each table that the plugin named so far.
    access: Vec<Access>,
    /// Where in `access` the table of the last call is.
    recent: usize,
    /// The text of the last failed host call of the running call; empty if none failed.
    pub(super) last_error: Message,
    /// The status of that host call.
    failed_status: i32,
    /// The number of that host call, or of a later one up to which the plugin only reported: it
    /// logged, emitted metrics or asked for the text.
    failed_call: u32,
    /// How many bytes of the response the running host call may have written, if that is more than
    /// it answers: a row that did not fit, or the answer of a call that failed halfway. A trace keeps
    /// them, since the plugin can see them; [`WHOLE`] keeps the whole buffer.
    pub(super) touched: usize,
}

/// The value of [`Identity::touched`] for a call that may have written anywhere in its response.
pub(super) const WHOLE: usize = usize::MAX;

impl Identity {
    /// Looks every table up anew.
    pub(super) fn forget_tables(&mut self) {
        self.access.clear();
    }

    pub(super) fn new(id: PluginId, name: Name, config: &PluginConfig) -> Self {
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
        }
    }

    /// Forgets the failures of an earlier call.
    pub(super) fn begin_call(&mut self) {
        self.last_error = Message::default();
        self.failed_call = 0;
    }

    /// Keeps the text of a failed host call, the `number`th of the running call.
    pub(super) fn fails(&mut self, message: Message, status: i32, number: u32) {
        self.last_error = message;
        (self.failed_status, self.failed_call) = (status, number);
    }

    /// A host call only reports, so it does not stand between a failure and the end of the call.
    #[inline]
    pub(super) const fn passes_over_call(&mut self) {
        self.failed_call = self.failed_call.wrapping_add(1);
    }

    /// The text of the host call that made the plugin return `code` after `host_calls` host calls;
    /// empty if it went on after that failure, or returned another status.
    pub(super) fn blamed(&self, code: i32, host_calls: u32) -> &str {
        let passed_on = code == self.failed_status && self.failed_call >= host_calls;
        if passed_on { self.last_error.as_str() } else { "" }
    }

    /// Makes `recent` the place of the table, resolving its globs if it was never named before.
    #[cold]
    fn find_access<S: Storage>(
        &mut self,
        database: &Database<S>,
        table: &[u8],
    ) -> Result<&Access, HostCallResult> {
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
                return Err(HostCallResult::not_found(format_args!(
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
            || HostCallResult::not_found(format_args!("there is no table {}", quoted(table)));
        self.access.get(self.recent).ok_or_else(missing)
    }
}

/// A text of a plugin's in quotes, cut and escaped.
pub(super) fn quoted(text: &str) -> Quoted<'_> {
    Quoted(Escaped::new(text, MAX_NAME_LEN))
}

/// What a plugin may do with a table.
struct Access {
    name: Name,
    /// `None` if there is no such table.
    table: Option<TableId>,
    read: bool,
    write: bool,
}

/// What a [`HostFunction`](super::HostFunction) works with: the calling plugin, the database and
/// the meter.
pub struct HostFunctionContext<'a, S: Storage> {
    pub(super) plugin: &'a mut Identity,
    pub(super) database: &'a mut Database<S>,
    pub(super) metrics: &'a mut Metrics,
    pub(super) meter: &'a mut Meter,
    /// The audit entry of the call, being filled.
    pub(super) entry: &'a mut AuditEntry,
    pub(super) log_bytes: usize,
}

impl<S: Storage> HostFunctionContext<'_, S> {
    /// Name of the calling plugin.
    #[must_use]
    pub fn plugin(&self) -> &str {
        &self.plugin.name
    }

    /// Id of the calling plugin.
    #[must_use]
    pub fn plugin_id(&self) -> PluginId {
        self.plugin.id
    }

    /// When the host call began, in microseconds of the host's clock.
    #[must_use]
    pub fn now_us(&self) -> u64 {
        self.entry.time_us
    }

    /// The database, inside the plugin's call: what [`Database::write`] and [`Database::delete`] do
    /// here is rolled back if this function or the call fails. What would be committed at once
    /// ([`Database::insert`], [`Database::create_table`]) is refused.
    pub fn database(&mut self) -> &mut Database<S> {
        self.database
    }

    /// Pays for work that is about to be done, from the fuel of the plugin's call.
    ///
    /// # Errors
    /// [`HostCallResult::OutOfFuel`]: return it, and the call ends.
    pub fn charge(&mut self, fuel: u64) -> Result<(), HostCallResult> {
        Ok(self.meter.charge(fuel)?)
    }

    /// Says how many rows the call answered or changed, for the audit log.
    pub fn record_rows(&mut self, rows: usize) {
        self.entry.rows = u32::try_from(rows).unwrap_or(u32::MAX);
    }

    /// The value of the plugin's own configuration under `key`.
    #[must_use]
    pub fn config(&self, key: &str) -> Option<Value<'_>> {
        wire::decode(self.plugin.settings.get(key.as_bytes())?).ok()
    }

    /// The table, if the plugin may read it.
    ///
    /// The name is taken as bytes: usually it is that of the call before, and equal bytes need no
    /// check of their UTF-8.
    ///
    /// # Errors
    /// [`HostCallResult::PermissionDenied`], whether the table exists or not;
    /// [`HostCallResult::NotFound`] if it may and there is none;
    /// [`HostCallResult::InvalidArgs`] for bytes that are not UTF-8.
    #[inline(always)]
    pub fn check_read(&mut self, table: impl AsRef<[u8]>) -> Result<TableId, HostCallResult> {
        self.access(table.as_ref(), "can_read_table", |access| access.read)
    }

    /// The table, if the plugin may write it.
    ///
    /// # Errors
    /// As [`check_read`](Self::check_read).
    #[inline(never)]
    pub fn check_write(&mut self, table: impl AsRef<[u8]>) -> Result<TableId, HostCallResult> {
        self.access(table.as_ref(), "can_write_table", |access| access.write)
    }

    /// As [`check_read`](Self::check_read), once for all that are not as hot as a point read.
    #[inline(never)]
    pub(super) fn readable(&mut self, table: &[u8]) -> Result<TableId, HostCallResult> {
        self.check_read(table)
    }

    /// The table, if the plugin may search vectors and read it.
    ///
    /// # Errors
    /// As [`check_read`](Self::check_read).
    pub fn check_vector_search(
        &mut self,
        table: impl AsRef<[u8]>,
    ) -> Result<TableId, HostCallResult> {
        let id = self.readable(table.as_ref())?;
        let granted = self.plugin.capabilities.can_vector_search;
        if granted { Ok(id) } else { Err(self.denied("can_vector_search")) }
    }

    /// The table, if the plugin may look into indexes and read it.
    ///
    /// # Errors
    /// As [`check_read`](Self::check_read).
    pub fn check_index_search(
        &mut self,
        table: impl AsRef<[u8]>,
    ) -> Result<TableId, HostCallResult> {
        let id = self.readable(table.as_ref())?;
        let granted = self.plugin.capabilities.can_index_search;
        if granted { Ok(id) } else { Err(self.denied("can_index_search")) }
    }

    /// The table, if the plugin has the grant for it that `granted` says; usually it is the table
    /// of the call before.
    #[inline(always)]
    fn access(
        &mut self,
        table: &[u8],
        capability: &str,
        granted: impl Fn(&Access) -> bool,
    ) -> Result<TableId, HostCallResult> {
        let Self { plugin, database, entry, .. } = self;
        let access = match plugin.access.get(plugin.recent) {
            Some(access) if access.table.is_some() && access.name.is(table) => access,
            _ => plugin.find_access(database, table)?,
        };
        entry.table = Some(access.name);
        match (granted(access), access.table) {
            (true, Some(table)) => Ok(table),
            // A plugin without the grant must not learn whether the table exists.
            (false, _) => Err(self.denied(capability)),
            (true, None) => Err(self.no_table()),
        }
    }

    #[cold]
    fn no_table(&self) -> HostCallResult {
        let table = self.entry.table.unwrap_or_default();
        HostCallResult::not_found(format_args!("there is no table {}", quoted(&table)))
    }

    #[cold]
    fn denied(&self, capability: &str) -> HostCallResult {
        let plugin = self.plugin();
        let table = self.entry.table.as_deref().unwrap_or_default();
        let table = quoted(table);
        HostCallResult::denied(format_args!("{plugin} lacks {capability} for table {table}"))
    }
}
