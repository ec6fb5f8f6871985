//! A call that the embedder makes of a plugin's entry point: all or nothing.

use alloc::boxed::Box;

use super::{
    entering::{
        Called, account, check_output, end_on_tape, find_entry, memory_bytes, run, write_input,
    },
    host::Host,
};
use crate::{
    audit::PluginId,
    database::Storage,
    host::{
        error::CallError,
        plugin::{Plugin, Plugins, Shared},
        report::CallReport,
    },
};

/// What a finished call leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Outcome<'h> {
    /// What the plugin wrote into its Output Buffer. Lies in linear memory: copy it before the
    /// next call.
    pub output: &'h [u8],
    /// What the call used.
    pub report: CallReport,
}

/// A plugin that runs, with what all plugins share and the others of them. All comes home when this is
/// dropped, also by unwinding from the embedder's slice hook; what an unfinished call wrote is rolled back
/// then.
struct Loan<'h, S: Storage> {
    finished: bool,
    home: &'h mut Option<Box<Shared<S>>>,
    plugins: &'h mut Plugins<S>,
    at: usize,
    plugin: Option<Box<Plugin<S>>>,
}

impl<'h, S: Storage> Loan<'h, S> {
    fn new(
        home: &'h mut Option<Box<Shared<S>>>,
        plugins: &'h mut Plugins<S>,
        at: usize,
    ) -> Option<Self> {
        let mut plugin = plugins.lend(at)?;
        if let Some(shared) = home.as_deref_mut() {
            shared.database.hold(true);
            core::mem::swap(&mut shared.plugins, plugins);
            #[cfg(feature = "hooks")]
            shared.intercept();
        }
        // Until the call has ended well, also if a hook of the embedder's unwinds out of it.
        plugin.trapped = true;
        plugin.store.data_mut().shared = home.take();
        Some(Self { finished: false, home, plugins, at, plugin: Some(plugin) })
    }
}

impl<S: Storage> Drop for Loan<'_, S> {
    fn drop(&mut self) {
        let Some(plugin) = &mut self.plugin else { return };
        let (memory_bytes, fuel_left) =
            (memory_bytes(&plugin.store), plugin.store.data().meter.fuel());
        *self.home = plugin.store.data_mut().shared.take();
        if let Some(shared) = self.home {
            core::mem::swap(&mut shared.plugins, self.plugins);
            shared.database.hold(false);
            if !self.finished {
                shared.tape.recording.unwinds(fuel_left, memory_bytes);
                shared.database.rollback();
            }
        }
        self.plugins.take_back(self.at, self.plugin.take());
    }
}

impl<S: Storage + 'static> Host<S> {
    /// Calls the entry point `entry` of a plugin with `input`.
    ///
    /// Everything that the plugin writes in the call is kept if it returns a length, and dropped
    /// if the call fails in any way. After a trap the plugin begins its next call with its memory
    /// as it was after loading.
    ///
    /// # Errors
    /// [`CallError`]; the database is then as it was before the call.
    pub fn call(
        &mut self,
        plugin: PluginId,
        entry: &str,
        input: &[u8],
    ) -> Result<Outcome<'_>, CallError> {
        let at = self.position(plugin);
        let Some((at, loaded)) = at.and_then(|at| Some((at, self.plugins.get_mut(at)?))) else {
            return Err(CallError::NoSuchPlugin(plugin));
        };
        if let Some(shared) = &self.shared
            && loaded.trapped
        {
            loaded.restart(&shared.registry).map_err(CallError::Restart)?;
        }
        if self.shared.as_ref().is_some_and(|shared| shared.database.has_pending()) {
            return Err(CallError::TransactionPending);
        }
        let function = find_entry(loaded, entry)?;
        write_input(loaded, input)?;

        let mut report = CallReport::default();
        let Self { shared, plugins, .. } = self;
        let Some(mut loan) = Loan::new(shared, plugins, at) else {
            return Err(CallError::NoSuchPlugin(plugin));
        };
        let returned = match &mut loan.plugin {
            Some(loaded) => {
                let called = Called { entry, function, input };
                let limits = loaded.limits;
                let returned = run(&mut loaded.store, called, &limits, &mut report);
                account(loaded, &returned, report);
                returned
            }
            None => Err(CallError::NoSuchPlugin(plugin)),
        };
        loan.finished = true;
        drop(loan);
        let completed = returned.is_ok();
        let loaded = self.plugins.get(at).ok_or(CallError::NoSuchPlugin(plugin))?;
        let kept = returned.and_then(|code| check_output(loaded, code)).and_then(|len| {
            let database = &mut self.shared_mut().database;
            database.commit().map_err(CallError::Commit)?;
            Ok(len)
        });
        if let (Some(shared), Some(plugin)) = (self.shared.as_deref_mut(), self.plugins.get(at)) {
            end_on_tape(shared, plugin, plugin.limits.fuel_per_call, completed, &kept);
        }
        if kept.is_err() {
            self.shared_mut().database.rollback();
        }
        let len = kept?;
        let loaded = self.plugins.get(at);
        let output = loaded.map(|loaded| loaded.bytes(loaded.descriptor.output_ptr, len));
        let report = loaded.map(|loaded| loaded.report);
        Ok(Outcome { output: output.unwrap_or_default(), report: report.unwrap_or_default() })
    }
}
