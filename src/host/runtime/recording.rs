//! Recording as the embedder sees it: a host takes a recorder, lends it and gives it back.

use alloc::boxed::Box;

use super::host::Host;
use crate::{database::Storage, host::plugin::Shared, trace::Recorder};

impl<S: Storage + 'static> Host<S> {
    /// Records everything from now on. Begins with a [checkpoint](Self::checkpoint), so that the
    /// trace can be replayed without what was before. A recorder that the host had is ended and
    /// returned.
    pub fn record(&mut self, recorder: Recorder) -> Option<Recorder> {
        let before = self.stop_recording();
        self.shared_mut().tape.recording.start(Box::new(recorder));
        self.checkpoint();
        before
    }

    /// Ends the trace and gives the recorder back; `None` if the host is not recording.
    pub fn stop_recording(&mut self) -> Option<Recorder> {
        self.shared_mut().tape.recording.stop()
    }

    /// The recorder, to look at it or to write out what it has.
    pub fn recorder_mut(&mut self) -> Option<&mut Recorder> {
        self.shared_mut().tape.recording.recorder()
    }

    /// Lets every plugin begin its next call with its memory as it was after loading. A replay can
    /// begin here, and a flight recorder forgets what is before the oldest of these.
    pub fn checkpoint(&mut self) {
        for plugin in self.plugins.iter_mut() {
            plugin.trapped = true;
        }
        let Self { shared: Some(shared), plugins, .. } = self else { return };
        let Shared { audit, registry, database, tape, .. } = &mut **shared;
        if !tape.recording.is_on() {
            return;
        }
        tape.recording.checkpoint(audit.total());
        for (id, ..) in registry.iter().filter(|(id, ..)| id.name().is_none()) {
            tape.recording.adds_function(registry, id);
        }
        tape.recording.tables(database);
        for plugin in plugins.iter() {
            tape.loads(&plugin.loaded());
        }
    }
}
