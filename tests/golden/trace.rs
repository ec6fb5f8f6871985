//! The trace of the main job as one line: how many events and bytes it has, and its last link, which
//! stands for every byte of it.
//!
//! As [`lines`](super::lines) it needs `core`, `alloc` and the crate only, and holds one call's events
//! at a time, so that a device can print the same line.

use alloc::{format, string::String, sync::Arc};
use core::{
    convert::Infallible,
    sync::atomic::{AtomicUsize, Ordering},
};

use embedded_io::{ErrorType, Write};
use sochdb_wasmi::{host::Host, trace::Recorder};

use crate::lines::Moment;

/// Bytes for the events of a call. More are written in parts.
const BUFFER: usize = 16 << 10;

/// Counts what is written to it.
struct Count(Arc<AtomicUsize>);

impl ErrorType for Count {
    type Error = Infallible;
}

impl Write for Count {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        self.0.fetch_add(bytes.len(), Ordering::Relaxed);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

/// Watches the main job, and leaves its line in `line` when it has ended.
pub fn watch(line: &mut String) -> impl FnMut(&mut Host, Moment) {
    let bytes = Arc::new(AtomicUsize::new(0));
    move |host, moment| match moment {
        Moment::Begun => {
            host.record(Recorder::to(Count(bytes.clone()), BUFFER));
        }
        Moment::Ended => {
            let Some(mut recorder) = host.stop_recording() else { return };
            *line = match recorder.error() {
                Some(error) => format!("trace: {error}\n"),
                None => {
                    let link: String =
                        recorder.last_link().iter().map(|byte| format!("{byte:02x}")).collect();
                    let bytes = bytes.load(Ordering::Relaxed);
                    format!("trace: {} events {bytes} bytes {link}\n", recorder.events())
                }
            };
        }
    }
}
