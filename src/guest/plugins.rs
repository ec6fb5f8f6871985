//! Calls of other plugins: input and output are encoded here as the entry points of
//! [`plugin!`](crate::plugin) take them.

use super::{FromValue, HostCallError, HostHandle, call::invoke_encoded, imports};
use crate::abi::{
    CALLER_KEY, Status,
    wire::{self, Wire, Writer},
};

impl HostHandle<'_> {
    /// Calls the entry point `entry` of another plugin with `input`, and decodes its output.
    ///
    /// The scratch holds the request, and behind it must be room for the other plugin's whole Output
    /// Buffer. What the other plugin writes belongs to this call; if it fails, its writes are gone.
    ///
    /// # Errors
    /// [`HostCallError`]; `docs/abi.md` has the statuses. [`Status::Error`] also for an output that is not
    /// an `O`; what the other plugin wrote then stays.
    pub fn call_plugin<'a, 'i, I: Wire<'i>, O: Wire<'a>>(
        &'a mut self,
        plugin: &str,
        entry: &str,
        input: &I,
    ) -> Result<O, HostCallError> {
        let scratch = self.scratch();
        let mut counter = Writer::new(&mut []);
        input.encode(&mut counter);
        let input_len = counter.position();
        let mut request = Writer::new(scratch);
        request.text(plugin);
        request.text(entry);
        request.len(input_len);
        input.encode(&mut request);
        let len = request.finish().map_err(|error| HostCallError::too_small(error.needed))?;
        let place = invoke_encoded::<imports::CallPlugin>(len, scratch)?;
        Ok(wire::decode(scratch.get(place).unwrap_or_default())?)
    }

    /// The name of the plugin that called this one; `None` if the embedder did.
    ///
    /// # Errors
    /// [`HostCallError`].
    pub fn caller(&mut self) -> Result<Option<&str>, HostCallError> {
        match self.config_value(CALLER_KEY) {
            Ok(mut value) => <&str>::take(&mut value).map(Some),
            Err(error) if error.status == Status::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}
