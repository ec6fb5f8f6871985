//! What a host function may touch while it runs: the database, the meter, and the calling plugin's
//! own grants, configuration and last error. It decides who may do what; it does no work itself.

use super::identity::{Access, Identity};
use crate::{
    abi::{Value, wire},
    audit::{AuditEntry, PluginId},
    database::{Database, Storage, TableId},
    escaped::quoted,
    host::{boundary::HostCallFailure, metrics::Metrics},
    meter::Meter,
};

/// What a [`HostFunction`](crate::host::HostFunction) works with: the calling plugin, the database and
/// the meter.
pub struct HostFunctionContext<'a, S: Storage> {
    pub(crate) plugin: &'a mut Identity,
    pub(crate) database: &'a mut Database<S>,
    pub(crate) metrics: &'a mut Metrics,
    pub(crate) meter: &'a mut Meter,
    /// The audit entry of the call, being filled.
    pub(crate) entry: &'a mut AuditEntry,
    pub(crate) log_bytes: usize,
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
    /// ([`Database::insert`], [`Database::create_table`]) is refused. Hooks do not run for it.
    pub fn database(&mut self) -> &mut Database<S> {
        self.database
    }

    /// Pays for work that is about to be done, from the fuel of the plugin's call.
    ///
    /// # Errors
    /// A [`HostCallFailure`]: out of fuel. Return it, and the call ends.
    pub fn charge(&mut self, fuel: u64) -> Result<(), HostCallFailure> {
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
    /// A [`HostCallFailure`]: permission denied, whether the table exists or not; not found if the plugin
    /// may read the table and it does not exist; invalid arguments for bytes that are not UTF-8.
    #[inline(always)]
    pub fn check_read(&mut self, table: impl AsRef<[u8]>) -> Result<TableId, HostCallFailure> {
        self.access(table.as_ref(), "can_read_table", |access| access.read)
    }

    /// The table, if the plugin may write it.
    ///
    /// # Errors
    /// As [`check_read`](Self::check_read).
    #[inline(never)]
    pub fn check_write(&mut self, table: impl AsRef<[u8]>) -> Result<TableId, HostCallFailure> {
        self.access(table.as_ref(), "can_write_table", |access| access.write)
    }

    /// As [`check_read`](Self::check_read), once for all that are not as hot as a point read.
    #[inline(never)]
    pub(crate) fn readable(&mut self, table: &[u8]) -> Result<TableId, HostCallFailure> {
        self.check_read(table)
    }

    /// The table, if the plugin may search vectors and read it.
    ///
    /// # Errors
    /// As [`check_read`](Self::check_read).
    pub fn check_vector_search(
        &mut self,
        table: impl AsRef<[u8]>,
    ) -> Result<TableId, HostCallFailure> {
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
    ) -> Result<TableId, HostCallFailure> {
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
    ) -> Result<TableId, HostCallFailure> {
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
    fn no_table(&self) -> HostCallFailure {
        let table = self.entry.table.unwrap_or_default();
        HostCallFailure::not_found(format_args!("there is no table {}", quoted(&table)))
    }

    #[cold]
    fn denied(&self, capability: &str) -> HostCallFailure {
        let plugin = self.plugin();
        let table = self.entry.table.as_deref().unwrap_or_default();
        let table = quoted(table);
        HostCallFailure::denied(format_args!("{plugin} lacks {capability} for table {table}"))
    }
}
